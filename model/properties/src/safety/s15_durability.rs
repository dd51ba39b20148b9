//! S15, committed log durability: No truncation or snapshot takes a committed transaction from a disk, and a quorum of disks holds all that is committed.

use crate::{Fact, Invariant, Removal, Value, View};

// spec: S15. committed log durability.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 15,
        id: "S15",
        name: "committed log durability",
        statement: "No truncation or snapshot takes a committed transaction from a disk, and a quorum of disks holds all that is committed.",
        state: Some(state),
        step: Some(step),
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.held_by_quorum(&view.ghosts.decided)
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    match fact {
        Fact::Removed {
            txns,
            why: Removal::Truncated | Removal::Replaced,
            ..
        } => !txns.iter().any(|txn| view.ghosts.decided.contains(txn)),
        _ => true,
    }
}
