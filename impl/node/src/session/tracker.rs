//! Which sessions have been silent for too long. Time is cut into ticks; a session
//! waits in the bucket of the tick in which it would expire and is looked at again
//! only then, so a touch costs one store and no lock.

use super::Session;
use crate::stats::SessionBucket;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use zk_tree::Mutant;

/// The sessions that this server times: all global ones on a leader or standalone
/// server, the local ones of its own elsewhere.
#[derive(Debug)]
pub struct Tracker {
    tick_ms: u32,
    sessions: HashMap<i64, Timed>,
    /// By the time at which to look at them again.
    buckets: BTreeMap<u64, Vec<i64>>,
    looked_at_ms: u64,
    /// No expiry before this.
    hold_until_ms: u64,
}

#[derive(Debug)]
struct Timed {
    session: Arc<Session>,
    /// The only bucket whose entry for this session counts.
    bucket_ms: u64,
}

impl Tracker {
    #[must_use]
    pub fn new(tick_ms: u32) -> Self {
        Self {
            tick_ms: tick_ms.max(1),
            sessions: HashMap::new(),
            buckets: BTreeMap::new(),
            looked_at_ms: 0,
            hold_until_ms: 0,
        }
    }

    /// Starts timing a session; a known one is left as it is.
    pub fn start(&mut self, now_ms: u64, id: i64, timeout_ms: u32, local: bool) -> Arc<Session> {
        if let Some(known) = self.sessions.get(&id) {
            return Arc::clone(&known.session);
        }
        let session = Arc::new(Session::new(id, timeout_ms, local));
        session.touch(now_ms, timeout_ms, self.tick_ms);
        let bucket_ms = session.expires_at_ms();
        self.sessions.insert(
            id,
            Timed {
                session: Arc::clone(&session),
                bucket_ms,
            },
        );
        self.buckets.entry(bucket_ms).or_default().push(id);
        session
    }

    /// A client came back to it, or a learner vouches for it; None when it is unknown or closing.
    pub fn touch(&mut self, now_ms: u64, id: i64, timeout_ms: u32) -> Option<&Arc<Session>> {
        let timed = self.sessions.get_mut(&id)?;
        if !timed.session.touch(now_ms, timeout_ms, self.tick_ms) {
            return None;
        }
        let expires_at_ms = timed.session.expires_at_ms();
        if expires_at_ms < timed.bucket_ms {
            // A shorter timeout than before: it must not wait in the later bucket.
            timed.bucket_ms = expires_at_ms;
            self.buckets.entry(expires_at_ms).or_default().push(id);
        }
        Some(&timed.session)
    }

    #[must_use]
    pub fn get(&self, id: i64) -> Option<&Arc<Session>> {
        self.sessions.get(&id).map(|timed| &timed.session)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.sessions.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
    }

    /// Its closing txn was applied.
    pub fn remove(&mut self, id: i64) -> Option<Arc<Session>> {
        let session = self.sessions.remove(&id)?.session;
        session.close();
        Some(session)
    }

    /// Forgets the global sessions: their leader is gone, or this server no longer leads.
    pub fn clear_global(&mut self) {
        self.sessions.retain(|_, timed| timed.session.is_local());
    }

    /// How many are local to this server.
    #[must_use]
    pub fn local_count(&self) -> usize {
        self.sessions
            .values()
            .filter(|timed| timed.session.is_local())
            .count()
    }

    /// When `expire` wants to be called next.
    #[must_use]
    pub fn next_ms(&self) -> Option<u64> {
        self.buckets
            .keys()
            .next()
            .map(|bucket| (*bucket).max(self.hold_until_ms))
    }

    /// Marks the sessions whose time is over as closing and returns them, oldest bucket first.
    // spec: CP-SES-03
    ///
    /// Global ones only if `global`: a learner leaves those to its leader (CP-SES-01).
    pub fn expire(&mut self, now_ms: u64, global: bool) -> Vec<Arc<Session>> {
        self.hold_after_pause(now_ms);
        let mut expired = Vec::new();
        while now_ms >= self.hold_until_ms
            && let Some(entry) = self.buckets.first_entry()
            && *entry.key() <= now_ms
        {
            let (bucket_ms, ids) = entry.remove_entry();
            for id in ids {
                expired.extend(self.look_at(id, bucket_ms, now_ms, global));
            }
        }
        expired
    }

    /// Clients' bytes may lie unread in the sockets after the process was stopped or starved.
    // spec: FT-PROC-07. Those bytes are touches, so they are read before anything expires.
    fn hold_after_pause(&mut self, now_ms: u64) {
        let due = self.next_ms().unwrap_or(now_ms);
        if now_ms.saturating_sub(due.max(self.looked_at_ms)) > u64::from(self.tick_ms) {
            self.hold_until_ms = now_ms + u64::from(self.tick_ms);
        }
        self.looked_at_ms = now_ms;
    }

