//! K6, single owner: Nothing that comes through another server than its session's owner takes effect.

use super::{ClientInvariant, History};

// spec: K6. single owner.
pub(super) fn invariant() -> ClientInvariant {
    ClientInvariant {
        number: 6,
        id: "K6",
        name: "single owner",
        statement: "Nothing that comes through another server than its session's owner takes effect.",
        holds,
    }
}

fn holds(history: &History) -> bool {
    history
        .log
        .iter()
        .all(|entry| entry.xid.is_none() || entry.via == entry.owner)
}
