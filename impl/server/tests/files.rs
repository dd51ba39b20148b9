//! Data directories both ways: what Apache's server wrote, ours goes on with, and the other way round.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::{Kind, PATIENCE, Server, run};
use tokio::time::timeout;
use zk_client::{Acl, Client, CreateMode, Op, Options, Perms, Stat, State};

/// Small enough for several logs and snapshots, random in Apache's way.
const MANY_FILES: &str = "snapCount=40\n";

// spec: DF-WHO-01, FT-DISK-36, CP-CON-20
#[tokio::test]
async fn ours_goes_on_where_apache_3_9_was_killed() {
    both_ways(Kind::Apache("3.9.5"), Kind::Vivarium, "").await;
}

#[tokio::test]
async fn ours_reads_gzip_snapshots_of_apache_3_8() {
    let lines = "snapshot.compression.method=gz\n";
    both_ways(Kind::Apache("3.8.0"), Kind::Vivarium, lines).await;
}

#[tokio::test]
async fn ours_reads_snappy_snapshots_of_apache_3_9() {
    let lines = "snapshot.compression.method=snappy\n";
    both_ways(Kind::Apache("3.9.5"), Kind::Vivarium, lines).await;
}

// spec: FT-DISK-36
#[tokio::test]
async fn apache_3_9_goes_on_where_ours_was_killed() {
    both_ways(Kind::Vivarium, Kind::Apache("3.9.5"), "").await;
}

#[tokio::test]
async fn apache_3_8_goes_on_where_ours_was_killed() {
    both_ways(Kind::Vivarium, Kind::Apache("3.8.0"), "").await;
}

// spec: DF-SNAP-02, DF-SNAP-05
#[tokio::test]
async fn snapshots_that_end_with_the_last_zxid_are_read_by_every_release() {
    let lines = "serializeLastProcessedZxid.enabled=true\n";
    for reader in ["3.8.0", "3.9.5"] {
        both_ways(Kind::Vivarium, Kind::Apache(reader), lines).await;
    }
}

/// `writer` fills a directory and is killed; `reader` must hold the same tree, the same
/// digests and the same sessions.
async fn both_ways(writer: Kind, reader: Kind, lines: &str) {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(writer, folder.path(), &format!("{MANY_FILES}{lines}"));
    let live = connect(&server).await;
    everything(&server, &live).await;
    server.kill_9();
    assert!(files(&server.data(), "snapshot.") > 1 && files(&server.data(), "log.") > 2);

    // A second life without snapshots, so that a restart replays enough for digests to be kept.
    server.start_as(writer, lines);
    connected(&live).await;
    for n in 0..300 {
        live.set_data("/data", format!("second life {n}").as_bytes(), -1)
            .await
            .unwrap();
    }
    // Our client sends create2: the answer says so, the log must not, or 3.8.0 passes over the multi (QP-TXN-05).
    let ops = [
        Op::create("/second", b"life", CreateMode::Persistent),
        Op::create("/second/e-", b"", CreateMode::EphemeralSequential),
    ];
    live.multi(&ops).await.unwrap();
    let (before, session) = (tree(&live).await, live.session_id());
    server.kill_9();
    let copied = copy_of(&server.data());

    server.start_as(reader, lines);
    connected(&live).await;
    assert_eq!(live.session_id(), session);
    assert_eq!(tree(&live).await, before);
    same_digests(&server, writer, &copied.path(), lines);
    sessions_end_as_they_should(&live, &server).await;
    server.kill_9();
}

async fn connect(server: &Server) -> Client {
    let options = Options::new(&server.address()).unwrap();
    // Long enough for a server to be replaced meanwhile.
    let options = options.session_timeout(Duration::from_secs(50));
    timeout(PATIENCE, Client::with_options(options))
        .await
        .unwrap()
        .unwrap()
}

async fn connected(client: &Client) {
    let mut state = client.state_changes();
    let wanted = state.wait_for(|state| *state == State::Connected);
    timeout(PATIENCE, wanted).await.unwrap().unwrap();
    // The state may still be that of the connection to the server that was killed.
    while timeout(PATIENCE, client.sync("/")).await.unwrap().is_err() {}
}

