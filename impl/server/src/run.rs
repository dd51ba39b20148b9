//! What a server is started with.

use std::net::SocketAddr;
use std::path::PathBuf;
use zk_node::settings::Settings;

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
    /// Bytes by which a log segment is filled ahead.
    pub log_prealloc_bytes: u64,
    /// Roll the log at this size; None = only at snapshots.
    pub log_size_limit_bytes: Option<u64>,
    pub purge_retain: u32,
    /// None = never purge.
    pub purge_interval_hours: Option<u32>,
    /// `snapshot.trust.empty`.
    pub trust_empty: bool,
    /// `db.autocreate`, if written in the configuration.
    pub autocreate: Option<bool>,
    /// None = standalone.
    pub quorum: Option<QuorumConfig>,
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
    pub leader_serves: bool,
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
}
