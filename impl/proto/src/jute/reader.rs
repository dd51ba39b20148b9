//! Reads jute fields from a slice, borrowing.

use alloc::borrow::Cow;
use alloc::string::String;

use crate::error::DecodeError;

/// Greatest string or buffer that Apache accepts by default: `jute.maxbuffer` and its extra size, 0xfffff each.
// spec: CP-JUT-10, QP-GEN-01
pub const DEFAULT_LIMIT: usize = 2 * 0xf_ffff;

/// A cursor over one record's bytes. Each method takes one field off the front.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    limit: usize,
}

impl<'a> Reader<'a> {
    /// A reader with the default length limit.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self::with_limit(bytes, DEFAULT_LIMIT)
    }

    /// A reader that refuses strings and buffers longer than `limit` bytes.
    pub fn with_limit(bytes: &'a [u8], limit: usize) -> Self {
        Self { rest: bytes, limit }
    }

    /// The bytes not yet read.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Number of bytes not yet read.
    pub fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// True once every byte is read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The greatest string or buffer length accepted, in bytes.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The next `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (head, rest) = self
            .rest
            .split_at_checked(len)
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(head)
    }

    /// The next `N` bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (head, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(*head)
    }

    /// spec: CP-JUT-01
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    /// Any byte but 0 is true. spec: CP-JUT-02
    pub fn bool(&mut self) -> Result<bool, DecodeError> {
        Ok(self.byte()? != 0)
    }

    /// spec: CP-JUT-03
    pub fn int(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// spec: CP-JUT-03
    pub fn long(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// Bytes with their length in front; `None` is the null mark -1, which is not the same as empty.
    // spec: CP-JUT-05, CP-JUT-10
    pub fn buffer(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        let announced = self.int()?;
        if announced == -1 {
            return Ok(None);
        }
        match usize::try_from(announced) {
            Ok(len) if len <= self.limit => self.bytes(len).map(Some),
            Ok(_) | Err(_) => Err(DecodeError::Length {
                len: announced.into(),
                limit: self.limit,
            }),
        }
    }

    /// A string, or `None` for null. Malformed UTF-8 becomes U+FFFD and is no error.
    // spec: CP-JUT-06, CP-JUT-11
    pub fn string_or_null(&mut self) -> Result<Option<Cow<'a, str>>, DecodeError> {
        Ok(self.buffer()?.map(String::from_utf8_lossy))
    }

    /// A string that may not be null; `field` names it in the error.
    // spec: CP-PRE-05. A null path is a marshalling error, not a bad argument.
    pub fn string(&mut self, field: &'static str) -> Result<Cow<'a, str>, DecodeError> {
        self.string_or_null()?.ok_or(DecodeError::Null(field))
    }

    /// A vector's count: `None` for null; every other count up to 0 is empty. The count is the sender's word:
    /// never allocate by it.
    // spec: CP-JUT-07, CP-JUT-13
    pub fn count(&mut self) -> Result<Option<u32>, DecodeError> {
        let count = self.int()?;
        Ok(if count == -1 {
            None
        } else {
            Some(u32::try_from(count).unwrap_or(0))
        })
    }

    /// What `read` takes off the front, as bytes, with what it returned.
    pub fn measured<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<(&'a [u8], T), DecodeError> {
        let before = self.rest;
        let value = read(self)?;
        let used = before.len().saturating_sub(self.rest.len());
        let taken = before.get(..used).ok_or(DecodeError::Truncated)?;
        Ok((taken, value))
    }
}
