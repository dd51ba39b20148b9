//! Three processes: what a client may rely on when servers die and come back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::{PATIENCE, four_letters, free_port};
use zk_client::{Acl, Client, CreateMode, Options};

struct Member {
    folder: std::path::PathBuf,
    port: u16,
    child: Option<Child>,
}

struct Ensemble {
    members: Vec<Member>,
}

impl Ensemble {
    /// `more`: lines of each zoo.cfg.
    fn start(folder: &Path, voters: usize, observers: usize, more: &str) -> Self {
        let count = voters + observers;
        let lines: String = (1..=count)
            .map(|id| {
                let role = if id > voters { ":observer" } else { "" };
                format!(
                    "server.{id}=127.0.0.1:{}:{}{role}\n",
                    free_port(),
                    free_port()
                )
            })
            .collect();
        let members = (1..=count)
            .map(|id| {
                let (folder, port) = (folder.join(id.to_string()), free_port());
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("myid"), id.to_string()).unwrap();
                fs::write(folder.join("initialize"), "").unwrap();
                let text = format!(
                    "tickTime=500\ninitLimit=20\nsyncLimit=10\nmaxClientCnxns=0\nclientPortAddress=127.0.0.1\n\
                     4lw.commands.whitelist=*\nadmin.enableServer=false\ndataDir={}\nclientPort={port}\n{lines}{more}",
                    folder.display()
                );
                fs::write(folder.join("zoo.cfg"), text).unwrap();
                Member { folder, port, child: None }
            })
            .collect();
        let mut ensemble = Self { members };
        for id in 1..=count {
            ensemble.launch(id);
        }
        ensemble.wait("all serve", |modes| modes.iter().all(|mode| mode != "none"));
        ensemble
    }

    fn launch(&mut self, id: usize) {
        let member = &mut self.members[id - 1];
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(member.folder.join("log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_vivarium"))
            .arg("server")
            .arg(member.folder.join("zoo.cfg"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        member.child = Some(child.unwrap());
    }

    fn kill_9(&mut self, id: usize) {
        let mut child = self.members[id - 1].child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn mode(&self, id: usize) -> String {
        let answer = four_letters(self.members[id - 1].port, "srvr");
        let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
        mode.unwrap_or("none").to_owned()
    }

    fn wait(&self, what: &str, condition: impl Fn(&[String]) -> bool) {
        let limit = Instant::now() + PATIENCE;
        loop {
            let modes: Vec<_> = (1..=self.members.len()).map(|id| self.mode(id)).collect();
            if condition(&modes) {
                return;
            }
            assert!(Instant::now() < limit, "{what}: {modes:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn leader(&self) -> usize {
        self.wait("a leader", |modes| {
            modes.iter().any(|mode| mode == "leader")
        });
        (1..=self.members.len())
            .find(|id| self.mode(*id) == "leader")
            .unwrap()
    }

    fn addresses(&self) -> String {
        let all: Vec<_> = self
            .members
            .iter()
            .map(|member| format!("127.0.0.1:{}", member.port))
            .collect();
        all.join(",")
    }

    fn address(&self, id: usize) -> String {
        format!("127.0.0.1:{}", self.members[id - 1].port)
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for child in self
            .members
            .iter_mut()
            .filter_map(|member| member.child.as_mut())
        {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

async fn connect(addresses: &str) -> Client {
    let options = Options::new(addresses)
        .unwrap()
        .session_timeout(Duration::from_secs(10));
    Client::with_options(options).await.unwrap()
}

/// Again and again until it is acknowledged.
async fn put(client: &Client, path: &str, mode: CreateMode) {
    let limit = Instant::now() + PATIENCE;
    loop {
        match client.create(path, b"x", &[Acl::open()], mode).await {
            Ok(_) => return,
            // An attempt whose connection was lost may have been done.
            Err(zk_client::Error::Server(zk_client::ErrorCode::NodeExists)) => return,
            Err(error) => assert!(Instant::now() < limit, "{path}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn holds(client: &Client, path: &str) -> bool {
    client.sync("/").await.unwrap();
    client.exists(path).await.unwrap().is_some()
}

// spec: P-DUR, P-LIVE, INV-11, INV-14, FT-PROC-01, FT-PROC-02, QP-SYN-06
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_and_sessions_survive_leaders_that_die() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(folder.path(), 3, 0, "");
    let client = connect(&ensemble.addresses()).await;
    put(&client, "/mine", CreateMode::Ephemeral).await;
    let mut written = 0;
    for _ in 0..3 {
        let leader = ensemble.leader();
        ensemble.kill_9(leader);
        for _ in 0..20 {
            put(&client, &format!("/n{written}"), CreateMode::Persistent).await;
            written += 1;
        }
        ensemble.launch(leader);
        ensemble.wait("the dead one is back", |modes| {
            modes.iter().all(|mode| mode != "none")
        });
    }
    for id in 1..=3 {
        let one = connect(&ensemble.address(id)).await;
        for n in 0..written {
            assert!(
                holds(&one, &format!("/n{n}")).await,
                "server {id} lost /n{n}"
            );
        }
        assert!(holds(&one, "/mine").await, "the session was lost");
        one.close().await.unwrap();
    }
    client.close().await.unwrap();
}

/// Turns a bit of the newest log's first record.
fn damage_log(folder: &Path) -> std::path::PathBuf {
    let mut logs: Vec<_> = fs::read_dir(folder.join("version-2"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with("log.")
        })
        .collect();
    logs.sort();
    let newest = logs.pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    bytes[40] ^= 1;
    fs::write(&newest, bytes).unwrap();
    newest
}

// spec: P-DETECT, P-REPAIR, FT-DISK-12, QP-SYN-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_server_refuses_and_comes_back_repaired() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(folder.path(), 3, 0, "");
    let client = connect(&ensemble.addresses()).await;
    for n in 0..20 {
        put(&client, &format!("/n{n}"), CreateMode::Persistent).await;
    }
    let leader = ensemble.leader();
    let victim = (1..=3).find(|id| *id != leader).unwrap();
    ensemble.wait("all follow", |modes| {
        modes.iter().all(|mode| mode != "none")
    });
    ensemble.kill_9(victim);
    let folder = ensemble.members[victim - 1].folder.clone();
    let log = damage_log(&folder);
    let bytes = fs::read(&log).unwrap();
    ensemble.launch(victim);
    let mut child = ensemble.members[victim - 1].child.take().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert!(
        fs::read(&log).unwrap() == bytes,
        "the refusal changed the log"
    );
    let said = fs::read_to_string(folder.join("log")).unwrap();
    assert!(said.contains("vivarium repair"), "{said}");
    let repaired = Command::new(env!("CARGO_BIN_EXE_vivarium"))
        .arg("repair")
        .arg(folder.join("zoo.cfg"))
        .output()
        .unwrap();
    assert!(repaired.status.success(), "{repaired:?}");
    ensemble.launch(victim);
    ensemble.wait("it is back", |modes| {
        modes.iter().all(|mode| mode != "none")
    });
    let one = connect(&ensemble.address(victim)).await;
    for n in 0..20 {
        assert!(holds(&one, &format!("/n{n}")).await, "/n{n}");
    }
    one.close().await.unwrap();
    client.close().await.unwrap();
}

// spec: P-STOP, INV-06, FT-PROC-04
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_nobody_serves_and_with_it_all_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(folder.path(), 3, 0, "");
    let client = connect(&ensemble.addresses()).await;
    put(&client, "/a", CreateMode::Persistent).await;
    ensemble.kill_9(1);
    ensemble.kill_9(2);
    ensemble.wait("the third stops", |modes| {
        modes.iter().all(|mode| mode == "none")
    });
    ensemble.launch(1);
    put(&client, "/b", CreateMode::Persistent).await;
    assert!(holds(&client, "/a").await);
    client.close().await.unwrap();
}

// spec: QP-BC-10, CP-ORD-20, CP-TREE-02, CP-CON-24
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_serves_reads_and_passes_writes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(folder.path(), 3, 1, "");
    assert_eq!(ensemble.mode(4), "observer");
    let through = connect(&ensemble.address(4)).await;
    put(&through, "/through", CreateMode::Ephemeral).await;
    assert!(holds(&through, "/through").await);
    let other = connect(&ensemble.address(1)).await;
    assert!(holds(&other, "/through").await);
    let (text, _) = other.get_data("/zookeeper/config").await.unwrap();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(
        text.contains("server.4=") && text.ends_with("version=0"),
        "{text}"
    );
    ensemble.kill_9(4);
    put(&other, "/after", CreateMode::Persistent).await;
    other.close().await.unwrap();
}
