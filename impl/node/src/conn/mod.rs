//! One client connection as its own task sees it: bytes in, replies into its lane,
//! and what only the driver can decide as `Ask`s.
//!
//! ```text
//! First ──ConnectRequest──▶ Opening ──driver attaches──▶ Open ──closeSession──▶ Closing
//!   │ four-letter word         │ refused                   │ abuse, expiry
//!   └──────────────────────────┴───────────────────────────┴──────▶ the lane's End
//! ```

pub mod auth;
pub mod doors;
pub mod frame;
pub mod guesses;
pub mod lane;
pub mod route;
pub mod tokens;

mod handshake;
mod requests;

use crate::session::expiry;
use crate::shared::Shared;
use crate::time::Now;
use crate::words::Word;
use bytes::Bytes;
use frame::{Cut, Kept, cut};
pub use handshake::{Hello, Resume};
use lane::{Attached, End, Lane};
use std::sync::Arc;
use zk_proto::{Id, OpCode, Reader, RequestHeader};
use zk_tree::Mutant;

/// What a connection asks of the driver, in the order given.
#[derive(Debug)]
pub enum Ask {
    /// Open or resume a session.
    Connect { lane: Arc<Lane>, hello: Hello },
    /// A write or a sync. The lane's queue holds its place.
    Request(ClientRequest),
}

/// A request on its way to becoming a txn.
#[derive(Clone, Debug)]
pub struct ClientRequest {
    pub lane: Arc<Lane>,
    pub session: i64,
    pub xid: i32,
    pub op: OpCode,
    /// Known to decode as the body of `op`.
    pub body: Bytes,
    /// The identities of the connection when the request arrived (CP-ACL-16).
    pub ids: Arc<[Id]>,
}

/// What a connection that the request throttle holds back may have sent before it is read no further, bytes.
// spec: P-BOUND
const THROTTLED_KEPT_BYTES: usize = 64 << 10;

/// Owned by the connection's task.
#[derive(Debug)]
pub struct Conn {
    shared: Arc<Shared>,
    lane: Arc<Lane>,
    kept: Kept,
    phase: Phase,
    opened_ms: u64,
    /// When bytes last came or went, monotonic ms.
    busy_ms: u64,
    /// Since when the request throttle holds the front request back.
    throttled_since_ms: Option<u64>,
    /// It has read enough for now, and rang for itself.
    turn_over: bool,
    word: Option<(Word, Vec<u8>)>,
}

#[derive(Debug)]
enum Phase {
    First,
    /// The timeout that it negotiated.
    Opening {
        timeout_ms: u32,
    },
    Open(Attached),
    /// Its session is being closed: whatever else it sends is dropped.
    Closing,
}

impl Conn {
    #[must_use]
    pub fn new(shared: Arc<Shared>, lane: Arc<Lane>, now: Now) -> Self {
        shared.register(&lane);
        Self {
            shared,
            lane,
            kept: Kept::default(),
            phase: Phase::First,
            opened_ms: now.mono_ms,
            busy_ms: now.mono_ms,
            throttled_since_ms: None,
            turn_over: false,
            word: None,
        }
    }

    #[must_use]
    pub fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// Bytes arrived. Replies land in the lane, the rest in `asks`.
    pub fn receive(&mut self, now: Now, bytes: &[u8], asks: &mut Vec<Ask>) {
        self.busy_ms = now.mono_ms;
        self.shared.totals.bytes_received.add(bytes.len() as u64);
        if self.kept.is_empty() {
            let used = self.process(now, bytes, asks);
            self.kept.keep(bytes.get(used..).unwrap_or_default());
            self.shared.ring_throttled();
        } else {
            self.kept.keep(bytes);
            // spec: P-CLOSE. Who sends a frame byte by byte makes this server look at it once.
            let max_bytes = self.shared.settings.max_frame_bytes;
            if !matches!(self.phase, Phase::Open(_)) || !self.kept.is_part_of_a_frame(max_bytes) {
                self.resume(now, asks);
            }
        }
    }

    /// The bell rang, or there is room for output again: go on with what was kept.
    pub fn resume(&mut self, now: Now, asks: &mut Vec<Ask>) {
        if matches!(self.phase, Phase::Opening { .. }) {
            let attached = self.lane.lock().attached.clone();
            let Some(attached) = attached else { return };
            self.phase = Phase::Open(attached);
        }
        if self.kept.is_empty() {
            return;
        }
        let all = self.kept.take();
        let used = self.process(now, &all, asks);
        self.kept.give_back(all, used);
        self.shared.ring_throttled();
    }

