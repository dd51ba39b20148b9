//! What connections and the driver share. Lock order: `tree`, then one lane, then
//! `watches`; every other one is taken last, with none of the others held.

use crate::conn::doors::Doors;
use crate::conn::lane::{ConnId, End, Lane, LaneState, Queued};
use crate::conn::tokens::{Tokens, Weight};
use crate::session::tracker::Tracker;
use crate::settings::Settings;
use crate::stats::{Latency, Mode, Sizes};
use crate::sync::lock;
use crate::time::Now;
use crate::totals::Totals;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};
use zk_tree::auth::Digest;
use zk_tree::watch::Watches;
use zk_tree::{Mutant, Schemes, Tree};

#[derive(Debug)]
pub struct Shared {
    pub settings: Settings,
    pub schemes: Schemes,
    pub tree: RwLock<Tree>,
    pub watches: Mutex<Watches>,
    pub sessions: Mutex<Tracker>,
    pub totals: Totals,
    pub(crate) lanes: Mutex<Lanes>,
    pub(crate) responses: Mutex<Sizes>,
    pub(crate) ensemble: Mutex<Ensemble>,
    latency: Mutex<Latency>,
    doors: Mutex<Doors>,
    /// Connections whose next request the throttle holds back, longest first; each once.
    throttled: Mutex<VecDeque<Arc<Lane>>>,
    tokens: Mutex<Tokens>,
    applied: AtomicI64,
    durable: AtomicI64,
    mode: AtomicU8,
    /// When the driver last ran, monotonic ms.
    driven_ms: AtomicU64,
    next_conn: AtomicU64,
    pub(crate) started: Now,
}

/// What the driver tells of the ensemble.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ensemble {
    pub(crate) proposals: Sizes,
    pub(crate) learners: usize,
    pub(crate) synced_followers: usize,
    pub(crate) synced_observers: usize,
    pub(crate) quorum_size: usize,
}

impl Default for Ensemble {
    fn default() -> Self {
        Self {
            proposals: Sizes::default(),
            learners: 0,
            synced_followers: 0,
            synced_observers: 0,
            quorum_size: 1,
        }
    }
}

/// The open connections.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    /// Ordered, so that walks over it are.
    pub(crate) by_id: BTreeMap<ConnId, Arc<Lane>>,
    pub(crate) by_session: HashMap<i64, Arc<Lane>>,
}

impl Shared {
    #[must_use]
    pub fn new(settings: Settings, tree: Tree, now: Now) -> Self {
        let doors = Doors::new(
            settings.max_client_connections_per_address,
            settings.max_connections,
        );
        let applied = tree.last_zxid();
        let schemes = schemes(&settings);
        Self {
            schemes,
            tree: RwLock::new(tree),
            watches: Mutex::new(Watches::default()),
            sessions: Mutex::new(Tracker::new(settings.tick_time_ms)),
            totals: Totals::default(),
            lanes: Mutex::new(Lanes::default()),
            responses: Mutex::new(Sizes::default()),
            ensemble: Mutex::new(Ensemble::default()),
            latency: Mutex::new(Latency::default()),
            doors: Mutex::new(doors),
            throttled: Mutex::default(),
            tokens: Mutex::new(Tokens::new(settings.connection_tokens, now.mono_ms)),
            applied: AtomicI64::new(applied),
            durable: AtomicI64::new(applied),
            mode: AtomicU8::new(Mode::NotServing as u8),
            driven_ms: AtomicU64::new(now.mono_ms),
            next_conn: AtomicU64::new(1),
            started: now,
            settings,
        }
    }

    /// The zxid of the newest txn whose events are in the lanes.
    // spec: CP-OP-05, INV-08. Raised only after the txn's events are appended, so a reply that
    // carries it stands behind them.
    #[must_use]
    pub fn applied(&self) -> i64 {
        self.applied.load(Ordering::Acquire)
    }

    pub(crate) fn set_applied(&self, zxid: i64) {
        self.applied.store(zxid, Ordering::Release);
    }

