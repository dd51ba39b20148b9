//! One production server whose host does nothing of its own accord: each message, write and timer waits until it is told.

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zab::{Config, Durable, Effect, Event, LinkId, Peer, ServerId, Timer, WriteId, Zxid};
use zk_node::conn::lane::{End, Lane};
use zk_node::disk::{Command, Incoming, Outgoing, Restored, restore};
use zk_node::trace::Tracer;
use zk_node::{Bugs, Conn, Input, Now, Output, Settings};
use zk_proto::{Acl, Put, Request, TxnRecord};
use zk_sim::process::{Identity, Observer, Process, SimBell};
use zk_storage::sim::{Outcome, SimDisk};
use zk_storage::{Compression, Store};
use zk_tree::Tree;

/// Time stands still: timers fire when they are told to, and no session expires.
const NOW: Now = Now {
    mono_ms: 1_000,
    wall_ms: 1_700_000_000_000,
};

/// One call of the core of a server, as its tracer saw it.
pub struct Told {
    pub given: TracedCall,
    pub effects: Vec<Effect<Bytes>>,
    pub peer: Peer<Bytes>,
}

#[derive(Debug, PartialEq)]
pub enum TracedCall {
    Event(Event<Bytes>),
    Elected(ServerId),
}

#[derive(Clone, Default)]
struct Ear {
    told: Arc<Mutex<Vec<Told>>>,
    /// Before a start what it should find, after it what it found.
    disk: Arc<Mutex<Option<Durable<Bytes>>>>,
}

impl Ear {
    fn told(&self) -> MutexGuard<'_, Vec<Told>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self) -> MutexGuard<'_, Option<Durable<Bytes>>> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, given: TracedCall, effects: &[Effect<Bytes>], peer: &Peer<Bytes>) {
        self.told().push(Told {
            given,
            effects: effects.to_vec(),
            peer: peer.clone(),
        });
    }
}

impl Tracer for Ear {
    fn step(&mut self, event: &Event<Bytes>, effects: &[Effect<Bytes>], peer: &Peer<Bytes>) {
        self.hear(TracedCall::Event(event.clone()), effects, peer);
    }

    fn elected(&mut self, leader: ServerId, effects: &[Effect<Bytes>], peer: &Peer<Bytes>) {
        self.hear(TracedCall::Elected(leader), effects, peer);
    }
}

impl Observer for Ear {
    fn restored(&mut self, _: &Identity, restored: &mut Restored) {
        let mut disk = self.disk();
        if let Some(wanted) = &*disk {
            unraise(&mut restored.durable, wanted);
        }
        *disk = Some(restored.durable.clone());
    }
}

/// Takes back what recovery has done before the core could: it raises the current epoch to that of the log, which the
/// model leaves to the core's first write.
// spec: DF-EPO-07
pub fn unraise(found: &mut Durable<Bytes>, wanted: &Durable<Bytes>) {
    let logged = found.last().epoch();
    if found.current == logged && wanted.current < logged && logged <= found.accepted {
        found.current = wanted.current;
    }
}

/// A client that has asked for one txn.
struct Client {
    conn: Conn,
    /// What it waits for, once the server has made a txn of it.
    waits_for: Option<Bytes>,
    delivered: bool,
    answered: bool,
}

/// A fault of the host itself, put in to see that it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostBug {
    /// Reports a write that a power cut then takes.
    ReportsUnwritten,
    /// A power cut leaves a write that was never begun.
    WritesInDeath,
    /// Delivers the second frame of a link before the first.
    Overtakes,
    /// Drops a frame.
    LosesFrame,
    /// Hands over a notification that a newer one has replaced.
    KeepsOldVote,
}

pub struct Host {
    identity: Identity,
    disk: SimDisk,
    process: Option<Process>,
    ear: Ear,
    incarnation: u64,
    clients: Vec<Client>,
    created: i32,
    crashes: u64,
    pub bug: Option<HostBug>,
    /// The core has reported that this write is done, and the disk does not have it (`HostBug::ReportsUnwritten`).
    unwritten: Vec<Command>,
}

