//! S15, committed log durability: At all times a quorum of disks holds all that is committed, whatever truncations, snapshots and crashes take away.

use crate::{Invariant, Value, View};

// spec: S15. committed log durability.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 15,
        id: "S15",
        name: "committed log durability",
        statement: "At all times a quorum of disks holds all that is committed, whatever truncations, snapshots and crashes take away.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.held_by_quorum(&view.ghosts.decided)
}
