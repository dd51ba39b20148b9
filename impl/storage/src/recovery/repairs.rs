//! The changes that a successful recovery makes, after nothing can be refused any more.
// spec: P-DETECT, disk-format.md 9. Each step may be the last before a crash: the next start finds the same state.

use std::sync::atomic::Ordering;

use super::epochs::EpochPlan;
use super::replay::{LogEnd, Replay};
use super::snapshots::{SnapshotFile, sync_file};
use crate::disk::DiskFile;
use crate::epoch::{UPDATING, write};
use crate::error::{Context, Result};
use crate::log::mark::{Mark, MarkFile};
use crate::names::{MARK, is_leftover};
use crate::store::Store;

/// What is to be done.
#[derive(Debug)]
pub(crate) struct Repairs<'a> {
    pub(crate) snapshot: Option<&'a SnapshotFile>,
    pub(crate) replay: &'a Replay,
    pub(crate) epochs: Option<&'a EpochPlan>,
}

impl Store {
    pub(crate) fn repair(&self, repairs: &Repairs<'_>) -> Result<()> {
        // The state that was read must not be in the page cache alone when this server votes with it.
        if let Some(snapshot) = repairs.snapshot {
            sync_file(&*self.disk, &snapshot.path)?;
        }
        for file in &repairs.replay.read {
            sync_file(&*self.disk, &file.path)?;
        }
        if let Some(end) = &repairs.replay.end {
            self.settle_end(end)?;
        }
        for file in repairs.replay.empty.iter().rev() {
            self.disk.remove(&file.path).at("remove", &file.path)?;
        }
        self.disk
            .sync_dir(&self.log_dir)
            .at("sync", &self.log_dir)?;
        if let Some(end) = &repairs.replay.end {
            let mark = Mark {
                log: end.file.zxid,
                offset: end.offset,
                zxid: repairs.replay.last,
            };
            MarkFile::open(&self.disk, &self.log_dir.join(MARK), mark)?;
        }
        if let Some(plan) = repairs.epochs {
            self.write_epochs(plan)?;
        }
        self.remove_leftovers()
    }

    /// Cuts what is no record off the last file, and writes once more what a sync may have failed to: the
    /// page cache shows it whether or not it is on disk.
    // spec: FT-DISK-06, DF-ALG-02
    fn settle_end(&self, end: &LogEnd) -> Result<()> {
        let path = &end.file.path;
        let file = self.disk.open_write(path).at("open", path)?;
        if let Some(from) = end.unsynced_from {
            rewrite(&*file, from, end.offset).at("write", path)?;
        }
        if end.torn || end.unsynced_from.is_some() {
            file.set_len(end.offset).at("cut", path)?;
        }
        file.sync_data().at("sync", path)
    }

    fn write_epochs(&self, plan: &EpochPlan) -> Result<()> {
        for (which, epoch) in &plan.writes {
            write(&*self.disk, &self.snapshot_dir, *which, *epoch)?;
        }
        if plan.remove_updating {
            let path = self.snapshot_dir.join(UPDATING);
            self.disk.remove(&path).at("remove", &path)?;
            self.disk
                .sync_dir(&self.snapshot_dir)
                .at("sync", &self.snapshot_dir)?;
        }
        Ok(())
    }

    // spec: DF-DIR-04, DF-DIR-06. Nothing but the unfinished files of an earlier process.
    fn remove_leftovers(&self) -> Result<()> {
        if self.cleaned.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        for dir in [&self.snapshot_dir, &self.log_dir] {
            let names = self.disk.list(dir).at("list", dir)?;
            for name in names.iter().filter(|name| is_leftover(name)) {
                let path = dir.join(name);
                self.disk.remove(&path).at("remove", &path)?;
            }
            self.disk.sync_dir(dir).at("sync", dir)?;
        }
        Ok(())
    }
}

fn rewrite(file: &dyn DiskFile, from: u64, to: u64) -> std::io::Result<()> {
    let mut chunk = vec![0; 256 * 1024];
    let mut at = from;
    while at < to {
        let want = usize::try_from(to.saturating_sub(at))
            .unwrap_or(usize::MAX)
            .min(chunk.len());
        let read = file.read_full_at(at, chunk.get_mut(..want).unwrap_or_default())?;
        if read == 0 {
            break;
        }
        file.write_all_at(at, chunk.get(..read).unwrap_or_default())?;
        at = at.saturating_add(read as u64);
    }
    Ok(())
}
