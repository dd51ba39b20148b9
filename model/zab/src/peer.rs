//! One server's protocol state: what its disk holds, and its role.

use core::marker::PhantomData;

use crate::Payload;
use crate::config::{Config, Durable, RestoreError};
use crate::effect::Effects;
use crate::event::Event;
use crate::id::{Epoch, LinkId, Round, ServerId, Zxid};
use crate::message::{Proposal, Vote};
use crate::policy::{Policy, Production};

/// The state machine.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Peer<T, P = Production> {
    config: Config,
    durable: Durable<T>,
    policy: PhantomData<P>,
}

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
    /// Last zxid that survives a crash.
    pub last_durable: Zxid,
    /// Last zxid delivered.
    pub last_delivered: Zxid,
    /// Last zxid known to be committed.
    pub last_committed: Zxid,
    /// Abstains: empty, and nobody vouches for it (spec: DF-REC-05).
    pub abstains: bool,
    /// Writes asked for and not yet durable.
    pub writes: usize,
    /// Learners that are up to date, at the leader.
    pub learners: usize,
}

impl<T: Payload, P: Policy> Peer<T, P> {
    /// A peer as its disk left it.
    ///
    /// # Errors
    /// When the configuration or the epoch files cannot be.
    pub fn restore(_config: Config, _durable: Durable<T>) -> Result<Self, RestoreError> {
        Err(RestoreError::NoVoters)
    }

    /// The same, with a policy that has a value: the checker's mutants.
    ///
    /// # Errors
    /// As `restore`.
    pub fn restore_with(
        _config: Config,
        _durable: Durable<T>,
        _policy: P,
    ) -> Result<Self, RestoreError> {
        Err(RestoreError::NoVoters)
    }

    /// Takes one event; its effects are appended.
    ///
    /// # Errors
    /// `Broken`: stop the server.
    pub fn handle(&mut self, _event: Event<T>, _effects: &mut Effects<T>) -> Result<(), Broken> {
        Err(Broken::Start)
    }

    /// An election's outcome, from an oracle (`Config::oracle`). Ignored unless
    /// looking with all writes done.
    ///
    /// # Errors
    /// As `handle`.
    pub fn elect(&mut self, _leader: ServerId, _effects: &mut Effects<T>) -> Result<(), Broken> {
        Err(Broken::Start)
    }

    /// The zxid for the next `Event::Proposed`; `None` unless this server leads
    /// an established epoch with counters left. Several may be proposed without
    /// waiting: each call to `handle` moves it on by one.
    pub fn next_zxid(&self) -> Option<Zxid> {
        None
    }

    /// What others may know.
    pub fn status(&self) -> Status {
        unreachable_status(&self.config)
    }

    /// The newest entries of the log, written or on their way, and the zxid before them.
    pub fn log(&self) -> (Zxid, impl DoubleEndedIterator<Item = &Proposal<T>>) {
        (self.durable.base, self.durable.log.iter())
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

fn unreachable_status(config: &Config) -> Status {
    Status {
        role: RoleKind::Looking,
        phase: Phase::Election,
        leader: None,
        link: None,
        epoch: None,
        round: Round::default(),
        vote: Vote {
            epoch: Epoch::ZERO,
            zxid: Zxid::ZERO,
            leader: config.id,
        },
        accepted: Epoch::ZERO,
        current: Epoch::ZERO,
        last_logged: Zxid::ZERO,
        last_durable: Zxid::ZERO,
        last_delivered: Zxid::ZERO,
        last_committed: Zxid::ZERO,
        abstains: false,
        writes: 0,
        learners: 0,
    }
}
