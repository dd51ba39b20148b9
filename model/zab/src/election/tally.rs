//! The votes heard, and when they prove that a leader is being followed.

use alloc::vec::Vec;

use crate::Payload;
use crate::id::{Round, ServerId};
use crate::message::{Notification, ServerState, Vote};
use crate::policy::Policy;
use crate::role::Context;
use crate::set::ServerSet;

/// The newest of a server's votes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Heard {
    pub(crate) state: ServerState,
    pub(crate) vote: Vote,
    pub(crate) round: Round,
    pub(crate) version: i32,
}

impl From<&Notification> for Heard {
    fn from(n: &Notification) -> Self {
        Self {
            state: n.state,
            vote: n.vote,
            round: n.round,
            version: n.version,
        }
    }
}

impl Heard {
    /// Whether this vote says the same as a settled server's notification.
    // spec: QP-FLE-19.
    fn agrees(&self, n: &Notification) -> bool {
        if self.state == ServerState::Looking {
            return self.vote == n.vote && self.round == n.round;
        }
        let one_has_no_version = (self.version == 0) != (n.version == 0);
        self.vote.leader == n.vote.leader && (one_has_no_version || self.vote.epoch == n.vote.epoch)
    }
}

/// Votes by server, in order of id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Tally(Vec<(ServerId, Heard)>);

impl Tally {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn insert(&mut self, from: ServerId, heard: Heard) {
        match self.0.binary_search_by_key(&from, |(id, _)| *id) {
            Ok(at) => self.0[at].1 = heard,
            Err(at) => self.0.insert(at, (from, heard)),
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn rounds(&self) -> impl Iterator<Item = (ServerId, Round)> {
        self.0.iter().map(|(id, heard)| (*id, heard.round))
    }

    pub(crate) fn servers(&self, wanted: impl Fn(&Heard) -> bool) -> ServerSet {
        self.0
            .iter()
            .filter(|(_, heard)| wanted(heard))
            .map(|(id, _)| *id)
            .collect()
    }

    /// Whether a quorum agrees with a settled server's word, and the leader it
    /// names says so itself.
    // spec: QP-FLE-18. A leader that nobody heard may be long gone.
    pub(crate) fn follows<T: Payload, P: Policy>(
        &self,
        n: &Notification,
        context: &Context<'_, T, P>,
    ) -> bool {
        if !context.is_quorum(&self.servers(|heard| heard.agrees(n))) {
            return false;
        }
        if n.vote.leader == context.id {
            return n.round == context.ballot.round;
        }
        let leads = |(id, heard): &(ServerId, Heard)| {
            *id == n.vote.leader && heard.state == ServerState::Leading
        };
        self.0.iter().any(leads) || !context.policy.asks_the_leader()
    }
}
