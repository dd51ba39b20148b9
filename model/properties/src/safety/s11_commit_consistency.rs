//! S11, commit consistency: The initial history of the epoch that i committed in last is a prefix of what i delivered.

use crate::{Invariant, Value, View, is_prefix};

// spec: S11. commit consistency.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 11,
        id: "S11",
        name: "commit consistency",
        statement: "The initial history of the epoch that i committed in last is a prefix of what i delivered.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().all(|server| {
        let Some(last) = server.delivered.last() else {
            return true;
        };
        let mut of_epoch = view
            .ghosts
            .established
            .iter()
            .filter(|it| it.epoch == last.zxid.epoch());
        of_epoch.any(|it| is_prefix(&it.initial, server.delivered))
    })
}
