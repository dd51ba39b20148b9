//! S26, zxid sanity: A counter never runs into the epoch: a leader numbers its transactions 1, 2, 3 in its own epoch.

use crate::{Invariant, Value, View};

// spec: S26. zxid sanity.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 26,
        id: "S26",
        name: "zxid sanity",
        statement: "A counter never runs into the epoch: a leader numbers its transactions 1, 2, 3 in its own epoch.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.ghosts.primaries.iter().all(|primary| {
        primary.txns.iter().zip(1..).all(|(txn, counter)| {
            txn.zxid.epoch() == primary.epoch && txn.zxid.counter() == counter
        })
    })
}
