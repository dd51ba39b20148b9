//! A member without a leader that serves readers all the same, when it is configured to.
//!
//! ```text
//! looking ──2 s, or a tick if longer──▶ read-only ──a role is found──▶ its clients are cut off, and it goes on as ever
//! ```

use super::Node;
use crate::stats::Mode;
use crate::time::Now;

/// An election takes less, as a rule.
const PATIENCE_MS: u32 = 2000;

impl Node {
    /// Looking begins.
    // spec: CP-RO-01, CP-RO-09. Alone there is no quorum to wait for.
    pub(super) fn await_read_only(&mut self, now: Now) {
        let settings = &self.shared.settings;
        let patience_ms = u64::from(settings.tick_time_ms.max(PATIENCE_MS));
        let may = settings.read_only_mode && !self.peer.config().standalone;
        self.read_only_at_ms = may.then(|| now.mono_ms + patience_ms);
    }

    // spec: CP-RO-06. Nothing is applied meanwhile, so no watch fires.
    pub(super) fn begin_read_only(&mut self, now: Now) {
        if self
            .read_only_at_ms
            .is_some_and(|at_ms| at_ms <= now.mono_ms)
        {
            self.read_only_at_ms = None;
            self.shared.set_mode(Mode::ReadOnly);
        }
    }

    /// The election is over: what read-only clients were shown may be older than what comes.
    // spec: CP-RO-01
    pub(super) fn end_read_only(&mut self) {
        self.read_only_at_ms = None;
        if self.shared.mode() == Mode::ReadOnly {
            self.stop_serving();
        }
    }
}
