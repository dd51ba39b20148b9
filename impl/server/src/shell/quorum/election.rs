//! The election port: one connection for each pair of servers, opened by the one with
//! the larger id, and for each peer room for one message, the newest.

use super::door::Refusal;
use super::members::{self, Members, PortKind};
use super::told::Told;
use crate::shell::inbox::Inbox;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use zab::ServerId;
use zk_node::{Input, Shared};
use zk_proto::DecodeError;
use zk_proto::quorum::{Hello, Notification, next_frame};

/// Greets, keeps, replaces and uses the connections.
pub(crate) struct Election {
    members: Arc<Members>,
    driver: Arc<Inbox<Input>>,
    shared: Arc<Shared>,
    runtime: Handle,
    handshake: Duration,
    peers: Mutex<BTreeMap<i64, Slot>>,
    told: Told,
}

/// What is known of one peer.
#[derive(Default)]
struct Slot {
    /// The newest message, sent or not: on a new connection it is sent again.
    // spec: QP-CNX-08
    latest: Option<Arc<[u8]>>,
    worker: Option<Worker>,
    dialling: bool,
    /// Numbers the workers, so that an old one's end does not remove a new one.
    generation: u64,
}

struct Worker {
    generation: u64,
    newer: Arc<Notify>,
    reader: AbortHandle,
    writer: AbortHandle,
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.reader.abort();
        self.writer.abort();
    }
}

impl Election {
    pub(crate) fn new(
        members: Arc<Members>,
        driver: Arc<Inbox<Input>>,
        shared: Arc<Shared>,
        runtime: Handle,
    ) -> Self {
        let config = &members.config;
        let tick_ms = u64::from(shared.settings.tick_time_ms);
        let sync_ms = tick_ms * u64::from(config.sync_limit_ticks);
        let handshake_ms = config.handshake_timeout_ms.map_or(sync_ms, u64::from);
        Self {
            driver,
            shared,
            runtime,
            handshake: Duration::from_millis(handshake_ms.max(1)),
            peers: Mutex::new(BTreeMap::new()),
            told: Told::default(),
            members,
        }
    }

    /// Sends, or dials and then sends; replaces what waits for that peer.
    // spec: QP-CNX-08, QP-CNX-09
    pub(crate) fn notify(self: &Arc<Self>, to: ServerId, notification: &zab::Notification) {
        let mut frame = Vec::new();
        Notification::from_core(notification, &self.members.text).encode_frame(&mut frame);
        let mut peers = self.lock();
        let slot = peers.entry(to.0).or_default();
        slot.latest = Some(frame.into());
        match &slot.worker {
            Some(worker) => worker.newer.notify_one(),
            None => self.dial(to.0, slot),
        }
    }

