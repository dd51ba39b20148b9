//! S28, confirmed read: A sync is answered only by a leader that no later one had replaced when it was asked, and by a server that has delivered every transaction acknowledged before.

use crate::{Fact, Invariant, Value, View};

// spec: S28. confirmed read.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 28,
        id: "S28",
        name: "confirmed read",
        statement: "A sync is answered only by a leader that no later one had replaced when it was asked, and by a server that has delivered every transaction acknowledged before.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    let Fact::Confirmed {
        server,
        established,
        acked,
    } = fact
    else {
        return true;
    };
    view.server(*server).is_some_and(|it| {
        it.epoch.is_some_and(|epoch| epoch >= *established)
            && acked.iter().all(|txn| it.delivered.contains(txn))
    })
}
