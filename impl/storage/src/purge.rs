//! Drops what no recovery needs: the disk stays bounded.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::error::{Context, Error, Result};
use crate::recovery::SnapshotFile;
use crate::snapshot::verify;
use crate::store::Store;

/// Fewest snapshots that are kept, and how many unless configured.
// spec: DF-PRG-01
pub const SNAPSHOTS_KEPT: usize = 3;

/// Remembers which snapshots were read to their end and found whole.
#[derive(Debug, Default)]
pub struct Purger {
    verified: BTreeSet<SnapshotFile>,
}

/// What a purge removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Files removed, in order.
    pub removed: Vec<PathBuf>,
    /// Snapshots among the newest that are not whole; they stay and are not counted.
    pub bad: Vec<PathBuf>,
}

impl Purger {
    /// Keeps the newest `keep` whole snapshots (three at least) and the logs from the oldest of them on; keeps all
    /// that a reader of records from `needed_from` on may open, too. Not to be called while a snapshot is
    /// being sent from its file.
    ///
    /// Reads each snapshot that it counts once. Runs on any thread.
    // spec: DF-PRG-02, DF-PRG-03, DF-PRG-04, DF-PRG-05, DF-FAIL-02
    pub fn purge(
        &mut self,
        store: &Store,
        keep: usize,
        needed_from: Option<i64>,
    ) -> Result<Purged> {
        let mut purged = Purged::default();
        let span = store.history.span();
        let files = store.snapshots()?;
        let Some(oldest) =
            self.oldest_kept(store, &files, keep.max(SNAPSHOTS_KEPT), &mut purged)?
        else {
            return Ok(purged);
        };
        // Reading took a while; a truncation may have removed what was counted.
        let Some(_held) = span.hold() else {
            return Ok(purged);
        };
        let oldest = needed_from.map_or(oldest, |from| oldest.min(from.saturating_sub(1)));
        let old_snapshots = files
            .iter()
            .rev()
            .filter(|file| file.zxid < oldest)
            .map(|file| &file.path);
        remove(store, old_snapshots, &mut purged)?;
        store
            .disk
            .sync_dir(&store.snapshot_dir)
            .at("sync", &store.snapshot_dir)?;
        let logs = store.logs()?;
        let first_needed = logs
            .iter()
            .rposition(|file| file.zxid <= oldest)
            .unwrap_or(0);
        remove(
            store,
            logs.iter().take(first_needed).map(|file| &file.path),
            &mut purged,
        )?;
        store
            .disk
            .sync_dir(&store.log_dir)
            .at("sync", &store.log_dir)?;
        let left: BTreeSet<SnapshotFile> = files
            .into_iter()
            .filter(|file| file.zxid >= oldest)
            .collect();
        self.verified.retain(|file| left.contains(file));
        Ok(purged)
    }

    /// Zxid of the `keep`-th newest whole snapshot, or of the oldest if there are fewer: then nothing is too old.
    fn oldest_kept(
        &mut self,
        store: &Store,
        files: &[SnapshotFile],
        keep: usize,
        purged: &mut Purged,
    ) -> Result<Option<i64>> {
        let mut kept = Vec::new();
        for file in files {
            if self.is_whole(store, file)? {
                kept.push(file.zxid);
            } else {
                purged.bad.push(file.path.clone());
            }
            if kept.len() == keep {
                return Ok(kept.last().copied());
            }
        }
        Ok(None)
    }

    fn is_whole(&mut self, store: &Store, file: &SnapshotFile) -> Result<bool> {
        if self.verified.contains(file) {
            return Ok(true);
        }
        match verify(
            &*store.disk,
            &file.path,
            file.compression,
            store.config.limit_bytes,
        ) {
            Ok(_) => {
                // What the files' names promise must be on disk before what it replaces goes.
                store
                    .disk
                    .open_write(&file.path)
                    .at("open", &file.path)?
                    .sync_data()
                    .at("sync", &file.path)?;
                self.verified.insert(file.clone());
                Ok(true)
            }
            Err(Error::BadSnapshot { .. }) => Ok(false),
            Err(other) => Err(other),
        }
    }
}

fn remove<'a>(
    store: &Store,
    paths: impl Iterator<Item = &'a PathBuf>,
    purged: &mut Purged,
) -> Result<()> {
    for path in paths {
        store.disk.remove(path).at("remove", path)?;
        purged.removed.push(path.clone());
    }
    Ok(())
}
