//! The snapshot thread: writes one when it is due, then drops what no recovery needs.

use super::fault::{self, Turn};
use super::inbox::Inbox;
use std::sync::Arc;
use std::time::Duration;
use zk_node::Shared;
use zk_node::disk::SnapshotJob;
use zk_storage::{Compression, Purger, Result, Store};

/// Tells the thread that a snapshot is due; a second one before it starts is the same one.
#[derive(Debug, Default)]
pub(crate) struct SnapshotSignal(Inbox<()>);

impl SnapshotSignal {
    pub(crate) fn due(&self) {
        self.0.push(());
    }

    pub(crate) fn close(&self) {
        self.0.close();
    }
}

pub(crate) struct SnapshotThread {
    pub(crate) shared: Arc<Shared>,
    pub(crate) store: Arc<Store>,
    pub(crate) signal: Arc<SnapshotSignal>,
    pub(crate) compression: Compression,
    /// None = never purge.
    pub(crate) retain: Option<usize>,
}

/// Between slices, so that a snapshot takes a small part of the disk.
const PAUSE: Duration = Duration::from_millis(2);

impl SnapshotThread {
    /// Runs until the signal is closed.
    // spec: FT-DISK-09. A failed attempt costs nothing but disk: the logs stay, and the next one tries again.
    pub(crate) fn run(self) {
        let mut purger = Purger::default();
        let mut due = Vec::new();
        while self.signal.0.take(&mut due, None) {
            due.clear();
            fault::pass(Turn::Snapshot);
            match self.write() {
                Ok(()) => self.purge(&mut purger),
                Err(error) => {
                    self.shared.totals.snapshot_errors.add(1);
                    tracing::warn!(%error, "a snapshot failed; the next one tries again");
                }
            }
        }
    }

    fn write(&self) -> Result<()> {
        let mut job = SnapshotJob::begin(&self.shared, &self.store, self.compression)?;
        loop {
            match job.step(&self.shared) {
                Ok(Some(_)) => std::thread::sleep(PAUSE),
                Ok(None) => break,
                Err(error) => {
                    drop(job.discard());
                    return Err(error);
                }
            }
        }
        // spec: DF-ALG-12. A leader may commit before its own sync.
        while self.shared.durable() < job.shows() {
            std::thread::sleep(PAUSE);
        }
        let written = job.finish(&self.shared.settings)?;
        self.shared.totals.snapshots.add(1);
        tracing::info!(?written, "snapshot");
        Ok(())
    }

    fn purge(&self, purger: &mut Purger) {
        let Some(retain) = self.retain else { return };
        match purger.purge(&self.store, retain, None) {
            Ok(purged) => tracing::info!(?purged, "purge"),
            Err(error) => tracing::warn!(%error, "purging failed"),
        }
    }
}
