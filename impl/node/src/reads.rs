//! Answers what needs no txn: order check, look-up, encoding and watch registration, over
//! a tree that any number of callers may share. Connections run it on their own
//! threads; the driver runs it for reads that waited behind a write.

use crate::conn::lane::{End, Lane, LaneState, Queued};
use crate::shared::Shared;
use crate::stats::Latency;
use crate::time::Now;
use crate::watching;
use std::cell::Cell;
use zk_proto::jute::frame;
use zk_proto::{ErrorCode, Id, MultiResult, OpCode, ReplyHeader, Request, Response};
use zk_tree::{Mutant, Outcome, Reader, Tree};

/// Answers to reads after which whoever runs them does something else first, bytes.
const TURN_BYTES: usize = 1 << 20;

/// What was read in one turn. A client may ask for far more at once than the pings of its server, or the writers that
/// wait for the tree, have time for.
// spec: FT-LOAD-10, P-BOUND
#[derive(Debug, Default)]
pub(crate) struct Turn {
    bytes: Cell<usize>,
    walked: Cell<bool>,
}

impl Turn {
    fn count(&self, op: OpCode, bytes: usize) {
        self.bytes.set(self.bytes.get() + bytes);
        if walks(op) {
            self.walked.set(true);
        }
    }

    /// Whether the rest should wait for the next turn.
    pub(crate) fn is_over(&self) -> bool {
        self.walked.get() || self.bytes.get() >= TURN_BYTES
    }

    /// Whether this one may still run: what does not walk need not wait for what does.
    fn allows(&self, queued: &Queued) -> bool {
        match queued {
            Queued::Read { op, .. } => {
                self.bytes.get() < TURN_BYTES && !(walks(*op) && self.walked.get())
            }
            Queued::Awaited { .. } | Queued::Refused { .. } => true,
        }
    }
}

/// Whether a read looks at more znodes than its answer tells of: at a whole subtree, at all ephemerals of a session.
fn walks(op: OpCode) -> bool {
    matches!(op, OpCode::GetAllChildrenNumber | OpCode::GetEphemerals)
}

/// What reads of one hold of the tree's lock share.
#[derive(Debug)]
pub(crate) struct ReadSide<'a> {
    pub(crate) shared: &'a Shared,
    /// None only where no request needs it.
    pub(crate) tree: Option<&'a Tree>,
    pub(crate) now: Now,
    pub(crate) turn: &'a Turn,
    /// Of the replies so far.
    latency: Cell<Latency>,
}

/// One request, and the identities that the connection had when it arrived.
#[derive(Debug)]
pub(crate) struct ReadRequest<'a> {
    pub(crate) xid: i32,
    pub(crate) op: OpCode,
    pub(crate) body: &'a [u8],
    pub(crate) ids: &'a [Id],
    pub(crate) received_ms: u64,
}

impl<'a> ReadSide<'a> {
    pub(crate) fn new(
        shared: &'a Shared,
        tree: Option<&'a Tree>,
        now: Now,
        turn: &'a Turn,
    ) -> Self {
        Self {
            shared,
            tree,
            now,
            turn,
            latency: Cell::new(Latency::default()),
        }
    }

    /// What its replies took.
    pub(crate) fn latency(&self) -> Latency {
        self.latency.get()
    }

    /// Tells the server what its replies took.
    pub(crate) fn finish(self) {
        self.shared.record_latency(&self.latency());
    }