    /// Whether to read the socket. Otherwise wait for the bell.
    // spec: CP-FRM-12, CP-THR-02. What is not read fills the client's own window.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        match &self.phase {
            Phase::First | Phase::Closing => true,
            Phase::Opening { .. } => false,
            Phase::Open(_) => {
                self.kept.is_empty() || (!self.turn_over && self.may_read_on() && !self.stalled())
            }
        }
    }

    /// Whether to read on though something is kept: while the throttle holds it back, only to see whether the
    /// client is still there.
    fn may_read_on(&self) -> bool {
        let drops = self.shared.settings.throttle.drops_of_closed();
        self.throttled_since_ms.is_none() || (drops && self.kept.len() < THROTTLED_KEPT_BYTES)
    }

    /// Whether something that was received is not done yet.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.kept.is_empty()
    }

    /// The client closed its side. What the throttle holds back is dropped, but for the request that closes the
    /// session: if this returns true, that one waits for its turn, and the bell rings when it comes.
    // spec: CP-THR-04
    pub fn input_ended(&mut self) -> bool {
        if self.throttled_since_ms.is_none() {
            return false;
        }
        let all = self.kept.take();
        let (dropped, close) = split_at_close(&all, self.shared.settings.max_frame_bytes);
        self.shared.totals.stale_requests.add(dropped);
        self.kept.keep(close.unwrap_or_default());
        close.is_some()
    }

    /// Whether requests are kept that `resume` would go on with. To be asked after each `take_output`: output that was
    /// taken makes room, and nobody rings for that.
    // spec: FT-LOAD-11
    #[must_use]
    pub fn may_go_on(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
            && !self.kept.is_empty()
            && !self.turn_over
            && self.throttled_since_ms.is_none()
            && !self
                .kept
                .is_part_of_a_frame(self.shared.settings.max_frame_bytes)
            && !self.stalled()
    }

    fn stalled(&self) -> bool {
        let state = self.lane.lock();
        requests::stalled(&self.shared, &state)
    }

    /// The socket took bytes of the output.
    pub fn sent(&mut self, now: Now) {
        self.busy_ms = now.mono_ms;
    }

    /// When the connection must be closed, monotonic ms: if its first frame is not complete by then, or nothing came or
    /// went for longer than its session may be silent. What comes or goes moves it.
    // spec: CP-SES-07, FT-CON-02, FT-CON-03, FT-CON-04. Of a session that lives on elsewhere, nobody else ends it.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        let settings = &self.shared.settings;
        let first_frame_ms = settings.first_frame_ms;
        let silent_ms = match &self.phase {
            Phase::First => return self.opened_ms + u64::from(first_frame_ms),
            Phase::Opening { timeout_ms } => *timeout_ms,
            Phase::Open(attached) if Mutant::ExpiryLeavesConnection.acts() => {
                attached.timeout_ms.saturating_mul(1000)
            }
            Phase::Open(attached) => attached.timeout_ms,
            Phase::Closing => {
                let state = self.lane.lock();
                let attached = state.attached.as_ref();
                attached.map_or(first_frame_ms, |attached| attached.timeout_ms)
            }
        };
        expiry(self.busy_ms, silent_ms, settings.tick_time_ms)
    }

    /// How many of `bytes` are done with.
    fn process(&mut self, now: Now, bytes: &[u8], asks: &mut Vec<Ask>) -> usize {
        self.turn_over = false;
        let mut used = 0;
        if matches!(self.phase, Phase::First) {
            used = self.first(now, bytes, asks);
        }
        if let Phase::Open(attached) = &self.phase {
            let attached = attached.clone();
            used += self.requests(now, &attached, bytes.get(used..).unwrap_or_default(), asks);
        }
        if matches!(self.phase, Phase::Closing) || self.lane.lock().end != End::Open {
            return bytes.len();
        }
        used
    }

    /// A four-letter word that the client typed, with its argument. The host answers it and closes.
    pub fn take_word(&mut self) -> Option<(Word, Vec<u8>)> {
        self.word.take()
    }

    /// Takes the bytes to write, swapping in `empty` for the next ones, and how the connection ends after them.
    #[must_use]
    pub fn take_output(&self, empty: Vec<u8>) -> (Vec<u8>, End) {
        let mut state = self.lane.lock();
        let out = std::mem::replace(&mut state.out, empty);
        (out, state.end)
    }
}

/// How many requests stand before the one that closes the session, and that one's frame.
fn split_at_close(mut bytes: &[u8], max_bytes: usize) -> (u64, Option<&[u8]>) {
    let mut before = 0;
    while let Cut::Frame { payload, rest } = cut(bytes, max_bytes) {
        let header = RequestHeader::read(&mut Reader::new(payload));
        if header.is_ok_and(|header| header.op == OpCode::CloseSession.code()) {
            return (before, bytes.get(..bytes.len() - rest.len()));
        }
        before += 1;
        bytes = rest;
    }
    (before, None)
}
