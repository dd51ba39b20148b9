//! Mutants: stored counterexamples still violate what they were stored for, and some are hunted afresh.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use zab_checker::catalogue::{self, Job};
use zab_checker::counterexample::Counterexample;
use zab_checker::run::{Extent, Limits, Subject, search_shortest};

struct Again(Counterexample);

impl Job for Again {
    type Output = bool;

    fn run<S: Subject>(self, subject: S) -> bool {
        let replay = self.0.replay(&subject).unwrap();
        self.0.still_violates(&replay.violated)
    }
}

#[test]
fn stored_counterexamples_still_violate() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/counterexamples");
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stored: Counterexample =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let setup = stored.setup.clone();
        assert!(
            catalogue::with(&setup, Again(stored)).unwrap(),
            "{}",
            path.display()
        );
        replayed += 1;
    }
    assert!(replayed >= 20, "only {replayed} counterexamples are stored");
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
        "M39", "M40",
    ];
    for mutant in catalogue::mutants()
        .into_iter()
        .filter(|it| wanted.contains(&it.id))
    {
        assert_eq!(
            catalogue::with(&mutant.setup, Hunt).unwrap(),
            [mutant.property],
            "{}",
            mutant.id
        );
    }
}
