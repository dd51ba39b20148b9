//! S22, commit needs a quorum: At each extension of the committed sequence a quorum of disks holds it, in order and without a gap.

use crate::{Fact, Invariant, Value, View, is_prefix};

// spec: S22. commit needs a quorum.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 22,
        id: "S22",
        name: "commit needs a quorum",
        statement: "At each extension of the committed sequence a quorum of disks holds it, in order and without a gap.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    let Fact::Delivered { txn, index, .. } = fact else {
        return true;
    };
    let decided = &view.ghosts.decided;
    *index < decided.len()
        || view.quorum_of(|server| {
            server.wiped
                || (is_prefix(decided, server.durable)
                    && server.durable.get(decided.len()) == Some(txn))
        })
}
