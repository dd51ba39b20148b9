//! One session of a case and the connection that it is on.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Stop;
use crate::wire::jute::{In, Out};
use crate::wire::link::{Incoming, Link};
use crate::wire::ops::{self, Op};
use crate::wire::reply::{Message, Named, decode};
use crate::wire::value::{Kind, Value};

/// How long an answer may take. Servers under test share a slow machine with
/// the suite; a case that passes never waits this long.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// How long a server may take to close a connection that asks for what it cannot have: less than the 10 s after which
/// Apache closes one without a session, whatever came over it.
// spec: CP-SES-07
pub const PROMPT: Duration = Duration::from_secs(8);

/// The timeout asked for when a script does not say.
const DEFAULT_TIMEOUT_MS: i64 = 30_000;

#[derive(Debug, Default)]
pub struct Session {
    pub address: Option<SocketAddr>,
    pub link: Option<Link>,
    pub id: i64,
    pub passwd: Vec<u8>,
    pub timeout_ms: i64,
    /// Newest zxid of an ordinary reply, what clients present on reconnect.
    pub zxid: i64,
    next_xid: i32,
    pending: VecDeque<(i32, &'static Op)>,
}

/// The handshake a script asks for.
#[derive(Debug, Clone)]
pub struct Handshake {
    pub version: i64,
    pub zxid: i64,
    pub timeout: i64,
    pub id: i64,
    pub passwd: Value,
    /// The trailing `readOnly` byte; null leaves it out.
    pub read_only: Value,
}

impl Default for Handshake {
    fn default() -> Self {
        Handshake {
            version: 0,
            zxid: 0,
            timeout: DEFAULT_TIMEOUT_MS,
            id: 0,
            passwd: Value::Bytes(vec![0; 16]),
            read_only: Value::Bool(false),
        }
    }
}

impl Handshake {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Out::default();
        out.int(self.version as i32);
        out.long(self.zxid);
        out.int(self.timeout as i32);
        out.long(self.id);
        out.bytes(self.passwd.bytes());
        if self.read_only != Value::Null {
            self.read_only.encode(Kind::Bool, &mut out);
        }
        out.0
    }
}

/// Fields of a ConnectResponse, `len` and an optional `readOnly` among them.
pub fn connect_response(frame: &[u8]) -> Result<Vec<Named>, String> {
    let mut from = In::new(frame);
    let mut fields = Vec::new();
    let record = [
        ("protocolVersion", Kind::Int),
        ("timeOut", Kind::Int),
        ("sessionId", Kind::Long),
        ("passwd", Kind::Buf),
    ];
    for (name, kind) in record {
        let value = Value::decode(kind, &mut from)
            .map_err(|error| format!("the ConnectResponse does not decode: {error}"))?;
        fields.push(Named { name, kind, value });
    }
    let read_only = match from.rest() {
        [] => Value::Null,
        [flag] => Value::Bool(*flag != 0),
        rest => return Err(format!("{} bytes after the ConnectResponse", rest.len())),
    };
    let length = i64::try_from(frame.len()).unwrap_or(i64::MAX);
    fields.push(Named {
        name: "readOnly",
        kind: Kind::Bool,
        value: read_only,
    });
    fields.push(Named {
        name: "len",
        kind: Kind::Int,
        value: Value::Int(length),
    });
    Ok(fields)
}

impl Session {
    /// Opens a new TCP connection; one still open is cut.
    pub fn dial(&mut self, address: SocketAddr) -> Result<(), Stop> {
        self.cut();
        let link = Link::open(address, PATIENCE)
            .map_err(|error| Stop::Harness(format!("cannot connect to {address}: {error}")))?;
        self.address = Some(address);
        self.link = Some(link);
        Ok(())
    }

    pub fn cut(&mut self) {
        if let Some(link) = self.link.take() {
            link.cut();
        }
        self.pending.clear();
    }

    /// Takes the identity that the server granted.
    pub fn adopt(&mut self, fields: &[Named]) {
        let field = |name| {
            fields
                .iter()
                .find(|field| field.name == name)
                .map(|field| &field.value)
        };
        self.id = field("sessionId").and_then(Value::int).unwrap_or_default();
        self.timeout_ms = field("timeOut").and_then(Value::int).unwrap_or_default();
        self.passwd = field("passwd")
            .and_then(Value::bytes)
            .unwrap_or_default()
            .to_vec();
    }

    pub fn link(&mut self) -> Result<&mut Link, Stop> {
        self.link
            .as_mut()
            .ok_or_else(|| Stop::Harness("the session has no connection".into()))
    }

    /// The next ordinary xid: 1, 2, 3 ...
    pub fn take_xid(&mut self) -> i32 {
        self.next_xid = self.next_xid.checked_add(1).unwrap_or(1);
        self.next_xid
    }

    pub fn send(&mut self, xid: i32, op: &'static Op, body: &[u8]) -> Result<(), Stop> {
        // spec: CP-OP-01. A ping is answered with xid −2 whatever was sent.
        let answer = if op.name == "ping" { -2 } else { xid };
        self.pending.push_back((answer, op));
        self.send_coded(xid, op.code, body)
    }

    /// Sends a request with any op code; nothing waits for its answer's body.
    pub fn send_other(&mut self, xid: i32, code: i32, body: &[u8]) -> Result<(), Stop> {
        static UNKNOWN: Op = Op {
            name: "op",
            code: 0,
            request: &[],
            response: &[],
        };
        let op = ops::by_code(code).unwrap_or(&UNKNOWN);
        self.pending.push_back((xid, op));
        self.send_coded(xid, code, body)
    }

    fn send_coded(&mut self, xid: i32, code: i32, body: &[u8]) -> Result<(), Stop> {
        let mut out = Out::default();
        out.int(xid);
        out.int(code);
        out.0.extend_from_slice(body);
        self.link()?.send_frame(&out.0);
        Ok(())
    }

    /// The xid of the oldest unanswered request.
    pub fn oldest(&self) -> Option<(i32, &'static Op)> {
        self.pending.front().copied()
    }

    /// The next frame, decoded; a reply takes its request off the list.
    pub fn receive(&mut self, deadline: Instant) -> Result<Received, Stop> {
        let incoming = self.link()?.receive(deadline);
        let frame = match incoming {
            Incoming::Frame(frame) => frame,
            Incoming::Closed { leftover } => return Ok(Received::Closed { leftover }),
            Incoming::Silence => return Ok(Received::Silence),
            Incoming::BadLength(length) => {
                return Err(Stop::Mismatch(format!("a frame of length {length}")));
            }
        };
        let pending = &self.pending;
        let message = decode(&frame, |xid| {
            pending
                .iter()
                .find(|(sent, _)| *sent == xid)
                .map(|(_, op)| *op)
        });
        if let Message::Reply(reply) = &message {
            if let Some(at) = self.pending.iter().position(|(xid, _)| *xid == reply.xid) {
                self.pending.remove(at);
            }
            if reply.zxid > 0 && reply.xid > 0 {
                self.zxid = reply.zxid;
            }
        }
        Ok(Received::Message { message, frame })
    }
}

#[derive(Debug)]
pub enum Received {
    Message { message: Message, frame: Vec<u8> },
    Closed { leftover: usize },
    Silence,
}
