//! Starts a server, waits for its end, stops it in order.

use crate::run::{RunError, ServerConfig, SnapshotCompression};
use crate::shell::clients::{Port, listen};
use crate::shell::clock::Clock;
use crate::shell::driver::{Hands, drive};
use crate::shell::inbox::Inbox;
use crate::shell::log_thread::LogThread;
use crate::shell::snapshots::{SnapshotSignal, SnapshotThread};
use crate::shell::{fatal, host};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::thread::JoinHandle;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};
use zab::{Peer, ServerId};
use zk_node::disk::{Command, Keeper, restore};
use zk_node::words::{About, DEFAULT_TRACE_MASK};
use zk_node::{Input, Node, Shared};
use zk_storage::disk::RealDisk;
use zk_storage::{Compression, Store};

/// A server at work. Dropping it without `stop` leaves its threads running.
pub struct Server {
    runtime: Runtime,
    shared: Arc<Shared>,
    driver: Arc<Inbox<Input>>,
    log: Arc<Inbox<Command>>,
    snapshots: Arc<SnapshotSignal>,
    driver_thread: JoinHandle<()>,
    log_thread: JoinHandle<()>,
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
        let tree_settings = tree_settings(&config);
        let store = Arc::new(Store::open(Arc::new(RealDisk), storage_config(&config))?);
        let peer_config = peer_config(&config);
        let restored = restore(&store, &tree_settings, peer_config.window)?;
        for warning in &restored.warnings {
            tracing::warn!("{warning}");
        }
        let peer = Peer::restore(peer_config, restored.durable)?;
        let shared = Arc::new(Shared::new(
            config.settings.clone(),
            restored.tree,
            clock.now(),
        ));
        let node = Node::new(Arc::clone(&shared), peer, clock.now(), scatter(clock));

        let driver = Arc::new(Inbox::default());
        let log = Arc::new(Inbox::default());
        let snapshots = Arc::new(SnapshotSignal::default());
        let listener = config
            .client_address
            .map(|address| listen(address, config.client_backlog))
            .transpose()?;
        let client_address = listener
            .as_ref()
            .map(std::net::TcpListener::local_addr)
            .transpose()
            .map_err(RunError::Runtime)?;

        let log_thread = spawn(
            "log",
            LogThread {
                keeper: Keeper::new(Arc::clone(&store), restored.log, tree_settings),
                queue: Arc::clone(&log),
                driver: Arc::clone(&driver),
                shared: Arc::clone(&shared),
                batching: config.batching,
                warn_ms: config.fsync_warning_ms,
                size_limit_bytes: config.log_size_limit_bytes,
            },
            LogThread::run,
        )?;
        let snapshot_thread = spawn(
            "snapshot",
            SnapshotThread {
                shared: Arc::clone(&shared),
                store: Arc::clone(&store),
                signal: Arc::clone(&snapshots),
                compression: compression(config.snapshot_compression),
                retain: config
                    .purge_interval_hours
                    .map(|_| config.purge_retain as usize),
            },
            SnapshotThread::run,
        )?;
        let hands = Hands {
            log: Arc::clone(&log),
            snapshots: Arc::clone(&snapshots),
        };
        let driver_thread = spawn(
            "driver",
            (node, Arc::clone(&driver), hands),
            move |(node, inbox, hands)| {
                drive(node, &inbox, clock, &hands);
            },
        )?;

        let runtime = runtime(config.worker_threads)?;
        if let Some(listener) = listener {
            let port = Arc::new(port(&config, clock, &shared, &driver, client_address));
            let _guard = runtime.enter();
            let listener = TcpListener::from_std(listener).map_err(RunError::Runtime)?;
            runtime.spawn(port.accept(listener));
        }
        Ok(Self {
            runtime,
            shared,
            driver,
            log,
            snapshots,
            driver_thread,
            log_thread,
            snapshot_thread,
            client_address,
        })
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
        self.snapshots.close();
        join(self.snapshot_thread);
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

fn port(
    config: &ServerConfig,
    clock: Clock,
    shared: &Arc<Shared>,
    driver: &Arc<Inbox<Input>>,
    address: Option<SocketAddr>,
) -> Port {
    let (data, logs) = (
        config.data_dir.join("version-2"),
        config.data_log_dir.join("version-2"),
    );
    Port {
        shared: Arc::clone(shared),
        driver: Arc::clone(driver),
        clock,
        about: About {
            version: host::version(),
            client_port: address.map(|address| address.port()),
            data_dir: data.display().to_string(),
            data_log_dir: logs.display().to_string(),
            client_backlog: config.client_backlog,
            member: None,
            trace_mask: AtomicI64::new(DEFAULT_TRACE_MASK),
        },
        membership: String::new(),
        directories: (data, logs),
        keep_alive: config.client_keep_alive,
        words: Default::default(),
    }
}

/// Spreads the snapshots of servers that start together.
fn scatter(clock: Clock) -> u32 {
    (clock.now().wall_ms as u32) ^ std::process::id().rotate_left(16)
}

fn compression(wished: SnapshotCompression) -> Compression {
    match wished {
        SnapshotCompression::None => Compression::None,
        SnapshotCompression::Gzip => Compression::Gzip,
        SnapshotCompression::Snappy => Compression::Snappy,
    }
}

fn tree_settings(config: &ServerConfig) -> zk_tree::Settings {
    let settings = &config.settings;
    zk_tree::Settings {
        extended_types: settings.extended_types,
        emulate_353_ttl_nodes: settings.emulate_353_ttl_nodes,
        enforce_quota: settings.enforce_quota,
        skip_acl: settings.skip_acl,
        close_session_txn: settings.close_session_txn,
        digest: settings.digest,
        ..zk_tree::Settings::default()
    }
}

fn storage_config(config: &ServerConfig) -> zk_storage::Config {
    let separate = config.data_log_dir != config.data_dir;
    zk_storage::Config {
        data_log_dir: separate.then(|| config.data_log_dir.clone()),
        segment_bytes: config.log_prealloc_bytes,
        limit_bytes: config.settings.max_frame_bytes + config.settings.max_frame_extra_bytes,
        standalone: config.quorum.is_none(),
        create_database: config.autocreate == Some(true),
        trust_empty: config.trust_empty,
        ..zk_storage::Config::new(&config.data_dir)
    }
}

fn peer_config(config: &ServerConfig) -> zab::Config {
    let id = ServerId(1);
    zab::Config {
        standalone: true,
        window: config.settings.commit_log_count as usize,
        ..zab::Config::new(id, [id])
    }
}
