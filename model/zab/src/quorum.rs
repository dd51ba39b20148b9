//! When a set of servers is enough: majority, weighted groups, and both the
//! old and the new configuration while one replaces the other.

use alloc::vec::Vec;

use crate::id::ServerId;
use crate::set::ServerSet;

/// One group of a hierarchical configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Group {
    /// Members with their weights (default 1).
    pub members: Vec<(ServerId, u64)>,
}

/// Which sets of voters are a quorum under one configuration.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Verifier {
    /// More than half of the voters (spec: QP-CFG-04, CP-CFG-23).
    Majority { voters: ServerSet },
    /// More than half of the groups that weigh something, each by more than
    /// half of its weight (spec: QP-CFG-05).
    Groups(Vec<Group>),
}

impl Verifier {
    /// A majority of these.
    pub fn majority(voters: impl IntoIterator<Item = ServerId>) -> Self {
        Self::Majority {
            voters: voters.into_iter().collect(),
        }
    }

    /// All that vote.
    #[must_use]
    pub fn voters(&self) -> ServerSet {
        match self {
            Self::Majority { voters } => *voters,
            Self::Groups(groups) => groups
                .iter()
                .flat_map(|g| &g.members)
                .map(|(id, _)| *id)
                .collect(),
        }
    }

    /// A voter's weight; 0 for anyone else (spec: QP-FLE-10).
    #[must_use]
    pub fn weight(&self, id: ServerId) -> u64 {
        match self {
            Self::Majority { voters } => u64::from(voters.contains(id)),
            Self::Groups(groups) => groups
                .iter()
                .flat_map(|g| &g.members)
                .find(|(member, _)| *member == id)
                .map_or(0, |(_, w)| *w),
        }
    }

    /// Whether these servers, those among them that vote, are a quorum.
    #[must_use]
    pub fn is_quorum(&self, servers: &ServerSet) -> bool {
        match self {
            // spec: QP-CFG-04.
            Self::Majority { voters } => servers.intersection(voters).len() > voters.len() / 2,
            // spec: QP-CFG-05.
            Self::Groups(groups) => {
                let weighing = groups
                    .iter()
                    .filter(|group| group.weight(|_| true) > 0)
                    .count();
                let won = groups
                    .iter()
                    .filter(|group| {
                        group.weight(|id| servers.contains(id)) > group.weight(|_| true) / 2
                    })
                    .count();
                won > weighing / 2
            }
        }
    }
}

impl Group {
    fn weight(&self, counted: impl Fn(ServerId) -> bool) -> u64 {
        self.members
            .iter()
            .filter(|(id, _)| counted(*id))
            .fold(0, |sum, (_, w)| sum.saturating_add(*w))
    }
}

/// The configuration in force, and the one that is to replace it.
// spec: QP-CFG-07. During a reconfiguration success needs a quorum of both.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Quorums {
    /// In force (`quorumVerifier`).
    pub committed: Verifier,
    /// Proposed and not yet in force (`lastSeenQuorumVerifier`).
    pub proposed: Option<Verifier>,
}

impl Quorums {
    /// One configuration, none on its way.
    #[must_use]
    pub const fn of(committed: Verifier) -> Self {
        Self {
            committed,
            proposed: None,
        }
    }

    /// Groups of weighted members, none on its way.
    // spec: QP-CFG-05.
    pub fn weighted(groups: impl IntoIterator<Item = Vec<(ServerId, u64)>>) -> Self {
        let groups = groups.into_iter().map(|members| Group { members });
        Self::of(Verifier::Groups(groups.collect()))
    }

    /// All that vote under either.
    #[must_use]
    pub fn voters(&self) -> ServerSet {
        let committed = self.committed.voters();
        self.proposed
            .as_ref()
            .map_or(committed, |proposed| committed.union(&proposed.voters()))
    }

