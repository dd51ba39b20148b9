//! The requests of an open connection: each is answered at once, queued behind the
//! connection's own writes, or refused.

use super::frame::{Cut, cut};
use super::lane::{
    Attached, End, LaneState, MAX_QUEUED, MAX_QUEUED_BYTES, PAUSE_OUTPUT_BYTES, Queued,
};
use super::route::{Route, route};
use super::{Ask, ClientRequest, Conn, Phase, auth};
use crate::reads::{ReadRequest, ReadSide, Turn};
use crate::shared::Shared;
use crate::sync::read;
use crate::time::Now;
use bytes::Bytes;
use std::sync::Arc;
use zk_proto::{ErrorCode, OpCode, Reader, Request, RequestHeader};
use zk_tree::{Mutant, PathOnly};

/// Requests handled under one hold of the locks.
const BATCH: usize = 256;

/// Backpressure: no further request of this connection is started for now.
// spec: CP-THR-02, FT-LOAD-10, FT-LOAD-11, P-BOUND
pub(super) fn stalled(shared: &Shared, state: &LaneState) -> bool {
    state.queue.len() >= MAX_QUEUED
        || state.queued_bytes >= MAX_QUEUED_BYTES
        || state.out.len() >= PAUSE_OUTPUT_BYTES
        || (!state.queue.is_empty() && shared.over_outstanding_limit())
}

/// What to do after one request.
enum Step {
    Next,
    /// This one must be looked at again, with the tree at hand.
    NeedsTree,
    /// The others have a turn now.
    TurnOver,
    /// This one waits for the server's other requests.
    Throttled,
    /// Nothing more of this connection.
    Stop,
}

/// One request as it lies in the frame.
struct Incoming<'a> {
    header: RequestHeader,
    body: &'a [u8],
    frame_bytes: usize,
}

impl Conn {
    /// How many of `bytes` are done with.
    pub(super) fn requests(
        &mut self,
        now: Now,
        attached: &Attached,
        bytes: &[u8],
        asks: &mut Vec<Ask>,
    ) -> usize {
        if self.shared.has_slept(now) {
            self.lane.lock().end = End::Now;
            return bytes.len();
        }
        let mut used = 0;
        let mut needs_tree = starts_with_read(bytes);
        loop {
            let rest = bytes.get(used..).unwrap_or_default();
            let (step, advanced) = self.batch(now, attached, rest, asks, needs_tree);
            used += advanced;
            match step {
                Some(Step::NeedsTree) => needs_tree = true,
                Some(Step::Next) => needs_tree = false,
                Some(Step::TurnOver) => {
                    self.turn_over = used < bytes.len();
                    if self.turn_over {
                        self.lane.ring();
                    }
                    return used;
                }
                Some(Step::Stop) => return bytes.len(),
                Some(Step::Throttled) | None => return used,
            }
        }
    }

    /// Handles requests under one hold of the locks. No step: the bytes end here, or backpressure does it.
    fn batch(
        &mut self,
        now: Now,
        attached: &Attached,
        bytes: &[u8],
        asks: &mut Vec<Ask>,
        needs_tree: bool,
    ) -> (Option<Step>, usize) {
        // The tree's lock before the lane's, as everywhere.
        let (shared, lane) = (Arc::clone(&self.shared), Arc::clone(&self.lane));
        let tree = needs_tree.then(|| read(&shared.tree));
        let turn = Turn::default();
        let side = ReadSide::new(&shared, tree.as_deref(), now, &turn);
        let mut state = lane.lock();
        let result = self.frames(&side, attached, bytes, asks, &mut state);
        drop(state);
        side.finish();
        result
    }

