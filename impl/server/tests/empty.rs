//! Directories that were emptied: who holds nothing has no say in what was acknowledged.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::PATIENCE;
use harness::ensemble::{Ensemble, connect, holds, put};
use harness::peer::{greeting, vote};
use zab::Zxid;
use zk_client::CreateMode;
use zk_proto::quorum::ServerState;

/// They say so again and again, at short intervals.
const TALKATIVE: &str = "vivarium.election.finalWaitMs=10\nfastleader.minNotificationInterval=20\nfastleader.maxNotificationInterval=50\n";

/// Two of three, a majority, come back with nothing while the third, which has what was acknowledged, is away: they
/// elect nobody. It leads only with another that holds something; then the emptied one holds everything too, and has a
/// vote again.
// spec: P-REPAIR, FT-DISK-25, FT-DISK-26, DF-REC-05, QP-FLE-13, INV-11
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_majority_of_emptied_servers_elects_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(folder.path(), 3, 0, TALKATIVE);
    let client = connect(&ensemble.addresses()).await;
    for n in 0..20 {
        put(&client, &format!("/n{n}"), CreateMode::Persistent).await;
    }
    ensemble.kill_all();
    let database = |ensemble: &Ensemble, id| ensemble.folder(id).join("version-2");
    let aside = folder.path().join("aside");
    fs::remove_dir_all(database(&ensemble, 1)).unwrap();
    fs::rename(database(&ensemble, 2), &aside).unwrap();
    for id in [1, 2] {
        assert!(!ensemble.folder(id).join("initialize").exists());
        ensemble.launch(id);
    }
    // The third listens to what they say.
    for id in [1, 2] {
        let mut stream = call(ensemble.ports(id).1);
        for _ in 0..20 {
            let vote = vote(&mut stream);
            let said = (vote.state, vote.zxid);
            assert_eq!(
                said,
                (ServerState::Looking, Zxid::UNTRUSTED.0),
                "server {id}"
            );
        }
    }
    ensemble.launch(3);
    ensemble.kill_9(2);
    fs::remove_dir_all(database(&ensemble, 2)).unwrap();
    fs::rename(aside, database(&ensemble, 2)).unwrap();
    ensemble.launch_all();
    assert_eq!(ensemble.leader(), 3);
    ensemble.kill_9(3);
    for n in 0..20 {
        assert!(holds(&client, &format!("/n{n}")).await, "/n{n}");
    }
    client.close().await.unwrap();
}

/// A call by server 3 at an election port, once it is open.
fn call(port: u16) -> TcpStream {
    let limit = Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.write_all(&greeting(3)).unwrap();
                return stream;
            }
            Err(error) => assert!(Instant::now() < limit, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
