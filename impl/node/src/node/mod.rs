//! The driver's side of a server: owns the protocol core and everything that changes
//! the tree. One call takes what has happened since the last one and returns what the
//! host must do; in between it sleeps until `next_ms`.
//!
//! ```text
//! Ask ──▶ prep ──▶ Event::Proposed ──▶ core ──▶ Output::Persist ──▶ log thread
//!                                       core ◀── Input::Persisted ◀──┘
//!         lanes ◀── tree, watches ◀── Effect::Deliver
//! ```

mod commit;
mod connect;
mod digests;
mod order;
mod read_only;
mod roles;
mod timers;
mod write;

use crate::conn::guesses::Guesses;
use crate::conn::lane::Lane;
use crate::conn::{Ask, Hello, Resume};
use crate::disk::Replayed;
use crate::reads::Turn;
use crate::session::id::SessionIds;
use crate::shared::Shared;
use crate::stats::{Latency, Mode};
use crate::sync::lock;
use crate::time::Now;
use crate::trace::{Listener, Tracer};
use bytes::Bytes;
use digests::Digests;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use timers::Timers;
use zab::{
    Broken, Effect, Effects, Event, LinkId, Message, Misbehaviour, Notification, Peer, Report,
    RoleKind, ServerId, Timer, WriteId, Zxid,
};
use zk_proto::OpCode;
use zk_tree::Prep;

pub use timers::TICK_MS;
use write::{Own, Submission, Waiter};

/// What happened.
#[derive(Debug)]
pub enum Input {
    /// The host is ready; first, once.
    Started,
    /// A client asks.
    Ask(Ask),
    /// This write and all before it survive a crash.
    Persisted(WriteId),
    /// History was taken back or replaced on disk: the tree as the disk has it. Comes before the
    /// `Persisted` of the write that did it.
    Reloaded(Box<zk_tree::Tree>),
    /// From the election port.
    Notified {
        from: ServerId,
        notification: Notification,
    },
    /// See `zab::Event`.
    Connected {
        link: LinkId,
        peer: ServerId,
    },
    Disconnected {
        link: LinkId,
    },
    Unreachable {
        leader: ServerId,
    },
    /// Bytes of a snapshot stream came or went over the link.
    Progress {
        link: LinkId,
    },
    Received {
        link: LinkId,
        message: Message<Bytes>,
    },
}

/// What the host must do, in this order.
#[derive(Debug)]
pub enum Output {
    Persist {
        id: WriteId,
        write: zab::Write<Bytes>,
    },
    Notify {
        to: ServerId,
        notification: Notification,
    },
    Dial {
        leader: ServerId,
    },
    HangUp,
    Send {
        link: LinkId,
        message: Message<Bytes>,
    },
    SendSnapshot {
        link: LinkId,
        zxid: Zxid,
    },
    Disconnect {
        link: LinkId,
        why: zab::Misbehaviour,
    },
    /// For logs and metrics.
    Report(Report),
    /// So many txns and bytes were logged since the last snapshot that one is due.
    SnapshotDue,
    /// This txn left another tree here than at the leader, for the first time.
    Diverged {
        zxid: Zxid,
    },
}

/// Why the server must stop.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("the protocol core stopped: {0}")]
    Broken(#[from] Broken),
    #[error("a committed txn at {zxid} does not decode: {source}")]
    Txn {
        zxid: Zxid,
        source: zk_proto::DecodeError,
    },
}

/// Committed, not yet applied; in the core's order.
#[derive(Debug)]
enum Committed {
    Txn(zab::Proposal<Bytes>),
    /// A sync of a client of this leader is due.
    Confirmed(zab::ReadId),
    /// The oldest sync that this learner forwarded is due.
    Synced,
}

