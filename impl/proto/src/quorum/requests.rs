//! What learners and their leader say about clients: the bytes that packets carry and the protocol core passes on.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::acl::Id;
use crate::error::DecodeError;
use crate::jute::{Put, Reader, frame};

/// The most identities that one request may carry.
const MAX_IDS: u32 = 1024;

/// A client's write on its way from a learner to the leader: a REQUEST's data and authinfo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardedRequest {
    /// The session.
    pub session_id: i64,
    /// The client's number for it; 0 for the opening of a session.
    pub cxid: i32,
    /// The op code, not yet known to be one.
    pub op: i32,
    /// The request's body as the client sent it.
    pub body: Bytes,
    /// Who asks. The leader trusts it. `None` where the learner's server asks itself. spec: QP-BC-02
    pub auth: Option<Vec<Id>>,
}

impl ForwardedRequest {
    /// Reads what stands in [`Packet::Request`](super::Packet::Request).
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let reader = &mut Reader::with_limit(bytes, bytes.len());
        let data = reader.buffer()?.ok_or(DecodeError::Null("request"))?;
        let data = &mut Reader::with_limit(data, data.len());
        let (session_id, cxid, op) = (data.long()?, data.int()?, data.int()?);
        let body = bytes.slice_ref(data.rest());
        Ok(Self {
            session_id,
            cxid,
            op,
            body,
            auth: read_auth(reader)?,
        })
    }

    /// What stands in [`Packet::Request`](super::Packet::Request).
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        frame(&mut out, |out| {
            out.put_long(self.session_id);
            out.put_int(self.cxid);
            out.put_int(self.op);
            out.put_raw(&self.body);
        });
        match &self.auth {
            None => out.put_int(-1),
            Some(ids) => {
                out.put_count(ids.len());
                ids.iter().for_each(|id| id.write(&mut out));
            }
        }
        out.into()
    }
}

/// Passes over data and identities without looking into them.
pub(super) fn skip_request(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    reader.buffer()?;
    for _ in 0..ids(reader)?.unwrap_or(0) {
        reader.buffer()?;
        reader.buffer()?;
    }
    Ok(())
}

fn read_auth(reader: &mut Reader<'_>) -> Result<Option<Vec<Id>>, DecodeError> {
    let Some(count) = ids(reader)? else {
        return Ok(None);
    };
    let mut auth = Vec::new();
    for _ in 0..count {
        auth.push(Id::read(reader)?);
    }
    Ok(Some(auth))
}

/// The number of identities; more than a client can have is refused before they are waited for.
fn ids(reader: &mut Reader<'_>) -> Result<Option<u32>, DecodeError> {
    let count = reader.count()?;
    match count {
        Some(count) if count > MAX_IDS => Err(DecodeError::Value {
            field: "authinfo",
            value: count.into(),
        }),
        Some(_) | None => Ok(count),
    }
}

/// A session and its timeout: an entry of a PING's answer, or the question of a REVALIDATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Touch {
    /// The session.
    pub session_id: i64,
    /// Milliseconds.
    pub timeout: i32,
}

impl Touch {
    /// Reads one.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            session_id: reader.long()?,
            timeout: reader.int()?,
        })
    }

    /// Appends one.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_long(self.session_id);
        out.put_int(self.timeout);
    }

    /// A question's bytes.
    pub fn encode(&self) -> Bytes {
        Self::encode_table([*self])
    }

    /// The bytes of a PING's answer.
    pub fn encode_table(sessions: impl IntoIterator<Item = Self>) -> Bytes {
        let mut out = Vec::new();
        sessions.into_iter().for_each(|touch| touch.write(&mut out));
        out.into()
    }

    /// Reads the bytes of a PING's answer.
    pub fn decode_table(bytes: &[u8]) -> Result<Vec<Self>, DecodeError> {
        let reader = &mut Reader::new(bytes);
        let mut sessions = Vec::new();
        while !reader.is_empty() {
            sessions.push(Self::read(reader)?);
        }
        Ok(sessions)
    }
}

/// The answer of a REVALIDATE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Validity {
    /// The session.
    pub session_id: i64,
    /// It lives, and the asking server owns it now.
    pub valid: bool,
}

impl Validity {
    /// Reads an answer.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            session_id: reader.long()?,
            valid: reader.bool()?,
        })
    }

    /// An answer's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::new();
        out.put_long(self.session_id);
        out.put_bool(self.valid);
        out.into()
    }
}
