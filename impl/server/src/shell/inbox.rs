//! A queue that many fill and one thread empties in batches.

use std::pin::pin;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::Notify;

/// A queue of this many bytes has no room. What is under way when that is found out still goes in, and
/// the reader's own batch may be as large.
pub(crate) const FULL_BYTES: usize = 16 << 20;

/// Its length is bounded by what may be in flight: requests by the limits on connections, completions by
/// requests. What peers send is read while there is [`Inbox::room`].
#[derive(Debug)]
pub(crate) struct Inbox<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    emptied: Notify,
}

#[derive(Debug)]
struct State<T> {
    items: Vec<T>,
    bytes: usize,
    closed: bool,
    waiting: bool,
}

impl<T> Default for Inbox<T> {
    fn default() -> Self {
        let state = State {
            items: Vec::new(),
            bytes: 0,
            closed: false,
            waiting: false,
        };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            emptied: Notify::new(),
        }
    }
}

impl<T> Inbox<T> {
    pub(crate) fn push(&self, item: T) {
        self.extend([item]);
    }

    /// Appends all; wakes the reader once.
    pub(crate) fn extend(&self, items: impl IntoIterator<Item = T>) {
        self.extend_by(items, 0);
    }

    /// As `extend`; the items hold so many bytes.
    pub(crate) fn extend_by(&self, items: impl IntoIterator<Item = T>, bytes: usize) {
        let mut state = self.lock();
        state.bytes = state.bytes.saturating_add(bytes);
        state.items.extend(items);
        if std::mem::take(&mut state.waiting) {
            drop(state);
            self.filled.notify_one();
        }
    }

    /// Waits until it is not full: its reader is slower than whoever fills it.
    // spec: P-BOUND, FT-LOAD-15
    pub(crate) async fn room(&self) {
        loop {
            let mut emptied = pin!(self.emptied.notified());
            // Listening before looking: what happens in between is not missed.
            emptied.as_mut().enable();
            if self.lock().bytes < FULL_BYTES {
                return;
            }
            emptied.await;
        }
    }

    /// No more will come; what is there is still read.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_one();
    }

    /// Swaps what has come into `batch`, which must be empty. Waits for something until `deadline`.
    /// False once closed and empty.
    pub(crate) fn take(&self, batch: &mut Vec<T>, deadline: Option<Instant>) -> bool {
        let mut state = self.lock();
        loop {
            if !state.items.is_empty() {
                std::mem::swap(&mut state.items, batch);
                if std::mem::take(&mut state.bytes) >= FULL_BYTES {
                    self.emptied.notify_waiters();
                }
                return true;
            }
            if state.closed {
                return false;
            }
            state.waiting = true;
            state = match deadline {
                None => self
                    .filled
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        state.waiting = false;
                        return true;
                    }
                    let waited = self.filled.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn what_came_before_the_end_is_still_read() {
        let inbox = Inbox::default();
        inbox.extend([1, 2]);
        inbox.push(3);
        inbox.close();
        let mut batch = Vec::new();
        assert!(inbox.take(&mut batch, None));
        assert_eq!(batch, [1, 2, 3]);
        batch.clear();
        assert!(!inbox.take(&mut batch, None));
    }

    // spec: P-BOUND, FT-LOAD-15
    #[tokio::test]
    async fn a_full_queue_has_room_again_once_it_is_taken() {
        let inbox = Inbox::default();
        inbox.extend_by([1], FULL_BYTES - 1);
        inbox.room().await;
        inbox.extend_by([2], 1);
        let mut waiting = tokio_test::task::spawn(inbox.room());
        tokio_test::assert_pending!(waiting.poll());
        let mut batch = Vec::new();
        assert!(inbox.take(&mut batch, None));
        assert!(waiting.is_woken());
        tokio_test::assert_ready!(waiting.poll());
    }

    #[test]
    fn a_deadline_ends_the_wait_and_a_push_does_so_earlier() {
        let inbox = Arc::new(Inbox::default());
        let mut batch: Vec<u8> = Vec::new();
        assert!(inbox.take(&mut batch, Some(Instant::now() + Duration::from_millis(1))));
        assert!(batch.is_empty());
        let pusher = std::thread::spawn({
            let inbox = Arc::clone(&inbox);
            move || inbox.push(7)
        });
        assert!(inbox.take(&mut batch, None));
        assert_eq!(batch, [7]);
        pusher.join().unwrap();
    }
}
