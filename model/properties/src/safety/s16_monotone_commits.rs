//! S16, monotone committed log: The committed sequence is only ever extended at its end.

use crate::{Fact, Invariant, Value, View};

// spec: S16. monotone committed log.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 16,
        id: "S16",
        name: "monotone committed log",
        statement: "The committed sequence is only ever extended at its end.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    match fact {
        Fact::Delivered { txn, index, .. } => match view.ghosts.decided.get(*index) {
            Some(decided) => decided == *txn,
            None => *index == view.ghosts.decided.len(),
        },
        _ => true,
    }
}
