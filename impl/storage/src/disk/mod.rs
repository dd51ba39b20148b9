//! The one door to files. Everything below this crate's API goes through [`Disk`], so that a simulated
//! disk can stand in and lose what a real one may lose.

mod real;

pub use real::RealDisk;

use std::fmt::Debug;
use std::io;
use std::path::Path;

/// A place that holds files. Calls are those of a file system; nothing is durable until the file
/// ([`DiskFile::sync_data`]) and the directory that names it ([`Disk::sync_dir`]) were synced.
pub trait Disk: Debug + Send + Sync {
    /// Creates a file that must not exist, open for reading and writing.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for reading.
    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Opens an existing file for reading and writing.
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;
    /// Names of the entries of a directory, sorted. Names that are not UTF-8 are left out.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
    /// True if a file or directory of that name exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Moves a file within one directory, over an existing one if there is one.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes creations, renames and removals in `dir` durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Creates a directory and the missing ones above it, durably.
    fn create_dirs(&self, dir: &Path) -> io::Result<()>;
    /// Takes an advisory lock on a directory, held until the value is dropped; changes nothing in it.
    /// `WouldBlock`, with the holder in its text where the system tells, if another process has it.
    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>>;
}

/// An open file. Offsets and lengths are bytes.
pub trait DiskFile: Debug + Send {
    /// Reads at most `buf.len()` bytes; 0 at the end of the file.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize>;
    /// Writes at most `bytes.len()` bytes and returns how many.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize>;
    /// Length of the file.
    fn len(&self) -> io::Result<u64>;
    /// Cuts the file, or extends it with zeros that occupy no space.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes the file's bytes and length durable. After an error the bytes written since the last
    /// success may be gone, and a later success says nothing about them.
    fn sync_data(&self) -> io::Result<()>;
    /// Tells the system that the file will be read from front to back.
    fn read_ahead(&self) {}

    /// True for a file of no bytes.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Writes all of `bytes`.
    fn write_all_at(&self, mut offset: u64, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.write_at(offset, bytes)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = bytes.get(written..).unwrap_or_default();
            offset = offset.saturating_add(written as u64);
        }
        Ok(())
    }

    /// Fills `buf` from `offset` as far as the file reaches; returns the number of bytes read.
    fn read_full_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0usize;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let read = self.read_at(offset.saturating_add(filled as u64), rest)?;
            if read == 0 {
                break;
            }
            filled = filled.saturating_add(read);
        }
        Ok(filled)
    }

    /// Writes `len` zeros, as bytes that occupy space: a later write there changes no length and no extent.
    fn write_zeros(&self, mut offset: u64, len: u64) -> io::Result<()> {
        const ZEROS: &[u8] = &[0; 64 * 1024];
        let mut left = len;
        while left > 0 {
            let step = left.min(ZEROS.len() as u64);
            self.write_all_at(offset, ZEROS.get(..step as usize).unwrap_or(ZEROS))?;
            offset = offset.saturating_add(step);
            left = left.saturating_sub(step);
        }
        Ok(())
    }
}

/// The directory that names `path`.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

/// Reads a whole small file. A longer one than `limit` bytes is an error, not an allocation.
pub(crate) fn read_small(disk: &dyn Disk, path: &Path, limit: usize) -> io::Result<Vec<u8>> {
    let file = disk.open_read(path)?;
    let mut bytes = vec![0; limit.saturating_add(1)];
    let len = file.read_full_at(0, &mut bytes)?;
    if len > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("longer than {limit} bytes"),
        ));
    }
    bytes.truncate(len);
    Ok(bytes)
}
