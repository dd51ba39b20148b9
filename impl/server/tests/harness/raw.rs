//! Clients that are no more than a socket, and what a server's memory is.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::PATIENCE;

/// A handshake for a new session.
// spec: CP-VEC-01
pub(crate) const HELLO: [u8; 49] = {
    let mut hello = [0; 49];
    hello[3] = 45;
    hello[18] = 0x75;
    hello[19] = 0x30;
    hello[31] = 16;
    hello
};

/// Bytes of the answer to it.
const WELCOME_BYTES: usize = 41;

/// A connection with a session, which lasts through a minute of silence.
pub(crate) fn session(address: &str) -> TcpStream {
    let mut hello = HELLO;
    hello[16..20].copy_from_slice(&60_000_i32.to_be_bytes());
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&hello).unwrap();
    stream.read_exact(&mut [0; WELCOME_BYTES]).unwrap();
    stream
}

/// A request in its frame.
pub(crate) fn request(xid: i32, op: i32, body: &[u8]) -> Vec<u8> {
    let length = i32::try_from(body.len() + 8).unwrap();
    let mut frame = [length, xid, op].map(i32::to_be_bytes).concat();
    frame.extend(body);
    frame
}

/// A string or buffer as a body has it.
pub(crate) fn buffer(bytes: &[u8]) -> Vec<u8> {
    let length = i32::try_from(bytes.len()).unwrap();
    [&length.to_be_bytes(), bytes].concat()
}

/// Reads one reply; its error code.
pub(crate) fn reply(stream: &mut TcpStream) -> i32 {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut frame = vec![0; i32::from_be_bytes(length).try_into().unwrap()];
    stream.read_exact(&mut frame).unwrap();
    i32::from_be_bytes(frame[12..16].try_into().unwrap())
}

/// Memory of a process that is really there.
pub(crate) fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}
