//! Listens to every core and to every disk: histories, ghosts and the properties of
//! `zab-properties`, the stream of commits, and the hash by which two runs are compared.

use crate::history::{Commit, Regime};
use crate::plan::{Plan, Us};
use crate::process::{Identity, Observer};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use zab::{
    Effect, Epoch, Event, LinkId, Message, Peer, Proposal, Report, RoleKind, ServerId, Status,
    SyncMode, Write, WriteId, Zxid,
};
use zab_properties::coarsening::Electors;
use zab_properties::tree::{Tree, beyond, covered};
use zab_properties::{
    Fact, Ghosts, IdSet, Invariant, Phase, Removal, Role, ServerView, Txn, View, broken_by, safety,
};
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

/// A write on its way to the disk.
#[derive(Clone, Debug)]
struct Queued {
    id: WriteId,
    write: Write<u64>,
    /// What an installed snapshot shows.
    content: Vec<Txn<u64>>,
}

/// One server's histories.
#[derive(Debug)]
struct Seen {
    id: ServerId,
    up: bool,
    status: Option<Status>,
    issued: Vec<Txn<u64>>,
    durable: Vec<Txn<u64>>,
    delivered: Vec<Txn<u64>>,
    /// What its tree shows.
    tree: Tree<u64>,
    /// What the newest snapshot on its disk shows beyond its zxid.
    beyond: Vec<Txn<u64>>,
    /// So many of `issued` came with the snapshot or were in the tree at the start.
    loaded: usize,
    accepted: Epoch,
    current: Epoch,
    queue: VecDeque<Queued>,
    wiped: bool,
    cache_is_whole: bool,
    /// It acknowledged NEWLEADER on this link.
    adopted: Option<LinkId>,
}