    /// Appends the answer to a read that is at the front of its connection's order.
    // spec: CP-OP-05, CP-ORD-01
    pub(crate) fn serve(&self, lane: &Lane, state: &mut LaneState, request: &ReadRequest<'_>) {
        let zxid = if Mutant::ReadWithoutZxid.acts() {
            0
        } else {
            self.shared.applied()
        };
        // spec: CP-OP-01, CP-OP-34
        let xid = if request.op == OpCode::Ping && !Mutant::PingEchoesXid.acts() {
            zk_proto::xid::PING
        } else if Mutant::ReadsAreNumbered.acts() && request.op != OpCode::Ping {
            i32::try_from(state.sent + 1).unwrap_or(i32::MAX)
        } else if Mutant::SetWatchesHasOneXid.acts() && request.op == OpCode::SetWatches {
            zk_proto::xid::SET_WATCHES
        } else {
            request.xid
        };
        let session = state
            .attached
            .as_ref()
            .map_or(0, |attached| attached.session.id);
        // Events of a watch reset come first, so they are appended beside the reply's frame.
        let out = &mut state.out;
        let before = out.len();
        let decoded = Request::decode(request.op, request.body).ok().flatten();
        if decoded.is_none() && Mutant::DamagedReadCloses.acts() {
            state.end = End::Now;
            return;
        }
        if let (Some(Request::SetWatches(lists) | Request::SetWatches2(lists)), Some(tree)) =
            (&decoded, self.tree)
            && !Mutant::CatchUpAfterReply.acts()
        {
            watching::restore(self.shared, tree, lane.id, lists, out);
        }
        frame(out, |out| {
            let start = out.len();
            ReplyHeader { xid, zxid, err: 0 }.write(out);
            let answer = match &decoded {
                Some(decoded) => self.body(lane, session, decoded, request.ids, out),
                // spec: CP-FRM-10
                None => Err(ErrorCode::MarshallingError),
            };
            if let Err(error) = answer {
                // spec: CP-ERR-02
                out.truncate(start);
                ReplyHeader {
                    xid,
                    zxid,
                    err: error.code(),
                }
                .write(out);
            }
        });
        if let (Some(Request::SetWatches(lists) | Request::SetWatches2(lists)), Some(tree)) =
            (&decoded, self.tree)
            && Mutant::CatchUpAfterReply.acts()
        {
            watching::restore(self.shared, tree, lane.id, lists, out);
        }
        self.turn.count(request.op, out.len() - before);
        state.sent += 1;
        self.answered(state, request.op, xid, zxid, request.received_ms);
    }

    fn body(
        &self,
        lane: &Lane,
        session: i64,
        request: &Request<'_>,
        ids: &[Id],
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let Some(tree) = self.tree else { return Ok(()) };
        match request {
            Request::Ping | Request::SetWatches(_) | Request::SetWatches2(_) => Ok(()),
            Request::AddWatch(body) if Mutant::AddWatchNeedsPermission.acts() => {
                let reader = Reader {
                    schemes: &self.shared.schemes,
                    ids,
                    session,
                };
                match tree.exists(&body.path, &reader, &mut Vec::new()) {
                    Err(ErrorCode::NoAuth) => Err(ErrorCode::NoAuth),
                    Ok(()) | Err(_) => watching::add(self.shared, lane.id, body, out),
                }
            }
            Request::AddWatch(body) => watching::add(self.shared, lane.id, body, out),
            Request::CheckWatches(body) => watching::check(self.shared, lane.id, body),
            Request::RemoveWatches(body) => watching::remove(self.shared, lane.id, body),
            Request::Exists(_)
            | Request::GetData(_)
            | Request::GetAcl { .. }
            | Request::GetChildren(_)
            | Request::GetChildren2(_)
            | Request::MultiRead(_)
            | Request::GetEphemerals { .. }
            | Request::GetAllChildrenNumber { .. }
            | Request::WhoAmI => {
                let reader = Reader {
                    schemes: &self.shared.schemes,
                    ids,
                    session,
                };
                let answer = tree.read(request, &reader, out);
                watching::register(self.shared, lane.id, request, answer);
                answer
            }
            // No route leads here.
            Request::Create(_)
            | Request::Create2(_)
            | Request::CreateContainer(_)
            | Request::CreateTtl(..)
            | Request::Delete(_)
            | Request::DeleteContainer { .. }
            | Request::SetData(_)
            | Request::SetAcl { .. }
            | Request::Sync { .. }
            | Request::Check(_)
            | Request::Multi(_)
            | Request::Reconfig(_)
            | Request::Auth(_)
            | Request::Sasl { .. }
            | Request::CreateSession { .. }
            | Request::CloseSession => Err(ErrorCode::Unimplemented),
        }
    }

    /// Answers a write or sync that is at the front of its connection's queue, and the reads behind it
    /// up to the next one. True: the turn was over before those were all answered.
    // spec: CP-ORD-01, CP-OP-04, INV-03. A read sent between two writes sees the first and not the second,
    // so it runs before the session's next one is applied.
    #[must_use]
    pub(crate) fn complete(&self, lane: &Lane, xid: i32, outcome: Outcome<'_>) -> bool {
        let mut state = lane.lock();
        self.answer(&mut state, xid, outcome) && self.run_queue(lane, &mut state)
    }

