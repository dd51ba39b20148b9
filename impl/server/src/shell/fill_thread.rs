//! The fill thread: writes the zeros of the next log file, so that no write waits for them.

use super::fault::{self, Turn};
use super::inbox::Inbox;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use zk_storage::Filler;

/// Between two steps, so that the log's own syncs find the disk free.
const PAUSE: Duration = Duration::from_millis(2);

/// Between the log thread and the fill thread: at most one file is on its way.
#[derive(Debug, Default)]
pub(crate) struct FillThread {
    orders: Inbox<Filler>,
    stopped: AtomicBool,
    done: Mutex<Option<Filler>>,
}

impl FillThread {
    /// Hands the work over.
    pub(crate) fn begin(&self, filler: Filler) {
        self.orders.push(filler);
    }

    /// The file back, once: whole, or not if that failed.
    pub(crate) fn finished(&self) -> Option<Filler> {
        self.done
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// A file that is not whole stays behind under a name that the next start removes.
    pub(crate) fn close(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.orders.close();
    }

    /// Runs until it is closed.
    pub(crate) fn run(&self) {
        let mut orders = Vec::new();
        while self.orders.take(&mut orders, None) {
            fault::pass(Turn::Fill);
            for filler in orders.drain(..) {
                let filled = self.fill(filler);
                *self.done.lock().unwrap_or_else(PoisonError::into_inner) = filled;
            }
        }
    }

    fn fill(&self, mut filler: Filler) -> Option<Filler> {
        while !self.stopped.load(Ordering::Relaxed) {
            match filler.step() {
                Ok(true) => return Some(filler),
                Ok(false) => std::thread::sleep(PAUSE),
                Err(error) => {
                    tracing::warn!(%error, "the next log file could not be prepared");
                    return Some(filler);
                }
            }
        }
        None
    }
}
