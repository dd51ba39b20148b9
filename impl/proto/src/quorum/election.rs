//! Election notifications.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::jute::{Put, Reader, frame};

/// Greatest length that an election frame may announce, in bytes.
// spec: QP-CNX-07
pub const MAX_NOTIFICATION_LEN: usize = 524_288;

/// The version that this code writes. Version 0 stands for messages without one.
const FORMAT_VERSION: i32 = 2;

/// What the sender of a notification does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // ZooKeeper's names
#[repr(i32)]
pub enum ServerState {
    Looking = 0,
    Following = 1,
    Leading = 2,
    Observing = 3,
}

impl ServerState {
    fn from_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Looking),
            1 => Some(Self::Following),
            2 => Some(Self::Leading),
            3 => Some(Self::Observing),
            _ => None,
        }
    }
}

/// A vote and who holds it.
// spec: QP-FLE-01
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notification {
    /// What the sender does.
    pub state: ServerState,
    /// The leader voted for, or followed.
    pub leader: i64,
    /// That vote's zxid.
    pub zxid: i64,
    /// The sender's logical clock.
    pub round: i64,
    /// Current epoch of the proposed leader.
    pub peer_epoch: i64,
    /// 0 when the message has none; written as 2 whatever it is.
    pub version: i32,
    /// Text of the sender's configuration, for versions above 1. Invalid UTF-8 is replaced. spec: QP-FLE-02
    pub config: Option<String>,
}

impl Notification {
    /// Reads a frame's payload. On an error the message is skipped and the link stays.
    // spec: QP-FLE-01. Two lengths say that fields are missing; every other message must be whole.
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        let reader = &mut Reader::new(payload);
        let state = reader.int()?;
        let state = ServerState::from_code(state).ok_or(DecodeError::Value {
            field: "server state",
            value: state.into(),
        })?;
        let (leader, zxid, round) = (reader.long()?, reader.long()?, reader.long()?);
        let peer_epoch = if payload.len() == 28 {
            zxid >> 32
        } else {
            reader.long()?
        };
        let version = if matches!(payload.len(), 28 | 40) {
            0
        } else {
            reader.int()?
        };
        let config = if version > 1 {
            Some(read_config(reader)?)
        } else {
            None
        };
        Ok(Self {
            state,
            leader,
            zxid,
            round,
            peer_epoch,
            version,
            config,
        })
    }

    /// Appends the whole frame, length included, in the newest form.
    pub fn encode_frame(&self, out: &mut Vec<u8>) {
        frame(out, |out| {
            out.put_int(self.state as i32);
            out.put_long(self.leader);
            out.put_long(self.zxid);
            out.put_long(self.round);
            out.put_long(self.peer_epoch);
            out.put_int(FORMAT_VERSION);
            out.put_string(self.config.as_deref().unwrap_or_default());
        });
    }
}

fn read_config(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let config = reader.buffer()?.ok_or(DecodeError::Null("config"))?;
    Ok(String::from_utf8_lossy(config).into_owned())
}

/// The payload of the frame at the start of `input` and the frame's whole length; `None` if the frame goes on past
/// the end of `input`. An error means that the link must go.
pub fn next_frame(input: &[u8]) -> Result<Option<(&[u8], usize)>, DecodeError> {
    let reader = &mut Reader::new(input);
    let Ok(announced) = reader.int() else {
        return Ok(None);
    };
    let len = usize::try_from(announced)
        .ok()
        .filter(|len| (1..=MAX_NOTIFICATION_LEN).contains(len));
    let len = len.ok_or(DecodeError::Length {
        len: announced.into(),
        limit: MAX_NOTIFICATION_LEN,
    })?;
    Ok(reader
        .bytes(len)
        .ok()
        .map(|payload| (payload, len.saturating_add(4))))
}
