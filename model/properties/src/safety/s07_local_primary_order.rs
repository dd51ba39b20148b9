//! S7, local primary order: For all a, b broadcast by one primary, a first: whoever delivers b has delivered a before it.

use crate::view::find;
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
        let delivered = server.delivered;
        let in_order = delivered.is_sorted();
        view.ghosts.primaries.iter().all(|primary| {
            let sorted = primary.txns.is_sorted();
            delivered.iter().enumerate().all(|(place, txn)| {
                // The one just before is enough: what is before that one is judged at its own place.
                let before = find(&primary.txns, sorted, txn)
                    .and_then(|own| primary.txns.get(own.checked_sub(1)?));
                before.is_none_or(|before| find(&delivered[..place], in_order, before).is_some())
            })
        })
    })
}
