//! Ensembles of Debian's Apache servers and ours.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::path::Path;

use harness::ensemble::{Ensemble, connect, holds, put};
use harness::{PATIENCE, client_file, python, run};
use tokio::time::timeout;
use zk_client::{CreateMode, EventKind};

const DEBIANS: &str = "3.8.0";

/// Java needs longer than ours to say anything at first.
const TICKS: &str = "tickTime=1000\ninitLimit=20\nsyncLimit=5\nmaxSessionTimeout=60000\n";

/// Three voters and an observer; those of `apache` are Apache's, of a release. `more`: lines of each zoo.cfg.
fn start(folder: &Path, apache: &[(usize, &'static str)], more: &str) -> Ensemble {
    let mut ensemble = Ensemble::written(folder, (3, 1), TICKS, more, |_| "127.0.0.1".into());
    for (id, release) in apache {
        ensemble.make_apache(*id, release);
    }
    ensemble.launch_all();
    ensemble
}

/// A session through one server, another's view of it, and a watch between them.
async fn serves(ensemble: &Ensemble, server: usize, other: usize) {
    let client = connect(&ensemble.address(server)).await;
    let elsewhere = connect(&ensemble.address(other)).await;
    let path = format!("/through-{server}");
    let (missing, created) = elsewhere.exists_and_watch(&path).await.unwrap();
    assert!(missing.is_none());
    put(&client, &path, CreateMode::Ephemeral).await;
    let event = timeout(PATIENCE, created.wait()).await.unwrap().unwrap();
    assert_eq!(event.kind, EventKind::NodeCreated);
    assert!(holds(&elsewhere, &path).await);
    assert!(holds(&client, &path).await);
    client.close().await.unwrap();
    assert!(!holds(&elsewhere, &path).await, "its session has ended");
    elsewhere.close().await.unwrap();
}

/// Ours follows and observes an Apache leader: it serves clients, comes back after a kill, and is needed for a majority.
// spec: QP-GEN-03, QP-ZAB-01, QP-SYN-04, QP-BC-10, QP-FLE-01, INV-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ours_joins_apaches_ensemble_as_follower_and_as_observer() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = start(folder.path(), &[(2, DEBIANS), (3, DEBIANS)], "");
    let leader = ensemble.leader();
    assert_ne!(leader, 1, "an empty history elects the larger id");
    assert_eq!(
        (&*ensemble.mode(1), &*ensemble.mode(4)),
        ("follower", "observer")
    );
    for ours in [1, 4] {
        serves(&ensemble, ours, leader).await;
    }
    run(python()
        .arg(client_file("kazoo_session.py"))
        .arg(ensemble.address(1)));
    // What it missed is brought to it.
    ensemble.kill_9(1);
    ensemble.kill_9(4);
    let client = connect(&ensemble.address(leader)).await;
    for n in 0..20 {
        put(&client, &format!("/missed-{n}"), CreateMode::Persistent).await;
    }
    ensemble.launch_all();
    // With it a majority goes on without the other Apache server.
    let follower = 5 - leader;
    ensemble.kill_9(follower);
    put(&client, "/with-ours", CreateMode::Persistent).await;
    for ours in [1, 4] {
        let one = connect(&ensemble.address(ours)).await;
        for n in 0..20 {
            assert!(holds(&one, &format!("/missed-{n}")).await, "server {ours}");
        }
        assert!(holds(&one, "/with-ours").await);
        one.close().await.unwrap();
    }
    client.close().await.unwrap();
}

/// Apache's servers follow and observe ours, which comes back behind them after a kill. As one of them is older than
/// 3.8.5, ours begins its epoch with a txn of its own.
// spec: QP-ZAB-02, QP-SYN-04, QP-BC-10, QP-FLE-01, QP-INT-02, INV-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn apaches_servers_follow_and_observe_ours() {
    let folder = tempfile::tempdir().unwrap();
    let apache = [(1, DEBIANS), (2, "3.9.5"), (4, DEBIANS)];
    let mut ensemble = start(folder.path(), &apache, "vivarium.openingTxn=true\n");
    // Ours may find two that have begun without it.
    while ensemble.leader() != 3 {
        let leader = ensemble.leader();
        ensemble.kill_9(leader);
        ensemble.wait("another leads", |modes| {
            modes.iter().any(|mode| mode == "leader")
        });
        ensemble.launch_all();
    }
    assert_eq!(ensemble.mode(4), "observer");
    for theirs in [1, 2, 4] {
        serves(&ensemble, theirs, 3).await;
    }
    let client = connect(&ensemble.address(1)).await;
    ensemble.kill_9(3);
    for n in 0..20 {
        put(&client, &format!("/missed-{n}"), CreateMode::Persistent).await;
    }
    client.close().await.unwrap();
    ensemble.launch_all();
    let one = connect(&ensemble.address(3)).await;
    for n in 0..20 {
        assert!(holds(&one, &format!("/missed-{n}")).await);
    }
    one.close().await.unwrap();
}
