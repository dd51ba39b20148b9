//! Learner links: packets in order each way, and the snapshot stream among them.

use super::door::Refusal;
use super::members::{self, Members, PortKind};
use super::syncs::Syncs;
use crate::shell::inbox::Inbox;
use crate::shell::recorder::{Recorder, Side};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use zab::{LinkId, Message, ServerId};
use zk_node::disk::{Command, Incoming, Outgoing};
use zk_node::{Input, Shared};
use zk_proto::quorum::{Packet, packet_len};
use zk_storage::{Compression, Store};

/// A peer that does not take what it is sent is given up at this many bytes.
// spec: FT-LOAD-15, P-BOUND
const MAX_QUEUE_BYTES: usize = 64 << 20;
/// How long a learner's connection waits for this server's own election to end.
const ELECTION_PATIENCE: Duration = Duration::from_secs(2);
/// One write call's bytes.
const WRITE_BYTES: usize = 256 << 10;

/// All links of this server, whichever end it is.
pub(crate) struct Links {
    members: Arc<Members>,
    driver: Arc<Inbox<Input>>,
    shared: Arc<Shared>,
    store: Arc<Store>,
    log: Arc<Inbox<Command>>,
    runtime: Handle,
    recorder: Option<Arc<Recorder>>,
    limit_bytes: usize,
    first_packet: Duration,
    next: AtomicU64,
    open: Mutex<BTreeMap<LinkId, Arc<Link>>>,
    dialling: Mutex<Option<AbortHandle>>,
    standing: watch::Sender<Standing>,
    syncs: Mutex<Syncs>,
    /// An observer dialled before: others may come back at the same time.
    dialled: AtomicBool,
}

/// What learners may expect of this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Looking,
    Leading,
    /// It follows or observes somebody itself.
    Learning,
}

struct Link {
    peer: ServerId,
    queue: Mutex<Queue>,
    more: Notify,
    tasks: Mutex<Vec<AbortHandle>>,
}

#[derive(Default)]
struct Queue {
    items: VecDeque<Item>,
    bytes: usize,
}

enum Item {
    Bytes(Vec<u8>),
    Snapshot,
}

impl Links {
    pub(crate) fn new(
        members: Arc<Members>,
        driver: Arc<Inbox<Input>>,
        shared: Arc<Shared>,
        store: Arc<Store>,
        log: Arc<Inbox<Command>>,
        runtime: Handle,
        recorder: Option<Arc<Recorder>>,
    ) -> Self {
        let settings = &shared.settings;
        let syncs = Syncs::new(
            members.config.max_concurrent_snaps,
            members.config.max_concurrent_diffs,
        );
        let init_ms = u64::from(settings.tick_time_ms) * u64::from(members.config.init_limit_ticks);
        Self {
            // spec: QP-GEN-01
            limit_bytes: settings.record_limit_bytes(),
            first_packet: Duration::from_millis(init_ms.max(1)),
            members,
            driver,
            shared,
            store,
            log,
            runtime,
            recorder,
            next: AtomicU64::new(1),
            open: Mutex::new(BTreeMap::new()),
            dialling: Mutex::new(None),
            standing: watch::Sender::new(Standing::Looking),
            syncs: Mutex::new(syncs),
            dialled: AtomicBool::new(false),
        }
    }

    /// Dials the leader until it is there, the core hangs up, or ZooKeeper's patience ends.
    // spec: QP-ZAB-01
    pub(crate) fn dial(self: &Arc<Self>, leader: ServerId) {
        let links = Arc::clone(self);
        let task = self
            .runtime
            .spawn(async move { links.connect(leader).await });
        if let Some(before) = self.dialling().replace(task.abort_handle()) {
            before.abort();
        }
    }

    pub(crate) fn hang_up(&self) {
        if let Some(dialling) = self.dialling().take() {
            dialling.abort();
        }
    }

