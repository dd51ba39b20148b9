//! A client: keeps a session over whatever servers it reaches, asks, watches, and
//! writes down what it was told.

use crate::conns::Mail;
use crate::history::{Attach, Body, Call, Event, Op, Reply};
use crate::plan::{MS, Plan, SECOND, Us};
use crate::rng::Rng;
use crate::workload::Known;
use crate::world::{Happening, World};
use std::borrow::Cow;
use std::collections::VecDeque;
use zk_proto::jute::frame;
use zk_proto::request::{Create, ReadPath, SetData, Versioned, WatchOp};
use zk_proto::watch::{AddWatchMode, EventKind, SetWatches};
use zk_proto::{Acl, Acls};
use zk_proto::{
    ConnectRequest, ConnectResponse, CreateMode, MultiOp, MultiResult, OpCode, Reader, ReplyHeader,
    Request, Response, WatcherEvent, xid,
};

/// A session as its client knows it.
#[derive(Clone, Debug)]
pub struct Held {
    pub id: i64,
    pub password: [u8; 16],
    pub timeout_ms: u32,
    pub server: usize,
}

/// What the client still watches, to be restored on the next connection.
#[derive(Clone, Debug, Default)]
pub struct Watching {
    pub data: Vec<String>,
    pub exist: Vec<String>,
    pub child: Vec<String>,
    pub persistent: Vec<String>,
    pub recursive: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Away,
    Connecting,
    Open,
}

pub struct Client {
    pub rng: Rng,
    pub think_us: Us,
    pub wish_ms: i32,
    pub held: Option<Held>,
    pub phase: Phase,
    pub conn: u64,
    pub server: usize,
    pub forged: bool,
    pub since: Us,
    pub heard_at: Us,
    pub sent_at: Us,
    pub next_try: Us,
    pub next_op: Us,
    pub wake_at: Option<Us>,
    pub xid: i32,
    /// Requests without a reply, in order: xid and place in the history.
    pub open: VecDeque<(i32, usize)>,
    pub last_zxid: i64,
    pub received: Vec<u8>,
    pub watching: Watching,
    pub known: Known,
    /// How many turns it has had.
    pub turns: u32,
    /// It passes this one (`Plan::passed`).
    pub passes: bool,
    /// Says nothing until then.
    pub silent_until: Us,
    pub closing: bool,
}

impl Client {
    #[must_use]
    pub fn new(plan: &Plan, index: usize) -> Self {
        let mut rng = Rng::stream(plan.seed, "client", index as u64);
        let wish_ms = rng.between(4000, 14_000) as i32;
        Self {
            think_us: plan.think_us.max(20 * MS),
            wish_ms,
            held: None,
            phase: Phase::Away,
            conn: 0,
            server: 0,
            forged: false,
            since: 0,
            heard_at: 0,
            sent_at: 0,
            next_try: 0,
            next_op: 0,
            wake_at: None,
            xid: 0,
            open: VecDeque::new(),
            last_zxid: 0,
            received: Vec::new(),
            watching: Watching::default(),
            known: Known::new(index),
            turns: 0,
            passes: false,
            silent_until: 0,
            closing: false,
            rng,
        }
    }

    fn timeout_us(&self) -> Us {
        let timeout_ms = self
            .held
            .as_ref()
            .map_or(self.wish_ms as u64, |held| u64::from(held.timeout_ms));
        timeout_ms * MS
    }

    /// When it next has something to do by itself.
    fn next_wake(&self) -> Us {
        let third = self.timeout_us() / 3;
        let at = match self.phase {
            Phase::Away => self.next_try,
            Phase::Connecting => self.since + third,
            Phase::Open => (self.heard_at + 2 * third)
                .min(self.sent_at + third)
                .min(self.next_op),
        };
        at.max(self.silent_until)
    }
}

impl World {
    fn rouse(&mut self, client: usize) {
        let at = self.clients[client].next_wake().max(self.now + 1);
        if self.clients[client]
            .wake_at
            .is_some_and(|planned| planned <= at)
        {
            return;
        }
        self.clients[client].wake_at = Some(at);
        self.at(at, Happening::Client { client });
    }