    fn frames(
        &mut self,
        side: &ReadSide<'_>,
        attached: &Attached,
        bytes: &[u8],
        asks: &mut Vec<Ask>,
        state: &mut LaneState,
    ) -> (Option<Step>, usize) {
        let shared = side.shared;
        let mut used = 0;
        for _ in 0..BATCH {
            if stalled(shared, state) {
                // Whatever holds this one back, nobody waits behind it meanwhile.
                if self.throttled_since_ms.take().is_some() {
                    shared.leave_throttle(&self.lane);
                }
                state.reading = false;
                return (None, used);
            }
            state.reading = true;
            let rest = bytes.get(used..).unwrap_or_default();
            let payload = match cut(rest, shared.settings.max_frame_bytes) {
                Cut::Frame { payload, .. } => payload,
                Cut::Partial if Mutant::PartialFrameDropped.acts() => return (None, bytes.len()),
                Cut::Partial => return (None, used),
                Cut::Refused { .. } => return (Some(self.abuse(state)), used),
            };
            let step = match decode(payload) {
                Some(incoming) => self.one(side, attached, incoming, state, asks),
                // spec: CP-FRM-08
                None if Mutant::ShortFrameIgnored.acts() => Step::Next,
                None => self.abuse(state),
            };
            if Mutant::OneRequestOfPacket.acts() && matches!(step, Step::Next) {
                return (None, bytes.len());
            }
            match step {
                Step::Next => used += payload.len() + 4,
                Step::Throttled => {
                    state.reading = false;
                    return (None, used);
                }
                Step::NeedsTree | Step::TurnOver | Step::Stop => return (Some(step), used),
            }
            if side.turn.is_over() {
                return (Some(Step::TurnOver), used);
            }
        }
        (Some(Step::Next), used)
    }

    // spec: CP-THR-09. A close without a word: the session is left to its timeout.
    fn abuse(&self, state: &mut LaneState) -> Step {
        self.shared.totals.protocol_errors.add(1);
        state.end = End::Now;
        Step::Stop
    }

    fn one(
        &mut self,
        side: &ReadSide<'_>,
        attached: &Attached,
        incoming: Incoming<'_>,
        state: &mut LaneState,
        asks: &mut Vec<Ask>,
    ) -> Step {
        let now = side.now;
        let route = route(incoming.header.op);
        let eager = self.shared.settings.eager_acl_check && matches!(route, Route::Write(_));
        let reads = matches!(route, Route::Read(op) if op != OpCode::Ping);
        if side.tree.is_none() && (eager || reads && state.queue.is_empty()) {
            return Step::NeedsTree;
        }
        let waits = self.throttled_since_ms.is_some();
        if !self.shared.may_start(&self.lane, waits) {
            self.throttled_since_ms.get_or_insert(now.mono_ms);
            return Step::Throttled;
        }
        let held_back = self.throttled_since_ms.take();
        if Mutant::ExtraBytesRefused.acts() && has_extra_bytes(&incoming) {
            let refusal = Refusal {
                zxid: None,
                error: ErrorCode::MarshallingError,
                close: false,
            };
            return self.refuse_request(side, incoming.header, refusal, state);
        }
        state.received += 1;
        self.shared.totals.received.add(1);
        state.heard_ms = now.mono_ms;
        match route {
            Route::Auth => {
                return auth::auth(&self.shared, state, &incoming.header, incoming.body).into();
            }
            Route::Sasl => return auth::sasl(state, &incoming.header, incoming.body).into(),
            Route::Write(_) | Route::Sync | Route::Read(_) | Route::Refused => {}
        }
        // spec: CP-OP-11, CP-CON-08
        let unheard = route == Route::Read(OpCode::Ping) && Mutant::PingsDoNotCount.acts();
        if !unheard
            && !attached.session.touch(
                now.mono_ms,
                attached.timeout_ms,
                self.shared.settings.tick_time_ms,
            )
        {
            return Step::Next;
        }
        // spec: CP-SES-21. Once the session is heard of, as in Apache's; a write is refused by a txn (CP-SES-23).
        if matches!(route, Route::Read(_) | Route::Sync)
            && attached.session.is_elsewhere()
            && !Mutant::MovedSessionWrites.acts()
        {
            state.end = End::Now;
            return Step::Stop;
        }
        if self.is_stale(now, route, attached, held_back) {
            self.shared.totals.stale_requests.add(1);
            state.end = End::Now;
            return Step::Stop;
        }
        if let Some(refusal) = self.refusal(now, route, state, held_back) {
            return self.refuse_request(side, incoming.header, refusal, state);
        }
        match route {
            Route::Write(op) => self.submit(side, attached, op, incoming, state, asks),
            Route::Sync => self.submit(side, attached, OpCode::Sync, incoming, state, asks),
            Route::Read(op) => self.read(side, op, incoming, state),
            Route::Refused | Route::Auth | Route::Sasl => Step::Next,
        }
    }

