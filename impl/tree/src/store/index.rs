//! Finds a child by its parent and name: the only index over names.

use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};

use hashbrown::{DefaultHashBuilder, HashTable};

use super::node::NodeId;
use super::slab::Slab;

/// A table grows by moving all that it holds; so many of them keep that short: a thousandth of the tree at a time.
const SHARDS: usize = 1024;
/// hashbrown spends the lowest bits on the bucket and the highest seven on the tag; these are between.
const SHARD_SHIFT: u32 = 40;

#[derive(Debug)]
pub(crate) struct Index {
    shards: Vec<HashTable<NodeId>>,
    /// Seeded: names come from clients.
    hasher: DefaultHashBuilder,
}

impl Default for Index {
    fn default() -> Self {
        let mut shards = Vec::new();
        shards.resize_with(SHARDS, HashTable::new);
        Self {
            shards,
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl Index {
    pub(crate) fn find(&self, slab: &Slab, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let hash = self.hash(parent, name);
        let found = self.shards[shard(hash)].find(hash, |&id| {
            let node = slab.node(id);
            node.parent == parent && node.name() == name
        });
        found.copied()
    }

    /// Adds `id`, whose parent and name are set and not in the index.
    pub(crate) fn insert(&mut self, slab: &Slab, id: NodeId) {
        let Self { shards, hasher } = self;
        let hash_of = |id: &NodeId| {
            let node = slab.node(*id);
            hash(hasher, node.parent, node.name())
        };
        let own = hash_of(&id);
        shards[shard(own)].insert_unique(own, id, hash_of);
    }

    /// Removes `id`, whose parent and name are still set.
    pub(crate) fn remove(&mut self, slab: &Slab, id: NodeId) {
        let node = slab.node(id);
        let hash = self.hash(node.parent, node.name());
        if let Ok(entry) = self.shards[shard(hash)].find_entry(hash, |&other| other == id) {
            entry.remove();
        }
    }

    fn hash(&self, parent: NodeId, name: &[u8]) -> u64 {
        hash(&self.hasher, parent, name)
    }
}

fn hash(hasher: &DefaultHashBuilder, parent: NodeId, name: &[u8]) -> u64 {
    let mut state = hasher.build_hasher();
    state.write_u32(parent);
    state.write(name);
    state.finish()
}

fn shard(hash: u64) -> usize {
    (hash >> SHARD_SHIFT) as usize % SHARDS
}
