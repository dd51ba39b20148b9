//! Starts a server, waits for its end, stops it in order.

use crate::run::{RunError, ServerConfig};
use crate::shell::clients::{Port, is_same, listen};
use crate::shell::clock::Clock;
use crate::shell::driver::{Ensemble, Hands, drive};
use crate::shell::fill_thread::FillThread;
use crate::shell::host::Process;
use crate::shell::inbox::Inbox;
use crate::shell::log_thread::LogThread;
use crate::shell::quorum::door::{Door, Refusal};
use crate::shell::quorum::election::Election;
use crate::shell::quorum::links::Links;
use crate::shell::quorum::members::{Members, PortKind};
use crate::shell::recorder::{Recorder, Steps};
use crate::shell::snapshots::{SnapshotSignal, SnapshotThread};
use crate::shell::{fatal, fault, host};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use zab::{Peer, ServerId};
use zk_node::disk::{Command, Keeper, restore, session_ids};
use zk_node::words::{About, DEFAULT_TRACE_MASK};
use zk_node::{Input, Node, Shared};
use zk_storage::Store;

/// A server at work. Dropping it without `stop` leaves its threads running.
pub struct Server {
    runtime: Runtime,
    shared: Arc<Shared>,
    driver: Arc<Inbox<Input>>,
    log: Arc<Inbox<Command>>,
    snapshots: Arc<SnapshotSignal>,
    driver_thread: JoinHandle<()>,
    log_thread: JoinHandle<()>,
    fill: Arc<FillThread>,
    fill_thread: JoinHandle<()>,
    snapshot_thread: JoinHandle<()>,
    client_address: Option<SocketAddr>,
}

/// Runs a server until SIGTERM or SIGINT. A panic or a failed disk ends the process.
///
/// # Errors
/// When it could not start.
// spec: FT-PROC-09, P-DIE
pub fn run(config: ServerConfig) -> Result<(), RunError> {
    fatal::die_on_panic();
    let server = Server::start(config)?;
    server.runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Runtime)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Runtime)?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        Ok::<(), RunError>(())
    })?;
    tracing::info!("stopping");
    server.stop();
    Ok(())
}

impl Server {
    /// Returns once the port is open.
    ///
    /// # Errors
    /// Damage of the data directory, a port in use, a configuration that cannot be.
    pub fn start(config: ServerConfig) -> Result<Self, RunError> {
        let clock = Clock::start();
        let store = Arc::new(Store::open(fault::disk(), storage_config(&config))?);
        let members = config
            .quorum
            .clone()
            .map(|quorum| Arc::new(Members::new(quorum)));
        let peer_config = peer_config(&config, members.as_deref());
        let restored = restore(&store, &config.settings.tree(), peer_config.window)?;
        for warning in &restored.warnings {
            tracing::warn!("{warning}");
        }
        let mut keeper = Keeper::new(Arc::clone(&store), restored.log, config.settings.tree());
        if !config.settings.keeps_log {
            keeper = keeper.unlogged(restored.durable.current);
        }
        let (peer, recorder) = peer(&config, peer_config, restored.durable)?;
        let (now, server_id) = (clock.now(), config.settings.server_id);
        let ids = session_ids(&store, server_id, now.wall_ms, &restored.tree)?;
        let shared = Arc::new(Shared::new(config.settings.clone(), restored.tree, now));
        let mut node = Node::new(Arc::clone(&shared), peer, ids, now, scatter(clock));
        node.replayed(restored.replayed);
        if let Some(members) = &members {
            node.configure(members.text.clone(), members.config.version);
        }
        if let Some(recorder) = &recorder {
            node.trace(Box::new(Steps(Arc::clone(recorder))));
        }
        let runtime = runtime(config.worker_threads)?;
        let started = Starting {
            config,
            clock,
            store,
            members,
            shared,
            runtime,
            driver: Arc::default(),
            recorder,
        };
        started.go(node, keeper)
    }

    /// The port that clients connect to, as bound.
    #[must_use]
    pub fn client_address(&self) -> Option<SocketAddr> {
        self.client_address
    }

    /// What the server counts and holds.
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Closes the port and every connection, then ends the log in order.
    // spec: FT-PROC-09
    pub fn stop(self) {
        self.runtime.shutdown_background();
        self.driver.close();
        join(self.driver_thread);
        self.log.close();
        join(self.log_thread);
        self.fill.close();
        join(self.fill_thread);
        self.snapshots.close();
        join(self.snapshot_thread);
    }
}

/// What the parts of a server are built from.
struct Starting {
    config: ServerConfig,
    clock: Clock,
    store: Arc<Store>,
    members: Option<Arc<Members>>,
    shared: Arc<Shared>,
    runtime: Runtime,
    driver: Arc<Inbox<Input>>,
    recorder: Option<Arc<Recorder>>,
}

