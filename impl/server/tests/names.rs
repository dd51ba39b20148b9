//! Servers that are known by names: what a name means is asked anew whenever a server is called.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use harness::ensemble::{Ensemble, SHORT_TICKS, connect, holds, put};
use harness::names::Names;
use zk_client::CreateMode;

const HERE: &str = "127.0.0.2";
const ELSEWHERE: &str = "127.0.0.3";

/// No server ends or is started again because of a name, its own name included: each keeps the process that it has.
// spec: FT-NET-18, QP-CNX-09, QP-CNX-12, QP-ZAB-01, INV-16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_called_where_their_names_lead_now() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::none(folder.path());
    let more = "electionPortBindRetry=0\n";
    let mut ensemble = Ensemble::written(folder.path(), (3, 0), SHORT_TICKS, more, |id| {
        format!("s{id}.test")
    });
    ensemble.environment = names.environment();

    // Its own name first means nothing, then those of the others.
    ensemble.launch(2);
    ensemble.wait_for_log(2, "s2.test means nothing");
    names.mean(&[("s2.test", HERE)]);
    for unknown in ["host=\"s1.test\"", "host=\"s3.test\""] {
        ensemble.wait_for_log(2, unknown);
    }
    names.mean(&[("s2.test", HERE), ("s3.test", HERE)]);
    ensemble.launch(3);
    ensemble.wait("two serve", |modes| {
        modes[1] != "none" && modes[2] != "none"
    });
    let client = connect(&ensemble.addresses()).await;
    put(&client, "/two", CreateMode::Persistent).await;
    names.mean(&[("s1.test", HERE), ("s2.test", HERE), ("s3.test", HERE)]);
    ensemble.launch(1);
    ensemble.wait_for_all();

    // The one that all others call moves.
    ensemble.kill_9(1);
    names.mean(&[("s1.test", ELSEWHERE), ("s2.test", HERE), ("s3.test", HERE)]);
    ensemble.launch(1);
    ensemble.wait_for_all();

    // So does the leader, which is then needed.
    let leader = ensemble.leader();
    let other = if leader == 2 { 3 } else { 2 };
    let host = |id| if id == leader { ELSEWHERE } else { HERE };
    ensemble.kill_9(leader);
    names.mean(&[
        ("s1.test", ELSEWHERE),
        ("s2.test", host(2)),
        ("s3.test", host(3)),
    ]);
    ensemble.launch(leader);
    ensemble.wait_for_all();
    ensemble.kill_9(other);
    ensemble.wait("the moved ones serve", |modes| {
        modes[0] != "none" && modes[leader - 1] != "none"
    });
    put(&client, "/moved", CreateMode::Persistent).await;
    assert!(holds(&client, "/two").await);
    client.close().await.unwrap();
}