    /// Answers reads of an earlier turn. True: this one was over too before those were all answered.
    #[must_use]
    pub(crate) fn go_on(&self, lane: &Lane) -> bool {
        self.run_queue(lane, &mut lane.lock())
    }

    /// False: nothing further happens to the queue.
    fn answer(&self, state: &mut LaneState, xid: i32, outcome: Outcome<'_>) -> bool {
        if state.end == End::Now || self.overflowed(state) {
            return false;
        }
        let Some(Queued::Awaited {
            xid: expected,
            op,
            received_ms,
            ..
        }) = state.queue.front()
        else {
            return false;
        };
        let (expected, op, received_ms) = (*expected, *op, *received_ms);
        if expected != xid {
            return false;
        }
        let Some(answered) = self.shared.unqueue(state) else {
            return false;
        };
        let mut zxid = self.shared.applied();
        if Mutant::WriteWithOldZxid.acts() && outcome.is_ok() {
            zxid -= 1;
        }
        if Mutant::FailedMultiWithOldZxid.acts()
            && matches!(&outcome, Ok(Response::Multi(results))
                if results.iter().any(|result| matches!(result, MultiResult::Error(_))))
        {
            zxid -= 1;
        }
        if Mutant::FailureWithoutZxid.acts() && outcome.is_err() {
            zxid = 0;
        }
        if op == OpCode::CloseSession && Mutant::CloseUnanswered.acts() {
            state.end = End::Now;
            return false;
        }
        match outcome {
            Ok(mut response) => {
                if let Queued::Awaited { path_only, .. } = &answered {
                    path_only.narrow(&mut response);
                }
                state.reply(xid, zxid, ErrorCode::Ok, |out| response.encode(out));
            }
            // spec: CP-SES-20, CP-CON-26, CP-MUL-09. This close is how the old server learns of the move.
            Err(moved) if moved == ErrorCode::SessionMoved.code() => {
                state.end = End::Now;
                return false;
            }
            // spec: CP-ERR-03
            Err(error) => state.reply_error(xid, zxid, error),
        }
        self.answered(state, op, xid, zxid, received_ms);
        if op == OpCode::CloseSession && !Mutant::CloseLeavesConnection.acts() {
            // spec: CP-OP-35
            state.close_after_output();
        }
        true
    }

    /// Ends a connection whose client leaves too much unread.
    // spec: FT-LOAD-11, CP-FRM-07. Judged before the next reply: one may be as long as it likes.
    fn overflowed(&self, state: &mut LaneState) -> bool {
        if state.overflows() {
            self.shared.totals.overflows.add(1);
            state.end = End::Now;
        }
        state.end == End::Now
    }

    /// Runs what stands at the front and waits for nobody. True: the turn was over before.
    fn run_queue(&self, lane: &Lane, state: &mut LaneState) -> bool {
        while state.end == End::Open
            && let Some(front) = state.queue.front()
            && !matches!(front, Queued::Awaited { .. })
        {
            if !self.turn.allows(front) {
                return true;
            }
            if self.overflowed(state) {
                return false;
            }
            let Some(queued) = self.shared.unqueue(state) else {
                return false;
            };
            match &queued {
                Queued::Awaited { .. } => {}
                Queued::Refused { .. } => self.refuse(state, &queued),
                Queued::Read {
                    xid,
                    op,
                    body,
                    ids,
                    received_ms,
                } => {
                    let request = ReadRequest {
                        xid: *xid,
                        op: *op,
                        body,
                        ids,
                        received_ms: *received_ms,
                    };
                    self.serve(lane, state, &request);
                }
            }
        }
        false
    }

    /// Appends a refusal whose turn has come.
    pub(crate) fn refuse(&self, state: &mut LaneState, queued: &Queued) {
        let Queued::Refused {
            xid,
            zxid,
            error,
            close,
        } = queued
        else {
            return;
        };
        let zxid = zxid.unwrap_or_else(|| self.shared.applied());
        state.reply_error(*xid, zxid, error.code());
        if *close {
            state.close_after_output();
        }
    }

    fn answered(&self, state: &mut LaneState, op: OpCode, xid: i32, zxid: i64, received_ms: u64) {
        let elapsed_ms = state.answered(op, xid, zxid, received_ms, self.now.mono_ms);
        let mut latency = self.latency.get();
        latency.record(elapsed_ms);
        self.latency.set(latency);
        self.shared.totals.sent.add(1);
    }
}
