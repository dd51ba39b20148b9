//! Sessions: resumed, expired, closed, restored from disk.

#![allow(clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::*;
use std::sync::{Arc, Mutex};
use zab::{Config, Effect, Event, Peer, ServerId};
use zk_node::conn::lane::End;
use zk_node::disk::restore;
use zk_node::trace::Tracer;
use zk_node::{Settings, words::Word};
use zk_proto::session::password;
use zk_proto::{ErrorCode, OpCode, Put, Request, Txn, TxnRecord};
use zk_storage::Store;
use zk_storage::sim::SimDisk;

fn session_of(out: &[u8]) -> (i32, i64) {
    (
        i32::from_be_bytes(out[8..12].try_into().unwrap()),
        i64::from_be_bytes(out[12..20].try_into().unwrap()),
    )
}

#[test]
fn a_session_is_resumed_with_its_password_and_without_its_watches() {
    // spec: CP-CON-05, CP-CON-20, CP-CON-25, CP-WAT-01, CP-GAP-01, FT-CON-15
    let mut host = Host::new();
    let (old, session) = host.connect();
    host.ask(old, 1, &create("/e", 1));
    host.ask(old, 2, &get_data("/e", true));
    let new = host.open();
    host.send(new, &hello(session, 20_000, &password(session), 0));
    assert_eq!(session_of(&host.output(new).0), (20_000, session));
    assert_eq!(host.output(old).1, End::Now);
    host.drop_conn(old);
    let replies = host.ask(new, 3, &set_data("/e", b"y"));
    assert_eq!(xids(&replies), [3], "the watch went with its connection");
    assert_eq!(host.ask(new, 4, &get_data("/e", false))[0].err, 0);
}

#[test]
fn wrong_passwords_and_unknown_sessions_get_the_same_answer() {
    // spec: CP-CON-21, CP-CON-22, CP-GAP-19, CP-VEC-03, FT-CON-14, INV-14
    let mut host = Host::new();
    let (_, session) = host.connect();
    let right = password(session);
    for (id, given) in [
        (session, &[0; 16][..]),
        (session, &right[..15]),
        (session, &[]),
        (session + 1, &password(session + 1)),
        (-1, &password(-1)),
    ] {
        let conn = host.open();
        host.send(conn, &hello(id, 30_000, given, 0));
        let (out, end) = host.output(conn);
        let mut expected = vec![0; 41];
        (expected[3], expected[23]) = (37, 16);
        assert_eq!((out, end), (expected, End::AfterOutput), "{id:x}");
    }
}

#[test]
fn who_guesses_passwords_is_slowed_and_nobody_else() {
    // spec: FT-CON-14, P-LOUD
    let mut host = Host::new();
    let (_, session) = host.connect();
    let attempt = |host: &mut Host, given: &[u8]| {
        let conn = host.open();
        host.send(conn, &hello(session, 30_000, given, 0));
        conn
    };
    for _ in 0..11 {
        let conn = attempt(&mut host, &[1; 16]);
        assert_eq!(host.output(conn).1, End::AfterOutput);
    }
    let wrong = attempt(&mut host, &[1; 16]);
    let right = attempt(&mut host, &password(session));
    let gone = attempt(&mut host, &password(session));
    host.drop_conn(gone);
    host.advance(900);
    for conn in [wrong, right] {
        assert_eq!(host.output(conn), (Vec::new(), End::Open));
    }
    let (_, other) = host.connect();
    assert_ne!(other, 0, "a new session waits for nobody");
    host.advance(200);
    assert_eq!(session_of(&host.output(wrong).0), (0, 0));
    assert_eq!(session_of(&host.output(right).0), (30_000, session));
    assert_eq!(host.shared.totals.wrong_passwords.get(), 12);
    let quiet = host.now.mono_ms + 60_000;
    while host.now.mono_ms < quiet {
        host.advance(3000);
        host.ask(right, -2, &Request::Ping);
    }
    let again = attempt(&mut host, &password(session));
    assert_eq!(session_of(&host.output(again).0).1, session);
}

