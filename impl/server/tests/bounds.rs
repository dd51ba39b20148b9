//! What a client that means no good can make a server hold: no more than `docs/architecture.md` says for a connection,
//! and many of them no more than so many times that.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::raw::{buffer, reply, request, resident_bytes, session};
use harness::{Kind, PATIENCE, Server};

const GET_DATA: i32 = 4;
const SET_DATA: i32 = 5;
const MULTI_READ: i32 = 22;

/// `jute.maxbuffer`.
const FRAME_BYTES: usize = 0xf_ffff;
/// What a connection may hold beside the bytes that its client sent or is to be sent.
const BESIDE_BYTES: u64 = 16 << 10;
/// No further request of a connection is begun while so much of its output waits.
const PAUSE_BYTES: u64 = 256 << 10;
/// Growth that is not of connections: tables, arenas of the allocator.
const SLACK_BYTES: u64 = 8 << 20;

/// A server whose first sessions, which fill what any load fills, have been.
fn warm(folder: &Path) -> Server {
    let server = Server::start(Kind::Vivarium, folder, "");
    let mut streams: Vec<TcpStream> = (0..20).map(|_| session(&server.address())).collect();
    for stream in &mut streams {
        set(stream, &[7; 100_000]);
    }
    server
}

/// The root's data, from one connection.
fn set(stream: &mut TcpStream, data: &[u8]) {
    stream.write_all(&set_data(data)).unwrap();
    assert_eq!(reply(stream), 0);
}

fn set_data(data: &[u8]) -> Vec<u8> {
    let body = [buffer(b"/"), buffer(data), vec![0xff; 4]].concat();
    request(1, SET_DATA, &body)
}

/// What `work` made the server's memory grow by, at most `connections` times `each` bytes.
fn grows(server: &Server, what: &str, connections: usize, each: u64, work: impl FnOnce()) {
    let before = resident_bytes(server.pid());
    work();
    let grown = resident_bytes(server.pid()).saturating_sub(before);
    println!(
        "{what}: {} bytes for each of {connections}",
        grown / connections as u64
    );
    let bound = connections as u64 * each + SLACK_BYTES;
    assert!(grown <= bound, "{what}: {grown} bytes, of {bound}");
}

