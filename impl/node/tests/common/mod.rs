#![allow(clippy::unwrap_used, unreachable_pub)]
//! A host on one thread: a simulated disk, a clock that moves when told, connections
//! that are byte buffers.
#![allow(dead_code)]

use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use zab::{
    Config, Epoch, LinkId, Message, Notification, Peer, Round, ServerId, ServerState, Vote, Zxid,
};
use zk_node::conn::lane::{Bell, End, Lane};
use zk_node::disk::{Command, Keeper, restore, session_ids};
use zk_node::stats::Mode;
use zk_node::{Conn, Input, Node, Now, Output, Settings, Shared};
use zk_proto::{OpCode, Put, ReplyHeader, Request, RequestHeader};
use zk_storage::Store;
use zk_storage::sim::SimDisk;

pub struct Silent;

impl Bell for Silent {
    fn ring(&self) {}
}

pub struct Host {
    pub shared: Arc<Shared>,
    pub node: Node,
    pub now: Now,
    keeper: Keeper,
    conns: BTreeMap<usize, Conn>,
    next: usize,
    /// While set, what should be written waits.
    pub disk_holds: bool,
    held: Vec<Command>,
    pub snapshots_due: usize,
    /// What went over links to other servers.
    pub sent: Vec<(LinkId, Message<Bytes>)>,
}

pub const TICK: u32 = 2000;

pub fn settings() -> Settings {
    Settings {
        tick_time_ms: TICK,
        min_session_timeout_ms: 4000,
        max_session_timeout_ms: 40_000,
        ..Settings::default()
    }
}

impl Host {
    pub fn new() -> Self {
        Self::with(settings(), Arc::new(SimDisk::new()))
    }

    pub fn with(settings: Settings, disk: Arc<SimDisk>) -> Self {
        let standalone = Config {
            standalone: true,
            ..Config::new(ServerId(1), [ServerId(1)])
        };
        Self::of(standalone, settings, disk)
    }

    pub fn of(peer_config: Config, settings: Settings, disk: Arc<SimDisk>) -> Self {
        let config = zk_storage::Config {
            segment_bytes: 1 << 20,
            ..zk_storage::Config::new("/data")
        };
        let store = Arc::new(Store::open(disk, config).unwrap());
        let restored = restore(&store, &zk_tree::Settings::default(), 500).unwrap();
        let peer = Peer::restore(peer_config, restored.durable).unwrap();
        let now = Now {
            mono_ms: 1000,
            wall_ms: 1_700_000_000_000,
        };
        let ids = session_ids(&store, settings.server_id, now.wall_ms, &restored.tree).unwrap();
        let shared = Arc::new(Shared::new(settings, restored.tree, now));
        let mut node = Node::new(Arc::clone(&shared), peer, ids, now, 7);
        node.replayed(restored.replayed);
        let keeper = Keeper::new(store, restored.log, zk_tree::Settings::default());
        let mut host = Self {
            shared,
            node,
            now,
            keeper,
            conns: BTreeMap::new(),
            next: 0,
            disk_holds: false,
            held: Vec::new(),
            snapshots_due: 0,
            sent: Vec::new(),
        };
        host.step(vec![Input::Started]);
        host
    }

    /// Servers 2 and 3 say that 2 leads.
    pub fn hear_leader(&mut self) {
        let heard = |from, state| Input::Notified {
            from: ServerId(from),
            notification: Notification {
                state,
                vote: Vote {
                    epoch: Epoch(0),
                    zxid: Zxid(0),
                    leader: ServerId(2),
                },
                round: Round(1),
                version: 2,
                config: 0,
            },
        };
        self.step(vec![
            heard(3, ServerState::Following),
            heard(2, ServerState::Leading),
        ]);
    }

