//! S8, global primary order: In a delivered sequence zxids rise strictly, so epochs never fall.

use crate::{Invariant, Value, View};

// spec: S8. global primary order.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 8,
        id: "S8",
        name: "global primary order",
        statement: "In a delivered sequence zxids rise strictly, so epochs never fall.",
        state: Some(state),
        step: None,
    }
}

fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().all(|server| {
        server
            .delivered
            .windows(2)
            .all(|pair| pair[0].zxid < pair[1].zxid)
    })
}
