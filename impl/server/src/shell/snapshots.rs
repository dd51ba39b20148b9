//! The snapshot thread: writes one when it is due, then drops what no recovery needs.

use super::fault::{self, Turn};
use super::inbox::Inbox;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use zk_node::Shared;
use zk_node::disk::SnapshotJob;
use zk_storage::snapshot::Written;
use zk_storage::{Compression, Purger, Result, Store};

/// Tells the thread that a snapshot is due; a second one before it starts is the same one.
#[derive(Debug, Default)]
pub(crate) struct SnapshotSignal {
    due: Inbox<()>,
    closed: AtomicBool,
}

impl SnapshotSignal {
    pub(crate) fn due(&self) {
        self.due.push(());
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.due.close();
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
    /// Runs until the signal is closed; what is under way then is given up.
    // spec: FT-DISK-09. A failed attempt costs nothing but disk: the logs stay, and the next one tries again.
    pub(crate) fn run(self) {
        let mut purger = Purger::default();
        let mut due = Vec::new();
        while self.signal.due.take(&mut due, None) {
            due.clear();
            fault::pass(Turn::Snapshot);
            match self.write() {
                Ok(Some(written)) => {
                    self.shared.totals.snapshots.add(1);
                    tracing::info!(?written, "snapshot");
                    self.purge(&mut purger);
                }
                Ok(None) => tracing::info!("a snapshot was given up: the server stops"),
                Err(error) => {
                    self.shared.totals.snapshot_errors.add(1);
                    tracing::warn!(%error, "a snapshot failed; the next one tries again");
                }
            }
        }
    }

    /// None: the server stops, and nothing is left of the attempt.
    // spec: FT-PROC-09. The log is whole without it, and the end of the process must not wait for a disk or for a quorum.
    fn write(&self) -> Result<Option<Written>> {
        let mut job = SnapshotJob::begin(&self.shared, &self.store, self.compression)?;
        loop {
            let more = job.step(&self.shared)?.is_some();
            // spec: DF-ALG-12. A leader may commit before its own sync.
            if !more && self.shared.durable() >= job.shows() {
                return job.finish(&self.shared.settings).map(Some);
            }
            if self.signal.closed.load(Ordering::Relaxed) {
                return Ok(None);
            }
            std::thread::sleep(PAUSE);
        }
    }

    fn purge(&self, purger: &mut Purger) {
        let Some(retain) = self.retain else { return };
        match purger.purge(&self.store, retain, None) {
            Ok(purged) => tracing::info!(?purged, "purge"),
            Err(error) => tracing::warn!(%error, "purging failed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use zk_node::Now;
    use zk_node::settings::Settings;
    use zk_storage::sim::SimDisk;
    use zk_tree::Tree;

    const NOW: Now = Now {
        mono_ms: 0,
        wall_ms: 0,
    };

    /// A thread over a tree at `zxid` of which nothing is durable.
    fn thread(disk: &SimDisk, zxid: i64) -> SnapshotThread {
        let mut tree = Tree::new(zk_tree::Settings::default());
        tree.set_last_zxid(zxid);
        let shared = Arc::new(Shared::new(Settings::default(), tree, NOW));
        shared.set_durable(0);
        let config = zk_storage::Config::new("/data");
        SnapshotThread {
            shared,
            store: Arc::new(Store::open(Arc::new(disk.clone()), config).unwrap()),
            signal: Arc::default(),
            compression: Compression::None,
            retain: None,
        }
    }

    fn has(disk: &SimDisk, name: &str) -> bool {
        let path = Path::new("/data/version-2").join(name);
        disk.read_file(&path).is_ok()
    }

    // spec: FT-PROC-09, FT-DISK-09, DF-ALG-12
    #[test]
    fn the_end_of_the_server_waits_for_no_snapshot() {
        let disk = SimDisk::new();
        let thread = thread(&disk, 0x1_0000_0005);
        let signal = Arc::clone(&thread.signal);
        signal.due();
        let runs = std::thread::spawn(|| thread.run());
        // It waits for a sync that never comes.
        while !has(&disk, "snapshot.100000005.tmp") {
            std::thread::sleep(PAUSE);
        }
        signal.close();
        runs.join().unwrap();
        let left = disk.contents();
        assert!(left.is_empty(), "{left:?}");
    }
}
