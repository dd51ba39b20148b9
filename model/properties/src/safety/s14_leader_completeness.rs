//! S14, leader log completeness: The established leader of the highest epoch holds all that was ever committed.

use crate::{Invariant, Value, View, is_prefix};

// spec: S14. leader log completeness.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 14,
        id: "S14",
        name: "leader log completeness",
        statement: "The established leader of the highest epoch holds all that was ever committed.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    let Some(newest) = view.ghosts.established.last() else {
        return true;
    };
    let Some(leader) = view.server(newest.leader) else {
        return true;
    };
    !leader.leads()
        || leader.epoch != Some(newest.epoch)
        || is_prefix(&view.ghosts.decided, leader.issued)
}
