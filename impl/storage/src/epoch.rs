//! `acceptedEpoch`, `currentEpoch` and the leftovers around them.

use std::path::{Path, PathBuf};

use crate::disk::{Disk, read_small};
use crate::error::{Context, Error, Result};
use crate::names::TEMPORARY;

/// What a server promised and whom it last followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epochs {
    /// Highest epoch whose leader this server promised to follow.
    pub accepted: i64,
    /// Epoch of the history that this server holds.
    pub current: i64,
}

/// Names of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EpochFile {
    /// `acceptedEpoch`
    Accepted,
    /// `currentEpoch`
    Current,
}

impl EpochFile {
    pub(crate) fn name(self) -> &'static str {
        match self {
            EpochFile::Accepted => "acceptedEpoch",
            EpochFile::Current => "currentEpoch",
        }
    }

    pub(crate) fn path(self, dir: &Path) -> PathBuf {
        dir.join(self.name())
    }

    pub(crate) fn temporary(self, dir: &Path) -> PathBuf {
        dir.join(format!("{}{TEMPORARY}", self.name()))
    }
}

/// Left by 3.4 between a sync-time snapshot and the epoch's update.
// spec: DF-EPO-05
pub(crate) const UPDATING: &str = "updatingEpoch";

/// Content of an epoch file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    Missing,
    Value(i64),
    Garbage(String),
}

/// First line, parsed as a signed decimal; no blanks.
// spec: DF-EPO-01
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> Result<Stored> {
    if !disk.exists(path).at("look for", path)? {
        return Ok(Stored::Missing);
    }
    let bytes = match read_small(disk, path, 256) {
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            return Ok(Stored::Garbage(error.to_string()));
        }
        bytes => bytes.at("read", path)?,
    };
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default();
    Ok(match line.parse::<i64>() {
        Ok(epoch) if epoch >= 0 => Stored::Value(epoch),
        Ok(_) | Err(_) => {
            Stored::Garbage(format!("{:?}", line.chars().take(40).collect::<String>()))
        }
    })
}

/// Replaces an epoch file. When this returns the new value survives a crash; after an error either the old or
/// the new one may be found, and nobody may be told of the new one.
// spec: DF-EPO-02, FT-DISK-10
pub(crate) fn write(disk: &dyn Disk, dir: &Path, which: EpochFile, epoch: i64) -> Result<()> {
    write_number(disk, dir, which.name(), epoch)
}

/// As [`write`], for any file that holds one number.
pub(crate) fn write_number(disk: &dyn Disk, dir: &Path, name: &str, number: i64) -> Result<()> {
    let (path, temporary) = (dir.join(name), dir.join(format!("{name}{TEMPORARY}")));
    if disk.exists(&temporary).at("look for", &temporary)? {
        disk.remove(&temporary).at("remove", &temporary)?;
    }
    let file = disk.create_new(&temporary).at("create", &temporary)?;
    file.write_all_at(0, number.to_string().as_bytes())
        .at("write", &temporary)?;
    file.sync_data().at("sync", &temporary)?;
    disk.rename(&temporary, &path).at("rename", &temporary)?;
    disk.sync_dir(dir).at("sync", dir)
}

/// Reads `myid`: the server's number on the first line.
// spec: FT-DISK-24
pub fn read_my_id(disk: &dyn Disk, data_dir: &Path) -> Result<i64> {
    let path = data_dir.join("myid");
    let bytes = read_small(disk, &path, 256).at("read", &path)?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default();
    line.parse().map_err(|_| Error::Unusable {
        path,
        what: format!(
            "the first line must be the server's number, found {:?}",
            line.chars().take(40).collect::<String>()
        ),
    })
}