#[test]
fn a_session_shorter_than_the_wait_outlives_it() {
    // spec: FT-CON-14, CP-CON-23
    let mut host = Host::with(
        Settings {
            tick_time_ms: 200,
            min_session_timeout_ms: 400,
            ..settings()
        },
        std::sync::Arc::new(SimDisk::new()),
    );
    let conn = host.open();
    host.send(conn, &hello(0, 400, &[0; 16], 0));
    let (_, session) = session_of(&host.output(conn).0);
    for _ in 0..11 {
        let conn = host.open();
        host.send(conn, &hello(session, 400, &[1; 16], 0));
    }
    for (given, expected) in [(password(session), (400, session)), ([1; 16], (0, 0))] {
        let conn = host.open();
        host.send(conn, &hello(session, 400, &given, 0));
        host.advance(1000);
        assert_eq!(session_of(&host.output(conn).0), expected);
    }
    // A wrong password keeps nothing alive.
    let late = host.open();
    host.send(late, &hello(session, 400, &password(session), 0));
    host.advance(1000);
    assert_eq!(session_of(&host.output(late).0), (0, 0));
}

#[test]
fn a_silent_session_expires_with_its_ephemerals_and_a_pinging_one_lives() {
    // spec: CP-SES-02, CP-SES-03, CP-SES-12, CP-CON-27, INV-07
    let mut host = Host::new();
    let (silent, session) = host.connect();
    let (alive, _) = host.connect();
    host.ask(silent, 1, &create("/e", 1));
    host.ask(alive, 1, &exists("/e", true));
    for _ in 0..3 {
        host.advance(3000);
        assert_eq!(host.ask(alive, -2, &Request::Ping)[0].xid, -2);
    }
    assert_eq!(host.output(silent), (Vec::new(), End::Open));
    host.advance(3100);
    assert_eq!(host.output(silent), (Vec::new(), End::Now));
    assert_eq!(
        replies(&host.output(alive).0)[0].xid,
        -1,
        "the ephemeral's watcher is told"
    );
    assert_eq!(host.ask(alive, 2, &exists("/e", false))[0].err, -101);
    let again = host.open();
    host.send(again, &hello(session, 10_000, &password(session), 0));
    assert_eq!(session_of(&host.output(again).0), (0, 0));
}

#[test]
fn sessions_and_trees_survive_a_restart_and_are_timed_afresh() {
    // spec: CP-SES-06, INV-11, CP-CON-25
    let disk = Arc::new(SimDisk::new());
    let mut host = Host::with(settings(), Arc::clone(&disk));
    let (conn, session) = host.connect();
    host.ask(conn, 1, &create("/e", 1));
    host.ask(conn, 2, &create("/p", 0));
    let digest = host.node.applied();
    drop(host);
    disk.kill_process();
    let mut host = Host::with(settings(), disk);
    assert_eq!(host.node.applied(), digest);
    host.advance(9000);
    let conn = host.open();
    host.send(conn, &hello(session, 10_000, &password(session), digest.0));
    assert_eq!(session_of(&host.output(conn).0), (10_000, session));
    assert_eq!(host.ask(conn, 3, &get_data("/e", false))[0].err, 0);
    let (_, fresh) = host.connect();
    assert!(fresh > session, "ids rise although the clock stands still");
}

#[test]
fn an_ephemeral_without_a_session_is_taken_away_through_the_log() {
    // spec: DF-REC-22
    let disk = Arc::new(SimDisk::new());
    let mut host = Host::with(settings(), Arc::clone(&disk));
    host.connect();
    let before = host.shared.applied();
    drop(host);
    disk.kill_process();
    append(&disk, before + 1, &orphan(before + 1));
    let mut host = Host::with(settings(), disk);
    let (conn, _) = host.connect();
    assert_eq!(host.ask(conn, 1, &exists("/orphan", true))[0].err, 0);
    host.advance(2 * u64::from(TICK));
    assert_eq!(
        xids(&replies(&host.output(conn).0)),
        [-1],
        "its watcher is told"
    );
    assert_eq!(host.ask(conn, 2, &exists("/orphan", false))[0].err, -101);
}

