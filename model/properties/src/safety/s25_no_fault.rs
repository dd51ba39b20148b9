//! S25, no fault: No core meets a state that it holds to be impossible, and none sends another what a correct peer never sends.

use crate::{Fact, Invariant, Value, View};

// spec: S25. no fault.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 25,
        id: "S25",
        name: "no fault",
        statement: "No core meets a state that it holds to be impossible, and none sends another what a correct peer never sends.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(_: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    !matches!(fact, Fact::Fault)
}
