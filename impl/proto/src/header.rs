//! The headers in front of every request and reply after the handshake.

use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::jute::{Put, Reader};

/// Reserved xids.
// spec: CP-OP-02
pub mod xid {
    /// A watch event, server to client only.
    pub const EVENT: i32 = -1;
    /// A ping and its answer.
    pub const PING: i32 = -2;
    /// An authentication and its answer.
    pub const AUTH: i32 = -4;
    /// Restoring watches.
    pub const SET_WATCHES: i32 = -8;
}

/// `xid:i32, type:i32`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The client's number for the request, echoed in the reply.
    pub xid: i32,
    /// The op code, not yet known to be one.
    pub op: i32,
}

impl RequestHeader {
    /// Reads the record.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            xid: reader.int()?,
            op: reader.int()?,
        })
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_int(self.xid);
        out.put_int(self.op);
    }
}

/// `xid:i32, zxid:i64, err:i32`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The request's xid, or -1 for an event.
    pub xid: i32,
    /// See CP-OP-05 and CP-OP-06.
    pub zxid: i64,
    /// 0 or an error code; with an error there is no body.
    pub err: i32,
}

impl ReplyHeader {
    /// Encoded size in bytes.
    pub const LEN: usize = 16;

    /// Reads the record.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            xid: reader.int()?,
            zxid: reader.long()?,
            err: reader.int()?,
        })
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_int(self.xid);
        out.put_long(self.zxid);
        out.put_int(self.err);
    }
}
