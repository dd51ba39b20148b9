//! One znode in memory: 112 bytes, and one heap block for its data.

use alloc::boxed::Box;
use alloc::vec::Vec;

use zk_proto::StatPersisted;

/// Index of a znode in its [`Slab`](super::slab::Slab). Ids of deleted znodes are used again.
pub(crate) type NodeId = u32;

/// Names up to this length need no memory of their own.
const INLINE: usize = 15;
/// The name stands in front of the data, after its length.
const SPILLED: u8 = 0x7f;
/// The slot holds no znode.
const VACANT: u8 = 0x7e;
const LENGTH_MASK: u8 = 0x7f;
const NULL_DATA: u8 = 0x80;
/// Bytes of the name's length in front of a spilled name.
const PREFIX: usize = 4;

/// Fields are ordered by size, so that nothing is lost to alignment.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) czxid: i64,
    pub(crate) mzxid: i64,
    pub(crate) pzxid: i64,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    /// The data; before it a spilled name with its length.
    block: Box<[u8]>,
    children: Option<Box<Children>>,
    pub(crate) parent: NodeId,
    /// Position among the parent's children.
    pub(crate) position: u32,
    /// Slot in the table of ACLs.
    pub(crate) acl: u32,
    /// Slot in the table of owners.
    pub(crate) owner: u32,
    /// This znode's part of the tree's digest.
    pub(crate) digest: u32,
    pub(crate) version: i32,
    /// Children ever created.
    pub(crate) cversion: i32,
    pub(crate) aversion: i32,
    /// Length of an inline name or one of the marks, and whether the data are null.
    tag: u8,
    inline: [u8; INLINE],
}

/// The children of a znode, in no order.
#[derive(Debug, Default)]
struct Children {
    ids: Vec<NodeId>,
}

impl Node {
    /// A znode that has no parent, children, ACL or owner yet. Its `ephemeral_owner` is for the caller to record.
    pub(crate) fn new(name: &[u8], data: Option<&[u8]>, stat: &StatPersisted) -> Self {
        let mut node = Self {
            czxid: stat.czxid,
            mzxid: stat.mzxid,
            pzxid: stat.pzxid,
            ctime: stat.ctime,
            mtime: stat.mtime,
            block: Box::default(),
            children: None,
            parent: 0,
            position: 0,
            acl: 0,
            owner: 0,
            digest: 0,
            version: stat.version,
            cversion: stat.cversion,
            aversion: stat.aversion,
            tag: SPILLED,
            inline: [0; INLINE],
        };
        if name.len() <= INLINE {
            node.tag = name.len() as u8;
            node.inline[..name.len()].copy_from_slice(name);
            node.replace_block(&[], data);
        } else {
            node.replace_block(name, data);
        }
        node
    }

    /// What a slot holds while no znode is in it.
    pub(crate) fn vacant() -> Self {
        let mut node = Self::new(&[], None, &StatPersisted::default());
        node.tag = VACANT;
        node
    }

    pub(crate) fn is_vacant(&self) -> bool {
        self.tag & LENGTH_MASK == VACANT
    }

    pub(crate) fn name(&self) -> &[u8] {
        match self.tag & LENGTH_MASK {
            SPILLED => &self.block[PREFIX..self.data_start()],
            VACANT => &[],
            length => &self.inline[..usize::from(length)],
        }
    }

    /// `None` is null data, which clients can tell from empty data.
    // spec: CP-JUT-05, DF-BODY-06
    pub(crate) fn data(&self) -> Option<&[u8]> {
        (self.tag & NULL_DATA == 0).then(|| &self.block[self.data_start()..])
    }

    pub(crate) fn data_len(&self) -> usize {
        self.block.len() - self.data_start()
    }