    /// Follows server 2 in this epoch, with nothing to learn, over this link.
    pub fn follow(&mut self, epoch: i64, link: LinkId) {
        self.hear_leader();
        let peer = ServerId(2);
        let zxid = self.node.status().last_logged;
        self.look(vec![Input::Connected { link, peer }]);
        let epoch = Epoch(epoch);
        for message in [
            Message::LeaderInfo { epoch },
            Message::Diff { zxid },
            Message::NewLeader { epoch, config: 0 },
            Message::UpToDate,
        ] {
            self.look(vec![Input::Received { link, message }]);
        }
        assert_eq!(self.shared.mode(), Mode::Follower);
    }

    pub fn open(&mut self) -> usize {
        let peer = format!("127.0.0.1:{}", 10_000 + self.next).parse().unwrap();
        let id = self.shared.enter(peer).unwrap();
        let lane = Arc::new(Lane::new(id, peer, false, Box::new(Silent), self.now));
        self.next += 1;
        self.conns.insert(
            self.next,
            Conn::new(Arc::clone(&self.shared), lane, self.now),
        );
        self.next
    }

    pub fn conn(&self, conn: usize) -> &Conn {
        &self.conns[&conn]
    }

    pub fn conn_mut(&mut self, conn: usize) -> &mut Conn {
        self.conns.get_mut(&conn).unwrap()
    }

    /// Bytes arrive, and the driver has not looked yet: what it will be asked.
    pub fn receive(&mut self, conn: usize, bytes: &[u8]) -> Vec<Input> {
        let mut asks = Vec::new();
        let conn = self.conns.get_mut(&conn).unwrap();
        conn.receive(self.now, bytes, &mut asks);
        asks.into_iter().map(Input::Ask).collect()
    }

    /// The driver looks.
    pub fn look(&mut self, inputs: Vec<Input>) {
        self.step(inputs);
    }

    /// Bytes arrive, and everything that follows from them happens.
    pub fn send(&mut self, conn: usize, bytes: &[u8]) {
        self.send_at_once(&[(conn, bytes)]);
    }

    /// Bytes arrive over several connections before the driver looks, in this order.
    pub fn send_at_once(&mut self, all: &[(usize, &[u8])]) {
        let mut asks = Vec::new();
        for (conn, bytes) in all {
            let conn = self.conns.get_mut(conn).unwrap();
            conn.receive(self.now, bytes, &mut asks);
        }
        self.step(asks.into_iter().map(Input::Ask).collect());
    }

    pub fn advance(&mut self, ms: u64) {
        let end = self.now.mono_ms + ms;
        while self.now.mono_ms < end {
            let step = (end - self.now.mono_ms).min(100);
            self.now.mono_ms += step;
            self.now.wall_ms += step as i64;
            self.step(Vec::new());
        }
    }

    /// The disk goes on.
    pub fn release_disk(&mut self) {
        self.disk_holds = false;
        let held = std::mem::take(&mut self.held);
        let inputs = self.write(held);
        self.step(inputs);
    }

    fn step(&mut self, mut inputs: Vec<Input>) {
        loop {
            let mut outputs = Vec::new();
            self.node
                .step(self.now, inputs.drain(..), &mut outputs)
                .unwrap();
            let mut commands = Vec::new();
            for output in outputs {
                match output {
                    Output::Persist { id, write } => commands.push(Command::Write { id, write }),
                    Output::SnapshotDue => self.snapshots_due += 1,
                    Output::Send { link, message } => self.sent.push((link, message)),
                    _ => {}
                }
            }
            if self.disk_holds {
                self.held.append(&mut commands);
            } else {
                inputs = self.write(commands);
            }
            let mut asks = Vec::new();
            for conn in self.conns.values_mut() {
                conn.resume(self.now, &mut asks);
            }
            inputs.extend(asks.into_iter().map(Input::Ask));
            if inputs.is_empty() {
                return;
            }
        }
    }

    fn write(&mut self, commands: Vec<Command>) -> Vec<Input> {
        if commands.is_empty() {
            return Vec::new();
        }
        let done = self.keeper.write(commands).unwrap();
        done.through.map(Input::Persisted).into_iter().collect()
    }

