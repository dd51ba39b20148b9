//! What clients asked and were told, and what the servers committed.
// spec: faults.md 2.1

use crate::plan::Us;
use bytes::Bytes;
use zk_proto::Stat;
use zk_proto::watch::EventKind;

/// A client's request, in the terms of the checks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Create {
        path: String,
        data: Vec<u8>,
        ephemeral: bool,
        sequential: bool,
    },
    Delete {
        path: String,
        version: i32,
    },
    SetData {
        path: String,
        data: Vec<u8>,
        version: i32,
    },
    Check {
        path: String,
        version: i32,
    },
    Multi(Vec<Op>),
    GetData {
        path: String,
        watch: bool,
    },
    Exists {
        path: String,
        watch: bool,
    },
    Children {
        path: String,
        watch: bool,
    },
    Sync {
        path: String,
    },
    /// A persistent watch.
    AddWatch {
        path: String,
        recursive: bool,
    },
    /// After a reconnect; what the client still watches.
    SetWatches {
        relative_zxid: i64,
        data: Vec<String>,
        exist: Vec<String>,
        child: Vec<String>,
        persistent: Vec<String>,
        recursive: Vec<String>,
    },
    CloseSession,
}

impl Op {
    /// Whether it becomes a txn.
    #[must_use]
    pub fn is_write(&self) -> bool {
        match self {
            Self::Create { .. }
            | Self::Delete { .. }
            | Self::SetData { .. }
            | Self::Check { .. }
            | Self::Multi(_)
            | Self::CloseSession => true,
            Self::GetData { .. }
            | Self::Exists { .. }
            | Self::Children { .. }
            | Self::Sync { .. }
            | Self::AddWatch { .. }
            | Self::SetWatches { .. } => false,
        }
    }
}

/// The body of a reply without an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Empty,
    Created(String, Stat),
    Stat(Stat),
    Data(Vec<u8>, Stat),
    Children(Vec<String>, Stat),
    /// A part's error, or its body.
    Multi(Vec<Result<Body, i32>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub at: Us,
    /// Place among everything that its connection received.
    pub order: u64,
    pub zxid: i64,
    pub err: i32,
    pub body: Body,
}

/// One request. Without a reply it is lost: it may or may not have happened.
#[derive(Clone, Debug)]
pub struct Call {
    pub client: usize,
    pub session: i64,
    pub conn: u64,
    pub server: usize,
    pub xid: i32,
    pub op: Op,
    pub invoked: Us,
    pub reply: Option<Reply>,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub conn: u64,
    pub session: i64,
    pub at: Us,
    pub order: u64,
    pub zxid: i64,
    pub kind: EventKind,
    pub path: String,
}

/// A connection that got its session.
#[derive(Clone, Debug)]
pub struct Attach {
    pub conn: u64,
    pub session: i64,
    pub client: usize,
    pub server: usize,
    pub at: Us,
    pub timeout_ms: u32,
    /// What the client said it had seen.
    pub seen: i64,
    pub resumed: bool,
    /// The client gave the wrong password.
    pub forged: bool,
}

/// Bytes of a session that reached a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    pub at: Us,
    pub server: usize,
    pub session: i64,
    /// The connection has the session already.
    pub attached: bool,
}

/// From then on a server follows this leader (itself, if it leads) in broadcast; None: nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Regime {
    pub at: Us,
    pub server: usize,
    pub leader: Option<usize>,
}

/// A txn as it was committed.
#[derive(Clone, Debug)]
pub struct Commit {
    pub zxid: i64,
    pub txn: Bytes,
    /// When the first server delivered it.
    pub at: Us,
}

#[derive(Clone, Debug, Default)]
pub struct History {
    pub calls: Vec<Call>,
    pub events: Vec<Event>,
    pub attaches: Vec<Attach>,
    /// Sessions of which a client was told that they are no more.
    pub refused: Vec<(i64, Us)>,
    /// In order of time.
    pub heard: Vec<Heard>,
    /// In order of time.
    pub regimes: Vec<Regime>,
}
