//! The leader killed again and again under load, and in the end all servers at once: nothing acknowledged is lost, no session is, and how long it takes.
//!
//! `VIVARIUM_KILLS=50 cargo test --release -p zk-server --test failover -- --nocapture` prints the times.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use harness::PATIENCE;
use harness::ensemble::{Ensemble, connect_for, put};
use zk_client::{Acl, Client, CreateMode, Error};

const WRITERS: usize = 8;

/// As `vivarium ensemble` writes it.
const DEFAULT_TICKS: &str =
    "tickTime=2000\ninitLimit=10\nsyncLimit=5\nvivarium.election.finalWaitMs=20\n";

/// What the writers have seen.
struct Seen {
    since: Instant,
    /// Writes count that begin so many µs after `since`, when the kill is done, or later.
    counts_from: AtomicU64,
    /// µs after `since` at which the first of them was acknowledged, 0 while there is none.
    written_at: AtomicU64,
    stop: AtomicBool,
}

impl Seen {
    fn now(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_micros()).unwrap()
    }

    fn acknowledged(&self, begun_at: u64, at: u64) {
        if begun_at >= self.counts_from.load(Ordering::SeqCst) {
            let first = self
                .written_at
                .compare_exchange(0, at, Ordering::SeqCst, Ordering::SeqCst);
            let _only_the_first_counts = first;
        }
    }

    /// The time from a kill to the acknowledgement of the first write that began after it.
    async fn recovery(&self, kill: impl FnOnce()) -> Duration {
        self.counts_from.store(u64::MAX, Ordering::SeqCst);
        self.written_at.store(0, Ordering::SeqCst);
        let killed_at = self.now();
        kill();
        self.counts_from.store(self.now(), Ordering::SeqCst);
        let limit = Instant::now() + PATIENCE;
        loop {
            let written_at = self.written_at.load(Ordering::SeqCst);
            if written_at != 0 {
                return Duration::from_micros(written_at - killed_at);
            }
            assert!(Instant::now() < limit, "no write after a kill");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Creates one znode after the other below `/writer`; returns the numbers of those that were acknowledged.
async fn write(client: Client, writer: usize, seen: Arc<Seen>) -> BTreeSet<u64> {
    let mut acknowledged = BTreeSet::new();
    for n in 0.. {
        if seen.stop.load(Ordering::Relaxed) {
            break;
        }
        let begun_at = seen.now();
        let path = format!("/{writer}/{n}");
        match client
            .create(&path, b"", &[Acl::open()], CreateMode::Persistent)
            .await
        {
            Ok(_) => {
                seen.acknowledged(begun_at, seen.now());
                acknowledged.insert(n);
            }
            Err(Error::ConnectionLost) => {}
            Err(error) => panic!("{path}: {error}"),
        }
    }
    acknowledged
}

/// Kills a leader, waits for a write, starts the dead one again and waits until all serve.
async fn kill_one(ensemble: &mut Ensemble, seen: &Seen) -> Duration {
    let leader = ensemble.leader();
    let took = seen.recovery(|| ensemble.kill_9(leader)).await;
    ensemble.launch_all();
    took
}

/// Kills all servers at once and starts them again.
async fn kill_all(ensemble: &mut Ensemble, seen: &Seen) {
    let kill_and_launch = || {
        ensemble.kill_all();
        ensemble.launch_all();
    };
    let took = seen.recovery(kill_and_launch).await;
    println!(
        "all killed and started again: first write after {} ms",
        took.as_millis()
    );
}

async fn check(ensemble: &Ensemble, acknowledged: &[BTreeSet<u64>]) {
    for id in 1..=3 {
        let client = connect_for(&ensemble.address(id), Duration::from_secs(30)).await;
        client.sync("/").await.unwrap();
        for (writer, acknowledged) in acknowledged.iter().enumerate() {
            let found = client.get_children(&format!("/{writer}")).await.unwrap();
            let found: BTreeSet<u64> = found.iter().map(|name| name.parse().unwrap()).collect();
            let lost: Vec<_> = acknowledged.difference(&found).collect();
            assert!(
                lost.is_empty(),
                "server {id} lost {lost:?} of writer {writer}"
            );
        }
        client.close().await.unwrap();
    }
}

// spec: P-DUR, P-LIVE, INV-11, INV-14, INV-16, FT-PROC-02, FT-PROC-03
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_leaders_lose_no_acknowledged_write_and_no_session() {
    let kills = std::env::var("VIVARIUM_KILLS").map_or(5, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::with_ticks(folder.path(), (3, 0), DEFAULT_TICKS, "");
    let seen = Arc::new(Seen {
        since: Instant::now(),
        counts_from: AtomicU64::new(0),
        written_at: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let mut clients = Vec::new();
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let client = connect_for(&ensemble.addresses(), Duration::from_secs(10)).await;
        put(&client, &format!("/{writer}"), CreateMode::Persistent).await;
        put(&client, &format!("/mine-{writer}"), CreateMode::Ephemeral).await;
        writers.push(tokio::spawn(write(
            client.clone(),
            writer,
            Arc::clone(&seen),
        )));
        clients.push((client.session_id(), client));
    }
    let mut times = Vec::new();
    for _ in 0..kills {
        times.push(kill_one(&mut ensemble, &seen).await);
    }
    kill_all(&mut ensemble, &seen).await;
    seen.stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.push(writer.await.unwrap());
    }
    check(&ensemble, &acknowledged).await;
    for (writer, (session, client)) in clients.into_iter().enumerate() {
        assert_eq!(client.session_id(), session, "a session was lost");
        let mine = client.exists(&format!("/mine-{writer}")).await.unwrap();
        assert_eq!(mine.unwrap().ephemeral_owner, session);
        client.close().await.unwrap();
    }
    report(times, acknowledged.iter().map(BTreeSet::len).sum());
}

fn report(mut times: Vec<Duration>, writes: usize) {
    times.sort();
    let at = |part: usize| times[(times.len() - 1) * part / 100].as_millis();
    println!(
        "{} kills of the leader, {writes} acknowledged writes, none lost; kill to first write: median {} ms, p90 {} ms, \
         longest {} ms",
        times.len(),
        at(50),
        at(90),
        at(100)
    );
}