    /// What the client can read now, and whether the connection is at its end.
    pub fn output(&mut self, conn: usize) -> (Vec<u8>, End) {
        let now = self.now;
        let of = self.conn_mut(conn);
        let (out, end) = of.take_output(Vec::new());
        if !out.is_empty() {
            of.sent(now);
        }
        // The room in the lane may let a stalled connection go on.
        self.step(Vec::new());
        (out, end)
    }

    pub fn drop_conn(&mut self, conn: usize) {
        let conn = self.conns.remove(&conn).unwrap();
        self.shared.leave(conn.lane());
    }

    /// A connection with a new session of 10 s.
    pub fn connect(&mut self) -> (usize, i64) {
        let conn = self.open();
        self.send(conn, &hello(0, 10_000, &[0; 16], 0));
        let (out, end) = self.output(conn);
        assert_eq!(end, End::Open);
        let session = i64::from_be_bytes(out[12..20].try_into().unwrap());
        assert_ne!(session, 0);
        (conn, session)
    }

    /// One request and its frames.
    pub fn ask(&mut self, conn: usize, xid: i32, request: &Request<'_>) -> Vec<Reply> {
        let mut bytes = Vec::new();
        request.encode_frame(xid, &mut bytes);
        self.send(conn, &bytes);
        replies(&self.output(conn).0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub xid: i32,
    pub zxid: i64,
    pub err: i32,
    pub body: Vec<u8>,
}

pub fn replies(mut bytes: &[u8]) -> Vec<Reply> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let len = i32::from_be_bytes(bytes[..4].try_into().unwrap()) as usize;
        let frame = &bytes[4..4 + len];
        let header = ReplyHeader::read(&mut zk_proto::Reader::new(frame)).unwrap();
        all.push(Reply {
            xid: header.xid,
            zxid: header.zxid,
            err: header.err,
            body: frame[16..].to_vec(),
        });
        bytes = &bytes[4 + len..];
    }
    all
}

pub fn xids(replies: &[Reply]) -> Vec<i32> {
    replies.iter().map(|reply| reply.xid).collect()
}

pub fn frame(payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
    bytes.extend_from_slice(payload);
    bytes
}

/// A ConnectRequest's frame.
pub fn hello(session: i64, timeout: i32, password: &[u8], last_zxid: i64) -> Vec<u8> {
    let mut payload = Vec::new();
    payload.put_int(0);
    payload.put_long(last_zxid);
    payload.put_int(timeout);
    payload.put_long(session);
    payload.put_buffer(Some(password));
    payload.put_bool(false);
    frame(&payload)
}

/// A request's frame with any body.
pub fn raw(xid: i32, op: i32, body: &[u8]) -> Vec<u8> {
    let mut payload = Vec::new();
    RequestHeader { xid, op }.write(&mut payload);
    payload.extend_from_slice(body);
    frame(&payload)
}

pub fn create(path: &str, flags: i32) -> Request<'_> {
    Request::Create(zk_proto::request::Create {
        path: path.into(),
        data: Some(b"x"),
        acl: Some([zk_proto::Acl::open()].iter().collect()),
        flags,
    })
}

pub fn set_data<'a>(path: &'a str, data: &'a [u8]) -> Request<'a> {
    Request::SetData(zk_proto::request::SetData {
        path: path.into(),
        data: Some(data),
        version: -1,
    })
}

pub fn get_data(path: &str, watch: bool) -> Request<'_> {
    Request::GetData(zk_proto::request::ReadPath {
        path: path.into(),
        watch,
    })
}

pub fn exists(path: &str, watch: bool) -> Request<'_> {
    Request::Exists(zk_proto::request::ReadPath {
        path: path.into(),
        watch,
    })
}

pub fn encode(xid: i32, request: &Request<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    request.encode_frame(xid, &mut bytes);
    bytes
}

pub fn op(op: OpCode) -> i32 {
    op.code()
}