    /// The zxid of the newest txn that survives a crash of this server.
    #[must_use]
    pub fn durable(&self) -> i64 {
        self.durable.load(Ordering::Acquire)
    }

    /// For whoever syncs the log.
    pub fn set_durable(&self, zxid: i64) {
        self.durable.store(zxid, Ordering::Release);
    }

    #[must_use]
    pub fn mode(&self) -> Mode {
        Mode::ALL
            .into_iter()
            .find(|mode| *mode as u8 == self.mode.load(Ordering::Acquire))
            .unwrap_or(Mode::NotServing)
    }

    pub(crate) fn set_mode(&self, mode: Mode) {
        self.mode.store(mode as u8, Ordering::Release);
    }

    /// Whether a client may get a session here.
    // spec: CP-FRM-11, CP-RO-02, P-STOP
    #[must_use]
    pub fn serves(&self, accepts_read_only: bool) -> bool {
        match self.mode() {
            Mode::NotServing => false,
            Mode::ReadOnly => accepts_read_only || Mutant::ReadOnlyForAll.acts(),
            Mode::Leader => self.settings.leader_serves || lock(&self.ensemble).quorum_size == 1,
            Mode::Standalone | Mode::Follower | Mode::Observer => true,
        }
    }

    pub(crate) fn set_driven(&self, now: Now) {
        self.driven_ms.store(now.mono_ms, Ordering::Release);
    }

