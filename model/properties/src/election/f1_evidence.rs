//! F1, evidence: A server leaves Looking only with a quorum of votes of its round for its leader, or joins a quorum that names a leader who itself says Leading.

use super::{ElectionInvariant, Poll, Turn, evidence};
use crate::Role;

// spec: F1. evidence.
pub(super) fn invariant() -> ElectionInvariant {
    ElectionInvariant {
        number: 1,
        id: "F1",
        name: "evidence",
        statement: "A server leaves Looking only with a quorum of votes of its round for its leader, or joins a quorum that names a leader who itself says Leading.",
        state: None,
        step: Some(step),
    }
}

fn step(poll: &Poll<'_>, turn: &Turn<'_>) -> bool {
    let Turn::Settled {
        server,
        role,
        round,
        ballot,
        heard,
        ..
    } = turn
    else {
        return true;
    };
    let looking = heard
        .iter()
        .filter(|it| it.role == Role::Looking && it.round == *round && it.ballot == *ballot);
    let by_round = poll.mask(looking.map(|it| it.from));
    let leads = *role == Role::Leading
        || heard
            .iter()
            .any(|it| it.from == ballot.leader && it.role == Role::Leading);
    let joined = evidence(poll, *round, ballot, heard) | poll.bit(*server);
    (poll.quorum)(by_round) || (leads && (poll.quorum)(joined))
}
