//! Gathers what the four-letter words and metrics show.

use crate::conn::lane::{End, Lane};
use crate::shared::Shared;
use crate::stats::{
    ConnSessionView, ConnView, Counters, DigestView, Facts, Latency, Mode, ServerView,
    SessionBucket,
};
use crate::sync::{lock, read};
use crate::time::Now;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A server's facts at one moment, as seen by whoever asks.
#[derive(Debug)]
pub struct View<'a> {
    pub shared: &'a Shared,
    pub now: Now,
    /// The listener that took the word.
    pub secure: bool,
}

impl View<'_> {
    fn lanes(&self) -> Vec<Arc<Lane>> {
        lock(&self.shared.lanes)
            .by_id
            .values()
            .map(Arc::clone)
            .collect()
    }
}

impl Facts for View<'_> {
    fn mode(&self) -> Mode {
        self.shared.mode()
    }

    fn server(&self) -> ServerView {
        let shared = self.shared;
        let totals = &shared.totals;
        let (znodes, data_size_bytes, ephemerals, tree_sessions) = {
            let tree = read(&shared.tree);
            let sizes = (tree.node_count(), tree.approximate_data_size() as u64);
            (
                sizes.0,
                sizes.1,
                tree.ephemeral_count(),
                tree.session_count(),
            )
        };
        let ensemble = *lock(&shared.ensemble);
        let local_sessions = lock(&shared.sessions).local_count();
        ServerView {
            zxid: shared.applied(),
            latency: shared.latency(),
            packets_received: totals.received.get(),
            packets_sent: totals.sent.get(),
            connections: shared.connections(),
            outstanding: totals.outstanding.get(),
            znodes,
            data_size_bytes,
            ephemerals,
            watches: lock(&shared.watches).counts().watches,
            global_sessions: tree_sessions,
            local_sessions,
            uptime_ms: self.now.mono_ms.saturating_sub(shared.started.mono_ms),
            drop_chance: shared.drop_chance(),
            client_responses: *lock(&shared.responses),
            proposals: (self.mode() == Mode::Leader).then_some(ensemble.proposals),
            synced_followers: ensemble.synced_followers,
            synced_observers: ensemble.synced_observers,
            learners: ensemble.learners,
            quorum_size: ensemble.quorum_size,
            counters: counters(shared),
        }
    }

    fn connections(&self) -> Vec<ConnView> {
        let lanes = self.lanes();
        lanes
            .iter()
            .filter(|lane| lane.secure == self.secure)
            .map(|lane| connection(lane))
            .collect()
    }

    fn session_buckets(&self) -> Vec<SessionBucket> {
        lock(&self.shared.sessions).view()
    }

    fn global_sessions(&self) -> Vec<(i64, u32)> {
        let tree = read(&self.shared.tree);
        tree.sessions()
            .map(|(id, timeout)| (id, u32::try_from(timeout).unwrap_or(0)))
            .collect()
    }

    fn ephemerals(&self) -> Vec<(i64, Vec<String>)> {
        let tree = read(&self.shared.tree);
        tree.ephemeral_owners()
            .map(|(session, _)| (session, tree.ephemerals(session).collect()))
            .collect()
    }

    fn data_watches(&self) -> Vec<(i64, Vec<String>)> {
        let by_connection: Vec<(u64, Vec<String>)> = lock(&self.shared.watches)
            .by_connection()
            .map(|(connection, paths)| (connection, paths.map(str::to_owned).collect()))
            .collect();
        let sessions: BTreeMap<u64, i64> = self
            .lanes()
            .iter()
            .filter_map(|lane| Some((lane.id.0, lane.lock().attached.as_ref()?.session.id)))
            .collect();
        by_connection
            .into_iter()
            .filter_map(|(connection, paths)| Some((*sessions.get(&connection)?, paths)))
            .collect()
    }

    fn digests(&self) -> Vec<DigestView> {
        let tree = read(&self.shared.tree);
        tree.digest_history()
            .map(|(zxid, digest)| DigestView { zxid, digest })
            .collect()
    }

    // spec: CP-FLW-18
    fn reset_connections(&self) {
        for lane in self.lanes() {
            let mut state = lane.lock();
            (state.received, state.sent, state.latency) = (0, 0, Latency::default());
            if let Some(last) = &mut state.last_op {
                last.fresh = false;
            }
        }
    }

    // spec: CP-FLW-19
    fn reset_server(&self) {
        self.shared.reset_latency();
        self.shared.totals.received.reset();
        self.shared.totals.sent.reset();
        *lock(&self.shared.responses) = Default::default();
        lock(&self.shared.ensemble).proposals = Default::default();
    }

    fn now(&self) -> Now {
        self.now
    }
}

fn connection(lane: &Lane) -> ConnView {
    let state = lane.lock();
    let session = state.attached.as_ref().map(|attached| ConnSessionView {
        id: attached.session.id,
        timeout_ms: attached.timeout_ms,
        established_at_ms: attached.since_ms,
        last_op: state.last_op,
        latency: state.latency,
    });
    ConnView {
        peer: lane.peer,
        secure: lane.secure,
        output_pending: !state.out.is_empty(),
        reading: state.reading && state.end == End::Open,
        queued: state.queue.len(),
        received: state.received,
        sent: state.sent,
        expires_at_ms: state
            .attached
            .as_ref()
            .map_or(state.heard_ms, |attached| attached.session.expires_at_ms()),
        session,
    }
}

fn counters(shared: &Shared) -> Counters {
    let totals = &shared.totals;
    Counters {
        connection_request_count: totals.connection_requests.get(),
        connection_rejected: totals.connections_rejected.get(),
        connection_drop_count: totals.connection_drops.get(),
        connection_revalidate_count: totals.revalidations.get(),
        sessionless_connections_expired: totals.sessionless_expired.get(),
        stale_sessions_expired: totals.sessions_expired.get(),
        stale_requests: totals.stale_requests.get(),
        stale_requests_dropped: totals.stale_requests.get(),
        large_requests_rejected: totals.large_rejected.get(),
        throttled_ops: totals.throttled_ops.get(),
        wrong_session_passwords: totals.wrong_passwords.get(),
        auth_failed_count: totals.auth_failures.get(),
        bytes_received_count: totals.bytes_received.get(),
        response_bytes: totals.bytes_sent.get(),
        watch_bytes: totals.watch_bytes.get(),
        commit_count: totals.commits.get(),
        proposal_count: totals.proposals.get(),
        snap_count: totals.snapshots.get(),
        snapshot_error_count: totals.snapshot_errors.get(),
        fsync_count: totals.fsyncs.get(),
        fsync_ms: totals.fsync_ms.get(),
        fsync_threshold_exceed_count: totals.slow_fsyncs.get(),
        diff_count: totals.diffs.get(),
        looking_count: totals.elections.get(),
        protocol_errors: totals.protocol_errors.get(),
        digest_mismatches_count: totals.digest_mismatches.get(),
        peers_refused: totals.peers_refused.get(),
        peer_errors: totals.peer_errors.get(),
    }
}
