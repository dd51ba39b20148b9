//! A leader's stream at a learner, when the leader fails before its epoch is established.

#![allow(clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::settings;
use std::collections::VecDeque;
use std::sync::Arc;
use zab::{
    Config, Epoch, LinkId, Message, Misbehaviour, Notification, Peer, Phase, Proposal, RoleKind,
    Round, ServerId, ServerState, Vote, Write, WriteId, Zxid,
};
use zk_node::disk::{Command, Incoming, Keeper, Outgoing, SnapshotJob, restore, session_ids};
use zk_node::{Input, Node, Now, Output, Shared};
use zk_proto::{Acl, CreateKind, CreateTxn, Txn, TxnHeader, TxnRecord};
use zk_storage::sim::SimDisk;
use zk_storage::snapshot::Prepared;
use zk_storage::{Compression, Store};

fn zxid(epoch: i64, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

/// One of five voters: the node, its disk, and what goes over its links.
struct Server {
    node: Node,
    shared: Arc<Shared>,
    store: Arc<Store>,
    keeper: Keeper,
    now: Now,
    sent: VecDeque<(LinkId, Frame)>,
    prepared: Option<Prepared>,
    closed: Vec<Misbehaviour>,
}

enum Frame {
    Packet(Message<Bytes>),
    Stream(Vec<u8>),
}

impl Server {
    fn start(id: i64, disk: &Arc<SimDisk>) -> Self {
        let store = store(disk);
        let restored = restore(&store, &zk_tree::Settings::default(), 0).unwrap();
        let config = Config::new(ServerId(id), (1..=5).map(ServerId));
        let peer = Peer::restore(config, restored.durable).unwrap();
        let now = Now {
            mono_ms: 1000,
            wall_ms: 1_700_000_000_000,
        };
        let ids = session_ids(&store, 1, now.wall_ms, &restored.tree).unwrap();
        let shared = Arc::new(Shared::new(settings(), restored.tree, now));
        let mut server = Self {
            node: Node::new(Arc::clone(&shared), peer, ids, now, 7),
            keeper: Keeper::new(Arc::clone(&store), restored.log, settings().tree()),
            shared,
            store,
            now,
            sent: VecDeque::new(),
            prepared: None,
            closed: Vec::new(),
        };
        server.step([Input::Started]);
        server
    }

    /// Everything that follows, the disk's work included.
    fn step(&mut self, inputs: impl IntoIterator<Item = Input>) {
        let mut inputs: Vec<_> = inputs.into_iter().collect();
        loop {
            let mut outputs = Vec::new();
            self.node
                .step(self.now, inputs.drain(..), &mut outputs)
                .unwrap();
            let mut commands = Vec::new();
            for output in outputs {
                match output {
                    Output::Persist { id, write } => {
                        if matches!(write, Write::Install { .. }) {
                            commands.extend(self.prepared.take().map(Command::Received));
                        }
                        commands.push(Command::Write { id, write });
                    }
                    Output::Send { link, message } => {
                        self.sent.push_back((link, Frame::Packet(message)));
                    }
                    Output::SendSnapshot { link, .. } => {
                        let (mut outgoing, mut bytes) = (Outgoing::begin(&self.shared), Vec::new());
                        while !outgoing.next(&self.shared, &mut bytes) {}
                        self.sent.push_back((link, Frame::Stream(bytes)));
                    }
                    Output::Disconnect { why, .. } => self.closed.push(why),
                    _ => {}
                }
            }
            if commands.is_empty() {
                return;
            }
            let done = self.keeper.write(commands).unwrap();
            inputs.extend(done.tree.map(Input::Reloaded));
            inputs.extend(done.through.map(Input::Persisted));
        }
    }

    /// Servers that vote for `leader`, or have it.
    fn hear(&mut self, leader: i64, vote: (i64, Zxid), said: &[(i64, ServerState)]) {
        let vote = Vote {
            epoch: Epoch(vote.0),
            zxid: vote.1,
            leader: ServerId(leader),
        };
        let heard = said.iter().map(|(from, state)| Input::Notified {
            from: ServerId(*from),
            notification: Notification {
                state: *state,
                vote,
                round: Round(1),
                version: 2,
                config: 0,
            },
        });
        self.step(heard.collect::<Vec<_>>());
        for _ in 0..10 {
            self.now.mono_ms += 100;
            self.step([]);
        }
    }

    fn receive(&mut self, link: LinkId, message: Message<Bytes>) {
        self.step([Input::Received { link, message }]);
    }

    /// A voter of which no more is there than what it says to a leader.
    fn greet(&mut self, link: LinkId, id: i64, accepted: i64) {
        let peer = ServerId(id);
        self.step([Input::Connected { link, peer }]);
        let info = Message::FollowerInfo {
            accepted: Epoch(accepted),
            id: peer,
            config: 0,
        };
        self.receive(link, info);
    }

    fn promise(&mut self, link: LinkId, last: Zxid) {
        let promise = Message::AckEpoch {
            zxid: last,
            current: Some(Epoch(1)),
        };
        self.receive(link, promise);
    }

    fn phase(&self) -> (RoleKind, Phase) {
        let status = self.node.status();
        (status.role, status.phase)
    }

    fn shows(&self, path: &str) -> bool {
        self.shared.tree.read().unwrap().stat(path).is_some()
    }
}

/// A link between two nodes, until nothing is on its way any more.
fn exchange(learner: &mut Server, leader: &mut Server, link: LinkId) {
    let mut snapshot = None;
    loop {
        let (to, frame) = if let Some(frame) = take(learner, link) {
            (&mut *leader, frame)
        } else if let Some(frame) = take(leader, link) {
            (&mut *learner, frame)
        } else {
            return;
        };
        match frame {
            Frame::Packet(Message::Snap { zxid }) => snapshot = Some(zxid),
            Frame::Packet(message) => to.receive(link, message),
            Frame::Stream(bytes) => {
                let zxid = snapshot.take().unwrap();
                let mut incoming = Incoming::begin(&to.store, zxid.0, Compression::None).unwrap();
                incoming.receive(&bytes).unwrap().unwrap();
                to.prepared = Some(incoming.finish().unwrap());
                to.receive(link, Message::Snap { zxid });
            }
        }
    }
}

fn take(from: &mut Server, link: LinkId) -> Option<Frame> {
    let place = from.sent.iter().position(|(of, _)| *of == link)?;
    from.sent.remove(place).map(|(_, frame)| frame)
}

fn connect(learner: &mut Server, leader: &mut Server, link: LinkId, ids: (i64, i64)) {
    let up = |peer| {
        let peer = ServerId(peer);
        Input::Connected { link, peer }
    };
    learner.step([up(ids.1)]);
    leader.step([up(ids.0)]);
    exchange(learner, leader, link);
}

fn store(disk: &Arc<SimDisk>) -> Arc<Store> {
    let config = zk_storage::Config {
        segment_bytes: 1 << 20,
        standalone: false,
        ..zk_storage::Config::new("/data")
    };
    let disk: Arc<SimDisk> = Arc::clone(disk);
    Arc::new(Store::open(disk, config).unwrap())
}

fn create(zxid: Zxid, path: &str) -> Write<Bytes> {
    let record = TxnRecord {
        header: TxnHeader {
            session_id: 1,
            cxid: 0,
            zxid: zxid.0,
            time: 1,
        },
        txn: Txn::Create(CreateTxn {
            path: path.into(),
            data: None,
            acl: vec![Acl::open()],
            kind: CreateKind::Create { ephemeral: false },
            parent_cversion: -1,
        }),
        digest: None,
    };
    let mut txn = Vec::new();
    record.encode(&mut txn);
    let txn = txn.into();
    Write::Append(Proposal { zxid, txn })
}

/// A directory of epoch 1 with one znode a txn, and a snapshot after the first `snapshot` of them.
fn directory(paths: &[&str], snapshot: usize) -> Arc<SimDisk> {
    let disk = Arc::new(SimDisk::new());
    let store = store(&disk);
    let open = || {
        let restored = restore(&store, &settings().tree(), 0).unwrap();
        let keeper = Keeper::new(Arc::clone(&store), restored.log, settings().tree());
        (keeper, restored.tree)
    };
    let install = Write::Install {
        snapshot: Zxid::ZERO,
    };
    let begin = [
        install,
        Write::AcceptedEpoch(Epoch(1)),
        Write::CurrentEpoch(Epoch(1)),
    ];
    let mut ids = (0..).map(WriteId);
    let mut write = |keeper: &mut Keeper, write| {
        let id = ids.next().unwrap();
        keeper.write([Command::Write { id, write }]).unwrap();
    };
    let (mut keeper, _) = open();
    for it in begin {
        write(&mut keeper, it);
    }
    for (index, path) in paths.iter().enumerate() {
        if index == snapshot && snapshot > 0 {
            drop(keeper);
            let (opened, tree) = open();
            keeper = opened;
            let now = Now {
                mono_ms: 0,
                wall_ms: 0,
            };
            let shared = Shared::new(settings(), tree, now);
            let mut job = SnapshotJob::begin(&shared, &store, Compression::None).unwrap();
            while job.step(&shared).unwrap().is_some() {}
            job.finish(&settings()).unwrap();
        }
        let counter = u32::try_from(index + 1).unwrap();
        write(&mut keeper, create(zxid(1, counter), path));
    }
    keeper.close().unwrap();
    disk
}

const ALL: [&str; 3] = ["/a", "/b", "/tail"];

// spec: QP-SYN-11, QP-SYN-12, QP-DEF-25.
#[test]
fn a_failed_leaders_uncommitted_end_leaves_the_tree_that_its_stream_brought() {
    use ServerState::{Following, Leading, Looking};
    // Server 1 logged /tail in epoch 1, and nobody else did. It restarts with a window that begins at /b.
    let mut first = Server::start(1, &directory(&ALL, 2));
    let disk = directory(&ALL[..1], 0);
    let mut learner = Server::start(2, &disk);
    let mut second = Server::start(3, &directory(&ALL[..2], 0));
    assert!(first.shows("/tail") && !second.shows("/tail"));
    let vote = (1, zxid(1, 3));
    let said = [1, 2, 4].map(|from| (from, Looking));
    first.hear(1, vote, &said[1..]);
    learner.hear(1, vote, &[said[0], said[2]]);
    assert_eq!(first.node.status().role, RoleKind::Leading);
    // It leads with 2, which is behind its window, and 4, which goes no further than its promise.
    first.greet(LinkId(4), 4, 1);
    connect(&mut learner, &mut first, LinkId(2), (2, 1));
    first.promise(LinkId(4), zxid(1, 2));
    exchange(&mut learner, &mut first, LinkId(2));
    assert!(learner.shows("/tail"));
    assert_eq!(learner.node.status().current, Epoch(2));
    let unestablished = (RoleKind::Leading, Phase::Synchronisation);
    assert_eq!(first.phase(), unestablished);
    drop(first);
    learner.step([Input::Disconnected { link: LinkId(2) }]);
    // The others elect 3, which never had /tail.
    second.hear(3, (1, zxid(1, 2)), &[(4, Looking), (5, Looking)]);
    let links = [LinkId(4), LinkId(5)];
    second.greet(links[0], 4, 2);
    second.greet(links[1], 5, 1);
    for link in links {
        second.promise(link, zxid(1, 2));
    }
    for link in links {
        let zxid = Epoch(3).start();
        second.receive(link, Message::Ack { zxid });
    }
    assert_eq!(second.phase(), (RoleKind::Leading, Phase::Broadcast));
    // 2 comes to it; refusing one way of being brought level costs one more try.
    for link in [LinkId(8), LinkId(9)] {
        if learner.phase() == (RoleKind::Following, Phase::Broadcast) {
            break;
        }
        let settled = [(3, Leading), (4, Following), (5, Following)];
        learner.hear(3, (3, zxid(1, 2)), &settled);
        connect(&mut learner, &mut second, link, (2, 3));
    }
    assert_eq!(learner.phase(), (RoleKind::Following, Phase::Broadcast));
    let shown = ALL.map(|path| learner.shows(path));
    assert_eq!(shown, [true, true, false]);
    assert_eq!(learner.closed, [Misbehaviour::TruncTooLow]);
    let digest = |server: &Server| server.shared.tree.read().unwrap().digest();
    assert_eq!(digest(&learner), digest(&second));
    drop(learner);
    assert_eq!(digest(&Server::start(2, &disk)), digest(&second));
}

// spec: INV-16
#[test]
fn a_learner_that_is_slow_to_learn_does_not_keep_a_leader_without_quorum_leading() {
    use ServerState::Looking;
    let mut leader = Server::start(1, &directory(&ALL, 0));
    leader.hear(1, (1, zxid(1, 3)), &[(2, Looking), (4, Looking)]);
    for (link, id) in [(LinkId(2), 2), (LinkId(4), 4)] {
        leader.greet(link, id, 1);
    }
    for link in [LinkId(2), LinkId(4)] {
        leader.promise(link, zxid(1, 2));
    }
    assert_eq!(leader.phase(), (RoleKind::Leading, Phase::Synchronisation));
    // One of them takes its snapshot's bytes for ever, the other says nothing.
    for _ in 0..30 {
        leader.now.mono_ms += 1000;
        leader.step([Input::Progress { link: LinkId(2) }]);
    }
    assert_ne!(
        leader.node.status().role,
        RoleKind::Leading,
        "ten ticks of two seconds are over"
    );
}
