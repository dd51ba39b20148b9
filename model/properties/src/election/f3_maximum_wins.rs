//! F3, the maximum of a quorum wins: Without faults since the round began, the elected vote is the greatest first vote of some quorum.

use super::{ElectionInvariant, Poll, Turn};

// spec: F3. the maximum of a quorum wins.
pub(super) fn invariant() -> ElectionInvariant {
    ElectionInvariant {
        number: 3,
        id: "F3",
        name: "the maximum of a quorum wins",
        statement: "Without faults since the round began, the elected vote is the greatest first vote of some quorum.",
        state: None,
        step: Some(step),
    }
}

fn step(poll: &Poll<'_>, turn: &Turn<'_>) -> bool {
    let Turn::Settled {
        ballot,
        first,
        faultless: true,
        ..
    } = turn
    else {
        return true;
    };
    let not_better = first.iter().filter(|it| *it <= ballot).map(|it| it.leader);
    first.contains(ballot) && (poll.quorum)(poll.mask(not_better))
}