/// The record of an ephemeral of session 0x5e55.
fn orphan(zxid: i64) -> Vec<u8> {
    let mut record = Vec::new();
    record.put_long(0x5e55);
    record.put_int(0);
    record.put_long(zxid);
    record.put_long(1_700_000_000_000);
    record.put_int(op(OpCode::Create));
    record.put_string("/orphan");
    record.put_buffer(Some(b""));
    record.put_int(1);
    record.put_int(31);
    record.put_string("world");
    record.put_string("anyone");
    record.put_bool(true);
    record.put_int(1);
    record
}

/// Writes a record behind what the log holds.
fn append(disk: &Arc<SimDisk>, zxid: i64, record: &[u8]) {
    let config = zk_storage::Config {
        segment_bytes: 1 << 20,
        ..zk_storage::Config::new("/data")
    };
    let store = Store::open(Arc::clone(disk) as _, config).unwrap();
    let mut log = restore(&store, &zk_tree::Settings::default(), 500)
        .unwrap()
        .log;
    log.append(zxid, record).unwrap();
    log.sync().unwrap();
}

#[test]
fn wall_clocks_of_other_centuries_do_no_harm() {
    // spec: FT-CLK-05
    let second = 1000;
    for wall_ms in [
        -50 * 365 * 86_400 * second,
        i64::from(i32::MAX) * second,
        i64::from(u32::MAX) * second,
        i64::MAX / 2,
    ] {
        let mut host = Host::new();
        host.now.wall_ms = wall_ms;
        host.advance(100);
        let (conn, _) = host.connect();
        for (xid, path, flags) in [(1, "/a", 0), (2, "/e", 1)] {
            assert_eq!(host.ask(conn, xid, &create(path, flags))[0].err, 0);
        }
        let replies = host.ask(conn, 3, &set_data("/a", b"x"));
        assert_eq!(replies[0].err, 0, "{wall_ms}");
        let mtime = host.shared.tree.read().unwrap().stat("/a").unwrap().mtime;
        assert!((wall_ms..wall_ms + 1000).contains(&mtime), "{mtime}");
        // Sessions end by the other clock, whatever this one shows.
        host.drop_conn(conn);
        host.advance(60_000);
        let tree = host.shared.tree.read().unwrap();
        assert!(tree.stat("/e").is_none() && tree.stat("/a").is_some());
    }
}

#[test]
fn a_dropped_connection_leaves_its_session_and_its_requests() {
    // spec: CP-SES-13, CP-ORD-06
    let mut host = Host::new();
    let (conn, session) = host.connect();
    host.disk_holds = true;
    host.send(conn, &encode(1, &create("/a", 0)));
    host.drop_conn(conn);
    host.release_disk();
    let again = host.open();
    host.send(again, &hello(session, 10_000, &password(session), 0));
    host.output(again);
    assert_eq!(host.ask(again, 2, &exists("/a", false))[0].err, 0);
    assert_eq!(host.shared.totals.outstanding.get(), 0);
}

#[test]
fn an_old_reply_is_not_given_to_the_new_connection() {
    // spec: CP-SES-13, INV-14, FT-LOAD-03
    let mut host = Host::new();
    let (old, session) = host.connect();
    host.disk_holds = true;
    host.send(old, &encode(5, &create("/old", 0)));
    let new = host.open();
    host.send(new, &hello(session, 10_000, &password(session), 0));
    host.send(new, &encode(5, &create("/new", 0)));
    host.release_disk();
    let (out, _) = host.output(new);
    let replies = replies(&out[4 + 37..]);
    assert_eq!(replies.len(), 1);
    assert_eq!(replies[0].body[4..], *b"/new");
}

