//! S27, opens on durable history: When a leader begins to serve clients, the disks of a quorum hold all that it has delivered.

use crate::{Fact, Invariant, Value, View};

// spec: S27, QP-INT-02. opens on durable history.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 27,
        id: "S27",
        name: "opens on durable history",
        statement: "When a leader begins to serve clients, the disks of a quorum hold all that it has delivered.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    match fact {
        Fact::Opened { delivered, .. } => view.held_by_quorum(delivered),
        _ => true,
    }
}
