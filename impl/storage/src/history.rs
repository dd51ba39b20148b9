//! Keeps snapshots and purges out of the way of truncations.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Counts how often history was taken back. Whoever changes which files make up the state holds it.
// spec: DF-PRG-05. A snapshot of what a truncation took back must not get a name after it.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(Arc<Mutex<u64>>);

/// A piece of work that belongs to the history as it was when the work began.
#[derive(Debug)]
pub(crate) struct Span {
    history: History,
    began: u64,
}

impl History {
    pub(crate) fn span(&self) -> Span {
        Span {
            history: self.clone(),
            began: *self.lock(),
        }
    }

    /// Ends every span that began before; nobody names a snapshot or removes a file while the value lives.
    pub(crate) fn take_back(&self) -> MutexGuard<'_, u64> {
        let mut count = self.lock();
        *count = count.wrapping_add(1);
        count
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        // The count is right whatever its holder was doing when it panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Span {
    /// Holds the history, unless it was taken back since.
    pub(crate) fn hold(&self) -> Option<MutexGuard<'_, u64>> {
        let count = self.history.lock();
        (*count == self.began).then_some(count)
    }
}
