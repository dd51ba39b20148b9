//! S4, integrity: Every committed transaction was broadcast with the same value, and no zxid has two values.

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
    let broadcast = || {
        view.ghosts
            .primaries
            .iter()
            .flat_map(|primary| &primary.txns)
    };
    view.servers.iter().all(|server| {
        server
            .delivered
            .iter()
            .all(|txn| broadcast().any(|it| it == txn))
    }) && broadcast()
        .enumerate()
        .all(|(index, a)| broadcast().skip(index + 1).all(|b| a.zxid != b.zxid))
}
