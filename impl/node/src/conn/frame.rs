//! Cuts a client's byte stream into frames. What is complete is lent out of the
//! caller's buffer; only a frame that is still partial is copied and kept.

use zk_tree::Mutant;

/// What lies at the front of the stream.
#[derive(Debug, PartialEq, Eq)]
pub enum Cut<'a> {
    /// One whole payload, and the bytes after it.
    Frame { payload: &'a [u8], rest: &'a [u8] },
    /// More bytes are needed.
    Partial,
    /// The length is negative or above the limit; nothing after it can be understood.
    Refused { announced: i32 },
}

// spec: CP-FRM-01, CP-FRM-05, CP-FRM-06, P-CLOSE. The length is judged before the body is there, so a
// giant frame costs its four bytes and nothing else.
#[must_use]
pub fn cut(bytes: &[u8], max_bytes: usize) -> Cut<'_> {
    let Some((length, body)) = bytes.split_first_chunk::<4>() else {
        return Cut::Partial;
    };
    let announced = i32::from_be_bytes(*length);
    if announced < 0 && Mutant::NegativeLengthWaits.acts() {
        return Cut::Partial;
    }
    let max_bytes = if Mutant::FrameOfAnyLength.acts() {
        usize::MAX
    } else {
        max_bytes
    };
    let Some(length) = usize::try_from(announced)
        .ok()
        .filter(|length| *length <= max_bytes)
    else {
        return Cut::Refused { announced };
    };
    match body.split_at_checked(length) {
        Some((payload, rest)) => Cut::Frame { payload, rest },
        None => Cut::Partial,
    }
}

/// The bytes of a connection that are not yet a frame, or whose turn has not come.
#[derive(Debug, Default)]
pub struct Kept {
    bytes: Vec<u8>,
}

impl Kept {
    /// What was kept; nothing is kept afterwards. The caller gives back what it did not use through `give_back`.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    /// Keeps what was taken but for its first `used` bytes. Nothing used, nothing is copied.
    pub fn give_back(&mut self, bytes: Vec<u8>, used: usize) {
        if used == 0 {
            self.bytes = bytes;
        } else {
            self.keep(bytes.get(used..).unwrap_or_default());
        }
    }

    /// Whether another look at what is kept may lead further: not while it is a part of one frame.
    #[must_use]
    pub fn is_part_of_a_frame(&self, max_bytes: usize) -> bool {
        cut(&self.bytes, max_bytes) == Cut::Partial
    }

    // spec: FT-CON-05, FT-CON-07. Exact growth: memory follows the bytes received, not twice that.
    pub fn keep(&mut self, bytes: &[u8]) {
        self.bytes.reserve_exact(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_lent_and_the_rest_left() {
        // spec: CP-FRM-01
        let bytes = [0, 0, 0, 2, 7, 8, 0, 0];
        assert_eq!(
            cut(&bytes, 10),
            Cut::Frame {
                payload: &[7, 8],
                rest: &[0, 0]
            }
        );
        assert_eq!(cut(&bytes[..5], 10), Cut::Partial);
        assert_eq!(cut(&bytes[..3], 10), Cut::Partial);
        assert_eq!(
            cut(&[0, 0, 0, 0], 10),
            Cut::Frame {
                payload: &[],
                rest: &[]
            }
        );
    }

    #[test]
    fn a_frame_in_parts_is_neither_looked_at_nor_copied_until_it_is_whole() {
        // spec: P-CLOSE, FT-CON-02
        let mut kept = Kept::default();
        kept.keep(&[0, 0, 0, 9]);
        for byte in 0..9 {
            assert!(kept.is_part_of_a_frame(10), "{byte}");
            kept.keep(&[byte]);
        }
        assert!(!kept.is_part_of_a_frame(10), "whole");
        assert!(!kept.is_part_of_a_frame(8), "refused");
        let all = kept.take();
        let (at, bytes) = (all.as_ptr(), all.clone());
        kept.give_back(all, 0);
        assert_eq!(kept.bytes.as_ptr(), at);
        let all = kept.take();
        kept.give_back(all, 4);
        assert_eq!(kept.bytes, bytes[4..]);
    }

    #[test]
    fn lengths_outside_the_limit_are_refused_before_the_body() {
        // spec: CP-FRM-05, CP-FRM-06, FT-CON-05
        for announced in [-1, i32::MIN, i32::MAX, 11] {
            assert_eq!(
                cut(&announced.to_be_bytes(), 10),
                Cut::Refused { announced }
            );
        }
        assert_eq!(cut(&10i32.to_be_bytes(), 10), Cut::Partial);
    }
}
