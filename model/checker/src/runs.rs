//! The configurations that `check` knows by name: those of every push, those run by recipe, and those for simulation.

use crate::setup::{Bounds, Granularity, Setup};

/// When a configuration is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Tier {
    /// At every push, by the tests.
    Push,
    /// By recipe, within limits of time and memory.
    Deep,
    /// Never to its end: random walks alone.
    Walk,
}

/// A configuration with a name.
pub struct Named {
    pub name: &'static str,
    pub tier: Tier,
    pub setup: Setup,
    pub about: &'static str,
}

/// All of them.
pub fn named() -> Vec<Named> {
    let mut all = push();
    all.extend(deep());
    all.push(Named {
        name: "G3",
        tier: Tier::Walk,
        setup: Setup {
            timeouts: 4,
            reduced: false,
            ..Setup::new(Granularity::G3, Bounds::new(0, 20, 5, 5))
        },
        about: "everything real; for simulation",
    });
    all
}

fn push() -> Vec<Named> {
    let push = |name, setup, about| Named {
        name,
        tier: Tier::Push,
        setup,
        about,
    };
    vec![
        push(
            "G0",
            oracle(Granularity::G0, Bounds::new(2, 2, 1, 1), &[]),
            "election and discovery in one step",
        ),
        push(
            "G1",
            oracle(Granularity::G1, Bounds::new(2, 2, 1, 1), &[]),
            "oracle election, the rest real",
        ),
        push(
            "G0-down",
            Setup {
                reduced: false,
                expected: vec![1, 18],
                ..Setup::new(Granularity::G0, Bounds::new(1, 0, 3, 0))
            },
            "crashed servers stay down, all of them at once too",
        ),
        push(
            "G0-wiped",
            Setup {
                wipes: 1,
                expected: vec![1, 2, 6],
                ..Setup::new(Granularity::G0, Bounds::new(2, 1, 1, 0))
            },
            "a directory is emptied, and its server abstains until it is level",
        ),
        push(
            "G0-opening",
            Setup {
                opening_txn: true,
                ..oracle(Granularity::G0, Bounds::new(2, 0, 1, 1), &[])
            },
            "leaders serve only after a first txn of their epoch (QP-INT-02)",
        ),
        push(
            "G0-unwritten",
            Setup {
                acks_unwritten: true,
                opening_txn: true,
                judged: vec!["S27".to_owned()],
                ..oracle(Granularity::G0, Bounds::new(2, 0, 1, 1), &[])
            },
            "the same, of followers that acknowledge NEWLEADER before they have written what it ends",
        ),
        push(
            "G1-java",
            Setup {
                java: true,
                expected: vec![1, 2, 4, 5, 7, 19, 21, 22],
                ..Setup::new(Granularity::G1, Bounds::new(1, 2, 0, 1))
            },
            "leaders do as Java's: COMMITs between NEWLEADER and UPTODATE",
        ),
        push(
            "G1-timers",
            Setup {
                timeouts: 1,
                expected: vec![1, 2, 8, 21],
                ..Setup::new(Granularity::G1, Bounds::new(2, 1, 0, 0))
            },
            "one timer fires although nothing is lost",
        ),
        push(
            "G1-counter",
            Setup {
                counter_limit: 1,
                expected: vec![1, 2, 3, 21],
                ..Setup::new(Granularity::G1, Bounds::new(2, 2, 0, 0))
            },
            "an epoch has room for one txn, the next takes a new epoch",
        ),
        push(
            "G1-sync",
            Setup {
                asks: 1,
                expected: vec![1, 2, 14, 21, 30],
                ..Setup::new(Granularity::G1, Bounds::new(2, 1, 0, 1))
            },
            "a client asks any server for a sync",
        ),
        push(
            "G1-observer",
            Setup {
                servers: 4,
                observers: 1,
                expected: vec![1, 2, 4, 21, 22],
                ..Setup::new(Granularity::G1, Bounds::new(1, 1, 0, 0))
            },
            "three voters and an observer",
        ),
        push(
            "G0-groups",
            Setup {
                servers: 5,
                groups: vec![2, 2, 1],
                queued_disk: false,
                half_open: false,
                expected: vec![1, 2, 4, 21, 22],
                ..Setup::new(Granularity::G0, Bounds::new(1, 1, 0, 0))
            },
            "five voters in three groups: two groups decide, each by more than half of its members",
        ),
        push(
            "GC-pairs",
            Setup {
                bounds: Bounds::new(0, 1, 1, 1),
                ..clients()
            },
            "clients of one operation, each against every other and itself",
        ),
        push(
            "G2",
            votes(3, 1, &[1, 14, 21, 23, 24, 25]),
            "votes alone, one restart; what follows an election is one step",
        ),
        push(
            "GC",
            clients(),
            "clients: sessions, sync, watches, retries; six pairs of scripts of two operations",
        ),
    ]
}

