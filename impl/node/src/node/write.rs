//! From a request to a proposal, or to the leader.

use super::{Committed, Node, NodeError, Output};
use crate::bug::Bug;
use crate::conn::lane::{End, Lane};
use crate::conn::{ClientRequest, Hello};
use crate::session::tracker::Tracker;
use crate::settings::Settings;
use crate::stats::Mode;
use crate::sync::{lock, read};
use crate::time::Now;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use zab::{Event, LinkId, ReadId, Reader, Zxid};
use zk_proto::quorum::ForwardedRequest;
use zk_proto::{
    CreateMode, ErrorCode, Id, MultiOp, OpCode, Put, Request, Txn, TxnHeader, TxnRecord,
};
use zk_tree::{Ask, Mutant, Prep};

/// Unused znodes looked for in one go.
const CONTAINERS_AT_ONCE: usize = 10_000;

/// Something to become a txn, and who waits for it.
#[derive(Debug)]
pub(super) struct Submission {
    pub(super) session: i64,
    pub(super) cxid: i32,
    pub(super) op: OpCode,
    pub(super) body: Bytes,
    pub(super) ids: Arc<[Id]>,
    pub(super) waiter: Waiter,
    /// The learner's link that it came over; None: this server's own.
    pub(super) link: Option<LinkId>,
}

/// Who is told when the txn is applied.
#[derive(Debug, Clone)]
pub(super) enum Waiter {
    Nobody,
    /// A connection whose queue has the request at its front by then.
    Request(Arc<Lane>),
    /// A connection that waits for its session.
    Connect(Arc<Lane>, Hello),
}

/// A proposal of this server.
#[derive(Debug)]
pub(super) struct Own {
    pub(super) zxid: i64,
    pub(super) record: TxnRecord,
    pub(super) waiter: Waiter,
}

impl Waiter {
    /// The connection that waits, if one does.
    pub(super) fn lane(&self) -> Option<&Arc<Lane>> {
        match self {
            Self::Nobody => None,
            Self::Request(lane) | Self::Connect(lane, _) => Some(lane),
        }
    }
}

impl Submission {
    pub(super) fn of_client(request: ClientRequest) -> Self {
        Self {
            session: request.session,
            cxid: request.xid,
            op: request.op,
            body: request.body,
            ids: request.ids,
            waiter: Waiter::Request(request.lane),
            link: None,
        }
    }

    /// One that the server itself makes.
    pub(super) fn internal(session: i64, op: OpCode, body: Bytes, waiter: Waiter) -> Self {
        Self {
            session,
            cxid: 0,
            op,
            body,
            ids: Arc::new([]),
            waiter,
            link: None,
        }
    }

    fn forwarded(&self, op: OpCode) -> Bytes {
        ForwardedRequest {
            session_id: self.session,
            cxid: self.cxid,
            op: op.code(),
            body: self.body.clone(),
            auth: Some(if Mutant::IdentitiesNotForwarded.acts() {
                Vec::new()
            } else {
                self.ids.to_vec()
            }),
        }
        .encode()
    }
}

impl Node {
    /// Turns requests into proposals, in order; a learner passes them on.
    // spec: CP-PRE-01, CP-PRE-02, QP-BC-03. The checks see every proposal before, and each takes one zxid.
    pub(super) fn propose(
        &mut self,
        now: Now,
        batch: &mut Vec<Submission>,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        while !batch.is_empty() {
            let Some(first) = self.peer.next_zxid() else {
                return self.forward(now, batch, out);
            };
            let mut proposals = Vec::with_capacity(batch.len());
            let left = {
                let shared = Arc::clone(&self.shared);
                let tree = read(&shared.tree);
                let mut sessions = lock(&shared.sessions);
                let left = take_left(batch, &sessions);
                let room = first.counter()..=self.peer.config().counter_limit;
                let mut upgraded = self.upgrades(&sessions, batch).into_iter();
                for (counter, submission) in room.zip(&mut upgraded) {
                    let zxid = Zxid::new(first.epoch(), counter);
                    proposals.push(self.prepare(now, zxid, submission, &tree, &mut sessions));
                }
                // spec: QP-BC-04. What does not fit into the epoch waits for the next one, or goes with its leader.
                batch.extend(upgraded);
                left
            };
            self.end_left(left);
            {
                let sizes = &mut lock(&self.shared.ensemble).proposals;
                proposals
                    .iter()
                    .for_each(|(_, txn)| sizes.record(txn.len()));
            }
            self.shared.totals.proposals.add(proposals.len() as u64);
            for (own, txn) in proposals {
                let zxid = Zxid(own.zxid);
                self.own.push_back(own);
                self.handle(now, Event::Proposed { zxid, txn }, out)?;
            }
        }
        Ok(())
    }

