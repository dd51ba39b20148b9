//! Keys of zoo.cfg that change what clients see, on our server as on Apache's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use harness::{Kind, PATIENCE, Server};
use tokio::time::timeout;
use zk_client::{Acl, Client, CreateMode, Error, ErrorCode, Perms};

async fn on_each<F>(lines: &str, test: impl Fn(Server) -> F)
where
    F: Future<Output = ()>,
{
    for kind in [Kind::Vivarium, Kind::Apache("3.9.5")] {
        println!("{kind:?}");
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(kind, folder.path(), lines);
        timeout(PATIENCE, test(server)).await.unwrap();
    }
}

async fn connect(server: &Server) -> Client {
    Client::connect(&server.address()).await.unwrap()
}

/// The zxid that the server shows.
fn zxid(server: &Server) -> String {
    let answer = server.word("srvr");
    let line = answer.lines().find(|line| line.starts_with("Zxid: "));
    line.unwrap().to_owned()
}

/// The key is for members that forward; alone, a refusal takes its zxid as without it.
// spec: CP-ACL-31, CP-PRE-02
#[tokio::test]
async fn a_refused_write_takes_a_zxid_with_eager_checks_too() {
    on_each("enableEagerACLCheck=true\n", |server| async move {
        let (owner, stranger) = (connect(&server).await, connect(&server).await);
        owner.add_auth("digest", b"ann:secret").await.unwrap();
        let mine = [Acl::new(Perms::ALL, "auth", "")];
        owner
            .create("/p", b"", &mine, CreateMode::Persistent)
            .await
            .unwrap();
        let before = zxid(&server);
        let refused = stranger.set_data("/p", b"", -1).await;
        assert_eq!(refused, Err(Error::Server(ErrorCode::NoAuth)));
        assert_ne!(zxid(&server), before);
    })
    .await;
}

// spec: CP-AUTH-08
#[tokio::test]
async fn a_client_of_another_ensemble_is_cut_off() {
    let lines = "authProvider.1=org.apache.zookeeper.server.auth.EnsembleAuthenticationProvider\n\
                 ensembleAuthName=blue,green\n";
    on_each(lines, |server| async move {
        let client = connect(&server).await;
        client.add_auth("ensemble", b"green").await.unwrap();
        client.add_auth("ensemble", b"").await.unwrap();
        assert_eq!(
            client.add_auth("ensemble", b"red").await,
            Err(Error::ConnectionLost)
        );
    })
    .await;
}

// spec: CP-AUTH-14
#[tokio::test]
async fn enforced_authentication_comes_before_everything() {
    let lines = "enforce.auth.enabled=true\nenforce.auth.schemes=digest\n";
    on_each(lines, |server| async move {
        let client = connect(&server).await;
        let refused = Error::Server(ErrorCode::SessionClosedRequireSaslAuth);
        assert_eq!(client.exists("/").await, Err(refused));
        let client = connect(&server).await;
        client.add_auth("digest", b"ann:secret").await.unwrap();
        assert!(client.exists("/").await.unwrap().is_some());
    })
    .await;
}

// spec: CP-QUO-06
#[tokio::test]
async fn hard_quotas_hold_when_enforced() {
    on_each("enforceQuota=true\n", |server| async move {
        let client = connect(&server).await;
        let open = [Acl::open()];
        for (path, data) in [
            ("/q", ""),
            ("/zookeeper/quota/q", ""),
            (
                "/zookeeper/quota/q/zookeeper_limits",
                "count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=2",
            ),
            ("/zookeeper/quota/q/zookeeper_stats", "count=0,bytes=0"),
        ] {
            client
                .create(path, data.as_bytes(), &open, CreateMode::Persistent)
                .await
                .unwrap();
        }
        let exceeded = Error::Server(ErrorCode::QuotaExceeded);
        client
            .create("/q/1", b"12345", &open, CreateMode::Persistent)
            .await
            .unwrap();
        let second = client
            .create("/q/2", b"", &open, CreateMode::Persistent)
            .await;
        assert_eq!(second, Err(exceeded.clone()));
        assert_eq!(
            client.set_data("/q/1", b"12345678901", -1).await,
            Err(exceeded)
        );
        client.set_data("/q/1", b"1", -1).await.unwrap();
    })
    .await;
}

