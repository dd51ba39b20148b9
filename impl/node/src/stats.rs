//! What a running server can tell about itself: plain values for the four-letter
//! words, logs and metrics. Counting happens elsewhere; nothing here locks.

use std::net::SocketAddr;

/// A server's part in its ensemble, as `srvr` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not serving: starting, looking for a leader, or stopping.
    NotServing,
    Standalone,
    Leader,
    Follower,
    Observer,
    ReadOnly,
}

impl Mode {
    pub const ALL: [Self; 6] = [
        Self::NotServing,
        Self::Standalone,
        Self::Leader,
        Self::Follower,
        Self::Observer,
        Self::ReadOnly,
    ];
}

/// Milliseconds from a request's arrival to its reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// None until the first.
    pub min_ms: Option<u64>,
    pub max_ms: u64,
    pub sum_ms: u64,
    pub count: u64,
}

impl Latency {
    /// That of a new connection: its least is 0 until it is reset.
    // spec: CP-FLW-13. A quirk of ZooKeeper's ServerCnxn, whose field begins at zero.
    #[must_use]
    pub fn of_connection() -> Self {
        Self {
            min_ms: Some(0),
            ..Self::default()
        }
    }

    pub fn record(&mut self, elapsed_ms: u64) {
        self.min_ms = Some(self.min_ms.unwrap_or(elapsed_ms).min(elapsed_ms));
        self.max_ms = self.max_ms.max(elapsed_ms);
        self.sum_ms = self.sum_ms.saturating_add(elapsed_ms);
        self.count += 1;
    }

    /// Adds what another recorder saw.
    pub fn merge(&mut self, other: &Self) {
        self.min_ms = [self.min_ms, other.min_ms].into_iter().flatten().min();
        self.max_ms = self.max_ms.max(other.max_ms);
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        self.count += other.count;
    }

    /// 0.0 when nothing was recorded.
    #[must_use]
    pub fn average_ms(&self) -> f64 {
        if self.count == 0 {
            0.0
        } else {
            self.sum_ms as f64 / self.count as f64
        }
    }
}

/// Bytes of one kind of message: the newest, the smallest, the largest; -1 before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    pub last: i64,
    pub min: i64,
    pub max: i64,
}

impl Default for Sizes {
    fn default() -> Self {
        Self {
            last: -1,
            min: -1,
            max: -1,
        }
    }
}

impl Sizes {
    pub fn record(&mut self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.last = bytes;
        self.min = if self.min < 0 {
            bytes
        } else {
            self.min.min(bytes)
        };
        self.max = self.max.max(bytes);
    }
}

/// Counters and gauges of the whole server.
#[derive(Clone, Debug)]
pub struct ServerView {
    pub zxid: i64,
    pub latency: Latency,
    pub packets_received: u64,
    pub packets_sent: u64,
    /// Open connections of clients, those without a session included.
    pub connections: usize,
    /// Requests received and not yet answered.
    pub outstanding: u64,
    /// As Apache counts: the root twice (CP-TREE-03).
    pub znodes: usize,
    pub data_size_bytes: u64,
    pub ephemerals: usize,
    /// Watches in both tables.
    pub watches: usize,
    pub global_sessions: usize,
    pub local_sessions: usize,
    pub uptime_ms: u64,
    pub client_responses: Sizes,
    /// At which a connect is dropped although tokens are left, 0 to 1 (CP-THR-06).
    pub drop_chance: f64,
    /// Sizes of proposals; only a leader has them.
    pub proposals: Option<Sizes>,
    /// Learners in sync with this leader, and how many of them are observers.
    pub synced_followers: usize,
    pub synced_observers: usize,
    pub learners: usize,
    /// Voters of the configuration; 1 when standalone.
    pub quorum_size: usize,
    pub counters: Counters,
}

