//! K3, monotone reads: A session never sees a lower zxid than one that it has seen, on whichever server.

use super::{ClientInvariant, History};

// spec: K3. monotone reads.
pub(super) fn invariant() -> ClientInvariant {
    ClientInvariant {
        number: 3,
        id: "K3",
        name: "monotone reads",
        statement: "A session never sees a lower zxid than one that it has seen, on whichever server.",
        holds,
    }
}

fn holds(history: &History) -> bool {
    history.sessions().all(|session| {
        history
            .answers(session)
            .filter_map(|(_, answer)| answer.seen())
            .is_sorted()
    })
}
