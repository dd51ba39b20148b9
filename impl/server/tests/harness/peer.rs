//! What a server says to another at its election port, said and heard by a test.

use std::io::Read;
use std::net::TcpStream;

use zk_proto::quorum::{Hello, Notification, next_frame};

/// The first bytes of a caller with that id.
pub(crate) fn greeting(sid: i64) -> Vec<u8> {
    let mut hello = Vec::new();
    Hello::V1 {
        sid,
        address: "127.0.0.1:1".into(),
    }
    .encode(&mut hello);
    hello
}

/// The next vote that comes.
pub(crate) fn vote(stream: &mut TcpStream) -> Notification {
    let mut bytes = Vec::new();
    loop {
        if let Some((payload, used)) = next_frame(&bytes).unwrap() {
            let notification = Notification::decode(payload).unwrap();
            assert_eq!(used, bytes.len(), "bytes were read one by one");
            return notification;
        }
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
}
