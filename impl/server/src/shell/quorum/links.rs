//! Learner links: packets in order each way, and the snapshot stream among them.

use super::door::Refusal;
use super::members::{self, Members, PortKind};
use super::queue::{Queue, Sends, Taken};
use super::reader::{Ended, LinkReader};
use super::syncs::{self, Syncs};
use super::told::Told;
use crate::shell::clients;
use crate::shell::inbox::Inbox;
use crate::shell::recorder::{Recorder, Side};
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};
use zab::{LinkId, Message, ServerId};
use zk_node::disk::{Command, Outgoing};
use zk_node::{Input, Shared};
use zk_proto::quorum::{Packet, packet_len};
use zk_storage::Store;

/// How long a learner's connection waits for this server's own election to end.
const ELECTION_PATIENCE: Duration = Duration::from_secs(2);

/// All links of this server, whichever end it is.
pub(crate) struct Links {
    members: Arc<Members>,
    pub(super) driver: Arc<Inbox<Input>>,
    shared: Arc<Shared>,
    pub(super) store: Arc<Store>,
    pub(super) log: Arc<Inbox<Command>>,
    runtime: Handle,
    recorder: Option<Arc<Recorder>>,
    pub(super) limit_bytes: usize,
    first_packet: Duration,
    next: AtomicU64,
    open: Mutex<BTreeMap<LinkId, Arc<Link>>>,
    dialling: Mutex<Option<AbortHandle>>,
    standing: watch::Sender<Standing>,
    syncs: Mutex<Syncs>,
    /// An observer dialled before: others may come back at the same time.
    dialled: AtomicBool,
    told: Told,
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
            told: Told::default(),
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

    /// A caller was accepted. Links are numbered in the order of calls, so that the core knows one whose greeting comes
    /// late for the older one.
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
                let (Packet::FollowerInfo {
                    info: Some(info), ..
                }
                | Packet::ObserverInfo {
                    info: Some(info), ..
                }) = packet
                else {
                    return Err(io::Error::other("the first packet names no learner"));
                };
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

    /// Counts and logs why a link's reader ended.
    // spec: FT-QRM-01, FT-QRM-11, FT-DISK-09, P-LOUD
    fn tell(&self, link: LinkId, peer: ServerId, ended: &Ended) {
        let totals = &self.shared.totals;
        match ended {
            Ended::Connection(error) => tracing::debug!(%error, ?link, "link ended"),
            Ended::Packet(_) | Ended::Stream(_) => {
                totals.peer_errors.add(1);
                if let Some(untold) = self.told.untold() {
                    tracing::warn!(?link, ?peer, untold, "link closed for {ended}");
                }
            }
            Ended::Disk(_) => {
                totals.snapshot_errors.add(1);
                tracing::warn!(?link, ?peer, "{ended}; the next one tries again");
            }
        }
    }

    /// Into the trace, before the core hears of the link.
    fn record(&self, id: LinkId, side: Side, stream: &TcpStream) {
        if let Some(recorder) = &self.recorder {
            let (own, peer) = (stream.local_addr(), stream.peer_addr());
            recorder.link(id, side, own.map(clients::plain), peer.map(clients::plain));
        }
    }

