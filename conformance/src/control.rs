//! The suite's own session: finds out what the target has, makes and removes
//! the znodes that cases live under. Never a part of what is tested.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::case::Need;
use crate::engine::Stop;
use crate::engine::session::{Handshake, PATIENCE, Received, Session, connect_response};
use crate::wire::jute::Out;
use crate::wire::link::Incoming;
use crate::wire::ops;
use crate::wire::reply::{Message, Reply};
use crate::wire::value::Value;

/// Identities under which cases create znodes; presented before cleaning up.
const IDENTITIES: &[&str] = &["super:test", "user:password", "other:secret"];

pub struct Control {
    session: Session,
}

impl Control {
    pub fn open(address: SocketAddr) -> Result<Control, Stop> {
        let mut session = Session::default();
        session.dial(address)?;
        let bytes = Handshake::default().encode();
        session.link()?.send_frame(&bytes);
        match session.link()?.receive(Instant::now() + PATIENCE) {
            Incoming::Frame(frame) => session.adopt(&connect_response(&frame)?),
            other => return Err(Stop::Harness(format!("no ConnectResponse: {other:?}"))),
        }
        if session.timeout_ms <= 0 {
            return Err(Stop::Harness("a new session is refused".into()));
        }
        let mut control = Control { session };
        for identity in IDENTITIES {
            control.call(
                "auth",
                &[("scheme", text("digest")), ("auth", text(identity))],
            )?;
        }
        Ok(control)
    }

    /// One request and its answer; fields not given take their defaults.
    pub fn call(&mut self, name: &str, fields: &[(&str, Value)]) -> Result<Reply, Stop> {
        let op = ops::by_name(name).ok_or_else(|| Stop::Harness(format!("no operation {name}")))?;
        let value = |field: &ops::Field| {
            let given = fields.iter().find(|(name, _)| *name == field.0);
            given.map_or_else(|| op.default_of(*field), |(_, value)| value.clone())
        };
        let values: Vec<Value> = op.request.iter().map(value).collect();
        let mut out = Out::default();
        op.encode(&values, &mut out);
        let xid = op.reserved_xid().unwrap_or_else(|| self.session.take_xid());
        self.session.send(xid, op, &out.0)?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.session.receive(deadline)? {
                Received::Message {
                    message: Message::Reply(reply),
                    ..
                } => return Ok(reply),
                Received::Message { .. } => {}
                other => return Err(Stop::Harness(format!("{name} got no answer: {other:?}"))),
            }
        }
    }

    pub fn create(&mut self, path: &str) -> Result<(), Stop> {
        let reply = self.call("create", &[("path", text(path))])?;
        match reply.err {
            0 | -110 => Ok(()),
            err => Err(Stop::Harness(format!("cannot create {path}: error {err}"))),
        }
    }

    /// Removes a subtree; `false` if some of it could not be removed.
    pub fn remove(&mut self, path: &str) -> Result<bool, Stop> {
        // A server that deletes nothing must not hold the suite up.
        self.remove_before(path, Instant::now() + Duration::from_secs(30))
    }

    fn remove_before(&mut self, path: &str, deadline: Instant) -> Result<bool, Stop> {
        while Instant::now() < deadline {
            let reply = self.call("delete", &[("path", text(path))])?;
            match reply.err {
                0 | -101 => return Ok(true),
                -111 => {}
                _ => return Ok(false),
            }
            // Without a super user what a case forbade must be allowed again; where that fails, so does the removal.
            self.call("setACL", &[("path", text(path))])?;
            let reply = self.call("getChildren", &[("path", text(path))])?;
            let children = reply
                .fields
                .into_iter()
                .find(|field| field.name == "children");
            if let Some(Value::List(children)) = children.map(|field| field.value) {
                for child in children {
                    if let Value::Text(child) = child {
                        self.remove_before(&format!("{path}/{child}"), deadline)?;
                    }
                }
            }
        }
        Ok(false)
    }

    pub fn close(mut self) {
        if self.call("closeSession", &[]).is_err() {
            // It will expire.
        }
        self.session.cut();
    }
}