    pub(crate) fn client_wakes(&mut self, index: usize) {
        let now = self.now;
        let client = &mut self.clients[index];
        if client.wake_at.is_some_and(|planned| planned > now) {
            return;
        }
        client.wake_at = None;
        if now >= client.silent_until {
            let third = client.timeout_us() / 3;
            match client.phase {
                Phase::Away if now >= client.next_try => self.connect(index),
                Phase::Away => {}
                Phase::Connecting if now >= client.since + third => self.hang_up(index),
                Phase::Connecting => {}
                Phase::Open if now >= client.heard_at + 2 * third => self.hang_up(index),
                Phase::Open => {
                    if now >= client.next_op {
                        self.act(index);
                    }
                    let client = &mut self.clients[index];
                    if client.phase == Phase::Open && now >= client.sent_at + third {
                        client.sent_at = now;
                        let mut bytes = Vec::new();
                        Request::Ping.encode_frame(xid::PING, &mut bytes);
                        let conn = client.conn;
                        self.send_up(conn, Mail::Bytes(bytes));
                    }
                }
            }
        }
        self.rouse(index);
    }

    fn connect(&mut self, index: usize) {
        let servers = self.slots.len();
        let client = &mut self.clients[index];
        if self.now >= crate::plan::QUIET_AT && client.held.is_none() {
            client.next_try = self.now + 10 * SECOND;
            return;
        }
        client.server = client.rng.index(servers);
        client.forged = client.held.is_some() && client.rng.chance(10);
        client.phase = Phase::Connecting;
        client.since = self.now;
        client.received.clear();
        client.open.clear();
        let mut password = client.held.as_ref().map(|held| held.password);
        if client.forged
            && let Some(password) = &mut password
        {
            password[3] ^= 1;
        }
        let password = password.unwrap_or_default();
        let request = ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: client.last_zxid,
            timeout: client.wish_ms,
            session_id: client.held.as_ref().map_or(0, |held| held.id),
            password: Some(&password),
            read_only: Some(false),
        };
        let mut bytes = Vec::new();
        frame(&mut bytes, |out| request.encode(out));
        let server = client.server;
        let conn = self.open_conn(index, server);
        self.clients[index].conn = conn;
        self.clients[index].sent_at = self.now;
        self.send_up(conn, Mail::Bytes(bytes));
    }

    /// The client gives the connection up.
    pub(crate) fn hang_up(&mut self, index: usize) {
        let conn = self.clients[index].conn;
        self.close_client_side(conn);
        self.client_lost(index, conn);
    }

    pub(crate) fn client_lost(&mut self, index: usize, conn: u64) {
        let now = self.now;
        let client = &mut self.clients[index];
        if client.conn != conn || client.phase == Phase::Away {
            return;
        }
        client.phase = Phase::Away;
        client.open.clear();
        client.next_try = now + client.rng.between(20, 700) * MS;
        if std::mem::take(&mut client.closing) {
            // Whether the session was closed is unknown; its client goes on with a new one.
            client.held = None;
            client.last_zxid = 0;
            client.watching = Watching::default();
        }
        self.rouse(index);
    }

    pub(crate) fn client_got(&mut self, index: usize, conn: u64, bytes: &[u8]) {
        let client = &mut self.clients[index];
        if client.conn != conn || client.phase == Phase::Away {
            return;
        }
        client.heard_at = self.now;
        client.received.extend_from_slice(bytes);
        loop {
            let client = &mut self.clients[index];
            if client.conn != conn || client.phase == Phase::Away {
                return;
            }
            let Some(head) = client.received.first_chunk::<4>() else {
                break;
            };
            let len = u32::from_be_bytes(*head) as usize;
            if client.received.len() < 4 + len {
                break;
            }
            let payload = client.received[4..4 + len].to_vec();
            client.received.drain(..4 + len);
            let order = self.conns.get_mut(&conn).map_or(0, |it| {
                it.order += 1;
                it.order
            });
            let now = self.now;
            self.recorder(0).lock().mix(&(now, index, &payload));
            if self.clients[index].phase == Phase::Connecting {
                self.client_welcomed(index, &payload);
            } else {
                self.client_told(index, order, &payload);
            }
        }
        self.rouse(index);
    }

    fn client_welcomed(&mut self, index: usize, payload: &[u8]) {
        let now = self.now;
        let Ok(response) = ConnectResponse::decode(payload) else {
            return self.fail("P-SAFE", "a connect response does not decode".into(), 0);
        };
        let client = &mut self.clients[index];
        let forged = client.forged;
        if response.session_id == 0 || response.timeout <= 0 {
            let lost = client.held.as_ref().map(|held| held.id);
            if let (Some(id), false) = (lost, forged) {
                client.held = None;
                client.last_zxid = 0;
                client.watching = Watching::default();
                self.history.refused.push((id, now));
            }
            return self.hang_up(index);
        }
        let before = client.held.clone();
        let (conn, server, seen) = (client.conn, client.server, client.last_zxid);
        let held = Held {
            id: response.session_id,
            password: response.password,
            timeout_ms: response.timeout as u32,
            server,
        };
        let moved = before
            .as_ref()
            .is_some_and(|before| before.server != server);
        client.held = Some(held.clone());
        client.phase = Phase::Open;
        client.next_op = now + client.rng.below(50 * MS);
        client.xid = client.xid.max(0);
        self.totals.sessions_moved += u64::from(moved);
        self.history.attaches.push(Attach {
            conn,
            session: held.id,
            client: index,
            server,
            at: now,
            timeout_ms: held.timeout_ms,
            seen,
            resumed: before.as_ref().is_some_and(|before| before.id == held.id),
            forged,
        });
        if before.is_some() {
            self.restore_watches(index);
        }
    }

    fn restore_watches(&mut self, index: usize) {
        let client = &self.clients[index];
        let watching = &client.watching;
        let op = Op::SetWatches {
            relative_zxid: client.last_zxid,
            data: watching.data.clone(),
            exist: watching.exist.clone(),
            child: watching.child.clone(),
            persistent: watching.persistent.clone(),
            recursive: watching.recursive.clone(),
        };
        let none = watching.data.is_empty()
            && watching.exist.is_empty()
            && watching.child.is_empty()
            && watching.persistent.is_empty()
            && watching.recursive.is_empty();
        if !none {
            self.ask(index, op);
        }
    }

    /// Sends a request and notes it.
    pub(crate) fn ask(&mut self, index: usize, op: Op) {
        let now = self.now;
        let client = &mut self.clients[index];
        if client.passes {
            return;
        }
        let Some(session) = client.held.as_ref().map(|held| held.id) else {
            return;
        };
        let number = if matches!(op, Op::SetWatches { .. }) {
            xid::SET_WATCHES
        } else {
            client.xid += 1;
            client.xid
        };
        let mut bytes = Vec::new();
        encode(&op, number, &mut bytes);
        client.open.push_back((number, self.history.calls.len()));
        client.sent_at = now;
        if op == Op::CloseSession {
            client.closing = true;
        }
        let (conn, server) = (client.conn, client.server);
        self.history.calls.push(Call {
            client: index,
            session,
            conn,
            server,
            xid: number,
            op,
            invoked: now,
            reply: None,
        });
        self.send_up(conn, Mail::Bytes(bytes));
    }

    fn client_told(&mut self, index: usize, order: u64, payload: &[u8]) {
        let mut reader = Reader::new(payload);
        let Ok(header) = ReplyHeader::read(&mut reader) else {
            return self.fail("P-SAFE", "a reply has no header".into(), 0);
        };
        match header.xid {
            xid::EVENT => self.client_event(index, order, header, &mut reader),
            xid::PING => {}
            _ => self.client_reply(index, order, header, reader.rest()),
        }
    }

    fn client_event(
        &mut self,
        index: usize,
        order: u64,
        header: ReplyHeader,
        reader: &mut Reader<'_>,
    ) {
        let event = WatcherEvent::read(reader);
        let kind = event
            .as_ref()
            .ok()
            .and_then(|event| EventKind::from_code(event.kind));
        let (Ok(event), Some(kind)) = (event, kind) else {
            return self.fail("P-SAFE", "an event does not decode".into(), header.zxid);
        };
        let client = &mut self.clients[index];
        let path = event.path.into_owned();
        let watching = &mut client.watching;
        let forget = |list: &mut Vec<String>| list.retain(|it| *it != path);
        match kind {
            EventKind::NodeCreated | EventKind::NodeDataChanged => {
                forget(&mut watching.data);
                forget(&mut watching.exist);
            }
            EventKind::NodeDeleted => {
                forget(&mut watching.data);
                forget(&mut watching.exist);
                forget(&mut watching.child);
            }
            EventKind::NodeChildrenChanged => forget(&mut watching.child),
            EventKind::None
            | EventKind::DataWatchRemoved
            | EventKind::ChildWatchRemoved
            | EventKind::PersistentWatchRemoved => {}
        }
        let session = client.held.as_ref().map_or(0, |held| held.id);
        self.history.events.push(Event {
            conn: client.conn,
            session,
            at: self.now,
            order,
            zxid: header.zxid,
            kind,
            path,
        });
    }

    fn client_reply(&mut self, index: usize, order: u64, header: ReplyHeader, body: &[u8]) {
        let client = &mut self.clients[index];
        let Some((expected, place)) = client.open.pop_front() else {
            let what = format!("a reply to xid {} that nobody waits for", header.xid);
            return self.fail("INV-03", what, header.zxid);
        };
        if expected != header.xid {
            // spec: INV-03
            let what = format!("the reply to xid {} where {expected} is next", header.xid);
            return self.fail("INV-03", what, header.zxid);
        }
        if header.zxid > client.last_zxid {
            client.last_zxid = header.zxid;
        }
        let op = self.history.calls[place].op.clone();
        let Some(body) = decode(&op, header.err, body) else {
            let what = format!("the reply to {op:?} does not decode");
            return self.fail("P-SAFE", what, header.zxid);
        };
        self.learn(index, &op, header.err, &body);
        self.history.calls[place].reply = Some(Reply {
            at: self.now,
            order,
            zxid: header.zxid,
            err: header.err,
            body,
        });
        if op == Op::CloseSession {
            let client = &mut self.clients[index];
            client.closing = false;
            client.held = None;
            client.last_zxid = 0;
            client.watching = Watching::default();
            self.hang_up(index);
        }
    }

    /// What a reply teaches the client: watches set, versions seen.
    fn learn(&mut self, index: usize, op: &Op, err: i32, body: &Body) {
        let client = &mut self.clients[index];
        let keep = |list: &mut Vec<String>, path: &String| {
            if !list.contains(path) {
                list.push(path.clone());
            }
        };
        match op {
            Op::GetData { path, watch: true } if err == 0 => keep(&mut client.watching.data, path),
            Op::Exists { path, watch: true } if err == 0 => keep(&mut client.watching.data, path),
            Op::Exists { path, watch: true } if err == -101 => {
                keep(&mut client.watching.exist, path);
            }
            Op::Children { path, watch: true } if err == 0 => {
                keep(&mut client.watching.child, path);
            }
            Op::AddWatch { path, recursive } if err == 0 => {
                let list = if *recursive {
                    &mut client.watching.recursive
                } else {
                    &mut client.watching.persistent
                };
                keep(list, path);
            }
            _ => {}
        }
        client.known.learn(op, err, body);
    }
}

