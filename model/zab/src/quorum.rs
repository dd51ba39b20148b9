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
    /// More than half of the voters (spec: QP-CFG-04).
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
