//! S3, prefix consistency: What two servers have committed agrees on the common length.

use crate::{Invariant, Value, View, related};

// spec: S3. prefix consistency.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 3,
        id: "S3",
        name: "prefix consistency",
        statement: "What two servers have committed agrees on the common length.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().enumerate().all(|(index, a)| {
        view.servers[index + 1..]
            .iter()
            .all(|b| related(a.delivered, b.delivered))
    })
}