    /// The session, if its time is over; otherwise it moves to the bucket of its newest touch.
    fn look_at(
        &mut self,
        id: i64,
        bucket_ms: u64,
        now_ms: u64,
        global: bool,
    ) -> Option<Arc<Session>> {
        let timed = self
            .sessions
            .get_mut(&id)
            .filter(|timed| timed.bucket_ms == bucket_ms)?;
        let mut expires_at_ms = timed.session.expires_at_ms();
        if Mutant::SessionsNeverExpire.acts() || !global && !timed.session.is_local() {
            expires_at_ms = expires_at_ms.max(now_ms + u64::from(self.tick_ms));
        }
        if expires_at_ms > now_ms {
            timed.bucket_ms = expires_at_ms;
            self.buckets.entry(expires_at_ms).or_default().push(id);
            return None;
        }
        timed.session.close().then(|| Arc::clone(&timed.session))
    }

    /// For `dump`: by expiry, as touches stand at this moment.
    #[must_use]
    pub fn view(&self) -> Vec<SessionBucket> {
        let mut by_expiry: BTreeMap<u64, Vec<i64>> = BTreeMap::new();
        let mut all: Vec<_> = self.sessions.values().map(|timed| &timed.session).collect();
        all.sort_unstable_by_key(|session| session.id);
        for session in all {
            by_expiry
                .entry(session.expires_at_ms())
                .or_default()
                .push(session.id);
        }
        by_expiry
            .into_iter()
            .map(|(expires_at_ms, sessions)| SessionBucket {
                expires_at_ms,
                sessions,
            })
            .collect()
    }

    /// Sessions touched since the last call, each with the timeout of its connection, ascending by id.
    // spec: CP-SES-05, QP-BC-13
    pub fn take_touched(&self) -> Vec<(i64, u32)> {
        let mut touched: Vec<_> = self
            .sessions
            .values()
            .filter_map(|timed| Some((timed.session.id, timed.session.take_touched()?)))
            .collect();
        touched.sort_unstable();
        touched
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(expired: &[Arc<Session>]) -> Vec<i64> {
        expired.iter().map(|session| session.id).collect()
    }

    /// Time passes in small steps, as when the timer fires on time.
    fn expire_through(tracker: &mut Tracker, from_ms: u64, to_ms: u64) -> Vec<(u64, i64)> {
        let mut all = Vec::new();
        for now in (from_ms..=to_ms).step_by(100) {
            all.extend(
                ids(&tracker.expire(now, true))
                    .into_iter()
                    .map(|id| (now, id)),
            );
        }
        all
    }

    #[test]
    fn a_silent_session_expires_and_a_touched_one_does_not() {
        // spec: CP-SES-02, CP-SES-03
        let mut tracker = Tracker::new(2000);
        tracker.start(0, 1, 4000, false);
        let touched = tracker.start(0, 2, 4000, false);
        touched.touch(3000, 4000, 2000);
        assert_eq!(expire_through(&mut tracker, 0, 7900), [(6000, 1)]);
        assert_eq!(expire_through(&mut tracker, 8000, 8000), [(8000, 2)]);
        assert!(tracker.touch(8000, 1, 4000).is_none());
    }

    #[test]
    fn a_shorter_timeout_counts_from_the_touch_on() {
        // spec: CP-CON-08, CP-SES-04
        let mut tracker = Tracker::new(2000);
        tracker.start(0, 1, 40_000, false);
        assert!(tracker.touch(0, 1, 4000).is_some());
        assert_eq!(expire_through(&mut tracker, 0, 6000), [(6000, 1)]);
    }

    #[test]
    fn after_a_pause_clients_get_a_tick_to_be_heard() {
        // spec: FT-PROC-07
        let mut tracker = Tracker::new(2000);
        let heard = tracker.start(0, 1, 4000, false);
        tracker.start(0, 2, 4000, false);
        assert!(expire_through(&mut tracker, 0, 1000).is_empty());
        assert!(tracker.expire(61_000, true).is_empty());
        heard.touch(61_001, 4000, 2000);
        assert_eq!(expire_through(&mut tracker, 61_100, 64_000), [(63_000, 2)]);
    }

    #[test]
    fn a_removed_session_is_closing_and_not_expired_again() {
        // spec: CP-SES-14
        let mut tracker = Tracker::new(2000);
        let session = tracker.start(0, 1, 4000, false);
        tracker.remove(1);
        assert!(session.is_closing());
        assert!(expire_through(&mut tracker, 0, 8000).is_empty());
    }

    #[test]
    fn a_learner_expires_its_local_sessions_only() {
        // spec: CP-SES-01
        let mut tracker = Tracker::new(2000);
        tracker.start(0, 1, 4000, false);
        tracker.start(0, 2, 4000, true);
        let expired: Vec<_> = (0..=9000)
            .step_by(100)
            .flat_map(|now| ids(&tracker.expire(now, false)))
            .collect();
        assert_eq!(expired, [2]);
        assert!(tracker.get(1).is_some_and(|session| !session.is_closing()));
    }

    #[test]
    fn touched_sessions_are_told_once() {
        // spec: CP-SES-05
        let mut tracker = Tracker::new(2000);
        tracker.start(0, 5, 4000, false);
        tracker.start(0, 3, 6000, false);
        assert_eq!(tracker.take_touched(), [(3, 6000), (5, 4000)]);
        assert!(tracker.take_touched().is_empty());
        // As the connection negotiated it, whatever was stored.
        assert!(tracker.touch(0, 5, 30_000).is_some());
        assert_eq!(tracker.take_touched(), [(5, 30_000)]);
    }
}
