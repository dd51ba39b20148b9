//! S7, local primary order: For all a, b broadcast by one primary, a first: whoever delivers b has delivered a before it.

use crate::{Invariant, Value, View};

// spec: S7. local primary order.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 7,
        id: "S7",
        name: "local primary order",
        statement: "For all a, b broadcast by one primary, a first: whoever delivers b has delivered a before it.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().all(|server| {
        server.delivered.iter().enumerate().all(|(place, txn)| {
            view.ghosts.primaries.iter().all(|primary| {
                match primary.txns.iter().position(|it| it == txn) {
                    Some(own) => primary.txns[..own]
                        .iter()
                        .all(|before| server.delivered[..place].contains(before)),
                    None => true,
                }
            })
        })
    })
}
