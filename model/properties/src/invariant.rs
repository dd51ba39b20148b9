//! The form of a property, and the facts that step properties judge.

use zab::{Epoch, ServerId, Zxid};

use crate::{Txn, View};

/// Judges a state.
pub type StateCheck<T> = fn(&View<'_, T>) -> bool;
/// Judges a step.
pub type StepCheck<T> = fn(&View<'_, T>, &Fact<'_, T>) -> bool;

/// A named property. It holds when neither of its parts says otherwise.
#[derive(Clone, Copy)]
pub struct Invariant<T: 'static> {
    /// 14 for S14.
    pub number: u8,
    pub id: &'static str,
    pub name: &'static str,
    pub statement: &'static str,
    /// True in every state.
    pub state: Option<StateCheck<T>>,
    /// True of every step; the host keeps the answer in [`crate::Ghosts::broken`].
    pub step: Option<StepCheck<T>>,
}

/// A set of property numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdSet(u64);

impl IdSet {
    pub const ALL: Self = Self(u64::MAX);

    pub fn insert(&mut self, number: u8) {
        self.0 |= 1 << number;
    }

    pub fn contains(self, number: u8) -> bool {
        self.0 & (1 << number) != 0
    }

    #[must_use]
    pub fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |number| self.contains(*number))
    }

    pub fn bits(self) -> u64 {
        self.0
    }

    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
}

impl FromIterator<u8> for IdSet {
    fn from_iter<I: IntoIterator<Item = u8>>(numbers: I) -> Self {
        let mut set = Self::default();
        for number in numbers {
            set.insert(number);
        }
        set
    }
}

/// Why transactions left a durable history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    Truncated,
    Replaced,
    Crashed,
}

/// Something that happened in a step, as far as a property judges steps.
#[derive(Clone, Debug)]
pub enum Fact<'a, T> {
    /// A leader of `epoch` made a transaction, having delivered `delivered` before.
    Created {
        server: ServerId,
        epoch: Epoch,
        txn: &'a Txn<T>,
        delivered: &'a [Txn<T>],
    },
    /// A server delivered `txn`, its `index`-th since the beginning of the history.
    Delivered {
        server: ServerId,
        txn: &'a Txn<T>,
        index: usize,
    },
    /// A client was told that `txn` succeeded.
    Acked { txn: &'a Txn<T> },
    /// A leader learned that a quorum has adopted its epoch.
    Established {
        server: ServerId,
        epoch: Epoch,
        initial: &'a [Txn<T>],
    },
    /// A leader begins to serve clients, who see what it has delivered.
    Opened {
        server: ServerId,
        delivered: &'a [Txn<T>],
    },
    /// A follower sent ACKEPOCH, or a leader LEADERINFO, for `leader`'s `epoch`, with `on_disk` as its durable accepted
    /// epoch.
    Promised {
        server: ServerId,
        leader: ServerId,
        epoch: Epoch,
        on_disk: Epoch,
    },
    /// A follower took part in the epoch of its leader: current epoch written, NEWLEADER acknowledged, or what the leader
    /// proposed logged.
    Adopted { server: ServerId, epoch: Epoch },
    /// An epoch file changed on disk: both values before and after.
    EpochsWritten {
        server: ServerId,
        accepted_before: Epoch,
        current_before: Epoch,
        accepted: Epoch,
        current: Epoch,
    },
    /// An ACK of a proposal left the server (or a leader counted its own).
    LogAcked { server: ServerId, zxid: Zxid },
    /// An ACK of NEWLEADER left the server (or a leader counted its own).
    NewLeaderAcked { server: ServerId, epoch: Epoch },
    /// ACKEPOCH named this last zxid.
    Reported { server: ServerId, last: Zxid },
    /// Transactions left the durable history of a server.
    Removed {
        server: ServerId,
        txns: &'a [Txn<T>],
        why: Removal,
    },
    /// A DIFF or TRUNC took effect: the sync goes on after `after`, in the learner's issued history.
    SyncStarts { server: ServerId, after: Zxid },
    /// A frame of a forgotten link or a completion of a forgotten write reached a server and changed it.
    StaleInput { server: ServerId },
    /// A server answered a sync. When it was asked, `established` was the latest epoch established, and clients had been
    /// told that `acked` succeeded.
    Confirmed {
        server: ServerId,
        established: Epoch,
        acked: &'a [Txn<T>],
    },
    /// The core reported that an invariant of its own is broken, or panicked.
    Fault,
    /// A data directory was emptied by its operator.
    Wiped { server: ServerId },
}
