//! A disk in memory that loses what a real one may lose. spec: faults.md, section 4.
//!
//! Each file has durable bytes and pending writes in issue order; each directory entry is durable or
//! pending. A sync makes the pending items of its file or directory durable. At a crash an [`Outcome`]
//! settles every pending item by itself: kept, dropped, or torn at a 512 or 4096 byte boundary, later
//! ones without earlier ones as well. A hook may fail, shorten, delay or misdirect any call, or cut the
//! power at it. A failed sync drops what was pending and calls it clean: reads still show the bytes,
//! the next sync succeeds, and a crash shows that they were never there.
//!
//! Everything follows from the calls and the outcome's seed: no clock, no randomness of its own.

mod crash;
mod pages;
mod state;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::disk::{Disk, DiskFile};
pub use crash::{Outcome, Part};
use state::{InodeId, State};

/// What a call wants to do, told to the hook before it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Number of calls that change the disk before this one.
    pub step: u64,
    /// The file or directory; the old name of a rename; where a file was when it was opened.
    pub path: PathBuf,
    /// Which call.
    pub kind: CallKind,
}

/// Kinds of calls. Lengths and offsets in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum CallKind {
    Create,
    Open,
    Read { offset: u64, len: u64 },
    Write { offset: u64, len: u64 },
    SetLen { len: u64 },
    SyncData,
    SyncDir,
    Rename,
    Remove,
}

impl CallKind {
    /// True if the call changes what a crash leaves behind.
    pub fn changes(self) -> bool {
        match self {
            CallKind::Open | CallKind::Read { .. } => false,
            CallKind::Create
            | CallKind::Write { .. }
            | CallKind::SetLen { .. }
            | CallKind::SyncData
            | CallKind::SyncDir
            | CallKind::Rename
            | CallKind::Remove => true,
        }
    }
}

/// What the hook makes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It happens.
    Proceed,
    /// It happens, after this many nanoseconds: added to what [`SimDisk::take_delay`] returns.
    Delay(u64),
    /// It fails with this `errno` and does nothing; a sync drops its pending items.
    Fail(i32),
    /// A read or write moves only this many bytes.
    Short(usize),
    /// A write lands at this offset instead.
    Misdirect(u64),
    /// The power goes: this call and every later one fail until [`SimDisk::crash`].
    Halt,
}

/// Decides about each call, in order.
pub type Hook = Box<dyn FnMut(&Call) -> Verdict + Send>;

/// A handle on a simulated disk; clones see the same disk.
#[derive(Clone, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
}

impl SimDisk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Another disk with the same bytes, pending items and directories; no hook, no open files, no locks.
    pub fn fork(&self) -> Self {
        Self {
            state: Arc::new(Mutex::new(self.state().fork())),
        }
    }

    /// Asks `hook` about every call from now on.
    pub fn set_hook(&self, hook: impl FnMut(&Call) -> Verdict + Send + 'static) {
        self.state().hook = Some(Box::new(hook));
    }

    /// Lets every call proceed from now on.
    pub fn clear_hook(&self) {
        self.state().hook = None;
    }

    /// Number of calls so far that change what a crash leaves behind.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Nanoseconds of delay ordered by the hook since the last question.
    pub fn take_delay(&self) -> u64 {
        std::mem::take(&mut self.state().delay)
    }

    /// Number of items that a crash now would have to settle.
    pub fn pending(&self) -> usize {
        self.state().pending()
    }

    /// The outcomes of a crash now: keep all, drop all, drop each, keep each alone, each write torn at
    /// 512 and 4096 (first part, last part), and `mixes` seeded ones.
    pub fn outcomes(&self, mixes: u64) -> Vec<Outcome> {
        self.state().outcomes(mixes)
    }

    /// Cuts the power: settles the pending items, forgets open files, locks and the hook.
    pub fn crash(&self, outcome: Outcome) {
        self.state().crash(outcome);
    }

    /// The process ends and the system lives on: open files and locks go, every byte written stays
    /// readable, nothing becomes durable by it.
    pub fn kill_process(&self) {
        self.state().kill_process();
    }

    /// A file as a reader sees it now, for checks and surgery.
    pub fn read_file(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.state().read_file(path)
    }

    /// Puts a file of these bytes in place, durably, over an existing one. Creates its directory.
    pub fn put_file(&self, path: &Path, bytes: &[u8]) {
        self.state().put_file(path, bytes);
    }

    /// Takes a file away, durably.
    pub fn delete_file(&self, path: &Path) {
        self.state().delete_file(path);
    }

    /// Every file's path and bytes as readers see them: two equal answers mean an unchanged disk.
    pub fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.state().contents()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic of a test thread leaves the model consistent: each call changes it in one go.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, inode: InodeId, boot: u64, path: &Path) -> Box<dyn DiskFile> {
        Box::new(SimFile {
            disk: self.clone(),
            inode,
            boot,
            path: path.to_path_buf(),
        })
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        write!(
            f,
            "SimDisk {{ steps: {}, pending: {} }}",
            state.steps,
            state.pending()
        )
    }
}

impl Disk for SimDisk {
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        let (inode, boot) = state.create(path)?;
        drop(state);
        Ok(self.handle(inode, boot, path))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open_write(path)
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.state();
        let (inode, boot) = state.open(path)?;
        drop(state);
        Ok(self.handle(inode, boot, path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.state().list(dir)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.state().exists(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.state().rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.state().remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.state().sync_dir(dir)
    }

    fn create_dirs(&self, dir: &Path) -> io::Result<()> {
        self.state().create_dirs(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        let boot = self.state().lock(path)?;
        Ok(Box::new(SimLock {
            disk: self.clone(),
            path: path.to_path_buf(),
            boot,
        }))
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: InodeId,
    boot: u64,
    path: PathBuf,
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.disk
            .state()
            .read_at(self.inode, self.boot, &self.path, offset, buf)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        self.disk
            .state()
            .write_at(self.inode, self.boot, &self.path, offset, bytes)
    }

    fn len(&self) -> io::Result<u64> {
        self.disk.state().len(self.inode, self.boot)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk
            .state()
            .set_len(self.inode, self.boot, &self.path, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk
            .state()
            .sync_data(self.inode, self.boot, &self.path)
    }
}

impl Drop for SimFile {
    fn drop(&mut self) {
        self.disk.state().close(self.inode, self.boot);
    }
}

struct SimLock {
    disk: SimDisk,
    path: PathBuf,
    boot: u64,
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().unlock(&self.path, self.boot);
    }
}

#[cfg(test)]
mod tests;
