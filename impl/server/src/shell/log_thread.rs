//! The log thread: all that is queued, one sync, one completion.

use super::fatal::die;
use super::fault::{self, Turn};
use super::fill_thread::FillThread;
use super::inbox::Inbox;
use crate::run::Batching;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zk_node::disk::{Command, Keeper};
use zk_node::{Input, Shared};

pub(crate) struct LogThread {
    pub(crate) keeper: Keeper,
    pub(crate) queue: Arc<Inbox<Command>>,
    pub(crate) driver: Arc<Inbox<Input>>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) batching: Batching,
    pub(crate) warn_ms: u32,
    pub(crate) size_limit_bytes: Option<u64>,
    pub(crate) fill: Arc<FillThread>,
    /// After a failure.
    pub(crate) try_again_at: Option<Instant>,
}

/// How long the log goes on without a prepared file after one could not be made.
const RETRY: Duration = Duration::from_secs(60);

impl LogThread {
    /// Runs until the queue is closed and empty.
    // spec: QP-BC-08, DF-ALG-05, P-DIE
    pub(crate) fn run(mut self) {
        let mut batch = Vec::new();
        while self.queue.take(&mut batch, None) {
            fault::pass(Turn::Log);
            self.wait_for_company(&mut batch);
            while !batch.is_empty() {
                let at_most = (self.batching.max_requests.max(1) as usize).min(batch.len());
                self.write(batch.drain(..at_most));
            }
            self.prepare();
        }
        if let Err(error) = self.keeper.close() {
            die(&error);
        }
    }

    /// Has the next log file made, once this one is half full.
    fn prepare(&mut self) {
        if let Some(filler) = self.fill.finished() {
            // spec: FT-DISK-08. The disk may be full, and what is left of it is the log's.
            if !filler.is_ready() {
                self.try_again_at = Some(Instant::now() + RETRY);
            }
            self.keeper.return_filler(filler);
        }
        if self.try_again_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        self.try_again_at = None;
        match self.keeper.take_filler() {
            Ok(None) => {}
            Ok(Some(filler)) => self.fill.begin(filler),
            Err(error) => {
                tracing::warn!(%error, "the next log file could not be prepared");
                self.try_again_at = Some(Instant::now() + RETRY);
            }
        }
    }

    fn wait_for_company(&self, batch: &mut Vec<Command>) {
        if self.batching.flush_delay_ms == 0 {
            return;
        }
        let ms = |ms: u32| Duration::from_millis(u64::from(ms));
        let until = Instant::now() + ms(self.batching.flush_delay_ms);
        let mut more = Vec::new();
        while batch.len() < self.batching.max_requests as usize && Instant::now() < until {
            let quiet = (Instant::now() + ms(self.batching.max_poll_ms)).min(until);
            let open = self.queue.take(&mut more, Some(quiet));
            if !open || more.is_empty() {
                return;
            }
            batch.append(&mut more);
        }
    }

    fn write(&mut self, batch: impl Iterator<Item = Command>) {
        let start = Instant::now();
        let done = match self.keeper.write(batch) {
            Ok(done) => done,
            Err(error) => die(&error),
        };
        self.measured(start.elapsed());
        if let Some(zxid) = self.keeper.synced() {
            self.shared.set_durable(zxid);
        }
        let tree = done.tree.map(Input::Reloaded);
        let persisted = done.through.map(Input::Persisted);
        self.driver.extend(tree.into_iter().chain(persisted));
        if self
            .size_limit_bytes
            .is_some_and(|limit| self.keeper.file_bytes() > limit)
            && let Err(error) = self.keeper.write([Command::Roll])
        {
            die(&error);
        }
    }

    // spec: DF-SYN-03, P-LOUD
    fn measured(&self, elapsed: Duration) {
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        self.shared.totals.fsyncs.add(1);
        self.shared.totals.fsync_ms.add(elapsed_ms);
        if elapsed > Duration::from_millis(u64::from(self.warn_ms)) {
            self.shared.totals.slow_fsyncs.add(1);
            tracing::warn!(elapsed_ms, "syncing the log was slow; clients feel it");
        }
    }
}
