//! Mutants: stored counterexamples still violate what they were stored for, and some are hunted afresh.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use serde_json::Value;
use zab_checker::catalogue::{self, Job, properties_of};
use zab_checker::counterexample::Counterexample;
use zab_checker::mutated::mutants;
use zab_checker::run::Subject;
use zab_checker::setup::Granularity;

struct Again(Counterexample);

impl Job for Again {
    type Output = bool;

    fn run<S: Subject>(self, subject: S) -> bool {
        let replay = self.0.replay(&subject).unwrap();
        self.0.still_violates(&replay.violated)
    }
}

fn stored(id: &str) -> Counterexample {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/counterexamples");
    let text = std::fs::read_to_string(format!("{folder}/{id}.json"));
    serde_json::from_str(&text.unwrap_or_else(|error| panic!("{id}: {error}"))).unwrap()
}

// spec: S1. And all the others: a property that no mutant violates with all others off says nothing.
#[test]
fn every_mutant_has_a_counterexample_that_violates_its_property_alone() {
    for mutant in mutants() {
        let stored = stored(mutant.id);
        assert_eq!(stored.setup.mutant.as_deref(), Some(mutant.id));
        assert_eq!(stored.setup.judged, [mutant.property], "{}", mutant.id);
        assert_eq!(stored.violated, [mutant.property], "{}", mutant.id);
        let setup = stored.setup.clone();
        let violates = catalogue::with(&setup, Again(stored)).unwrap();
        assert!(violates, "{}", mutant.id);
    }
}

#[test]
fn every_property_has_a_mutant_of_its_own() {
    // L1 to L5 are judged by tests of their own (tests/liveness.rs).
    let all = [Granularity::G2, Granularity::GC].into_iter();
    let without: Vec<&str> = all
        .flat_map(properties_of)
        .filter(|id| !mutants().iter().any(|it| it.property == *id))
        .collect();
    assert!(without.is_empty(), "{without:?}");
    assert!(mutants().len() >= 36);
}

/// Each of these takes over ten seconds of one core; its stored counterexample is replayed above.
const LONG: [&str; 1] = ["M63"];

/// Searches afresh, by the command that makes the kill table.
fn searched(part: usize) {
    let ids = mutants().into_iter().map(|it| it.id);
    let short = ids.filter(|id| !LONG.contains(id)).enumerate();
    let mine: Vec<&str> = short
        .filter(|(place, _)| place % 2 == part)
        .map(|(_, id)| id)
        .collect();
    let mut command = Command::new(env!("CARGO_BIN_EXE_zab-checker"));
    let output = command
        .arg("mutants")
        .args(&mine)
        .arg("--json")
        .output()
        .unwrap();
    let table: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let ids: Vec<&str> = table.iter().filter_map(|it| it["id"].as_str()).collect();
    assert_eq!(ids, mine);
    for kill in &table {
        assert_eq!(kill["killed"], true, "{kill}");
    }
    assert!(output.status.success());
}

// One half a core.
#[test]
fn mutants_are_found_with_all_other_properties_off() {
    searched(0);
}

#[test]
fn the_other_mutants_are_found_with_all_other_properties_off() {
    searched(1);
}
