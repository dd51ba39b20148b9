//! Sessions: ids, passwords, and who has been silent for too long.

pub mod id;
pub mod password;
pub mod tracker;

use crate::conn::lane::ConnId;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use zk_tree::Mutant;

/// One session as this server times it. Connections touch it without a lock; the
/// tracker looks at it only when the moment comes at which it would expire.
#[derive(Debug)]
pub struct Session {
    pub id: i64,
    /// As stored with the session; a connection may have negotiated another.
    pub timeout_ms: u32,
    /// Known to this server alone (CP-CON-30).
    local: AtomicBool,
    expires_at_ms: AtomicU64,
    closing: AtomicBool,
    /// The timeout of the newest touch since a learner last told its leader, ms; else `UNTOUCHED`.
    touched_ms: AtomicI64,
    /// The connection of this server that came for it last.
    conn: AtomicU64,
    /// At a leader: a learner speaks for it.
    elsewhere: AtomicBool,
}

/// No connection of this server has come for the session yet.
const NO_CONN: u64 = u64::MAX;

/// No timeout.
const UNTOUCHED: i64 = -1;

impl Session {
    #[must_use]
    pub fn new(id: i64, timeout_ms: u32, local: bool) -> Self {
        Self {
            id,
            timeout_ms,
            local: AtomicBool::new(local),
            expires_at_ms: AtomicU64::new(0),
            closing: AtomicBool::new(false),
            touched_ms: AtomicI64::new(UNTOUCHED),
            conn: AtomicU64::new(NO_CONN),
            elsewhere: AtomicBool::new(false),
        }
    }

    #[must_use]
    pub fn is_local(&self) -> bool {
        self.local.load(Ordering::Relaxed)
    }

    /// From now on no other connection of this server speaks for the session.
    pub fn claim(&self, conn: ConnId) {
        self.conn.store(conn.0, Ordering::Relaxed);
    }

    /// Whether another connection has come for the session since this one did.
    #[must_use]
    pub fn has_left(&self, conn: ConnId) -> bool {
        let newest = self.conn.load(Ordering::Relaxed);
        newest != NO_CONN && newest != conn.0
    }

    /// At a leader: it came back at a learner, or here.
    pub fn set_elsewhere(&self, elsewhere: bool) {
        self.elsewhere.store(elsewhere, Ordering::Relaxed);
    }

    /// Whether this server's connections of it are those that it has left.
    #[must_use]
    pub fn is_elsewhere(&self) -> bool {
        self.elsewhere.load(Ordering::Relaxed)
    }

    /// Its createSession was applied.
    // spec: CP-CON-34
    pub fn make_global(&self) {
        self.local.store(false, Ordering::Relaxed);
    }

    /// False once the session is closing: then the request must be dropped.
    // spec: CP-OP-11, CP-SES-04. The timeout is that of the connection that carried the request.
    pub fn touch(&self, now_ms: u64, timeout_ms: u32, tick_ms: u32) -> bool {
        if self.is_closing() {
            return false;
        }
        self.expires_at_ms
            .store(expiry(now_ms, timeout_ms, tick_ms), Ordering::Relaxed);
        self.touched_ms
            .store(i64::from(timeout_ms), Ordering::Relaxed);
        true
    }

    #[must_use]
    pub fn expires_at_ms(&self) -> u64 {
        self.expires_at_ms.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Acquire)
    }

    /// True for the caller that closes it first.
    pub fn close(&self) -> bool {
        !self.closing.swap(true, Ordering::AcqRel)
    }

    /// The timeout of the newest touch since the last call, ms; None if there was none.
    // spec: CP-SES-05. A learner reports these to its leader.
    pub fn take_touched(&self) -> Option<u32> {
        let touched_ms = self.touched_ms.swap(UNTOUCHED, Ordering::Relaxed);
        u32::try_from(touched_ms).ok()
    }
}

/// The end of the tick after the one in which the timeout runs out.
// spec: CP-SES-02
#[must_use]
pub fn expiry(now_ms: u64, timeout_ms: u32, tick_ms: u32) -> u64 {
    let tick = u64::from(tick_ms.max(1));
    let timeout_ms = if Mutant::SessionsExpireEarly.acts() {
        timeout_ms / 4
    } else {
        timeout_ms
    };
    (now_ms.saturating_add(u64::from(timeout_ms)) / tick)
        .saturating_add(1)
        .saturating_mul(tick)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_session_lives_between_its_timeout_and_one_tick_more() {
        // spec: CP-SES-02
        for now in 0..5000 {
            let at = expiry(now, 4000, 2000);
            assert!(at > now + 4000 && at <= now + 6000, "{now}");
        }
        assert_eq!(expiry(u64::MAX, 1, 2000), u64::MAX);
    }

    #[test]
    fn a_closing_session_cannot_be_touched() {
        // spec: CP-SES-04
        let session = Session::new(1, 4000, false);
        assert!(session.touch(0, 4000, 2000));
        assert!(session.close());
        assert!(!session.close());
        assert!(!session.touch(9000, 4000, 2000));
        assert_eq!(session.expires_at_ms(), 6000);
    }
}
