//! A member that finds no leader and serves readers all the same.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use std::sync::Arc;
use zab::{Config, ServerId};
use zk_node::Settings;
use zk_node::conn::lane::End;
use zk_proto::{OpCode, Request};
use zk_storage::sim::SimDisk;

const NOT_READ_ONLY: i32 = -119;

fn looking(read_only_mode: bool, local_sessions: bool) -> Host {
    let settings = Settings {
        read_only_mode,
        local_sessions,
        ..settings()
    };
    let three = Config::new(ServerId(1), [1, 2, 3].map(ServerId));
    Host::of(three, settings, Arc::new(SimDisk::new()))
}

/// A connection whose handshake does, or does not, accept a read-only server.
fn call(host: &mut Host, session: i64, read_only: bool) -> usize {
    let conn = host.open();
    let mut hello = hello(session, 10_000, &[0; 16], 0);
    *hello.last_mut().unwrap() = u8::from(read_only);
    host.send(conn, &hello);
    conn
}

/// The answer to such a handshake.
fn greet(host: &mut Host, session: i64, read_only: bool) -> (Vec<u8>, End) {
    let conn = call(host, session, read_only);
    host.output(conn)
}

/// A connection that is served read-only.
fn reader(host: &mut Host) -> usize {
    let conn = call(host, 0, true);
    assert_eq!(host.output(conn).1, End::Open);
    conn
}

fn silent(answer: (Vec<u8>, End)) -> bool {
    answer == (Vec::new(), End::Now)
}

// spec: CP-RO-01, CP-RO-02, CP-RO-03, CP-RO-04
#[test]
fn readers_are_served_after_a_while_without_a_leader() {
    let mut host = looking(true, true);
    host.advance(1900);
    assert!(silent(greet(&mut host, 0, true)));
    host.advance(200);
    assert!(silent(greet(&mut host, 0, false)), "asks for writes");
    assert!(silent(greet(&mut host, 7, true)), "a global session");
    let (out, end) = greet(&mut host, 0, true);
    assert_eq!(end, End::Open);
    assert_eq!(out.last(), Some(&1), "the answer says read-only");
    // Without local sessions nobody can get one.
    let mut host = looking(true, false);
    host.advance(2100);
    assert!(silent(greet(&mut host, 0, true)));
}

// spec: CP-RO-01, CP-RO-09
#[test]
fn nobody_is_served_read_only_unless_it_is_configured_and_there_are_others() {
    let mut host = looking(false, true);
    host.advance(10_000);
    assert!(silent(greet(&mut host, 0, true)));
    let alone = Settings {
        read_only_mode: true,
        ..settings()
    };
    let mut host = Host::with(alone, Arc::new(SimDisk::new()));
    host.advance(10_000);
    let (conn, _) = host.connect();
    assert_eq!(host.ask(conn, 1, &create("/a", 0))[0].err, 0);
}

// spec: CP-RO-05, CP-RO-06
#[test]
fn reads_are_answered_and_writes_refused() {
    let mut host = looking(true, true);
    host.advance(2100);
    let conn = reader(&mut host);
    let refused = host.ask(conn, 1, &create("/a", 0));
    assert_eq!((refused[0].err, refused[0].body.len()), (NOT_READ_ONLY, 0));
    let sync = Request::Sync { path: "/".into() };
    assert_eq!(host.ask(conn, 2, &sync)[0].err, NOT_READ_ONLY);
    let with_watch = [0, 0, 0, 1, b'/', 1];
    host.send(conn, &raw(3, OpCode::GetData as i32, &with_watch));
    assert_eq!(replies(&host.output(conn).0)[0].err, 0);
    assert!(host.shared.is_read_only());
    assert_eq!(host.ask(conn, 4, &Request::CloseSession)[0].err, 0);
    assert_eq!(host.output(conn).1, End::AfterOutput);
}

// spec: CP-RO-01
#[test]
fn the_end_of_the_election_cuts_readers_off() {
    let mut host = looking(true, true);
    host.advance(2100);
    let conn = reader(&mut host);
    host.hear_leader();
    assert_eq!(host.output(conn).1, End::Now);
    assert!(silent(greet(&mut host, 0, true)));
}
