//! Three processes: what a client may rely on when servers die and come back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::fs;
use std::path::Path;
use std::process::Command;

use harness::PATIENCE;
use harness::ensemble::{Ensemble, connect, holds, put};
use tokio::time::timeout;
use zk_client::{Acl, Client, CreateMode, Error, ErrorCode, Options, State};

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
        ensemble.launch_all();
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
    ensemble.wait_for_all();
    ensemble.kill_9(victim);
    let folder = ensemble.folder(victim).to_owned();
    let log = damage_log(&folder);
    let bytes = fs::read(&log).unwrap();
    ensemble.launch(victim);
    assert_eq!(ensemble.process(victim).wait().unwrap().code(), Some(3));
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
    ensemble.launch_all();
    let one = connect(&ensemble.address(victim)).await;
    for n in 0..20 {
        assert!(holds(&one, &format!("/n{n}")).await, "/n{n}");
    }
    one.close().await.unwrap();
    client.close().await.unwrap();
}

/// A reader that accepts a server without a leader keeps reading there, and gets a session like any other afterwards.
// spec: CP-RO-01, CP-RO-02, CP-RO-05, CP-RO-07, P-STOP
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_majority_readers_are_served_where_it_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let read_only = "readonlymode.enabled=true\nlocalSessionsEnabled=true\n";
    let mut ensemble = Ensemble::start(folder.path(), 3, 0, read_only);
    let client = connect(&ensemble.addresses()).await;
    put(&client, "/a", CreateMode::Persistent).await;
    for id in 1..=3 {
        assert!(holds(&connect(&ensemble.address(id)).await, "/a").await);
    }
    client.close().await.unwrap();
    ensemble.kill_9(1);
    ensemble.kill_9(2);
    // Until it notices, it still hands out local sessions that write.
    ensemble.wait("read-only server", |modes| modes[2] == "read-only");
    let options = Options::new(&ensemble.addresses()).unwrap().read_only(true);
    let reader = Client::with_options(options).await.unwrap();
    assert_eq!(reader.state(), State::ConnectedReadOnly);
    assert!(reader.exists("/a").await.unwrap().is_some());
    let (open, mode) = ([Acl::open()], CreateMode::Persistent);
    let refused = reader.create("/b", b"", &open, mode).await;
    assert_eq!(refused, Err(Error::Server(ErrorCode::NotReadOnly)));
    let session = reader.session_id();
    ensemble.launch(1);
    let mut state = reader.state_changes();
    let connected = state.wait_for(|state| *state == State::Connected);
    timeout(PATIENCE, connected).await.unwrap().unwrap();
    put(&reader, "/b", CreateMode::Persistent).await;
    assert_ne!(reader.session_id(), session);
    reader.close().await.unwrap();
}

/// The txns that a leader keeps in memory to bring learners up to date with.
const WINDOW: &str = "commitLogCount=20\n";

/// Of more than one buffer's size together.
static FAT: [u8; 50_000] = [7; 50_000];

async fn put_fat(client: &Client, from: usize) {
    for n in from..from + 60 {
        let path = format!("/fat-{n}");
        let (open, mode) = ([Acl::open()], CreateMode::Persistent);
        client.create(&path, &FAT, &open, mode).await.unwrap();
    }
}

/// Everything is there, and nothing else.
async fn has_fat(ensemble: &Ensemble, id: usize, count: usize) {
    let one = connect(&ensemble.address(id)).await;
    one.sync("/").await.unwrap();
    for n in 0..count {
        let (data, _) = one.get_data(&format!("/fat-{n}")).await.unwrap();
        assert!(data == FAT, "server {id}: /fat-{n}");
    }
    let children = one.get_children("/").await.unwrap();
    assert_eq!(children.len(), count + 1);
    one.close().await.unwrap();
}

/// A learner whose last txn the leader's window no longer holds gets a whole snapshot, also with an empty directory;
/// what it has then is on its own disk.
// spec: QP-SYN-04, QP-SYN-06, QP-SYN-11, DF-REC-05, P-REPAIR, INV-12
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_far_behind_gets_a_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(folder.path(), 3, 1, WINDOW);
    let client = connect(&ensemble.address(ensemble.leader())).await;
    let late = (1..=3).find(|id| *id != ensemble.leader()).unwrap();
    ensemble.kill_9(late);
    ensemble.kill_9(4);
    put_fat(&client, 0).await;
    ensemble.launch_all();
    for id in [late, 4] {
        has_fat(&ensemble, id, 60).await;
        let files = fs::read_dir(ensemble.folder(id).join("version-2")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let newest = names.filter(|name| name.starts_with("snapshot.")).max();
        assert!(newest.as_deref() > Some("snapshot.100000010"));
    }
    // A wiped one, while there are writes.
    ensemble.kill_9(late);
    fs::remove_dir_all(ensemble.folder(late).join("version-2")).unwrap();
    let (from, wiped) = (60, late);
    ensemble.launch(wiped);
    put_fat(&client, from).await;
    ensemble.wait_for_all();
    // Nobody else can tell what it holds.
    let leader = ensemble.leader();
    client.close().await.unwrap();
    for id in 1..=4 {
        ensemble.kill_9(id);
    }
    let other = (1..=3).find(|id| *id != wiped && *id != leader).unwrap();
    ensemble.launch(wiped);
    ensemble.launch(other);
    ensemble.launch(4);
    for id in [wiped, other, 4] {
        has_fat(&ensemble, id, 120).await;
    }
}