#[test]
fn what_an_old_connection_brings_after_the_new_one_came_counts_as_unread() {
    // spec: CP-CON-20, CP-SES-13, CP-SES-20, INV-14
    for (old_first, err) in [(true, 0), (false, -101)] {
        let mut host = Host::new();
        let (old, session) = host.connect();
        let new = host.open();
        let hello = hello(session, 10_000, &password(session), 0);
        let write = encode(1, &create("/late", 0));
        let mut all = [(new, &hello[..]), (old, &write[..])];
        if old_first {
            all.reverse();
        }
        host.send_at_once(&all);
        assert_eq!(host.output(old).1, End::Now);
        assert_eq!(session_of(&host.output(new).0).1, session);
        assert_eq!(host.ask(new, 2, &exists("/late", false))[0].err, err);
        host.drop_conn(old);
        assert_eq!(host.shared.totals.outstanding.get(), 0);
    }
}

#[test]
fn local_sessions_cost_no_txn_and_may_not_own_ephemerals() {
    // spec: CP-CON-30, CP-CON-31, CP-CON-33
    let local = Settings {
        local_sessions: true,
        ..settings()
    };
    let mut host = Host::with(local, Arc::new(SimDisk::new()));
    let zxid = host.shared.applied();
    let (conn, _) = host.connect();
    assert_eq!(host.shared.applied(), zxid);
    assert_eq!(host.ask(conn, 1, &create("/p", 0))[0].err, 0);
    assert_eq!(host.ask(conn, 2, &create("/e", 1))[0].err, -120);
    let zxid = host.shared.applied();
    let closed = host.ask(conn, 3, &Request::CloseSession);
    assert_eq!((closed[0].err, closed[0].zxid), (0, zxid));
    assert_eq!(host.output(conn).1, End::AfterOutput);
}

#[test]
fn a_local_session_is_unknown_to_another_server_and_resumes_on_its_own() {
    // spec: CP-CON-32. The other server has the same history: a local session is no part of it.
    let local = Settings {
        local_sessions: true,
        ..settings()
    };
    let disk = Arc::new(SimDisk::new());
    let mut host = Host::with(local.clone(), Arc::clone(&disk));
    let (old, session) = host.connect();
    let again = host.open();
    host.send(again, &hello(session, 10_000, &password(session), 0));
    assert_eq!(session_of(&host.output(again).0).1, session);
    assert_eq!(host.output(old).1, End::Now);
    drop(host);
    disk.kill_process();
    let mut other = Host::with(local, disk);
    let conn = other.open();
    other.send(conn, &hello(session, 10_000, &password(session), 0));
    let (out, end) = other.output(conn);
    assert_eq!((session_of(&out).1, end), (0, End::AfterOutput));
}

#[test]
fn a_local_session_is_upgraded_by_its_first_ephemeral() {
    // spec: CP-CON-33, CP-CON-34, QP-TXN-07
    let disk = Arc::new(SimDisk::new());
    let mut host = Host::with(upgrading(), Arc::clone(&disk));
    let (conn, session) = host.connect();
    let mut bytes = encode(1, &create("/e", 1));
    bytes.extend(encode(2, &create("/f", 1)));
    host.send(conn, &bytes);
    let replies = replies(&host.output(conn).0);
    assert_eq!(
        replies.iter().map(|reply| reply.err).collect::<Vec<_>>(),
        [0, 0]
    );
    drop(host);
    disk.kill_process();
    let mut host = Host::with(upgrading(), disk);
    let again = host.open();
    host.send(again, &hello(session, 10_000, &password(session), 0));
    assert_eq!(
        session_of(&host.output(again).0).1,
        session,
        "it is a global one by now"
    );
}

fn upgrading() -> Settings {
    Settings {
        local_sessions: true,
        local_sessions_upgrading: true,
        ..settings()
    }
}

// spec: CP-CON-31, CP-CON-34, CP-SES-11, INV-07
#[test]
fn a_session_that_is_closed_as_it_is_upgraded_takes_its_ephemerals_along() {
    let mut host = Host::with(upgrading(), Arc::new(SimDisk::new()));
    let (conn, session) = host.connect();
    let mut bytes = encode(1, &create("/e", 1));
    bytes.extend(encode(2, &Request::CloseSession));
    host.send(conn, &bytes);
    let (out, end) = host.output(conn);
    assert_eq!((xids(&replies(&out)), end), (vec![1, 2], End::AfterOutput));
    let tree = host.shared.tree.read().unwrap();
    assert!(tree.stat("/e").is_none());
    assert_eq!(
        (tree.session_timeout(session), tree.ephemeral_count()),
        (None, 0)
    );
    assert!(host.shared.sessions.lock().unwrap().is_empty());
}

