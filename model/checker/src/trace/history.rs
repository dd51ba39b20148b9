//! What one server has logged, and what a start may find of it.

use zab::trace::Digest;
use zab::{Durable, Epoch, Proposal, Write, Zxid};
use zab_properties::Txn;
use zab_properties::observed::{self, apply};

pub(super) type Value = Digest;

pub(super) type History = observed::History<Value>;

/// Whether a start finds an empty directory where there was more, and does not vouch for it.
// spec: DF-REC-05
pub(super) fn is_wiped(history: &History, found: &Durable<Value>) -> bool {
    let empty =
        found.last() == Zxid::ZERO && (found.accepted, found.current) == (Epoch::ZERO, Epoch::ZERO);
    let had = !history.durable.is_empty() || history.accepted > Epoch::ZERO;
    empty && had && !found.trusted
}

/// How many of the writes on their way have reached the disk, as a start shows: as many as can be. None: what was
/// durable is not there, or more is there than was written.
// spec: zab-model section 4. A crash leaves any prefix of the writes that are not durable.
pub(super) fn recovered(
    server: &History,
    found: &Durable<Value>,
    standalone: bool,
) -> Option<usize> {
    let mut history = server.durable.clone();
    let (mut accepted, mut current) = (server.accepted, server.current);
    let mut fits = None;
    for kept in 0..=server.queue.len() {
        if let Some(queued) = kept.checked_sub(1).and_then(|last| server.queue.get(last)) {
            match &queued.write {
                Write::AcceptedEpoch(epoch) => accepted = *epoch,
                Write::CurrentEpoch(epoch) => current = *epoch,
                Write::Append(_) | Write::Truncate { .. } | Write::Install { .. } => {
                    apply(&mut history, queued);
                }
            }
        }
        let under_way = server.queue.get(kept).map(|queued| &queued.write);
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

#[cfg(test)]
mod tests {
    use zab::{ServerId, WriteId};
    use zab_properties::observed::Queued;

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
        assert_eq!(recovered(&history, &found(1..=1), false), Some(0));
        assert_eq!(recovered(&history, &found(1..=2), false), Some(1));
        assert_eq!(recovered(&history, &found(1..=3), false), Some(2));
        assert_eq!(recovered(&history, &Durable::empty(), false), None);
        assert_eq!(recovered(&history, &found(1..=4), false), None);
        let mut other = found(1..=2);
        other.log[1].txn = Digest::of(b"another");
        assert_eq!(recovered(&history, &other, false), None);
        let mut promised = found(1..=1);
        promised.accepted = Epoch(2);
        assert_eq!(recovered(&history, &promised, false), None);
    }

    // spec: DF-REC-05
    #[test]
    fn only_an_empty_directory_that_nobody_vouches_for_is_a_wiped_one() {
        let history = history();
        assert!(is_wiped(&history, &Durable::wiped()));
        assert!(!is_wiped(&history, &Durable::empty()));
        assert!(!is_wiped(&history, &found(1..=1)));
        assert!(!is_wiped(&History::new(ServerId(1)), &Durable::wiped()));
    }
}
