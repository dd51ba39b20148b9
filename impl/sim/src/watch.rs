//! Listens to every core and to every disk: histories, ghosts and the properties of
//! `zab-properties`, the stream of commits, and the hash by which two runs are compared.

use crate::history::{Commit, Regime};
use crate::plan::{Plan, Us};
use crate::process::{Identity, Observer};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zab::{
    Config, Effect, Epoch, Event, LinkId, Peer, Proposal, Report, RoleKind, ServerId, Status,
    SyncMode, Write, WriteId, Zxid,
};
use zab_properties::Txn;
use zab_properties::observed::{Found, History, Observed, apply};
use zk_node::disk::Restored;
use zk_node::trace::Tracer;
use zk_proto::TxnRecord;

/// A rule that a run broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// INV-04, S15, P-DETECT.
    pub rule: String,
    pub what: String,
    pub at: Us,
    pub zxid: i64,
}

/// S4, S7 and S17 speak of histories that only grow: what breaks them is still there at the end.
const HEAVY: [u8; 3] = [4, 7, 17];

/// What the summary counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub elections: u64,
    pub established: u64,
    pub crashes: u64,
    pub diffs: u64,
    pub truncs: u64,
    pub snaps: u64,
    pub steps: u64,
}

pub struct Watch {
    pub now: Us,
    observed: Observed<u64>,
    standalone: bool,
    opening_txn: bool,
    streams: BTreeMap<LinkId, Vec<Txn<u64>>>,
    pub commits: BTreeMap<i64, Commit>,
    pub failures: Vec<Failure>,
    pub counts: Counts,
    pub hash: u64,
    /// When a leader was last established.
    pub established_at: Us,
    /// (time, epoch, leader) of each.
    pub leaders: Vec<(Us, Epoch, ServerId)>,
    /// Whom each server followed, and when.
    pub regimes: Vec<Regime>,
    /// Sessions that a leader (server) closes because nothing was heard of them.
    pub expiries: Vec<(Us, usize, i64)>,
}

/// The watch of a run, shared with the tracers of its cores.
#[derive(Clone)]
pub struct Recorder {
    pub watch: Arc<Mutex<Watch>>,
    pub server: usize,
}