// spec: CP-CON-31, CP-SES-10, INV-07
#[test]
fn a_local_session_that_is_being_closed_is_not_resumed() {
    let mut host = Host::with(upgrading(), Arc::new(SimDisk::new()));
    let (old, session) = host.connect();
    host.disk_holds = true;
    // The close waits for what its session wrote.
    let mut bytes = encode(1, &create("/p", 0));
    bytes.extend(encode(2, &Request::CloseSession));
    host.send(old, &bytes);
    let new = host.open();
    host.send(new, &hello(session, 10_000, &password(session), 0));
    host.send(new, &encode(3, &create("/e", 1)));
    host.release_disk();
    assert_eq!(host.output(new).1, End::AfterOutput, "refused");
    let tree = host.shared.tree.read().unwrap();
    assert!(tree.stat("/p").is_some() && tree.stat("/e").is_none());
    assert!(host.shared.sessions.lock().unwrap().is_empty());
}

// spec: CP-CON-31, P-BOUND
#[test]
fn nothing_is_kept_of_a_local_session_that_wrote_and_ended() {
    let local = Settings {
        local_sessions: true,
        ..settings()
    };
    let mut host = Host::with(local, Arc::new(SimDisk::new()));
    let (first, session) = host.connect();
    host.ask(first, 1, &create("/p", 0));
    // It comes back here, and writes again.
    let again = host.open();
    host.send(again, &hello(session, 10_000, &password(session), 0));
    assert_eq!(session_of(&host.output(again).0).1, session);
    assert_eq!(host.ask(again, 2, &set_data("/p", b"y")).len(), 1);
    assert_eq!(host.node.owned_sessions(), 0);
    host.ask(again, 3, &Request::CloseSession);
    assert_eq!(host.node.owned_sessions(), 0);
    // What every server knows of is kept until a txn ends it.
    let mut host = Host::new();
    let before = host.node.owned_sessions();
    let (conn, _) = host.connect();
    host.ask(conn, 1, &create("/p", 0));
    assert_eq!(host.node.owned_sessions(), before + 1);
    host.ask(conn, 2, &Request::CloseSession);
    assert_eq!(host.node.owned_sessions(), before);
}

// spec: QP-BC-04, CP-PRE-02
#[test]
fn writes_that_do_not_fit_into_an_epoch_come_into_the_next_one() {
    let few = Config {
        standalone: true,
        counter_limit: 5,
        ..Config::new(ServerId(1), [ServerId(1)])
    };
    let mut host = Host::of(few, settings(), Arc::new(SimDisk::new()));
    let (conn, _) = host.connect();
    let bytes: Vec<_> = (1..=6)
        .flat_map(|xid| encode(xid, &create(&format!("/{xid}"), 0)))
        .collect();
    host.send(conn, &bytes);
    let replies = replies(&host.output(conn).0);
    assert_eq!(xids(&replies), [1, 2, 3, 4, 5, 6]);
    assert!(replies.iter().all(|it| it.err == 0));
    assert!(replies.is_sorted_by(|a, b| a.zxid < b.zxid));
    assert_eq!((replies[0].zxid >> 32) + 1, replies[5].zxid >> 32);
}

#[test]
fn unused_containers_go_by_the_timer() {
    // spec: CP-EPH-20, CP-EPH-21, CP-EPH-24
    let mut host = Host::new();
    let (conn, _) = host.connect();
    let Request::Create(body) = create("/c", 4) else {
        unreachable!()
    };
    host.ask(conn, 1, &Request::CreateContainer(body));
    host.ask(conn, 2, &create("/c/x", 0));
    let mut delete = Vec::new();
    delete.put_string("/c/x");
    delete.put_int(-1);
    host.send(conn, &raw(3, op(OpCode::Delete), &delete));
    host.output(conn);
    for _ in 0..13 {
        assert_eq!(host.ask(conn, 4, &exists("/c", false))[0].err, 0);
        host.advance(4500);
        host.ask(conn, -2, &Request::Ping);
    }
    host.advance(3000);
    assert_eq!(host.ask(conn, 5, &exists("/c", false))[0].err, -101);
}

