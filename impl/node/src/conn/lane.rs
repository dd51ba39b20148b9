//! The part of a connection that its own task and the driver share: what it waits
//! for, in order, and the bytes that go out. Whoever appends to it holds its lock
//! for that moment only, and never over I/O.

use crate::session::Session;
use crate::stats::{LastOp, Latency};
use crate::sync::lock;
use crate::time::Now;
use bytes::Bytes;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use zk_proto::jute::frame;
use zk_proto::{ErrorCode, Id, OpCode, ReplyHeader};
use zk_tree::PathOnly;

/// Names a connection for the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId(pub u64);

/// Tells a connection's task that its lane has something for it. The host decides how.
pub trait Bell: Send + Sync {
    fn ring(&self);
}

/// A connection may have this many requests in the pipeline before it is read no further.
// spec: FT-LOAD-10
pub const MAX_QUEUED: usize = 1000;
/// Requests in the pipeline may have this many bytes before the connection is read no further.
// spec: P-BOUND. Otherwise a thousand requests might be a thousand times the longest.
pub const MAX_QUEUED_BYTES: usize = 4 << 20;
/// Output beyond which a client that does not read is closed, bytes.
// spec: FT-LOAD-11
pub const MAX_OUTPUT_BYTES: usize = 4 << 20;
/// Output beyond which no further request of the connection is started, bytes.
pub const PAUSE_OUTPUT_BYTES: usize = 256 << 10;

pub struct Lane {
    pub id: ConnId,
    pub peer: SocketAddr,
    pub secure: bool,
    bell: Box<dyn Bell>,
    state: Mutex<LaneState>,
}

/// How far the connection is from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum End {
    Open,
    /// Close once everything in `out` is written.
    // spec: CP-FRM-13
    AfterOutput,
    /// Close, with nothing more written.
    Now,
}

/// A request that cannot be answered yet, or stands behind one.
#[derive(Debug)]
pub enum Queued {
    /// The driver answers it: a write, a sync. `large`: its bytes, if they count as many (CP-THR-07).
    Awaited {
        xid: i32,
        op: OpCode,
        received_ms: u64,
        /// Of its body, which the driver holds.
        bytes: usize,
        large: u32,
        /// Of a multi (CP-MUL-05).
        path_only: PathOnly,
    },
    /// To be run on the tree once it is at the front.
    Read {
        xid: i32,
        op: OpCode,
        body: Bytes,
        ids: Arc<[Id]>,
        received_ms: u64,
    },
    /// Refused already; the refusal keeps its place in the order.
    Refused {
        xid: i32,
        zxid: Option<i64>,
        error: ErrorCode,
        close: bool,
    },
}

impl Queued {
    /// Of the request's body, wherever it is.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Awaited { bytes, .. } => *bytes,
            Self::Read { body, .. } => body.len(),
            Self::Refused { .. } => 0,
        }
    }
}

/// What a lane knows of its session.
#[derive(Clone, Debug)]
pub struct Attached {
    pub session: Arc<Session>,
    /// As negotiated on this connection, ms.
    pub timeout_ms: u32,
    /// Wall clock, ms.
    pub since_ms: i64,
}

pub struct LaneState {
    pub out: Vec<u8>,
    pub queue: VecDeque<Queued>,
    /// Of the requests in `queue`.
    pub queued_bytes: usize,
    pub end: End,
    pub attached: Option<Attached>,
    /// The identities of the connection at this moment (CP-AUTH-02).
    pub ids: Arc<[Id]>,
    pub received: u64,
    pub sent: u64,
    pub latency: Latency,
    pub last_op: Option<LastOp>,
    /// When something last arrived, monotonic ms.
    pub heard_ms: u64,
    pub reading: bool,
}

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane")
            .field("id", &self.id)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl Lane {
    pub fn new(id: ConnId, peer: SocketAddr, secure: bool, bell: Box<dyn Bell>, now: Now) -> Self {
        let address = Id::new("ip", address_text(peer));
        let state = LaneState {
            out: Vec::new(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            end: End::Open,
            attached: None,
            ids: Arc::new([address]),
            received: 0,
            sent: 0,
            latency: Latency::of_connection(),
            last_op: None,
            heard_ms: now.mono_ms,
            reading: true,
        };
        Self {
            id,
            peer,
            secure,
            bell,
            state: Mutex::new(state),
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, LaneState> {
        lock(&self.state)
    }

    /// Never called with the lane locked.
    pub fn ring(&self) {
        self.bell.ring();
    }

    /// Ends the connection without another byte.
    pub fn kick(&self) {
        self.lock().end = End::Now;
        self.ring();
    }
}

// spec: CP-AUTH-01. IPv6 as eight groups, as Java prints it.
fn address_text(peer: SocketAddr) -> String {
    match peer {
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => {
            let groups: Vec<_> = v6
                .ip()
                .segments()
                .iter()
                .map(|group| format!("{group:x}"))
                .collect();
            match v6.scope_id() {
                0 => groups.join(":"),
                zone => format!("{}%{zone}", groups.join(":")),
            }
        }
    }
}

impl LaneState {
    /// Appends a reply frame; `body` runs only without an error (CP-ERR-02).
    pub fn reply(
        &mut self,
        xid: i32,
        zxid: i64,
        error: ErrorCode,
        body: impl FnOnce(&mut Vec<u8>),
    ) {
        frame(&mut self.out, |out| {
            ReplyHeader {
                xid,
                zxid,
                err: error.code(),
            }
            .write(out);
            if error == ErrorCode::Ok {
                body(out);
            }
        });
        self.sent += 1;
    }

    /// Appends a reply that is nothing but an error code, as the txn carried it.
    pub fn reply_error(&mut self, xid: i32, zxid: i64, error: i32) {
        frame(&mut self.out, |out| {
            ReplyHeader {
                xid,
                zxid,
                err: error,
            }
            .write(out)
        });
        self.sent += 1;
    }

    /// Accounts for a reply just appended.
    pub fn answered(
        &mut self,
        op: OpCode,
        xid: i32,
        zxid: i64,
        received_ms: u64,
        now_ms: u64,
    ) -> u64 {
        let latency_ms = now_ms.saturating_sub(received_ms);
        self.latency.record(latency_ms);
        let xid = match self.last_op {
            Some(last) if xid < 0 => last.xid,
            _ => xid,
        };
        self.last_op = Some(LastOp {
            op: op.code(),
            xid,
            zxid,
            answered_at_ms: now_ms,
            latency_ms,
            fresh: true,
        });
        latency_ms
    }

    /// Past this the client does not read what it asked for.
    pub fn overflows(&self) -> bool {
        self.out.len() > MAX_OUTPUT_BYTES
    }

    pub fn close_after_output(&mut self) {
        self.end = self.end.max(End::AfterOutput);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_java_writes_them() {
        // spec: CP-AUTH-01
        let text = |peer: &str| address_text(peer.parse().unwrap());
        assert_eq!(text("10.0.0.1:99"), "10.0.0.1");
        assert_eq!(text("[::1]:99"), "0:0:0:0:0:0:0:1");
        assert_eq!(text("[fe80::a%3]:99"), "fe80:0:0:0:0:0:0:a%3");
    }
}