    /// The driver has not run for a tick: the process slept, and its ensemble may have gone on without it.
    // spec: INV-06, FT-PROC-05, FT-PROC-06. A connection wakes as early as the driver that would have
    // learned of it, and must not answer from the past.
    pub(crate) fn has_slept(&self, now: Now) -> bool {
        let driven_ms = self.driven_ms.load(Ordering::Acquire);
        !matches!(self.mode(), Mode::Standalone | Mode::ReadOnly)
            && now.mono_ms.saturating_sub(driven_ms) > u64::from(self.settings.tick_time_ms)
    }

    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.mode() == Mode::ReadOnly
    }

    pub(crate) fn take_token(&self, now: Now, weight: Weight) -> bool {
        if self.settings.connection_tokens.tokens == 0 {
            return true;
        }
        // The chance needs no good source: the count of connects, scattered.
        let scattered = self
            .totals
            .connection_requests
            .get()
            .wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let random = (scattered >> 11) as f64 / (1u64 << 53) as f64;
        lock(&self.tokens).take(now.mono_ms, weight, random)
    }

    /// The chance at which connects are dropped although tokens are left.
    #[must_use]
    pub fn drop_chance(&self) -> f64 {
        lock(&self.tokens).drop_chance()
    }

    // spec: CP-THR-02
    pub(crate) fn over_outstanding_limit(&self) -> bool {
        self.totals.outstanding.get() > u64::from(self.settings.global_outstanding_limit)
    }

    fn over_throttle(&self) -> bool {
        let max = self.settings.throttle.max_requests;
        max > 0 && self.totals.outstanding.get() >= u64::from(max)
    }

    /// Whether the connection's next request may start. If not, the connection `waits` from now on behind those that
    /// wait already, and is rung when its turn comes.
    // spec: CP-THR-03. One order for all: who comes later starts later.
    pub(crate) fn may_start(&self, lane: &Arc<Lane>, waits: bool) -> bool {
        if self.settings.throttle.max_requests == 0 {
            return true;
        }
        let mut waiting = lock(&self.throttled);
        let is_next = waiting.front().is_none_or(|first| first.id == lane.id);
        if is_next && !self.over_throttle() {
            if waits {
                waiting.pop_front();
            }
            return true;
        }
        if !waits {
            waiting.push_back(Arc::clone(lane));
        }
        false
    }

    /// Rings the connection whose request is next, if one waits and may start. Called with no lock held by whoever
    /// may have made room.
    pub(crate) fn ring_throttled(&self) {
        if self.settings.throttle.max_requests == 0 || self.over_throttle() {
            return;
        }
        let next = lock(&self.throttled).front().cloned();
        if let Some(lane) = next {
            lane.ring();
        }
    }

    /// The connection waits no longer.
    pub(crate) fn leave_throttle(&self, lane: &Lane) {
        if self.settings.throttle.max_requests > 0 {
            lock(&self.throttled).retain(|waiting| waiting.id != lane.id);
        }
    }

    /// The part of a request's bytes that counts as large; None when there is no room for it.
    // spec: CP-THR-07
    pub(crate) fn admit_large(&self, bytes: usize) -> Option<u32> {
        if self
            .settings
            .large_request_threshold_bytes
            .is_none_or(|threshold| bytes <= threshold)
        {
            return Some(0);
        }
        let in_flight = self.totals.large_bytes.get() + bytes as u64;
        if in_flight > self.settings.large_request_max_bytes as u64
            && !Mutant::LargeRequestsPass.acts()
        {
            self.totals.large_rejected.add(1);
            return None;
        }
        self.totals.large_bytes.add(bytes as u64);
        u32::try_from(bytes).ok()
    }

    /// Puts a request behind those of its connection.
    pub(crate) fn queue(&self, state: &mut LaneState, queued: Queued) {
        self.totals.outstanding.add(1);
        state.queued_bytes += queued.bytes();
        state.queue.push_back(queued);
    }

    /// Takes a connection's next request out of its queue.
    pub(crate) fn unqueue(&self, state: &mut LaneState) -> Option<Queued> {
        let queued = state.queue.pop_front()?;
        state.queued_bytes -= queued.bytes();
        self.totals.outstanding.sub(1);
        if let Queued::Awaited { large, .. } = &queued {
            self.totals.large_bytes.sub(u64::from(*large));
        }
        Some(queued)
    }

    pub(crate) fn record_latency(&self, latency: &Latency) {
        if latency.count > 0 {
            lock(&self.latency).merge(latency);
        }
    }

    #[must_use]
    pub fn latency(&self) -> Latency {
        *lock(&self.latency)
    }

    pub(crate) fn reset_latency(&self) {
        *lock(&self.latency) = Latency::default();
    }

    /// A connection was accepted. None: close it at once, with nothing sent.
    // spec: CP-THR-01
    #[must_use]
    pub fn enter(&self, peer: SocketAddr) -> Option<ConnId> {
        if lock(&self.doors).enter(peer.ip()) {
            return Some(ConnId(self.next_conn.fetch_add(1, Ordering::Relaxed)));
        }
        self.totals.connections_rejected.add(1);
        None
    }

    pub(crate) fn register(&self, lane: &Arc<Lane>) {
        lock(&self.lanes).by_id.insert(lane.id, Arc::clone(lane));
    }

    /// A connection is gone. Its session lives on; its watches do not.
    // spec: CP-WAT-01, CP-WAT-04, CP-SES-13, CP-ORD-06. The end is marked first: what the driver runs for this
    // lane afterwards sets no watch any more.
    pub fn leave(&self, lane: &Arc<Lane>) {
        let attached = {
            let mut state = lane.lock();
            state.end = End::Now;
            while self.unqueue(&mut state).is_some() {}
            state.out = Vec::new();
            state.attached.take()
        };
        lock(&self.watches).remove_connection(lane.id.0);
        let mut lanes = lock(&self.lanes);
        lanes.by_id.remove(&lane.id);
        if let Some(attached) = attached
            && lanes
                .by_session
                .get(&attached.session.id)
                .is_some_and(|known| known.id == lane.id)
        {
            lanes.by_session.remove(&attached.session.id);
        }
        drop(lanes);
        lock(&self.doors).leave(lane.peer.ip());
        self.leave_throttle(lane);
        self.ring_throttled();
    }

    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.lanes).by_id.len()
    }
}

/// The ways in which a client may say who it is.
// spec: CP-AUTH-05, CP-AUTH-06
fn schemes(settings: &Settings) -> Schemes {
    let digest = settings.digest_auth.then(|| Digest {
        algorithm: settings.digest_algorithm,
        super_digest: settings
            .super_digest
            .as_ref()
            .map(|secret| secret.reveal().to_owned()),
    });
    Schemes::new(digest)
}
