//! A line of the log that anybody can provoke is said at most once in a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// At most one line in this time.
const QUIET: Duration = Duration::from_secs(1);

/// When something of a kind was last said, and how often it was not.
#[derive(Debug, Default)]
pub(crate) struct Told(Mutex<(Option<Instant>, u64)>);

impl Told {
    /// Some: it may be said now, with the number of times that it was not since it last was.
    // spec: P-CLOSE
    pub(crate) fn untold(&self) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, untold) = &mut *told;
        let now = Instant::now();
        if last.is_some_and(|last| now - last < QUIET) {
            *untold += 1;
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_was_not_said_is_counted_with_the_next_line() {
        let told = Told::default();
        assert_eq!(told.untold(), Some(0));
        assert_eq!([told.untold(), told.untold()], [None, None]);
        tokio::time::advance(QUIET).await;
        assert_eq!(told.untold(), Some(2));
        assert_eq!(told.untold(), None);
    }
}
