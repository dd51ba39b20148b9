//! What this server's disk holds, or will hold once the writes asked for are
//! done. While a role lasts the two differ; a role's successor starts only when
//! they agree again, so nothing here ever promises more than is durable.

use alloc::collections::VecDeque;

use crate::Payload;
use crate::config::Durable;
use crate::effect::{Effect, Effects, Write};
use crate::id::{Epoch, WriteId, Zxid};
use crate::message::Proposal;

/// What a role does once a write is durable.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Then {
    /// Nothing: only the order matters, or the role that asked is gone.
    Nothing,
    /// Leader: announce the epoch.
    Announce,
    /// Learner: answer LEADERINFO.
    Promise,
    /// Leader and learner: the history of the epoch is adopted.
    Adopt,
    /// The log is durable to here.
    Logged(Zxid),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Pending {
    append: bool,
    then: Then,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Disk<T> {
    pub(crate) accepted: Epoch,
    pub(crate) current: Epoch,
    /// What this directory holds is a history that may vote (spec: DF-REC-05).
    pub(crate) trusted: bool,
    /// The lowest zxid that a truncation can reach.
    pub(crate) floor: Zxid,
    base: Zxid,
    log: VecDeque<Proposal<T>>,
    /// The next write's id; those pending are the ones just before it.
    next: WriteId,
    pending: VecDeque<Pending>,
}

impl<T: Payload> Disk<T> {
    pub(crate) fn new(durable: Durable<T>) -> Self {
        let mut log = VecDeque::from(durable.log);
        let mut base = durable.base;
        // spec: QP-DEF-27. A range that crosses a gap is never served: the
        // entry after the gap becomes the base.
        let mut previous = base;
        let mut start = 0;
        for (index, entry) in log.iter().enumerate() {
            if !previous.precedes(entry.zxid) {
                start = index + 1;
                base = entry.zxid;
            }
            previous = entry.zxid;
        }
        log.drain(..start);
        Self {
            accepted: durable.accepted,
            current: durable.current,
            trusted: durable.trusted,
            floor: durable.floor,
            base,
            log,
            next: WriteId(0),
            pending: VecDeque::new(),
        }
    }

    /// The zxid before the first entry in memory.
    pub(crate) const fn base(&self) -> Zxid {
        self.base
    }

    /// The last logged zxid, written or on its way.
    pub(crate) fn last(&self) -> Zxid {
        self.log.back().map_or(self.base, |entry| entry.zxid)
    }

    pub(crate) const fn log(&self) -> &VecDeque<Proposal<T>> {
        &self.log
    }

    /// How many entries in memory are at or before this zxid.
    pub(crate) fn position(&self, zxid: Zxid) -> usize {
        self.log.partition_point(|entry| entry.zxid <= zxid)
    }

    /// The entries in memory after this zxid.
    pub(crate) fn after(&self, zxid: Zxid) -> impl Iterator<Item = &Proposal<T>> {
        self.log.range(self.position(zxid)..)
    }

    /// The first entry in memory after this zxid.
    pub(crate) fn next_after(&self, zxid: Zxid) -> Option<&Proposal<T>> {
        self.log.get(self.position(zxid))
    }

    /// M48, M54: the zxid before this one in memory.
    pub(crate) fn before(&self, zxid: Zxid) -> Zxid {
        match self.position(zxid) {
            0 | 1 => self.base,
            at => self.log[at - 2].zxid,
        }
    }

    /// Whether all writes asked for are durable.
    pub(crate) fn is_idle(&self) -> bool {
        self.pending.is_empty()
    }

    pub(crate) fn pending(&self) -> usize {
        self.pending.len()
    }

    /// The newest write's id.
    pub(crate) fn is_asked(&self, through: WriteId) -> bool {
        through < self.next
    }

    /// Takes the oldest pending write if it is no newer than `through`.
    pub(crate) fn pop_durable(&mut self, through: WriteId) -> Option<Then> {
        let oldest = self.next.0.saturating_sub(self.pending.len() as u64);
        if oldest > through.0 {
            return None;
        }
        self.pending.pop_front().map(|pending| pending.then)
    }

    /// A role ends: its writes are still done, and mean nothing more to it.
    pub(crate) fn role_ended(&mut self) {
        for pending in &mut self.pending {
            pending.then = Then::Nothing;
        }
    }

    /// M5: takes what is not durable yet for cancelled, although nobody cancels it.
    pub(crate) fn forget_pending(&mut self) {
        let appends = self.pending.iter().filter(|pending| pending.append).count();
        self.log.truncate(self.log.len().saturating_sub(appends));
        self.pending.clear();
    }

    pub(crate) fn accept(&mut self, epoch: Epoch, then: Then, effects: &mut Effects<T>) {
        self.accepted = epoch;
        self.persist(Write::AcceptedEpoch(epoch), then, effects);
    }

    pub(crate) fn adopt(&mut self, epoch: Epoch, then: Then, effects: &mut Effects<T>) {
        self.current = epoch;
        self.persist(Write::CurrentEpoch(epoch), then, effects);
    }

    pub(crate) fn append(&mut self, proposal: Proposal<T>, then: Then, effects: &mut Effects<T>) {
        self.log.push_back(proposal.clone());
        self.persist(Write::Append(proposal), then, effects);
    }

    pub(crate) fn truncate(&mut self, after: Zxid, effects: &mut Effects<T>) {
        self.cut(after);
        self.persist(Write::Truncate { after }, Then::Nothing, effects);
    }

    pub(crate) fn install(&mut self, snapshot: Zxid, effects: &mut Effects<T>) {
        self.replace(snapshot);
        self.trusted = true;
        self.floor = snapshot;
        self.persist(Write::Install { snapshot }, Then::Nothing, effects);
    }

    /// Memory alone: what `truncate` does to it.
    pub(crate) fn cut(&mut self, after: Zxid) {
        let kept = self.position(after);
        self.log.truncate(kept);
        self.base = self.base.min(after);
    }

    /// Memory alone: what `install` does to it.
    pub(crate) fn replace(&mut self, snapshot: Zxid) {
        self.log.clear();
        self.base = snapshot;
    }

    /// Memory alone: what `append` does to it.
    pub(crate) fn push(&mut self, proposal: Proposal<T>) {
        self.log.push_back(proposal);
    }

    /// M11: forgets entries of the window, the disk keeps them.
    pub(crate) fn forget(&mut self, keep: impl Fn(Zxid) -> bool) {
        self.log.retain(|entry| keep(entry.zxid));
    }

    /// Keeps the last `window` entries, and all after `needed`.
    // spec: QP-SYN-03.
    pub(crate) fn trim(&mut self, window: usize, needed: Zxid) {
        while self.log.len() > window && self.log.front().is_some_and(|entry| entry.zxid <= needed)
        {
            if let Some(entry) = self.log.pop_front() {
                self.base = entry.zxid;
            }
        }
    }

    fn persist(&mut self, write: Write<T>, then: Then, effects: &mut Effects<T>) {
        let append = matches!(write, Write::Append(_));
        effects.push(Effect::Persist {
            id: self.next,
            write,
        });
        self.next = self.next.next();
        self.pending.push_back(Pending { append, then });
    }
}