impl Recorder {
    pub fn lock(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn restored(&mut self, identity: &Identity, restored: &mut Restored) {
        self.lock().restored(identity.index, restored);
    }
}

impl Tracer for Recorder {
    fn step(&mut self, event: &Event<Bytes>, effects: &[Effect<Bytes>], peer: &Peer<Bytes>) {
        let server = self.server;
        self.lock().step(server, event, effects, peer);
    }
}

/// FNV-1a, for hashes that must be the same in each run.
#[derive(Clone, Copy)]
pub struct Fnv(pub u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut chunks = bytes.chunks_exact(8);
        for chunk in &mut chunks {
            let word = chunk.try_into().map_or(0, u64::from_le_bytes);
            self.0 = (self.0 ^ word).wrapping_mul(0x0100_0000_01b3);
            self.0 ^= self.0 >> 29;
        }
        for byte in chunks.remainder() {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hasher = Fnv::default();
    hasher.write(bytes);
    hasher.finish()
}

/// What stands for a txn's bytes.
fn value(bytes: &Bytes) -> u64 {
    hash_bytes(bytes)
}

impl Watch {
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let standalone = plan.voters == 1;
        let id = |index: usize| ServerId(index as i64 + 1);
        let quorums = Config::new(id(0), (0..plan.voters).map(id)).quorums;
        Self {
            now: 0,
            observed: Observed::new(quorums, (0..plan.servers()).map(id), !standalone),
            standalone,
            opening_txn: plan.opening_txn && !standalone,
            streams: BTreeMap::new(),
            commits: BTreeMap::new(),
            failures: Vec::new(),
            counts: Counts::default(),
            hash: 0,
            established_at: 0,
            leaders: Vec::new(),
            regimes: Vec::new(),
            expiries: Vec::new(),
        }
    }

    pub fn fail(&mut self, rule: &str, what: String, zxid: i64) {
        if self.failures.len() < 20 {
            let failure = Failure {
                rule: rule.to_owned(),
                what,
                at: self.now,
                zxid,
            };
            self.failures.push(failure);
        }
    }

    /// Folds bytes into the hash of the run.
    pub fn mix(&mut self, value: &impl Hash) {
        let mut hasher = Fnv(self.hash);
        value.hash(&mut hasher);
        self.hash = hasher.finish();
    }

    /// Takes note of the properties that were broken since the last call.
    fn note_broken(&mut self) {
        for (broken, why) in self.observed.take_broken() {
            let why: String = why.chars().take(300).collect();
            let named = self.observed.named(broken);
            let named: Vec<_> = named.map(|it| (it.id, it.statement)).collect();
            for (id, statement) in named {
                self.fail(id, format!("{statement} [{why}]"), 0);
            }
        }
    }

    /// Judges the state, if anything happened that may have broken it.
    fn judge(&mut self) {
        if self.observed.take_dirty() {
            self.judge_all(false);
        }
        self.note_broken();
    }

    /// Judges the state; `heavy` by the properties as well that cost the square of the history.
    pub fn judge_all(&mut self, heavy: bool) {
        let but = if heavy { &[][..] } else { &HEAVY };
        self.observed.judge(but.iter().copied().collect());
        self.note_broken();
    }

    // ---- the core

    fn step(
        &mut self,
        server: usize,
        event: &Event<Bytes>,
        effects: &[Effect<Bytes>],
        peer: &Peer<Bytes>,
    ) {
        self.counts.steps += 1;
        let now = self.now;
        self.mix(&(now, server, event, effects));
        if let Event::Proposed { txn, .. } = event {
            self.proposed(server, txn);
        }
        self.observed.stepped(server, event, effects, peer, value);
        self.regime(server);
        for effect in effects {
            match effect {
                Effect::SendSnapshot { link, .. } => {
                    let image = self.observed.image(server);
                    self.streams.insert(*link, image);
                }
                Effect::Deliver { proposal } => self.committed(server, proposal),
                Effect::Report(report) => {
                    self.elects(server, report);
                    self.report(server, report);
                }
                Effect::Send { .. }
                | Effect::Persist { .. }
                | Effect::Notify { .. }
                | Effect::Dial { .. }
                | Effect::HangUp
                | Effect::Confirmed { .. }
                | Effect::Request { .. }
                | Effect::Revalidate { .. }
                | Effect::Touch { .. }
                | Effect::Revalidated { .. }
                | Effect::Open { .. }
                | Effect::Synced
                | Effect::Arm { .. }
                | Effect::Disarm { .. }
                | Effect::Disconnect { .. } => {}
            }
            let streams = &self.streams;
            let streamed = |learner: &History<u64>| {
                let link = learner.status.and_then(|status| status.link);
                let stream = link.and_then(|link| streams.get(&link));
                stream.cloned().unwrap_or_default()
            };
            self.observed.effect(server, effect, value, streamed);
        }
        self.observed.ended(server, peer);
        self.judge();
    }

    fn regime(&mut self, server: usize) {
        let it = &self.observed.servers[server];
        let leader = it.status.and_then(|status| {
            // spec: QP-INT-02
            let waits = self.opening_txn
                && status.role == RoleKind::Leading
                && status
                    .epoch
                    .is_some_and(|epoch| status.last_committed <= epoch.start());
            let serves = status.phase == zab::Phase::Broadcast && !waits;
            let leader = match status.role {
                RoleKind::Leading => Some(it.id),
                RoleKind::Following | RoleKind::Observing => status.leader,
                RoleKind::Looking => None,
            };
            leader.filter(|_| serves)
        });
        let leader = leader.and_then(|id| self.observed.servers.iter().position(|it| it.id == id));
        let known = self.regimes.iter().rev().find(|it| it.server == server);
        if known.and_then(|it| it.leader) != leader {
            self.regimes.push(Regime {
                at: self.now,
                server,
                leader,
            });
        }
    }

    fn proposed(&mut self, server: usize, bytes: &Bytes) {
        // spec: CP-SES-01. The leader closes a session: nobody asked, so the request has no number.
        if let Ok(record) = TxnRecord::decode(bytes)
            && matches!(record.txn, zk_proto::Txn::CloseSession { .. })
            && record.header.cxid == 0
        {
            self.expiries
                .push((self.now, server, record.header.session_id));
        }
    }

    fn committed(&mut self, server: usize, proposal: &Proposal<Bytes>) {
        let (now, zxid) = (self.now, proposal.zxid.0);
        let known = self.commits.entry(zxid).or_insert_with(|| Commit {
            zxid,
            txn: proposal.txn.clone(),
            at: now,
        });
        // spec: INV-13, INV-11
        if known.txn != proposal.txn {
            let id = self.observed.servers[server].id;
            self.fail("INV-13", format!("{id} committed another txn"), zxid);
        }
    }

    /// The oracle of the exhaustive runs must be able to elect whom votes elect.
    // spec: zab-model section 12.
    fn elects(&mut self, server: usize, report: &Report) {
        if !self.observed.oracle_allows(server, report) {
            let id = self.observed.servers[server].id;
            let what = format!("no quorum was electing in the round that {id} won");
            self.fail("coarsening", what, 0);
        }
    }

    fn report(&mut self, server: usize, report: &Report) {
        match report {
            Report::Established { epoch } => {
                self.counts.established += 1;
                self.established_at = self.now;
                let id = self.observed.servers[server].id;
                if self
                    .leaders
                    .iter()
                    .any(|(_, known, leader)| known == epoch && *leader != id)
                {
                    self.fail("INV-13", format!("two leaders of epoch {epoch}"), 0);
                }
                self.leaders.push((self.now, *epoch, id));
            }
            Report::Electing { .. } => self.counts.elections += 1,
            Report::Synchronising { mode, .. } => match mode {
                SyncMode::Diff => self.counts.diffs += 1,
                SyncMode::Trunc(_) => self.counts.truncs += 1,
                SyncMode::Snap(_) => self.counts.snaps += 1,
            },
            Report::Looking
            | Report::Opened { .. }
            | Report::UpToDate { .. }
            | Report::Leading
            | Report::Following { .. }
            | Report::Observing { .. }
            | Report::EpochChosen { .. }
            | Report::Joined { .. }
            | Report::MoreRecent { .. }
            | Report::LaterPromise { .. }
            | Report::QuorumLost
            | Report::TooSlow
            | Report::CounterExhausted
            | Report::FirstStart
            | Report::Ignored { .. } => {}
        }
    }

    // ---- the disk

    /// The keeper said that this write and all before it are durable.
    pub fn durable(&mut self, server: usize, through: WriteId) {
        self.observed.persisted(server, through);
        self.judge();
    }

    pub fn stopped(&mut self, server: usize) {
        self.counts.crashes += 1;
        self.observed.stopped(server);
        self.regime(server);
        let now = self.now;
        self.mix(&(now, server, 0xdead_u64));
        self.judge();
    }

    pub fn wiped(&mut self, server: usize) {
        self.observed.wiped(server);
        self.note_broken();
    }

    /// A server recovered: what it found must be what was durable, and perhaps some of what was on its way.
    fn restored(&mut self, server: usize, restored: &Restored) {
        let durable = &restored.durable;
        let last = durable.last();
        let found = (last, durable.accepted, durable.current);
        let places = self.observed.servers[server].queue.len();
        let fits = (0..=places).rev().find(|kept| {
            let it = &self.observed.servers[server];
            let mut history = it.durable.clone();
            let (mut accepted, mut current) = (it.accepted, it.current);
            for queued in it.queue.iter().take(*kept) {
                match &queued.write {
                    Write::AcceptedEpoch(epoch) => accepted = *epoch,
                    Write::CurrentEpoch(epoch) => current = *epoch,
                    Write::Append(_) | Write::Truncate { .. } | Write::Install { .. } => {
                        apply(&mut history, queued);
                    }
                }
            }
            let partly = match it.queue.get(*kept).map(|queued| &queued.write) {
                Some(Write::Truncate { after }) => Some(*after),
                Some(Write::Install { snapshot }) => Some(*snapshot),
                _ => None,
            };
            if let Some(after) = partly {
                history.retain(|txn| txn.zxid <= last.max(after));
            }
            let end = history.last().map_or(Zxid::ZERO, |txn| txn.zxid);
            // spec: DF-EPO-07. A start raises the current epoch to that of the log.
            let current = current.max(end.epoch());
            let epochs = self.standalone || (accepted, current) == (found.1, found.2);
            (end == last || end.counter() == 0 && last == Zxid::ZERO) && epochs
        });
        if fits.is_none() {
            let it = &self.observed.servers[server];
            let end = it.durable.last().map_or(Zxid::ZERO, |txn| txn.zxid);
            let what = format!(
                "server {} recovered (last, accepted, current) {found:?}; durable were {:?} and {} writes on their way: {:?}",
                it.id,
                (end, it.accepted, it.current),
                places,
                it.queue
                    .iter()
                    .map(|queued| &queued.write)
                    .take(8)
                    .collect::<Vec<_>>(),
            );
            self.fail("INV-11", what, last.0);
        }
        let start = Found {
            current: fits.map_or(self.observed.servers[server].current, |_| durable.current),
            last,
            base: durable.base,
        };
        self.observed.restarted(server, fits.unwrap_or(0), start);
        let it = &self.observed.servers[server];
        let is_known = |entry: &Proposal<Bytes>| {
            let known = it.issued.binary_search_by(|txn| txn.zxid.cmp(&entry.zxid));
            known.is_ok_and(|place| it.issued[place].value == value(&entry.txn))
        };
        let unknown = durable.log.iter().find(|entry| !is_known(entry));
        if let Some(zxid) = unknown.map(|entry| entry.zxid.0) {
            let what = format!("server {} recovered a txn that it never wrote", it.id);
            self.fail("INV-11", what, zxid);
        }
        self.judge();
    }

    /// zxids that a quorum of voters' disks holds, and the newest of any.
    #[must_use]
    pub fn last_commit(&self) -> i64 {
        self.commits.keys().next_back().copied().unwrap_or(0)
    }

    #[must_use]
    pub fn status(&self, server: usize) -> Option<Status> {
        self.observed.servers[server].status
    }
}
