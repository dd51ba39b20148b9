//! Our own client, against our server and against Apache's: what one finds, the other must find.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::time::Duration;

use harness::proxy::Proxy;
use harness::{Kind, PATIENCE, Server};
use tokio::time::timeout;
use zk_client::{
    Acl, AddWatchMode, Client, CreateMode, Error, ErrorCode, Event, EventKind, MultiError, Op,
    OpResult, Options, Perms, Read, ReadResult, State, WatcherType,
};

const SERVERS: [Kind; 2] = [Kind::Vivarium, Kind::Apache("3.9.5")];

/// Runs `test` with the address of each kind of server.
async fn on_each<F>(test: impl Fn(String) -> F)
where
    F: Future<Output = ()>,
{
    for kind in SERVERS {
        println!("{kind:?}");
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(kind, folder.path(), "");
        let done = timeout(PATIENCE, test(server.address())).await;
        assert!(done.is_ok(), "{kind:?} took too long\n{}", server.log());
    }
}

async fn connect(address: &str) -> Client {
    let options = Options::new(address).unwrap();
    Client::with_options(options.session_timeout(Duration::from_secs(3)))
        .await
        .unwrap()
}

async fn put(client: &Client, path: &str, data: &[u8]) {
    client
        .create(path, data, &[Acl::open()], CreateMode::Persistent)
        .await
        .unwrap();
}

fn event(kind: EventKind, path: &str) -> Event {
    Event {
        kind,
        path: path.to_owned(),
    }
}

