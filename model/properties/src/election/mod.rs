//! F1-F6: fast leader election (zab-model section 7), judged on votes, on what each server has heard, and on the moment
//! at which a server stops looking.

use alloc::vec::Vec;

use zab::{Epoch, ServerId, Zxid};

use crate::{IdSet, Role};

mod f1_evidence;
mod f2_votes_improve;
mod f3_maximum_wins;
mod f4_one_leader_a_round;
mod f5_final_vote;
mod f6_joiner_ends;

/// A vote, in the order in which votes beat each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ballot {
    pub epoch: Epoch,
    pub zxid: Zxid,
    pub leader: ServerId,
}

/// The newest that a server has heard from another (or says itself).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Heard {
    pub from: ServerId,
    pub role: Role,
    pub round: u64,
    pub ballot: Ballot,
}

/// A server as election properties see it.
#[derive(Clone, Copy, Debug)]
pub struct Voter {
    pub id: ServerId,
    pub up: bool,
    pub role: Role,
    pub round: u64,
    pub ballot: Ballot,
    /// The epoch that its ensemble works in, once it takes part in one.
    pub epoch: Option<Epoch>,
}

/// What happened in a step of an election.
#[derive(Clone, Debug)]
pub enum Turn<'a> {
    /// A looking server changed its vote or its round. `counted` holds the rounds of the votes that it counts now.
    Voted {
        before: Voter,
        after: Voter,
        counted: &'a [u64],
    },
    /// A server stopped looking. `heard` holds the newest notification of each other server in this election, what it
    /// said as a settled server before if it looks again, and the server's own last vote. `first` holds the vote that each server would start with, from its disk. `own` says that
    /// it settles for what it voted for itself, in the round of that vote: it may have won by votes, and need not have
    /// joined.
    Settled {
        server: ServerId,
        role: Role,
        round: u64,
        ballot: Ballot,
        own: bool,
        heard: &'a [Heard],
        first: &'a [Ballot],
        faultless: bool,
    },
    /// A fair schedule without faults has ended, and this server should have found its ensemble: that of `leader`, who
    /// served a quorum when the schedule began.
    Ended {
        server: ServerId,
        role: Role,
        leader: ServerId,
    },
}

/// An election that was won: the evidence is the set of servers (bits in the host's order) whose votes it rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Won {
    pub round: u64,
    pub leader: ServerId,
    pub evidence: u32,
}

/// The ensemble during elections.
pub struct Poll<'a> {
    pub voters: &'a [Voter],
    pub won: &'a [Won],
    /// Whether these servers (bits in the order of `voters`) are a quorum.
    pub quorum: &'a dyn Fn(u32) -> bool,
}

impl Poll<'_> {
    /// The bit of a server; none for a stranger.
    pub fn bit(&self, id: ServerId) -> u32 {
        self.voters
            .iter()
            .position(|voter| voter.id == id)
            .map_or(0, |index| 1 << index)
    }

    pub fn mask(&self, ids: impl Iterator<Item = ServerId>) -> u32 {
        ids.fold(0, |mask, id| mask | self.bit(id))
    }
}

/// The servers whose votes `heard` gives for this outcome: looking ones that vote just so in this round, and settled
/// ones that name this leader.
pub fn evidence(poll: &Poll<'_>, round: u64, ballot: &Ballot, heard: &[Heard]) -> u32 {
    let looking = heard
        .iter()
        .filter(|it| it.role == Role::Looking && it.round == round && it.ballot == *ballot);
    let settled = heard.iter().filter(|it| settled_for(it, ballot.leader));
    poll.mask(looking.chain(settled).map(|it| it.from))
}

fn settled_for(heard: &Heard, leader: ServerId) -> bool {
    match heard.role {
        Role::Following(of) => of == leader,
        Role::Leading => heard.from == leader,
        Role::Looking | Role::Observing(_) => false,
    }
}

/// A named property of elections.
#[derive(Clone, Copy)]
pub struct ElectionInvariant {
    pub number: u8,
    pub id: &'static str,
    pub name: &'static str,
    pub statement: &'static str,
    pub state: Option<fn(&Poll<'_>) -> bool>,
    pub step: Option<fn(&Poll<'_>, &Turn<'_>) -> bool>,
}

/// The step properties that a turn violates, by number.
pub fn violated(invariants: &[ElectionInvariant], poll: &Poll<'_>, turn: &Turn<'_>) -> IdSet {
    invariants
        .iter()
        .filter(|invariant| invariant.step.is_some_and(|holds| !holds(poll, turn)))
        .map(|invariant| invariant.number)
        .collect()
}

/// All election properties, in the order of their numbers.
pub fn all() -> Vec<ElectionInvariant> {
    alloc::vec![
        f1_evidence::invariant(),
        f2_votes_improve::invariant(),
        f3_maximum_wins::invariant(),
        f4_one_leader_a_round::invariant(),
        f5_final_vote::invariant(),
        f6_joiner_ends::invariant(),
    ]
}

#[cfg(test)]
mod tests;