/// Whoever waits is woken when its turn comes, not when something of its own happens.
// spec: CP-THR-03
#[tokio::test]
async fn the_request_throttle_leaves_nobody_waiting() {
    on_each("request_throttle_max_requests=1\n", |server| async move {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..8 {
            let client = connect(&server).await;
            tasks.spawn(async move {
                for round in 0..10 {
                    let path = format!("/n{n}-{round}");
                    let open = [Acl::open()];
                    let create = client.create(&path, b"", &open, CreateMode::Persistent);
                    let (created, read) = tokio::join!(create, client.exists("/"));
                    created.unwrap();
                    read.unwrap();
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    })
    .await;
}

// spec: CP-CON-07
#[tokio::test]
async fn session_timeouts_stay_within_their_bounds() {
    on_each(
        "minSessionTimeout=5000\nmaxSessionTimeout=8000\n",
        |server| async move {
            for (asked_s, given_s) in [(1, 5), (6, 6), (100, 8)] {
                let options = zk_client::Options::new(&server.address()).unwrap();
                let options = options.session_timeout(std::time::Duration::from_secs(asked_s));
                let client = Client::with_options(options).await.unwrap();
                assert_eq!(client.session_timeout().as_secs(), given_s);
            }
        },
    )
    .await;
}

// spec: CP-FRM-05, CP-FRM-06
#[tokio::test]
async fn a_frame_may_be_as_long_as_jute_maxbuffer_says() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Kind::Vivarium, folder.path(), "jute.maxbuffer=4096\n");
    let client = connect(&server).await;
    client
        .create("/a", &[0; 3900], &[Acl::open()], CreateMode::Persistent)
        .await
        .unwrap();
    let before = zxid(&server);
    let too_long = client.set_data("/a", &[0; 4096], -1).await;
    assert_eq!(too_long, Err(Error::ConnectionLost));
    assert_eq!(zxid(&server), before);
}

/// What one txn must hold is bounded by what a reader takes: with the key's value, not with the default's.
// spec: QP-DEF-21
#[tokio::test]
async fn a_session_that_can_no_longer_be_closed_gets_no_further_ephemeral() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Kind::Vivarium, folder.path(), "jute.maxbuffer=2048\n");
    let client = connect(&server).await;
    let mut made = 0;
    let refused = loop {
        let path = format!("/{made:0200}");
        let ephemeral = client
            .create(&path, b"", &[Acl::open()], CreateMode::Ephemeral)
            .await;
        match ephemeral {
            Ok(_) => made += 1,
            Err(error) => break error,
        }
        assert!(
            made < 40,
            "the close of {made} ephemerals is longer than a record may be"
        );
    };
    assert_eq!(refused, Error::Server(ErrorCode::QuotaExceeded));
    assert!(made > 10);
}

/// All who read such a request, its txn and the reply take the length that the key gives.
// spec: CP-FRM-05, CP-JUT-10, QP-GEN-01
#[tokio::test]
async fn data_may_be_as_long_as_a_larger_jute_maxbuffer_says() {
    let long = vec![7; 3 << 20];
    let folder = tempfile::tempdir().unwrap();
    let lines = "jute.maxbuffer=4194304\n";
    let server = Server::start(Kind::Vivarium, folder.path(), lines);
    let client = connect(&server).await;
    client
        .create("/a", &long, &[Acl::open()], CreateMode::Persistent)
        .await
        .unwrap();
    assert!(client.get_data("/a").await.unwrap().0 == long);
}
