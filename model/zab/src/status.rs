//! What a peer tells about itself, and the ways in which it can be broken.

use crate::id::{Epoch, LinkId, Round, ServerId, Zxid};
use crate::message::Vote;

/// An own invariant is broken: a bug here or a host that breaks its promise.
/// The server must stop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Broken {
    /// `Started` came twice, or anything came before it.
    #[error("started twice or not at all")]
    Start,
    /// A proposal under another zxid of this epoch than the next.
    #[error("proposed {zxid}, next is {next:?}")]
    Proposed {
        /// What came.
        zxid: Zxid,
        /// What `next_zxid` gives.
        next: Option<Zxid>,
    },
    /// A learner was told of a session by a leader that is not open yet.
    #[error("answered about a session before the leader is open")]
    Answered,
    /// The disk finished what was never asked.
    #[error("a write was reported durable that was not asked for")]
    Persisted,
    /// About to serve with history or epoch not durable ("bad state").
    #[error("about to serve what is not durable")]
    State,
    /// An ACK that a strict leader cannot place ("bad ack").
    #[error("ack {zxid} instead of the new leader's")]
    Ack {
        /// What was acknowledged.
        zxid: Zxid,
    },
    /// A commit of something unknown ("bad commit").
    #[error("commit {zxid} matches no proposal")]
    Commit {
        /// What was committed.
        zxid: Zxid,
    },
}

/// The four states of a server, in style's words.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum RoleKind {
    /// Electing, or finishing the writes of the role before.
    Looking,
    /// Follows a leader.
    Following,
    /// Leads.
    Leading,
    /// Learns without a vote.
    Observing,
}

/// The protocol's phases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Phase {
    /// Phase 0.
    Election,
    /// Phase 1: until the epoch is agreed.
    Discovery,
    /// Phase 2: until the epoch is established, or the learner is up to date.
    Synchronisation,
    /// Phase 3: serving.
    Broadcast,
}

/// What others may know.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Status {
    /// The state.
    pub role: RoleKind,
    /// The phase.
    pub phase: Phase,
    /// Whom this server follows, or itself when it leads.
    pub leader: Option<ServerId>,
    /// At a learner: its link to the leader.
    pub link: Option<LinkId>,
    /// The epoch led or followed, once chosen.
    pub epoch: Option<Epoch>,
    /// The election's round.
    pub round: Round,
    /// The vote: proposed while looking, final afterwards.
    pub vote: Vote,
    /// Promised epoch.
    pub accepted: Epoch,
    /// Epoch whose history was adopted.
    pub current: Epoch,
    /// Last zxid in the log, written or on its way.
    pub last_logged: Zxid,
    /// Last zxid delivered.
    pub last_delivered: Zxid,
    /// Last zxid known to be committed.
    pub last_committed: Zxid,
    /// Abstains: empty, and nobody vouches for it (spec: DF-REC-05).
    pub abstains: bool,
    /// Looking, and all writes of the role before are done.
    pub electing: bool,
    /// Writes asked for and not yet durable.
    pub writes: usize,
    /// Learners that are up to date, at the leader.
    pub learners: usize,
}

/// One learner of a leader.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LearnerStatus {
    /// Who it is.
    pub id: ServerId,
    /// Its link.
    pub link: LinkId,
    /// It observes.
    pub observer: bool,
    /// It got UPTODATE.
    pub up_to_date: bool,
    /// The last zxid that it acknowledged in this epoch.
    pub acked: Zxid,
}