#[derive(Debug)]
pub struct Node {
    shared: Arc<Shared>,
    peer: Peer<Bytes>,
    effects: Effects<Bytes>,
    prep: Prep,
    ids: SessionIds,
    timers: Timers,
    /// Proposed here and not yet applied, in zxid order.
    own: VecDeque<Own>,
    committed: VecDeque<Committed>,
    digests: Digests,
    diverged: Option<Zxid>,
    /// At a learner: who waits for what was passed on, by session, oldest first.
    waiting: HashMap<i64, VecDeque<(i32, Waiter)>>,
    /// At a learner: the syncs passed on, oldest first.
    learner_syncs: VecDeque<Submission>,
    /// At a learner: connections whose session the leader is asked about.
    revalidating: HashMap<i64, VecDeque<(Arc<Lane>, Hello)>>,
    /// Addresses that came with wrong passwords.
    guesses: Guesses,
    /// Whose sessions are looked at only at a time, monotonic ms, oldest first. At most one of each connection.
    slowed: VecDeque<(u64, Arc<Lane>, Hello, Resume)>,
    /// At a leader: over which learner's link each session writes; None is this server itself (CP-SES-20).
    owners: HashMap<i64, Option<LinkId>>,
    /// Sessions whose createSession is on its way: those that are upgraded here and, at a leader, all that it has
    /// proposed. Their ephemerals may follow at once.
    upgrading: HashSet<i64>,
    /// Syncs of this leader's own clients, by the core's number for the question.
    syncs: BTreeMap<u64, Submission>,
    next_read: u64,
    /// The core asks for a txn that changes nothing, after the event that led to it.
    opening: Option<Zxid>,
    /// Learners' questions about sessions, at a leader that serves nobody yet.
    questions: Vec<(LinkId, Bytes)>,
    /// Requests of learners, for after the event that brought them.
    forwarded: Vec<Submission>,
    /// Answers to learners, likewise.
    answers: Vec<Event<Bytes>>,
    /// Connections with reads that their turn had no time for, by session; each once.
    behind: VecDeque<(i64, Arc<Lane>)>,
    turn: Turn,
    /// Lanes to ring once no lock is held.
    rings: Vec<Arc<Lane>>,
    /// Of the writes answered in this step.
    latency: Latency,
    snapshot: SnapshotCount,
    containers: write::Containers,
    listener: Listener,
    /// Text and version of the ensemble's configuration; None when standalone.
    configuration: Option<(String, i64)>,
    /// While looking: when readers are served without a leader, monotonic ms.
    read_only_at_ms: Option<u64>,
    /// When `step` last returned, monotonic ms (`Shared::has_slept`).
    driven_ms: u64,
}

/// How far the log has grown since the last snapshot.
#[derive(Debug, Default)]
struct SnapshotCount {
    txns: u32,
    bytes: u64,
    due_txns: u32,
}

impl Node {
    /// `peer` as recovered, `ids` as reserved; `random` scatters the snapshots of servers that started together.
    #[must_use]
    pub fn new(
        shared: Arc<Shared>,
        peer: Peer<Bytes>,
        ids: SessionIds,
        now: Now,
        random: u32,
    ) -> Self {
        let half = (shared.settings.snap_count / 2).max(1);
        Self {
            prep: Prep::default(),
            peer,
            effects: Effects::new(),
            ids,
            timers: Timers::default(),
            own: VecDeque::new(),
            committed: VecDeque::new(),
            digests: Digests::default(),
            diverged: None,
            waiting: HashMap::new(),
            learner_syncs: VecDeque::new(),
            revalidating: HashMap::new(),
            guesses: Guesses::default(),
            slowed: VecDeque::new(),
            owners: HashMap::new(),
            upgrading: HashSet::new(),
            syncs: BTreeMap::new(),
            next_read: 0,
            opening: None,
            questions: Vec::new(),
            forwarded: Vec::new(),
            answers: Vec::new(),
            behind: VecDeque::new(),
            turn: Turn::default(),
            rings: Vec::new(),
            latency: Latency::default(),
            snapshot: SnapshotCount {
                due_txns: half + random % half,
                ..SnapshotCount::default()
            },
            containers: write::Containers::new(&shared.settings, now.mono_ms),
            listener: Listener::default(),
            configuration: None,
            read_only_at_ms: None,
            driven_ms: now.mono_ms,
            shared,
        }
    }

    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// A member of an ensemble: what its configuration znode shows.
    // spec: CP-TREE-02, QP-CFG-13
    pub fn configure(&mut self, text: String, version: i64) {
        self.configuration = Some((text, version));
    }

