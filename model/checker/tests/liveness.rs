//! Where states lead when nothing more goes wrong (L1 to L5), walks beyond all bounds, and wiped directories.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use zab::Production;
use zab_checker::catalogue::{self, Job};
use zab_checker::ensemble::Ensemble;
use zab_checker::run::{Extent, Limits, Subject, search, search_shortest};
use zab_checker::runs;
use zab_checker::setup::{Bounds, Granularity, Setup};
use zab_checker::walk::walk;

/// What a search violates first, or none if it is complete.
struct Search;

impl Job for Search {
    type Output = Vec<&'static str>;

    fn run<S: Subject>(self, subject: S) -> Vec<&'static str> {
        let outcome = search(&subject, &Limits::default(), &|_, _| ());
        assert_ne!(
            outcome.violation.is_none(),
            outcome.extent != Extent::Complete
        );
        outcome.violation.map_or(Vec::new(), |it| it.properties)
    }
}

/// The nearest violation. Where a history is lost some servers come and go for ever, each time over a new connection:
/// only breadth first is sure to end.
struct Nearest;

impl Job for Nearest {
    type Output = Vec<&'static str>;

    fn run<S: Subject>(self, subject: S) -> Vec<&'static str> {
        let outcome = search_shortest(&subject, &Limits::default(), &|_, _| ());
        outcome.violation.map_or(Vec::new(), |it| it.properties)
    }
}

fn g1(bounds: Bounds) -> Setup {
    Setup {
        followed_one_in: 16,
        ..Setup::new(Granularity::G1, bounds)
    }
}

fn found(setup: &Setup) -> Vec<&'static str> {
    catalogue::with(setup, Search).unwrap()
}

#[test]
fn every_state_leads_to_agreement() {
    assert!(found(&g1(Bounds::new(2, 1, 0, 1))).is_empty());
    assert!(found(&g1(Bounds::new(1, 1, 1, 0))).is_empty());
}

#[test]
fn a_learner_that_is_never_level_is_stuck() {
    let mutant = g1(Bounds::new(1, 1, 0, 1)).mutated("M19", "L1");
    assert_eq!(found(&mutant), ["L1"]);
}

#[test]
fn a_commit_without_a_quorum_leads_a_quorum_astray() {
    let mutant = g1(Bounds::new(1, 1, 0, 0)).mutated("M20", "L4");
    assert_eq!(found(&mutant), ["L4"]);
}

// No state is followed by chance here, only those in which nothing can happen any more.
#[test]
fn a_dead_end_is_followed() {
    let end = |setup| Setup {
        followed_one_in: u64::MAX,
        ..setup
    };
    let mutant = end(g1(Bounds::new(1, 1, 0, 1)).mutated("M19", "L2"));
    assert_eq!(found(&mutant), ["L2"]);
}

// L3: with all up and no faults, in how many steps there is a leader that serves all and commits.
#[test]
fn servers_that_start_have_a_leader_soon() {
    let steps = |granularity, servers| {
        let setup = Setup {
            servers,
            ..Setup::new(granularity, Bounds::new(0, 0, 0, 0))
        };
        Ensemble::new(setup, Production).first_leader().unwrap()
    };
    let found = [
        steps(Granularity::G1, 3),
        steps(Granularity::G3, 3),
        steps(Granularity::G3, 5),
    ];
    assert_eq!(found, [33, 43, 97]);
}

struct Walks {
    seeds: u64,
}

impl Job for Walks {
    type Output = Vec<String>;

    fn run<S: Subject>(self, subject: S) -> Vec<String> {
        for seed in 0..self.seeds {
            let walked = walk(&subject, seed, 20_000);
            assert_eq!(walked.steps, 20_000, "seed {seed}");
            let violated = walked.violation.map(|it| it.properties);
            assert_eq!(violated, None, "seed {seed}");
        }
        zab_checker::results::ids(subject.reached())
    }
}

fn named(name: &str) -> Setup {
    let mut all = runs::named().into_iter();
    all.find(|it| it.name == name).unwrap().setup
}

// Votes, timers, five crashes and five breaks a walk. Every situation of servers that vote is met. A lower
// epoch (R17) is refused in searches with an oracle, which sends servers back to leaders of the past; all are down at
// once (R18) in G0-down.
#[test]
fn walks_of_whole_servers_hold_and_end_well() {
    let reached = catalogue::with(&named("G3"), Walks { seeds: 20 }).unwrap();
    let missing: Vec<String> = (1..=25)
        .filter(|number| ![7, 17, 18].contains(number))
        .map(|number| format!("R{number}"))
        .filter(|id| !reached.contains(id))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

// spec: F6. Votes of five, one of whom restarts, are too many to exhaust; some walks leave two leaders, one of them alone.
#[test]
fn walks_of_five_voters_hold() {
    let setup = Setup {
        servers: 5,
        ..named("G2")
    };
    let reached = catalogue::with(&setup, Walks { seeds: 20 }).unwrap();
    assert!(reached.contains(&"R14".to_owned()), "{reached:?}");
}

// spec: F3. Epoch, zxid and id decide: 27 ways to hand out three histories. Who meets a more recent follower gives up, so
// rounds have no end, and this is walked.
#[test]
fn walks_of_voters_with_different_histories_hold() {
    let setup = Setup {
        histories: true,
        ..named("G2")
    };
    let reached = catalogue::with(&setup, Walks { seeds: 10 }).unwrap();
    for id in ["R2", "R23", "R24", "R25"] {
        assert!(reached.contains(&id.to_owned()), "{reached:?}");
    }
}

struct Twice;

impl Job for Twice {
    type Output = ();

    fn run<S: Subject>(self, subject: S) {
        let (once, again) = (walk(&subject, 7, 5000), walk(&subject, 7, 5000));
        assert_eq!((once.steps, once.walks), (again.steps, again.walks));
        assert_eq!(
            once.violation.as_ref().map(|it| &it.actions),
            again.violation.as_ref().map(|it| &it.actions)
        );
        assert!(once.violation.is_some());
    }
}

// A mutant's walk ends in a violation, and the seed says in which.
#[test]
fn a_seed_means_one_walk() {
    let setup = Setup {
        mutant: Some("M36".to_owned()),
        ..named("G3")
    };
    catalogue::with(&setup, Twice).unwrap();
}

// spec: DF-REC-05. An emptied server abstains until a leader has brought it level, so nothing is lost.
#[test]
fn a_wiped_server_loses_nothing() {
    assert!(found(&wiped(false)).is_empty());
}

// The same with an `initialize` file left behind: a server that has forgotten its promises votes, and a committed
// transaction is lost.
#[test]
fn a_wiped_server_that_votes_loses_transactions() {
    let setup = Setup {
        judged: vec!["S14".to_owned()],
        ..wiped(true)
    };
    assert_eq!(catalogue::with(&setup, Nearest).unwrap(), ["S14"]);
}

fn wiped(initialize: bool) -> Setup {
    Setup {
        wipes: 1,
        initialize,
        ..Setup::new(Granularity::G0, Bounds::new(2, 1, 1, 0))
    }
}
