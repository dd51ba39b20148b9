//! From a committed txn to the tree, the watchers and the one who waits for the reply.

use super::digests::Verdict;
use super::write::{Submission, Waiter};
use super::{Committed, Node, NodeError, Output};
use crate::conn::lane::{End, Lane};
use crate::reads::{ReadSide, Turn};
use crate::stats::Mode;
use crate::sync::{lock, read, write};
use crate::time::Now;
use crate::watching;
use std::sync::Arc;
use zab::{Proposal, Zxid};
use zk_proto::{OpCode, Reader, Request, Response, Txn, TxnHeader, TxnRecord};
use zk_tree::{Mutant, Outcome, Tree};

/// Txns applied under one hold of the tree's lock; then readers get a turn.
const CHUNK: usize = 256;

impl Node {
    /// Applies what is committed, but for what waits for reads that this turn has no time for: then `next_ms` is past.
    pub(super) fn apply(&mut self, now: Now, out: &mut Vec<Output>) -> Result<(), NodeError> {
        self.turn = Turn::default();
        self.read_on(now);
        while self.may_apply() {
            let shared = Arc::clone(&self.shared);
            let mut tree = write(&shared.tree);
            for _ in 0..CHUNK {
                if !self.may_apply() {
                    break;
                }
                let Some(committed) = self.committed.pop_front() else {
                    break;
                };
                match committed {
                    Committed::Txn(proposal) => self.apply_txn(now, &mut tree, proposal)?,
                    Committed::Confirmed(read) => {
                        if let Some(submission) = self.syncs.remove(&read.0) {
                            self.synced(now, &tree, submission);
                        }
                    }
                    Committed::Synced => {
                        if let Some(submission) = self.learner_syncs.pop_front() {
                            self.synced(now, &tree, submission);
                        }
                    }
                }
            }
            drop(tree);
            self.ring();
        }
        self.shared
            .record_latency(&std::mem::take(&mut self.latency));
        out.extend(self.diverged.take().map(|zxid| Output::Diverged { zxid }));
        self.flush_answers(now, out)
    }

    /// Applies everything committed so far, before the role changes. Connections whose reads would take another turn end.
    pub(super) fn apply_all(&mut self, now: Now, out: &mut Vec<Output>) -> Result<(), NodeError> {
        loop {
            self.apply(now, out)?;
            if self.committed.is_empty() {
                return Ok(());
            }
            let behind = std::mem::take(&mut self.behind);
            self.end_left(behind.into_iter().map(|(_, lane)| lane).collect());
        }
    }

    fn may_apply(&self) -> bool {
        let next = self.committed.front();
        next.is_some_and(|next| self.behind.is_empty() || self.place_behind(next).is_none())
    }

    /// Where in `behind` the session is that this belongs to: its reads come first.
    // spec: CP-ORD-01, INV-03
    fn place_behind(&self, committed: &Committed) -> Option<usize> {
        let session = match committed {
            Committed::Txn(proposal) => {
                let header = TxnHeader::read(&mut Reader::new(&proposal.txn));
                header.ok()?.0.session_id
            }
            Committed::Confirmed(read) => self.syncs.get(&read.0)?.session,
            Committed::Synced => self.learner_syncs.front()?.session,
        };
        self.behind.iter().position(|(of, _)| *of == session)
    }

    /// Reads left over by the turn before, those first for which a txn waits.
    fn read_on(&mut self, now: Now) {
        if self.behind.is_empty() {
            return;
        }
        let next = self.committed.front();
        if let Some(place) = next.and_then(|next| self.place_behind(next)) {
            self.behind.swap(0, place);
        }
        let shared = Arc::clone(&self.shared);
        let tree = read(&shared.tree);
        let side = ReadSide::new(&shared, Some(&tree), now, &self.turn);
        while !self.turn.is_over()
            && let Some((session, lane)) = self.behind.pop_front()
        {
            if side.go_on(&lane) {
                self.behind.push_back((session, Arc::clone(&lane)));
            }
            self.rings.push(lane);
        }
        self.latency.merge(&side.latency());
    }

    // spec: CP-ORD-02, CP-ORD-04, CP-WAT-32, INV-08. All of it under the tree's lock: tree, then events,
    // then the zxid that replies show, then the reply. Each server does so when its commit comes (CP-WAT-37).
    fn apply_txn(
        &mut self,
        now: Now,
        tree: &mut Tree,
        proposal: Proposal<bytes::Bytes>,
    ) -> Result<(), NodeError> {
        let zxid = proposal.zxid;
        let (record, waiter) = self.take_record(proposal)?;
        // The tree may already hold the end of the log (`zab`'s contract for a restarted host).
        if zxid.0 <= tree.last_zxid() {
            return Ok(());
        }
        self.shared.totals.commits.add(1);
        let mut triggers = Vec::new();
        let outcome = tree.apply(&record.header, &record.txn, &mut triggers);
        if record.digest.is_some() && record.digest == tree.txn_digest() {
            tree.confirm();
        }
        self.compare(zxid, &record, tree);
        self.prep.applied(zxid.0);
        if !Mutant::EventAfterReply.acts() {
            watching::notify(&self.shared, tree, &triggers, zxid.0, &mut self.rings);
        }
        self.shared.set_applied(zxid.0);
        let session = record.header.session_id;
        match &record.txn {
            Txn::CreateSession { timeout } => {
                self.session_created(
                    now,
                    session,
                    *timeout,
                    matches!(waiter, Waiter::Connect(..)),
                );
            }
            Txn::CloseSession { .. } => self.session_closed(session, &waiter),
            Txn::Error { .. }
            | Txn::Create(_)
            | Txn::Delete { .. }
            | Txn::DeleteContainer { .. }
            | Txn::SetData { .. }
            | Txn::Reconfig { .. }
            | Txn::SetAcl { .. }
            | Txn::Check { .. }
            | Txn::Multi(_) => {}
        }
        match waiter {
            Waiter::Nobody => {}
            Waiter::Request(lane) => self.complete(now, tree, &lane, &record, outcome),
            Waiter::Connect(lane, hello) => {
                let known = lock(&self.shared.sessions).get(session).map(Arc::clone);
                match known {
                    Some(session) => self.establish(now, &lane, session, hello),
                    None => self.refuse_session(&lane, hello),
                }
            }
        }
        if Mutant::EventAfterReply.acts() {
            watching::notify(&self.shared, tree, &triggers, zxid.0, &mut self.rings);
        }
        Ok(())
    }