    /// What the start replayed: the next snapshot is due so much earlier.
    // spec: DF-ALG-10. Otherwise a server that restarts often enough never takes one, and its log only grows.
    pub fn replayed(&mut self, replayed: Replayed) {
        self.snapshot.txns = self.snapshot.txns.saturating_add(replayed.txns);
        self.snapshot.bytes = self.snapshot.bytes.saturating_add(replayed.bytes);
    }

    /// From now on `tracer` is told of every step of the core.
    pub fn trace(&mut self, tracer: Box<dyn Tracer>) {
        self.listener = Listener::new(tracer);
    }

    /// How many sessions' owners it keeps, at a leader (CP-SES-20).
    #[must_use]
    pub fn owned_sessions(&self) -> usize {
        self.owners.len()
    }

    #[must_use]
    pub fn status(&self) -> zab::Status {
        self.peer.status()
    }

    /// Takes what happened, in order.
    ///
    /// # Errors
    /// The process must end, and nothing of `out` may be done.
    pub fn step(
        &mut self,
        now: Now,
        inputs: impl IntoIterator<Item = Input>,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        let mut batch = Vec::new();
        for input in inputs {
            let event = match input {
                Input::Ask(ask) => {
                    self.ask(now, ask, &mut batch, out)?;
                    continue;
                }
                Input::Reloaded(tree) => {
                    self.reload(*tree);
                    continue;
                }
                Input::Progress { link } => {
                    // A leader's Init is for its quorum: a learner that is slow to learn must not hold it.
                    let timer = if self.peer.status().role == RoleKind::Leading {
                        Timer::Learner(link)
                    } else {
                        Timer::Init
                    };
                    self.timers.restart(now.mono_ms, timer);
                    continue;
                }
                Input::Started => Event::Started,
                Input::Persisted(through) => Event::Persisted { through },
                Input::Notified { from, notification } => Event::Notified { from, notification },
                Input::Connected { link, peer } => Event::Connected { link, peer },
                Input::Disconnected { link } => Event::Disconnected { link },
                Input::Unreachable { leader } => Event::Unreachable { leader },
                Input::Received { link, message } => Event::Received { link, message },
            };
            // What clients asked before it is proposed before it.
            self.propose(now, &mut batch, out)?;
            self.drive(now, event, out)?;
        }
        self.propose(now, &mut batch, out)?;
        self.finish(now, out)
    }

    /// What follows at once from what happened.
    fn finish(&mut self, now: Now, out: &mut Vec<Output>) -> Result<(), NodeError> {
        self.wake(now, out)?;
        self.apply(now, out)?;
        self.shared.set_driven(now);
        self.driven_ms = now.mono_ms;
        self.ring();
        self.tell();
        Ok(())
    }

    /// What operators may see of the ensemble.
    fn tell(&self) {
        let mut ensemble = lock(&self.shared.ensemble);
        ensemble.quorum_size = self.peer.config().quorums.voters().len();
        (
            ensemble.learners,
            ensemble.synced_followers,
            ensemble.synced_observers,
        ) = (0, 0, 0);
        for learner in self.peer.learners() {
            ensemble.learners += 1;
            ensemble.synced_followers += usize::from(learner.up_to_date && !learner.observer);
            ensemble.synced_observers += usize::from(learner.up_to_date && learner.observer);
        }
    }

