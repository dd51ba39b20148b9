//! What the properties see of an ensemble at one moment.

use core::fmt::Debug;
use core::hash::Hash;

use zab::{Epoch, ServerId, Zxid};

use crate::Ghosts;

/// A payload that properties can compare. Only equality matters; the order keeps ghosts canonical.
pub trait Value: Clone + Debug + Eq + Ord + Hash {}

impl<T: Clone + Debug + Eq + Ord + Hash> Value for T {}

/// A transaction as the properties see it: its place in the order and its content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Txn<T> {
    pub zxid: Zxid,
    pub value: T,
}

/// What a server takes itself for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Looking,
    Following(ServerId),
    Leading,
    Observing(ServerId),
}

/// How far a server is within its role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    Election,
    Discovery,
    Synchronization,
    Broadcast,
}

/// One server. Slices are borrowed from the host; all histories start at the first transaction ever, so a snapshot
/// counts as the transactions that it covers.
#[derive(Clone, Debug)]
pub struct ServerView<'a, T> {
    pub id: ServerId,
    pub up: bool,
    pub role: Role,
    pub phase: Phase,
    /// The epoch that the present role works in, once it is known.
    pub epoch: Option<Epoch>,
    /// Durable accepted epoch: the last one promised.
    pub accepted: Epoch,
    /// Durable current epoch: the last one whose history was adopted.
    pub current: Epoch,
    /// The history as it will be when every write asked for has reached the disk.
    pub issued: &'a [Txn<T>],
    /// The history that a crash at this moment is sure to leave.
    pub durable: &'a [Txn<T>],
    /// What was applied in this incarnation, a loaded snapshot included.
    pub delivered: &'a [Txn<T>],
    /// What its tree shows beyond the zxid of the snapshot that it was loaded from (`tree::Tree`).
    pub beyond: &'a [Txn<T>],
    /// Whether the transactions that it keeps in memory for DIFF are the end of `issued`, none left out.
    pub cache_is_whole: bool,
    /// Its data directory was wiped and no leader has synchronised it since. Such a server abstains (DF-REC-05).
    pub wiped: bool,
}

impl<T> ServerView<'_, T> {
    /// Whether it leads and its epoch is beyond discovery.
    pub fn leads(&self) -> bool {
        self.up && self.role == Role::Leading && self.phase >= Phase::Synchronization
    }

    /// The epoch that it takes part in: the role's epoch once that is also the adopted one.
    pub fn participates(&self) -> Option<Epoch> {
        if self.up && self.role != Role::Looking && self.epoch == Some(self.current) {
            self.epoch
        } else {
            None
        }
    }
}

/// The ensemble at one moment.
pub struct View<'a, T> {
    pub servers: &'a [ServerView<'a, T>],
    pub ghosts: &'a Ghosts<T>,
    /// Whether the servers of this bit set (bit k for `servers[k]`) form a quorum.
    pub quorum: &'a dyn Fn(u32) -> bool,
}

impl<T: Value> View<'_, T> {
    /// Whether the servers chosen by `pick` form a quorum.
    pub fn quorum_of(&self, pick: impl Fn(&ServerView<'_, T>) -> bool) -> bool {
        let mut mask = 0;
        for (index, server) in self.servers.iter().enumerate() {
            if pick(server) {
                mask |= 1 << index;
            }
        }
        (self.quorum)(mask)
    }

    /// Whether a history is safe on disks: a quorum holds it, where a wiped server counts as holding what it held.
    /// It cannot vote before a leader has synchronised it, so no quorum that elects is made of such servers alone.
    pub fn held_by_quorum(&self, history: &[Txn<T>]) -> bool {
        self.quorum_of(|server| server.wiped || is_prefix(history, server.durable))
    }

    /// The server with this id.
    pub fn server(&self, id: ServerId) -> Option<&ServerView<'_, T>> {
        self.servers.iter().find(|server| server.id == id)
    }
}

/// Whether `a` is a prefix of `b`.
pub fn is_prefix<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    b.starts_with(a)
}

/// Where a history holds a transaction; `sorted` says that the history is, which makes long ones quick to search.
pub(crate) fn find<T: Ord>(history: &[T], sorted: bool, txn: &T) -> Option<usize> {
    if sorted {
        history.binary_search(txn).ok()
    } else {
        history.iter().position(|it| it == txn)
    }
}

/// Whether `history` holds all of these, in their order.
pub(crate) fn holds_in_order<T: PartialEq>(history: &[T], txns: &[T]) -> bool {
    let mut rest = history.iter();
    txns.iter().all(|txn| rest.any(|it| it == txn))
}

/// Whether one of both is a prefix of the other.
pub fn related<T: PartialEq>(a: &[T], b: &[T]) -> bool {
    let common = a.len().min(b.len());
    a[..common] == b[..common]
}
