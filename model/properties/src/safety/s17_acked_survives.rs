//! S17, no lost acknowledged transaction: Every transaction that a client was told of is committed, on a quorum of disks, and held by the newest established leader.

use crate::{Invariant, Value, View};

// spec: S17. no lost acknowledged transaction.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 17,
        id: "S17",
        name: "no lost acknowledged transaction",
        statement: "Every transaction that a client was told of is committed, on a quorum of disks, and held by the newest established leader.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    let leader = view.ghosts.established.last().and_then(|newest| {
        view.server(newest.leader)
            .filter(|it| it.leads() && it.epoch == Some(newest.epoch))
    });
    view.ghosts.acked.iter().all(|txn| {
        view.ghosts.decided.contains(txn)
            && view.quorum_of(|server| server.wiped || server.durable.contains(txn))
            && leader.is_none_or(|leader| leader.issued.contains(txn))
    })
}