    /// When `step` must be called again although nothing happened, monotonic ms.
    #[must_use]
    pub fn next_ms(&self) -> Option<u64> {
        let sessions = self
            .times_sessions()
            .then(|| lock(&self.shared.sessions).next_ms())
            .flatten();
        let containers = self.peer.next_zxid().map(|_| self.containers.next_ms());
        let awake = (self.shared.mode() != Mode::Standalone)
            .then(|| self.driven_ms + u64::from(self.shared.settings.tick_time_ms / 2));
        let slowed = self.slowed.front().map(|(due_ms, ..)| *due_ms);
        let reads = (!self.behind.is_empty()).then_some(self.driven_ms);
        let due = [
            self.timers.next_ms(),
            sessions,
            containers,
            awake,
            slowed,
            reads,
            self.read_only_at_ms,
        ];
        due.into_iter().flatten().min()
    }

    fn wake(&mut self, now: Now, out: &mut Vec<Output>) -> Result<(), NodeError> {
        while let Some(timer) = self.timers.take_due(now.mono_ms) {
            self.drive(now, Event::Expired { timer }, out)?;
        }
        self.begin_read_only(now);
        self.resume_slowed(now);
        let mut batch = Vec::new();
        self.expire_sessions(now, &mut batch);
        self.remove_containers(now, &mut batch);
        self.propose(now, &mut batch, out)
    }

    fn ask(
        &mut self,
        now: Now,
        ask: Ask,
        batch: &mut Vec<Submission>,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        match ask {
            Ask::Connect { lane, hello } => {
                if hello.resume.is_some() {
                    // spec: CP-SES-20. What came over the session's old connection is too late if the session had
                    // moved to another server in between, and coming back must not make it good.
                    self.propose(now, batch, out)?;
                }
                self.connect(now, lane, hello, batch);
            }
            Ask::Request(request) => {
                let submission = Submission::of_client(request);
                if submission.op == OpCode::Sync || self.ends_local(&submission) {
                    // It must see every write that its session sent before.
                    self.propose(now, batch, out)?;
                }
                // One of those may be what makes the session global.
                if submission.op == OpCode::Sync || self.ends_local(&submission) {
                    return self.sync(now, submission, out);
                }
                batch.push(submission);
            }
        }
        Ok(())
    }

    // spec: CP-CON-31, CP-CON-34. A session that is being upgraded ends by a txn, as every server will know it.
    fn ends_local(&self, submission: &Submission) -> bool {
        submission.op == OpCode::CloseSession
            && !self.upgrading.contains(&submission.session)
            && lock(&self.shared.sessions)
                .get(submission.session)
                .is_some_and(|session| session.is_local())
    }

    /// One event through the core, and what follows from its effects.
    fn drive(
        &mut self,
        now: Now,
        event: Event<Bytes>,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        self.handle(now, event, out)?;
        self.open(now, out)?;
        // What learners ask is put to the core only after it has said all it had to say.
        let (syncs, mut writes): (Vec<_>, Vec<_>) = std::mem::take(&mut self.forwarded)
            .into_iter()
            .partition(|asked| asked.op == OpCode::Sync);
        self.propose(now, &mut writes, out)?;
        for sync in syncs {
            self.sync(now, sync, out)?;
        }
        self.flush_answers(now, out)
    }

    /// One event through the core, and its effects carried out.
    fn handle(
        &mut self,
        now: Now,
        event: Event<Bytes>,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        let mut effects = std::mem::take(&mut self.effects);
        let kept = self.listener.keep(&event);
        if let Err(broken) = self.peer.handle(event, &mut effects) {
            self.listener.told_broken(kept.as_ref(), &broken);
            return Err(broken.into());
        }
        self.listener
            .told(kept.as_ref(), effects.as_slice(), &self.peer);
        self.carry_out(now, effects, out)
    }

