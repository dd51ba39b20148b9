//! Servers with a bug put back, and the first seed that finds it.
// spec: faults.md 8

use crate::plan::Plan;
use crate::summary::{Outcome, judge};
use crate::world::World;
use zk_node::{Bug, Bugs};

/// A bug, its name, and how many seeds may pass before one finds it.
#[derive(Clone, Copy, Debug)]
pub struct Hunted {
    pub bug: Bug,
    pub name: &'static str,
    pub within: u64,
}

pub const ALL: [Hunted; 6] = [
    hunted(Bug::AckBeforeFsync, "MU-01 ack before fsync", 50),
    hunted(Bug::ForgottenEpoch, "MU-03 forgotten epoch file", 2000),
    hunted(
        Bug::EphemeralWhileClosing,
        "MU-10 ephemeral of a closing session",
        500,
    ),
    hunted(
        Bug::SyncOfDeposedLeader,
        "MU-13 sync answered by a deposed leader",
        1000,
    ),
    hunted(
        Bug::ServerBehindClient,
        "MU-15 server behind its client",
        500,
    ),
    hunted(
        Bug::MoveWithoutFencing,
        "session moved without fencing",
        1000,
    ),
];

const fn hunted(bug: Bug, name: &'static str, within: u64) -> Hunted {
    Hunted { bug, name, within }
}

/// Runs and judges one seed on servers with the bug.
#[must_use]
pub fn run_spoiled(seed: u64, bug: Bug) -> Outcome {
    run_plan_spoiled(Plan::draw(seed), bug)
}

/// The same with a plan.
#[must_use]
pub fn run_plan_spoiled(plan: Plan, bug: Bug) -> Outcome {
    let mut world = World::new(plan);
    for slot in &mut world.slots {
        slot.identity.settings.bugs = Bugs::with(bug);
    }
    judge(world)
}

/// The first seed of the bug's bound that finds it.
#[must_use]
pub fn first_catch(hunted: Hunted) -> Option<Outcome> {
    (0..hunted.within)
        .map(|seed| run_spoiled(seed, hunted.bug))
        .find(|outcome| !outcome.failures.is_empty())
}
