//! F2, votes improve: Within a round votes only improve, the round of a looking server never falls, and only votes of its round are counted.

use super::{ElectionInvariant, Poll, Turn};

// spec: F2. votes improve.
pub(super) fn invariant() -> ElectionInvariant {
    ElectionInvariant {
        number: 2,
        id: "F2",
        name: "votes improve",
        statement: "Within a round votes only improve, the round of a looking server never falls, and only votes of its round are counted.",
        state: None,
        step: Some(step),
    }
}

fn step(_: &Poll<'_>, turn: &Turn<'_>) -> bool {
    match turn {
        Turn::Voted {
            before,
            after,
            counted,
        } => {
            (after.round > before.round
                || (after.round == before.round && after.ballot >= before.ballot))
                && counted.iter().all(|round| *round == after.round)
        }
        Turn::Settled { .. } | Turn::Ended { .. } => true,
    }
}
