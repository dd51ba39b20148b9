//! Asks a server on this machine by a four-letter word.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Answers that we ask for have a few hundred lines at most.
const MAX_ANSWER_BYTES: u64 = 256 << 10;

/// The whole answer to `word`.
pub(crate) fn ask(address: SocketAddr, word: &str, patience: Duration) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(word.as_bytes())?;
    let mut answer = String::new();
    stream.take(MAX_ANSWER_BYTES).read_to_string(&mut answer)?;
    Ok(answer)
}

/// The value of a line that begins with `name`.
pub(crate) fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name);
    answer.lines().find_map(value).map(str::trim)
}