    /// Whether a request waited for the throttle longer than its session may be silent: nobody
    /// waits for its answer any more.
    // spec: CP-THR-04
    fn is_stale(
        &self,
        now: Now,
        route: Route,
        attached: &Attached,
        held_back_since: Option<u64>,
    ) -> bool {
        let throttle = &self.shared.settings.throttle;
        throttle.drop_stale
            && throttle.stale_latency_check
            && route != Route::Write(OpCode::CloseSession)
            && held_back_since.is_some_and(|since| {
                now.mono_ms.saturating_sub(since) > u64::from(attached.timeout_ms)
            })
    }

    /// Why a request is not even tried.
    fn refusal(
        &self,
        now: Now,
        route: Route,
        state: &LaneState,
        held_back_since: Option<u64>,
    ) -> Option<Refusal> {
        let settings = &self.shared.settings;
        if route == Route::Refused {
            // spec: CP-OP-10
            return Some(Refusal {
                zxid: Some(-1),
                error: if Mutant::UnknownOpIsMarshallingError.acts() {
                    ErrorCode::MarshallingError
                } else {
                    ErrorCode::Unimplemented
                },
                close: !Mutant::UnknownOpStaysOpen.acts(),
            });
        }
        // spec: CP-AUTH-14
        if let Some(schemes) = &settings.enforced_auth_schemes
            && !state.ids.iter().any(|id| schemes.contains(&id.scheme))
        {
            let error = ErrorCode::SessionClosedRequireSaslAuth;
            return Some(Refusal {
                zxid: Some(0),
                error,
                close: true,
            });
        }
        // spec: CP-THR-05
        let wait_ms = settings.throttle.throttled_op_wait_ms;
        if wait_ms > 0
            && !Mutant::ThrottledAreDone.acts()
            && held_back_since
                .is_some_and(|since| now.mono_ms.saturating_sub(since) > u64::from(wait_ms))
            && !matches!(
                route,
                Route::Read(OpCode::Ping) | Route::Write(OpCode::CloseSession)
            )
        {
            self.shared.totals.throttled_ops.add(1);
            return Some(Refusal {
                zxid: None,
                error: ErrorCode::ThrottledOp,
                close: false,
            });
        }
        // spec: CP-RO-05
        let attached = state.attached.as_ref();
        let ends_local = route == Route::Write(OpCode::CloseSession)
            && attached.is_some_and(|attached| attached.session.is_local());
        if self.shared.is_read_only()
            && matches!(route, Route::Write(_) | Route::Sync)
            && !ends_local
        {
            return Some(Refusal {
                zxid: None,
                error: if Mutant::NotReadOnlyIsMarshallingError.acts() {
                    ErrorCode::MarshallingError
                } else {
                    ErrorCode::NotReadOnly
                },
                close: false,
            });
        }
        None
    }

    /// A refusal keeps its place among the connection's replies (CP-OP-04).
    fn refuse_request(
        &self,
        side: &ReadSide<'_>,
        header: RequestHeader,
        refusal: Refusal,
        state: &mut LaneState,
    ) -> Step {
        let Refusal { zxid, error, close } = refusal;
        let queued = Queued::Refused {
            xid: header.xid,
            zxid,
            error,
            close,
        };
        if state.queue.is_empty() {
            side.refuse(state, &queued);
        } else {
            self.shared.queue(state, queued);
        }
        // spec: CP-ERR-03
        if close { Step::Stop } else { Step::Next }
    }

    fn submit(
        &mut self,
        side: &ReadSide<'_>,
        attached: &Attached,
        op: OpCode,
        incoming: Incoming<'_>,
        state: &mut LaneState,
        asks: &mut Vec<Ask>,
    ) -> Step {
        let limit = self.shared.settings.record_limit_bytes();
        // spec: CP-PRE-03, CP-PRE-18, CP-FRM-10. What does not decode is answered here and never proposed.
        let Ok(Some(request)) = Request::decode_with_limit(op, incoming.body, limit) else {
            if Mutant::DamagedBodyCloses.acts() {
                return self.abuse(state);
            }
            let refusal = Refusal {
                zxid: None,
                error: undecodable(op, incoming.body),
                close: false,
            };
            return self.refuse_request(side, incoming.header, refusal, state);
        };
        if let Some(error) = self.refused_eagerly(side, attached, &request, state) {
            let refusal = Refusal {
                zxid: Some(0),
                error,
                close: false,
            };
            return self.refuse_request(side, incoming.header, refusal, state);
        }
        let Some(large) = self.shared.admit_large(incoming.frame_bytes) else {
            // spec: CP-THR-07
            state.end = End::Now;
            return Step::Stop;
        };
        let path_only = if let Request::Multi(ops) = &request {
            PathOnly::of(ops)
        } else {
            PathOnly::default()
        };
        let xid = incoming.header.xid;
        self.shared.queue(
            state,
            Queued::Awaited {
                xid,
                op,
                received_ms: side.now.mono_ms,
                bytes: incoming.body.len(),
                large,
                path_only,
            },
        );
        asks.push(Ask::Request(ClientRequest {
            lane: Arc::clone(&self.lane),
            session: attached.session.id,
            xid,
            op,
            body: Bytes::copy_from_slice(incoming.body),
            ids: Arc::clone(&state.ids),
        }));
        if op == OpCode::CloseSession {
            // spec: CP-SES-10
            self.phase = Phase::Closing;
            return Step::Stop;
        }
        Step::Next
    }

