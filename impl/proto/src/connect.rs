//! The handshake: the only frames without a header.
// spec: CP-FRM-03

use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::jute::{Put, Reader};
use crate::session::Password;

/// A client's first frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectRequest<'a> {
    /// Ignored by servers. spec: CP-CON-03
    pub protocol_version: i32,
    /// Newest zxid that the client has seen.
    pub last_zxid_seen: i64,
    /// Session timeout wished for, in milliseconds.
    pub timeout: i32,
    /// 0 asks for a new session, any other value to resume. spec: CP-CON-05
    pub session_id: i64,
    /// Any length, or null. spec: CP-CON-04
    pub password: Option<&'a [u8]>,
    /// `None` when the client does not send the byte. spec: CP-CON-01
    pub read_only: Option<bool>,
}

impl<'a> ConnectRequest<'a> {
    /// Reads the record; bytes after it are ignored.
    // spec: CP-CON-01, CP-FRM-09. No byte after the password means a client older than the field.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            protocol_version: reader.int()?,
            last_zxid_seen: reader.long()?,
            timeout: reader.int()?,
            session_id: reader.long()?,
            password: reader.buffer()?,
            read_only: reader.bool().ok(),
        })
    }

    /// Appends the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_int(self.protocol_version);
        out.put_long(self.last_zxid_seen);
        out.put_int(self.timeout);
        out.put_long(self.session_id);
        out.put_buffer(self.password);
        if let Some(read_only) = self.read_only {
            out.put_bool(read_only);
        }
    }
}

/// The server's answer. The protocol version is always 0.
// spec: CP-CON-02, CP-CON-03
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectResponse {
    /// Negotiated timeout in milliseconds; 0 in the invalid session answer.
    pub timeout: i32,
    /// The session; 0 in the invalid session answer.
    pub session_id: i64,
    /// 16 bytes.
    pub password: Password,
    /// Sent only to a client that sent its own.
    pub read_only: Option<bool>,
}

impl ConnectResponse {
    /// "Your session is gone", to a client that sent (or not) a read-only byte.
    // spec: CP-CON-22
    pub fn invalid_session(read_only: Option<bool>) -> Self {
        Self {
            timeout: 0,
            session_id: 0,
            password: [0; 16],
            read_only,
        }
    }

    /// Reads the record; a password of another length than 16 is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.int()?;
        let (timeout, session_id) = (reader.int()?, reader.long()?);
        let password = reader.buffer()?.ok_or(DecodeError::Null("passwd"))?;
        let password = password.try_into().map_err(|_| DecodeError::Length {
            len: i64::try_from(password.len()).unwrap_or(i64::MAX),
            limit: 16,
        })?;
        Ok(Self {
            timeout,
            session_id,
            password,
            read_only: reader.bool().ok(),
        })
    }

    /// Appends the record.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_int(0);
        out.put_int(self.timeout);
        out.put_long(self.session_id);
        out.put_buffer(Some(&self.password));
        if let Some(read_only) = self.read_only {
            out.put_bool(read_only);
        }
    }
}
