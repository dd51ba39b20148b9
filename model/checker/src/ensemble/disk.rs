//! A server's disk: what a crash is sure to leave, and the ordered queue of writes that are on their way.

use std::collections::VecDeque;

use zab::{Durable, Epoch, Proposal, Write, WriteId, Zxid};
use zab_properties::tree::{Tree, beyond, covered};
use zab_properties::{Fact, Ghosts, IdSet, Txn};

/// One write in the queue. A snapshot's content, all that it shows, was chosen when its installation was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Queued {
    pub(super) id: WriteId,
    pub(super) write: Write<u8>,
    pub(super) content: Vec<Txn<u8>>,
    /// The role that asked for it has ended.
    pub(super) stale: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) accepted: Epoch,
    pub(super) current: Epoch,
    /// From the first transaction on; those below `snapshot` are in a snapshot.
    pub(super) history: Vec<Txn<u8>>,
    /// How many transactions the newest snapshot covers.
    pub(super) snapshot: usize,
    /// What that snapshot shows beyond them.
    pub(super) beyond: Vec<Txn<u8>>,
    /// False while the directory is empty and nobody vouches for it (spec: DF-REC-05).
    pub(super) trusted: bool,
    pub(super) queue: VecDeque<Queued>,
}

impl Disk {
    pub(super) fn empty() -> Self {
        Self {
            accepted: Epoch::ZERO,
            current: Epoch::ZERO,
            history: Vec::new(),
            snapshot: 0,
            beyond: Vec::new(),
            trusted: true,
            queue: VecDeque::new(),
        }
    }

    /// The history once the queue is done.
    pub(super) fn issued(&self) -> Vec<Txn<u8>> {
        let mut history = self.history.clone();
        for queued in &self.queue {
            write_history(&mut history, queued);
        }
        history
    }

    /// Does the oldest write.
    pub(super) fn write_one(&mut self) -> Option<Queued> {
        let queued = self.queue.pop_front()?;
        match &queued.write {
            Write::AcceptedEpoch(epoch) => self.accepted = *epoch,
            Write::CurrentEpoch(epoch) => self.current = *epoch,
            Write::Append(_) | Write::Truncate { .. } => {}
            Write::Install { snapshot } => {
                self.snapshot = covered(*snapshot, &queued.content).len();
                self.beyond = beyond(*snapshot, &queued.content);
                self.trusted = true;
            }
        }
        write_history(&mut self.history, &queued);
        self.snapshot = self.snapshot.min(self.history.len());
        Some(queued)
    }

    /// The tree that a restart loads.
    pub(super) fn tree(&self) -> Tree<u8> {
        let last = self.history.last().map_or(Zxid::ZERO, |txn| txn.zxid);
        Tree::started(last, self.beyond.clone())
    }

    /// What a restart recovers.
    pub(super) fn recover(&self) -> Durable<u8> {
        let base = self.history[..self.snapshot]
            .last()
            .map_or(Zxid::ZERO, |txn| txn.zxid);
        Durable {
            accepted: self.accepted,
            current: self.current,
            trusted: self.trusted,
            floor: base,
            base,
            log: self.history[self.snapshot..].iter().map(proposal).collect(),
        }
    }
}

/// The histories of two epochs' past: a leader of epoch 1 has proposed two txns, the first of which every server holds,
/// and epoch 2 was adopted by some server without another one.
fn first_txns() -> [Txn<u8>; 2] {
    [1, 2].map(|counter| Txn {
        zxid: Zxid::new(Epoch(1), counter),
        value: 100 + counter as u8,
    })
}

/// What can be on a disk after that: each combination beats another by epoch, by zxid, or by id alone.
fn first_disk(current: Epoch, txns: usize) -> Disk {
    Disk {
        accepted: Epoch(2),
        current,
        history: first_txns()[..txns].to_vec(),
        ..Disk::empty()
    }
}

/// All ways to hand these out to so many servers.
pub(super) fn first_disks(servers: usize) -> Vec<Vec<Disk>> {
    let kinds = [
        first_disk(Epoch(1), 1),
        first_disk(Epoch(1), 2),
        first_disk(Epoch(2), 1),
    ];
    (0..servers).fold(vec![Vec::new()], |all, _| {
        let longer = all.iter().flat_map(|disks| {
            kinds.iter().map(|disk| {
                let mut disks = disks.clone();
                disks.push(disk.clone());
                disks
            })
        });
        longer.collect()
    })
}

/// What has happened before: epoch 1 was established with nothing, and those txns were made.
pub(super) fn first_ghosts() -> Ghosts<u8> {
    let mut ghosts = Ghosts::default();
    let established = Fact::Established {
        server: super::server::id_of(0),
        epoch: Epoch(1),
        initial: &[],
    };
    ghosts.record(&established, IdSet::default());
    for txn in &first_txns() {
        let made = Fact::Created {
            server: super::server::id_of(0),
            epoch: Epoch(1),
            txn,
            delivered: &[],
        };
        ghosts.record(&made, IdSet::default());
    }
    ghosts
}

fn write_history(history: &mut Vec<Txn<u8>>, queued: &Queued) {
    match &queued.write {
        Write::AcceptedEpoch(_) | Write::CurrentEpoch(_) => {}
        Write::Append(proposal) => history.push(txn(proposal)),
        Write::Truncate { after } => history.retain(|txn| txn.zxid <= *after),
        Write::Install { snapshot } => *history = covered(*snapshot, &queued.content),
    }
}

pub(super) fn txn(proposal: &Proposal<u8>) -> Txn<u8> {
    Txn {
        zxid: proposal.zxid,
        value: proposal.txn,
    }
}

fn proposal(txn: &Txn<u8>) -> Proposal<u8> {
    Proposal {
        zxid: txn.zxid,
        txn: txn.value,
    }
}
