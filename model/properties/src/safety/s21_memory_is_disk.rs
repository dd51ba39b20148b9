//! S21, memory is no further than disk: The last zxid that a follower reports in ACKEPOCH is its durable one. No tree
//! shows what its server's history lacks, unless that is committed.

use zab::Zxid;

use crate::{Fact, Invariant, Value, View};

// spec: S21. memory is no further than disk.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 21,
        id: "S21",
        name: "memory is no further than disk",
        statement: "The last zxid that a follower reports in ACKEPOCH is its durable one. No tree shows what its server's \
                    history lacks, unless that is committed.",
        state: Some(state),
        step: Some(step),
    }
}

// What no TRUNC and no later DIFF takes out of a tree must never have to go (QP-DEF-25).
fn state<T: Value>(view: &View<'_, T>) -> bool {
    view.servers.iter().all(|server| {
        let mut shown = server.beyond.iter();
        shown.all(|txn| server.issued.contains(txn) || view.ghosts.decided.contains(txn))
    })
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    match fact {
        Fact::Reported { server, last } => view
            .server(*server)
            .is_none_or(|it| it.durable.last().map_or(Zxid::ZERO, |txn| txn.zxid) == *last),
        _ => true,
    }
}
