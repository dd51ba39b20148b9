//! S19, epoch promise: After a promise of e a server neither promises nor adopts a smaller epoch.

use crate::{Fact, Invariant, Value, View};

// spec: S19. epoch promise.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 19,
        id: "S19",
        name: "epoch promise",
        statement: "After a promise of e a server neither promises nor adopts a smaller epoch.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    match fact {
        Fact::Promised { server, epoch } | Fact::Adopted { server, epoch } => {
            let on_disk = view.server(*server).map(|it| it.accepted);
            let given = view
                .ghosts
                .promised
                .iter()
                .find(|(id, _)| id == server)
                .map(|(_, epoch)| *epoch);
            on_disk.max(given).is_none_or(|promised| *epoch >= promised)
        }
        _ => true,
    }
}
