//! What a server's tree shows: kept by the host beside its histories, as the core's contract says.

use alloc::vec::Vec;

use zab::Zxid;

use crate::{Txn, Value};

/// The tree of one server. Its history may lack what the tree shows: a snapshot's zxid says from where on the log is
/// applied over it, not what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tree<T> {
    /// It shows its server's history up to here.
    through: Zxid,
    /// And these, which the snapshot that it was loaded from shows beyond its zxid.
    beyond: Vec<Txn<T>>,
}

impl<T> Default for Tree<T> {
    fn default() -> Self {
        Self {
            through: Zxid::ZERO,
            beyond: Vec::new(),
        }
    }
}

impl<T: Value> Tree<T> {
    /// A start: the newest snapshot, which shows `beyond` beyond its zxid, and the log to its end at `last`.
    pub fn started(last: Zxid, beyond: Vec<Txn<T>>) -> Self {
        Self {
            through: last,
            beyond,
        }
    }

    /// A transaction was delivered, and applied if the tree did not show it.
    pub fn deliver(&mut self, zxid: Zxid) {
        self.through = self.through.max(zxid);
    }

    /// The log was cut, and the tree loaded again: the same snapshot, and the log to its end.
    pub fn truncate(&mut self, after: Zxid) {
        self.through = after;
    }

    /// A leader's stream took the place of all that was here.
    pub fn install(&mut self, snapshot: Zxid, image: &[Txn<T>]) {
        self.through = snapshot;
        self.beyond = beyond(snapshot, image);
    }

    /// What a stream of the tree holds, in order. What is delivered while it is sent is left out: it is committed.
    pub fn image(&self, history: &[Txn<T>]) -> Vec<Txn<T>> {
        let within = history.iter().filter(|txn| txn.zxid <= self.through);
        let mut image: Vec<_> = within.chain(&self.beyond).cloned().collect();
        image.sort();
        image.dedup();
        image
    }

    /// What it shows beyond the zxid of the snapshot that it was loaded from.
    pub fn beyond(&self) -> &[Txn<T>] {
        &self.beyond
    }
}

/// The history that an installed snapshot stands for.
pub fn covered<T: Value>(snapshot: Zxid, image: &[Txn<T>]) -> Vec<Txn<T>> {
    let within = image.iter().filter(|txn| txn.zxid <= snapshot);
    within.cloned().collect()
}

/// What an installed snapshot shows beyond its zxid.
pub fn beyond<T: Value>(snapshot: Zxid, image: &[Txn<T>]) -> Vec<Txn<T>> {
    let rest = image.iter().filter(|txn| txn.zxid > snapshot);
    rest.cloned().collect()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use zab::Epoch;

    use super::*;

    fn txn(counter: u32) -> Txn<u8> {
        let zxid = Zxid::new(Epoch(1), counter);
        Txn { zxid, value: 0 }
    }

    // spec: QP-SYN-11, QP-SYN-12, QP-DEF-25.
    #[test]
    fn a_cut_takes_back_what_the_log_brought_and_not_what_a_snapshot_shows() {
        let history: Vec<_> = (1..=4).map(txn).collect();
        let mut tree = Tree::started(txn(4).zxid, vec![]);
        assert_eq!(tree.image(&history), history);
        tree.truncate(txn(2).zxid);
        assert_eq!(tree.image(&history[..2]), history[..2]);
        tree.deliver(txn(1).zxid);
        tree.deliver(txn(3).zxid);
        assert_eq!(tree.image(&history), history[..3]);
        assert!(tree.beyond().is_empty());
        tree.install(txn(2).zxid, &history);
        assert_eq!(covered(txn(2).zxid, &history), history[..2]);
        assert_eq!(tree.beyond(), &history[2..]);
        tree.truncate(txn(2).zxid);
        assert_eq!(tree.image(&history[..2]), history);
        let again = Tree::started(txn(2).zxid, beyond(txn(2).zxid, &history));
        assert_eq!(again, tree);
    }
}