    async fn connect(self: Arc<Self>, leader: ServerId) {
        const ATTEMPTS: u32 = 5;
        let config = &self.members.config;
        let limit_ticks = match config.connect_limit_ticks {
            0 => config.init_limit_ticks,
            ticks => ticks,
        };
        let budget = Duration::from_millis(
            u64::from(self.shared.settings.tick_time_ms) * u64::from(limit_ticks),
        );
        self.scatter().await;
        let until = Instant::now() + budget;
        for attempt in 1..=ATTEMPTS {
            let left = until.saturating_duration_since(Instant::now());
            match self.members.dial(leader.0, PortKind::Quorum, left).await {
                Ok(stream) => {
                    let link = self.number();
                    self.record(link, Side::Learner, &stream);
                    self.adopt(link, stream, leader, Bytes::new());
                    tracing::debug!(?link, ?leader, "connected to the leader");
                    return;
                }
                Err(error) => tracing::debug!(%error, ?leader, attempt, "the leader's port"),
            }
            tokio::time::sleep(Duration::from_millis(u64::from(
                config.leader_connect_retry_ms,
            )))
            .await;
        }
        self.driver.push(Input::Unreachable { leader });
    }

    /// Observers that lost the same leader do not all come back at the same moment.
    async fn scatter(&self) {
        let config = &self.members.config;
        if self.members.votes(self.members.id) || !self.dialled.swap(true, Ordering::Relaxed) {
            return;
        }
        let longest = config.observer_reconnect_delay_ms + config.observer_election_delay_ms;
        let pause = fastrand::u64(0..=u64::from(longest));
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }

    /// Only a leader has learners. One that ended its election a moment earlier than this server waits.
    // spec: QP-ZAB-01. To turn it away would send it into another round, and its leader to wait for nobody.
    async fn soon_leads(&self) -> bool {
        let mut standing = self.standing.subscribe();
        let settled = standing.wait_for(|standing| *standing != Standing::Looking);
        match timeout(ELECTION_PATIENCE, settled).await {
            Ok(Ok(standing)) => *standing == Standing::Leading,
            Ok(Err(_)) | Err(_) => false,
        }
    }

    /// The driver's role changed.
    pub(crate) fn stand(&self, standing: Standing) {
        self.standing.send_replace(standing);
    }

    /// A caller was accepted. Links are numbered in the order of calls, so that one whose greeting comes late is known
    /// for the older one.
    pub(crate) fn greeted(
        self: Arc<Self>,
        stream: TcpStream,
    ) -> impl Future<Output = Result<(), Refusal>> + Send {
        let id = self.number();
        async move { self.greet(id, stream).await }
    }

