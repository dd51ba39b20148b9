//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use zk_node::settings::Settings;
use zk_storage::Compression;

/// Everything `run` needs. The configuration reader fills it; nothing below reads zoo.cfg.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    pub settings: Settings,
    /// None = no plain listener.
    pub client_address: Option<SocketAddr>,
    /// 0 or less = the default of 4096.
    pub client_backlog: i32,
    pub client_keep_alive: bool,
    /// The folder that holds `version-2` with the snapshots.
    pub data_dir: PathBuf,
    /// The folder that holds `version-2` with the txn logs.
    pub data_log_dir: PathBuf,
    /// Threads that serve clients; 0 = one a core.
    pub worker_threads: usize,
    /// Bytes by which a log segment is filled ahead.
    pub log_prealloc_bytes: u64,
    /// Roll the log at this size; None = only at snapshots.
    pub log_size_limit_bytes: Option<u64>,
    pub batching: Batching,
    /// A slower sync is logged.
    pub fsync_warning_ms: u32,
    /// How new snapshots are written.
    pub snapshot_compression: Compression,
    /// After each snapshot all but the newest `purge_retain` go, with the logs that only they need.
    pub purges: bool,
    pub purge_retain: u32,
    /// `snapshot.trust.empty`.
    pub trust_empty: bool,
    /// `datadir.autocreate`.
    pub create_dirs: bool,
    /// `db.autocreate`, if written in the configuration.
    pub autocreate: Option<bool>,
    /// The folder for a trace of the protocol core, a file for each start; None = no trace.
    pub trace_dir: Option<PathBuf>,
    /// None = standalone.
    pub quorum: Option<QuorumConfig>,
}

/// When the log thread stops collecting and syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batching {
    /// How long a batch may wait for company.
    pub flush_delay_ms: u32,
    /// A batch is synced when nothing more came for this long.
    pub max_poll_ms: u32,
    pub max_requests: u32,
}

/// A member's view of its ensemble.
#[derive(Clone, Debug)]
pub struct QuorumConfig {
    pub id: u64,
    pub peers: Vec<PeerConfig>,
    pub init_limit_ticks: u32,
    pub sync_limit_ticks: u32,
    /// `cnxTimeout`.
    pub connect_timeout_ms: u32,
    pub listen_on_all_addresses: bool,
    /// `group.G=id:id`; empty = plain majority.
    pub groups: Vec<(u64, Vec<u64>)>,
    pub weights: Vec<(u64, u64)>,
    /// The wait for better votes at the end of an election.
    pub finalize_wait_ms: u32,
    /// zxid of the reconfiguration that made this membership; 0 at first.
    pub version: i64,
    /// One member alone may be a standalone server.
    pub standalone_enabled: bool,
    /// Ticks to connect to a leader; 0 = `init_limit_ticks`.
    pub connect_limit_ticks: u32,
    /// For the election port's greeting; None = the sync limit.
    pub handshake_timeout_ms: Option<u32>,
    /// 0 = without end.
    pub election_bind_retries: u32,
    pub min_notification_ms: u32,
    pub max_notification_ms: u32,
    pub leader_connect_retry_ms: u32,
    pub observer_reconnect_delay_ms: u32,
    pub observer_election_delay_ms: u32,
    pub max_concurrent_snaps: u32,
    pub max_concurrent_diffs: u32,
    /// A learner that leaves more unread is given up.
    pub learner_queue_bytes: u64,
    pub election_keep_alive: bool,
    /// As leader, serve only after a first txn of its own (QP-INT-02).
    pub opening_txn: bool,
    /// Look for the address that answers, when a member has several.
    pub reachability_timeout_ms: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerRole {
    Participant,
    Observer,
}

/// One `server.N` line. Host names are resolved at each dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    pub id: u64,
    pub host: String,
    pub quorum_port: u16,
    pub election_port: u16,
    /// Further addresses of the same member (`multiAddress.enabled`): host, quorum and election port.
    pub more: Vec<(String, u16, u16)>,
    pub role: PeerRole,
    /// Host and port of the client part, if the line has one.
    pub client: Option<(String, u16)>,
}

/// Why a server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("cannot listen on {address}: {source}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("this server's own address {host} means nothing: {source}")]
    Name {
        host: String,
        source: std::io::Error,
    },
    /// Durable state is damaged, or the directories cannot be used (P-DETECT).
    #[error(transparent)]
    Storage(#[from] zk_storage::Error),
    #[error("the data directory and the configuration do not fit: {0}")]
    Restore(#[from] zab::RestoreError),
    #[error("the trace in {} cannot be written: {source}", path.display())]
    Trace {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the system refused: {0}")]
    Runtime(std::io::Error),
}
