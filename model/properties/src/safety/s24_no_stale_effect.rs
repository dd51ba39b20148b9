//! S24, no stale effect: A frame of an old link, epoch or incarnation, or a completion of an old role, changes nothing.

use crate::{Fact, Invariant, Value, View};

// spec: S24. no stale effect.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 24,
        id: "S24",
        name: "no stale effect",
        statement: "A frame of an old link, epoch or incarnation, or a completion of an old role, changes nothing.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(_: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    !matches!(fact, Fact::StaleInput { .. })
}