    // spec: CP-ACL-31. In its place among the connection's replies, which Apache's overtakes.
    fn refused_eagerly(
        &self,
        side: &ReadSide<'_>,
        attached: &Attached,
        request: &Request<'_>,
        state: &LaneState,
    ) -> Option<ErrorCode> {
        let tree = side.tree.filter(|_| self.shared.settings.eager_acl_check)?;
        let reader = zk_tree::Reader {
            schemes: &self.shared.schemes,
            ids: &state.ids,
            session: attached.session.id,
        };
        tree.refuses(request, &reader)
    }

    // spec: CP-ORD-01, CP-ORD-03, CP-ORD-05. Behind the session's own writes a read waits; behind others' it does not.
    // spec: CP-PRE-04. The touch was the only look at the session.
    fn read(
        &self,
        side: &ReadSide<'_>,
        op: OpCode,
        incoming: Incoming<'_>,
        state: &mut LaneState,
    ) -> Step {
        let (xid, received_ms) = (incoming.header.xid, side.now.mono_ms);
        let ids = Arc::clone(&state.ids);
        if state.queue.is_empty() || Mutant::ReadOvertakesWrite.acts() {
            let request = ReadRequest {
                xid,
                op,
                body: incoming.body,
                ids: &ids,
                received_ms,
            };
            side.serve(&self.lane, state, &request);
        } else {
            let body = Bytes::copy_from_slice(incoming.body);
            self.shared.queue(
                state,
                Queued::Read {
                    xid,
                    op,
                    body,
                    ids,
                    received_ms,
                },
            );
        }
        Step::Next
    }
}

#[derive(Clone, Copy)]
struct Refusal {
    zxid: Option<i64>,
    error: ErrorCode,
    close: bool,
}

impl From<auth::Verdict> for Step {
    fn from(verdict: auth::Verdict) -> Self {
        match verdict {
            auth::Verdict::Accepted => Self::Next,
            auth::Verdict::Closed => Self::Stop,
        }
    }
}

fn decode(payload: &[u8]) -> Option<Incoming<'_>> {
    let mut reader = Reader::new(payload);
    let header = RequestHeader::read(&mut reader).ok()?;
    Some(Incoming {
        header,
        body: reader.rest(),
        frame_bytes: payload.len(),
    })
}

/// Whether the body is longer than its record: then it decodes without its last byte as well.
fn has_extra_bytes(incoming: &Incoming<'_>) -> bool {
    let Some(op) = OpCode::from_code(incoming.header.op) else {
        return false;
    };
    let shorter = incoming.body.split_last().map(|(_, shorter)| shorter);
    shorter.is_some_and(|shorter| matches!(Request::decode(op, shorter), Ok(Some(_))))
}

/// Whether the first request wants the tree; a wrong guess costs a second look.
fn starts_with_read(bytes: &[u8]) -> bool {
    let Cut::Frame { payload, .. } = cut(bytes, usize::MAX) else {
        return false;
    };
    decode(payload).is_some_and(
        |incoming| matches!(route(incoming.header.op), Route::Read(op) if op != OpCode::Ping),
    )
}

/// spec: CP-PRE-05. setData and setACL validate the path before anything uses it, so a null one is a bad one there.
fn undecodable(op: OpCode, body: &[u8]) -> ErrorCode {
    let null_path = body.starts_with(&[0xff; 4]);
    if null_path && (op == OpCode::SetData || op == OpCode::SetAcl) {
        ErrorCode::BadArguments
    } else {
        ErrorCode::MarshallingError
    }
}
