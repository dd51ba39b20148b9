//! The exhaustive runs of every push: complete, nothing violated, and the counts pinned. A changed count is a changed
//! protocol or a changed environment, and the commit says which. spec: FT-NET-19 (every step of every phase)
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use zab_checker::catalogue::{self, Job};
use zab_checker::counterexample::Counterexample;
use zab_checker::results::Record;
use zab_checker::run::{Extent, Limits, Outcome, Subject, search};
use zab_checker::runs;
use zab_checker::setup::{Bounds, Setup};

struct Count;

impl Job for Count {
    type Output = Outcome<String>;

    fn run<S: Subject>(self, subject: S) -> Outcome<String> {
        let outcome = search(&subject, &Limits::default(), &|_, _| ());
        Outcome {
            extent: outcome.extent,
            unique: outcome.unique,
            generated: outcome.generated,
            depth: outcome.depth,
            seconds: outcome.seconds,
            peak_memory_mb: outcome.peak_memory_mb,
            violation: None,
            reached: outcome.reached,
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

/// Asserts that a run is complete, has this many states, and reached all that it must.
fn complete(name: &str, unique: usize) {
    let setup = setup(name);
    let outcome = catalogue::with(&setup, Count).unwrap();
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

// The rules that leave interleavings out give the same verdict as the search without them.
#[test]
fn reductions_do_not_change_the_verdict() {
    let bounds = Bounds::new(1, 1, 1, 0);
    let reduced = catalogue::with(
        &Setup {
            bounds,
            ..setup("G1")
        },
        Count,
    )
    .unwrap();
    let whole = catalogue::with(
        &Setup {
            bounds,
            reduced: false,
            ..setup("G1")
        },
        Count,
    )
    .unwrap();
    assert_eq!(
        (reduced.extent, whole.extent),
        (Extent::Complete, Extent::Complete)
    );
    assert!(whole.unique > reduced.unique);
    let within = |it| reduced.reached.contains(it);
    assert!(whole.reached.iter().all(within));
}
