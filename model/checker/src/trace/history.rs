//! What one server has logged, and what a start may find of it.

use std::collections::VecDeque;

use zab::trace::Digest;
use zab::{Durable, Epoch, LinkId, Proposal, RoleKind, ServerId, Status, Write, WriteId, Zxid};
use zab_properties::tree::{Tree, covered};
use zab_properties::{Phase, Role, ServerView, Txn};

pub(super) type Value = Digest;

/// A write on its way to the disk.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) id: WriteId,
    pub(super) write: Write<Value>,
    /// What an installed snapshot shows.
    pub(super) content: Vec<Txn<Value>>,
}

#[derive(Debug)]
pub(super) struct History {
    pub(super) id: ServerId,
    pub(super) up: bool,
    pub(super) status: Option<Status>,
    pub(super) issued: Vec<Txn<Value>>,
    pub(super) durable: Vec<Txn<Value>>,
    pub(super) delivered: Vec<Txn<Value>>,
    /// What its tree shows.
    pub(super) tree: Tree<Value>,
    /// What the newest snapshot on its disk shows beyond its zxid.
    pub(super) beyond: Vec<Txn<Value>>,
    /// So many of `issued` came with a snapshot, or were in the tree at the start.
    pub(super) loaded: usize,
    pub(super) accepted: Epoch,
    pub(super) current: Epoch,
    pub(super) queue: VecDeque<Queued>,
    pub(super) wiped: bool,
    pub(super) cache_is_whole: bool,
    /// It acknowledged NEWLEADER on this link.
    pub(super) adopted: Option<LinkId>,
}

impl History {
    pub(super) fn new(id: ServerId) -> Self {
        Self {
            id,
            up: false,
            status: None,
            issued: Vec::new(),
            durable: Vec::new(),
            delivered: Vec::new(),
            tree: Tree::default(),
            beyond: Vec::new(),
            loaded: 0,
            accepted: Epoch::ZERO,
            current: Epoch::ZERO,
            queue: VecDeque::new(),
            wiped: false,
            cache_is_whole: true,
            adopted: None,
        }
    }

    pub(super) fn view(&self) -> ServerView<'_, Value> {
        let status = self.status;
        ServerView {
            id: self.id,
            up: self.up,
            role: status.map_or(Role::Looking, role),
            phase: status.map_or(Phase::Election, |it| match it.phase {
                zab::Phase::Election => Phase::Election,
                zab::Phase::Discovery => Phase::Discovery,
                zab::Phase::Synchronisation => Phase::Synchronization,
                zab::Phase::Broadcast => Phase::Broadcast,
            }),
            epoch: status.and_then(|it| it.epoch),
            accepted: self.accepted,
            current: self.current,
            issued: &self.issued,
            durable: &self.durable,
            delivered: &self.delivered,
            beyond: self.tree.beyond(),
            cache_is_whole: self.cache_is_whole,
            wiped: self.wiped,
        }
    }

    /// The process is gone.
    pub(super) fn stop(&mut self) {
        self.up = false;
        self.status = None;
        self.delivered.clear();
        self.tree = Tree::default();
        self.loaded = 0;
        self.cache_is_whole = true;
        self.adopted = None;
    }

    /// Whether a start finds an empty directory where there was more, and does not vouch for it.
    // spec: DF-REC-05
    pub(super) fn is_wiped(&self, found: &Durable<Value>) -> bool {
        let empty = found.last() == Zxid::ZERO
            && (found.accepted, found.current) == (Epoch::ZERO, Epoch::ZERO);
        let had = !self.durable.is_empty() || self.accepted > Epoch::ZERO;
        empty && had && !found.trusted
    }

    /// How many of the writes on their way have reached the disk, as a start shows: as many as can be. None: what was
    /// durable is not there, or more is there than was written.
    // spec: zab-model section 4. A crash leaves any prefix of the writes that are not durable.
    pub(super) fn recovered(&self, found: &Durable<Value>, standalone: bool) -> Option<usize> {
        let mut history = self.durable.clone();
        let (mut accepted, mut current) = (self.accepted, self.current);
        let mut fits = None;
        for kept in 0..=self.queue.len() {
            if let Some(queued) = kept.checked_sub(1).and_then(|last| self.queue.get(last)) {
                match &queued.write {
                    Write::AcceptedEpoch(epoch) => accepted = *epoch,
                    Write::CurrentEpoch(epoch) => current = *epoch,
                    Write::Append(_) | Write::Truncate { .. } | Write::Install { .. } => {
                        apply(&mut history, queued);
                    }
                }
            }
            let under_way = self.queue.get(kept).map(|queued| &queued.write);
            let left = cut(&history, under_way, found.last());
            let end = left.last().map_or(Zxid::ZERO, |txn| txn.zxid);
            // spec: DF-EPO-07. A start raises the current epoch to that of the log.
            let epochs = (accepted, current.max(end.epoch())) == (found.accepted, found.current);
            if (epochs || standalone) && is_end_of(found, left) {
                fits = Some(kept);
            }
        }
        fits
    }
}

