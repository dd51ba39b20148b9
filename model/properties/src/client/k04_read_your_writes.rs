//! K4, read your writes: A read sees every write that its own session issued before it and that took effect.

use super::{Answer, ClientInvariant, History};

// spec: K4. read your writes.
pub(super) fn invariant() -> ClientInvariant {
    ClientInvariant {
        number: 4,
        id: "K4",
        name: "read your writes",
        statement: "A read sees every write that its own session issued before it and that took effect.",
        holds,
    }
}

fn holds(history: &History) -> bool {
    history.calls.iter().all(|read| {
        let Some(Answer::Saw { at, .. }) = read.answer else {
            return true;
        };
        history.calls.iter().all(|write| match write.answer {
            Some(Answer::Wrote { at: written, .. })
                if write.session == read.session && write.xid < read.xid =>
            {
                written <= at
            }
            _ => true,
        })
    })
}
