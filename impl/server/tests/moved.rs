//! A session that moves to another server of its ensemble, and what its old connection may still do.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

use harness::PATIENCE;
use harness::ensemble::{Ensemble, TICK};
use zk_proto::request::{Create, ReadPath};
use zk_proto::{Acl, ConnectRequest, ConnectResponse, MultiOp, Reader, ReplyHeader, Request, jute};

/// One connection, by frames: a client library would come back by itself.
struct Raw {
    stream: TcpStream,
    session: i64,
    password: Vec<u8>,
}

impl Raw {
    fn open(address: &str, session: i64, password: &[u8]) -> Self {
        Self::with_timeout(address, 30_000, session, password)
    }

    fn with_timeout(address: &str, timeout: i32, session: i64, password: &[u8]) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut hello = Vec::new();
        jute::frame(&mut hello, |out| {
            ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: 0,
                timeout,
                session_id: session,
                password: Some(password),
                read_only: Some(false),
            }
            .encode(out);
        });
        stream.write_all(&hello).unwrap();
        let answer = frame(&mut stream).expect("an answer to the handshake");
        let answer = ConnectResponse::decode(&answer).unwrap();
        Self {
            session: answer.session_id,
            password: answer.password.to_vec(),
            stream,
        }
    }

    /// The same session on another connection.
    fn again(&self, address: &str) -> Self {
        Self::open(address, self.session, &self.password)
    }

    /// The error code of the reply; None when the connection ends without one.
    fn ask(&mut self, request: &Request<'_>) -> Option<i32> {
        // As a client's: a session's requests have numbers of their own, whichever connection they take. A server
        // knows by them whose txn comes back.
        static XID: AtomicI32 = AtomicI32::new(1);
        let mut bytes = Vec::new();
        request.encode_frame(XID.fetch_add(1, Ordering::Relaxed), &mut bytes);
        self.stream.write_all(&bytes).unwrap();
        let reply = frame(&mut self.stream)?;
        Some(ReplyHeader::read(&mut Reader::new(&reply)).unwrap().err)
    }
}

/// The next frame; None at the end.
fn frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut frame).expect("a whole frame");
    Some(frame)
}

fn create(path: &str) -> Create<'_> {
    Create {
        path: path.into(),
        data: None,
        acl: Some(std::iter::once(&Acl::open()).collect()),
        flags: 0,
    }
}

fn exists() -> Request<'static> {
    Request::Exists(ReadPath {
        path: "/p".into(),
        watch: false,
    })
}

/// The three servers, first the leader or, if not `leader`, a follower, then another follower.
fn starting_with(ensemble: &Ensemble, leader: bool) -> [usize; 3] {
    let mut servers = [1, 2, 3];
    servers.sort_by_key(|id| (*id == ensemble.leader()) != leader);
    if !leader {
        // Coming back to the first from the second: neither leads.
        assert_eq!(servers[2], ensemble.leader());
    }
    servers
}

fn zxid(ensemble: &Ensemble, id: usize) -> u64 {
    let answer = ensemble.word(id, "srvr");
    let line = answer
        .lines()
        .find_map(|line| line.strip_prefix("Zxid: 0x"));
    u64::from_str_radix(line.unwrap(), 16).unwrap()
}

// spec: CP-CON-26, CP-MUL-09, CP-SES-15, CP-SES-20, CP-SES-23, INV-14
#[test]
fn the_old_connection_reads_and_closes_the_session_but_does_not_write() {
    let folder = tempfile::tempdir().unwrap();
    let ensemble = Ensemble::start(folder.path(), 3, 0, "");
    let exists = exists();
    // A leader's connections may not read either.
    let [at, to, third] = starting_with(&ensemble, false);
    let mut old = Raw::open(&ensemble.address(at), 0, &[0; 16]);
    assert_eq!(old.ask(&Request::Create(create("/p"))), Some(0));
    let mut new = old.again(&ensemble.address(to));
    assert_eq!(new.session, old.session);
    // Nobody tells the first server.
    assert_eq!(old.ask(&exists), Some(0));
    let before = zxid(&ensemble, at);
    let multi = Request::Multi([MultiOp::Create(create("/late"))].into_iter().collect());
    assert_eq!(old.ask(&multi), None);
    let after = zxid(&ensemble, at);
    assert_eq!(
        after,
        before + 1,
        "the refusal is a txn: {before:x} {after:x}"
    );
    assert_eq!(new.ask(&Request::Create(create("/late"))), Some(0));
    // Back again: now the second server's connection is the old one.
    let mut back = new.again(&ensemble.address(at));
    assert_eq!(back.ask(&exists), Some(0));
    assert_eq!(new.ask(&Request::CloseSession), Some(0));
    assert_eq!(back.again(&ensemble.address(third)).session, 0);
    // The first server learns of it with the txn.
    let limit = Instant::now() + PATIENCE;
    while back.ask(&exists).is_some() {
        assert!(Instant::now() < limit, "the session goes on");
    }
}

// spec: CP-CON-26, CP-SES-20, CP-SES-21
#[test]
fn a_leader_closes_the_old_connection_whatever_it_asks() {
    let folder = tempfile::tempdir().unwrap();
    let ensemble = Ensemble::start(folder.path(), 3, 0, "");
    let [leader, to, _] = starting_with(&ensemble, true);
    let sync = Request::Sync { path: "/".into() };
    for late in [&exists(), &Request::Ping, &sync] {
        let mut old = Raw::open(&ensemble.address(leader), 0, &[0; 16]);
        assert_ne!(old.ask(&exists()), None);
        let mut new = old.again(&ensemble.address(to));
        assert_eq!(new.session, old.session);
        assert_eq!(old.ask(late), None);
        assert_ne!(new.ask(&exists()), None);
        // Where it comes back it is at home again.
        let mut back = new.again(&ensemble.address(leader));
        assert_ne!(back.ask(late), None);
    }
}

// spec: CP-SES-07
#[test]
fn a_silent_connection_ends_though_its_session_lives_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let ensemble = Ensemble::start(folder.path(), 3, 0, "");
    let [at, to, _] = starting_with(&ensemble, false);
    let mut old = Raw::with_timeout(&ensemble.address(at), 2000, 0, &[0; 16]);
    let mut new = Raw::with_timeout(&ensemble.address(to), 2000, old.session, &old.password);
    old.stream.set_read_timeout(Some(TICK)).unwrap();
    let limit = Instant::now() + PATIENCE;
    loop {
        assert_eq!(new.ask(&Request::Ping), Some(0));
        match old.stream.read(&mut [0; 8]) {
            Ok(0) => return,
            Ok(_) => panic!("bytes that nobody asked for"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        assert!(Instant::now() < limit, "the old connection stays");
    }
}
