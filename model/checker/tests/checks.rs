//! The exhaustive runs of every push: complete, nothing violated, and the counts pinned. A changed count is a changed
//! protocol or a changed environment, and the commit says which. spec: FT-NET-19 (every step of every phase)
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use zab_checker::catalogue::{self, Job};
use zab_checker::counterexample::Counterexample;
use zab_checker::results::Record;
use zab_checker::run::{Extent, Limits, Outcome, Subject, search};
use zab_checker::runs;
use zab_checker::setup::{Bounds, Setup};

struct Count {
    symmetry: bool,
}

impl Job for Count {
    type Output = Outcome<String>;

    fn run<S: Subject>(self, subject: S) -> Outcome<String> {
        let limits = Limits {
            symmetry: self.symmetry,
            ..Limits::default()
        };
        let outcome = search(&subject, &limits, &|_, _| ());
        Outcome {
            extent: outcome.extent,
            unique: outcome.unique,
            generated: outcome.generated,
            depth: outcome.depth,
            seconds: outcome.seconds,
            peak_memory_mb: outcome.peak_memory_mb,
            violation: None,
            reached: outcome.reached,
            demanded: outcome.demanded,
            missing: outcome.missing,
        }
    }
}

fn setup(name: &str) -> Setup {
    runs::named()
        .into_iter()
        .find(|it| it.name == name)
        .unwrap()
        .setup
}

fn counted(setup: &Setup, symmetry: bool) -> Outcome<String> {
    catalogue::with(setup, Count { symmetry }).unwrap()
}

/// Asserts that a run is complete, has this many states, and reached all that it must.
fn complete(name: &str, unique: usize) {
    let setup = setup(name);
    let outcome = counted(&setup, true);
    assert_eq!(outcome.extent, Extent::Complete, "{setup:?}");
    assert_eq!(outcome.unique, unique, "{setup:?}");
    assert!(outcome.missing.is_empty(), "{:?}", outcome.missing);
    let stored = format!("{}/../results/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let stored: Record = serde_json::from_str(&std::fs::read_to_string(stored).unwrap()).unwrap();
    assert_eq!(stored.unique, unique, "{name}: store it again");
}

#[test]
fn g0_election_and_discovery_in_one_step() {
    complete("G0", 2_047_485);
}

#[test]
fn g1_oracle_election() {
    complete("G1", 7_105_892);
}

#[test]
fn g0_all_servers_down() {
    complete("G0-down", 15_123);
}

#[test]
fn g0_a_wiped_directory() {
    complete("G0-wiped", 28_595);
}

// spec: S27, QP-INT-02
#[test]
fn g0_leaders_open_with_a_first_txn() {
    complete("G0-opening", 339_715);
}

// spec: S27, QP-INT-02
#[test]
fn g0_followers_acknowledge_what_they_have_not_written() {
    complete("G0-unwritten", 377_560);
}

#[test]
fn g2_votes_and_a_restart() {
    complete("G2", 3_886_498);
}

#[test]
fn gc_clients() {
    complete("GC", 4_049_997);
}

#[test]
fn g1_leaders_as_java_s() {
    complete("G1-java", 136_726);
}

#[test]
fn g1_a_timer_fires() {
    complete("G1-timers", 32_614);
}

#[test]
fn g1_counters_run_out() {
    complete("G1-counter", 13_910);
}

#[test]
fn g1_a_sync() {
    complete("G1-sync", 260_491);
}

#[test]
fn g1_an_observer() {
    complete("G1-observer", 11_358);
}

#[test]
fn g0_groups() {
    complete("G0-groups", 42_102);
}

#[test]
fn gc_every_operation_against_every_other() {
    complete("GC-pairs", 162_919);
}

struct Refused;

impl Job for Refused {
    type Output = String;

    fn run<S: Subject>(self, subject: S) -> String {
        let stored = include_str!("paths/sync_after_own_close.json");
        let mut stored: Counterexample = serde_json::from_str(stored).unwrap();
        let refused = stored.replay(&subject).unwrap_err().to_string();
        // As long as nothing of the session's own is applied, all is well.
        stored.actions.truncate(9);
        assert!(stored.replay(&subject).unwrap().violated.is_empty());
        refused
    }
}

// spec: CP-ORD-01, K3. A server that applied a session's close first would answer the sync that the session asked
// before with a later zxid than the close.
#[test]
fn a_session_is_answered_before_its_next_write_is_applied() {
    let refused = catalogue::with(&setup("GC-all"), Refused).unwrap();
    assert!(refused.starts_with("step 10 is not possible"), "{refused}");
}

/// G1 with every kind of budget but breaks.
fn small() -> Setup {
    Setup {
        bounds: Bounds::new(2, 1, 1, 0),
        ..setup("G1")
    }
}

// The rules that leave interleavings out give the same verdict, and the same situations, as the search without them.
#[test]
fn reductions_do_not_change_the_verdict() {
    let reduced = counted(&small(), true);
    let whole = counted(
        &Setup {
            reduced: false,
            ..small()
        },
        true,
    );
    assert_eq!(
        (reduced.extent, whole.extent),
        (Extent::Complete, Extent::Complete)
    );
    assert!(whole.unique > reduced.unique);
    // Who is down can be seen to be down (see `Setup::stays_down`).
    let beyond = [18];
    let within = |it| reduced.reached.contains(it) || beyond.contains(&it);
    assert!(whole.reached.iter().all(within), "{:?}", whole.reached);
    assert!(reduced.reached.iter().all(|it| whole.reached.contains(it)));
}

// So does the search that takes states with other names for their servers for one.
#[test]
fn symmetry_does_not_change_the_verdict() {
    let (with, without) = (counted(&small(), true), counted(&small(), false));
    assert_eq!(
        (with.extent, without.extent),
        (Extent::Complete, Extent::Complete)
    );
    assert_eq!(with.reached, without.reached);
    // Three servers have six orders of names.
    assert!(with.unique * 6 >= without.unique);
    assert!(with.unique * 4 < without.unique);
}
