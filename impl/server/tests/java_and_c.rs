//! Apache's Java and C clients, through a session's whole life, against our server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::path::Path;
use std::process::Command;

use harness::scripted::{compiled, run_scripted};
use harness::{Server, apache, client_file};

async fn against_ours(folder: &Path, command: Command) {
    let server = Server::vivarium(folder);
    run_scripted(command, server.address()).await;
}

// spec: CP-CON-25, CP-CON-27, CP-WAT-40, CP-WAT-42, CP-WAT-44, CP-JUT-05
#[tokio::test]
async fn java() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = apache("3.9.5");
    command.arg("java").arg(client_file("Session.java"));
    against_ours(folder.path(), command).await;
}

/// The release before: what has changed since must not disturb it.
// spec: CP-CON-25, CP-WAT-31
#[tokio::test]
async fn java_3_8() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = apache("3.8.0");
    command.arg("java").arg(client_file("Session.java"));
    against_ours(folder.path(), command).await;
}

// spec: CP-CON-25, CP-CON-27, CP-OP-02, CP-WAT-40, CP-WAT-42
#[tokio::test]
async fn c() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled(folder.path());
    against_ours(folder.path(), Command::new(program)).await;
}
