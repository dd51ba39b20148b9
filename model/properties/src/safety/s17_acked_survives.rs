//! S17, no lost acknowledged transaction: Every transaction that a client was told of is committed, on a quorum of disks, and held by the newest established leader.

use crate::view::holds_in_order;
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
    let acked = &view.ghosts.acked;
    // All at once, as it nearly always is; one at a time costs the square of the history.
    let at_once = holds_in_order(&view.ghosts.decided, acked)
        && view.quorum_of(|server| server.wiped || holds_in_order(server.durable, acked))
        && leader.is_none_or(|leader| holds_in_order(leader.issued, acked));
    at_once
        || acked.iter().all(|txn| {
            view.ghosts.decided.contains(txn)
                && view.quorum_of(|server| server.wiped || server.durable.contains(txn))
                && leader.is_none_or(|leader| leader.issued.contains(txn))
        })
}
