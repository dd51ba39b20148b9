//! S13, process consistency: A follower that takes part in its leader's epoch has a prefix of the leader's history.

use crate::{Invariant, Role, Value, View, is_prefix};

// spec: S13. process consistency.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 13,
        id: "S13",
        name: "process consistency",
        statement: "A follower that takes part in its leader's epoch has a prefix of the leader's history.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().all(|follower| {
        let Role::Following(leader) = follower.role else {
            return true;
        };
        let Some(leader) = view.server(leader) else {
            return true;
        };
        !leader.leads()
            || follower.participates().is_none()
            || follower.participates() != leader.epoch
            || is_prefix(follower.issued, leader.issued)
    })
}
