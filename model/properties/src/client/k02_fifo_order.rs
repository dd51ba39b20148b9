//! K2, FIFO client order: The operations of a session take effect and are answered in the order of issue.

use super::{ClientInvariant, History};

// spec: K2. FIFO client order.
pub(super) fn invariant() -> ClientInvariant {
    ClientInvariant {
        number: 2,
        id: "K2",
        name: "FIFO client order",
        statement: "The operations of a session take effect and are answered in the order of issue.",
        holds,
    }
}

fn holds(history: &History) -> bool {
    history.sessions().all(|session| {
        let effects = history
            .log
            .iter()
            .filter(|entry| entry.session == session)
            .filter_map(|entry| entry.xid);
        effects.is_sorted()
            && history
                .answers(session)
                .map(|(call, _)| call.xid)
                .is_sorted()
    })
}