fn role(status: Status) -> Role {
    match (status.role, status.leader) {
        (RoleKind::Leading, _) => Role::Leading,
        (RoleKind::Following, Some(leader)) => Role::Following(leader),
        (RoleKind::Observing, Some(leader)) => Role::Observing(leader),
        (RoleKind::Looking | RoleKind::Following | RoleKind::Observing, _) => Role::Looking,
    }
}

/// What a truncation or an installed snapshot that was under way leaves, if the log ends here.
fn cut<'a>(
    history: &'a [Txn<Value>],
    under_way: Option<&Write<Value>>,
    last: Zxid,
) -> &'a [Txn<Value>] {
    let after = match under_way {
        Some(Write::Truncate { after }) => *after,
        Some(Write::Install { snapshot }) => *snapshot,
        Some(Write::AcceptedEpoch(_) | Write::CurrentEpoch(_) | Write::Append(_)) | None => {
            return history;
        }
    };
    let kept = history.partition_point(|txn| txn.zxid <= last.max(after));
    &history[..kept]
}

/// Whether the log that was found is the end of this history. A snapshot may name an epoch's start (QP-ZAB-20), which
/// is no txn's zxid.
fn is_end_of(found: &Durable<Value>, history: &[Txn<Value>]) -> bool {
    let base = history.partition_point(|txn| txn.zxid <= found.base);
    let end = base
        .checked_sub(1)
        .map_or(Zxid::ZERO, |last| history[last].zxid);
    let known = end == found.base || found.base.counter() == 0;
    known
        && found.log.len() == history.len() - base
        && (found.log.iter().zip(&history[base..]))
            .all(|(entry, known)| entry.zxid == known.zxid && entry.txn == known.value)
}

pub(super) fn txn(proposal: &Proposal<Value>) -> Txn<Value> {
    Txn {
        zxid: proposal.zxid,
        value: proposal.txn,
    }
}

/// What a write does to a history.
pub(super) fn apply(history: &mut Vec<Txn<Value>>, queued: &Queued) {
    match &queued.write {
        Write::AcceptedEpoch(_) | Write::CurrentEpoch(_) => {}
        Write::Append(proposal) => history.push(txn(proposal)),
        Write::Truncate { after } => history.retain(|txn| txn.zxid <= *after),
        Write::Install { snapshot } => *history = covered(*snapshot, &queued.content),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(counter: u32) -> Proposal<Value> {
        Proposal {
            zxid: Zxid::new(Epoch(1), counter),
            txn: Digest::of(&counter.to_le_bytes()),
        }
    }

    /// Txn 1 is durable, 2 and 3 are on their way.
    fn history() -> History {
        let mut history = History::new(ServerId(1));
        (history.accepted, history.current) = (Epoch(1), Epoch(1));
        history.durable.push(txn(&entry(1)));
        for counter in 2..=3 {
            history.queue.push_back(Queued {
                id: WriteId(counter.into()),
                write: Write::Append(entry(counter)),
                content: Vec::new(),
            });
        }
        history
    }

    fn found(counters: std::ops::RangeInclusive<u32>) -> Durable<Value> {
        Durable {
            accepted: Epoch(1),
            current: Epoch(1),
            log: counters.map(entry).collect(),
            ..Durable::empty()
        }
    }

    // spec: zab-model section 4, INV-11
    #[test]
    fn a_start_finds_what_was_durable_and_any_prefix_of_the_rest() {
        let history = history();
        assert_eq!(history.recovered(&found(1..=1), false), Some(0));
        assert_eq!(history.recovered(&found(1..=2), false), Some(1));
        assert_eq!(history.recovered(&found(1..=3), false), Some(2));
        assert_eq!(history.recovered(&Durable::empty(), false), None);
        assert_eq!(history.recovered(&found(1..=4), false), None);
        let mut other = found(1..=2);
        other.log[1].txn = Digest::of(b"another");
        assert_eq!(history.recovered(&other, false), None);
        let mut promised = found(1..=1);
        promised.accepted = Epoch(2);
        assert_eq!(history.recovered(&promised, false), None);
    }

    // spec: DF-REC-05
    #[test]
    fn only_an_empty_directory_that_nobody_vouches_for_is_a_wiped_one() {
        let history = history();
        assert!(history.is_wiped(&Durable::wiped()));
        assert!(!history.is_wiped(&Durable::empty()));
        assert!(!history.is_wiped(&found(1..=1)));
        assert!(!History::new(ServerId(1)).is_wiped(&Durable::wiped()));
    }
}
