//! F4, no disjoint evidence: Two leaders elected in one round rest on quorums that share a server.

use super::{ElectionInvariant, Poll};

// spec: F4. no disjoint evidence.
pub(super) fn invariant() -> ElectionInvariant {
    ElectionInvariant {
        number: 4,
        id: "F4",
        name: "no disjoint evidence",
        statement: "Two leaders elected in one round rest on quorums that share a server.",
        state: Some(state),
        step: None,
    }
}

fn state(poll: &Poll<'_>) -> bool {
    poll.won.iter().all(|a| {
        poll.won
            .iter()
            .all(|b| a.round != b.round || a.leader == b.leader || a.evidence & b.evidence != 0)
    })
}