    /// The effects of one event, sorted by who acts on them.
    fn carry_out(
        &mut self,
        now: Now,
        mut effects: Effects<Bytes>,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        for effect in effects.drain() {
            match effect {
                Effect::Deliver { proposal } => self.committed.push_back(Committed::Txn(proposal)),
                Effect::Confirmed { read } => self.committed.push_back(Committed::Confirmed(read)),
                Effect::Synced => self.committed.push_back(Committed::Synced),
                Effect::Open { zxid } => self.opening = Some(zxid),
                Effect::Persist { id, write } => self.persist(id, write, out),
                Effect::Arm { timer, after } => self.timers.arm(now.mono_ms, timer, after),
                Effect::Disarm { timer } => {
                    self.timers.disarm(timer);
                }
                Effect::Notify { to, notification } => {
                    out.push(Output::Notify { to, notification })
                }
                Effect::Dial { leader } => out.push(Output::Dial { leader }),
                Effect::HangUp => out.push(Output::HangUp),
                Effect::Send { link, message } => {
                    let message = self.with_sessions(message);
                    out.push(Output::Send { link, message });
                }
                Effect::SendSnapshot { link, zxid } => {
                    out.push(Output::SendSnapshot { link, zxid })
                }
                Effect::Disconnect { link, why } => {
                    self.blame(why);
                    out.push(Output::Disconnect { link, why });
                }
                Effect::Request {
                    link,
                    peer: _,
                    request,
                } => self.requested(link, &request),
                Effect::Revalidate {
                    link,
                    peer: _,
                    session,
                } => self.revalidate(now, link, session),
                Effect::Touch { peer: _, sessions } => self.touched(now, &sessions),
                Effect::Revalidated { session } => self.revalidated(now, &session),
                Effect::Report(report) => self.report(now, report, out)?,
            }
        }
        self.effects = effects;
        Ok(())
    }

    /// Counts what a peer did wrong. What both ends' roles explain is no fault of it.
    // spec: P-LOUD
    pub(super) fn blame(&self, why: Misbehaviour) {
        let fault = match why {
            Misbehaviour::Silent
            | Misbehaviour::Unexpected
            | Misbehaviour::Epoch
            | Misbehaviour::ConfigAhead
            | Misbehaviour::ZxidGap
            | Misbehaviour::CommitOrder
            | Misbehaviour::AckUnsent
            | Misbehaviour::Reconfiguration => true,
            Misbehaviour::RoleEnded
            | Misbehaviour::Replaced
            | Misbehaviour::NotLeading
            | Misbehaviour::MoreRecent
            | Misbehaviour::TruncTooLow
            | Misbehaviour::BelowCommitted => false,
        };
        self.shared.totals.peer_errors.add(u64::from(fault));
    }

    fn persist(&mut self, id: WriteId, write: zab::Write<Bytes>, out: &mut Vec<Output>) {
        if let zab::Write::Append(proposal) = &write
            && self.shared.settings.keeps_log
        {
            self.snapshot.txns += 1;
            self.snapshot.bytes += proposal.txn.len() as u64;
        }
        out.push(Output::Persist { id, write });
        // spec: DF-ALG-10
        let limit = self.shared.settings.snap_size_limit_bytes;
        if self.snapshot.txns >= self.snapshot.due_txns
            || limit.is_some_and(|limit| self.snapshot.bytes > limit)
        {
            self.snapshot = SnapshotCount {
                due_txns: self.shared.settings.snap_count.max(2),
                ..Default::default()
            };
            out.push(Output::SnapshotDue);
        }
    }

    // spec: QP-SYN-11, QP-SYN-12
    fn reload(&mut self, tree: zk_tree::Tree) {
        self.digests.reload();
        self.shared.set_applied(tree.last_zxid());
        *crate::sync::write(&self.shared.tree) = tree;
        self.prep = Prep::default();
    }

    fn ring(&mut self) {
        for lane in self.rings.drain(..) {
            lane.ring();
        }
        self.shared.ring_throttled();
    }
}
