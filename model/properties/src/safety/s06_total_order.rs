//! S6, total order: If some server delivers a before b, whoever delivers b has delivered a before it.

use crate::{Invariant, Txn, Value, View, related};

// spec: S6. total order.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 6,
        id: "S6",
        name: "total order",
        statement: "If some server delivers a before b, whoever delivers b has delivered a before it.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().all(|a| {
        view.servers
            .iter()
            .all(|b| ordered(a.delivered, b.delivered))
    })
}

/// Whether every transaction that both hold has the same predecessors in `b` as in `a`.
fn ordered<T: Value>(a: &[Txn<T>], b: &[Txn<T>]) -> bool {
    related(a, b)
        || b.iter()
            .enumerate()
            .all(|(place, txn)| match a.iter().position(|it| it == txn) {
                Some(other) => a[..other].iter().all(|before| b[..place].contains(before)),
                None => true,
            })
}