/// A request's frame.
fn encode(op: &Op, number: i32, out: &mut Vec<u8>) {
    let open = [Acl::open()];
    match op {
        Op::Multi(parts) => {
            let ops: Vec<MultiOp<'_>> = parts
                .iter()
                .filter_map(|part| multi_op(part, &open))
                .collect();
            Request::Multi(ops.into_iter().collect()).encode_frame(number, out);
        }
        Op::Create { .. } => {
            if let Some(MultiOp::Create2(create)) = multi_op(op, &open) {
                Request::Create2(create).encode_frame(number, out);
            }
        }
        Op::Delete { path, version } => {
            Request::Delete(versioned(path, *version)).encode_frame(number, out)
        }
        Op::SetData {
            path,
            data,
            version,
        } => Request::SetData(SetData {
            path: Cow::Borrowed(path),
            data: Some(data),
            version: *version,
        })
        .encode_frame(number, out),
        Op::Check { path, version } => {
            Request::Check(versioned(path, *version)).encode_frame(number, out)
        }
        Op::GetData { path, watch } => {
            Request::GetData(read(path, *watch)).encode_frame(number, out)
        }
        Op::Exists { path, watch } => Request::Exists(read(path, *watch)).encode_frame(number, out),
        Op::Children { path, watch } => {
            Request::GetChildren2(read(path, *watch)).encode_frame(number, out);
        }
        Op::Sync { path } => Request::Sync {
            path: Cow::Borrowed(path),
        }
        .encode_frame(number, out),
        Op::AddWatch { path, recursive } => {
            let mode = if *recursive {
                AddWatchMode::PersistentRecursive
            } else {
                AddWatchMode::Persistent
            };
            Request::AddWatch(WatchOp {
                path: Cow::Borrowed(path),
                kind: mode.code(),
            })
            .encode_frame(number, out);
        }
        Op::SetWatches {
            relative_zxid,
            data,
            exist,
            child,
            persistent,
            recursive,
        } => Request::SetWatches2(SetWatches {
            relative_zxid: *relative_zxid,
            data: data.iter().collect(),
            exist: exist.iter().collect(),
            child: child.iter().collect(),
            persistent: persistent.iter().collect(),
            recursive: recursive.iter().collect(),
        })
        .encode_frame(number, out),
        Op::CloseSession => Request::CloseSession.encode_frame(number, out),
    }
}