/// Every kind of txn: creates of all kinds, data, ACLs, deletes, multis, sessions that end, and writes that fail.
async fn everything(server: &Server, live: &Client) {
    let open = [Acl::open()];
    let gone = connect(server).await;
    live.add_auth("digest", b"ann:secret").await.unwrap();
    live.create("/data", b"first life", &open, CreateMode::Persistent)
        .await
        .unwrap();
    live.create("/live", b"", &open, CreateMode::Ephemeral)
        .await
        .unwrap();
    gone.create("/gone", b"", &open, CreateMode::Ephemeral)
        .await
        .unwrap();
    live.create("/container", b"", &open, CreateMode::Container)
        .await
        .unwrap();
    live.create("/container/child", b"", &open, CreateMode::Persistent)
        .await
        .unwrap();
    let ttl = Duration::from_secs(3600);
    let mode = CreateMode::PersistentSequentialWithTtl;
    live.create_with_ttl("/ttl-", b"", &open, mode, ttl)
        .await
        .unwrap();
    let acl = [
        Acl::new(Perms::ALL, "auth", ""),
        Acl::new(Perms::READ, "ip", "127.0.0.1"),
    ];
    live.create("/closed", b"secret", &acl, CreateMode::Persistent)
        .await
        .unwrap();
    // Before the first snapshot: Apache loses count of a parent's children when such a create is
    // both in a snapshot and in the log after it (it makes up for plain creates alone).
    let ops = [
        Op::create("/multi", b"", CreateMode::Persistent),
        Op::create("/multi/e-", b"", CreateMode::EphemeralSequential),
        Op::set_data("/data", b"by multi", -1),
        Op::check("/multi", 0),
        Op::delete("/container/child", -1),
        Op::create("/container/child", b"", CreateMode::Persistent),
    ];
    live.multi(&ops).await.unwrap();
    live.multi(&[Op::delete("/data", -1), Op::check("/data", 99)])
        .await
        .unwrap_err();
    for n in 0..100 {
        let path = format!("/many-{n:03}");
        live.create(&path, &vec![b'x'; n * 20], &open, CreateMode::Persistent)
            .await
            .unwrap();
        live.set_data(&path, path.as_bytes(), 0).await.unwrap();
        if n % 3 == 0 {
            live.delete(&path, 1).await.unwrap();
        } else if n % 10 == 1 {
            live.set_acl(&path, &acl, 0).await.unwrap();
            live.delete("/missing", -1).await.unwrap_err();
        }
    }
    gone.close().await.unwrap();
}

/// Every node with data, stat and ACL, in order.
async fn tree(client: &Client) -> Vec<(String, Vec<u8>, Stat, Vec<Acl>)> {
    let mut nodes = Vec::new();
    let mut paths = vec!["/".to_owned()];
    while let Some(path) = paths.pop() {
        let (data, stat) = client.get_data(&path).await.unwrap();
        let (acl, _) = client.get_acl(&path).await.unwrap();
        for child in client.get_children(&path).await.unwrap() {
            paths.push(format!("{}/{child}", path.trim_end_matches('/')));
        }
        nodes.push((path, data, stat, acl));
    }
    nodes.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    nodes
}

/// The digests that a restart of the writer's kind keeps are the reader's too.
// spec: CP-FLW-27, INV-12
fn same_digests(server: &Server, writer: Kind, data: &Path, lines: &str) {
    let reference = Server::start(writer, data.parent().unwrap(), lines);
    let expected = reference.word("hash");
    assert!(
        expected.lines().count() >= 2,
        "no digest to compare: {expected:?}"
    );
    assert_eq!(server.word("hash"), expected);
}

/// A session that was taken over is closed like any other: its nodes go, the others' stay.
async fn sessions_end_as_they_should(live: &Client, server: &Server) {
    assert_eq!(
        live.ephemerals("/").await.unwrap(),
        ["/live", "/multi/e-0000000000", "/second/e-0000000000"]
    );
    live.clone().close().await.unwrap();
    let other = connect(server).await;
    assert_eq!(other.exists("/live").await.unwrap(), None);
    assert_eq!(other.exists("/gone").await.unwrap(), None);
    assert!(other.exists("/container/child").await.unwrap().is_some());
    other.close().await.unwrap();
}

/// How many files of a data directory have a name that begins so.
fn files(data: &Path, prefix: &str) -> usize {
    let names = std::fs::read_dir(data.join("version-2")).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with(prefix)).count()
}

/// A folder that holds a copy of a data directory under its name.
struct Copied(tempfile::TempDir);

impl Copied {
    fn path(&self) -> std::path::PathBuf {
        self.0.path().join("data")
    }
}

fn copy_of(data: &Path) -> Copied {
    let folder = tempfile::tempdir().unwrap();
    run(Command::new("cp").arg("-a").arg(data).arg(folder.path()));
    Copied(folder)
}