/// What a learner lacks is sent in one go, however much it is.
// spec: QP-SYN-04, QP-SYN-07, QP-BC-21, FT-LOAD-15, FT-PROC-02
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_diff_of_many_megabytes_brings_a_follower_back() {
    static LONG: [u8; 900_000] = [9; 900_000];
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(folder.path(), 3, 0, "");
    let leader = ensemble.leader();
    let client = connect(&ensemble.address(leader)).await;
    let late = (1..=3).find(|id| *id != leader).unwrap();
    ensemble.kill_9(late);
    for n in 0..80 {
        let (path, open) = (format!("/long-{n}"), [Acl::open()]);
        let made = client.create(&path, &LONG, &open, CreateMode::Persistent);
        made.await.unwrap();
    }
    ensemble.launch(late);
    ensemble.wait("the late one follows", |modes| {
        modes[late - 1] == "follower"
    });
    let one = connect(&ensemble.address(late)).await;
    one.sync("/").await.unwrap();
    let (data, _) = one.get_data("/long-79").await.unwrap();
    assert!(data == LONG);
    assert_eq!(one.get_children("/").await.unwrap().len(), 81);
    let log = fs::read_to_string(ensemble.folder(leader).join("log")).unwrap();
    let how = log.lines().rfind(|line| line.contains("Synchronising"));
    assert!(how.unwrap().contains("mode: Diff"), "{how:?}");
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

// spec: QP-BC-10, CP-ORD-20, CP-TREE-02, CP-CON-24, QP-CFG-10, QP-CFG-13
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
    let (text, stat) = other.get_data("/zookeeper/config").await.unwrap();
    assert_eq!((stat.version, stat.mzxid), (-1, 0));
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(
        text.contains("server.4=") && text.ends_with("version=0"),
        "{text}"
    );
    let refused = other.reconfig(None, Some("4"), None, -1).await;
    assert!(
        matches!(
            refused,
            Err(zk_client::Error::Server(
                zk_client::ErrorCode::ReconfigDisabled
            ))
        ),
        "{refused:?}"
    );
    ensemble.kill_9(4);
    put(&other, "/after", CreateMode::Persistent).await;
    other.close().await.unwrap();
}

/// Names of files of a server's database.
fn database(ensemble: &Ensemble, id: usize, start: &str) -> Vec<String> {
    let files = fs::read_dir(ensemble.folder(id).join("version-2")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.starts_with(start)).collect();
    names.sort();
    names
}

/// An observer that keeps no log serves all the same, through another leader and after each start: what it forgot it is
/// brought again. A snapshot that it is sent is kept, and is all that it then claims.
// spec: DF-WHO-03, QP-BC-10, QP-SYN-06, QP-SYN-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_observer_without_a_log_is_synchronised_anew() {
    let folder = tempfile::tempdir().unwrap();
    let more = format!("{WINDOW}snapCount=10\nsyncEnabled=false\n");
    let mut ensemble = Ensemble::start(folder.path(), 3, 1, &more);
    let client = connect(&ensemble.addresses()).await;
    let mut written = 0;
    let mut write = async |count| {
        for _ in 0..count {
            put(&client, &format!("/n{written}"), CreateMode::Persistent).await;
            written += 1;
        }
        written
    };
    let holds_all = async |ensemble: &Ensemble, count| {
        let one = connect(&ensemble.address(4)).await;
        for n in 0..count {
            assert!(holds(&one, &format!("/n{n}")).await, "/n{n}");
        }
        put(&one, "/through-it", CreateMode::Ephemeral).await;
        one.close().await.unwrap();
        assert_eq!(database(ensemble, 4, "log."), Vec::<String>::new());
    };
    // Few enough for the window: no snapshot is sent.
    let count = write(10).await;
    holds_all(&ensemble, count).await;
    ensemble.kill_9(4);
    let count = write(2).await;
    ensemble.launch_all();
    holds_all(&ensemble, count).await;
    assert_eq!(database(&ensemble, 4, "snapshot."), ["snapshot.0"]);
    assert!(!database(&ensemble, 1, "log.").is_empty());
    let leader = ensemble.leader();
    ensemble.kill_9(leader);
    write(3).await;
    ensemble.launch_all();
    let count = write(3).await;
    holds_all(&ensemble, count).await;
    // From its empty directory on it is too far behind by now.
    ensemble.kill_9(4);
    write(30).await;
    ensemble.launch_all();
    let count = write(3).await;
    holds_all(&ensemble, count).await;
    let snapshots = database(&ensemble, 4, "snapshot.");
    assert_eq!(snapshots.len(), 2, "{snapshots:?}");
    for _ in 0..2 {
        ensemble.kill_9(4);
        let count = write(2).await;
        ensemble.launch_all();
        holds_all(&ensemble, count).await;
    }
    assert_eq!(database(&ensemble, 4, "snapshot."), snapshots);
    client.close().await.unwrap();
}