pub struct Watch {
    pub now: Us,
    seen: Vec<Seen>,
    voters: u32,
    standalone: bool,
    opening_txn: bool,
    ghosts: Ghosts<u64>,
    electors: Electors,
    invariants: Vec<Invariant<u64>>,
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
    dirty: bool,
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

fn txn(proposal: &Proposal<Bytes>) -> Txn<u64> {
    Txn {
        zxid: proposal.zxid,
        value: hash_bytes(&proposal.txn),
    }
}

impl Watch {
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let seen = |index: usize| Seen {
            id: ServerId(index as i64 + 1),
            up: false,
            status: None,
            issued: Vec::new(),
            durable: Vec::new(),
            delivered: Vec::new(),
            tree: Tree::default(),
            beyond: Vec::new(),
            loaded: 0,
            accepted: Epoch::ZERO,
            current: Epoch::ZERO,
            queue: VecDeque::new(),
            wiped: false,
            cache_is_whole: true,
            adopted: None,
        };
        Self {
            now: 0,
            seen: (0..plan.servers()).map(seen).collect(),
            voters: plan.voters as u32,
            standalone: plan.voters == 1,
            opening_txn: plan.opening_txn && plan.voters > 1,
            ghosts: Ghosts::default(),
            electors: Electors::default(),
            invariants: safety::all(),
            streams: BTreeMap::new(),
            commits: BTreeMap::new(),
            failures: Vec::new(),
            counts: Counts::default(),
            hash: 0,
            established_at: 0,
            leaders: Vec::new(),
            regimes: Vec::new(),
            expiries: Vec::new(),
            dirty: false,
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

    fn view<R>(&self, look: impl FnOnce(&View<'_, u64>) -> R) -> R {
        let servers: Vec<_> = self.seen.iter().map(server_view).collect();
        let voters = self.voters;
        let quorum = |mask: u32| (mask & ((1 << voters) - 1)).count_ones() > voters / 2;
        look(&View {
            servers: &servers,
            ghosts: &self.ghosts,
            quorum: &quorum,
        })
    }

    fn fact(&mut self, fact: &Fact<'_, u64>) {
        if self.standalone {
            return;
        }
        let broken = self.view(|view| broken_by(&self.invariants, view, fact));
        self.ghosts.record(fact, broken);
        self.report_broken(broken, &format!("{fact:?}"));
    }

    fn report_broken(&mut self, broken: IdSet, why: &str) {
        for number in broken.iter() {
            let text: String = why.chars().take(300).collect();
            let name = self
                .invariants
                .iter()
                .find(|it| it.number == number)
                .map_or("", |it| it.statement);
            self.fail(&format!("S{number}"), format!("{name} [{text}]"), 0);
        }
    }

    /// Judges the state, if anything happened that may have broken it.
    fn judge(&mut self) {
        if std::mem::take(&mut self.dirty) {
            self.judge_all(false);
        }
    }

    /// Judges the state; `heavy` by the properties as well that cost the square of the history.
    pub fn judge_all(&mut self, heavy: bool) {
        if self.standalone {
            return;
        }
        let broken: IdSet = self.view(|view| {
            let broken = self
                .invariants
                .iter()
                .filter(|it| heavy || !HEAVY.contains(&it.number))
                .filter(|it| it.state.is_some_and(|holds| !holds(view)));
            broken.map(|it| it.number).collect()
        });
        self.report_broken(broken, "state");
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
        let status = peer.status();
        self.seen[server].status = Some(status);
        self.electors.see(self.seen[server].id, &status);
        self.regime(server);
        if let Event::Proposed { zxid, txn } = event {
            self.proposed(server, *zxid, txn, effects);
        }
        for effect in effects {
            match effect {
                Effect::Send { link, message } => self.sent(server, *link, message),
                Effect::SendSnapshot { link, .. } => self.streamed(server, *link),
                Effect::Persist { id, write } => self.asked(server, *id, write),
                Effect::Deliver { proposal } => self.deliver(server, proposal),
                Effect::Report(report) => {
                    self.elects(server, report, peer);
                    self.report(server, report);
                }
                Effect::Notify { .. }
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
        }
        if self.dirty {
            let it = &mut self.seen[server];
            it.cache_is_whole = cache_is_whole(peer, &it.issued);
        }
        self.judge();
    }

    fn regime(&mut self, server: usize) {
        let it = &self.seen[server];
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
        let leader = leader.and_then(|id| self.seen.iter().position(|it| it.id == id));
        let known = self.regimes.iter().rev().find(|it| it.server == server);
        if known.and_then(|it| it.leader) != leader {
            self.regimes.push(Regime {
                at: self.now,
                server,
                leader,
            });
        }
    }

    fn proposed(&mut self, server: usize, zxid: Zxid, bytes: &Bytes, effects: &[Effect<Bytes>]) {
        // spec: CP-SES-01. The leader closes a session: nobody asked, so the request has no number.
        if let Ok(record) = TxnRecord::decode(bytes)
            && matches!(record.txn, zk_proto::Txn::CloseSession { .. })
            && record.header.cxid == 0
        {
            self.expiries
                .push((self.now, server, record.header.session_id));
        }
        let made = effects.iter().any(|effect| {
            matches!(effect, Effect::Persist { write: Write::Append(it), .. } if it.zxid == zxid)
        });
        let epoch = self.seen[server].status.and_then(|status| status.epoch);
        let (true, Some(epoch)) = (made, epoch) else {
            return;
        };
        let created = Txn {
            zxid,
            value: hash_bytes(bytes),
        };
        let delivered = std::mem::take(&mut self.seen[server].delivered);
        self.fact(&Fact::Created {
            server: self.seen[server].id,
            epoch,
            txn: &created,
            delivered: &delivered,
        });
        self.seen[server].delivered = delivered;
    }

    fn sent(&mut self, server: usize, link: LinkId, message: &Message<Bytes>) {
        let id = self.seen[server].id;
        match message {
            Message::Ack { zxid } if zxid.counter() != 0 => {
                self.fact(&Fact::LogAcked {
                    server: id,
                    zxid: *zxid,
                });
            }
            Message::Ack { .. } if self.seen[server].adopted == Some(link) => {}
            Message::Ack { zxid } => {
                self.seen[server].adopted = Some(link);
                self.fact(&Fact::NewLeaderAcked {
                    server: id,
                    epoch: zxid.epoch(),
                });
            }
            Message::LeaderInfo { epoch } => self.promise(server, id, *epoch),
            Message::AckEpoch { zxid, .. } => {
                let status = self.seen[server].status;
                let epoch = status.and_then(|status| status.epoch);
                let leader = status.and_then(|status| status.leader);
                if let (Some(epoch), Some(leader)) = (epoch, leader) {
                    self.promise(server, leader, epoch);
                }
                // An empty server that nobody vouches for says so, and has no vote.
                if !self.seen[server].wiped && *zxid != Zxid::UNTRUSTED {
                    self.fact(&Fact::Reported {
                        server: id,
                        last: *zxid,
                    });
                }
            }
            _ => {}
        }
    }

    fn promise(&mut self, server: usize, leader: ServerId, epoch: Epoch) {
        let on_disk = self.seen[server].accepted;
        self.fact(&Fact::Promised {
            server: self.seen[server].id,
            leader,
            epoch,
            on_disk,
        });
    }

    fn streamed(&mut self, server: usize, link: LinkId) {
        let it = &self.seen[server];
        self.streams.insert(link, it.tree.image(&it.issued));
    }

    fn asked(&mut self, server: usize, id: WriteId, write: &Write<Bytes>) {
        let role = self.seen[server].status.map(|status| status.role);
        let name = self.seen[server].id;
        if let (Write::CurrentEpoch(epoch), Some(RoleKind::Following | RoleKind::Leading)) =
            (write, role)
        {
            self.fact(&Fact::Adopted {
                server: name,
                epoch: *epoch,
            });
        }
        if let Write::Truncate { after } = write {
            self.fact(&Fact::SyncStarts {
                server: name,
                after: *after,
            });
        }
        let mut content = Vec::new();
        let write = match write {
            Write::AcceptedEpoch(epoch) => Write::AcceptedEpoch(*epoch),
            Write::CurrentEpoch(epoch) => Write::CurrentEpoch(*epoch),
            Write::Append(proposal) => {
                let txn = txn(proposal);
                Write::Append(Proposal {
                    zxid: txn.zxid,
                    txn: txn.value,
                })
            }
            Write::Truncate { after } => Write::Truncate { after: *after },
            Write::Install { snapshot } => {
                let link = self.seen[server].status.and_then(|status| status.link);
                content = link
                    .and_then(|link| self.streams.get(&link).cloned())
                    .unwrap_or_default();
                Write::Install {
                    snapshot: *snapshot,
                }
            }
        };
        let queued = Queued { id, write, content };
        let it = &mut self.seen[server];
        apply(&mut it.issued, &queued);
        match queued.write {
            Write::Install { snapshot } => {
                it.loaded = covered(snapshot, &queued.content).len();
                it.tree.install(snapshot, &queued.content);
            }
            Write::Truncate { after } => it.tree.truncate(after),
            Write::AcceptedEpoch(_) | Write::CurrentEpoch(_) | Write::Append(_) => {}
        }
        it.loaded = it.loaded.min(it.issued.len());
        if !matches!(queued.write, Write::Append(_)) {
            self.dirty = true;
        }
        self.seen[server].queue.push_back(queued);
    }

    fn deliver(&mut self, server: usize, proposal: &Proposal<Bytes>) {
        self.show_loaded(server);
        self.seen[server].tree.deliver(proposal.zxid);
        let txn = txn(proposal);
        let (now, zxid) = (self.now, proposal.zxid.0);
        let known = self.commits.entry(zxid).or_insert_with(|| Commit {
            zxid,
            txn: proposal.txn.clone(),
            at: now,
        });
        // spec: INV-13, INV-11
        if known.txn != proposal.txn {
            let id = self.seen[server].id;
            self.fail("INV-13", format!("{id} committed another txn"), zxid);
        }
        self.delivered(server, txn);
    }

    fn show_loaded(&mut self, server: usize) {
        while self.seen[server].delivered.len() < self.seen[server].loaded {
            let it = &self.seen[server];
            let Some(next) = it.issued.get(it.delivered.len()).cloned() else {
                return;
            };
            self.delivered(server, next);
        }
    }

    fn delivered(&mut self, server: usize, txn: Txn<u64>) {
        let index = self.seen[server].delivered.len();
        self.fact(&Fact::Delivered {
            server: self.seen[server].id,
            txn: &txn,
            index,
        });
        self.seen[server].delivered.push(txn.clone());
        let status = self.seen[server].status;
        if status
            .is_some_and(|it| it.role == RoleKind::Leading && it.epoch == Some(txn.zxid.epoch()))
        {
            self.fact(&Fact::Acked { txn: &txn });
        }
    }

    /// The oracle of the exhaustive runs must be able to elect whom votes elect.
    // spec: zab-model section 12.
    fn elects(&mut self, server: usize, report: &Report, peer: &Peer<Bytes>) {
        let (id, quorums) = (self.seen[server].id, &peer.config().quorums);
        let allowed = self.electors.allow(id, &peer.status(), report, quorums);
        if !allowed && !self.standalone {
            let what = format!("no quorum was electing in the round that {id} won");
            self.fail("coarsening", what, 0);
        }
    }

    fn report(&mut self, server: usize, report: &Report) {
        self.dirty = true;
        match report {
            Report::Established { epoch } => {
                self.counts.established += 1;
                self.established_at = self.now;
                self.show_loaded(server);
                let id = self.seen[server].id;
                if self
                    .leaders
                    .iter()
                    .any(|(_, known, leader)| known == epoch && *leader != id)
                {
                    self.fail("INV-13", format!("two leaders of epoch {epoch}"), 0);
                }
                self.leaders.push((self.now, *epoch, id));
                let initial = std::mem::take(&mut self.seen[server].delivered);
                self.fact(&Fact::Established {
                    server: id,
                    epoch: *epoch,
                    initial: &initial,
                });
                self.seen[server].delivered = initial;
            }
            Report::Opened { .. } => {
                let delivered = std::mem::take(&mut self.seen[server].delivered);
                self.fact(&Fact::Opened {
                    server: self.seen[server].id,
                    delivered: &delivered,
                });
                self.seen[server].delivered = delivered;
            }
            Report::UpToDate { .. } => self.show_loaded(server),
            Report::Electing { .. } => self.counts.elections += 1,
            Report::Synchronising { mode, .. } => match mode {
                SyncMode::Diff => self.counts.diffs += 1,
                SyncMode::Trunc(_) => self.counts.truncs += 1,
                SyncMode::Snap(_) => self.counts.snaps += 1,
            },
            Report::Looking
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
        while self.seen[server]
            .queue
            .front()
            .is_some_and(|queued| queued.id <= through)
        {
            self.written(server);
        }
        self.judge();
    }

    /// The oldest write of the queue is on the disk.
    fn written(&mut self, server: usize) {
        let it = &mut self.seen[server];
        let Some(queued) = it.queue.pop_front() else {
            return;
        };
        let (accepted_before, current_before) = (it.accepted, it.current);
        match &queued.write {
            Write::AcceptedEpoch(epoch) => it.accepted = *epoch,
            Write::CurrentEpoch(epoch) => {
                it.current = *epoch;
                it.wiped = false;
            }
            Write::Append(_) => {
                apply(&mut it.durable, &queued);
                return;
            }
            Write::Truncate { .. } => {}
            Write::Install { snapshot } => it.beyond = beyond(*snapshot, &queued.content),
        }
        self.dirty = true;
        let id = it.id;
        let (accepted, current) = (it.accepted, it.current);
        if matches!(
            queued.write,
            Write::AcceptedEpoch(_) | Write::CurrentEpoch(_)
        ) {
            return self.fact(&Fact::EpochsWritten {
                server: id,
                accepted_before,
                current_before,
                accepted,
                current,
            });
        }
        let before = it.durable.clone();
        apply(&mut it.durable, &queued);
        let why = if matches!(queued.write, Write::Truncate { .. }) {
            Removal::Truncated
        } else {
            Removal::Replaced
        };
        self.removed(server, &before, why);
    }

    fn removed(&mut self, server: usize, before: &[Txn<u64>], why: Removal) {
        let after = &self.seen[server].durable;
        let gone: Vec<Txn<u64>> = before
            .iter()
            .filter(|txn| after.binary_search(txn).is_err())
            .cloned()
            .collect();
        self.fact(&Fact::Removed {
            server: self.seen[server].id,
            txns: &gone,
            why,
        });
    }

    pub fn stopped(&mut self, server: usize) {
        self.counts.crashes += 1;
        let it = &mut self.seen[server];
        it.up = false;
        it.cache_is_whole = true;
        it.status = None;
        it.delivered.clear();
        it.tree = Tree::default();
        it.loaded = 0;
        it.adopted = None;
        self.regime(server);
        self.dirty = true;
        let now = self.now;
        self.mix(&(now, server, 0xdead_u64));
        self.judge();
    }

    pub fn wiped(&mut self, server: usize) {
        let it = &mut self.seen[server];
        it.issued.clear();
        it.durable.clear();
        it.beyond.clear();
        it.queue.clear();
        it.accepted = Epoch::ZERO;
        it.current = Epoch::ZERO;
        it.wiped = true;
        let id = it.id;
        self.fact(&Fact::Wiped { server: id });
    }

    /// A server recovered: what it found must be what was durable, and perhaps some of what was on its way.
    fn restored(&mut self, server: usize, restored: &Restored) {
        let durable = &restored.durable;
        let last = durable.last();
        let found = (last, durable.accepted, durable.current);
        let places = self.seen[server].queue.len();
        let fits = (0..=places).rev().find(|kept| {
            let it = &self.seen[server];
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
        let before = self.seen[server].issued.clone();
        match fits {
            None => {
                let it = &self.seen[server];
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
            Some(kept) => {
                for _ in 0..kept {
                    self.written(server);
                }
            }
        }
        let it = &mut self.seen[server];
        if fits.is_some() && !self.standalone {
            it.current = durable.current;
        }
        it.queue.clear();
        it.durable.retain(|txn| txn.zxid <= last);
        it.issued = it.durable.clone();
        it.tree = Tree::started(last, it.beyond.clone());
        it.up = true;
        it.loaded = it
            .issued
            .iter()
            .filter(|txn| txn.zxid <= durable.base)
            .count();
        it.delivered.clear();
        let id = it.id;
        for entry in &durable.log {
            let known = it.issued.binary_search_by(|txn| txn.zxid.cmp(&entry.zxid));
            let same = known.is_ok_and(|place| it.issued[place].value == hash_bytes(&entry.txn));
            if !same {
                let what = format!("server {id} recovered a txn that it never wrote");
                self.fail("INV-11", what, entry.zxid.0);
                break;
            }
        }
        let it = &self.seen[server];
        let lost: Vec<Txn<u64>> = before
            .iter()
            .filter(|txn| it.durable.binary_search(txn).is_err())
            .cloned()
            .collect();
        self.fact(&Fact::Removed {
            server: id,
            txns: &lost,
            why: Removal::Crashed,
        });
        self.dirty = true;
        self.judge();
    }

    /// zxids that a quorum of voters' disks holds, and the newest of any.
    #[must_use]
    pub fn last_commit(&self) -> i64 {
        self.commits.keys().next_back().copied().unwrap_or(0)
    }

    #[must_use]
    pub fn status(&self, server: usize) -> Option<Status> {
        self.seen[server].status
    }
}

fn apply(history: &mut Vec<Txn<u64>>, queued: &Queued) {
    match &queued.write {
        Write::AcceptedEpoch(_) | Write::CurrentEpoch(_) => {}
        Write::Append(proposal) => history.push(Txn {
            zxid: proposal.zxid,
            value: proposal.txn,
        }),
        Write::Truncate { after } => history.retain(|txn| txn.zxid <= *after),
        Write::Install { snapshot } => *history = covered(*snapshot, &queued.content),
    }
}

/// Whether what the core keeps in memory is the end of the history.
fn cache_is_whole(peer: &Peer<Bytes>, issued: &[Txn<u64>]) -> bool {
    let (_, log) = peer.log();
    let start = issued.len().checked_sub(log.len());
    start.is_some_and(|start| {
        log.zip(&issued[start..])
            .all(|(kept, txn)| kept.zxid == txn.zxid)
    })
}

fn server_view(seen: &Seen) -> ServerView<'_, u64> {
    let status = seen.status;
    let role = status.map_or(Role::Looking, |status| match (status.role, status.leader) {
        (RoleKind::Leading, _) => Role::Leading,
        (RoleKind::Following, Some(leader)) => Role::Following(leader),
        (RoleKind::Observing, Some(leader)) => Role::Observing(leader),
        (RoleKind::Looking | RoleKind::Following | RoleKind::Observing, _) => Role::Looking,
    });
    let phase = status.map_or(Phase::Election, |status| match status.phase {
        zab::Phase::Election => Phase::Election,
        zab::Phase::Discovery => Phase::Discovery,
        zab::Phase::Synchronisation => Phase::Synchronization,
        zab::Phase::Broadcast => Phase::Broadcast,
    });
    ServerView {
        id: seen.id,
        up: seen.up,
        role,
        phase,
        epoch: status.and_then(|status| status.epoch),
        accepted: seen.accepted,
        current: seen.current,
        issued: &seen.issued,
        durable: &seen.durable,
        delivered: &seen.delivered,
        beyond: seen.tree.beyond(),
        cache_is_whole: seen.cache_is_whole,
        wiped: seen.wiped,
    }
}
