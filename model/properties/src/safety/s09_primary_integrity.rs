//! S9, primary integrity: Before its first broadcast the primary of e has delivered all of earlier epochs that anyone delivers, then or later.

use crate::{Invariant, Value, View};

// spec: S9. primary integrity.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 9,
        id: "S9",
        name: "primary integrity",
        statement: "Before its first broadcast the primary of e has delivered all of earlier epochs that anyone delivers, then or later.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.ghosts.primaries.iter().all(|primary| {
        let earlier = view
            .ghosts
            .decided
            .iter()
            .filter(|txn| txn.zxid.epoch() < primary.epoch)
            .count();
        earlier <= primary.delivered_before
    })
}
