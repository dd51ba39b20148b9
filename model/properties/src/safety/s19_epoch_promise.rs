//! S19, epoch promise: After a promise of e a server neither promises nor adopts a smaller epoch, and promises e to no other leader.

use crate::{Fact, Invariant, Value, View};

// spec: S19. epoch promise.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 19,
        id: "S19",
        name: "epoch promise",
        statement: "After a promise of e a server neither promises nor adopts a smaller epoch, and promises e to no other leader.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    let (server, epoch, to) = match fact {
        Fact::Promised {
            server,
            epoch,
            leader,
            ..
        } => (server, epoch, Some(leader)),
        Fact::Adopted { server, epoch } => (server, epoch, None),
        _ => return true,
    };
    let given = view.ghosts.promised.iter().find(|(id, ..)| id == server);
    let keeps = |(_, given, leader): &(_, _, _)| {
        epoch > given || (epoch == given && to.is_none_or(|to| to == leader))
    };
    view.server(*server).is_none_or(|it| *epoch >= it.accepted) && given.is_none_or(keeps)
}