impl Starting {
    fn go(self, node: Node, keeper: Keeper) -> Result<Server, RunError> {
        let (log_queue, snapshots) = (
            Arc::new(Inbox::default()),
            Arc::new(SnapshotSignal::default()),
        );
        // Ports first: a port in use must not leave threads behind.
        let ensemble = self.ensemble(&log_queue)?;
        let clients = self.clients()?;
        let fill = Arc::new(FillThread::default());
        let log_thread = self.log_thread(keeper, &log_queue, &fill);
        let log_thread = spawn("log", log_thread, LogThread::run)?;
        let fill_thread = spawn("fill", Arc::clone(&fill), |fill| fill.run())?;
        let snapshot_thread = spawn(
            "snapshot",
            self.snapshot_thread(&snapshots),
            SnapshotThread::run,
        )?;
        let hands = Hands {
            log: Arc::clone(&log_queue),
            snapshots: Arc::clone(&snapshots),
            ensemble,
        };
        let (inbox, clock) = (Arc::clone(&self.driver), self.clock);
        let driver_thread = spawn("driver", node, move |node| {
            drive(node, &inbox, clock, &hands)
        })?;
        Ok(Server {
            runtime: self.runtime,
            shared: self.shared,
            driver: self.driver,
            log: log_queue,
            snapshots,
            driver_thread,
            log_thread,
            fill,
            fill_thread,
            snapshot_thread,
            client_address: clients,
        })
    }

    /// Opens the port for clients.
    fn clients(&self) -> Result<Option<SocketAddr>, RunError> {
        let Some(address) = self.config.client_address else {
            return Ok(None);
        };
        let listener = listen(address, self.config.client_backlog)?;
        let bound = listener.local_addr().map_err(RunError::Runtime)?;
        let port = Arc::new(self.port(bound));
        let _guard = self.runtime.enter();
        let listener = TcpListener::from_std(listener).map_err(RunError::Runtime)?;
        self.runtime.spawn(port.accept(listener));
        Ok(Some(bound))
    }

    /// Opens the two ports between servers.
    fn ensemble(&self, log: &Arc<Inbox<Command>>) -> Result<Option<Ensemble>, RunError> {
        let Some(members) = &self.members else {
            return Ok(None);
        };
        // spec: FT-QRM-03. Its list of members is all that a server has to know its peers by.
        tracing::warn!(
            "servers do not authenticate one another: keep the quorum and election ports from everybody else"
        );
        let handle = self.runtime.handle();
        let election = Arc::new(Election::new(
            Arc::clone(members),
            Arc::clone(&self.driver),
            Arc::clone(&self.shared),
            handle.clone(),
        ));
        let links = Arc::new(Links::new(
            Arc::clone(members),
            Arc::clone(&self.driver),
            Arc::clone(&self.shared),
            Arc::clone(&self.store),
            Arc::clone(log),
            handle.clone(),
            self.recorder.clone(),
        ));
        let calls = Arc::clone(&election);
        self.open(members, PortKind::Election, move |stream| {
            Arc::clone(&calls).greeted(stream)
        })?;
        let calls = Arc::clone(&links);
        self.open(members, PortKind::Quorum, move |stream| {
            Arc::clone(&calls).greeted(stream)
        })?;
        Ok(Some(Ensemble { election, links }))
    }

