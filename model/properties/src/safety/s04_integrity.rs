//! S4, integrity: Every committed transaction was broadcast with the same value, and no zxid has two values.

use crate::view::find;
use crate::{Invariant, Value, View};

// spec: S4. integrity.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 4,
        id: "S4",
        name: "integrity",
        statement: "Every committed transaction was broadcast with the same value, and no zxid has two values.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    let primaries = &view.ghosts.primaries;
    let sorted = primaries.iter().all(|primary| primary.txns.is_sorted());
    let broadcast = || primaries.iter().flat_map(|primary| &primary.txns);
    view.servers.iter().all(|server| {
        server.delivered.iter().all(|txn| {
            primaries
                .iter()
                .any(|primary| find(&primary.txns, sorted, txn).is_some())
        })
    }) && (broadcast().is_sorted_by(|a, b| a.zxid < b.zxid)
        || broadcast()
            .enumerate()
            .all(|(index, a)| broadcast().skip(index + 1).all(|b| a.zxid != b.zxid)))
}
