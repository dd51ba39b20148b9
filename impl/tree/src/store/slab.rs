//! All znodes, in chunks of fixed size: growing never moves them, and an id costs four bytes.

use alloc::vec::Vec;

use super::node::{Node, NodeId};

const CHUNK_BITS: u32 = 10;
const CHUNK: usize = 1 << CHUNK_BITS;

#[derive(Debug, Default)]
pub(crate) struct Slab {
    chunks: Vec<Vec<Node>>,
    free: Vec<NodeId>,
    used: usize,
}

impl Slab {
    /// Number of znodes.
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// One more than the greatest id ever used.
    pub(crate) fn end(&self) -> NodeId {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        (full + self.chunks.last().map_or(0, Vec::len)) as NodeId
    }

    /// The znode `id`, which must be one. Ids come from this slab and die with their znode, so a miss is a bug here.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.chunks[(id >> CHUNK_BITS) as usize][id as usize % CHUNK]
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.chunks[(id >> CHUNK_BITS) as usize][id as usize % CHUNK]
    }

    pub(crate) fn insert(&mut self, node: Node) -> NodeId {
        self.used += 1;
        if let Some(id) = self.free.pop() {
            *self.node_mut(id) = node;
            return id;
        }
        let id = self.end();
        match self.chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push(node),
            Some(_) | None => {
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(node);
                self.chunks.push(chunk);
            }
        }
        id
    }

    pub(crate) fn remove(&mut self, id: NodeId) -> Node {
        self.used -= 1;
        self.free.push(id);
        core::mem::replace(self.node_mut(id), Node::vacant())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zk_proto::StatPersisted;

    #[test]
    fn ids_are_dense_and_used_again() {
        let mut slab = Slab::default();
        let node = |name: &str| Node::new(name.as_bytes(), None, &StatPersisted::default());
        for n in 0..3000u32 {
            assert_eq!(slab.insert(node(&alloc::format!("{n}"))), n);
        }
        assert_eq!(slab.remove(2048).name(), b"2048");
        assert!(slab.node(2048).is_vacant());
        assert_eq!((slab.len(), slab.end()), (2999, 3000));
        assert_eq!(slab.insert(node("again")), 2048);
        assert_eq!(slab.node(2048).name(), b"again");
        assert_eq!(slab.node(2999).name(), b"2999");
    }
}
