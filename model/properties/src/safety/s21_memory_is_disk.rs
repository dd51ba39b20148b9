//! S21, memory is no further than disk: The last zxid that a follower reports in ACKEPOCH is its durable one.

use zab::Zxid;

use crate::{Fact, Invariant, Value, View};

// spec: S21. memory is no further than disk.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 21,
        id: "S21",
        name: "memory is no further than disk",
        statement: "The last zxid that a follower reports in ACKEPOCH is its durable one.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    match fact {
        Fact::Reported { server, last } => view
            .server(*server)
            .is_none_or(|it| it.durable.last().map_or(Zxid::ZERO, |txn| txn.zxid) == *last),
        _ => true,
    }
}