fn versioned(path: &str, version: i32) -> Versioned<'_> {
    Versioned {
        path: Cow::Borrowed(path),
        version,
    }
}

fn read(path: &str, watch: bool) -> ReadPath<'_> {
    ReadPath {
        path: Cow::Borrowed(path),
        watch,
    }
}

fn multi_op<'a>(op: &'a Op, open: &[Acl]) -> Option<MultiOp<'a>> {
    match op {
        Op::Create {
            path,
            data,
            ephemeral,
            sequential,
        } => {
            let mode = match (ephemeral, sequential) {
                (false, false) => CreateMode::Persistent,
                (true, false) => CreateMode::Ephemeral,
                (false, true) => CreateMode::PersistentSequential,
                (true, true) => CreateMode::EphemeralSequential,
            };
            let acl: Acls<'static> = open.iter().collect();
            Some(MultiOp::Create2(Create {
                path: Cow::Borrowed(path),
                data: Some(data),
                acl: Some(acl),
                flags: mode.flags(),
            }))
        }
        Op::Delete { path, version } => Some(MultiOp::Delete(versioned(path, *version))),
        Op::SetData {
            path,
            data,
            version,
        } => Some(MultiOp::SetData(SetData {
            path: Cow::Borrowed(path),
            data: Some(data),
            version: *version,
        })),
        Op::Check { path, version } => Some(MultiOp::Check(versioned(path, *version))),
        Op::Multi(_)
        | Op::GetData { .. }
        | Op::Exists { .. }
        | Op::Children { .. }
        | Op::Sync { .. }
        | Op::AddWatch { .. }
        | Op::SetWatches { .. }
        | Op::CloseSession => None,
    }
}

