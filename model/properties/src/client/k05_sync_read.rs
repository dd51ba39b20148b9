//! K5, sync read: A read after a completed sync sees every write that anyone was answered before the sync was issued.

use super::{Answer, Call, ClientInvariant, History};

// spec: K5. sync read.
pub(super) fn invariant() -> ClientInvariant {
    ClientInvariant {
        number: 5,
        id: "K5",
        name: "sync read",
        statement: "A read after a completed sync sees every write that anyone was answered before the sync was issued.",
        holds,
    }
}

fn holds(history: &History) -> bool {
    history.calls.iter().all(|sync| match sync.answer {
        Some(Answer::Synced { .. }) => history.calls.iter().all(|read| {
            read.session != sync.session
                || read.xid < sync.xid
                || sees_answered(history, sync, read)
        }),
        _ => true,
    })
}

fn sees_answered(history: &History, sync: &Call, read: &Call) -> bool {
    let Some(Answer::Saw { at, .. }) = read.answer else {
        return true;
    };
    history
        .calls
        .iter()
        .enumerate()
        .all(|(index, write)| match write.answer {
            Some(Answer::Wrote { at: written, .. }) if sync.after & (1 << index) != 0 => {
                written <= at
            }
            _ => true,
        })
}
