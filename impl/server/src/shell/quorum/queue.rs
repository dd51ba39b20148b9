//! What waits to be written to links: gathered by the driver's thread, a turn at a time, and taken by each link's writer.

use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use zab::{LinkId, Message};

/// One write call's bytes, as a rule.
const WRITE_BYTES: u64 = 256 << 10;

/// What a link has still to write, in order. Messages wait as the core made them: a payload is shared with the window
/// and with the other links.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    items: VecDeque<Item>,
    /// Bytes that were ever appended.
    appended: u64,
    /// Bytes that were ever taken.
    taken: u64,
    /// Bytes that were appended up to the last NEWLEADER.
    synchronised: u64,
}

#[derive(Debug)]
enum Item {
    Message(Message<Bytes>),
    /// The stream behind a SNAP, cut from the tree as the socket takes it.
    Snapshot,
}

/// One turn of a link's writer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// What leaves together.
    Messages(Vec<Message<Bytes>>),
    Snapshot,
}

impl Queue {
    /// Bytes that wait and hold memory of their own: those behind the synchronisation, which is the window's.
    // spec: FT-LOAD-15, QP-BC-21
    pub(crate) fn waiting(&self) -> u64 {
        self.appended - self.taken.max(self.synchronised)
    }

    /// Messages that wait together leave together, up to a size.
    pub(crate) fn take(&mut self) -> Option<Taken> {
        let mut messages = Vec::new();
        let full = self.taken + WRITE_BYTES;
        while self.taken < full {
            match self.items.pop_front() {
                Some(Item::Message(message)) => {
                    self.taken += cost(&message);
                    messages.push(message);
                }
                Some(Item::Snapshot) if messages.is_empty() => return Some(Taken::Snapshot),
                Some(Item::Snapshot) => {
                    self.items.push_front(Item::Snapshot);
                    break;
                }
                None => break,
            }
        }
        (!messages.is_empty()).then_some(Taken::Messages(messages))
    }

    /// Appends all of `more`.
    pub(crate) fn append(&mut self, more: Self) {
        if more.synchronised > 0 {
            self.synchronised = self.appended + more.synchronised;
        }
        self.appended += more.appended;
        self.items.extend(more.items);
    }

    fn push(&mut self, message: Message<Bytes>) {
        self.appended += cost(&message);
        if matches!(message, Message::NewLeader { .. }) {
            self.synchronised = self.appended;
        }
        self.items.push_back(Item::Message(message));
    }
}

/// Bytes that a waiting message holds.
fn cost(message: &Message<Bytes>) -> u64 {
    let payload = match message {
        Message::Proposal(proposal)
        | Message::Inform(proposal)
        | Message::InformAndActivate { proposal, .. } => proposal.txn.len(),
        Message::Request { request } => request.len(),
        Message::Revalidate { session } => session.len(),
        Message::Ping { sessions, .. } => sessions.as_ref().map_or(0, Bytes::len),
        Message::Ack { .. }
        | Message::Commit { .. }
        | Message::Sync
        | Message::CommitAndActivate { .. }
        | Message::NewLeader { .. }
        | Message::FollowerInfo { .. }
        | Message::UpToDate
        | Message::Diff { .. }
        | Message::Trunc { .. }
        | Message::Snap { .. }
        | Message::ObserverInfo { .. }
        | Message::LeaderInfo { .. }
        | Message::AckEpoch { .. } => 0,
    };
    (size_of::<Item>() + payload) as u64
}

/// What one turn of the driver sends. Owned by the driver: nothing of it is locked before it is whole.
#[derive(Debug, Default)]
pub(crate) struct Sends(BTreeMap<LinkId, Queue>);

impl Sends {
    pub(crate) fn message(&mut self, link: LinkId, message: Message<Bytes>) {
        self.0.entry(link).or_default().push(message);
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
    use zab::{Epoch, Proposal, Zxid};

    const LINK: LinkId = LinkId(1);
    const MIB: u64 = 1 << 20;

    fn turn(messages: impl IntoIterator<Item = Message<Bytes>>) -> Queue {
        let mut sends = Sends::default();
        for message in messages {
            sends.message(LINK, message);
        }
        sent(sends)
    }

    fn sent(sends: Sends) -> Queue {
        let mut queue = Queue::default();
        sends.into_iter().for_each(|(_, more)| queue.append(more));
        queue
    }

    fn commit(counter: i64) -> Message<Bytes> {
        let zxid = Zxid(counter);
        Message::Commit { zxid }
    }

    fn proposal(counter: i64, txn: &Bytes) -> Message<Bytes> {
        let (zxid, txn) = (Zxid(counter), txn.clone());
        Message::Proposal(Proposal { zxid, txn })
    }

    // spec: QP-SYN-06. Packets and the snapshot's stream keep their order.
    #[test]
    fn packets_that_wait_together_leave_together_and_in_order() {
        let mut sends = Sends::default();
        sends.message(LINK, commit(1));
        sends.message(LINK, commit(2));
        sends.snapshot(LINK);
        sends.message(LINK, commit(3));
        let mut queue = sent(sends);
        queue.append(turn([commit(4)]));
        let messages = |of: [i64; 2]| Some(Taken::Messages(of.map(commit).into()));
        assert_eq!(queue.take(), messages([1, 2]));
        assert_eq!(queue.take(), Some(Taken::Snapshot));
        assert_eq!(queue.take(), messages([3, 4]));
        assert_eq!((queue.take(), queue.waiting()), (None, 0));
    }

    #[test]
    fn a_full_write_is_left_as_it_is() {
        let long = proposal(1, &vec![0; WRITE_BYTES as usize].into());
        let mut queue = turn([long.clone(), commit(1)]);
        assert_eq!(queue.take(), Some(Taken::Messages(vec![long])));
        assert_eq!(queue.take(), Some(Taken::Messages(vec![commit(1)])));
        assert_eq!((queue.take(), queue.waiting()), (None, 0));
    }

    // spec: QP-BC-21, FT-LOAD-15. A learner that lacks much is not one that takes little.
    #[test]
    fn a_synchronisation_shares_the_windows_payloads_and_does_not_count() {
        let txn = Bytes::from(vec![7; MIB as usize]);
        let new_leader = Message::NewLeader {
            epoch: Epoch(1),
            config: 0,
        };
        let diff = [Message::Diff { zxid: Zxid(80) }].into_iter();
        let diff = diff.chain((1..=80).map(|counter| proposal(counter, &txn)));
        let mut queue = turn([commit(0)]);
        queue.append(turn(diff.chain([new_leader, proposal(81, &txn)])));
        let live = cost(&proposal(81, &txn));
        assert_eq!(queue.waiting(), live);
        queue.append(turn([proposal(82, &txn)]));
        assert_eq!(queue.waiting(), 2 * live);
        let mut taken = 0;
        while let Some(Taken::Messages(messages)) = queue.take() {
            for message in &messages {
                let Message::Proposal(Proposal { txn: sent, .. }) = message else {
                    continue;
                };
                taken += 1;
                assert_eq!(sent.as_ptr(), txn.as_ptr(), "a copy");
            }
            assert!(queue.waiting() <= 2 * live);
        }
        assert_eq!((taken, queue.waiting()), (82, 0));
    }
}
