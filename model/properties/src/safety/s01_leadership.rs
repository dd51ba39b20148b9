//! S1, leadership1: No two servers lead beyond discovery in one epoch.

use crate::{Invariant, Value, View};

// spec: S1. leadership1.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 1,
        id: "S1",
        name: "leadership1",
        statement: "No two servers lead beyond discovery in one epoch.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().enumerate().all(|(index, a)| {
        !a.leads()
            || !view.servers[index + 1..]
                .iter()
                .any(|b| b.leads() && a.epoch == b.epoch)
    })
}
