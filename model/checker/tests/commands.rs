//! The command line: what it refuses, what it prints of a run, and that it says no more than a run showed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Output};

use serde_json::Value;
use zab_checker::catalogue::properties_of;
use zab_checker::setup::Granularity;

fn checker(line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zab-checker"));
    command.args(line.split(' ')).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn what_cannot_be_run_is_refused() {
    for (line, why) in [
        ("check G1 --judged S99", "S99: G1 judges no such property"),
        ("check G1 --judged F1", "F1: G1 judges no such property"),
        ("check G1 --judged L3", "L3: G1 judges no such property"),
        ("check GC --judged S14", "S14: GC judges no such property"),
        ("check G1 --mutant M32", "M32 is no mutant of the core"),
        ("check G1 --servers 7", "7 servers"),
        ("check G1 --servers 0", "0 servers"),
        ("check G1 --bounds 10,0,0,0", "at most 9 elections"),
        ("check G1 --initialize", "wiped directories"),
        ("check G2 --bounds 1,1,0,0", "0,0,crashes,0"),
        ("check G2 --followed-one-in 4", "follows no states"),
        ("check GC --servers 5", "two replicas"),
        ("check GC --bounds 7,9,0,0", "no elections"),
        ("check GC --wipes 1", "no servers whose directories"),
        ("check GC --followed-one-in 4", "follows no states"),
        ("simulate G3 --seed 1 --steps 9 --servers 9", "9 servers"),
        ("mutants M0", "M0: no such mutant"),
    ] {
        let output = checker(line);
        let why_not = String::from_utf8(output.stderr.clone()).unwrap();
        assert!(why_not.contains(why), "{line}: {why_not}");
        assert!(!why_not.contains("panicked"), "{line}: {why_not}");
        assert!(!output.status.success(), "{line}");
        assert_eq!(said(&output), "", "{line}");
    }
}

// A run without demands may have seen nothing, so nothing is verified by it.
#[test]
fn a_run_says_no_more_than_it_showed() {
    let all = properties_of(Granularity::G0).len();
    let no_demands = format!("nothing violated: {all} properties judged, no situations demanded");
    let whole = format!(
        "verified within these bounds: {all} properties judged, 2 situations demanded and reached"
    );
    for (line, last) in [
        ("check G0 --bounds 0,0,0,0", no_demands.as_str()),
        (
            "check G0-down --judged S14",
            "nothing violated: 1 properties judged, no situations demanded",
        ),
        (
            "check G0 --bounds 1,0,0,0 --mutant M36 --judged S20",
            "nothing violated: 1 properties judged, no situations demanded; M36 survives",
        ),
        ("check G0-down", whole.as_str()),
    ] {
        let output = checker(line);
        let said = said(&output);
        assert!(
            said.trim_end().lines().any(|it| it.trim() == last),
            "{line}: {said}"
        );
        assert!(output.status.success(), "{line}");
    }
    let record: Value =
        serde_json::from_slice(&checker("check G0 --bounds 0,0,0,0 --json").stdout).unwrap();
    assert_eq!(record["verified"], false);
}

#[test]
fn a_run_prints_everything_that_decided_it() {
    let output = said(&checker("check G0 --bounds 1,1,0,0 --java"));
    for part in [
        "G0: G0, 3 servers, bounds 1,1,0,0",
        "timeouts 0",
        "wipes 0",
        "disk queued",
        "links half-open",
        "oracle any",
        "window 500",
        "counter limit 4294967295",
        "Java leaders yes",
        "reductions yes",
        "states followed 1 in 1024",
        "symmetry yes",
        "mutant none",
        "judged: S1 S2",
        "P(collision)",
        "reached: R1",
        "arms never taken: in discovery:",
    ] {
        assert!(output.contains(part), "{part} in\n{output}");
    }
    let clients = said(&checker("check GC --states 500"));
    assert!(clients.contains("2 clients of 2 operations"), "{clients}");
    assert!(clients.contains("arms of the core: none"), "{clients}");
    let votes = said(&checker("check G2 --states 500"));
    assert!(votes.contains("votes never heard: "), "{votes}");
}

// The form that others read: an array, one object for each mutant.
#[test]
fn the_kill_table_has_a_form() {
    let output = checker("mutants M2 m58 --json");
    assert!(output.status.success());
    let table: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let ids: Vec<&Value> = table.iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, ["M2", "M58"]);
    for kill in &table {
        assert_eq!(kill["killed"], true);
        assert!(kill["property"].is_string());
        assert!(kill["depth"].as_u64().unwrap() > 0);
        assert!(kill["states"].as_u64().unwrap() > 0);
        assert!(kill["seconds"].is_number());
    }
}

#[test]
fn a_mutant_that_survives_fails_the_table() {
    let output = checker("mutants M36 M2 --bounds 1,0,0,0 --json");
    assert_eq!(output.status.code(), Some(1));
    let table: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let survivor = table.iter().find(|it| it["id"] == "M36").unwrap();
    assert_eq!(survivor["killed"], false);
    assert_eq!(survivor["depth"], Value::Null);
    let output = said(&checker("mutants M36 --bounds 1,0,0,0"));
    assert!(output.contains("SURVIVES"), "{output}");
}