impl Host {
    pub fn new(index: usize, config: Config, bugs: Bugs, bug: Option<HostBug>) -> Self {
        let id = config.id;
        let settings = Settings {
            server_id: id.0 as u8,
            snap_count: u32::MAX,
            bugs,
            max_client_connections_per_address: 0,
            ..Settings::default()
        };
        let disk = SimDisk::new();
        disk.put_file(Path::new("/data/initialize"), b"");
        Self {
            identity: Identity {
                index,
                id,
                config,
                settings,
                standalone: false,
                mono_base_ms: 0,
            },
            disk,
            process: None,
            ear: Ear::default(),
            incarnation: 0,
            clients: Vec::new(),
            created: 0,
            crashes: 0,
            bug,
            unwritten: Vec::new(),
        }
    }

    /// Starts the process on a disk that should hold this. What the start found there, and what the host must do.
    pub fn boot(&mut self, wanted: &Durable<Bytes>) -> Result<(Durable<Bytes>, Vec<Output>)> {
        ensure!(self.process.is_none(), "it runs already");
        self.incarnation += 1;
        *self.ear.disk() = Some(wanted.clone());
        let (mut process, warnings) = Process::boot(
            &self.identity,
            &self.disk,
            self.incarnation,
            NOW,
            self.ear.clone(),
            7,
        )?;
        let unknown = warnings
            .iter()
            .find(|it| !it.contains("currentEpoch raised"));
        ensure!(unknown.is_none(), "the start warns: {unknown:?}");
        let inputs = std::mem::take(&mut process.inbox);
        self.process = Some(process);
        let outputs = self.step(inputs)?;
        let found = self.ear.disk().take();
        Ok((found.context("nobody said what the start found")?, outputs))
    }

    /// The txn that the newest call proposed.
    pub fn newest_txn(&self) -> Option<Bytes> {
        let told = self.ear.told();
        match &told.last()?.given {
            TracedCall::Event(Event::Proposed { txn, .. }) => Some(txn.clone()),
            _ => None,
        }
    }

    /// All calls of the core since the last question.
    pub fn take_told(&self) -> Vec<Told> {
        std::mem::take(&mut *self.ear.told())
    }

    pub fn status(&self) -> Option<zab::Status> {
        self.process.as_ref().map(|process| process.node.status())
    }

    pub fn serves(&self) -> bool {
        let process = self.process.as_ref();
        process.is_some_and(|process| process.shared.serves(false))
    }

    pub fn armed(&self) -> Vec<Timer> {
        let process = self.process.iter();
        process.flat_map(|it| it.node.armed()).collect()
    }

    fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("it is down")
    }

    pub fn step(&mut self, inputs: Vec<Input>) -> Result<Vec<Output>> {
        let mut outputs = Vec::new();
        self.process()?.node.step(NOW, inputs, &mut outputs)?;
        Ok(outputs)
    }

    pub fn elect(&mut self, leader: ServerId) -> Result<Vec<Output>> {
        let mut outputs = Vec::new();
        self.process()?.node.elect(NOW, leader, &mut outputs)?;
        Ok(outputs)
    }

    pub fn expire(&mut self, timer: Timer) -> Result<Vec<Output>> {
        let mut outputs = Vec::new();
        let fired = self.process()?.node.expire(NOW, timer, &mut outputs)?;
        ensure!(fired, "{timer:?} is not armed");
        Ok(outputs)
    }

    // ---- the disk

    /// A write for the log thread, which waits.
    pub fn persist(&mut self, id: WriteId, write: zab::Write<Bytes>) -> Result<()> {
        let process = self.process()?;
        if let zab::Write::Install { snapshot } = write
            && let Some((_, prepared)) = process.prepared.take()
            && prepared.zxid() == snapshot.0
        {
            process.log_queue.push(Command::Received(prepared));
        }
        process.log_queue.push(Command::Write { id, write });
        Ok(())
    }

    /// The oldest write that waits, with the snapshot that it installs.
    fn next_write(&mut self) -> Result<(WriteId, Vec<Command>)> {
        let process = self.process()?;
        let place = process
            .log_queue
            .iter()
            .position(|it| matches!(it, Command::Write { .. }))
            .context("no write waits")?;
        let commands: Vec<Command> = process.log_queue.drain(..=place).collect();
        let Some(Command::Write { id, .. }) = commands.last() else {
            bail!("no write waits");
        };
        Ok((*id, commands))
    }

    /// The log thread does the oldest write, which must be this one, syncs and says so.
    pub fn disk_step(&mut self, through: WriteId) -> Result<Vec<Output>> {
        let (id, commands) = self.next_write()?;
        ensure!(id == through, "the oldest write is {id}, not {through}");
        let append = matches!(
            commands.last(),
            Some(Command::Write {
                write: zab::Write::Append(_),
                ..
            })
        );
        if self.bug == Some(HostBug::ReportsUnwritten) && append {
            self.unwritten.extend(commands);
            return self.step(vec![Input::Persisted(through)]);
        }
        let commands: Vec<Command> = self.unwritten.drain(..).chain(commands).collect();
        let process = self.process()?;
        let done = process.keeper.write(commands)?;
        ensure!(done.through == Some(through), "{:?} is done", done.through);
        if let Some(zxid) = process.keeper.synced() {
            process.shared.set_durable(zxid);
        }
        let reloaded = done.tree.map(Input::Reloaded);
        self.step(
            reloaded
                .into_iter()
                .chain([Input::Persisted(through)])
                .collect(),
        )
    }

    /// Power is cut once so many more of the writes are on the disk. What was never begun leaves nothing behind, however
    /// the rest is settled.
    pub fn crash(&mut self, kept: usize) -> Result<()> {
        let kept = kept + usize::from(self.bug == Some(HostBug::WritesInDeath));
        for _ in 0..kept {
            if self.bug.is_some() && self.process()?.log_queue.is_empty() {
                break;
            }
            let (_, commands) = self.next_write()?;
            self.process()?.keeper.write(commands)?;
        }
        self.process = None;
        self.clients.clear();
        self.unwritten.clear();
        self.crashes += 1;
        self.disk.crash(match self.crashes % 3 {
            0 => Outcome::DropAll,
            1 => Outcome::KeepAll,
            _ => Outcome::Mix(self.crashes),
        });
        Ok(())
    }

    /// Its directory is emptied; `initialize` says that this is a first start.
    pub fn wipe(&mut self, initialize: bool) {
        self.disk = SimDisk::new();
        if initialize {
            self.disk.put_file(Path::new("/data/initialize"), b"");
        }
    }

    /// What a restart would find now.
    pub fn recover(&self) -> Result<Restored> {
        let disk = self.disk.fork();
        let store = Store::open(Arc::new(disk), self.identity.storage())?;
        let tree = self.identity.settings.tree();
        Ok(restore(&store, &tree, self.identity.config.window)?)
    }

    /// A tree with just these txns.
    pub fn tree_of(&self, txns: impl Iterator<Item = Bytes>) -> Result<Tree> {
        let mut tree = Tree::new(self.identity.settings.tree());
        for txn in txns {
            let record = TxnRecord::decode(&txn)?;
            tree.apply(&record.header, &record.txn, &mut Vec::new())
                .ok();
        }
        Ok(tree)
    }

    // ---- snapshots

    /// The tree as it is sent to a learner, in pieces.
    pub fn stream(&mut self, zxid: Zxid) -> Result<Vec<Vec<u8>>> {
        let process = self.process()?;
        let applied = process.shared.applied();
        ensure!(
            applied >= zxid.0,
            "{zxid} is to be sent from a tree at {applied:#x}"
        );
        let mut outgoing = Outgoing::begin(&process.shared);
        let mut bytes = Vec::new();
        while !outgoing.next(&process.shared, &mut bytes) {}
        Ok(bytes.chunks(301).map(<[u8]>::to_vec).collect())
    }

    /// A whole stream has come.
    pub fn receive_stream(&mut self, link: LinkId, zxid: Zxid, chunks: Vec<Vec<u8>>) -> Result<()> {
        let process = self.process()?;
        let mut incoming = Incoming::begin(&process.store, zxid.0, Compression::None)?;
        let mut whole = false;
        for chunk in chunks {
            whole = incoming.receive(&chunk)?.is_some();
        }
        ensure!(whole, "the stream of {zxid} is not whole");
        process.prepared = Some((link, incoming.finish()?));
        Ok(())
    }

    // ---- clients

    /// A client asks for a txn: one without a request on its way creates a znode, else a new one opens its session.
    pub fn write(&mut self) -> Result<Vec<Output>> {
        let (client, bytes) = match self.clients.iter().position(|it| it.waits_for.is_none()) {
            Some(client) => (client, self.create()),
            None => (self.clients.len(), hello()),
        };
        if client == self.clients.len() {
            self.accept()?;
        }
        let it = &mut self.clients[client];
        let mut asks = Vec::new();
        it.conn.receive(NOW, &bytes, &mut asks);
        ensure!(asks.len() == 1, "the request leads to {asks:?}");
        let outputs = self.step(asks.into_iter().map(Input::Ask).collect())?;
        let proposed = self.newest_txn();
        let it = &mut self.clients[client];
        it.waits_for = Some(proposed.context("the request did not become a txn")?);
        (it.delivered, it.answered) = (false, false);
        Ok(outputs)
    }

    fn create(&mut self) -> Vec<u8> {
        self.created += 1;
        let path = format!("/{}-{}", self.identity.id, self.created);
        let mut bytes = Vec::new();
        Request::Create(zk_proto::request::Create {
            path: path.as_str().into(),
            data: Some(b"x"),
            acl: Some([Acl::open()].iter().collect()),
            flags: 0,
        })
        .encode_frame(self.created, &mut bytes);
        bytes
    }

    fn accept(&mut self) -> Result<()> {
        let process = self.process()?;
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1024);
        let number = process.shared.enter(peer).context("no room")?;
        let bell = SimBell {
            conn: 0,
            rung: Arc::clone(&process.rung),
        };
        let lane = Arc::new(Lane::new(number, peer, false, Box::new(bell), NOW));
        let conn = Conn::new(Arc::clone(&process.shared), lane, NOW);
        self.clients.push(Client {
            conn,
            waits_for: None,
            delivered: false,
            answered: false,
        });
        Ok(())
    }

    /// Who has been answered: all whose txn the core has delivered, and nobody else.
    pub fn hear_clients(&mut self, effects: &[Effect<Bytes>]) -> Result<()> {
        let Some(process) = &self.process else {
            return Ok(());
        };
        for client in &mut self.clients {
            client.delivered |= effects.iter().any(|effect| {
                matches!(effect, Effect::Deliver { proposal }
                    if Some(&proposal.txn) == client.waits_for.as_ref())
            });
            let mut asks = Vec::new();
            client.conn.resume(NOW, &mut asks);
            ensure!(asks.is_empty(), "a client that is silent asks {asks:?}");
            let (bytes, end) = client.conn.take_output(Vec::new());
            client.answered |= !bytes.is_empty();
            ensure!(
                client.delivered || !client.answered,
                "a client is answered whose txn is not committed"
            );
            if end != End::Open {
                process.shared.leave(client.conn.lane());
                continue;
            }
            ensure!(
                client.answered || !client.delivered,
                "a client is not answered whose txn is committed"
            );
            if client.answered {
                client.waits_for = None;
            }
        }
        self.clients
            .retain(|client| client.conn.lane().lock().end == End::Open);
        Ok(())
    }
}

fn hello() -> Vec<u8> {
    let mut payload = Vec::new();
    payload.put_int(0);
    payload.put_long(0);
    payload.put_int(30_000);
    payload.put_long(0);
    payload.put_buffer(Some(&[0; 16]));
    payload.put_bool(false);
    let mut bytes = (payload.len() as i32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&payload);
    bytes
}
