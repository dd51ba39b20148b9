//! The state of an ensemble, and the steps of its environment.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zab::{Epoch, LinkId, Notification, Timer};
use zab_properties::{Ghosts, Txn};

use super::link::Link;
use super::server::Server;

/// What has been used of each budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spent {
    pub elections: u8,
    pub txns: u8,
    pub crashes: u8,
    pub breaks: u8,
    pub timeouts: u8,
    pub wipes: u8,
    /// All servers were down at one moment.
    pub outage: bool,
}

/// A link's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    Learner,
    Leader,
}

/// Servers and links are behind pointers: a step copies what it touches. Its debug text is that of `say.rs`.
#[derive(Clone)]
pub struct State<P> {
    pub(super) servers: Vec<Arc<Server<P>>>,
    pub(super) hashes: Vec<Arc<super::hashing::Hashes>>,
    pub(super) links: Vec<Arc<Link>>,
    /// The newest notification on its way, by sender * servers + receiver.
    pub(super) mail: Vec<Option<Notification>>,
    pub(super) ghosts: Arc<Ghosts<u8>>,
    pub(super) polling: super::votes::Polling,
    pub(super) spent: Spent,
    /// Syncs that were asked.
    pub(super) asks: u8,
    /// The sync that a client waits for.
    pub(super) asked: Option<Asked>,
    /// The link over which a sync was forwarded. Its leader may remember it when the link is long gone, so no later one has
    /// its number.
    pub(super) asked_on: Option<LinkId>,
    /// Stands for a whole state in a set of canonical ones.
    pub(super) canonical: Option<u64>,
}

/// A sync that has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Whom the client asked.
    pub(super) server: usize,
    /// The latest epoch established by then.
    pub(super) established: Epoch,
    /// What clients had been told by then.
    pub(super) acked: Vec<Txn<u8>>,
}

/// A step of the environment. Servers are numbered from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The oracle elects a leader, and a quorum hears of it.
    Elect {
        leader: u8,
        followers: Vec<u8>,
    },
    /// The oracle sends a server that missed the election to a leader.
    Join {
        follower: u8,
        leader: u8,
    },
    /// G2: a leader and those who have settled for it go through discovery and synchronisation, all in one step.
    Establish {
        leader: u8,
    },
    /// A learner's connection is made.
    Connect {
        learner: u8,
        leader: u8,
    },
    /// The next frame of a link arrives at this end.
    Deliver {
        link: u64,
        at: End,
    },
    /// The newest notification arrives.
    Notice {
        from: u8,
        to: u8,
    },
    /// A link breaks and this end learns of it. What is on its way to the other may still arrive.
    Break {
        link: u64,
        at: End,
    },
    /// The other end of a dead link learns of it.
    NoticeClose {
        link: u64,
        at: End,
    },
    /// The oldest write of a disk is done.
    DiskStep {
        server: u8,
    },
    /// A server dies after `kept` more of its queued writes reached the disk. It restarts at once unless it can be wiped.
    Crash {
        server: u8,
        kept: u8,
    },
    Restart {
        server: u8,
    },
    /// A dead server's directory is emptied.
    Wipe {
        server: u8,
    },
    /// A client's transaction reaches the leader.
    Propose {
        leader: u8,
    },
    /// A client asks this server for a sync.
    Ask {
        server: u8,
    },
    /// An armed timer fires.
    Expire {
        server: u8,
        timer: Timer,
    },
}
