//! A connection's first frame: a four-letter word, or the request for a session.

use super::frame::{Cut, cut};
use super::lane::End;
use super::tokens::Weight;
use super::{Ask, Conn, Phase};
use crate::bug::Bug;
use crate::session::password;
use crate::time::Now;
use crate::words::Word;
use std::sync::Arc;
use zk_proto::jute::frame;
use zk_proto::{ConnectRequest, ConnectResponse};
use zk_tree::Mutant;

/// The longest first frame, bytes.
// spec: FT-CON-06, CP-CON-04
const MAX_FIRST_FRAME_BYTES: usize = 1024;

/// A ConnectRequest that passed the checks which need no driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello {
    /// None asks for a new session.
    pub resume: Option<Resume>,
    /// As negotiated, ms.
    pub timeout_ms: u32,
    /// As the client sent it; None when it is too old to know the byte.
    pub read_only: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    pub session: i64,
    pub password_matches: bool,
}

impl Conn {
    /// How many of the stream's first bytes are done with.
    // spec: CP-FRM-04. Words come before lengths, and only here.
    pub(super) fn first(&mut self, now: Now, bytes: &[u8], asks: &mut Vec<Ask>) -> usize {
        if let Some(used) = self.word(bytes) {
            return used;
        }
        let limit = if Mutant::FirstFrameOfAnyLength.acts() {
            usize::MAX
        } else {
            MAX_FIRST_FRAME_BYTES
        };
        match cut(bytes, limit) {
            Cut::Partial => 0,
            Cut::Refused { .. } => self.refuse(bytes.len()),
            Cut::Frame { payload, rest } => {
                let Some(hello) = self.hello(now, payload) else {
                    if Mutant::RefusedHandshakeAnswered.acts() {
                        let mut state = self.lane.lock();
                        let refusal = ConnectResponse::invalid_session(None);
                        frame(&mut state.out, |out| refusal.encode(out));
                        state.close_after_output();
                        return bytes.len();
                    }
                    return self.refuse(bytes.len());
                };
                let timeout_ms = hello.timeout_ms;
                self.phase = Phase::Opening { timeout_ms };
                asks.push(Ask::Connect {
                    lane: Arc::clone(&self.lane),
                    hello,
                });
                bytes.len() - rest.len()
            }
        }
    }

    /// How many bytes a four-letter word takes; None if there is none. The host answers it.
    // spec: CP-FLW-01, CP-FLW-26
    fn word(&mut self, bytes: &[u8]) -> Option<usize> {
        let (first, rest) = bytes.split_first_chunk()?;
        let word = Word::parse(if Mutant::WordsInCapitals.acts() {
            first.to_ascii_lowercase().try_into().ok()?
        } else {
            *first
        })?;
        if rest.len() < word.argument_bytes() {
            return Some(0);
        }
        self.phase = Phase::Closing;
        self.word = Some((word, rest.get(..word.argument_bytes())?.to_vec()));
        Some(bytes.len())
    }

    fn refuse(&mut self, used: usize) -> usize {
        self.shared.totals.protocol_errors.add(1);
        self.lane.lock().end = End::Now;
        used
    }

    // spec: CP-CON-06. The order of the checks; each failure is a silent close.
    fn hello(&self, now: Now, payload: &[u8]) -> Option<Hello> {
        let shared = &self.shared;
        let request = ConnectRequest::decode(payload).ok()?;
        shared.totals.connection_requests.add(1);
        let first = request.session_id == 0;
        if Mutant::VersionMustBeZero.acts() && request.protocol_version != 0
            || Mutant::NewSessionsShowZeros.acts() && first && request.password != Some(&[0; 16])
            || Mutant::PresentClientRefused.acts()
                && request.last_zxid_seen > 0
                && request.last_zxid_seen >= shared.applied()
        {
            return None;
        }
        let weight = match (request.session_id, shared.settings.local_sessions) {
            (0, false) => Weight::Global,
            (0, true) => Weight::Local,
            _ => Weight::Renew,
        };
        if !shared.take_token(now, weight) {
            shared.totals.connection_drops.add(1);
            return None;
        }
        // spec: CP-FRM-11, CP-CON-06, CP-CON-28, CP-WAT-47, INV-04. A server behind the client must not show it the past.
        let ahead = request.last_zxid_seen > shared.applied()
            && !Mutant::FutureClientEnters.acts()
            && !shared.settings.bugs.has(Bug::ServerBehindClient);
        if !shared.serves(request.read_only == Some(true)) || ahead {
            return None;
        }
        let resume = (request.session_id != 0).then(|| Resume {
            session: request.session_id,
            password_matches: password::matches(
                request.session_id,
                request.password.unwrap_or_default(),
            ) || Mutant::PasswordsOfServer.acts()
                && password::matches(
                    request.session_id ^ i64::from(shared.settings.server_id),
                    request.password.unwrap_or_default(),
                )
                || Mutant::AnyPasswordResumes.acts(),
        });
        let (min, max) = (
            shared.settings.min_session_timeout_ms,
            shared.settings.max_session_timeout_ms,
        );
        Some(Hello {
            resume,
            timeout_ms: negotiate(request.timeout, min, max),
            read_only: request.read_only,
        })
    }
}

// spec: CP-CON-07, FT-CON-16. The minimum first, then the maximum.
fn negotiate(wished_ms: i32, min_ms: i32, max_ms: i32) -> u32 {
    if Mutant::TimeoutAsAsked.acts() {
        return wished_ms.unsigned_abs();
    }
    if Mutant::TimeoutInSeconds.acts() {
        return u32::try_from(wished_ms.max(min_ms).min(max_ms) / 1000 * 1000).unwrap_or(0);
    }
    u32::try_from(wished_ms.max(min_ms).min(max_ms)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_clamped() {
        // spec: CP-CON-07, FT-CON-16
        for (wished, given) in [
            (0, 4000),
            (-1, 4000),
            (i32::MIN, 4000),
            (9000, 9000),
            (i32::MAX, 40_000),
        ] {
            assert_eq!(negotiate(wished, 4000, 40_000), given);
        }
    }
}
