//! The suite against real servers: Apache ZooKeeper, which is right by definition, and ours.
//! Apache's come from `conformance/peers/setup.sh`.
#![allow(
    clippy::expect_used,
    reason = "helpers of tests: a failed expectation is a failed test"
)]

mod harness;

use std::path::Path;
use std::process::Command;

use harness::{SET_UP, SUITE, Server, start, start_with, top};
use zk_conformance::outcome::{Outcome, RunResult};

fn apache(release: &str) -> Server {
    let mut command = Command::new(top().join("conformance/peers/run-apache.sh"));
    command.args([release, "config"]);
    start(command)
}

fn ours() -> Server {
    start(our_program())
}

/// Ours is another package's program: built here, because cargo does not.
fn our_program() -> Command {
    let built = Command::new(env!("CARGO"))
        .args(["build", "-q", "-p", "zk-server", "--bin", "vivarium"])
        .current_dir(top())
        .status()
        .expect("cargo runs");
    assert!(built.success(), "zk-server does not build");
    let program = Path::new(SUITE).with_file_name("vivarium");
    // It takes no JVM options: a shell drops the last argument.
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" server \"$1\""])
        .arg(program);
    command
}

/// Runs the whole suite in another order than the files'.
fn passes(server: &Server, profile: &str, more: &[&str]) {
    let output = Command::new(SUITE)
        .args(["run", "--profile", profile, "--shuffle", "7"])
        .args(["--set-up", SET_UP, "--servers"])
        .arg(server.address.to_string())
        .args(more)
        .output()
        .expect("the suite runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}\n{text}");
}

#[test]
fn apache_3_8_0_passes() {
    passes(&apache("3.8.0"), "3.8.0", &[]);
}

#[test]
fn apache_3_9_5_passes() {
    passes(&apache("3.9.5"), "3.9.5", &[]);
}

#[test]
fn ours_passes_and_answers_random_requests_as_apache_does() {
    let (ours, apache) = (ours(), apache("3.9.5"));
    passes(&ours, "3.9.5", &["--hazardous"]);
    answers_alike(&apache, &ours, 5000, &[]);
}

/// A server that says how few connections it allows is spared what needs more, and only that.
#[test]
fn too_few_connections_are_a_precondition() {
    let server = start_with(our_program(), |lines| {
        lines.push("maxClientCnxns=20".to_owned());
    });
    let dir = tempfile::tempdir().expect("a folder");
    let report = dir.path().join("report.json");
    let output = Command::new(SUITE)
        .args(["run", "--profile", "3.9.5", "--servers"])
        .arg(server.address.to_string())
        .args(["limits/sessions", "data/set/02"])
        .arg("--report")
        .arg(format!("json={}", report.display()))
        .output()
        .expect("the suite runs");
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read_to_string(&report).expect("a report");
    let run: RunResult = serde_json::from_str(&text).expect("the report parses");
    let found: Vec<(&str, Outcome)> = run
        .results
        .iter()
        .map(|case| (case.id.as_str(), case.outcome))
        .collect();
    let wanted = [
        ("data/set/02", Outcome::Pass),
        ("limits/sessions/01", Outcome::Precondition),
    ];
    assert_eq!(found, wanted);
}

/// Every op of Debian's 3.8.0 is compared. What it does otherwise than 3.9 is left out where the two meet, and there
/// alone (all of it is compared with 3.9.5):
/// - its answers to exists (CP-PRE-15) and checkWatches (CP-WAT-54), its events without zxid (CP-WAT-31): `--left-is-3-8`
///   says which pairs of answers count as alike;
/// - an exists that it does not refuse leaves a watch: no exists watches where ACLs refuse READ;
/// - one watch a path and table (CP-WAT-07): one-time, persistent and recursive watches by themselves;
/// - removeWatches of persistent watches (CP-WAT-51): of all kinds at once, and no kinds 4 and 5, which it does not know.
#[test]
fn ours_answers_random_requests_as_debians_apache_does() {
    const UNREADABLE: [&str; 3] = [
        "acl=[30@world:anyone]",
        "acl=[31@auth:]",
        "acl=[31@digest:user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=]",
    ];
    let unknown = ["type=4", "type=5"];
    let half = [
        "type=1",
        "type=2",
        "watch=true",
        "setWatches",
        "setWatches2",
    ];
    let one_time = ["addWatch", "persistent"];
    let (apache, ours) = (apache("3.8.0"), ours());
    let alike = |ops, skip: &[&[&str]]| {
        let skip = [&["--left-is-3-8"], &unknown[..], &skip.concat()].concat();
        answers_alike(&apache, &ours, ops, &skip);
    };
    alike(5000, &[&one_time, &["exists watch=true"]]);
    alike(1500, &[&one_time, &UNREADABLE]);
    alike(1500, &[&half, &["mode=1"]]);
    alike(1500, &[&half, &["mode=0"]]);
}

/// Sends both the same random requests. `skip` is what `--skip` takes, and flags.
fn answers_alike(apache: &Server, ours: &Server, ops: usize, skip: &[&str]) {
    let (flags, skip): (Vec<_>, Vec<_>) = skip
        .iter()
        .copied()
        .partition(|word| word.starts_with("--"));
    let output = Command::new(SUITE)
        .args(["diff", "--seed", "5", "--ops", &ops.to_string()])
        .args(["--skip", &skip.join(",")])
        .args(flags)
        .arg("--left")
        .arg(apache.address.to_string())
        .arg("--right")
        .arg(ours.address.to_string())
        .output()
        .expect("the suite runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}
