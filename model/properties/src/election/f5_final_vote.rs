//! F5, final vote: The vote that a settled server shows names the leader and the epoch of its ensemble, so that a late joiner can count a quorum.

use super::{ElectionInvariant, Poll};
use crate::Role;

// spec: F5. final vote.
pub(super) fn invariant() -> ElectionInvariant {
    ElectionInvariant {
        number: 5,
        id: "F5",
        name: "final vote",
        statement: "The vote that a settled server shows names the leader and the epoch of its ensemble, so that a late joiner can count a quorum.",
        state: Some(state),
        step: None,
    }
}

fn state(poll: &Poll<'_>) -> bool {
    poll.voters.iter().all(|voter| {
        let leader = match voter.role {
            Role::Following(leader) => leader,
            Role::Leading => voter.id,
            Role::Looking | Role::Observing(_) => return true,
        };
        !voter.up
            || voter
                .epoch
                .is_none_or(|epoch| voter.ballot.leader == leader && voter.ballot.epoch == epoch)
    })
}
