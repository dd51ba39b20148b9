//! S12, history consistency: Two servers that take part in one epoch have histories of which one is a prefix of the other.

use crate::{Invariant, Value, View, related};

// spec: S12. history consistency.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 12,
        id: "S12",
        name: "history consistency",
        statement: "Two servers that take part in one epoch have histories of which one is a prefix of the other.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().enumerate().all(|(index, a)| {
        view.servers[index + 1..].iter().all(|b| {
            a.participates().is_none()
                || a.participates() != b.participates()
                || related(a.issued, b.issued)
        })
    })
}
