//! F1, evidence: A server leaves Looking only with a quorum of votes of its round for its leader, or joins a quorum that names a leader who itself says Leading.

use alloc::vec::Vec;

use super::{ElectionInvariant, Heard, Poll, Turn, evidence};
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
        own,
        heard,
        ..
    } = turn
    else {
        return true;
    };
    // Who has settled already in this round still stands by its vote.
    let in_round: Vec<Heard> = heard
        .iter()
        .filter(|it| it.round == *round)
        .copied()
        .collect();
    let by_round = evidence(poll, *round, ballot, &in_round);
    let leads = *role == Role::Leading
        || heard
            .iter()
            .any(|it| it.from == ballot.leader && it.role == Role::Leading);
    let joined = evidence(poll, *round, ballot, heard) | poll.bit(*server);
    (*own && (poll.quorum)(by_round)) || (leads && (poll.quorum)(joined))
}