    fn compare(&mut self, zxid: Zxid, record: &TxnRecord, tree: &Tree) {
        match self.digests.compare(record.digest, tree.txn_digest()) {
            Verdict::Nothing => {}
            Verdict::Differs { first } => {
                self.shared.totals.digest_mismatches.add(1);
                if first {
                    self.diverged = Some(zxid);
                }
            }
        }
    }

    /// The decoded txn, and who waits for it here.
    fn take_record(
        &mut self,
        proposal: Proposal<bytes::Bytes>,
    ) -> Result<(TxnRecord, Waiter), NodeError> {
        while let Some(own) = self.own.front() {
            if own.zxid > proposal.zxid.0 {
                break;
            }
            if let Some(own) = self.own.pop_front()
                && own.zxid == proposal.zxid.0
            {
                return Ok((own.record, own.waiter));
            }
        }
        let record = TxnRecord::decode(&proposal.txn).map_err(|source| NodeError::Txn {
            zxid: proposal.zxid,
            source,
        })?;
        let waiter = self.take_waiting(&record);
        Ok((record, waiter))
    }

    /// At a learner: whoever of this server's clients sent it.
    // spec: QP-BC-11. A session's requests come back in the order in which they were forwarded.
    fn take_waiting(&mut self, record: &TxnRecord) -> Waiter {
        let header = &record.header;
        let Some(waiting) = self.waiting.get_mut(&header.session_id) else {
            return Waiter::Nobody;
        };
        if waiting.front().is_none_or(|(cxid, _)| *cxid != header.cxid) {
            return Waiter::Nobody;
        }
        let waiter = waiting
            .pop_front()
            .map_or(Waiter::Nobody, |(_, waiter)| waiter);
        if waiting.is_empty() {
            self.waiting.remove(&header.session_id);
        }
        waiter
    }

    fn complete(
        &mut self,
        now: Now,
        tree: &Tree,
        lane: &Arc<Lane>,
        record: &TxnRecord,
        outcome: Outcome<'_>,
    ) {
        let side = ReadSide::new(&self.shared, Some(tree), now, &self.turn);
        if side.complete(lane, record.header.cxid, outcome) {
            let session = record.header.session_id;
            self.behind.push_back((session, Arc::clone(lane)));
        }
        self.latency.merge(&side.latency());
        self.rings.push(Arc::clone(lane));
    }

    /// A sync, or the end of a local session, whose moment has come.
    // spec: CP-RO-05
    pub(super) fn end_reader(&mut self, now: Now, submission: Submission) {
        let shared = Arc::clone(&self.shared);
        let tree = read(&shared.tree);
        self.synced(now, &tree, submission);
    }

    // spec: CP-ORD-22. No txn, no zxid; nobody asks whether the session still stands.
    pub(super) fn synced(&mut self, now: Now, tree: &Tree, submission: Submission) {
        let Waiter::Request(lane) = &submission.waiter else {
            return;
        };
        let side = ReadSide::new(&self.shared, Some(tree), now, &self.turn);
        let request = Request::decode(submission.op, &submission.body);
        let response = if let Ok(Some(Request::Sync { path })) = request {
            // spec: CP-OP-27
            Response::Sync(if Mutant::SyncWithoutPath.acts() {
                "".into()
            } else {
                path
            })
        } else {
            Response::Empty
        };
        if side.complete(lane, submission.cxid, Ok(response)) {
            self.behind
                .push_back((submission.session, Arc::clone(lane)));
        }
        self.latency.merge(&side.latency());
        self.rings.push(Arc::clone(lane));
        if submission.op == OpCode::CloseSession {
            self.close_local(submission.session, Some(lane.id));
        }
    }

    fn session_created(&mut self, now: Now, session: i64, timeout_ms: i32, mine: bool) {
        self.upgrading.remove(&session);
        let timeout_ms = u32::try_from(timeout_ms).unwrap_or(0);
        let mut sessions = lock(&self.shared.sessions);
        // spec: CP-CON-34
        if let Some(known) = sessions.get(session) {
            known.make_global();
        } else if mine || matches!(self.shared.mode(), Mode::Standalone | Mode::Leader) {
            sessions.start(now.mono_ms, session, timeout_ms, false);
        }
    }

    /// Everything of a closed session goes; its connection too.
    // spec: CP-SES-12, CP-CON-27, CP-OP-35
    fn session_closed(&mut self, session: i64, waiter: &Waiter) {
        lock(&self.shared.sessions).remove(session);
        self.owners.remove(&session);
        let lane = lock(&self.shared.lanes).by_session.remove(&session);
        if let Some(lane) = lane
            && !Mutant::ExpiryLeavesConnection.acts()
            && waiter.lane().is_none_or(|waiting| waiting.id != lane.id)
        {
            lane.lock().end = End::Now;
            self.rings.push(lane);
        }
    }

    /// The zxid of the newest txn in the tree.
    #[must_use]
    pub fn applied(&self) -> Zxid {
        Zxid(self.shared.applied())
    }
}