/// Events that only ever grow. The field names are ZooKeeper's metric names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub connection_request_count: u64,
    pub connection_rejected: u64,
    pub connection_drop_count: u64,
    pub connection_revalidate_count: u64,
    pub sessionless_connections_expired: u64,
    pub stale_sessions_expired: u64,
    pub stale_requests: u64,
    pub stale_requests_dropped: u64,
    pub large_requests_rejected: u64,
    pub throttled_ops: u64,
    pub auth_failed_count: u64,
    pub wrong_session_passwords: u64,
    pub bytes_received_count: u64,
    pub response_bytes: u64,
    pub watch_bytes: u64,
    pub commit_count: u64,
    pub proposal_count: u64,
    pub snap_count: u64,
    pub snapshot_error_count: u64,
    pub fsync_count: u64,
    pub fsync_ms: u64,
    pub fsync_threshold_exceed_count: u64,
    pub diff_count: u64,
    pub looking_count: u64,
    /// Client connections closed for what they sent.
    pub protocol_errors: u64,
    /// Txns that left another tree here than at the leader.
    pub digest_mismatches_count: u64,
    /// Callers on the ports between servers that were turned away. Not a metric of Apache's.
    pub peers_refused: u64,
    /// What other servers did wrong: links given up, messages passed over. Not a metric of Apache's.
    pub peer_errors: u64,
}

/// One client connection, for `cons`, `stat` and the dump.
#[derive(Clone, Debug)]
pub struct ConnView {
    pub peer: SocketAddr,
    /// The TLS port accepted it.
    pub secure: bool,
    /// Bytes wait to be written.
    pub output_pending: bool,
    /// Backpressure: the server does not read from it at present.
    pub reading: bool,
    pub queued: usize,
    pub received: u64,
    pub sent: u64,
    /// None until the handshake is done.
    pub session: Option<ConnSessionView>,
    /// When the connection is closed if nothing arrives, on the monotonic clock.
    pub expires_at_ms: u64,
}

/// The part of `cons` that exists once a session does.
#[derive(Clone, Debug)]
pub struct ConnSessionView {
    pub id: i64,
    pub timeout_ms: u32,
    /// Wall clock, ms.
    pub established_at_ms: i64,
    /// Operation of the newest reply; see `zk_proto`'s op codes. None before the first.
    pub last_op: Option<LastOp>,
    pub latency: Latency,
}

/// The newest reply on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastOp {
    /// The op code as sent.
    pub op: i32,
    pub xid: i32,
    pub zxid: i64,
    /// Monotonic clock, ms.
    pub answered_at_ms: u64,
    pub latency_ms: u64,
    /// False after `crst`, until the next reply.
    pub fresh: bool,
}

/// Sessions by the moment at which they expire unless touched, ascending.
#[derive(Clone, Debug, Default)]
pub struct SessionBucket {
    /// Monotonic clock, ms.
    pub expires_at_ms: u64,
    pub sessions: Vec<i64>,
}

/// What `hash` prints: the digest of the tree after a zxid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestView {
    pub zxid: i64,
    pub digest: u64,
}

/// Everything that four-letter words ask of a server. Each method is called at most
/// once a word, off the apply path, and only for a word that needs it.
pub trait Facts {
    fn mode(&self) -> Mode;
    fn server(&self) -> ServerView;
    /// Connections of the listener that took the word, oldest first.
    fn connections(&self) -> Vec<ConnView>;
    /// Global sessions timed by this server (leader or standalone).
    fn session_buckets(&self) -> Vec<SessionBucket>;
    /// Global sessions known to a learner, with their timeouts in ms, ascending.
    fn global_sessions(&self) -> Vec<(i64, u32)>;
    fn ephemerals(&self) -> Vec<(i64, Vec<String>)>;
    /// The data table's watches by session, for `wchs`, `wchc` and `wchp` (CP-FLW-22).
    fn data_watches(&self) -> Vec<(i64, Vec<String>)>;
    /// Oldest first.
    fn digests(&self) -> Vec<DigestView>;
    /// `crst`.
    fn reset_connections(&self);
    /// `srst`.
    fn reset_server(&self);
    fn now(&self) -> crate::time::Now;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connections_least_latency_is_zero_until_it_is_reset() {
        // spec: CP-FLW-13, CP-FLW-18
        let mut connection = Latency::of_connection();
        connection.record(7);
        assert_eq!((connection.min_ms, connection.max_ms), (Some(0), 7));
        connection = Latency::default();
        connection.record(7);
        connection.record(9);
        assert_eq!((connection.min_ms, connection.max_ms), (Some(7), 9));
        let mut server = Latency::default();
        server.merge(&Latency::default());
        assert_eq!(server.min_ms, None);
        server.merge(&connection);
        assert_eq!(server, connection);
    }
}