    /// A link is up; `bytes` were read from it already.
    fn adopt(self: &Arc<Self>, id: LinkId, stream: TcpStream, peer: ServerId, bytes: Bytes) {
        let link = Arc::new(Link::new(peer));
        self.open().insert(id, Arc::clone(&link));
        // The core hears of the link before anything that comes over it.
        self.driver.push(Input::Connected { link: id, peer });
        let (input, output) = stream.into_split();
        let reader = {
            let links = Arc::clone(self);
            self.runtime.spawn(async move {
                let mut reader = LinkReader::new(Arc::clone(&links), id, bytes);
                let Err(ended) = reader.run(input).await;
                links.tell(id, peer, &ended);
                links.broken(id);
            })
        };
        let writer = {
            let (links, link) = (Arc::clone(self), Arc::clone(&link));
            self.runtime.spawn(async move {
                if let Err(error) = links.write(id, &link, output).await {
                    links.tell(id, peer, &Ended::Connection(error));
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

    /// Adds a message to what the driver's turn sends.
    pub(crate) fn send(&self, sends: &mut Sends, id: LinkId, message: Message<Bytes>) {
        if !self.may_synchronise(id, &message) {
            tracing::warn!(link = ?id, "too many observers are being synchronised: one must try again");
            sends.forget(id);
            return self.broken(id);
        }
        sends.message(id, message);
    }

    // spec: QP-SYN-08
    fn may_synchronise(&self, id: LinkId, message: &Message<Bytes>) -> bool {
        if syncs::Step::of(message) == syncs::Step::Neither {
            return true;
        }
        let Some(peer) = self.open().get(&id).map(|link| link.peer) else {
            return true;
        };
        let votes = self.members.votes(peer.0);
        self.syncs().admits(id, votes, message)
    }

    /// Hands what a turn of the driver sends to the links' writers.
    // spec: QP-BC-21, FT-LOAD-15, P-BOUND. A peer that does not read holds up its own task and nobody else. One that takes
    // nothing at all is the core's to find out; here is the end of the memory for one that takes too little.
    pub(crate) fn flush(&self, sends: Sends) {
        if sends.is_empty() {
            return;
        }
        let mut full = Vec::new();
        {
            let open = self.open();
            for (id, more) in sends {
                if let Some(link) = open.get(&id)
                    && !link.append(more, self.members.config.learner_queue_bytes)
                {
                    full.push(id);
                }
            }
        }
        for id in full {
            self.shared.totals.peer_errors.add(1);
            tracing::warn!(
                link = ?id,
                "a learner takes too little of what it is sent (vivarium.learner.queueLimitInKb)"
            );
            self.broken(id);
        }
    }

    /// The core closes the link; nothing of it is reported any more.
    pub(crate) fn close(&self, sends: &mut Sends, id: LinkId) {
        sends.forget(id);
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

    /// What came over a link, of so many bytes, unless it has ended: the writer may have found the end while the reader
    /// still reads.
    // spec: zab-model section 12. The core is promised that nothing comes after `Disconnected`, so both are told under
    // one lock.
    pub(super) fn report(&self, id: LinkId, received: impl Iterator<Item = Input>, bytes: usize) {
        let open = self.open();
        if open.contains_key(&id) {
            self.driver.extend_by(received, bytes);
        }
    }

    async fn write(&self, id: LinkId, link: &Link, mut output: OwnedWriteHalf) -> io::Result<()> {
        loop {
            let taken = link.queue().take();
            match taken {
                None => link.more.notified().await,
                Some(Taken::Messages(messages)) => {
                    let mut bytes = Vec::new();
                    for message in messages {
                        Packet::from_core(message, &self.members.text).encode(&mut bytes);
                    }
                    output.write_all(&bytes).await?;
                }
                Some(Taken::Snapshot) => self.stream(id, &mut output).await?,
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
    fn new(peer: ServerId) -> Self {
        Self {
            peer,
            queue: Mutex::new(Queue::default()),
            more: Notify::new(),
            tasks: Mutex::new(Vec::new()),
        }
    }

    /// False if more than `limit` bytes wait already: however much one turn brings, it is not the learner's doing.
    fn append(&self, more: Queue, limit: u64) -> bool {
        let mut queue = self.queue();
        let room = queue.waiting() <= limit;
        if room {
            queue.append(more);
        }
        drop(queue);
        self.more.notify_one();
        room
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use zab::{Message, Proposal, Zxid};

    const LIMIT: u64 = 4 << 20;

    /// As many proposals of 1 MiB.
    fn proposals(sends: &mut Sends, count: i64) {
        let txn = Bytes::from(vec![0; 1 << 20]);
        for counter in 1..=count {
            let (zxid, txn) = (Zxid(counter), txn.clone());
            sends.message(LinkId(1), Message::Proposal(Proposal { zxid, txn }));
        }
    }

    fn turn(fill: impl FnOnce(&mut Sends)) -> Queue {
        let mut sends = Sends::default();
        fill(&mut sends);
        sends.into_iter().next().map(|(_, queue)| queue).unwrap()
    }

    // spec: QP-BC-21, FT-LOAD-15
    #[test]
    fn what_one_turn_brings_expels_nobody() {
        let link = Link::new(ServerId(2));
        assert!(link.append(turn(|sends| proposals(sends, 70)), LIMIT));
        while link.queue().take().is_some() {}
        assert!(link.append(turn(|sends| proposals(sends, 70)), LIMIT));
    }

    // spec: QP-SYN-07, FT-LOAD-15, P-BOUND. What is written meanwhile waits behind the stream, as far as memory goes.
    #[test]
    fn behind_a_snapshot_waits_as_much_as_is_allowed() {
        let link = Link::new(ServerId(2));
        assert!(link.append(turn(|sends| sends.snapshot(LinkId(1))), LIMIT));
        for _ in 0..4 {
            assert!(link.append(turn(|sends| proposals(sends, 1)), LIMIT));
        }
        assert!(link.append(turn(|sends| proposals(sends, 1)), LIMIT * 2));
        assert!(!link.append(turn(|sends| proposals(sends, 1)), LIMIT));
        assert!(link.append(turn(|sends| proposals(sends, 1)), LIMIT * 2));
    }
}
