//! S2, leadership2 (primary uniqueness): At most one server is ever established for an epoch.

use crate::{Invariant, Value, View};

// spec: S2. leadership2 (primary uniqueness).
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 2,
        id: "S2",
        name: "leadership2 (primary uniqueness)",
        statement: "At most one server is ever established for an epoch.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    // Entries are sorted by epoch, so two leaders of one epoch are neighbours.
    view.ghosts
        .established
        .windows(2)
        .all(|pair| pair[0].epoch != pair[1].epoch || pair[0].leader == pair[1].leader)
}
