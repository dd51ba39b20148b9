//! One TCP connection: frames out, frames in, with a deadline on every read.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What came next on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Incoming {
    /// The payload of one frame, without its length.
    Frame(Vec<u8>),
    /// The peer closed; `leftover` bytes of an incomplete frame came before.
    Closed { leftover: usize },
    /// Nothing complete before the deadline.
    Silence,
    /// A length that cannot start a frame.
    BadLength(i32),
}

/// Replies above this length are taken for garbage, so that a server cannot fill the suite's memory. Apache sends replies
/// of any size; no case asks for one this large.
const LARGEST_REPLY: usize = 8 << 20;

#[derive(Debug)]
pub struct Link {
    /// None: the server closed the connection before it was handed over.
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Link {
    /// A server that closes what it has just accepted is not an error here: the next read tells.
    pub fn open(address: SocketAddr, within: Duration) -> std::io::Result<Link> {
        let stream = match TcpStream::connect_timeout(&address, within) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                stream.set_write_timeout(Some(Duration::from_secs(10)))?;
                Some(stream)
            }
            Err(error) => match error.kind() {
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => None,
                _ => return Err(error),
            },
        };
        Ok(Link {
            stream,
            buffer: Vec::new(),
        })
    }

    /// Sends bytes as they are. A peer that has closed is not an error here:
    /// the next read tells.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        if let Some(stream) = &mut self.stream
            && stream.write_all(bytes).is_err()
        {
            // Reported by the next `receive` as `Closed`.
        }
    }

    pub fn send_frame(&mut self, payload: &[u8]) {
        let length = i32::try_from(payload.len()).unwrap_or(i32::MAX);
        let mut bytes = Vec::with_capacity(payload.len() + 4);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(payload);
        self.send_raw(&bytes);
    }

    pub fn receive(&mut self, deadline: Instant) -> Incoming {
        loop {
            if let Some(found) = self.next_buffered() {
                return found;
            }
            match self.fill(deadline) {
                Filled::Some => {}
                Filled::Closed => {
                    let leftover = self.buffer.len();
                    return Incoming::Closed { leftover };
                }
                Filled::Late => return Incoming::Silence,
            }
        }
    }

    /// Everything until the peer closes; `false` if it has not when the deadline passes or too much has come.
    pub fn receive_all(&mut self, deadline: Instant) -> (Vec<u8>, bool) {
        loop {
            match self.fill(deadline) {
                Filled::Some if self.buffer.len() > LARGEST_REPLY => {
                    return (std::mem::take(&mut self.buffer), false);
                }
                Filled::Some => {}
                Filled::Closed => return (std::mem::take(&mut self.buffer), true),
                Filled::Late => return (std::mem::take(&mut self.buffer), false),
            }
        }
    }

    /// Closes without a word to the server.
    pub fn cut(&self) {
        if let Some(stream) = &self.stream
            && stream.shutdown(Shutdown::Both).is_err()
        {
            // The peer was faster.
        }
    }

    fn next_buffered(&mut self) -> Option<Incoming> {
        let length = i32::from_be_bytes(*self.buffer.first_chunk::<4>()?);
        let Some(wanted) = usize::try_from(length).ok().filter(|n| *n <= LARGEST_REPLY) else {
            return Some(Incoming::BadLength(length));
        };
        if self.buffer.len() < wanted + 4 {
            return None;
        }
        let rest = self.buffer.split_off(wanted + 4);
        let mut frame = std::mem::replace(&mut self.buffer, rest);
        frame.drain(..4);
        Some(Incoming::Frame(frame))
    }

    fn fill(&mut self, deadline: Instant) -> Filled {
        let Some(stream) = &mut self.stream else {
            return Filled::Closed;
        };
        let mut chunk = [0; 16 << 10];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || stream.set_read_timeout(Some(left)).is_err() {
                return Filled::Late;
            }
            match stream.read(&mut chunk) {
                Ok(0) => return Filled::Closed,
                Ok(count) => {
                    self.buffer
                        .extend_from_slice(chunk.get(..count).unwrap_or_default());
                    return Filled::Some;
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Filled::Closed,
                },
            }
        }
    }
}

enum Filled {
    Some,
    Closed,
    Late,
}
