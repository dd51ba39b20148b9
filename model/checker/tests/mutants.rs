//! Mutants: stored counterexamples still violate what they were stored for, and some are hunted afresh.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use zab_checker::catalogue::{self, Job};
use zab_checker::counterexample::Counterexample;
use zab_checker::mutated::mutants;
use zab_checker::run::{Extent, Limits, Subject, search_shortest};

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
    let named = |letter: char, count: u32| (1..=count).map(move |n| format!("{letter}{n}"));
    let all = named('S', 27).chain(named('F', 6)).chain(named('K', 10));
    let without: Vec<String> = all
        .filter(|id| !mutants().iter().any(|it| it.property == id))
        .collect();
    assert!(without.is_empty(), "{without:?}");
    assert!(mutants().len() >= 36);
}

struct Hunt;

impl Job for Hunt {
    type Output = Vec<&'static str>;

    fn run<S: Subject>(self, subject: S) -> Vec<&'static str> {
        let outcome = search_shortest(&subject, &Limits::default(), &|_, _| ());
        assert_ne!(outcome.extent, Extent::Complete, "it survives");
        outcome.violation.unwrap().properties
    }
}

#[test]
fn mutants_are_found_with_all_other_properties_off() {
    let wanted = [
        "M2", "M5", "M15", "M16", "M20", "M26", "M31", "M32", "M33", "M34", "M35", "M37", "M38",
        "M39", "M40", "M46", "M48", "M49", "M56", "M58", "M59", "M60", "M64",
    ];
    for mutant in mutants().into_iter().filter(|it| wanted.contains(&it.id)) {
        assert_eq!(
            catalogue::with(&mutant.setup, Hunt).unwrap(),
            [mutant.property],
            "{}",
            mutant.id
        );
    }
}
