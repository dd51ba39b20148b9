//! A server that cannot go on ends at once, says so by its exit status, and has acknowledged nothing that is lost.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::path::Path;

use harness::ensemble::{Ensemble, connect, holds, put};
use harness::{Kind, PATIENCE, Server, wait};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use zk_client::{Acl, Client, CreateMode};

/// As `docs/operations.md` lists it: the server stopped itself.
const STOPPED: Option<i32> = Some(70);

/// Many more writes than a thread's turn takes to come.
const MANY: usize = 2_000;

/// A client, and the znodes that the server acknowledged.
struct Writer {
    client: Client,
    acknowledged: Vec<String>,
}

impl Writer {
    async fn begin(server: &Server) -> Self {
        let mut writer = Self {
            client: Client::connect(&server.address()).await.unwrap(),
            acknowledged: Vec::new(),
        };
        for _ in 0..10 {
            assert!(writer.write().await, "{}", server.log());
        }
        writer
    }

    /// Whether one more is acknowledged.
    async fn write(&mut self) -> bool {
        let name = format!("n{}", self.acknowledged.len());
        let (path, data) = (format!("/{name}"), [7; 1000]);
        let created = self
            .client
            .create(&path, &data, &[Acl::open()], CreateMode::Persistent)
            .await;
        self.acknowledged.extend(created.is_ok().then_some(name));
        created.is_ok()
    }

    /// The next start of a server as it should be finds all of them.
    async fn finds_all(self, server: &mut Server) {
        server.start_as(Kind::Vivarium, "");
        let client = Client::connect(&server.address()).await.unwrap();
        let found = client.get_children("/").await.unwrap();
        for name in &self.acknowledged {
            assert!(found.contains(name), "{name} was acknowledged and is gone");
        }
    }
}

/// The fault comes while nothing is under way, and no write is acknowledged after it.
async fn nothing_after(fault: &'static str, folder: &Path) -> Server {
    let mut server = Server::start(Kind::Faulty(fault), folder, "");
    let mut writer = Writer::begin(&server).await;
    server.fault();
    assert!(!writer.write().await, "{fault}: acknowledged all the same");
    assert_eq!(server.ends(), STOPPED, "{fault}: {}", server.log());
    writer.finds_all(&mut server).await;
    server
}

// spec: P-DIE, FT-PROC-11
#[tokio::test]
async fn a_panic_of_a_thread_on_the_way_of_a_write_ends_the_process_before_its_reply() {
    for fault in ["Clients", "Driver", "Log"] {
        let folder = tempfile::tempdir().unwrap();
        let server = nothing_after(fault, folder.path()).await;
        let log = server.log();
        let panicked = format!("as the test wished: {fault}");
        assert!(log.contains(&panicked), "{log}");
    }
}

// spec: P-DIE, FT-PROC-11. Nobody waits for these threads, so a server could go on without them for long.
#[tokio::test]
async fn a_panic_of_a_thread_beside_it_ends_the_process_too() {
    // A log file is half full, and a snapshot due, after this many KiB or writes.
    for (fault, soon) in [
        ("Fill", "preAllocSize=64\n"),
        ("Snapshot", "snapCount=50\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Server::start(Kind::Faulty(fault), folder.path(), soon);
        let mut writer = Writer::begin(&server).await;
        server.fault();
        let mut writes = 0;
        while writer.write().await {
            writes += 1;
            assert!(writes < MANY, "{fault}: goes on without its thread");
        }
        assert_eq!(server.ends(), STOPPED, "{fault}: {}", server.log());
        writer.finds_all(&mut server).await;
    }
}

// spec: P-DIE, FT-DISK-05, FT-DISK-06
#[tokio::test]
async fn a_sync_that_fails_ends_the_process_and_acknowledges_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = nothing_after("Sync", folder.path()).await;
    let log = server.log();
    assert!(
        log.contains("the server stops:") && log.contains("cannot sync"),
        "{log}"
    );
}

// spec: P-DIE. The server for use, and the system's own refusal: no file may be longer than a byte any more.
#[tokio::test]
async fn a_log_that_cannot_be_written_ends_the_process_and_acknowledges_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(Kind::Unsignalled, folder.path(), "");
    let mut writer = Writer::begin(&server).await;
    no_longer_files(server.pid());
    assert!(!writer.write().await, "acknowledged all the same");
    assert_eq!(server.ends(), STOPPED, "{}", server.log());
    writer.finds_all(&mut server).await;
}

/// From now on no file of the process may become longer than a byte.
fn no_longer_files(pid: u32) {
    let limit = Rlimit {
        current: Some(1),
        maximum: None,
    };
    prlimit(Pid::from_raw(pid.cast_signed()), Resource::Fsize, limit).unwrap();
}

/// A follower's log, then the leader's: the process ends, the others serve, and it comes back to all that was acknowledged.
/// With two of three gone nothing more is acknowledged, and nothing is lost.
// spec: P-DIE, FT-DISK-08, INV-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_whose_log_cannot_be_written_leave_the_others_to_serve() {
    let folder = tempfile::tempdir().unwrap();
    let ticks = "tickTime=300\ninitLimit=30\nsyncLimit=5\n";
    let mut ensemble = Ensemble::written(folder.path(), (3, 0), ticks, "", |_| "127.0.0.1".into());
    ensemble.unsignalled = true;
    ensemble.launch_all();
    let client = connect(&ensemble.addresses()).await;
    let mut written = 0;
    let mut write = async |count| {
        for _ in 0..count {
            put(&client, &format!("/n{written}"), CreateMode::Persistent).await;
            written += 1;
        }
    };
    write(10).await;
    let leader = ensemble.leader();
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    for victim in [follower, leader] {
        no_longer_files(ensemble.pid(victim));
        let process = ensemble.process(victim);
        write(10).await;
        assert_eq!(wait(process, PATIENCE).status.code(), STOPPED);
        write(10).await;
        ensemble.launch_all();
    }
    for victim in [1, 2] {
        no_longer_files(ensemble.pid(victim));
    }
    let lost = tokio::time::timeout(std::time::Duration::from_secs(3), write(1)).await;
    assert!(lost.is_err(), "a write without a majority");
    for victim in [1, 2] {
        let process = ensemble.process(victim);
        assert_eq!(wait(process, PATIENCE).status.code(), STOPPED);
    }
    ensemble.launch_all();
    for n in 0..written {
        assert!(holds(&client, &format!("/n{n}")).await, "/n{n}");
    }
    client.close().await.unwrap();
}
