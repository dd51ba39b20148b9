//! S5, agreement: If i delivered a and j delivered b, then i delivered b or j delivered a.

use crate::{Invariant, Txn, Value, View, related};

// spec: S5. agreement.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 5,
        id: "S5",
        name: "agreement",
        statement: "If i delivered a and j delivered b, then i delivered b or j delivered a.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().enumerate().all(|(index, a)| {
        view.servers[index + 1..]
            .iter()
            .all(|b| agree(a.delivered, b.delivered))
    })
}

fn agree<T: Value>(a: &[Txn<T>], b: &[Txn<T>]) -> bool {
    related(a, b) || a.iter().all(|txn| b.contains(txn)) || b.iter().all(|txn| a.contains(txn))
}