fn deep() -> Vec<Named> {
    let deep = |name, setup, about| Named {
        name,
        tier: Tier::Deep,
        setup,
        about,
    };
    // Such writes have no tail to lose, and links with one end no late frames.
    let whole = |granularity, bounds| Setup {
        queued_disk: false,
        half_open: false,
        ..oracle(granularity, bounds, &[11, 12, 15])
    };
    let (g0, g1) = (Granularity::G0, Granularity::G1);
    let elections = Bounds::new(4, 2, 1, 3);
    let five = Bounds::new(2, 1, 1, 1);
    vec![
        deep(
            "G0-3222",
            whole(g0, Bounds::new(3, 2, 2, 2)),
            "three elections, writes done at once",
        ),
        deep(
            "G1-3222",
            whole(g1, Bounds::new(3, 2, 2, 2)),
            "three elections, writes done at once",
        ),
        deep(
            "G0-3221",
            oracle(g0, Bounds::new(3, 2, 2, 1), &[]),
            "three elections, queued disk",
        ),
        deep(
            "G1-3221",
            oracle(g1, Bounds::new(3, 2, 2, 1), &[]),
            "three elections, queued disk",
        ),
        deep("G0-4213", whole(g0, elections), "elections-heavy"),
        deep("G1-4213", whole(g1, elections), "elections-heavy"),
        deep(
            "G0-five",
            Setup {
                servers: 5,
                ..with_one_txn(whole(g0, five))
            },
            "five servers",
        ),
        deep(
            "G1-five",
            Setup {
                servers: 5,
                ..with_one_txn(whole(g1, five))
            },
            "five servers",
        ),
        deep(
            "G2-restarts",
            votes(3, 2, &[1, 14, 21, 23, 24, 25]),
            "votes alone, two restarts",
        ),
        deep(
            "G2-five",
            votes(5, 0, &[1, 21, 23, 25]),
            "votes alone, five servers with fixed first votes",
        ),
        deep(
            "GC-all",
            Setup {
                all_scripts: true,
                ..clients()
            },
            "clients: every pair of scripts of two operations",
        ),
    ]
}

/// R18 needs servers that stay down (see `Setup::stays_down`): G0-down has them. R7 needs leaders that send COMMITs between
/// NEWLEADER and UPTODATE, which ours hold back (QP-INT-03): G1-java has them.
const ORACLE: [u8; 20] = [
    1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22,
];

fn oracle(granularity: Granularity, bounds: Bounds, beyond: &[u8]) -> Setup {
    let within = ORACLE.into_iter().filter(|it| !beyond.contains(it));
    Setup {
        expected: within.collect(),
        ..Setup::new(granularity, bounds)
    }
}

/// One txn is of one epoch, and needs no snapshot.
fn with_one_txn(mut setup: Setup) -> Setup {
    setup.expected.retain(|it| ![3, 6].contains(it));
    setup
}

fn votes(servers: u8, restarts: u8, expected: &[u8]) -> Setup {
    Setup {
        servers,
        half_open: false,
        expected: expected.to_vec(),
        ..Setup::new(Granularity::G2, Bounds::new(0, 0, restarts, 0))
    }
}

pub(crate) fn clients() -> Setup {
    Setup {
        servers: 2,
        ..Setup::new(Granularity::GC, Bounds::new(0, 2, 1, 1))
    }
}
