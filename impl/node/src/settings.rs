//! What an operator chose, as plain values with units. Parsing and defaults of
//! zoo.cfg live in `zk-server`; `Default` here is ZooKeeper's.

use crate::bug::Bugs;
use std::collections::BTreeSet;
pub use zk_tree::auth::Algorithm as DigestAlgorithm;

/// Limits and switches that the node itself obeys.
#[derive(Clone, Debug)]
pub struct Settings {
    pub server_id: u8,
    pub tick_time_ms: u32,
    /// Resolved: two ticks unless configured (CP-CON-07).
    pub min_session_timeout_ms: i32,
    /// Resolved: twenty ticks unless configured.
    pub max_session_timeout_ms: i32,
    /// `jute.maxbuffer`: the longest frame a client may send, bytes.
    pub max_frame_bytes: usize,
    /// What a string or buffer inside a record may add to `max_frame_bytes` (CP-JUT-10).
    pub max_frame_extra_bytes: usize,
    /// A connection must complete its first frame within this time.
    pub first_frame_ms: u32,
    /// 0 = no limit.
    pub max_client_connections_per_address: u32,
    /// 0 = no limit.
    pub max_connections: u32,
    pub global_outstanding_limit: u32,
    pub local_sessions: bool,
    pub local_sessions_upgrading: bool,
    pub four_letter_words: Words,
    pub throttle: Throttle,
    pub connection_tokens: ConnectionTokens,
    /// `largeRequestThreshold` in bytes; None = off.
    pub large_request_threshold_bytes: Option<usize>,
    pub large_request_max_bytes: usize,
    pub super_digest: Option<Secret>,
    pub digest_auth: bool,
    pub digest_algorithm: DigestAlgorithm,
    pub skip_acl: bool,
    /// The serving server checks ACLs before it takes a write (CP-ACL-31).
    pub eager_acl_check: bool,
    pub enforce_quota: bool,
    pub extended_types: bool,
    pub emulate_353_ttl_nodes: bool,
    pub close_session_txn: bool,
    /// Append the tree's digest to each txn.
    pub digest: bool,
    /// Snapshots end with the last zxid, as 3.9 ends them.
    // spec: DF-SNAP-02
    pub snapshot_last_zxid: bool,
    pub enforced_auth_schemes: Option<Vec<String>>,
    /// Names that the `ensemble` scheme lets in; None = no such provider (CP-AUTH-08).
    pub ensemble_auth_names: Option<Vec<String>>,
    pub container: ContainerTimer,
    /// A snapshot after a number of txns in (snap_count / 2, snap_count].
    pub snap_count: u32,
    /// The same by bytes of log; None = off.
    pub snap_size_limit_bytes: Option<u64>,
    /// Recent txns kept in memory for learners.
    pub commit_log_count: u32,
    pub reconfig: bool,
    /// False: an observer that logs no txns and takes no snapshots (`Keeper::unlogged`).
    pub keeps_log: bool,
    pub read_only_mode: bool,
    /// `no`: the leader takes no clients, unless it is alone.
    pub leader_serves: bool,
    /// None, outside of the simulator's own tests.
    pub bugs: Bugs,
}

/// Text that no log, error or dump may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

// spec: FT-ADM-06. A derived Debug would put the secret in the first trace that prints the settings.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

/// `4lw.commands.whitelist`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    All,
    Only(BTreeSet<String>),
}

/// The request throttler (CP-THR-03..05).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    /// 0 = off.
    pub max_requests: u32,
    pub drop_stale: bool,
    pub stale_connection_check: bool,
    pub stale_latency_check: bool,
    /// 0 = off.
    pub throttled_op_wait_ms: u32,
}

impl Throttle {
    /// Whether the requests of a connection that the client closed are dropped.
    #[must_use]
    pub fn drops_of_closed(&self) -> bool {
        self.drop_stale && self.stale_connection_check
    }
}

