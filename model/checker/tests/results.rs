//! The table of `model/README.md` is that of the stored runs, and what they say of the runs of every push is what the
//! tests find.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::Command;

use zab_checker::results::{Record, placed, table};
use zab_checker::run::Extent;
use zab_checker::runs::{self, Tier};

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn record(name: &str) -> Option<Record> {
    let path = model().join("results").join(format!("{name}.json"));
    let text = std::fs::read_to_string(path).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

fn records() -> Vec<Record> {
    runs::named()
        .iter()
        .filter_map(|it| record(it.name))
        .collect()
}

#[test]
fn the_page_shows_the_stored_runs() {
    let page = std::fs::read_to_string(model().join("README.md")).unwrap();
    let fresh = placed(&page, &table(&records())).unwrap();
    assert!(
        page == fresh,
        "run: cargo run -p zab-checker -- table model/results --write model/README.md"
    );
}

#[test]
fn every_stored_run_has_a_name_and_the_setup_of_that_name() {
    let named = runs::named();
    let files = std::fs::read_dir(model().join("results")).unwrap();
    let stored = files.filter(|it| {
        let path = it.as_ref().unwrap().path();
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    assert_eq!(stored.count(), records().len());
    for record in records() {
        let known = named.iter().find(|it| it.name == record.name).unwrap();
        assert_eq!(record.setup, known.setup, "{}", record.name);
        assert!(record.violated.is_none(), "{}", record.name);
        assert!(record.source.is_some(), "{}", record.name);
    }
}

#[test]
fn runs_of_every_push_are_stored_as_verified() {
    for named in runs::named().iter().filter(|it| it.tier == Tier::Push) {
        let record = record(named.name).unwrap();
        assert!(record.verified, "{}", named.name);
        assert_eq!(record.extent, Extent::Complete, "{}", named.name);
    }
}

fn checker(arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zab-checker"));
    command.args(arguments).output().unwrap()
}

// A run that hits a limit says so, is stored as cut, and fails.
#[test]
fn a_limit_makes_a_run_a_cut_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().to_str().unwrap();
    for (limit, extent) in [
        (["--states", "2000"], Extent::CutByStates),
        (["--memory", "1"], Extent::CutByMemory),
        (["--seconds", "0"], Extent::CutByTime),
    ] {
        let mut arguments = vec!["check", "G1", "--json", "--store", store];
        arguments.extend(limit);
        let output = checker(&arguments);
        assert!(!output.status.success());
        let printed: Record = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(printed.extent, extent);
        assert!(!printed.verified);
        let stored = std::fs::read_to_string(folder.path().join("G1.json")).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&stored).unwrap(), printed);
    }
    let page = checker(&["table", store]);
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("| G1 | G1 | 3 | 2,2,1,1 |"), "{page}");
    assert!(page.contains("cut by time"), "{page}");
}
