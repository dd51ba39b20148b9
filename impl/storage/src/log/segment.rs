//! One log file: created durably before it holds a record, zeros ahead of its records.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use zk_proto::log::FileHeader;

use crate::disk::{Disk, DiskFile};
use crate::error::{Context, Result};
use crate::names::{SPARE, log_name};

/// Zeros written at once by whoever must wait for them.
pub(crate) const STEP: u64 = 1 << 20;
/// Zeros written at once behind the back of the log.
const FILL_STEP: u64 = 256 * 1024;

/// The log file that takes records.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) path: PathBuf,
    /// Zxid in the name.
    pub(crate) zxid: i64,
    pub(crate) file: Box<dyn DiskFile>,
    /// Where the next record goes.
    pub(crate) position: u64,
    /// Everything from `position` to here is written zeros.
    filled: u64,
    /// Bytes by which the file grows when no other is ready.
    step: u64,
}

impl Segment {
    /// Makes `log.<zxid>`, from a spare file if there is one. When this returns, the file and its name are durable.
    // spec: DF-ALG-02, DF-ALG-06, DF-PAD-04, FT-DISK-19. O_EXCL: a file of that name would hold records that recovery did not see.
    pub(crate) fn create(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        zxid: i64,
        size: u64,
        spare: Option<Filler>,
    ) -> Result<Self> {
        let path = dir.join(log_name(zxid));
        let step = size.clamp(FileHeader::LEN as u64, STEP);
        let (file, filled) = match spare {
            Some(spare) => {
                if disk.exists(&path).in_log("look for", &path)? {
                    return Err(std::io::Error::from(std::io::ErrorKind::AlreadyExists))
                        .in_log("create", &path);
                }
                disk.rename(&spare.path, &path).in_log("name", &path)?;
                (spare.file, spare.filled)
            }
            None => {
                let file = disk.create_new(&path).in_log("create", &path)?;
                write_header_and_zeros(&*file, step).in_log("write", &path)?;
                file.sync_data().in_log("sync", &path)?;
                (file, step)
            }
        };
        disk.sync_dir(dir).in_log("sync the directory of", &path)?;
        Ok(Self {
            path,
            zxid,
            file,
            position: FileHeader::LEN as u64,
            filled,
            step,
        })
    }

    /// True if `len` more bytes behind `pending` unwritten ones fit without growing the file.
    pub(crate) fn fits(&self, pending: usize, len: usize) -> bool {
        self.end(pending, len) <= self.filled
    }

    /// Half of the zeros are used up.
    pub(crate) fn is_half_full(&self) -> bool {
        self.position >= self.filled / 2
    }

    /// Writes more zeros so that the bytes fit: the next sync will have to record a new length.
    // spec: DF-PAD-01, DF-PAD-02, DF-ALG-04, DF-SYN-02. Written, where Apache leaves a hole: a hole has no extent yet.
    pub(crate) fn grow(&mut self, pending: usize, len: usize) -> Result<()> {
        let target = self
            .end(pending, len)
            .max(self.filled.saturating_add(self.step));
        let more = target.saturating_sub(self.filled);
        self.file
            .write_zeros(self.filled, more)
            .in_log("extend", &self.path)?;
        self.filled = target;
        Ok(())
    }

    /// Writes bytes behind the last record.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all_at(self.position, bytes)
            .in_log("write", &self.path)?;
        self.position = self.position.saturating_add(bytes.len() as u64);
        Ok(())
    }

    /// Makes everything written durable.
    pub(crate) fn sync(&self) -> Result<()> {
        self.file.sync_data().in_log("sync", &self.path)
    }

    /// Gives back the zeros behind the last record; durable with the next sync.
    // spec: DF-PAD-03. Readers take a log that ends right after a record.
    pub(crate) fn trim(&mut self) -> Result<()> {
        self.file
            .set_len(self.position)
            .in_log("trim", &self.path)?;
        self.filled = self.position;
        Ok(())
    }

    fn end(&self, pending: usize, len: usize) -> u64 {
        self.position
            .saturating_add(pending as u64)
            .saturating_add(len as u64)
    }
}

/// Makes the next log file under a name that nobody reads, in steps, on any thread.
///
/// A file that is written once is faster to sync than one that grows: its syncs change no length and no extent.
#[derive(Debug)]
pub struct Filler {
    /// Whose file it is: another log may have begun one of the same name since.
    owner: Arc<()>,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    filled: u64,
    size: u64,
}

impl Filler {
    pub(crate) fn create(disk: &dyn Disk, dir: &Path, size: u64, owner: &Arc<()>) -> Result<Self> {
        let path = dir.join(SPARE);
        if disk.exists(&path).at("look for", &path)? {
            disk.remove(&path).at("remove", &path)?;
        }
        let file = disk.create_new(&path).at("create", &path)?;
        let filler = Self {
            owner: Arc::clone(owner),
            path,
            file,
            filled: FileHeader::LEN as u64,
            size: size.max(FileHeader::LEN as u64),
        };
        match write_header_and_zeros(&*filler.file, filler.filled).at("write", &filler.path) {
            Ok(()) => Ok(filler),
            Err(error) => {
                filler.remove(disk);
                Err(error)
            }
        }
    }

    /// Gives its space back: on a full disk the log itself needs it.
    // spec: FT-DISK-08
    pub(crate) fn remove(self, disk: &dyn Disk) {
        // What stays is taken away before the next one is made, and at the next start.
        drop(disk.remove(&self.path));
    }

    /// Writes and syncs some more zeros; true once the file is whole.
    ///
    /// # Errors
    /// The disk's. The log goes on without a spare file.
    pub fn step(&mut self) -> Result<bool> {
        let more = self.size.saturating_sub(self.filled).min(FILL_STEP);
        self.file
            .write_zeros(self.filled, more)
            .at("fill", &self.path)?;
        self.file.sync_data().at("sync", &self.path)?;
        self.filled = self.filled.saturating_add(more);
        Ok(self.is_ready())
    }

    pub(crate) fn belongs_to(&self, owner: &Arc<()>) -> bool {
        Arc::ptr_eq(&self.owner, owner)
    }

    /// True if the file is as long as it shall be.
    pub fn is_ready(&self) -> bool {
        self.filled >= self.size
    }
}

fn write_header_and_zeros(file: &dyn DiskFile, len: u64) -> std::io::Result<()> {
    let mut header = Vec::with_capacity(FileHeader::LEN);
    FileHeader::LOG.write(&mut header);
    file.write_all_at(0, &header)?;
    file.write_zeros(header.len() as u64, len.saturating_sub(header.len() as u64))
}