    fn number(&self) -> LinkId {
        LinkId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    /// The first packet says who it is.
    // spec: QP-ZAB-02, FT-QRM-02, FT-QRM-03
    async fn greet(self: Arc<Self>, id: LinkId, mut stream: TcpStream) -> Result<(), Refusal> {
        if !self.soon_leads().await {
            return Ok(());
        }
        let first = timeout(self.first_packet, self.first(&mut stream)).await;
        let (peer, bytes) = first.map_err(|_| Refusal::Late)??;
        if self.members.get(peer).is_none() {
            return Err(Refusal::Stranger(peer));
        }
        // The core would take it for a learner that came back, and end the link that it uses.
        if self.has_newer(id, ServerId(peer)) {
            return Err(Refusal::Overtaken(peer));
        }
        members::tune(&stream, self.members.config.election_keep_alive);
        self.record(id, Side::Leader, &stream);
        self.adopt(id, stream, ServerId(peer), bytes);
        Ok(())
    }

    async fn first(&self, stream: &mut TcpStream) -> io::Result<(i64, Bytes)> {
        let mut buffer = BytesMut::new();
        loop {
            if let Some(len) = packet_len(&buffer, FIRST_PACKET_BYTES).map_err(io::Error::other)? {
                let packet = Packet::decode(&buffer.clone().split_to(len).freeze())
                    .map_err(io::Error::other)?;
                let info = match packet {
                    Packet::FollowerInfo { info, .. } | Packet::ObserverInfo { info, .. } => info,
                    _ => None,
                };
                let info =
                    info.ok_or_else(|| io::Error::other("the first packet names no learner"))?;
                return Ok((info.sid, buffer.freeze()));
            }
            if buffer.len() > FIRST_PACKET_BYTES {
                return Err(io::Error::other("the first packet is too long"));
            }
            if stream.read_buf(&mut buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn has_newer(&self, id: LinkId, peer: ServerId) -> bool {
        let open = self.open();
        let mut newer = open.range(id..).map(|(_, link)| link.peer);
        newer.any(|other| other == peer)
    }

    /// Into the trace, before the core hears of the link.
    fn record(&self, id: LinkId, side: Side, stream: &TcpStream) {
        if let Some(recorder) = &self.recorder {
            recorder.link(id, side, stream.local_addr(), stream.peer_addr());
        }
    }

    /// A link is up; `bytes` were read from it already.
    fn adopt(self: &Arc<Self>, id: LinkId, stream: TcpStream, peer: ServerId, bytes: Bytes) {
        let link = Arc::new(Link {
            peer,
            queue: Mutex::new(Queue::default()),
            more: Notify::new(),
            tasks: Mutex::new(Vec::new()),
        });
        self.open().insert(id, Arc::clone(&link));
        // The core hears of the link before anything that comes over it.
        self.driver.push(Input::Connected { link: id, peer });
        let (input, output) = stream.into_split();
        let reader = {
            let links = Arc::clone(self);
            self.runtime.spawn(async move {
                let mut reader = LinkReader {
                    links: Arc::clone(&links),
                    id,
                    buffer: BytesMut::from(&bytes[..]),
                };
                let ended = reader.run(input).await;
                tracing::debug!(?ended, link = ?id, "link ended");
                links.broken(id);
            })
        };
        let writer = {
            let (links, link) = (Arc::clone(self), Arc::clone(&link));
            self.runtime.spawn(async move {
                if let Err(error) = links.write(id, &link, output).await {
                    tracing::debug!(%error, link = ?id, "link ended");
                }
                links.broken(id);
            })
        };
        let tasks = [reader.abort_handle(), writer.abort_handle()];
        link.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(tasks);
        if !self.open().contains_key(&id) {
            link.end();
        }
    }

    /// Appends to the link. A peer that does not read holds up its own task and nobody else.
    // spec: QP-BC-21
    pub(crate) fn send(&self, id: LinkId, message: Message<Bytes>) {
        if !self.may_synchronise(id, &message) {
            tracing::warn!(link = ?id, "too many observers are being synchronised: one must try again");
            return self.broken(id);
        }
        let mut bytes = Vec::new();
        Packet::from_core(message, &self.members.text).encode(&mut bytes);
        self.append(id, Item::Bytes(bytes));
    }

    /// Appends a snapshot stream.
    pub(crate) fn send_snapshot(&self, id: LinkId) {
        self.append(id, Item::Snapshot);
    }

    // spec: QP-SYN-08
    fn may_synchronise(&self, id: LinkId, message: &Message<Bytes>) -> bool {
        let Some(peer) = self.open().get(&id).map(|link| link.peer) else {
            return true;
        };
        let votes = self.members.votes(peer.0);
        self.syncs().admits(id, votes, message)
    }

    fn append(&self, id: LinkId, item: Item) {
        let Some(link) = self.open().get(&id).cloned() else {
            return;
        };
        let full = {
            let mut queue = link.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let joined = match (queue.items.back_mut(), &item) {
                // Packets that wait together leave together.
                (Some(Item::Bytes(waiting)), Item::Bytes(bytes)) if waiting.len() < WRITE_BYTES => {
                    waiting.extend_from_slice(bytes);
                    true
                }
                _ => false,
            };
            if let Item::Bytes(bytes) = &item {
                queue.bytes += bytes.len();
            }
            if !joined {
                queue.items.push_back(item);
            }
            queue.bytes > MAX_QUEUE_BYTES
        };
        link.more.notify_one();
        if full {
            tracing::warn!(link = ?id, "a learner takes too little of what it is sent");
            self.broken(id);
        }
    }

    /// The core closes the link; nothing of it is reported any more.
    pub(crate) fn close(&self, id: LinkId) {
        if let Some(link) = self.open().remove(&id) {
            self.syncs().end(id);
            link.end();
        }
    }

    /// The link broke.
    fn broken(&self, id: LinkId) {
        let link = {
            let mut open = self.open();
            let Some(link) = open.remove(&id) else {
                return;
            };
            self.driver.push(Input::Disconnected { link: id });
            link
        };
        self.syncs().end(id);
        link.end();
    }

    /// What came over a link, unless it has ended: the writer may have found the end while the reader still reads.
    // spec: zab-model section 12. The core is promised that nothing comes after `Disconnected`, so both are told under
    // one lock.
    fn report(&self, id: LinkId, received: Input, bytes: usize) {
        let open = self.open();
        if open.contains_key(&id) {
            self.driver.extend_by([received], bytes);
        }
    }

    async fn write(&self, id: LinkId, link: &Link, mut output: OwnedWriteHalf) -> io::Result<()> {
        loop {
            let item = {
                let mut queue = link.queue.lock().unwrap_or_else(PoisonError::into_inner);
                let item = queue.items.pop_front();
                if let Some(Item::Bytes(bytes)) = &item {
                    queue.bytes -= bytes.len();
                }
                item
            };
            match item {
                None => link.more.notified().await,
                Some(Item::Bytes(bytes)) => output.write_all(&bytes).await?,
                Some(Item::Snapshot) => self.stream(id, &mut output).await?,
            }
        }
    }

    async fn stream(&self, id: LinkId, output: &mut OwnedWriteHalf) -> io::Result<()> {
        let mut outgoing = Outgoing::begin(&self.shared);
        let mut slice = Vec::new();
        loop {
            let last = outgoing.next(&self.shared, &mut slice);
            output.write_all(&slice).await?;
            slice.clear();
            self.driver.push(Input::Progress { link: id });
            if last {
                return Ok(());
            }
        }
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<LinkId, Arc<Link>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn syncs(&self) -> MutexGuard<'_, Syncs> {
        self.syncs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dialling(&self) -> MutexGuard<'_, Option<AbortHandle>> {
        self.dialling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A FOLLOWERINFO takes 44.
const FIRST_PACKET_BYTES: usize = 1024;

impl Link {
    fn end(&self) {
        for task in self
            .tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .drain(..)
        {
            task.abort();
        }
    }
}

struct LinkReader {
    links: Arc<Links>,
    id: LinkId,
    buffer: BytesMut,
}

impl LinkReader {
    async fn run(&mut self, mut input: OwnedReadHalf) -> io::Result<()> {
        loop {
            while let Some(len) =
                packet_len(&self.buffer, self.links.limit_bytes).map_err(io::Error::other)?
            {
                let packet = Packet::decode(&self.buffer.split_to(len).freeze())
                    .map_err(io::Error::other)?;
                if let Packet::Snap { zxid } = packet {
                    self.snapshot(&mut input, zxid).await?;
                }
                let message = packet.into_core().map_err(io::Error::other)?;
                let received = Input::Received {
                    link: self.id,
                    message,
                };
                self.links.report(self.id, received, len);
            }
            // What the peer sends faster than this server takes and stores it stays with the peer.
            self.links.driver.room().await;
            self.links.log.room().await;
            self.fill(&mut input).await?;
        }
    }

    async fn fill(&mut self, input: &mut OwnedReadHalf) -> io::Result<()> {
        self.buffer.reserve(16 << 10);
        match input.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The stream behind a SNAP, to a file. The core hears of the SNAP once it is whole.
    // spec: QP-SYN-06, QP-SYN-11, FT-QRM-11
    async fn snapshot(&mut self, input: &mut OwnedReadHalf, zxid: i64) -> io::Result<()> {
        let mut incoming = Incoming::begin(&self.links.store, zxid, Compression::None)
            .map_err(io::Error::other)?;
        loop {
            let used = match incoming.receive(&self.buffer) {
                Ok(used) => used,
                Err(error) => {
                    drop(incoming.discard());
                    return Err(io::Error::other(error));
                }
            };
            match used {
                Some(used) => {
                    drop(self.buffer.split_to(used));
                    break;
                }
                None => self.buffer.clear(),
            }
            if let Err(error) = self.fill(input).await {
                drop(incoming.discard());
                return Err(error);
            }
            self.links.driver.push(Input::Progress { link: self.id });
        }
        let prepared = incoming.finish().map_err(io::Error::other)?;
        // In the log thread's hands before the core can ask for it.
        self.links.log.push(Command::Received(prepared));
        Ok(())
    }
}
