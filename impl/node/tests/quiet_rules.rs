//! What a client sees only in rare moments: requests of a session that is ending, local sessions, many events.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use std::sync::Arc;
use zk_node::Settings;
use zk_node::conn::lane::End;
use zk_proto::Request;
use zk_proto::session::password;
use zk_storage::sim::SimDisk;

#[test]
fn requests_of_a_session_that_is_ending_are_dropped() {
    // spec: CP-OP-11, CP-SES-12. The end is decided and not yet durable: no answer, and no close before it is.
    let mut host = Host::new();
    let (conn, _) = host.connect();
    host.disk_holds = true;
    host.advance(14_000);
    host.send(conn, &encode(1, &exists("/", false)));
    host.send(conn, &encode(2, &create("/late", 0)));
    assert_eq!(host.output(conn), (Vec::new(), End::Open));
    host.release_disk();
    assert_eq!(host.output(conn), (Vec::new(), End::Now));
    let (other, _) = host.connect();
    assert_eq!(host.ask(other, 1, &exists("/late", false))[0].err, -101);
}

fn local() -> Settings {
    Settings {
        local_sessions: true,
        ..settings()
    }
}

#[test]
fn a_local_session_is_unknown_to_another_server_and_resumes_on_its_own() {
    // spec: CP-CON-32. The other server has the same history: a local session is no part of it.
    let disk = Arc::new(SimDisk::new());
    let mut host = Host::with(local(), Arc::clone(&disk));
    let (old, session) = host.connect();
    let again = host.open();
    host.send(again, &hello(session, 10_000, &password(session), 0));
    assert_eq!(granted(&host.output(again).0), session);
    assert_eq!(host.output(old).1, End::Now);
    drop(host);
    disk.kill_process();
    let mut other = Host::with(local(), disk);
    let conn = other.open();
    other.send(conn, &hello(session, 10_000, &password(session), 0));
    let (out, end) = other.output(conn);
    assert_eq!((granted(&out), end), (0, End::AfterOutput));
}

fn granted(out: &[u8]) -> i64 {
    i64::from_be_bytes(out[12..20].try_into().unwrap())
}

#[test]
fn a_local_session_reads_writes_syncs_and_watches_as_any_other() {
    // spec: CP-CON-35
    let mut host = Host::with(local(), Arc::new(SimDisk::new()));
    let (conn, _) = host.connect();
    let (other, _) = host.connect();
    assert_eq!(host.ask(conn, 1, &create("/p", 0))[0].err, 0);
    assert_eq!(host.ask(conn, 2, &get_data("/p", true))[0].err, 0);
    assert_eq!(host.ask(other, 1, &set_data("/p", b"y"))[0].err, 0);
    let sync = Request::Sync { path: "/p".into() };
    assert_eq!(xids(&host.ask(conn, 3, &sync)), [-1, 3]);
    assert_eq!(host.ask(conn, 4, &get_data("/p", false))[0].err, 0);
}

#[test]
fn events_are_no_requests() {
    // spec: CP-WAT-36. A connection with more events waiting than the limits allow requests is still served.
    let one = Settings {
        global_outstanding_limit: 1,
        ..settings()
    };
    let mut host = Host::with(one, Arc::new(SimDisk::new()));
    let (watcher, _) = host.connect();
    let (writer, _) = host.connect();
    for round in 0..50 {
        let path = format!("/n{round}");
        host.ask(writer, round + 1, &create(&path, 0));
        host.send(watcher, &encode(round + 1, &exists(&path, true)));
        host.ask(writer, round + 1, &set_data(&path, b"y"));
    }
    assert_eq!(host.shared.totals.outstanding.get(), 0);
    let answered = replies(&host.output(watcher).0);
    assert_eq!(answered.iter().filter(|reply| reply.xid == -1).count(), 50);
    assert_eq!(answered.len(), 100);
}