/// A reply's body in the terms of the checks; None if it is not what the request asks for.
fn decode(op: &Op, err: i32, body: &[u8]) -> Option<Body> {
    let code = match op {
        Op::Create { .. } => OpCode::Create2,
        Op::Delete { .. } => OpCode::Delete,
        Op::SetData { .. } => OpCode::SetData,
        Op::Check { .. } => OpCode::Check,
        Op::Multi(_) => OpCode::Multi,
        Op::GetData { .. } => OpCode::GetData,
        Op::Exists { .. } => OpCode::Exists,
        Op::Children { .. } => OpCode::GetChildren2,
        Op::Sync { .. } => OpCode::Sync,
        Op::AddWatch { .. } => OpCode::AddWatch,
        Op::SetWatches { .. } => OpCode::SetWatches2,
        Op::CloseSession => OpCode::CloseSession,
    };
    // spec: CP-ERR-02. Only a multi says more when it fails.
    if err != 0 && code != OpCode::Multi || body.is_empty() {
        return Some(Body::Empty);
    }
    Some(match Response::decode(code, body).ok()? {
        Response::PathStat(path, stat) => Body::Created(path.into_owned(), stat),
        Response::Stat(stat) => Body::Stat(stat),
        Response::Data(data, stat) => Body::Data(data.unwrap_or_default().to_vec(), stat),
        Response::ChildrenStat(children, stat) => {
            let mut names: Vec<String> = children.iter().map(Cow::into_owned).collect();
            names.sort_unstable();
            Body::Children(names, stat)
        }
        Response::Multi(results) => Body::Multi(results.iter().map(part).collect()),
        _ => Body::Empty,
    })
}

fn part(result: &MultiResult<'_>) -> Result<Body, i32> {
    match result {
        MultiResult::Create { path } => Ok(Body::Created(path.to_string(), Default::default())),
        MultiResult::Create2 { path, stat } => Ok(Body::Created(path.to_string(), *stat)),
        MultiResult::SetData(stat) => Ok(Body::Stat(*stat)),
        MultiResult::Delete
        | MultiResult::Check
        | MultiResult::Children(_)
        | MultiResult::Data { .. } => Ok(Body::Empty),
        MultiResult::Error(err) => Err(*err),
    }
}