    fn dial(self: &Arc<Self>, peer: i64, slot: &mut Slot) {
        // spec: QP-CNX-13
        if std::mem::replace(&mut slot.dialling, true) {
            return;
        }
        let election = Arc::clone(self);
        self.runtime.spawn(async move {
            let opened = election.open(peer).await;
            election.lock().entry(peer).or_default().dialling = false;
            match opened {
                Ok(Some(stream)) => election.keep(peer, stream),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, peer, "election port"),
            }
        });
    }

    /// Dials and greets. No stream: the peer has the larger id and will call back.
    // spec: QP-CNX-01, QP-CNX-05, QP-CNX-06
    async fn open(&self, peer: i64) -> io::Result<Option<TcpStream>> {
        let within =
            Duration::from_millis(u64::from(self.members.config.connect_timeout_ms.max(1)));
        let mut stream = self.members.dial(peer, PortKind::Election, within).await?;
        let mut hello = Vec::new();
        Hello::V1 {
            sid: self.members.id,
            address: self.members.greeting(),
        }
        .encode(&mut hello);
        stream.write_all(&hello).await?;
        if self.members.id < peer {
            // The peer must have read the greeting before the connection ends.
            drop(timeout(self.handshake, stream.read(&mut [0; 1])).await);
            return Ok(None);
        }
        Ok(Some(stream))
    }

    /// Finds out who calls, and keeps the connection or calls back.
    // spec: QP-CNX-02, QP-CNX-05, FT-QRM-02, FT-QRM-03
    pub(crate) async fn greeted(self: Arc<Self>, mut stream: TcpStream) -> Result<(), Refusal> {
        let hello = timeout(self.handshake, read_hello(&mut stream)).await;
        let peer = hello.map_err(|_| Refusal::Late)??.sid();
        if self.members.get(peer).is_none() || peer == self.members.id {
            return Err(Refusal::Stranger(peer));
        }
        if peer < self.members.id {
            // The larger id opens: this side calls back on a new connection.
            let mut peers = self.lock();
            let slot = peers.entry(peer).or_default();
            slot.worker = None;
            self.dial(peer, slot);
            return Ok(());
        }
        members::tune(&stream, self.members.config.election_keep_alive);
        self.keep(peer, stream);
        Ok(())
    }

    /// From now on this is the connection with that peer.
    fn keep(self: &Arc<Self>, peer: i64, stream: TcpStream) {
        let (input, output) = stream.into_split();
        let newer = Arc::new(Notify::new());
        let mut peers = self.lock();
        let slot = peers.entry(peer).or_default();
        slot.generation += 1;
        let generation = slot.generation;
        let reader = {
            let election = Arc::clone(self);
            self.runtime.spawn(async move {
                let error = election.read(peer, input).await;
                tracing::debug!(?error, peer, "election connection ended");
                election.ended(peer, generation);
            })
        };
        let writer = {
            let (election, newer) = (Arc::clone(self), Arc::clone(&newer));
            self.runtime.spawn(async move {
                if let Err(error) = election.write(peer, output, &newer).await {
                    tracing::debug!(%error, peer, "election connection ended");
                }
                election.ended(peer, generation);
            })
        };
        // Replaces, and so ends, an older connection.
        slot.worker = Some(Worker {
            generation,
            newer,
            reader: reader.abort_handle(),
            writer: writer.abort_handle(),
        });
    }

    async fn read(&self, peer: i64, mut input: OwnedReadHalf) -> io::Result<()> {
        let mut buffer = Vec::new();
        loop {
            while let Some((payload, used)) = next_frame(&buffer)
                .inspect_err(|error| self.blame(peer, error))
                .map_err(io::Error::other)?
            {
                // spec: QP-FLE-01. A message that makes no sense is skipped; its frame was whole.
                match Notification::decode(payload) {
                    Ok(notification) => {
                        let notified = Input::Notified {
                            from: ServerId(peer),
                            notification: notification.to_core(),
                        };
                        self.driver.extend_by([notified], used);
                    }
                    Err(error) => self.blame(peer, &error),
                }
                buffer.drain(..used);
            }
            // spec: P-BOUND, FT-LOAD-15. A peer that notifies without end waits for the driver.
            self.driver.room().await;
            if input.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    async fn write(&self, peer: i64, mut output: OwnedWriteHalf, newer: &Notify) -> io::Result<()> {
        let mut sent: Option<Arc<[u8]>> = None;
        loop {
            let latest = self.lock().get(&peer).and_then(|slot| slot.latest.clone());
            if let Some(frame) =
                latest.filter(|frame| !sent.as_ref().is_some_and(|sent| Arc::ptr_eq(sent, frame)))
            {
                output.write_all(&frame).await?;
                sent = Some(frame);
            }
            newer.notified().await;
        }
    }

    // spec: FT-QRM-01, FT-QRM-02, P-LOUD
    fn blame(&self, peer: i64, error: &DecodeError) {
        self.shared.totals.peer_errors.add(1);
        if let Some(untold) = self.told.untold() {
            tracing::warn!(%error, peer, untold, "a message at the election port");
        }
    }

    // spec: QP-CNX-11
    fn ended(&self, peer: i64, generation: u64) {
        let mut peers = self.lock();
        if let Some(slot) = peers.get_mut(&peer)
            && slot
                .worker
                .as_ref()
                .is_some_and(|worker| worker.generation == generation)
        {
            slot.worker = None;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Slot>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn read_hello(stream: &mut TcpStream) -> io::Result<Hello> {
    let mut buffer = Vec::new();
    loop {
        if let Some((hello, _)) = Hello::decode(&buffer).map_err(io::Error::other)? {
            return Ok(hello);
        }
        // Byte by byte: what follows the greeting belongs to the connection's reader.
        buffer.push(stream.read_u8().await?);
    }
}
