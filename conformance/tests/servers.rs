//! The suite against real servers: Apache ZooKeeper, which is right by definition, and ours.
//! Apache's come from `conformance/peers/setup.sh`.
#![allow(
    clippy::expect_used,
    reason = "helpers of tests: a failed expectation is a failed test"
)]

mod harness;

use std::path::Path;
use std::process::Command;

use harness::{SET_UP, SUITE, Server, start, top};

fn apache(release: &str) -> Server {
    let mut command = Command::new(top().join("conformance/peers/run-apache.sh"));
    command.args([release, "config"]);
    start(command)
}

/// Ours is another package's program: built here, because cargo does not.
fn ours() -> Server {
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
    start(command)
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
    answers_alike(&apache, &ours, "");
}

/// What 3.8.0 does otherwise than 3.9 is left out: events carry no zxid, removeWatches and setWatches2 do not know
/// persistent watches, exists asks for no permission.
#[test]
fn ours_answers_random_requests_as_debians_apache_does() {
    let skip = "type=4,type=5,watch=true,addWatch,setWatches,setWatches2,exists";
    answers_alike(&apache("3.8.0"), &ours(), skip);
}

/// Sends both the same 5,000 random requests.
fn answers_alike(apache: &Server, ours: &Server, skip: &str) {
    let output = Command::new(SUITE)
        .args(["diff", "--seed", "5", "--ops", "5000", "--skip", skip])
        .arg("--left")
        .arg(apache.address.to_string())
        .arg("--right")
        .arg(ours.address.to_string())
        .output()
        .expect("the suite runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
}
