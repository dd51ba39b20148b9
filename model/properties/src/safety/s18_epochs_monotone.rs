//! S18, epoch monotonicity: Durable epochs never fall, and the current epoch is never above the accepted one.

use crate::{Fact, Invariant, Value, View};

// spec: S18. epoch monotonicity.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 18,
        id: "S18",
        name: "epoch monotonicity",
        statement: "Durable epochs never fall, and the current epoch is never above the accepted one.",
        state: Some(state),
        step: Some(step),
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers
        .iter()
        .all(|server| server.current <= server.accepted)
}

fn step<T: Value>(_: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    match fact {
        Fact::EpochsWritten {
            accepted_before,
            current_before,
            accepted,
            current,
            ..
        } => accepted_before <= accepted && current_before <= current,
        _ => true,
    }
}