/// The connection throttle (CP-THR-06).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ConnectionTokens {
    /// 0 = off.
    pub tokens: u32,
    pub fill_count: u32,
    pub fill_time_ms: u32,
    /// None = never drop at random.
    pub freeze_time_ms: Option<u32>,
    pub drop_increase: f64,
    pub drop_decrease: f64,
    pub decrease_ratio: f64,
    pub weighted: bool,
    /// Tokens of a new global, a resumed and a new local session, when weighted.
    pub global_weight: u32,
    pub renew_weight: u32,
    pub local_weight: u32,
}

/// When unused container and TTL nodes go (CP-EPH-20..22).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerTimer {
    pub check_interval_ms: u32,
    pub max_per_minute: u32,
    /// 0 = a container that never had a child stays.
    pub max_never_used_ms: u64,
}

impl Settings {
    /// The longest string, buffer and record that this server reads, bytes.
    // spec: CP-JUT-10, QP-GEN-01
    #[must_use]
    pub fn record_limit_bytes(&self) -> usize {
        self.max_frame_bytes
            .saturating_add(self.max_frame_extra_bytes)
    }

    /// What of this concerns the tree.
    #[must_use]
    pub fn tree(&self) -> zk_tree::Settings {
        zk_tree::Settings {
            extended_types: self.extended_types,
            emulate_353_ttl_nodes: self.emulate_353_ttl_nodes,
            enforce_quota: self.enforce_quota,
            skip_acl: self.skip_acl,
            close_session_txn: self.close_session_txn,
            digest: self.digest,
            max_txn_bytes: zk_tree::Settings::longest_txn(self.record_limit_bytes()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server_id: 1,
            tick_time_ms: 3000,
            min_session_timeout_ms: 6000,
            max_session_timeout_ms: 60_000,
            max_frame_bytes: 0xf_ffff,
            max_frame_extra_bytes: 0xf_ffff,
            first_frame_ms: 10_000,
            max_client_connections_per_address: 60,
            max_connections: 0,
            global_outstanding_limit: 1000,
            local_sessions: false,
            local_sessions_upgrading: false,
            four_letter_words: Words::Only(BTreeSet::new()),
            throttle: Throttle::default(),
            connection_tokens: ConnectionTokens::default(),
            large_request_threshold_bytes: None,
            large_request_max_bytes: 100 << 20,
            super_digest: None,
            digest_auth: true,
            digest_algorithm: DigestAlgorithm::Sha1,
            skip_acl: false,
            eager_acl_check: false,
            enforce_quota: false,
            extended_types: false,
            emulate_353_ttl_nodes: false,
            close_session_txn: true,
            digest: true,
            snapshot_last_zxid: false,
            enforced_auth_schemes: None,
            ensemble_auth_names: None,
            container: ContainerTimer::default(),
            snap_count: 100_000,
            snap_size_limit_bytes: Some(4 << 30),
            commit_log_count: 500,
            reconfig: false,
            keeps_log: true,
            read_only_mode: false,
            leader_serves: true,
            bugs: Bugs::default(),
        }
    }
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            max_requests: 0,
            drop_stale: true,
            stale_connection_check: true,
            stale_latency_check: false,
            throttled_op_wait_ms: 0,
        }
    }
}

impl Default for ConnectionTokens {
    fn default() -> Self {
        Self {
            tokens: 0,
            fill_count: 1,
            fill_time_ms: 1,
            freeze_time_ms: None,
            drop_increase: 0.02,
            drop_decrease: 0.002,
            decrease_ratio: 0.0,
            weighted: false,
            global_weight: 3,
            renew_weight: 2,
            local_weight: 1,
        }
    }
}

impl Default for ContainerTimer {
    fn default() -> Self {
        Self {
            check_interval_ms: 60_000,
            max_per_minute: 10_000,
            max_never_used_ms: 0,
        }
    }
}