    /// Listens at each of this server's addresses; `greet` finds out who calls.
    fn open<F>(
        &self,
        members: &Members,
        kind: PortKind,
        greet: impl Fn(TcpStream) -> F + Clone + Send + 'static,
    ) -> Result<(), RunError>
    where
        F: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        let door = Arc::new(Door::new(kind.name(), Arc::clone(&self.shared)));
        for listener in self.bind(members, kind)? {
            let _guard = self.runtime.enter();
            let listener = TcpListener::from_std(listener).map_err(RunError::Runtime)?;
            self.runtime
                .spawn(Arc::clone(&door).accept(listener, greet.clone()));
        }
        Ok(())
    }

    /// Binds a port between servers, again and again where it is taken or its name means nothing: after a crash the
    /// address may be free only a moment later, and a new server's name known. Of several addresses one is enough: the
    /// others' network may be down.
    // spec: QP-CNX-12, QP-CFG-02, FT-NET-18
    fn bind(
        &self,
        members: &Members,
        kind: PortKind,
    ) -> Result<Vec<std::net::TcpListener>, RunError> {
        const PAUSE: Duration = Duration::from_secs(1);
        let mut left = members.own_hosts(kind);
        let tries = members.config.election_bind_retries;
        let mut bound = Vec::new();
        let mut tried = 1;
        loop {
            let mut failed = None;
            left.retain(
                |(host, port)| match self.bind_one(members, host, *port, &bound) {
                    Ok(listener) => {
                        bound.extend(listener);
                        false
                    }
                    Err(error) => {
                        tracing::warn!(%error, tried, port = kind.name(), "not bound");
                        failed = Some(error);
                        true
                    }
                },
            );
            match failed {
                None => return Ok(bound),
                Some(error) if tries != 0 && tried >= tries => {
                    return if bound.is_empty() {
                        Err(error)
                    } else {
                        Ok(bound)
                    };
                }
                Some(_) => {}
            }
            tried += 1;
            std::thread::sleep(PAUSE);
        }
    }

    /// Binds a port at what its host means now; None: another of the names meant the same address.
    fn bind_one(
        &self,
        members: &Members,
        host: &str,
        port: u16,
        bound: &[std::net::TcpListener],
    ) -> Result<Option<std::net::TcpListener>, RunError> {
        let address = self.runtime.block_on(members.own_address(host, port));
        let address = address.map_err(|source| RunError::Name {
            host: host.to_owned(),
            source,
        })?;
        let same = |listener: &std::net::TcpListener| {
            listener
                .local_addr()
                .is_ok_and(|bound| is_same(bound, address))
        };
        if bound.iter().any(same) {
            return Ok(None);
        }
        listen(address, 0).map(Some)
    }

    fn log_thread(
        &self,
        keeper: Keeper,
        queue: &Arc<Inbox<Command>>,
        fill: &Arc<FillThread>,
    ) -> LogThread {
        LogThread {
            keeper,
            queue: Arc::clone(queue),
            driver: Arc::clone(&self.driver),
            shared: Arc::clone(&self.shared),
            batching: self.config.batching,
            warn_ms: self.config.fsync_warning_ms,
            size_limit_bytes: self.config.log_size_limit_bytes,
            fill: Arc::clone(fill),
            try_again_at: None,
        }
    }

    fn snapshot_thread(&self, signal: &Arc<SnapshotSignal>) -> SnapshotThread {
        SnapshotThread {
            shared: Arc::clone(&self.shared),
            store: Arc::clone(&self.store),
            signal: Arc::clone(signal),
            compression: self.config.snapshot_compression,
            retain: self
                .config
                .purges
                .then_some(self.config.purge_retain as usize),
        }
    }

    fn port(&self, bound: SocketAddr) -> Port {
        let config = &self.config;
        let (data, logs) = (
            config.data_dir.join("version-2"),
            config.data_log_dir.join("version-2"),
        );
        Port {
            shared: Arc::clone(&self.shared),
            driver: Arc::clone(&self.driver),
            clock: self.clock,
            about: About {
                version: host::version(),
                client_port: Some(bound.port()),
                data_dir: data.display().to_string(),
                data_log_dir: logs.display().to_string(),
                client_backlog: config.client_backlog,
                member: self.members.as_deref().and_then(Members::about),
                trace_mask: AtomicI64::new(DEFAULT_TRACE_MASK),
            },
            process: Process { data, logs },
            keep_alive: config.client_keep_alive,
            words: Default::default(),
        }
    }
}

fn join(thread: JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread panicked");
    }
}

fn spawn<T: Send + 'static>(
    name: &str,
    value: T,
    body: impl FnOnce(T) + Send + 'static,
) -> Result<JoinHandle<()>, RunError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || body(value))
        .map_err(RunError::Runtime)
}

fn runtime(workers: usize) -> Result<Runtime, RunError> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if workers > 0 {
        builder.worker_threads(workers);
    }
    builder
        .thread_name("clients")
        .enable_all()
        .build()
        .map_err(RunError::Runtime)
}

/// Spreads the snapshots of servers that start together.
fn scatter(clock: Clock) -> u32 {
    (clock.now().wall_ms as u32) ^ std::process::id().rotate_left(16)
}

/// Moves a damaged database aside, so that the server comes back without a vote and fetches it from the ensemble.
/// Returns the new names of what was moved.
///
/// # Errors
/// A running server on the same directory, a single server, or the disk's.
// spec: P-REPAIR
pub fn set_aside(config: &ServerConfig) -> Result<Vec<PathBuf>, RunError> {
    let store = Store::open(fault::disk(), storage_config(config))?;
    Ok(store.set_aside()?)
}

fn storage_config(config: &ServerConfig) -> zk_storage::Config {
    let separate = config.data_log_dir != config.data_dir;
    zk_storage::Config {
        data_log_dir: separate.then(|| config.data_log_dir.clone()),
        create_dirs: config.create_dirs,
        segment_bytes: config.log_prealloc_bytes,
        limit_bytes: config.settings.record_limit_bytes(),
        standalone: config.quorum.is_none(),
        create_database: config.autocreate == Some(true),
        trust_empty: config.trust_empty,
        ..zk_storage::Config::new(&config.data_dir)
    }
}

/// The core, and the trace of its steps if one is wished for.
fn peer(
    config: &ServerConfig,
    peer_config: zab::Config,
    durable: zab::Durable<bytes::Bytes>,
) -> Result<(Peer<bytes::Bytes>, Option<Arc<Recorder>>), RunError> {
    let Some(dir) = &config.trace_dir else {
        return Ok((Peer::restore(peer_config, durable)?, None));
    };
    let peer = Peer::restore(peer_config, durable.clone())?;
    let recorder = Recorder::begin(dir, &peer, durable).map_err(|source| RunError::Trace {
        path: dir.clone(),
        source,
    })?;
    Ok((peer, Some(Arc::new(recorder))))
}

fn peer_config(config: &ServerConfig, members: Option<&Members>) -> zab::Config {
    let window = config.settings.commit_log_count as usize;
    let Some(members) = members else {
        let id = ServerId(1);
        return zab::Config {
            standalone: true,
            window,
            ..zab::Config::new(id, [id])
        };
    };
    members.peer_config(config.settings.tick_time_ms, window)
}