    /// Proposes the txn that the core has asked for: the kind that a failed request leaves behind, of no session and no
    /// error, which every release logs and applies without a change to its tree.
    // spec: QP-INT-02, QP-TXN-03
    pub(super) fn open(&mut self, now: Now, out: &mut Vec<Output>) -> Result<(), NodeError> {
        let Some(zxid) = self.opening.take() else {
            return Ok(());
        };
        let record = TxnRecord {
            header: TxnHeader {
                session_id: 0,
                cxid: 0,
                zxid: zxid.0,
                time: now.wall_ms,
            },
            txn: Txn::Error {
                err: ErrorCode::Ok.code(),
            },
            digest: None,
        };
        let mut txn = Vec::new();
        record.encode(&mut txn);
        self.own.push_back(Own {
            zxid: zxid.0,
            record,
            waiter: Waiter::Nobody,
        });
        let txn = txn.into();
        self.handle(now, Event::Proposed { zxid, txn }, out)
    }

    fn prepare(
        &mut self,
        now: Now,
        zxid: Zxid,
        submission: Submission,
        tree: &zk_tree::Tree,
        sessions: &mut Tracker,
    ) -> (Own, Bytes) {
        let bugs = self.shared.settings.bugs;
        let standing = self.standing(&submission, sessions);
        let goes_with_session = if bugs.has(Bug::EphemeralWhileClosing) {
            Ok(())
        } else {
            standing.and_then(|()| self.globality(&submission, sessions))
        };
        let ask = Ask {
            header: TxnHeader {
                session_id: submission.session,
                cxid: submission.cxid,
                zxid: zxid.0,
                time: if Mutant::TimesInSeconds.acts() {
                    now.wall_ms / 1000
                } else {
                    now.wall_ms
                },
            },
            ids: &submission.ids,
            session: standing,
            // spec: CP-SES-10, INV-07. An ephemeral of a session that has ended would stay for ever.
            global_session: goes_with_session,
        };
        // spec: CP-SES-20, CP-SES-23, CP-MUL-09
        let moved = standing == Err(ErrorCode::SessionMoved);
        let record = match Request::decode(submission.op, &submission.body) {
            Ok(Some(_)) if moved => Prep::refuse(&ask, ErrorCode::SessionMoved),
            Ok(Some(Request::Reconfig(_))) if Mutant::ReconfigIsMarshallingError.acts() => {
                Prep::refuse(&ask, ErrorCode::MarshallingError)
            }
            // spec: CP-PRE-17, QP-CFG-10
            Ok(Some(Request::Reconfig(_))) if !self.shared.settings.reconfig => {
                Prep::refuse(&ask, ErrorCode::ReconfigDisabled)
            }
            Ok(Some(request)) => self
                .prep
                .prepare(tree, &self.shared.schemes, &ask, &request),
            // spec: FT-QRM-12. A learner passed on what no server may make of a client's bytes.
            Ok(None) | Err(_) => Prep::refuse(&ask, ErrorCode::MarshallingError),
        };
        if submission.op == OpCode::CreateSession {
            self.upgrading.insert(submission.session);
        }
        if submission.op == OpCode::CloseSession
            && let Some(session) = sessions.get(submission.session)
        {
            // spec: CP-SES-10. What the session sends from here on comes too late.
            session.close();
        }
        let mut bytes = Vec::with_capacity(submission.body.len() + 96);
        record.encode(&mut bytes);
        (
            Own {
                zxid: zxid.0,
                record,
                waiter: submission.waiter,
            },
            bytes.into(),
        )
    }

    /// Whether the session may still write, and over this way. A connection of a session that has moved learns of it here.
    // spec: CP-CON-26, CP-SES-20, CP-SES-21, CP-SES-22, CP-SES-15
    fn standing(&mut self, submission: &Submission, sessions: &Tracker) -> Result<(), ErrorCode> {
        if matches!(
            submission.op,
            OpCode::CreateSession | OpCode::CloseSession | OpCode::DeleteContainer
        ) {
            return Ok(());
        }
        let local = match sessions.get(submission.session) {
            Some(session) if !session.is_closing() => session.is_local(),
            None if self.may_be_local_elsewhere(submission) => return Ok(()),
            Some(_) | None => return Err(ErrorCode::SessionExpired),
        };
        let owner = match self.owners.get(&submission.session) {
            Some(owner) => *owner,
            // No txn tells of its end, so it is not kept track of.
            None if local => return Ok(()),
            None => {
                self.owners.insert(submission.session, submission.link);
                return Ok(());
            }
        };
        let fenced = !Mutant::MovedSessionWrites.acts()
            && !self.shared.settings.bugs.has(Bug::MoveWithoutFencing);
        if owner == submission.link || !fenced {
            Ok(())
        } else {
            Err(ErrorCode::SessionMoved)
        }
    }

