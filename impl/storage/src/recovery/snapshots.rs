//! Which snapshot to start from.

use std::path::{Path, PathBuf};

use super::Load;
use crate::disk::Disk;
use crate::error::{Context, Error, Result};
use crate::names::{Compression, parse_snapshot};
use crate::snapshot::{self, Tail};
use crate::store::Store;

/// Apache gives up after as many. spec: DF-REC-01
const CANDIDATES: usize = 100;

/// A snapshot file by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SnapshotFile {
    pub(crate) zxid: i64,
    pub(crate) compression: Compression,
    pub(crate) path: PathBuf,
}

/// The snapshot that was loaded, and the newer ones that could not be.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) loaded: Option<(SnapshotFile, Tail)>,
    pub(crate) bad: Vec<(SnapshotFile, String)>,
}

impl Store {
    /// Snapshots by name, newest first.
    pub(crate) fn snapshots(&self) -> Result<Vec<SnapshotFile>> {
        let names = self
            .disk
            .list(&self.snapshot_dir)
            .at("list", &self.snapshot_dir)?;
        let mut files: Vec<SnapshotFile> = names
            .iter()
            .filter_map(|name| {
                let (zxid, compression) = parse_snapshot(name)?;
                Some(SnapshotFile {
                    zxid,
                    compression,
                    path: self.snapshot_dir.join(name),
                })
            })
            .collect();
        files.sort_unstable_by(|one, two| two.cmp(one));
        Ok(files)
    }

    /// Loads the newest snapshot that is whole and that `allowed` takes, by name and then by tail.
    // spec: DF-REC-01, FT-DISK-14
    pub(crate) fn load_newest(
        &self,
        load: &mut dyn Load,
        allowed: impl Fn(i64, &Tail) -> bool,
    ) -> Result<Chosen> {
        let mut chosen = Chosen::default();
        let candidates = self
            .snapshots()?
            .into_iter()
            .filter(|file| allowed(file.zxid, &Tail::default()));
        for file in candidates.take(CANDIDATES) {
            if !snapshot::looks_whole(&*self.disk, &file.path, file.compression)? {
                chosen.bad.push((file, "it was never finished".into()));
                continue;
            }
            load.begin(file.zxid);
            let limit = self.config.limit_bytes;
            match snapshot::load(&*self.disk, &file.path, file.compression, limit, load) {
                Ok(tail) if allowed(file.zxid, &tail) => {
                    chosen.loaded = Some((file, tail));
                    return Ok(chosen);
                }
                Ok(_) => {}
                Err(Error::BadSnapshot { offset, what }) => {
                    chosen.bad.push((file, format!("at byte {offset}: {what}")))
                }
                Err(other) => return Err(other),
            }
        }
        Ok(chosen)
    }
}

/// Makes a file's bytes durable, whoever wrote them.
pub(crate) fn sync_file(disk: &dyn Disk, path: &Path) -> Result<()> {
    disk.open_write(path)
        .at("open", path)?
        .sync_data()
        .at("sync", path)
}
