//! Appends jute fields to a byte vector.

use alloc::vec::Vec;

/// Appending one field. Lengths above `i32::MAX` cannot be announced and are never built: the frame limit is far lower.
pub trait Put {
    /// spec: CP-JUT-01
    fn put_byte(&mut self, value: u8);
    /// spec: CP-JUT-02
    fn put_bool(&mut self, value: bool);
    /// spec: CP-JUT-03
    fn put_int(&mut self, value: i32);
    /// spec: CP-JUT-03
    fn put_long(&mut self, value: i64);
    /// Bytes as they are, without a length.
    fn put_raw(&mut self, bytes: &[u8]);
    /// `None` is null. spec: CP-JUT-05
    fn put_buffer(&mut self, value: Option<&[u8]>);
    /// Plain UTF-8: disk, quorum port and every path. spec: CP-JUT-06, QP-GEN-02
    fn put_string(&mut self, value: &str);
    /// As Apache's encoder writes it: characters above U+FFFF as two surrogates of three bytes each.
    /// Only for strings that a client gets echoed and that are no paths. spec: CP-JUT-12
    fn put_echo(&mut self, value: &str);
    /// A vector's count. spec: CP-JUT-07
    fn put_count(&mut self, count: usize);
    /// A vector of strings; the count is filled in at the end, so the source may be any iterator. Returns the count.
    fn put_strings<S: AsRef<str>>(&mut self, items: impl IntoIterator<Item = S>) -> usize;
}

/// Length or count as the wire has it. What does not fit becomes `i32::MAX`, which every reader refuses.
fn announced(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

impl Put for Vec<u8> {
    fn put_byte(&mut self, value: u8) {
        self.push(value);
    }

    fn put_bool(&mut self, value: bool) {
        self.push(u8::from(value));
    }

    fn put_int(&mut self, value: i32) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_long(&mut self, value: i64) {
        self.extend_from_slice(&value.to_be_bytes());
    }

    fn put_raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn put_buffer(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.put_int(-1),
            Some(bytes) => {
                self.put_int(announced(bytes.len()));
                self.extend_from_slice(bytes);
            }
        }
    }

    fn put_string(&mut self, value: &str) {
        self.put_buffer(Some(value.as_bytes()));
    }

    fn put_echo(&mut self, value: &str) {
        if value.bytes().all(|byte| byte < 0xf0) {
            return self.put_string(value);
        }
        let start = self.len();
        self.put_int(0);
        for unit in value.encode_utf16() {
            put_utf16_unit(self, unit);
        }
        patch_length(self, start);
    }

    fn put_count(&mut self, count: usize) {
        self.put_int(announced(count));
    }

    fn put_strings<S: AsRef<str>>(&mut self, items: impl IntoIterator<Item = S>) -> usize {
        let start = self.len();
        self.put_int(0);
        let mut count = 0usize;
        for item in items {
            self.put_string(item.as_ref());
            count = count.saturating_add(1);
        }
        patch(self, start, announced(count));
        count
    }
}

/// One UTF-16 unit in one to three bytes; a surrogate takes three.
fn put_utf16_unit(out: &mut Vec<u8>, unit: u16) {
    let tail = |shift: u32| 0x80 | ((unit >> shift) & 0x3f) as u8;
    match unit {
        0..0x80 => out.push(unit as u8),
        0x80..0x800 => out.extend_from_slice(&[0xc0 | (unit >> 6) as u8, tail(0)]),
        0x800.. => out.extend_from_slice(&[0xe0 | (unit >> 12) as u8, tail(6), tail(0)]),
    }
}

/// Writes `value` over the four bytes at `start`.
fn patch(out: &mut [u8], start: usize, value: i32) {
    if let Some(slot) = out
        .get_mut(start..)
        .and_then(|tail| tail.first_chunk_mut::<4>())
    {
        *slot = value.to_be_bytes();
    }
}

/// Writes the number of bytes after the four at `start` over them.
fn patch_length(out: &mut [u8], start: usize) {
    let len = out.len().saturating_sub(start).saturating_sub(4);
    patch(out, start, announced(len));
}

/// Appends one frame: four length bytes, then what `body` appends.
// spec: CP-FRM-01, CP-FRM-07. Of any length that an i32 can announce.
pub fn frame(out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.put_int(0);
    body(out);
    patch_length(out, start);
}