    // spec: CP-SES-22
    fn may_be_local_elsewhere(&self, submission: &Submission) -> bool {
        self.shared.settings.local_sessions
            && zk_proto::session::created_by(submission.session)
                != i64::from(self.shared.settings.server_id.cast_signed())
    }

    /// Whether an ephemeral of the session would go with it: every server must know the session, or be about to.
    // spec: CP-CON-33, CP-CON-34, CP-SES-10
    fn globality(&self, submission: &Submission, sessions: &Tracker) -> Result<(), ErrorCode> {
        let upgrades = self.shared.settings.local_sessions_upgrading;
        if Mutant::EphemeralsOfLocalSessions.acts() || Mutant::UpgradeForgotten.acts() {
            return Ok(());
        }
        if self.upgrading.contains(&submission.session) {
            return Ok(());
        }
        match sessions.get(submission.session) {
            Some(session) if session.is_local() && !upgrades => {
                Err(ErrorCode::EphemeralOnLocalSession)
            }
            Some(_) => Ok(()),
            // A learner's local session. Apache's learner says why only if it is the request's only error.
            None if !upgrades && submission.op != OpCode::Multi => {
                Err(ErrorCode::EphemeralOnLocalSession)
            }
            None => Err(ErrorCode::SessionExpired),
        }
    }

    /// Puts a createSession before the first ephemeral of a local session.
    // spec: CP-CON-33, CP-CON-34, QP-TXN-07
    fn upgrades(&mut self, sessions: &Tracker, batch: &mut Vec<Submission>) -> Vec<Submission> {
        if !self.shared.settings.local_sessions_upgrading || Mutant::UpgradeForgotten.acts() {
            return std::mem::take(batch);
        }
        let mut all = Vec::with_capacity(batch.len());
        for submission in batch.drain(..) {
            if let Some(session) = sessions.get(submission.session)
                && session.is_local()
                && makes_ephemeral(&submission)
                && self.upgrading.insert(session.id)
            {
                let mut timeout = Vec::new();
                timeout.put_int(i32::try_from(session.timeout_ms).unwrap_or(i32::MAX));
                all.push(Submission::internal(
                    session.id,
                    OpCode::CreateSession,
                    timeout.into(),
                    Waiter::Nobody,
                ));
            }
            all.push(submission);
        }
        all
    }

    /// A learner's way of writing: the leader decides, the commit comes back in order.
    // spec: QP-BC-01, QP-BC-02
    fn forward(
        &mut self,
        now: Now,
        batch: &mut Vec<Submission>,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        if !matches!(self.shared.mode(), Mode::Follower | Mode::Observer) {
            for submission in batch.drain(..) {
                self.give_up(&submission.waiter);
            }
            return Ok(());
        }
        let (left, upgraded) = {
            let shared = Arc::clone(&self.shared);
            let sessions = lock(&shared.sessions);
            let left = take_left(batch, &sessions);
            (left, self.upgrades(&sessions, batch))
        };
        self.end_left(left);
        for submission in upgraded {
            let request = submission.forwarded(submission.op);
            self.waiting
                .entry(submission.session)
                .or_default()
                .push_back((submission.cxid, submission.waiter));
            self.handle(now, Event::Forwarded { request }, out)?;
        }
        Ok(())
    }

    /// Ends connections that their sessions have left.
    pub(super) fn end_left(&mut self, left: Vec<Arc<Lane>>) {
        for lane in left {
            lane.lock().end = End::Now;
            self.rings.push(lane);
        }
    }

    /// The server cannot serve: the client must try another one.
    pub(super) fn give_up(&mut self, waiter: &Waiter) {
        if let Some(lane) = waiter.lane() {
            lane.lock().end = End::Now;
            self.rings.push(Arc::clone(lane));
        }
    }

