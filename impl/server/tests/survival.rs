//! Real clients on an ensemble whose servers die, freeze and come back: sessions, ephemeral nodes, watches and reads.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harness::ensemble::{Ensemble, TICK, connect, connect_for, put};
use harness::proxy::Proxy;
use harness::scripted::{compiled, run_scripted};
use harness::{PATIENCE, apache, client_file, python, run, wait};
use tokio::sync::watch;
use tokio::time::timeout;
use zk_client::{Client, CreateMode, Error, EventKind, State};

/// What happens to the servers, given the session of the client that it is to hurt.
#[derive(Clone, Copy, Debug)]
enum Harm {
    LeaderKilled,
    /// The server that the client is connected to, a follower or the observer.
    OwnServerKilled,
    ObserverKilled,
    LeaderFrozen,
    OwnServerFrozen,
    MajorityLost,
}

impl Harm {
    const ALL: [Self; 6] = [
        Self::LeaderKilled,
        Self::OwnServerKilled,
        Self::ObserverKilled,
        Self::LeaderFrozen,
        Self::OwnServerFrozen,
        Self::MajorityLost,
    ];

    fn begin(self, ensemble: &mut Ensemble, session: i64) -> Vec<usize> {
        let victims = match self {
            Self::LeaderKilled | Self::LeaderFrozen => vec![ensemble.leader()],
            Self::OwnServerKilled | Self::OwnServerFrozen => vec![ensemble.server_of(session)],
            Self::ObserverKilled => vec![OBSERVER],
            Self::MajorityLost => vec![1, 2],
        };
        for victim in &victims {
            match self {
                Self::LeaderFrozen | Self::OwnServerFrozen => ensemble.freeze(*victim),
                Self::LeaderKilled
                | Self::OwnServerKilled
                | Self::ObserverKilled
                | Self::MajorityLost => ensemble.kill_9(*victim),
            }
        }
        victims
    }

    fn end(self, ensemble: &mut Ensemble, victims: &[usize]) {
        match self {
            Self::LeaderFrozen | Self::OwnServerFrozen => {
                victims.iter().for_each(|victim| ensemble.thaw(*victim));
                ensemble.wait_for_all();
            }
            Self::LeaderKilled
            | Self::OwnServerKilled
            | Self::ObserverKilled
            | Self::MajorityLost => ensemble.launch_all(),
        }
    }
}

/// Three voters and an observer.
const OBSERVER: usize = 4;

fn start(folder: &std::path::Path) -> Ensemble {
    Ensemble::start(folder, 3, 1, "vivarium.election.finalWaitMs=20\n")
}

/// Again and again while connections are lost; nothing else may go wrong.
async fn insist<T, F: Future<Output = Result<T, Error>>>(mut attempt: impl FnMut() -> F) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(Error::ConnectionLost) => assert!(Instant::now() < limit),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A client that writes a number, and reads it again.
struct Counter {
    client: Client,
    written: i64,
}

impl Counter {
    async fn new(addresses: &str) -> Self {
        let client = connect(addresses).await;
        put(&client, "/count", CreateMode::Persistent).await;
        Self { client, written: 0 }
    }

    /// What was acknowledged is read, whichever server answers.
    async fn step(&mut self) {
        self.written += 1;
        let value = self.written.to_string();
        insist(|| self.client.set_data("/count", value.as_bytes(), -1)).await;
        let (read, _) = insist(|| self.client.get_data("/count")).await;
        assert_eq!(read, value.as_bytes());
    }
}

