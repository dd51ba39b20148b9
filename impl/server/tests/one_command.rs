//! `vivarium ensemble`: one command that runs a whole ensemble, to try things on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use harness::{PATIENCE, client_file, four_letters, free_ports, python, run, signal, wait};
use rustix::process::Signal;
use zk_client::{Acl, Client, CreateMode};

/// The first client's port: quorum ports are ten above clients' ports, election ports a thousand above those.
fn first_port() -> u16 {
    free_ports(&[0, 1, 2, 3, 10, 11, 12, 13, 1010, 1011, 1012, 1013])
}

/// The command, running in a folder of its own.
struct Run {
    child: Child,
    folder: PathBuf,
    first_port: u16,
}

impl Run {
    fn start(folder: &Path, first_port: u16, arguments: &[&str]) -> Self {
        let output = File::create(folder.join("said")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_vivarium"))
            .current_dir(folder)
            .args(["ensemble", "--client-port", &first_port.to_string()])
            .args(["--quorum-port", &(first_port + 10).to_string()])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        Self {
            child,
            folder: folder.to_owned(),
            first_port,
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(self.folder.join("said")).unwrap()
    }

    /// Waits for a line that `wanted` finds.
    fn says<T>(&mut self, what: &str, wanted: impl Fn(&str) -> Option<T>) -> T {
        let limit = Instant::now() + PATIENCE;
        loop {
            let said = self.said();
            if let Some(found) = said.lines().find_map(&wanted) {
                return found;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "no {what}; it ended: {ended:?}\n{said}");
            assert!(Instant::now() < limit, "no {what}:\n{said}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn connect_string(&mut self) -> String {
        let line = |line: &str| {
            let addresses = line.trim().strip_prefix("connect string")?;
            Some(addresses.trim().to_owned())
        };
        self.says("connect string", line)
    }

    /// Stops the command, which must leave no server.
    fn stop(mut self, by: Signal) {
        let pids = self.servers();
        assert!(!pids.is_empty(), "no servers run");
        signal(self.child.id(), by);
        let limit = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < limit, "it does not stop:\n{}", self.said());
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        assert_eq!(status.code(), Some(0), "{}", self.said());
        for pid in pids {
            let left = Path::new("/proc").join(pid.to_string()).exists();
            assert!(!left, "process {pid} was left");
        }
    }

    /// The processes of its servers.
    fn servers(&self) -> Vec<u32> {
        let parent = self.child.id();
        let file = format!("/proc/{parent}/task/{parent}/children");
        let children = fs::read_to_string(file).unwrap();
        let pids = children.split_whitespace();
        pids.map(|pid| pid.parse().unwrap()).collect()
    }

    fn mode(&self, id: u16) -> String {
        let answer = four_letters(self.first_port + id - 1, "srvr");
        let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
        mode.unwrap_or("none").to_owned()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            // It would not stop its servers when it is killed, but they end with it.
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

/// One command, a client of another make, a clean stop; the data is there the next time, also for a server that is
/// started by hand.
// spec: DF-REC-05
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_serves_stops_in_order_and_goes_on_with_its_data() {
    let folder = tempfile::tempdir().unwrap();
    let first_port = first_port();
    let mut ensemble = Run::start(folder.path(), first_port, &["--observers", "1"]);
    let addresses = ensemble.connect_string();
    assert_eq!(addresses.split(',').count(), 4);
    assert_eq!(ensemble.mode(4), "observer");
    run(python()
        .arg(client_file("kazoo_hello.py"))
        .args([&addresses, "write"]));
    ensemble.stop(Signal::TERM);

    let mut ensemble = Run::start(folder.path(), first_port, &["--observers", "1"]);
    let addresses = ensemble.connect_string();
    run(python()
        .arg(client_file("kazoo_hello.py"))
        .args([&addresses, "read"]));
    ensemble.stop(Signal::INT);

    let by_hand = |id: u16| {
        let config = format!("vivarium-ensemble/server-{id}/zoo.cfg");
        Command::new(env!("CARGO_BIN_EXE_vivarium"))
            .current_dir(folder.path())
            .args(["server", &config])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let servers = [by_hand(1), by_hand(2)];
    let client = Client::connect(&addresses).await.unwrap();
    let (value, _) = client.get_data("/hello").await.unwrap();
    assert_eq!(&value[..], b"kazoo");
    client.close().await.unwrap();
    for server in servers {
        signal(server.id(), Signal::TERM);
        assert_eq!(wait(server, PATIENCE).status.code(), Some(0));
    }
}

/// A session goes on while the leader is killed, or frozen, now and then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_plays_with_the_leader_when_asked_to() {
    for (flag, word) in [("--kill-leader", "killed"), ("--pause-leader", "paused")] {
        let folder = tempfile::tempdir().unwrap();
        let mut ensemble = Run::start(folder.path(), first_port(), &[flag, "1"]);
        let client = Client::connect(&ensemble.connect_string()).await.unwrap();
        let open = [Acl::open()];
        client
            .create("/mine", b"", &open, CreateMode::Ephemeral)
            .await
            .unwrap();
        ensemble.says("disturbance", |line| line.contains(word).then_some(()));
        ensemble.says("return", |line| line.ends_with("is back").then_some(()));
        let limit = Instant::now() + PATIENCE;
        let mine = loop {
            match client.exists("/mine").await {
                Ok(mine) => break mine,
                Err(error) => assert!(Instant::now() < limit, "{error}"),
            }
        };
        assert_eq!(mine.unwrap().ephemeral_owner, client.session_id());
        client.close().await.unwrap();
        ensemble.stop(Signal::TERM);
    }
}

/// A server that cannot start stops them all, with its reason.
#[test]
fn a_server_that_cannot_start_is_named_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let first_port = first_port();
    let taken = TcpListener::bind(("127.0.0.1", first_port + 1)).unwrap();
    let mut ensemble = Run::start(folder.path(), first_port, &[]);
    let limit = Instant::now() + PATIENCE;
    while ensemble.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < limit, "{}", ensemble.said());
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let said = ensemble.said();
    assert!(said.contains("server 2 ended"), "{said}");
    assert!(said.contains("server-2/log"), "{said}");
    for id in [1, 3] {
        assert_eq!(ensemble.mode(id), "none");
    }
    drop(taken);
}