    /// A sync, or the end of a local session: due once all that its session sent before is applied,
    /// and (at a leader) a quorum still follows.
    // spec: CP-ORD-20, CP-ORD-21, CP-ORD-22, QP-BC-15, INV-05
    pub(super) fn sync(
        &mut self,
        now: Now,
        submission: Submission,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        let bugs = self.shared.settings.bugs;
        let session = submission.session;
        let left = has_left(&submission, &lock(&self.shared.sessions)).cloned();
        if let Some(lane) = left {
            self.end_left(vec![lane]);
            return Ok(());
        }
        if let Some(link) = submission.link {
            // At a leader alone, which may not serve yet: the core knows when the answer is due.
            let by = Reader::Learner(link);
            return self.handle(now, Event::Asked { by }, out);
        }
        if submission.op == OpCode::CloseSession
            && let Some(session) = lock(&self.shared.sessions).get(session)
        {
            // spec: CP-SES-10. Nobody may come back to it while its end waits for what it wrote.
            session.close();
        }
        match self.shared.mode() {
            Mode::Standalone | Mode::Leader => {
                self.next_read += 1;
                self.syncs.insert(self.next_read, submission);
                if bugs.has(Bug::SyncOfDeposedLeader) && !self.writes_wait(session) {
                    let read = ReadId(self.next_read);
                    self.committed.push_back(Committed::Confirmed(read));
                    return Ok(());
                }
                self.handle(
                    now,
                    Event::Asked {
                        by: Reader::Host(ReadId(self.next_read)),
                    },
                    out,
                )
            }
            Mode::Follower | Mode::Observer if Mutant::SyncStaysLocal.acts() => {
                let shared = Arc::clone(&self.shared);
                self.synced(now, &read(&shared.tree), submission);
                Ok(())
            }
            Mode::Follower | Mode::Observer => {
                let request = submission.forwarded(OpCode::Sync);
                self.learner_syncs.push_back(submission);
                self.handle(now, Event::Forwarded { request }, out)
            }
            Mode::ReadOnly => {
                // The end of a local session, the only thing here that a client may change.
                self.end_reader(now, submission);
                Ok(())
            }
            Mode::NotServing => {
                self.give_up_sync(&submission);
                Ok(())
            }
        }
    }

    /// A local session that is being closed ends even so: no other server has it.
    pub(super) fn give_up_sync(&mut self, submission: &Submission) {
        self.give_up(&submission.waiter);
        if submission.op == OpCode::CloseSession {
            self.close_local(submission.session, None);
        }
    }

    /// Whether a session's own writes are not applied yet.
    fn writes_wait(&self, session: i64) -> bool {
        let mut own = self.own.iter();
        own.any(|own| own.record.header.session_id == session)
    }

    /// A learner's request, at the leader.
    pub(super) fn requested(&mut self, link: LinkId, request: &Bytes) {
        // spec: FT-QRM-12. Members are trusted with their clients' sessions, and with nothing that makes no sense.
        let Ok(request) = ForwardedRequest::decode(request) else {
            self.shared.totals.peer_errors.add(1);
            return;
        };
        let op = OpCode::from_code(request.op).unwrap_or(OpCode::Error);
        self.forwarded.push(Submission {
            session: request.session_id,
            cxid: request.cxid,
            op,
            body: request.body,
            ids: request.auth.unwrap_or_default().into(),
            waiter: Waiter::Nobody,
            link: Some(link),
        });
    }

    /// Removes containers and TTL nodes whose time is over, a few at a time.
    // spec: CP-EPH-20, FT-LOAD-16
    pub(super) fn remove_containers(&mut self, now: Now, batch: &mut Vec<Submission>) {
        if self.peer.next_zxid().is_none() || self.containers.next_ms() > now.mono_ms {
            return;
        }
        if self.containers.queue.is_empty() {
            let never_used_ms = self.shared.settings.container.max_never_used_ms;
            let never_used_ms = i64::try_from(never_used_ms).unwrap_or(i64::MAX);
            self.containers.queue = read(&self.shared.tree)
                .unused(now.wall_ms, never_used_ms, CONTAINERS_AT_ONCE)
                .into();
            self.containers.found(now.mono_ms);
        }
        if let Some(path) = self.containers.take(now.mono_ms) {
            let mut body = Vec::new();
            body.put_string(&path);
            batch.push(Submission::internal(
                0,
                OpCode::DeleteContainer,
                body.into(),
                Waiter::Nobody,
            ));
        }
    }
}