/// Reads from one server after the other, and counts; nothing that it reads is older than what it has read.
async fn read_on(client: Client, reads: watch::Sender<u32>) {
    let mut newest = 0;
    while !reads.is_closed() {
        if *reads.borrow() % 20 == 19 {
            client.reconnect().await.unwrap();
        }
        let (_, stat) = insist(|| client.get_data("/count")).await;
        assert!(stat.mzxid >= newest, "{:#x} after {newest:#x}", stat.mzxid);
        newest = stat.mzxid;
        reads.send_modify(|reads| *reads += 1);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Our client: one session through all that can happen to the servers.
// spec: P-LIVE, INV-03, INV-04, INV-08, INV-11, INV-14, INV-16, QP-BC-21, FT-PROC-01, FT-PROC-04, FT-PROC-05, FT-PROC-06
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_client() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = start(folder.path());
    let mut counter = Counter::new(&ensemble.addresses()).await;
    let client = counter.client.clone();
    let session = client.session_id();
    put(&client, "/mine", CreateMode::Ephemeral).await;
    let (sender, mut reads) = watch::channel(0);
    let reader = tokio::spawn(read_on(connect(&ensemble.addresses()).await, sender));
    for (nth, harm) in Harm::ALL.into_iter().enumerate() {
        let began = Instant::now();
        let flag = format!("/flag-{nth}");
        let (missing, created) = insist(|| client.exists_and_watch(&flag)).await;
        assert!(missing.is_none());
        counter.step().await;
        let victims = harm.begin(&mut ensemble, session);
        if matches!(harm, Harm::MajorityLost) {
            let unanswered = timeout(TICK, counter.step()).await;
            assert!(unanswered.is_err(), "a write without a majority");
            harm.end(&mut ensemble, &victims);
        }
        // Somebody else changes what is watched, while the watcher may have no connection.
        let other = connect(&ensemble.addresses()).await;
        put(&other, &flag, CreateMode::Persistent).await;
        for _ in 0..10 {
            counter.step().await;
        }
        let event = timeout(PATIENCE, created.wait()).await.unwrap().unwrap();
        assert_eq!(event.kind, EventKind::NodeCreated, "{harm:?}");
        if !matches!(harm, Harm::MajorityLost) {
            harm.end(&mut ensemble, &victims);
        }
        counter.step().await;
        // It fired once: a second event would be taken for the next watch's.
        let (_, changed) = insist(|| client.exists_and_watch(&flag)).await;
        let changed = tokio::spawn(changed.wait());
        insist(|| client.sync(&flag)).await;
        assert!(!changed.is_finished(), "{harm:?}: an event twice");
        insist(|| other.set_data(&flag, b"y", -1)).await;
        let event = timeout(PATIENCE, changed).await.unwrap().unwrap().unwrap();
        assert_eq!(event.kind, EventKind::NodeDataChanged);
        other.close().await.unwrap();
        assert_eq!(client.session_id(), session, "{harm:?}");
        let mine = insist(|| client.exists("/mine")).await.unwrap();
        assert_eq!(mine.ephemeral_owner, session, "{harm:?}");
        println!("{harm:?}: {:.1} s", began.elapsed().as_secs_f64());
        // The reader too has come through, and from one server to the next.
        let before = *reads.borrow();
        let read = reads.wait_for(|reads| *reads > before + 20);
        timeout(PATIENCE, read).await.unwrap().unwrap();
    }
    drop(reads);
    reader.await.unwrap();
    client.close().await.unwrap();
}

/// An observer is none of those that a write waits for.
// spec: QP-BC-10
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_observer_changes_no_quorum() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = start(folder.path());
    let mut counter = Counter::new(&ensemble.addresses()).await;
    let epoch = |ensemble: &Ensemble| {
        let srvr = ensemble.word(ensemble.leader(), "srvr");
        let zxid = srvr.lines().find_map(|line| line.strip_prefix("Zxid: 0x"));
        u64::from_str_radix(zxid.unwrap(), 16).unwrap() >> 32
    };
    let before = epoch(&ensemble);
    ensemble.kill_9(OBSERVER);
    for _ in 0..20 {
        counter.step().await;
    }
    ensemble.launch_all();
    assert_eq!(epoch(&ensemble), before);
    counter.client.close().await.unwrap();
}

