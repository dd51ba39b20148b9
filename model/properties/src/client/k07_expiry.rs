//! K7, session expiry: A session ends once, by close or by expiry after silence, and nothing of it succeeds afterwards.

use super::{ClientInvariant, Entry, History, Request};

// spec: K7. session expiry.
pub(super) fn invariant() -> ClientInvariant {
    ClientInvariant {
        number: 7,
        id: "K7",
        name: "session expiry",
        statement: "A session ends once, by close or by expiry after silence, and nothing of it succeeds afterwards.",
        holds,
    }
}

fn holds(history: &History) -> bool {
    history.entries().all(|(at, end)| {
        !ends(end)
            || ((end.xid.is_some() || !end.touched)
                && !history
                    .entries()
                    .any(|(later, entry)| later > at && entry.session == end.session))
    })
}

fn ends(entry: &Entry) -> bool {
    entry.request == Request::Close
}
