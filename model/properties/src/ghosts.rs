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
    /// Promises that are not on the disk of the server that gave them.
    pub promised: Vec<(ServerId, Epoch)>,
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
    /// Judges one fact by every step property, then writes it into the history.
    ///
    /// `view` shows the servers as the fact found them. Its ghosts must be a copy of these, since the properties
    /// compare the fact with the history before it.
    pub fn observe(&mut self, invariants: &[Invariant<T>], view: &View<'_, T>, fact: &Fact<'_, T>) {
        for invariant in invariants {
            if invariant.step.is_some_and(|holds| !holds(view, fact)) {
                self.broken.insert(invariant.number);
            }
        }
        self.record(view, fact);
    }

    fn record(&mut self, view: &View<'_, T>, fact: &Fact<'_, T>) {
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
            } => insert(
                &mut self.established,
                Established {
                    epoch: *epoch,
                    leader: *server,
                    initial: initial.to_vec(),
                },
            ),
            Fact::Promised { server, epoch } => {
                if view.server(*server).is_some_and(|it| it.accepted < *epoch) {
                    self.promised.retain(|(id, _)| id != server);
                    insert(&mut self.promised, (*server, *epoch));
                }
            }
            Fact::EpochsWritten {
                server, accepted, ..
            } => {
                self.promised
                    .retain(|(id, epoch)| id != server || epoch > accepted);
            }
            Fact::Wiped { server } => self.promised.retain(|(id, _)| id != server),
            Fact::Adopted { .. }
            | Fact::LogAcked { .. }
            | Fact::NewLeaderAcked { .. }
            | Fact::Reported { .. }
            | Fact::Removed { .. }
            | Fact::SyncStarts { .. }
            | Fact::StaleInput { .. }
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

    /// The same history with other names for the servers.
    pub fn renamed(&self, name: impl Fn(ServerId) -> ServerId) -> Self {
        let mut copy = self.clone();
        for primary in &mut copy.primaries {
            primary.server = name(primary.server);
        }
        for established in &mut copy.established {
            established.leader = name(established.leader);
        }
        for (server, _) in &mut copy.promised {
            *server = name(*server);
        }
        copy.primaries.sort();
        copy.established.sort();
        copy.promised.sort();
        copy
    }
}

fn insert<I: Ord>(sorted: &mut Vec<I>, item: I) {
    if let Err(place) = sorted.binary_search(&item) {
        sorted.insert(place, item);
    }
}
