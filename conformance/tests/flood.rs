//! A server that floods the suite must not fill its memory or its reports.
#![allow(
    clippy::expect_used,
    reason = "helpers of tests: a failed expectation is a failed test"
)]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;

const SUITE: &str = env!("CARGO_BIN_EXE_zk-conformance");

/// Bytes of the path in each event that the server sends.
const PATH: usize = 4 << 20;

fn read_frame(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    // Four-letter words have no answer.
    if length == *b"srvr" {
        return None;
    }
    let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).ok()?];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

fn framed(parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u32::try_from(body.len()).expect("a small frame");
    [&length.to_be_bytes()[..], &body].concat()
}

/// Lets everyone in, and answers each request with an event of a very long path and a reply without a body.
fn flood(mut stream: TcpStream) -> Option<()> {
    read_frame(&mut stream)?;
    let session = [
        &0_i32.to_be_bytes()[..],
        &30_000_i32.to_be_bytes(),
        &7_i64.to_be_bytes(),
        &16_i32.to_be_bytes(),
        &[1; 16],
        &[0],
    ];
    stream.write_all(&framed(&session)).ok()?;
    let path = vec![b'x'; PATH];
    let length = i32::try_from(PATH).expect("a length");
    let event = framed(&[
        &(-1_i32).to_be_bytes(),
        &1_i64.to_be_bytes(),
        &0_i32.to_be_bytes(),
        &3_i32.to_be_bytes(),
        &3_i32.to_be_bytes(),
        &length.to_be_bytes(),
        &path,
    ]);
    loop {
        let request = read_frame(&mut stream)?;
        let xid = request.get(..4)?;
        let reply = framed(&[xid, &2_i64.to_be_bytes(), &0_i32.to_be_bytes()]);
        stream.write_all(&event).ok()?;
        stream.write_all(&reply).ok()?;
    }
}

#[test]
fn a_flood_is_told_of_in_few_bytes() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || flood(stream));
        }
    });
    let dir = tempfile::tempdir().expect("a folder");
    let report = dir.path().join("report.json");
    let output = Command::new(SUITE)
        .args(["run", "--profile", "3.9.5", "--retries", "0", "--servers"])
        .arg(address.to_string())
        .arg("--report")
        .arg(format!("json={}", report.display()))
        .arg("create/answer")
        .output()
        .expect("the suite runs");
    let log = String::from_utf8_lossy(&output.stderr);
    let text = std::fs::read_to_string(&report)
        .unwrap_or_else(|error| panic!("no report: {error}: {log}"));
    assert!(text.contains("expected a reply to create, found event"));
    assert!(text.len() < PATH / 4, "the report has {} bytes", text.len());
    assert!(
        output.stdout.len() < PATH / 4,
        "{} bytes are printed",
        output.stdout.len()
    );
}