/// A session that ended without a word, with an election in between: its node goes, neither early nor late.
// spec: INV-07, CP-SES-13, QP-BC-22
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ephemeral_node_dies_on_time() {
    let session_timeout = Duration::from_secs(4);
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = start(folder.path());
    let leader = ensemble.leader();
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    let proxy = Proxy::to(ensemble.address(follower)).await;
    let mortal = connect_for(&proxy.address, session_timeout).await;
    put(&mortal, "/mortal", CreateMode::Ephemeral).await;
    let other = connect(&ensemble.addresses()).await;
    insist(|| other.sync("/")).await;
    let (stat, gone) = insist(|| other.exists_and_watch("/mortal")).await;
    assert!(stat.is_some());
    let last_word = Instant::now();
    proxy.close();
    ensemble.kill_9(leader);
    let new_leader = ensemble.leader();
    let led_since = Instant::now();
    let event = timeout(PATIENCE, gone.wait()).await.unwrap().unwrap();
    assert_eq!(event.kind, EventKind::NodeDeleted);
    // The last byte may have come a third of the timeout before the end of the connection.
    assert!(last_word.elapsed() > session_timeout * 2 / 3 - TICK);
    // Two ticks are the rule, as much again as the timeout is for a machine that stalls.
    assert!(led_since.elapsed() < session_timeout * 2 + TICK * 2);
    proxy.open();
    let mut state = mortal.state_changes();
    let expired = state.wait_for(|state| *state == State::Expired);
    timeout(PATIENCE, expired).await.unwrap().unwrap();
    assert_ne!(new_leader, leader);
    other.close().await.unwrap();
}

/// kazoo, which says what is to be done to the servers and waits until it is.
// spec: P-LIVE, INV-04, INV-08, INV-14
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kazoo() {
    let folder = tempfile::tempdir().unwrap();
    let ensemble = start(folder.path());
    let mut command = python();
    command.arg(client_file("kazoo_survival.py"));
    command.arg(ensemble.addresses());
    tokio::task::spawn_blocking(move || obey(command, ensemble))
        .await
        .unwrap();
}

/// Runs a program; a line `!begin HARM SESSION` or `!end` of its output is an order, answered by a line when it is done.
fn obey(mut command: Command, mut ensemble: Ensemble) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut begun = None;
    let mut said = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["!begin", name, session] => {
                let named = |harm: &Harm| format!("{harm:?}") == **name;
                let harm = Harm::ALL.into_iter().find(named).unwrap();
                let victims = harm.begin(&mut ensemble, session.parse().unwrap());
                begun = Some((harm, victims));
                writeln!(input, "done").unwrap();
            }
            ["!end"] => {
                let (harm, victims) = begun.take().unwrap();
                harm.end(&mut ensemble, &victims);
                writeln!(input, "done").unwrap();
            }
            _ => said.push(line),
        }
    }
    let status = wait(child, PATIENCE).status;
    let ended_well = status.success() && said.last().is_some_and(|line| line == "ok");
    assert!(ended_well, "{status}\n{said:#?}");
    println!("{said:#?}");
}

/// Leaves nothing of what clients made.
async fn clear(ensemble: &Ensemble) {
    let client = connect(&ensemble.addresses()).await;
    insist(|| client.sync("/")).await;
    let mut paths = vec!["/".to_owned()];
    let mut next = 0;
    while let Some(path) = paths.get(next).cloned() {
        let parent = path.trim_end_matches('/');
        let children = insist(|| client.get_children(&path)).await;
        let children = children.iter().map(|name| format!("{parent}/{name}"));
        paths.extend(children.filter(|path| path != "/zookeeper"));
        next += 1;
    }
    for path in paths.iter().skip(1).rev() {
        insist(|| client.delete(path, -1)).await;
    }
    client.close().await.unwrap();
}

/// A whole session of three other clients, through an observer or a follower: writes, watches, sync, re-attaching to
/// another server, expiry.
// spec: QP-BC-10, CP-CON-25, CP-CON-27
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_sessions_through_observers_and_followers() {
    let folder = tempfile::tempdir().unwrap();
    let ensemble = start(folder.path());
    let leader = ensemble.leader();
    let follower = (1..=3).find(|id| *id != leader).unwrap();
    for server in [OBSERVER, follower] {
        run(python()
            .arg(client_file("kazoo_session.py"))
            .arg(ensemble.address(server)));
        clear(&ensemble).await;
    }
    let mut java = apache("3.9.5");
    java.arg("java").arg(client_file("Session.java"));
    run_scripted(java, ensemble.address(OBSERVER)).await;
    clear(&ensemble).await;
    let c = Command::new(compiled(folder.path()));
    run_scripted(c, ensemble.address(OBSERVER)).await;
}
