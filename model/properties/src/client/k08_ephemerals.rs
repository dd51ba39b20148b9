//! K8, ephemerals: No ephemeral outlives its session or is created after it, and all replicas lose it at the same zxid.

use alloc::vec::Vec;

use super::{ClientInvariant, History, Key, Replica, Request};

// spec: K8. ephemerals.
pub(super) fn invariant() -> ClientInvariant {
    ClientInvariant {
        number: 8,
        id: "K8",
        name: "ephemerals",
        statement: "No ephemeral outlives its session or is created after it, and all replicas lose it at the same zxid.",
        holds,
    }
}

fn holds(history: &History) -> bool {
    none_outlives(history) && same_everywhere(history)
}

/// Replicas at one zxid show the same ephemerals, so an ephemeral goes at the same zxid on all.
fn same_everywhere(history: &History) -> bool {
    let ephemerals = |replica: &Replica| -> Vec<Key> {
        replica
            .tree
            .iter()
            .filter(|(_, node)| node.owner.is_some())
            .map(|(key, _)| *key)
            .collect()
    };
    history.replicas.windows(2).all(|pair| {
        pair[0].applied != pair[1].applied || ephemerals(&pair[0]) == ephemerals(&pair[1])
    })
}

fn none_outlives(history: &History) -> bool {
    history.replicas.iter().all(|replica| {
        let closed = |session| {
            let mut ends = history.entries().filter(|(at, _)| *at <= replica.applied);
            ends.any(|(_, entry)| entry.session == session && entry.request == Request::Close)
        };
        replica
            .tree
            .values()
            .all(|node| node.owner.is_none_or(|owner| !closed(owner)))
    })
}
