//! Finds a child by its parent and name: the only index over names.

use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};

use hashbrown::DefaultHashBuilder;

use super::node::NodeId;
use super::slab::Slab;
use super::table::Table;

/// A table grows by moving all that it holds; so many of them keep that short.
const SHARDS: usize = 256;
/// Tables use the lower half of the hash.
const SHARD_SHIFT: u32 = 32;

#[derive(Debug)]
pub(crate) struct Index {
    shards: Vec<Table>,
    /// Seeded: names come from clients.
    hasher: DefaultHashBuilder,
}

impl Default for Index {
    fn default() -> Self {
        let mut shards = Vec::new();
        shards.resize_with(SHARDS, Table::default);
        Self {
            shards,
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl Index {
    pub(crate) fn find(&self, slab: &Slab, parent: NodeId, name: &[u8]) -> Option<NodeId> {
        let hash = self.hash(parent, name);
        self.shards[shard(hash)].find(hash, |id| {
            let node = slab.node(id);
            node.parent == parent && node.name() == name
        })
    }

    /// Adds `id`, whose parent and name are set and not in the index.
    pub(crate) fn insert(&mut self, slab: &Slab, id: NodeId) {
        let node = slab.node(id);
        let hash = self.hash(node.parent, node.name());
        self.shards[shard(hash)].insert(hash, id);
    }

    /// Removes `id`, whose parent and name are still set.
    pub(crate) fn remove(&mut self, slab: &Slab, id: NodeId) {
        let node = slab.node(id);
        let hash = self.hash(node.parent, node.name());
        self.shards[shard(hash)].remove(hash, id);
    }

    fn hash(&self, parent: NodeId, name: &[u8]) -> u64 {
        let mut state = self.hasher.build_hasher();
        state.write_u32(parent);
        state.write(name);
        state.finish()
    }
}

fn shard(hash: u64) -> usize {
    (hash >> SHARD_SHIFT) as usize % SHARDS
}
