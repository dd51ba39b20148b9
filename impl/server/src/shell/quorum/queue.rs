//! What waits to be written to links: encoded by the driver's thread, a turn at a time, and taken by each link's writer.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use zab::{LinkId, Message};
use zk_proto::quorum::Packet;

/// One write call's bytes, as a rule.
const WRITE_BYTES: usize = 256 << 10;

/// What a link has still to write, in order.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
}

/// One turn of a link's writer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// Whole packets.
    Bytes(Vec<u8>),
    /// The stream behind a SNAP, cut from the tree as the socket takes it.
    Snapshot,
}

impl Queue {
    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn pop(&mut self) -> Option<Item> {
        let item = self.items.pop_front()?;
        if let Item::Bytes(bytes) = &item {
            self.bytes -= bytes.len();
        }
        Some(item)
    }

    /// Appends all of `more`.
    pub(crate) fn append(&mut self, more: Self) {
        for item in more.items {
            match item {
                Item::Snapshot => self.items.push_back(item),
                Item::Bytes(bytes) => {
                    self.bytes += bytes.len();
                    match self.unfinished() {
                        Some(waiting) => waiting.extend_from_slice(&bytes),
                        None => self.items.push_back(Item::Bytes(bytes)),
                    }
                }
            }
        }
    }

    fn encode(&mut self, packet: &Packet) {
        if self.unfinished().is_none() {
            self.items.push_back(Item::Bytes(Vec::new()));
        }
        let Some(waiting) = self.unfinished() else {
            return;
        };
        let before = waiting.len();
        packet.encode(waiting);
        self.bytes += waiting.len() - before;
    }

    /// Packets that wait together leave together, up to a size.
    fn unfinished(&mut self) -> Option<&mut Vec<u8>> {
        match self.items.back_mut() {
            Some(Item::Bytes(waiting)) if waiting.len() < WRITE_BYTES => Some(waiting),
            Some(Item::Bytes(_) | Item::Snapshot) | None => None,
        }
    }
}

/// What one turn of the driver sends. Owned by the driver: nothing of it is locked before it is whole.
#[derive(Debug, Default)]
pub(crate) struct Sends(BTreeMap<LinkId, Queue>);

impl Sends {
    /// `text`: the configuration, as NEWLEADER carries it.
    pub(crate) fn message(&mut self, link: LinkId, message: Message<Bytes>, text: &str) {
        let packet = Packet::from_core(message, text);
        self.0.entry(link).or_default().encode(&packet);
    }

    pub(crate) fn snapshot(&mut self, link: LinkId) {
        let queue = self.0.entry(link).or_default();
        queue.items.push_back(Item::Snapshot);
    }

    /// The link is no more.
    pub(crate) fn forget(&mut self, link: LinkId) {
        self.0.remove(&link);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Sends {
    type Item = (LinkId, Queue);
    type IntoIter = std::collections::btree_map::IntoIter<LinkId, Queue>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zab::{Proposal, Zxid};

    const LINK: LinkId = LinkId(1);

    fn sent(sends: Sends) -> Queue {
        let mut queue = Queue::default();
        sends.into_iter().for_each(|(_, more)| queue.append(more));
        queue
    }

    fn commit(counter: i64) -> Message<Bytes> {
        let zxid = Zxid(counter);
        Message::Commit { zxid }
    }

    fn encoded(messages: impl IntoIterator<Item = Message<Bytes>>) -> Item {
        let mut bytes = Vec::new();
        for message in messages {
            Packet::from_core(message, "").encode(&mut bytes);
        }
        Item::Bytes(bytes)
    }

    // spec: QP-SYN-06. Packets and the snapshot's stream keep their order.
    #[test]
    fn packets_that_wait_together_leave_together_and_in_order() {
        let mut sends = Sends::default();
        sends.message(LINK, commit(1), "");
        sends.message(LINK, commit(2), "");
        sends.snapshot(LINK);
        sends.message(LINK, commit(3), "");
        let mut queue = sent(sends);
        let mut sends = Sends::default();
        sends.message(LINK, commit(4), "");
        queue.append(sent(sends));
        assert_eq!(queue.pop(), Some(encoded([commit(1), commit(2)])));
        assert_eq!(queue.pop(), Some(Item::Snapshot));
        assert_eq!(queue.pop(), Some(encoded([commit(3), commit(4)])));
        assert_eq!((queue.pop(), queue.bytes()), (None, 0));
    }

    #[test]
    fn a_full_write_is_left_as_it_is() {
        let long = Message::Proposal(Proposal {
            zxid: Zxid(1),
            txn: vec![0; WRITE_BYTES].into(),
        });
        let mut sends = Sends::default();
        sends.message(LINK, long.clone(), "");
        sends.message(LINK, commit(1), "");
        let mut queue = sent(sends);
        assert_eq!(queue.pop(), Some(encoded([long])));
        assert_eq!(queue.pop(), Some(encoded([commit(1)])));
        assert_eq!((queue.pop(), queue.bytes()), (None, 0));
    }
}
