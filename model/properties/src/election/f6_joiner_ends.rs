//! F6, a joiner ends: A looking server that can hear a stable quorum ends as a follower of its leader, who still leads, in a fair schedule of bounded length.

use super::{ElectionInvariant, Poll, Turn};
use crate::Role;

// spec: F6. a joiner ends.
pub(super) fn invariant() -> ElectionInvariant {
    ElectionInvariant {
        number: 6,
        id: "F6",
        name: "a joiner ends",
        statement: "A looking server that can hear a stable quorum ends as a follower of its leader, who still leads, in a fair schedule of bounded length.",
        state: None,
        step: Some(step),
    }
}

fn step(_: &Poll<'_>, turn: &Turn<'_>) -> bool {
    match turn {
        Turn::Ended {
            server,
            role,
            leader,
        } => {
            let wanted = if server == leader {
                Role::Leading
            } else {
                Role::Following(*leader)
            };
            *role == wanted
        }
        Turn::Voted { .. } | Turn::Settled { .. } => true,
    }
}