/// The connection that a request came over, if its session has come back over another one of this server before the
/// request was looked at.
// spec: CP-CON-20, CP-SES-20. That closed the old connection, so what it still brings counts as unread. Carried
// out, it could come after what the session did at another server in between: coming back made this one the owner.
fn has_left<'a>(submission: &'a Submission, sessions: &Tracker) -> Option<&'a Arc<Lane>> {
    let Waiter::Request(lane) = &submission.waiter else {
        return None;
    };
    let session = sessions.get(submission.session)?;
    (session.has_left(lane.id) && !Mutant::OldConnectionStays.acts()).then_some(lane)
}

/// Takes out of `batch` what came over connections that their sessions have left; returns those.
fn take_left(batch: &mut Vec<Submission>, sessions: &Tracker) -> Vec<Arc<Lane>> {
    let mut left = Vec::new();
    batch.retain(|submission| {
        let lane = has_left(submission, sessions);
        left.extend(lane.cloned());
        lane.is_none()
    });
    left
}

/// Whether a request wants a znode that goes with its session.
fn makes_ephemeral(submission: &Submission) -> bool {
    let ephemeral = |flags| CreateMode::from_flags(flags).is_some_and(CreateMode::is_ephemeral);
    match Request::decode(submission.op, &submission.body) {
        Ok(Some(Request::Create(create) | Request::Create2(create))) => ephemeral(create.flags),
        Ok(Some(Request::Multi(ops))) => ops.iter().any(|op| match op {
            MultiOp::Create(create) | MultiOp::Create2(create) => ephemeral(create.flags),
            MultiOp::CreateContainer(_)
            | MultiOp::CreateTtl(..)
            | MultiOp::Delete(_)
            | MultiOp::SetData(_)
            | MultiOp::Check(_)
            | MultiOp::GetChildren(_)
            | MultiOp::GetData(_) => false,
        }),
        Ok(Some(
            Request::CreateContainer(_)
            | Request::CreateTtl(..)
            | Request::Delete(_)
            | Request::DeleteContainer { .. }
            | Request::Exists(_)
            | Request::GetData(_)
            | Request::SetData(_)
            | Request::GetAcl { .. }
            | Request::SetAcl { .. }
            | Request::GetChildren(_)
            | Request::GetChildren2(_)
            | Request::Sync { .. }
            | Request::Ping
            | Request::Check(_)
            | Request::MultiRead(_)
            | Request::Reconfig(_)
            | Request::CheckWatches(_)
            | Request::RemoveWatches(_)
            | Request::AddWatch(_)
            | Request::Auth(_)
            | Request::Sasl { .. }
            | Request::SetWatches(_)
            | Request::SetWatches2(_)
            | Request::GetEphemerals { .. }
            | Request::GetAllChildrenNumber { .. }
            | Request::WhoAmI
            | Request::CreateSession { .. }
            | Request::CloseSession,
        )) => false,
        Ok(None) | Err(_) => false,
    }
}

/// The pace at which unused znodes go.
#[derive(Debug)]
pub(super) struct Containers {
    queue: VecDeque<String>,
    check_interval_ms: u64,
    gap_ms: u64,
    next_check_ms: u64,
    next_removal_ms: u64,
}

impl Containers {
    pub(super) fn new(settings: &Settings, now_ms: u64) -> Self {
        let check_interval_ms = u64::from(settings.container.check_interval_ms.max(1));
        Self {
            queue: VecDeque::new(),
            check_interval_ms,
            gap_ms: 60_000 / u64::from(settings.container.max_per_minute.max(1)),
            next_check_ms: now_ms + check_interval_ms,
            next_removal_ms: 0,
        }
    }

    pub(super) fn next_ms(&self) -> u64 {
        if self.queue.is_empty() {
            self.next_check_ms
        } else {
            self.next_removal_ms
        }
    }

    fn found(&mut self, now_ms: u64) {
        self.next_check_ms = now_ms + self.check_interval_ms;
        self.next_removal_ms = now_ms;
    }

    fn take(&mut self, now_ms: u64) -> Option<String> {
        self.next_removal_ms = now_ms + self.gap_ms.max(1);
        self.queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_znodes_go_one_by_one_at_their_pace() {
        // spec: CP-EPH-20, FT-LOAD-16
        let mut containers = Containers::new(&Settings::default(), 0);
        assert_eq!(containers.next_ms(), 60_000);
        containers.queue = ["/a".to_owned(), "/b".to_owned()].into();
        containers.found(60_000);
        assert_eq!(containers.next_ms(), 60_000);
        assert_eq!(containers.take(60_000).as_deref(), Some("/a"));
        assert_eq!(containers.next_ms(), 60_006);
        assert_eq!(containers.take(60_006).as_deref(), Some("/b"));
        assert_eq!(containers.next_ms(), 120_000);
    }
}
