//! Ten thousand connections that mean no good: the server stays up, small and quick.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use harness::raw::{HELLO, resident_bytes};
use harness::{PATIENCE, Server};
use zk_client::{Acl, Client, CreateMode, State};

const CONNECTIONS: usize = 10_000;

/// Growth of resident memory that is allowed for all of them.
const GROWTH_BYTES: u64 = 8 << 20;

// spec: P-CLOSE, P-BOUND, FT-CON-05, FT-CON-08, FT-CON-09, FT-CON-10, INV-15
#[tokio::test]
async fn garbage_costs_neither_memory_nor_anybody_elses_time() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::vivarium(folder.path());
    let probe = Client::connect(&server.address()).await.unwrap();
    probe
        .create("/probe", b"", &[Acl::open()], CreateMode::Persistent)
        .await
        .unwrap();
    let address = server.address();
    // The first ones fill what any load fills: thread stacks, allocator arenas.
    let warm = address.clone();
    tokio::task::spawn_blocking(move || attack(&warm, 0..500))
        .await
        .unwrap();
    let before = resident_bytes(server.pid());
    let attack = tokio::task::spawn_blocking(move || attack(&address, 0..CONNECTIONS));
    let mut slowest = Duration::ZERO;
    while !attack.is_finished() {
        let began = Instant::now();
        probe.set_data("/probe", b"still here", -1).await.unwrap();
        slowest = slowest.max(began.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    attack.await.unwrap();
    let grown = resident_bytes(server.pid()).saturating_sub(before);
    println!("{CONNECTIONS} connections: {grown} bytes more, slowest probe {slowest:?}");
    assert!(
        grown <= GROWTH_BYTES,
        "grew by {grown} bytes\n{}",
        server.log()
    );
    assert!(slowest < Duration::from_secs(3), "a probe took {slowest:?}");
    assert_eq!(probe.state(), State::Connected);
    // spec: FT-ADM-10
    let log = std::fs::metadata(folder.path().join("log")).unwrap().len();
    assert!(log < 1 << 20, "{log} bytes of log");
}

/// One connection after the other, each with its own kind of nonsense.
fn attack(address: &str, range: std::ops::Range<usize>) {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    for n in range {
        // The kernel's backlog may be full for a moment.
        let Ok(mut stream) = TcpStream::connect(address) else {
            continue;
        };
        let bytes = nonsense(n, &mut random);
        // The server may close before it has taken everything.
        let _closed = stream.write_all(&bytes);
        if n % 100 == 0 {
            stream
                .set_read_timeout(Some(Duration::from_millis(50)))
                .unwrap();
            let _silence = stream.read(&mut [0; 64]);
        }
    }
}

fn nonsense(n: usize, random: &mut u64) -> Vec<u8> {
    let mut byte = || {
        *random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (*random >> 56) as u8
    };
    let announce = |len: i32, rest: &[u8]| [&len.to_be_bytes(), rest].concat();
    match n % 10 {
        0 => announce(i32::MAX, b"x"),
        1 => announce(-1, b""),
        2 => announce(i32::MIN, b""),
        3 => announce(0, b""),
        4 => announce(1024, &[0; 10]),
        5 => b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        6 => b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(),
        7 => (0..200).map(|_| byte()).collect(),
        // A session, then a frame of nonsense.
        8 => {
            let frame: Vec<u8> = (0..64).map(|_| byte()).collect();
            [&HELLO[..], &announce(64, &frame)].concat()
        }
        // A session, then a create whose ACL vector announces two thousand million entries.
        _ => {
            let mut create = Vec::new();
            for field in [1, 1, 2] {
                create.extend(i32::to_be_bytes(field));
            }
            create.extend(b"/a");
            create.extend((-1i32).to_be_bytes());
            create.extend(i32::MAX.to_be_bytes());
            [&HELLO[..], &announce(create.len() as i32, &create)].concat()
        }
    }
}

// spec: FT-CON-02, FT-CON-03, CP-SES-07
#[test]
fn who_says_nothing_is_shown_out() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "nio.sessionlessCnxnTimeout=500\n";
    let server = Server::start(harness::Kind::Vivarium, folder.path(), lines);
    for start in [&b""[..], &[0, 0, 0], &HELLO[..48]] {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(start).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let began = Instant::now();
        let end = stream.read(&mut [0; 64]).unwrap();
        let took = began.elapsed();
        assert_eq!(end, 0, "an answer to {start:?}");
        assert!(took > Duration::from_millis(300), "closed after {took:?}");
    }
}

// spec: CP-THR-01, FT-CON-01
#[tokio::test]
async fn connections_of_one_address_are_limited() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "maxClientCnxns=3\n";
    let server = Server::start(harness::Kind::Vivarium, folder.path(), lines);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(Client::connect(&server.address()).await.unwrap());
    }
    let mut refused = TcpStream::connect(server.address()).unwrap();
    refused.set_read_timeout(Some(PATIENCE)).unwrap();
    // Closed at once, with or without a reset.
    assert!(!matches!(refused.read(&mut [0; 8]), Ok(1..)));
    clients.pop().unwrap().close().await.unwrap();
    let address = server.address();
    let again = Client::connect(&address);
    tokio::time::timeout(PATIENCE, again)
        .await
        .unwrap()
        .unwrap();
}

// spec: CP-FRM-13, CP-OP-10
#[test]
fn a_reply_that_ends_a_connection_arrives_whole() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::vivarium(folder.path());
    for _ in 0..20 {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&HELLO).unwrap();
        // More than one op that nobody knows: what comes behind the first is not answered.
        for xid in [6, 7] {
            let frame = [8, xid, 99].map(i32::to_be_bytes).concat();
            stream.write_all(&frame).unwrap();
        }
        let mut answer = Vec::new();
        // A reset may follow what was read, since the second request was not.
        let _reset = stream.read_to_end(&mut answer);
        assert_eq!(answer.len(), 41 + 20, "{answer:?}");
        assert_eq!(answer[45..49], 6_i32.to_be_bytes());
        assert_eq!(answer[57..], (-6_i32).to_be_bytes());
    }
}
