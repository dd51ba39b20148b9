//! Counters that many threads raise. Relaxed: nothing is decided by them but limits
//! that may be off by the few requests in flight.

use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn sub(&self, count: u64) {
        self.0.fetch_sub(count, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// See `stats::Counters` for what each means.
#[derive(Debug, Default)]
pub struct Totals {
    pub received: Counter,
    pub sent: Counter,
    /// Requests queued on their connections.
    pub outstanding: Counter,
    /// Bytes of large requests in flight.
    pub large_bytes: Counter,
    pub bytes_received: Counter,
    pub bytes_sent: Counter,
    pub watch_bytes: Counter,
    pub connection_requests: Counter,
    pub connections_rejected: Counter,
    pub connection_drops: Counter,
    pub revalidations: Counter,
    pub sessionless_expired: Counter,
    pub sessions_expired: Counter,
    pub large_rejected: Counter,
    pub throttled_ops: Counter,
    pub auth_failures: Counter,
    /// Sessions that somebody wanted to resume without their password.
    pub wrong_passwords: Counter,
    pub overflows: Counter,
    pub stale_requests: Counter,
    pub diffs: Counter,
    pub protocol_errors: Counter,
    pub proposals: Counter,
    pub commits: Counter,
    pub snapshots: Counter,
    /// Attempts that the disk did not let end, and streams of a leader that could not be kept.
    pub snapshot_errors: Counter,
    pub fsyncs: Counter,
    pub fsync_ms: Counter,
    /// Above the threshold that is warned of.
    pub slow_fsyncs: Counter,
    pub elections: Counter,
    /// Txns that left another tree here than at the leader.
    pub digest_mismatches: Counter,
    /// Callers on the ports between servers that were turned away.
    pub peers_refused: Counter,
    /// Links to other servers given up, and messages passed over, for what the peer sent or failed to send.
    pub peer_errors: Counter,
}