/// What the target has; see [`crate::case::Need`].
#[derive(Debug, Clone, Default)]
pub struct Facts {
    pub version: String,
    pub mode: String,
    pub super_user: bool,
    pub ttl: bool,
    pub quota: bool,
    pub container: bool,
    pub short_sessions: bool,
}

impl Facts {
    /// The target's owner says that it has this: a server that does not act like it is not spared.
    pub fn assume(&mut self, need: Need) {
        match need {
            Need::Super => self.super_user = true,
            Need::Ttl => self.ttl = true,
            Need::NoTtl => self.ttl = false,
            Need::Quota => self.quota = true,
            Need::Container => self.container = true,
            Need::ShortSessions => self.short_sessions = true,
            // What runs and whether there is a driver needs no telling.
            Need::Standalone | Need::Ensemble | Need::Driver => {}
        }
    }
}

/// Asks the server at `address` what it has. Leaves nothing behind.
pub fn probe(address: SocketAddr, root: &str) -> Result<Facts, Stop> {
    let mut control = Control::open(address)?;
    control.create(root)?;
    let facts = probe_under(&mut control, address, root);
    control.remove(&format!("/zookeeper/quota{root}"))?;
    control.remove(root)?;
    control.close();
    facts
}

fn probe_under(control: &mut Control, address: SocketAddr, root: &str) -> Result<Facts, Stop> {
    let mut facts = Facts::default();
    let srvr = crate::engine::run::four_letters(address, b"srvr").unwrap_or_default();
    let line = |start: &str| {
        srvr.lines()
            .find_map(|line| line.strip_prefix(start))
            .unwrap_or_default()
            .to_owned()
    };
    facts.version = line("Zookeeper version: ");
    facts.mode = line("Mode: ");
    let who = control.call("whoAmI", &[])?;
    facts.super_user = who
        .fields
        .iter()
        .any(|field| field.value.to_string().contains("super:"));
    let ttl = control.call(
        "createTTL",
        &[
            ("path", text(&format!("{root}/t"))),
            ("ttl", Value::Int(60_000)),
        ],
    )?;
    facts.ttl = ttl.err == 0;
    facts.quota = has_quota(control, root)?;
    facts.container = has_fast_containers(control, root)?;
    facts.short_sessions = shortest_session(address)? <= 2_000;
    Ok(facts)
}

fn has_quota(control: &mut Control, root: &str) -> Result<bool, Stop> {
    let mut path = String::from("/zookeeper/quota");
    for part in root.split('/').filter(|part| !part.is_empty()).chain(["q"]) {
        path = format!("{path}/{part}");
        control.create(&path)?;
    }
    control.create(&format!("{root}/q"))?;
    let limits = text("count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=1");
    control.call(
        "create",
        &[
            ("path", text(&format!("{path}/zookeeper_limits"))),
            ("data", limits),
        ],
    )?;
    let stats = text("count=1,bytes=0");
    control.call(
        "create",
        &[
            ("path", text(&format!("{path}/zookeeper_stats"))),
            ("data", stats),
        ],
    )?;
    let over = control.call("create", &[("path", text(&format!("{root}/q/over")))])?;
    Ok(over.err == -125)
}

fn has_fast_containers(control: &mut Control, root: &str) -> Result<bool, Stop> {
    let path = format!("{root}/c");
    if control
        .call("createContainer", &[("path", text(&path))])?
        .err
        != 0
    {
        return Ok(false);
    }
    control.create(&format!("{path}/child"))?;
    control.remove(&format!("{path}/child"))?;
    let deadline = Instant::now() + Duration::from_secs(4);
    while Instant::now() < deadline {
        if control.call("exists", &[("path", text(&path))])?.err == -101 {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(false)
}

/// The least timeout that the server grants, in ms.
fn shortest_session(address: SocketAddr) -> Result<i64, Stop> {
    let mut session = Session::default();
    session.dial(address)?;
    let handshake = Handshake {
        timeout: 1,
        ..Handshake::default()
    };
    session.link()?.send_frame(&handshake.encode());
    match session.link()?.receive(Instant::now() + PATIENCE) {
        Incoming::Frame(frame) => session.adopt(&connect_response(&frame)?),
        other => return Err(Stop::Harness(format!("no ConnectResponse: {other:?}"))),
    }
    session.cut();
    Ok(session.timeout_ms)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}