    /// Replaces the data; memory is only asked for when the length changes.
    pub(crate) fn set_data(&mut self, data: Option<&[u8]>) {
        let bytes = data.unwrap_or_default();
        if bytes.len() == self.data_len() {
            let start = self.data_start();
            self.block[start..].copy_from_slice(bytes);
            self.mark_null(data.is_none());
        } else if self.tag & LENGTH_MASK == SPILLED {
            let name = self.name().to_vec();
            self.replace_block(&name, data);
        } else {
            self.replace_block(&[], data);
        }
    }

    pub(crate) fn children(&self) -> &[NodeId] {
        self.children.as_ref().map_or(&[], |children| &children.ids)
    }

    /// Appends a child; returns its position.
    pub(crate) fn push_child(&mut self, child: NodeId) -> u32 {
        let ids = &mut self.children.get_or_insert_default().ids;
        ids.push(child);
        (ids.len() - 1) as u32
    }

    /// Removes the child at `position`; returns the child that took its place, if one did.
    pub(crate) fn remove_child(&mut self, position: u32) -> Option<NodeId> {
        let children = self.children.as_mut()?;
        let ids = &mut children.ids;
        ids.swap_remove(position as usize);
        let moved = ids.get(position as usize).copied();
        if ids.is_empty() {
            self.children = None;
        } else if ids.len() < ids.capacity() / 4 {
            ids.shrink_to(ids.len() * 2);
        }
        moved
    }

    /// The stored numbers, with the owner that the caller looked up.
    pub(crate) fn stat(&self, ephemeral_owner: i64) -> StatPersisted {
        StatPersisted {
            czxid: self.czxid,
            mzxid: self.mzxid,
            ctime: self.ctime,
            mtime: self.mtime,
            version: self.version,
            cversion: self.cversion,
            aversion: self.aversion,
            ephemeral_owner,
            pzxid: self.pzxid,
        }
    }

    fn data_start(&self) -> usize {
        if self.tag & LENGTH_MASK != SPILLED {
            return 0;
        }
        let prefix = self
            .block
            .first_chunk::<PREFIX>()
            .copied()
            .unwrap_or_default();
        PREFIX + u32::from_ne_bytes(prefix) as usize
    }

    fn replace_block(&mut self, spilled_name: &[u8], data: Option<&[u8]>) {
        let bytes = data.unwrap_or_default();
        self.block = if self.tag & LENGTH_MASK == SPILLED {
            let prefix = (spilled_name.len() as u32).to_ne_bytes();
            [&prefix[..], spilled_name, bytes]
                .concat()
                .into_boxed_slice()
        } else {
            bytes.into()
        };
        self.mark_null(data.is_none());
    }

    fn mark_null(&mut self, null: bool) {
        self.tag = (self.tag & LENGTH_MASK) | if null { NULL_DATA } else { 0 };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_112_bytes() {
        // spec: performance goals 9 and 10 rest on this size.
        assert_eq!(size_of::<Node>(), 112);
    }

    // spec: CP-JUT-05
    #[test]
    fn names_and_data_of_every_length_come_back() {
        for name_len in [0, 1, 15, 16, 300] {
            let name = alloc::vec![b'n'; name_len];
            let mut node = Node::new(&name, Some(b"first"), &StatPersisted::default());
            for data in [
                Some(&b"other"[..]),
                None,
                Some(b""),
                Some(b"longer than it was"),
                None,
                None,
            ] {
                node.set_data(data);
                assert_eq!((node.name(), node.data()), (&name[..], data));
                assert_eq!(node.data_len(), data.map_or(0, <[u8]>::len));
            }
        }
    }

    #[test]
    fn removing_a_child_moves_the_last_one_into_its_place() {
        let mut node = Node::new(b"", None, &StatPersisted::default());
        for id in 10..20 {
            assert_eq!(node.push_child(id), id - 10);
        }
        assert_eq!(node.remove_child(3), Some(19));
        assert_eq!(node.remove_child(8), None);
        assert_eq!(node.children(), [10, 11, 12, 19, 14, 15, 16, 17]);
    }
}
