//! Who owns a znode: each distinct `ephemeralOwner` once, with the znodes that have it. This one table answers
//! which ephemerals a session has, which containers there are, and which znodes have a time to live.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::node::NodeId;

/// The owner of a persistent znode.
pub(crate) const NOBODY: u32 = 0;

#[derive(Debug)]
pub(crate) struct Owners {
    entries: Vec<Owner>,
    by_value: BTreeMap<i64, u32>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Owner {
    value: i64,
    /// Ordered, so that whatever comes of walking them is the same in every run. Empty for [`NOBODY`].
    nodes: BTreeSet<NodeId>,
    /// Sum of the lengths of the znodes' paths, bytes.
    path_bytes: usize,
}

impl Default for Owners {
    fn default() -> Self {
        Self {
            entries: alloc::vec![Owner::default()],
            by_value: BTreeMap::new(),
            free: Vec::new(),
        }
    }
}

impl Owners {
    /// The `ephemeralOwner` of a slot.
    pub(crate) fn value(&self, slot: u32) -> i64 {
        self.entries[slot as usize].value
    }

    /// Records that `value` owns `node`; returns the slot for the znode to keep.
    pub(crate) fn add(&mut self, value: i64, node: NodeId, path_len: usize) -> u32 {
        if value == 0 {
            return NOBODY;
        }
        let slot = self
            .by_value
            .get(&value)
            .copied()
            .unwrap_or_else(|| self.open(value));
        let owner = &mut self.entries[slot as usize];
        owner.nodes.insert(node);
        owner.path_bytes += path_len;
        slot
    }

    /// Forgets a znode; the slot is free once it was the last one.
    pub(crate) fn remove(&mut self, slot: u32, node: NodeId, path_len: usize) {
        if slot == NOBODY {
            return;
        }
        let owner = &mut self.entries[slot as usize];
        owner.nodes.remove(&node);
        owner.path_bytes -= path_len;
        if owner.nodes.is_empty() {
            self.by_value.remove(&owner.value);
            self.free.push(slot);
        }
    }

    /// The znodes of one owner.
    pub(crate) fn nodes(&self, value: i64) -> impl Iterator<Item = NodeId> + '_ {
        let slot = self.by_value.get(&value);
        slot.into_iter()
            .flat_map(|slot| self.entries[*slot as usize].nodes.iter().copied())
    }

    /// Number of znodes of one owner, and the sum of their paths' lengths.
    pub(crate) fn totals(&self, value: i64) -> (usize, usize) {
        self.by_value.get(&value).map_or((0, 0), |slot| {
            let owner = &self.entries[*slot as usize];
            (owner.nodes.len(), owner.path_bytes)
        })
    }

    /// Every owner with its number of znodes, in order of their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, usize)> + '_ {
        self.by_value
            .iter()
            .map(|(value, slot)| (*value, self.entries[*slot as usize].nodes.len()))
    }

    fn open(&mut self, value: i64) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.entries.push(Owner::default());
            (self.entries.len() - 1) as u32
        });
        self.entries[slot as usize].value = value;
        self.by_value.insert(value, slot);
        slot
    }
}
