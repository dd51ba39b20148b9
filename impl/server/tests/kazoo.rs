//! kazoo, as its users use it, against our server.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use harness::{Server, client_file, python, run};

fn script(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::vivarium(folder.path());
    let output = run(python().arg(client_file(name)).arg(server.address()));
    println!("{}", String::from_utf8_lossy(&output.stdout));
}

// spec: CP-CON-25, CP-CON-27, CP-SES-02, CP-WAT-03
#[test]
fn a_session_from_its_first_connection_to_its_end() {
    script("kazoo_session.py");
}

/// Lock, ReadLock and WriteLock, Election, Counter, Barrier, DoubleBarrier, Queue, LockingQueue, Party,
/// Semaphore, Lease, DataWatch, ChildrenWatch, TreeCache; in each a client is killed while it holds or waits.
// spec: CP-SES-13, CP-EPH-04
#[test]
fn recipes_survive_the_death_of_a_client() {
    script("kazoo_recipes.py");
}
