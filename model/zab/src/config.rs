//! What a peer is told once: who it is, who else there is, how long to wait,
//! and what its disk held.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::hash::{Hash, Hasher};

use crate::id::{Epoch, ServerId, Ticks, Zxid};
use crate::message::Proposal;
use crate::quorum::{Quorums, Verifier};
use crate::set::ServerSet;

/// Constant for the life of a peer.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Config {
    /// This server.
    pub id: ServerId,
    /// Whether it only observes.
    pub observer: bool,
    /// Who votes.
    pub quorums: Quorums,
    /// Version of the configuration; 0 while reconfiguration is disabled.
    pub version: i64,
    /// An ensemble of one: leads at once, writes no epoch files, keeps the
    /// epoch of its last zxid (spec: DF-EPO-06).
    pub standalone: bool,
    /// As leader, serve only once a first txn of the epoch is committed: for followers that acknowledge NEWLEADER
    /// before it is durable (spec: QP-INT-02). Says nothing to a standalone server, which has none.
    pub opening_txn: bool,
    /// Somebody else elects, through `Peer::elect`: the checker's oracle.
    pub oracle: bool,
    /// How many committed entries stay in memory for DIFF (spec: QP-SYN-03).
    pub window: usize,
    /// The last counter that an epoch uses (spec: QP-BC-04).
    pub counter_limit: u32,
    /// By how much a learner may raise the epoch at once.
    pub epoch_jump: i64,
    /// How long to wait.
    pub timing: Timing,
}

/// Durations, all in the host's steps.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Timing {
    /// Ping period: half of tickTime.
    pub ping: Ticks,
    /// tickTime × initLimit.
    pub init: Ticks,
    /// tickTime × syncLimit.
    pub sync: Ticks,
    /// First wait between notifications.
    pub notify_min: Ticks,
    /// Longest wait between notifications.
    pub notify_max: Ticks,
    /// How long no better vote must come before the election ends.
    pub finalize: Ticks,
}

impl Default for Timing {
    /// ZooKeeper's defaults (tickTime 2 s, initLimit 10, syncLimit 5) in steps of 10 ms.
    fn default() -> Self {
        Self {
            ping: Ticks(100),
            init: Ticks(2000),
            sync: Ticks(1000),
            notify_min: Ticks(20),
            notify_max: Ticks(6000),
            finalize: Ticks(20),
        }
    }
}

impl Config {
    /// ZooKeeper's defaults for a voter, or an observer, of a majority ensemble.
    #[must_use]
    pub fn new(id: ServerId, voters: impl IntoIterator<Item = ServerId>) -> Self {
        let voters: ServerSet = voters.into_iter().collect();
        Self {
            id,
            observer: !voters.contains(id),
            quorums: Quorums::of(Verifier::Majority { voters }),
            version: 0,
            standalone: false,
            opening_txn: false,
            oracle: false,
            window: 500,
            counter_limit: u32::MAX,
            epoch_jump: 1 << 20,
            timing: Timing::default(),
        }
    }
}

/// What never changes while a peer lives. No part of its state: all are equal
/// and hash to nothing, which keeps the checker's states small.
#[derive(Clone)]
pub(crate) struct Constant(Arc<Config>);

impl Constant {
    pub(crate) fn new(config: Config) -> Self {
        Self(Arc::new(config))
    }
}

impl core::ops::Deref for Constant {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.0
    }
}

impl PartialEq for Constant {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Constant {}

impl PartialOrd for Constant {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Constant {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl Hash for Constant {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl core::fmt::Debug for Constant {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("..")
    }
}

/// What the host recovered from disk, all of it durable again (a recovered log
/// was synced before this: spec QP-DEF-30).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Durable<T> {
    /// The `acceptedEpoch` file.
    pub accepted: Epoch,
    /// The `currentEpoch` file.
    pub current: Epoch,
    /// The directory holds a history, or is known to belong to a first start
    /// (`initialize`, `db.autocreate=true` in the configuration). False: the
    /// empty directory of a server that may have lost what it had (spec: DF-REC-05).
    pub trusted: bool,
    /// The oldest zxid that a truncation can restore: the oldest usable snapshot.
    pub floor: Zxid,
    /// The zxid before the first entry of `log`.
    pub base: Zxid,
    /// The newest entries of the log, in order: all of it, or the last
    /// `Config::window` and more. What lies before a gap is not served to others.
    pub log: Vec<Proposal<T>>,
}

impl<T> Durable<T> {
    /// A first start.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            accepted: Epoch::ZERO,
            current: Epoch::ZERO,
            trusted: true,
            floor: Zxid::ZERO,
            base: Zxid::ZERO,
            log: Vec::new(),
        }
    }

    /// A directory with nothing in it, which may once have held something.
    #[must_use]
    pub fn wiped() -> Self {
        Self {
            trusted: false,
            ..Self::empty()
        }
    }

    /// The last logged zxid.
    #[must_use]
    pub fn last(&self) -> Zxid {
        self.log.last().map_or(self.base, |entry| entry.zxid)
    }
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), RestoreError> {
        let voters = self.quorums.voters();
        if voters.is_empty() || (self.standalone && voters.len() != 1) {
            return Err(RestoreError::NoVoters);
        }
        // spec: QP-CFG-01. The id is the top byte of session ids.
        if !(0..=254).contains(&self.id.0) {
            return Err(RestoreError::Id(self.id));
        }
        if self.observer && voters.contains(self.id) {
            return Err(RestoreError::Observer(self.id));
        }
        Ok(())
    }
}

impl<T> Durable<T> {
    pub(crate) fn check(&self, standalone: bool) -> Result<(), RestoreError> {
        let (accepted, current, last) = (self.accepted, self.current, self.last());
        let mut before = self.base;
        for entry in &self.log {
            if entry.zxid <= before {
                return Err(RestoreError::Order {
                    before,
                    after: entry.zxid,
                });
            }
            before = entry.zxid;
        }
        // spec: DF-EPO-03, DF-EPO-07. An epoch of the log above the current
        // one is repaired, above the accepted one it cannot be ours.
        let promised = current <= accepted && last.epoch() <= accepted;
        if standalone || promised {
            Ok(())
        } else {
            Err(RestoreError::Epochs {
                accepted,
                current,
                last,
            })
        }
    }
}

/// Why a peer cannot start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RestoreError {
    /// Nobody votes, or the standalone server is not its only voter.
    #[error("the configuration has no voters")]
    NoVoters,
    /// Ids of members are 0 to 254 (spec: QP-CFG-01).
    #[error("server id {0} is out of range")]
    Id(ServerId),
    /// A voter is marked as observer, or the other way round.
    #[error("server {0} is configured both as voter and as observer")]
    Observer(ServerId),
    /// The epoch files contradict each other or the log (spec: DF-EPO-03, DF-EPO-07).
    #[error("accepted epoch {accepted}, current epoch {current} and last zxid {last} cannot be")]
    Epochs {
        /// `acceptedEpoch`.
        accepted: Epoch,
        /// `currentEpoch`.
        current: Epoch,
        /// Last logged zxid.
        last: Zxid,
    },
    /// The log given does not rise.
    #[error("the log goes from {before} to {after}")]
    Order {
        /// The last entry in order.
        before: Zxid,
        /// The one that does not follow.
        after: Zxid,
    },
}
