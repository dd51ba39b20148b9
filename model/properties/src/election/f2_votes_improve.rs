//! F2, votes improve: Within a round votes only improve, and the round of a looking server never falls.

use super::{ElectionInvariant, Poll, Turn};

// spec: F2. votes improve.
pub(super) fn invariant() -> ElectionInvariant {
    ElectionInvariant {
        number: 2,
        id: "F2",
        name: "votes improve",
        statement: "Within a round votes only improve, and the round of a looking server never falls.",
        state: None,
        step: Some(step),
    }
}

fn step(_: &Poll<'_>, turn: &Turn<'_>) -> bool {
    match turn {
        Turn::Voted { before, after, .. } => {
            after.round > before.round
                || (after.round == before.round && after.ballot >= before.ballot)
        }
        Turn::Settled { .. } | Turn::Ended { .. } => true,
    }
}