    /// Whether these servers are a quorum of both.
    #[must_use]
    pub fn is_quorum(&self, servers: &ServerSet) -> bool {
        self.committed.is_quorum(servers)
            && self
                .proposed
                .as_ref()
                .is_none_or(|proposed| proposed.is_quorum(servers))
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use quickcheck::quickcheck;

    use super::*;

    fn set(bits: u16) -> ServerSet {
        (0..9)
            .filter(|bit| bits & (1 << bit) != 0)
            .map(ServerId)
            .collect()
    }

    /// Nine servers in three groups of any weights.
    fn groups(weights: &[u8]) -> Verifier {
        let weight = |id: i64| u64::from(weights.get(id as usize).copied().unwrap_or(1) % 4);
        let group = |first: i64| Group {
            members: (first..first + 3)
                .map(|id| (ServerId(id), weight(id)))
                .collect(),
        };
        Verifier::Groups(Vec::from([group(0), group(3), group(6)]))
    }

    quickcheck! {
        // spec: QP-CFG-04. What two quorums have in common carries every promise over.
        fn majorities_meet(voters: u16, a: u16, b: u16) -> bool {
            let verifier = Verifier::Majority { voters: set(voters) };
            let (a, b) = (set(a), set(b));
            let both = verifier.is_quorum(&a) && verifier.is_quorum(&b);
            !both || !a.intersection(&b).intersection(&verifier.voters()).is_empty()
        }

        // spec: QP-CFG-05.
        fn weighted_groups_meet(weights: Vec<u8>, a: u16, b: u16) -> bool {
            let verifier = groups(&weights);
            let (a, b) = (set(a), set(b));
            let both = verifier.is_quorum(&a) && verifier.is_quorum(&b);
            let weighing = |set: ServerSet| set.iter().any(|id| verifier.weight(id) > 0);
            !both || weighing(a.intersection(&b))
        }

        // spec: QP-CFG-07.
        fn a_joint_quorum_meets_quorums_of_both(old: u16, new: u16, joint: u16, other: u16) -> bool {
            let of = |voters| Verifier::Majority { voters: set(voters) };
            let quorums = Quorums { committed: of(old), proposed: Some(of(new)) };
            let (joint, other) = (set(joint), set(other));
            if !quorums.is_quorum(&joint) {
                return true;
            }
            let meets = |verifier: Verifier| {
                !verifier.is_quorum(&other) || !joint.intersection(&other).is_empty()
            };
            meets(of(old)) && meets(of(new))
        }

        fn more_servers_never_break_a_quorum(weights: Vec<u8>, a: u16, b: u16) -> bool {
            let verifier = groups(&weights);
            !verifier.is_quorum(&set(a)) || verifier.is_quorum(&set(a | b))
        }
    }

    // spec: CP-CFG-23.
    #[test]
    fn half_is_no_majority() {
        let four = Verifier::majority([1, 2, 3, 4].map(ServerId));
        assert!(!four.is_quorum(&[1, 2].map(ServerId).into_iter().collect()));
        assert!(four.is_quorum(&[1, 2, 4].map(ServerId).into_iter().collect()));
        // Whoever does not vote adds nothing.
        assert!(!four.is_quorum(&[1, 2, 9].map(ServerId).into_iter().collect()));
    }

    // spec: QP-CFG-05. A group that weighs nothing is not counted among the groups.
    #[test]
    fn weightless_groups_do_not_count() {
        let group = |ids: [i64; 2], weight| Group {
            members: ids.map(|id| (ServerId(id), weight)).into(),
        };
        let verifier =
            Verifier::Groups([group([1, 2], 1), group([3, 4], 0), group([5, 6], 1)].into());
        assert!(!verifier.is_quorum(&[1, 2, 3, 4].map(ServerId).into_iter().collect()));
        assert!(verifier.is_quorum(&[1, 2, 5, 6].map(ServerId).into_iter().collect()));
        // One of two is not more than half of the group's weight.
        assert!(!verifier.is_quorum(&[1, 5, 6].map(ServerId).into_iter().collect()));
        // However many weigh nothing.
        let one = Verifier::Groups([group([1, 2], 1), group([3, 4], 0), group([5, 6], 0)].into());
        assert!(one.is_quorum(&[1, 2].map(ServerId).into_iter().collect()));
    }
}
