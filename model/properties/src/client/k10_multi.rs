//! K10, multi atomicity: A multi is visible as a whole or not at all, under one zxid.

use super::{ClientInvariant, History, Key, Order, Request, Tree, Verdict};

// spec: K10. multi atomicity.
pub(super) fn invariant() -> ClientInvariant {
    ClientInvariant {
        number: 10,
        id: "K10",
        name: "multi atomicity",
        statement: "A multi is visible as a whole or not at all, under one zxid.",
        holds,
    }
}

fn holds(history: &History) -> bool {
    history.entries().all(|(at, entry)| match &entry.request {
        Request::Multi(sets) if entry.verdict == Verdict::Done => history
            .replicas
            .iter()
            .all(|replica| whole_or_absent(&replica.tree, sets, at)),
        _ => true,
    })
}

fn whole_or_absent(tree: &Tree, sets: &[(Key, u8)], at: Order) -> bool {
    let shown = |(key, _): &(Key, u8)| tree.get(key).is_none_or(|node| node.changed >= at);
    sets.iter().all(shown) || !sets.iter().any(shown)
}
