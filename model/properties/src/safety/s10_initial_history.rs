//! S10, initial history integrity: The initial history of an established epoch is a prefix of that of every later one.

use crate::{Invariant, Value, View, is_prefix};

// spec: S10. initial history integrity.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 10,
        id: "S10",
        name: "initial history integrity",
        statement: "The initial history of an established epoch is a prefix of that of every later one.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    // Sorted by epoch; a prefix of a prefix is a prefix, so neighbours are enough.
    view.ghosts
        .established
        .windows(2)
        .all(|pair| is_prefix(&pair[0].initial, &pair[1].initial))
}
