//! Jute primitives: big-endian integers and length-prefixed bytes.

use thiserror::Error;

/// Appends jute primitives to a byte vector.
#[derive(Debug, Default, Clone)]
pub struct Out(pub Vec<u8>);

impl Out {
    pub fn bool(&mut self, value: bool) {
        self.0.push(u8::from(value));
    }

    pub fn int(&mut self, value: i32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub fn long(&mut self, value: i64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// A `buffer` or `ustring`; `None` is the null mark, length −1.
    pub fn bytes(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.int(-1),
            Some(bytes) => {
                self.int(i32::try_from(bytes.len()).unwrap_or(i32::MAX));
                self.0.extend_from_slice(bytes);
            }
        }
    }
}

/// A reply that cannot be decoded.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum JuteError {
    #[error("the body ends after {at} of its bytes, {wanted} more are needed for {what}")]
    Short {
        at: usize,
        wanted: usize,
        what: &'static str,
    },
    #[error("length {length} of {what} at byte {at} is not possible")]
    Length {
        at: usize,
        length: i32,
        what: &'static str,
    },
}

/// Reads jute primitives from a slice.
#[derive(Debug, Clone)]
pub struct In<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> In<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        In { bytes, at: 0 }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub fn bool(&mut self) -> Result<bool, JuteError> {
        Ok(self.take::<1>("boolean")? != [0])
    }

    pub fn int(&mut self) -> Result<i32, JuteError> {
        Ok(i32::from_be_bytes(self.take("int")?))
    }

    pub fn long(&mut self) -> Result<i64, JuteError> {
        Ok(i64::from_be_bytes(self.take("long")?))
    }

    pub fn bytes(&mut self) -> Result<Option<&'a [u8]>, JuteError> {
        let at = self.at;
        let length = self.int()?;
        if length == -1 {
            return Ok(None);
        }
        let what = "bytes";
        let wanted = usize::try_from(length).map_err(|_| JuteError::Length { at, length, what })?;
        let rest = self.rest();
        let bytes = rest.get(..wanted).ok_or(JuteError::Short {
            at: self.at,
            wanted: wanted.saturating_sub(rest.len()),
            what,
        })?;
        self.at += wanted;
        Ok(Some(bytes))
    }

    fn take<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], JuteError> {
        let rest = self.rest();
        let found = rest.first_chunk::<N>().ok_or(JuteError::Short {
            at: self.at,
            wanted: N.saturating_sub(rest.len()),
            what,
        })?;
        self.at += N;
        Ok(*found)
    }
}
