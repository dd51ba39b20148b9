//! History variables: written by the host, read by properties, never by a server.
//!
//! They are kept minimal and canonical (sorted, no duplicates), so that two paths that differ in irrelevant history
//! only end in equal states.

use alloc::vec::Vec;

use zab::{Epoch, ServerId};

use crate::{Fact, IdSet, Invariant, Txn, Value, View};

/// What one leader of one epoch has broadcast, in the order of its creation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Primary<T> {
    pub epoch: Epoch,
    pub server: ServerId,
    pub txns: Vec<Txn<T>>,
    /// How many transactions of earlier epochs it had delivered before its first one.
    pub delivered_before: usize,
}

/// A leader that a quorum has acknowledged as leader of an epoch, with the history that the epoch starts from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Established<T> {
    pub epoch: Epoch,
    pub leader: ServerId,
    pub initial: Vec<Txn<T>>,
}

/// The ghost variables of zab-model section 3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ghosts<T> {
    pub primaries: Vec<Primary<T>>,
    /// The longest sequence that any server has ever delivered.
    pub decided: Vec<Txn<T>>,
    pub established: Vec<Established<T>>,
    /// Transactions whose success a client was told, by zxid.
    pub acked: Vec<Txn<T>>,
    /// Promises that are not on the disk of the server that gave them: who, which epoch, to which leader.
    pub promised: Vec<(ServerId, Epoch, ServerId)>,
    /// Step properties that some step has violated.
    pub broken: IdSet,
}

impl<T> Default for Ghosts<T> {
    fn default() -> Self {
        Self {
            primaries: Vec::new(),
            decided: Vec::new(),
            established: Vec::new(),
            acked: Vec::new(),
            promised: Vec::new(),
            broken: IdSet::default(),
        }
    }
}

impl<T: Value> Ghosts<T> {
    /// Writes a fact into the history, with the step properties that it broke ([`broken_by`]).
    pub fn record(&mut self, fact: &Fact<'_, T>, broken: IdSet) {
        self.broken = self.broken.union(broken);
        match fact {
            Fact::Created {
                server,
                epoch,
                txn,
                delivered,
            } => self.create(*server, *epoch, txn, delivered),
            Fact::Delivered { txn, index, .. } => {
                if *index == self.decided.len() {
                    self.decided.push((*txn).clone());
                }
            }
            Fact::Acked { txn } => insert(&mut self.acked, (*txn).clone()),
            Fact::Established {
                server,
                epoch,
                initial,
            } => {
                let established = Established {
                    epoch: *epoch,
                    leader: *server,
                    initial: initial.to_vec(),
                };
                insert(&mut self.established, established);
            }
            Fact::Promised {
                server,
                leader,
                epoch,
                on_disk,
            } => {
                if on_disk < epoch {
                    self.promised.retain(|(id, ..)| id != server);
                    insert(&mut self.promised, (*server, *epoch, *leader));
                }
            }
            Fact::EpochsWritten {
                server, accepted, ..
            } => {
                self.promised
                    .retain(|(id, epoch, _)| id != server || epoch >= accepted);
            }
            Fact::Wiped { server } => self.promised.retain(|(id, ..)| id != server),
            Fact::Opened { .. }
            | Fact::Adopted { .. }
            | Fact::LogAcked { .. }
            | Fact::NewLeaderAcked { .. }
            | Fact::Reported { .. }
            | Fact::Removed { .. }
            | Fact::SyncStarts { .. }
            | Fact::StaleInput { .. }
            | Fact::Confirmed { .. }
            | Fact::Fault => {}
        }
    }

    fn create(&mut self, server: ServerId, epoch: Epoch, txn: &Txn<T>, delivered: &[Txn<T>]) {
        let known = self
            .primaries
            .iter_mut()
            .find(|primary| primary.epoch == epoch && primary.server == server);
        if let Some(primary) = known {
            primary.txns.push(txn.clone());
            return;
        }
        let delivered_before = delivered
            .iter()
            .filter(|it| it.zxid.epoch() < epoch)
            .count();
        let primary = Primary {
            epoch,
            server,
            txns: alloc::vec![txn.clone()],
            delivered_before,
        };
        insert(&mut self.primaries, primary);
    }
}

/// The step properties that a fact breaks, by number. `view` shows servers and history as the fact found them.
pub fn broken_by<T: Value>(
    invariants: &[Invariant<T>],
    view: &View<'_, T>,
    fact: &Fact<'_, T>,
) -> IdSet {
    let broken = invariants
        .iter()
        .filter(|invariant| invariant.step.is_some_and(|holds| !holds(view, fact)));
    broken.map(|invariant| invariant.number).collect()
}

fn insert<I: Ord>(sorted: &mut Vec<I>, item: I) {
    if let Err(place) = sorted.binary_search(&item) {
        sorted.insert(place, item);
    }
}
