//! S25, no fault: The core never meets a state that it holds to be impossible.

use crate::{Fact, Invariant, Value, View};

// spec: S25. no fault.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 25,
        id: "S25",
        name: "no fault",
        statement: "The core never meets a state that it holds to be impossible.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(_: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    !matches!(fact, Fact::Fault)
}
