//! The client's examples do what they say, on our server and on Apache's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::path::PathBuf;
use std::process::Command;

use harness::{Kind, Server, repository, run};

const EXAMPLES: [&str; 6] = [
    "naming",
    "config_push",
    "queue",
    "locks",
    "membership",
    "election",
];

#[test]
fn examples_run_on_both_servers() {
    let programs = build();
    for kind in [Kind::Vivarium, Kind::Apache("3.9.5")] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(kind, folder.path(), "");
        for example in EXAMPLES {
            println!("{example} on {kind:?}");
            run(Command::new(programs.join(example)).arg(server.address()));
        }
    }
}

/// Builds the examples beside this test, with its profile, and answers their folder.
fn build() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let profile = deps.ancestors().nth(2).unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--quiet",
        "--locked",
        "-p",
        "zk-client",
        "--examples",
    ]);
    cargo.arg("--target-dir").arg(profile.parent().unwrap());
    if profile.ends_with("release") {
        cargo.arg("--release");
    }
    run(cargo.current_dir(repository("")));
    profile.join("examples")
}