fn counter(server: &Server, name: &str) -> u64 {
    let mut value = None;
    // A word is not waited for as long as a machine may be busy.
    wait_until("mntr is answered", || {
        let counters = server.word("mntr");
        let found = counters
            .lines()
            .find_map(|line| line.strip_prefix(&format!("zk_{name}\t")));
        value = found.map(|text| text.parse().unwrap());
        value.is_some()
    });
    value.unwrap()
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < limit, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

// spec: P-BOUND, P-CLOSE, FT-CON-05, FT-CON-07
#[test]
fn an_announced_length_costs_nothing() {
    const CONNECTIONS: usize = 400;
    let folder = tempfile::tempdir().unwrap();
    let server = warm(folder.path());
    let mut streams = Vec::new();
    grows(&server, "announced", CONNECTIONS, BESIDE_BYTES, || {
        for _ in 0..CONNECTIONS {
            let mut stream = session(&server.address());
            let announced = u32::try_from(FRAME_BYTES).unwrap().to_be_bytes();
            stream.write_all(&[&announced[..], b"x"].concat()).unwrap();
            streams.push(stream);
        }
        // Handshake, length and one byte of each have been read.
        let sent = (CONNECTIONS * (49 + 5)) as u64;
        let read = || counter(&server, "bytes_received_count");
        wait_until("all is read", || read() >= sent);
    });
}

// spec: P-BOUND, P-CLOSE, FT-CON-02
#[test]
fn a_frame_that_comes_byte_by_byte_costs_its_bytes() {
    const CONNECTIONS: usize = 16;
    const DATA_BYTES: usize = 40_000;
    let folder = tempfile::tempdir().unwrap();
    let server = warm(folder.path());
    let before = counter(&server, "bytes_received_count");
    let mut streams: Vec<_> = (0..CONNECTIONS)
        .map(|_| session(&server.address()))
        .collect();
    let frame = set_data(&[7; DATA_BYTES]);
    let (last, most) = frame.split_last().unwrap();
    let each = frame.len() as u64 + BESIDE_BYTES;
    grows(&server, "byte by byte", CONNECTIONS, each, || {
        for byte in most {
            for stream in &mut streams {
                stream.write_all(&[*byte]).unwrap();
            }
        }
        let sent = before + (CONNECTIONS * most.len()) as u64;
        let read = || counter(&server, "bytes_received_count");
        wait_until("all is read", || read() >= sent);
    });
    // It is a request like any other once it is whole.
    for stream in &mut streams {
        stream.write_all(&[*last]).unwrap();
        assert_eq!(reply(stream), 0);
    }
}

// spec: P-BOUND, FT-LOAD-11
#[test]
fn replies_that_nobody_reads_are_few() {
    const CONNECTIONS: usize = 48;
    const REQUESTS: i32 = 1_000;
    const REPLY_BYTES: usize = 300_000;
    let folder = tempfile::tempdir().unwrap();
    let server = warm(folder.path());
    let mut probe = session(&server.address());
    set(&mut probe, &[7; REPLY_BYTES]);
    let mut streams: Vec<_> = (0..CONNECTIONS)
        .map(|_| session(&server.address()))
        .collect();
    let get = [buffer(b"/"), vec![0]].concat();
    let all: Vec<u8> = (1..=REQUESTS)
        .flat_map(|xid| request(xid, GET_DATA, &get))
        .collect();
    // A buffer may be twice as long as what is in it. All of the replies would be 14 GB.
    let each = 2 * (PAUSE_BYTES + REPLY_BYTES as u64) + all.len() as u64 + BESIDE_BYTES;
    grows(&server, "unread", CONNECTIONS, each, || {
        for stream in &mut streams {
            stream.write_all(&all).unwrap();
        }
        // Others are served all the while, until the server has come to a stop with these.
        let (mut sent, mut quiet) = (0, 0);
        wait_until("the server stops to answer them", || {
            set(&mut probe, &[7; REPLY_BYTES]);
            let now = counter(&server, "response_bytes");
            // The probe's own answers are short.
            quiet = if now - sent < REPLY_BYTES as u64 {
                quiet + 1
            } else {
                0
            };
            sent = now;
            quiet == 20
        });
    });
    // Who begins to read gets every reply, although he says nothing more.
    for xid in 1..=REQUESTS {
        assert_eq!(reply(&mut streams[0]), 0, "{xid}");
    }
}

/// A request of 60 KB that asks for 4 GB.
// spec: P-BOUND, CP-MUL-14
#[test]
fn one_multi_read_does_not_ask_for_more_than_a_server_has() {
    const DATA_BYTES: usize = 1_000_000;
    const REPLY_BYTES: u64 = 16 << 20;
    const MARSHALLING_ERROR: i32 = -5;
    let folder = tempfile::tempdir().unwrap();
    let server = warm(folder.path());
    let mut stream = session(&server.address());
    set(&mut stream, &[7; DATA_BYTES]);
    let header = |op: i32, done: u8| [&op.to_be_bytes()[..], &[done], &[0xff; 4]].concat();
    let gets = |count: usize| {
        let get = [header(GET_DATA, 0), buffer(b"/"), vec![0]].concat();
        request(2, MULTI_READ, &[get.repeat(count), header(-1, 1)].concat())
    };
    // A buffer grows to twice its length at most, and is copied then.
    grows(&server, "multiRead", 1, 4 * REPLY_BYTES, || {
        stream.write_all(&gets(4_000)).unwrap();
        assert_eq!(reply(&mut stream), MARSHALLING_ERROR);
    });
    // What is less is answered as ever.
    stream.write_all(&gets(10)).unwrap();
    assert_eq!(reply(&mut stream), 0);
}