#[test]
fn snapshots_become_due_at_a_scattered_count() {
    // spec: CP-CFG-02, DF-ALG-10
    let often = Settings {
        snap_count: 20,
        ..settings()
    };
    let mut host = Host::with(often, Arc::new(SimDisk::new()));
    let (conn, _) = host.connect();
    for xid in 1..=50 {
        host.ask(conn, xid, &create(&format!("/n{xid}"), 0));
    }
    assert!(
        (2..=4).contains(&host.snapshots_due),
        "{}",
        host.snapshots_due
    );
    assert_eq!(Word::parse(*b"srvr"), Some(Word::Srvr));
}

// spec: CP-CFG-02, DF-ALG-10
#[test]
fn what_is_replayed_counts_towards_the_next_snapshot() {
    let seldom = Settings {
        snap_count: 10,
        ..settings()
    };
    let disk = Arc::new(SimDisk::new());
    let mut due = Vec::new();
    for run in 0..3 {
        let mut host = Host::with(seldom.clone(), Arc::clone(&disk));
        let (conn, _) = host.connect();
        for xid in 1..=3 {
            host.ask(conn, xid, &create(&format!("/{run}-{xid}"), 0));
        }
        due.push(host.snapshots_due);
        drop(host);
        disk.kill_process();
    }
    // The harness takes none: what the first one was due for is there at the next start again.
    assert_eq!(due, [0, 1, 1]);
}

#[test]
fn a_local_session_does_what_a_global_one_does() {
    // spec: CP-CON-35, CP-CON-30
    let settings = Settings {
        local_sessions: true,
        ..settings()
    };
    let mut host = Host::with(settings, Arc::new(SimDisk::new()));
    let before = host.shared.applied();
    let (conn, session) = host.connect();
    assert_eq!(host.shared.applied(), before, "no txn made the session");
    assert_eq!(host.ask(conn, 1, &create("/p", 0))[0].err, 0);
    assert_eq!(host.ask(conn, 2, &get_data("/p", true))[0].err, 0);
    let sync = Request::Sync { path: "/p".into() };
    assert_eq!(host.ask(conn, 3, &sync)[0].err, 0);
    let replies = host.ask(conn, 4, &set_data("/p", b"y"));
    assert_eq!(xids(&replies), [-1, 4], "the watch fires");
    // On the server that made it it is resumed.
    let again = host.open();
    host.send(again, &hello(session, 10_000, &password(session), 0));
    assert_eq!(session_of(&host.output(again).0), (10_000, session));
}

/// Keeps the errors that requests were logged with.
struct Errors(Arc<Mutex<Vec<i32>>>);

impl Tracer for Errors {
    fn step(&mut self, event: &Event<Bytes>, _: &[Effect<Bytes>], _: &Peer<Bytes>) {
        if let Event::Proposed { txn, .. } = event
            && let Txn::Error { err } = TxnRecord::decode(txn).unwrap().txn
        {
            self.0.lock().unwrap().push(err);
        }
    }
}

// spec: CP-CON-26, CP-SES-10. Seeds 18, 33, 65 and 93 of the simulator answered that a local session owns no ephemerals,
// where no session was local.
#[test]
fn what_an_ended_session_still_creates_is_refused_because_it_has_ended() {
    let mut host = Host::new();
    let errors = Arc::new(Mutex::new(Vec::new()));
    host.node.trace(Box::new(Errors(Arc::clone(&errors))));
    for flags in [0, 1] {
        let (conn, _) = host.connect();
        let late = host.receive(conn, &encode(1, &create("/late", flags)));
        host.advance(30_000);
        host.look(late);
    }
    let expired = ErrorCode::SessionExpired.code();
    assert_eq!(*errors.lock().unwrap(), [expired, expired]);
}
