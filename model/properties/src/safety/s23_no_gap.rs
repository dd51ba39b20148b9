//! S23, no gap: A history is contiguous within an epoch, what is kept for DIFF is its end, and a DIFF or TRUNC starts at a zxid that the learner holds.

use zab::Zxid;

use crate::{Fact, Invariant, Txn, Value, View};

// spec: S23. no gap.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 23,
        id: "S23",
        name: "no gap",
        statement: "A history is contiguous within an epoch, what is kept for DIFF is its end, and a DIFF or TRUNC starts at a zxid that the learner holds.",
        state: Some(state),
        step: Some(step),
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().all(|server| {
        contiguous(server.issued) && contiguous(server.durable) && server.cache_is_whole
    })
}

fn contiguous<T>(history: &[Txn<T>]) -> bool {
    let first = history.first().is_none_or(|txn| txn.zxid.counter() == 1);
    first
        && history
            .windows(2)
            .all(|pair| follows(pair[0].zxid, pair[1].zxid))
}

fn follows(a: Zxid, b: Zxid) -> bool {
    if a.epoch() == b.epoch() {
        b.counter() == a.counter().wrapping_add(1)
    } else {
        b.epoch() > a.epoch() && b.counter() == 1
    }
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    match fact {
        Fact::SyncStarts { server, after } => view.server(*server).is_none_or(|it| {
            *after == Zxid::ZERO || it.issued.iter().any(|txn| txn.zxid == *after)
        }),
        _ => true,
    }
}