fn server_error<T: std::fmt::Debug>(result: Result<T, Error>) -> ErrorCode {
    match result {
        Err(Error::Server(code)) => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_operation() {
    on_each(|address| async move {
        let client = connect(&address).await;
        let acl = [Acl::open()];
        let (path, stat) = client
            .create_with_stat("/a", b"0", &acl, CreateMode::Persistent)
            .await
            .unwrap();
        assert_eq!(
            (path.as_str(), stat.version, stat.data_length),
            ("/a", 0, 1)
        );
        let sequential = CreateMode::PersistentSequential;
        assert_eq!(
            client.create("/a/s-", b"", &acl, sequential).await.unwrap(),
            "/a/s-0000000000"
        );
        client
            .create("/a/c", b"", &acl, CreateMode::Container)
            .await
            .unwrap();
        let ttl = Duration::from_secs(600);
        let mode = CreateMode::PersistentWithTtl;
        let (_, stat) = client
            .create_with_ttl("/a/t", b"", &acl, mode, ttl)
            .await
            .unwrap();
        assert_eq!(stat.ephemeral_owner, 0);
        client
            .create("/a/e", b"", &acl, CreateMode::Ephemeral)
            .await
            .unwrap();
        assert_eq!(
            client.get_children("/a").await.unwrap(),
            ["c", "e", "s-0000000000", "t"]
        );
        assert_eq!(client.count_descendants("/a").await.unwrap(), 4);
        assert_eq!(client.ephemerals("/").await.unwrap(), ["/a/e"]);
        let owner = client
            .exists("/a/e")
            .await
            .unwrap()
            .unwrap()
            .ephemeral_owner;
        assert_eq!(owner, client.session_id());

        assert_eq!(client.set_data("/a", b"1", 0).await.unwrap().version, 1);
        assert_eq!(
            server_error(client.set_data("/a", b"2", 0).await),
            ErrorCode::BadVersion
        );
        assert_eq!(client.get_data("/a").await.unwrap().0, b"1");
        assert_eq!(client.exists("/b").await.unwrap(), None);
        assert_eq!(
            server_error(client.delete("/a", -1).await),
            ErrorCode::NotEmpty
        );
        client.sync("/a").await.unwrap();

        let reads = [
            Read::Data("/a".into()),
            Read::Children("/b".into()),
            Read::Children("/a/e".into()),
        ];
        let found = client.multi_read(&reads).await.unwrap();
        assert!(matches!(&found[0], ReadResult::Data(data, _) if data == b"1"));
        assert_eq!(
            found[1],
            ReadResult::Failed(Error::Server(ErrorCode::NoNode))
        );
        assert_eq!(found[2], ReadResult::Children(vec![]));

        let identities = client.who_am_i().await.unwrap();
        assert_eq!(identities[0].scheme, "ip");
        client.close().await.unwrap();
    })
    .await;
}

// spec: CP-MUL-03, CP-MUL-04, CP-MUL-05
#[tokio::test]
async fn multis_do_all_or_nothing() {
    on_each(|address| async move {
        let client = connect(&address).await;
        let ops = [
            Op::create("/m", b"", CreateMode::Persistent),
            Op::create("/m/s-", b"", CreateMode::EphemeralSequential),
            Op::set_data("/m", b"1", 0),
            Op::check("/m", 1),
        ];
        let results = client.multi(&ops).await.unwrap();
        assert!(matches!(&results[1], OpResult::Created { path, .. } if path == "/m/s-0000000000"));
        assert!(matches!(results[2], OpResult::Set(stat) if stat.version == 1));
        assert_eq!(results[3], OpResult::Checked);
        let ops = [
            Op::delete("/m/s-0000000000", -1),
            Op::check("/m", 0),
            Op::delete("/m", -1),
        ];
        let error = Error::Server(ErrorCode::BadVersion);
        assert_eq!(
            client.multi(&ops).await,
            Err(MultiError::Op { index: 1, error })
        );
        assert!(client.exists("/m/s-0000000000").await.unwrap().is_some());
        assert_eq!(client.multi(&[]).await.unwrap(), []);
    })
    .await;
}

// spec: CP-AUTH-02, CP-AUTH-03, CP-ACL-15, CP-OP-26, CP-OP-36
#[tokio::test]
async fn credentials_open_what_is_closed() {
    on_each(|address| async move {
        let (owner, stranger) = (connect(&address).await, connect(&address).await);
        owner.add_auth("digest", b"ann:secret").await.unwrap();
        let mine = [Acl::new(Perms::ALL, "auth", "")];
        owner
            .create("/p", b"private", &mine, CreateMode::Persistent)
            .await
            .unwrap();
        assert_eq!(
            server_error(stranger.get_data("/p").await),
            ErrorCode::NoAuth
        );
        stranger.add_auth("digest", b"ann:secret").await.unwrap();
        // The credential comes along to the next connection.
        stranger.reconnect().await.unwrap();
        let data = loop {
            match stranger.get_data("/p").await {
                Err(Error::ConnectionLost) => {}
                other => break other.unwrap().0,
            }
        };
        assert_eq!(data, b"private");
        let (acl, _) = owner.get_acl("/p").await.unwrap();
        assert_eq!(acl[0].id.scheme, "digest");
        let open = [Acl::open()];
        assert_eq!(owner.set_acl("/p", &open, 0).await.unwrap().aversion, 1);
        let refused = connect(&address).await;
        assert_eq!(
            refused.add_auth("nothing", b"").await,
            Err(Error::AuthFailed)
        );
        assert_eq!(refused.state(), State::AuthFailed);
    })
    .await;
}

// spec: CP-WAT-15, CP-WAT-16, CP-WAT-17, CP-WAT-18, CP-WAT-19, CP-WAT-52
#[tokio::test]
async fn every_kind_of_watch() {
    on_each(|address| async move {
        let (client, other) = (connect(&address).await, connect(&address).await);
        let (stat, created) = client.exists_and_watch("/w").await.unwrap();
        assert_eq!(stat, None);
        let mut persistent = client
            .add_watch("/w", AddWatchMode::Persistent)
            .await
            .unwrap();
        let mut recursive = client
            .add_watch("/", AddWatchMode::PersistentRecursive)
            .await
            .unwrap();
        put(&other, "/w", b"0").await;
        assert_eq!(
            created.wait().await.unwrap(),
            event(EventKind::NodeCreated, "/w")
        );
        let (_, _, changed) = client.get_data_and_watch("/w").await.unwrap();
        let (_, listed) = client.get_children_and_watch("/w").await.unwrap();
        put(&other, "/w/c", b"").await;
        assert_eq!(
            listed.wait().await.unwrap(),
            event(EventKind::NodeChildrenChanged, "/w")
        );
        other.set_data("/w", b"1", -1).await.unwrap();
        assert_eq!(
            changed.wait().await.unwrap(),
            event(EventKind::NodeDataChanged, "/w")
        );
        other.delete("/w/c", -1).await.unwrap();
        for expected in [
            event(EventKind::NodeCreated, "/w"),
            event(EventKind::NodeChildrenChanged, "/w"),
            event(EventKind::NodeDataChanged, "/w"),
            event(EventKind::NodeChildrenChanged, "/w"),
        ] {
            assert_eq!(persistent.next().await, Some(expected));
        }
        for expected in [
            event(EventKind::NodeCreated, "/w"),
            event(EventKind::NodeCreated, "/w/c"),
            event(EventKind::NodeDataChanged, "/w"),
            event(EventKind::NodeDeleted, "/w/c"),
        ] {
            assert_eq!(recursive.next().await, Some(expected));
        }
        let known = client.check_watches("/w", WatcherType::Any).await;
        known.unwrap();
        client.remove_watches("/w", WatcherType::Any).await.unwrap();
        assert_eq!(persistent.next().await, None);
        let known = client.check_watches("/w", WatcherType::Any).await;
        assert_eq!(server_error(known), ErrorCode::NoWatcher);
        let again = client.remove_watches("/w", WatcherType::Any).await;
        assert_eq!(server_error(again), ErrorCode::NoWatcher);
    })
    .await;
}

// spec: CP-CON-25, CP-WAT-40, CP-WAT-41, CP-WAT-42, CP-WAT-43, CP-WAT-44
#[tokio::test]
async fn a_lost_connection_costs_neither_session_nor_events() {
    on_each(|address| async move {
        let proxy = Proxy::to(address.clone()).await;
        let (client, other) = (connect(&proxy.address).await, connect(&address).await);
        put(&other, "/l", b"0").await;
        put(&other, "/kept", b"0").await;
        client
            .create("/mine", b"", &[Acl::open()], CreateMode::Ephemeral)
            .await
            .unwrap();
        let (session, mut state) = (client.session_id(), client.state_changes());
        let (_, _, changed) = client.get_data_and_watch("/l").await.unwrap();
        let (_, _, kept) = client.get_data_and_watch("/kept").await.unwrap();
        let (_, listed) = client.get_children_and_watch("/l").await.unwrap();
        let (_, created) = client.exists_and_watch("/new").await.unwrap();
        let mut below = client
            .add_watch("/l", AddWatchMode::PersistentRecursive)
            .await
            .unwrap();

        proxy.close();
        state
            .wait_for(|state| *state == State::Connecting)
            .await
            .unwrap();
        other.set_data("/l", b"1", -1).await.unwrap();
        put(&other, "/l/c", b"").await;
        put(&other, "/new", b"").await;
        proxy.open();
        state
            .wait_for(|state| *state == State::Connected)
            .await
            .unwrap();
        assert_eq!(client.session_id(), session);
        assert_eq!(
            changed.wait().await.unwrap(),
            event(EventKind::NodeDataChanged, "/l")
        );
        assert_eq!(
            listed.wait().await.unwrap(),
            event(EventKind::NodeChildrenChanged, "/l")
        );
        assert_eq!(
            created.wait().await.unwrap(),
            event(EventKind::NodeCreated, "/new")
        );
        assert!(client.exists("/mine").await.unwrap().is_some());
        // Watches that nothing touched are back on the server; recursive ones have no catch-up.
        other.set_data("/kept", b"1", -1).await.unwrap();
        assert_eq!(
            kept.wait().await.unwrap(),
            event(EventKind::NodeDataChanged, "/kept")
        );
        other.set_data("/l/c", b"1", -1).await.unwrap();
        // Before it the recursive watch hears what the data watch's catch-up brought.
        while below.next().await.unwrap() != event(EventKind::NodeDataChanged, "/l/c") {}
    })
    .await;
}

// spec: CP-CON-22, CP-CON-27, CP-SES-02, CP-EPH-06
#[tokio::test]
async fn a_session_that_is_silent_too_long_is_over() {
    on_each(|address| async move {
        let proxy = Proxy::to(address.clone()).await;
        let (client, other) = (connect(&proxy.address).await, connect(&address).await);
        client
            .create("/mine", b"", &[Acl::open()], CreateMode::Ephemeral)
            .await
            .unwrap();
        let watch = client
            .add_watch("/", AddWatchMode::Persistent)
            .await
            .unwrap();
        let (_, gone) = other.exists_and_watch("/mine").await.unwrap();
        let mut state = client.state_changes();
        proxy.close();
        assert_eq!(
            gone.wait().await.unwrap(),
            event(EventKind::NodeDeleted, "/mine")
        );
        proxy.open();
        state
            .wait_for(|state| *state == State::Expired)
            .await
            .unwrap();
        assert_eq!(client.exists("/mine").await, Err(Error::SessionExpired));
        let mut watch = watch;
        assert_eq!(watch.next().await, None);
    })
    .await;
}

// spec: CP-SES-08, CP-OP-34
#[tokio::test]
async fn a_session_that_has_nothing_to_say_lives_by_its_pings() {
    on_each(|address| async move {
        let options = Options::new(&address).unwrap();
        let options = options.session_timeout(Duration::from_millis(1500));
        let client = Client::with_options(options).await.unwrap();
        let timeout = client.session_timeout();
        let (session, mut changes) = (client.session_id(), client.state_changes());
        changes.mark_unchanged();
        // The silence is what is tested: two timeouts of it.
        tokio::time::sleep(timeout * 2).await;
        assert!(
            !changes.has_changed().unwrap_or(true),
            "{:?}",
            client.state()
        );
        assert!(client.exists("/").await.unwrap().is_some());
        assert_eq!(client.session_id(), session);
    })
    .await;
}

// spec: CP-OP-04, CP-ORD-01
#[tokio::test]
async fn requests_are_pipelined_and_answered_in_order() {
    on_each(|address| async move {
        let client = connect(&address).await;
        put(&client, "/n", b"").await;
        let mut tasks = Vec::new();
        for _ in 0..2000 {
            let client = client.clone();
            tasks.push(tokio::spawn(async move {
                client.set_data("/n", b"x", -1).await.unwrap().version
            }));
        }
        let mut versions = Vec::new();
        for task in tasks {
            versions.push(task.await.unwrap());
        }
        versions.sort_unstable();
        assert_eq!(versions, (1..=2000).collect::<Vec<_>>());
    })
    .await;
}

// spec: CP-WAT-30
#[tokio::test]
async fn a_chroot_is_the_whole_tree_to_its_client() {
    on_each(|address| async move {
        let outside = connect(&address).await;
        put(&outside, "/app", b"root").await;
        let client = connect(&format!("{address}/app")).await;
        let sequential = CreateMode::PersistentSequential;
        let path = client
            .create("/n-", b"", &[Acl::open()], sequential)
            .await
            .unwrap();
        assert_eq!(path, "/n-0000000000");
        assert_eq!(client.get_data("/").await.unwrap().0, b"root");
        assert_eq!(
            outside.get_children("/app").await.unwrap(),
            ["n-0000000000"]
        );
        let (_, changed) = client.get_children_and_watch("/").await.unwrap();
        put(&outside, "/app/x", b"").await;
        assert_eq!(
            changed.wait().await.unwrap(),
            event(EventKind::NodeChildrenChanged, "/")
        );
        let mut below = client
            .add_watch("/x", AddWatchMode::PersistentRecursive)
            .await
            .unwrap();
        put(&outside, "/app/x/y", b"").await;
        assert_eq!(
            below.next().await,
            Some(event(EventKind::NodeCreated, "/x/y"))
        );
    })
    .await;
}
