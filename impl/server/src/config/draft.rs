//! A configuration in the making: what the table's setters fill before the checks that
//! need several keys at once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use zk_node::settings::Settings;

use super::table::{self, Kind};
use crate::run::{Batching, PeerRole, QuorumConfig, ServerConfig};
use zk_storage::Compression;

/// `ServerConfig` plus the keys that become part of it only together with others.
#[derive(Debug, Clone)]
pub struct Draft {
    pub server: ServerConfig,
    /// The server's, once there turns out to be an ensemble.
    pub quorum: QuorumConfig,
    pub data_dir: Option<PathBuf>,
    pub data_log_dir: Option<PathBuf>,
    pub client_port: Option<u16>,
    pub client_host: Option<String>,
    pub min_session_timeout_ms: Option<u32>,
    pub max_session_timeout_ms: Option<u32>,
    pub frame_extra_bytes: Option<u32>,
    pub write_queue_poll_ms: Option<u32>,
    pub ensemble_provider: bool,
    pub ensemble_names: BTreeSet<String>,
    pub enforce_auth: bool,
    pub enforce_schemes: BTreeSet<String>,
    /// `peerType`, when written.
    pub role: Option<PeerRole>,
    pub dynamic_file: Option<PathBuf>,
    /// `syncEnabled`, and the property that overrides it.
    pub sync_enabled: bool,
    pub observer_sync: Option<bool>,
    pub multi_address: bool,
    pub reachability_check: bool,
    pub reachability_timeout_ms: u32,
}

impl Draft {
    /// Every default of the table, applied by the same setters as an operator's values.
    pub fn with_defaults() -> Self {
        let mut draft = Self::blank();
        for key in table::all() {
            // A default that its own setter refuses is caught by a test over the table.
            if let Some(default) = key.default {
                let _refused = key.kind.apply(&mut draft, default);
            }
        }
        draft
    }

    /// Zeros, for the table's defaults to fill.
    fn blank() -> Self {
        Self {
            server: blank_server(),
            quorum: blank_quorum(),
            data_dir: None,
            data_log_dir: None,
            client_port: None,
            client_host: None,
            min_session_timeout_ms: None,
            max_session_timeout_ms: None,
            frame_extra_bytes: None,
            write_queue_poll_ms: None,
            ensemble_provider: false,
            ensemble_names: BTreeSet::new(),
            enforce_auth: false,
            enforce_schemes: BTreeSet::new(),
            role: None,
            dynamic_file: None,
            sync_enabled: true,
            observer_sync: None,
            multi_address: false,
            reachability_check: false,
            reachability_timeout_ms: 0,
        }
    }

    /// Limits that are given in ticks, or as a share of another key, when not set.
    pub fn resolve_limits(&mut self) {
        let settings = &mut self.server.settings;
        let or_ticks = |set: Option<u32>, ticks: u32| {
            let ms = set.unwrap_or(settings.tick_time_ms.saturating_mul(ticks));
            i32::try_from(ms).unwrap_or(i32::MAX)
        };
        // spec: CP-CON-07. 2 and 20 ticks unless the operator says otherwise.
        settings.min_session_timeout_ms = or_ticks(self.min_session_timeout_ms, 2);
        settings.max_session_timeout_ms = or_ticks(self.max_session_timeout_ms, 20);
        // spec: CP-JUT-10. At least 1024, whatever the operator says.
        settings.max_frame_extra_bytes = self
            .frame_extra_bytes
            .map_or(settings.max_frame_bytes, |bytes| bytes as usize)
            .max(1024);
        let batching = &mut self.server.batching;
        batching.max_poll_ms = self
            .write_queue_poll_ms
            .unwrap_or(batching.flush_delay_ms / 3);
    }
}

fn blank_server() -> ServerConfig {
    ServerConfig {
        settings: Settings::default(),
        client_address: None::<SocketAddr>,
        client_backlog: -1,
        client_keep_alive: false,
        worker_threads: 0,
        data_dir: PathBuf::new(),
        data_log_dir: PathBuf::new(),
        log_prealloc_bytes: 0,
        log_size_limit_bytes: None,
        batching: Batching {
            flush_delay_ms: 0,
            max_poll_ms: 0,
            max_requests: 0,
        },
        fsync_warning_ms: 0,
        snapshot_compression: Compression::None,
        purges: false,
        purge_retain: 0,
        trust_empty: false,
        create_dirs: false,
        autocreate: None,
        trace_dir: None,
        quorum: None,
    }
}

fn blank_quorum() -> QuorumConfig {
    QuorumConfig {
        id: 0,
        peers: Vec::new(),
        init_limit_ticks: 0,
        sync_limit_ticks: 0,
        connect_timeout_ms: 0,
        listen_on_all_addresses: false,
        groups: Vec::new(),
        weights: Vec::new(),
        finalize_wait_ms: 0,
        version: 0,
        standalone_enabled: false,
        connect_limit_ticks: 0,
        handshake_timeout_ms: None,
        election_bind_retries: 0,
        min_notification_ms: 0,
        max_notification_ms: 0,
        leader_connect_retry_ms: 0,
        observer_reconnect_delay_ms: 0,
        observer_election_delay_ms: 0,
        max_concurrent_snaps: 0,
        max_concurrent_diffs: 0,
        learner_queue_bytes: 0,
        election_keep_alive: false,
        opening_txn: false,
        reachability_timeout_ms: None,
    }
}

impl Kind {
    /// Parses `value` and stores it; the error says what is allowed.
    pub fn apply(&self, draft: &mut Draft, value: &str) -> Result<(), String> {
        match self {
            Self::Int { min, max, set } => match value.parse::<u32>() {
                Ok(number) if (*min..=*max).contains(&number) => {
                    set(draft, number);
                    Ok(())
                }
                _ => Err(format!("a whole number from {min} to {max}")),
            },
            Self::OrOff { set } => match value.parse::<i32>() {
                Ok(number) => {
                    set(draft, u32::try_from(number).ok());
                    Ok(())
                }
                Err(_) => Err(format!("a whole number up to {}, or -1", i32::MAX)),
            },
            Self::Port { set } => match value.parse() {
                Ok(port) => {
                    set(draft, port);
                    Ok(())
                }
                Err(_) => Err("a port from 0 to 65535".to_owned()),
            },
            Self::Ratio { set } => match value.parse::<f64>() {
                Ok(number) if (0.0..=1.0).contains(&number) => {
                    set(draft, number);
                    Ok(())
                }
                _ => Err("a number from 0 to 1".to_owned()),
            },
            // spec: CP-CFG-04. The parser proper knows true and false alone ...
            Self::Flag { set } => {
                let value = match value.to_ascii_lowercase().as_str() {
                    "true" => true,
                    "false" => false,
                    _ => return Err("true or false".to_owned()),
                };
                set(draft, value);
                Ok(())
            }
            // ... while a property is true or anything else.
            Self::Loose { set } => {
                set(draft, value.eq_ignore_ascii_case("true"));
                Ok(())
            }
            // spec: CP-AUTH-15. Apache takes what is not `yes` for `no`; a slip here is refused.
            Self::YesNo { set } => {
                let value = match value {
                    "yes" => true,
                    "no" => false,
                    _ => return Err("yes or no".to_owned()),
                };
                set(draft, value);
                Ok(())
            }
            Self::Text { set, allowed } => {
                if set(draft, value) {
                    Ok(())
                } else {
                    Err((*allowed).to_owned())
                }
            }
            Self::Secret { set } => {
                set(draft, value);
                Ok(())
            }
            Self::Unused => Ok(()),
        }
    }
}
