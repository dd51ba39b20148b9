//! The operating system's files.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{Disk, DiskFile, parent};

/// Files of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::open(path)?)))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            names.extend(entry?.file_name().into_string());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        let mut missing: Vec<PathBuf> = Vec::new();
        let mut at = dir;
        while !at.as_os_str().is_empty() && !at.try_exists()? {
            missing.push(at.to_path_buf());
            at = parent(at);
        }
        for path in missing.iter().rev() {
            std::fs::create_dir(path)?;
            let above = parent(path);
            self.sync_dir(if above.as_os_str().is_empty() {
                Path::new(".")
            } else {
                above
            })?;
        }
        Ok(())
    }

    fn lock(&self, dir: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let file = File::open(dir)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(file)),
            Err(TryLockError::WouldBlock) => {
                Err(io::Error::new(io::ErrorKind::WouldBlock, holder(&file)))
            }
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Who holds the lock on an open directory, as far as `/proc/locks` tells.
fn holder(dir: &File) -> String {
    let unknown = || "another process".to_owned();
    let Ok(metadata) = dir.metadata() else {
        return unknown();
    };
    let inode = format!(":{}", metadata.ino());
    let table = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let mut locks = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let found = locks.find_map(|fields| match fields.as_slice() {
        [_, "FLOCK", _, _, pid, file, ..] if file.ends_with(&inode) => {
            Some(format!("process {pid}"))
        }
        _ => None,
    });
    found.unwrap_or_else(unknown)
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        retry(|| self.0.read_at(buf, offset))
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        retry(|| self.0.write_at(bytes, offset))
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn read_ahead(&self) {
        // A hint: a file system that knows no advice reads as fast as it can anyway.
        rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::Sequential).ok();
        rustix::fs::fadvise(&self.0, 0, None, rustix::fs::Advice::WillNeed).ok();
    }
}

/// A signal may interrupt a call before it did anything; that is no fault of the disk.
fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_read_back_what_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = RealDisk.create_new(&path).unwrap();
        file.write_zeros(0, 200_000).unwrap();
        file.write_all_at(3, b"abc").unwrap();
        file.sync_data().unwrap();
        assert_eq!(file.len().unwrap(), 200_000);
        let mut bytes = [9; 8];
        assert_eq!(
            RealDisk
                .open_read(&path)
                .unwrap()
                .read_full_at(0, &mut bytes)
                .unwrap(),
            8
        );
        assert_eq!(&bytes, b"\0\0\0abc\0\0");
        assert_eq!(
            RealDisk.create_new(&path).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(RealDisk.list(dir.path()).unwrap(), ["file"]);
    }

    // spec: FT-PROC-15, DF-DIR-03
    #[test]
    fn a_lock_has_one_holder_and_leaves_no_trace() {
        let dir = tempfile::tempdir().unwrap();
        let held = RealDisk.lock(dir.path()).unwrap();
        let refused = RealDisk.lock(dir.path()).err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        assert_eq!(
            refused.to_string(),
            format!("process {}", std::process::id())
        );
        drop(held);
        RealDisk.lock(dir.path()).unwrap();
        assert!(RealDisk.list(dir.path()).unwrap().is_empty());
    }

    #[test]
    fn missing_directories_are_made() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b/c");
        RealDisk.create_dirs(&deep).unwrap();
        RealDisk.create_dirs(&deep).unwrap();
        assert!(RealDisk.exists(&deep).unwrap());
    }
}
