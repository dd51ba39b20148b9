//! The core's timers, and when the node next wants to be woken.

use std::collections::BTreeMap;
use zab::{Ticks, Timer};

/// Milliseconds in one of the core's ticks.
pub const TICK_MS: u64 = 10;

#[derive(Debug, Default)]
pub(crate) struct Timers {
    /// When it fires, and how long after it was armed that is.
    due: BTreeMap<Timer, (u64, u64)>,
}

impl Timers {
    pub(crate) fn arm(&mut self, now_ms: u64, timer: Timer, after: Ticks) {
        let after_ms = u64::from(after.0) * TICK_MS;
        self.due.insert(timer, (now_ms + after_ms, after_ms));
    }

    /// Whether it was armed.
    pub(crate) fn disarm(&mut self, timer: Timer) -> bool {
        self.due.remove(&timer).is_some()
    }

    pub(crate) fn armed(&self) -> impl Iterator<Item = Timer> {
        self.due.keys().copied()
    }

    /// Starts an armed timer anew.
    pub(crate) fn restart(&mut self, now_ms: u64, timer: Timer) {
        if let Some((due_ms, after_ms)) = self.due.get_mut(&timer) {
            *due_ms = now_ms + *after_ms;
        }
    }

    pub(crate) fn next_ms(&self) -> Option<u64> {
        self.due.values().map(|(due_ms, _)| *due_ms).min()
    }

    /// Takes one timer whose time has come, the longest overdue first.
    pub(crate) fn take_due(&mut self, now_ms: u64) -> Option<Timer> {
        let (timer, (due_ms, _)) = self.due.iter().min_by_key(|(_, (due_ms, _))| *due_ms)?;
        let timer = (*due_ms <= now_ms).then_some(*timer)?;
        self.due.remove(&timer);
        Some(timer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_fire_once_in_order_of_time() {
        let mut timers = Timers::default();
        timers.arm(0, Timer::Init, Ticks(3));
        timers.arm(0, Timer::Ping, Ticks(2));
        timers.arm(0, Timer::Notify, Ticks(1));
        assert!(timers.disarm(Timer::Notify));
        assert!(!timers.disarm(Timer::Notify));
        assert!(timers.armed().eq([Timer::Init, Timer::Ping]));
        assert_eq!(timers.next_ms(), Some(20));
        assert_eq!(timers.take_due(19), None);
        assert_eq!(timers.take_due(30), Some(Timer::Ping));
        assert_eq!(timers.take_due(30), Some(Timer::Init));
        assert_eq!(timers.take_due(99), None);
    }

    #[test]
    fn a_restart_moves_only_what_is_armed() {
        let mut timers = Timers::default();
        timers.arm(0, Timer::Init, Ticks(2));
        timers.restart(15, Timer::Init);
        timers.restart(15, Timer::Ping);
        assert_eq!(timers.take_due(34), None);
        assert_eq!(timers.take_due(35), Some(Timer::Init));
        assert_eq!(timers.next_ms(), None);
    }

    #[test]
    fn arming_again_moves_a_timer() {
        let mut timers = Timers::default();
        timers.arm(0, Timer::Leader, Ticks(1));
        timers.arm(5, Timer::Leader, Ticks(1));
        assert_eq!(timers.take_due(14), None);
        assert_eq!(timers.take_due(15), Some(Timer::Leader));
    }
}
