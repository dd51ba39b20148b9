//! Files, entries and what of them is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::pages::Pages;
use super::{Call, CallKind, Hook, Verdict};
use crate::disk::parent;

pub(super) type InodeId = u64;

/// A change of a file that no sync has covered yet.
#[derive(Clone, Debug)]
pub(super) enum Write {
    Bytes { offset: u64, bytes: Arc<[u8]> },
    SetLen(u64),
}

/// A change of a directory that no sync has covered yet.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Link {
        path: PathBuf,
        inode: InodeId,
    },
    Unlink {
        path: PathBuf,
    },
    Move {
        from: PathBuf,
        to: PathBuf,
        inode: InodeId,
    },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    pub(super) seen: Pages,
    pub(super) durable: Pages,
    pub(super) pending: Vec<Write>,
    handles: u64,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) inodes: BTreeMap<InodeId, Inode>,
    pub(super) seen: BTreeMap<PathBuf, InodeId>,
    pub(super) durable: BTreeMap<PathBuf, InodeId>,
    pub(super) entries: Vec<Entry>,
    dirs: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    next_inode: InodeId,
    pub(super) boot: u64,
    pub(super) steps: u64,
    pub(super) delay: u64,
    pub(super) hook: Option<Hook>,
    halted: bool,
}

impl State {
    pub(super) fn fork(&self) -> Self {
        let mut inodes = self.inodes.clone();
        for inode in inodes.values_mut() {
            inode.handles = 0;
        }
        Self {
            inodes,
            seen: self.seen.clone(),
            durable: self.durable.clone(),
            entries: self.entries.clone(),
            dirs: self.dirs.clone(),
            next_inode: self.next_inode,
            boot: self.boot,
            steps: self.steps,
            ..Self::default()
        }
    }

    pub(super) fn create(&mut self, path: &Path) -> io::Result<(InodeId, u64)> {
        self.ask(path, CallKind::Create)?;
        self.need_dir(parent(path))?;
        if self.seen.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(
            inode,
            Inode {
                handles: 1,
                ..Inode::default()
            },
        );
        self.seen.insert(path.to_path_buf(), inode);
        self.entries.push(Entry::Link {
            path: path.to_path_buf(),
            inode,
        });
        Ok((inode, self.boot))
    }

    pub(super) fn open(&mut self, path: &Path) -> io::Result<(InodeId, u64)> {
        self.ask(path, CallKind::Open)?;
        let inode = self.find(path)?;
        if let Some(file) = self.inodes.get_mut(&inode) {
            file.handles += 1;
        }
        Ok((inode, self.boot))
    }

    pub(super) fn close(&mut self, inode: InodeId, boot: u64) {
        if boot != self.boot {
            return;
        }
        if let Some(file) = self.inodes.get_mut(&inode) {
            file.handles = file.handles.saturating_sub(1);
        }
        self.forget_unreachable();
    }

    pub(super) fn list(&mut self, dir: &Path) -> io::Result<Vec<String>> {
        self.ask(dir, CallKind::Open)?;
        self.need_dir(dir)?;
        let files = self
            .seen
            .keys()
            .chain(&self.dirs)
            .filter(|path| path.parent() == Some(dir));
        let mut names: Vec<String> = files
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    pub(super) fn exists(&mut self, path: &Path) -> io::Result<bool> {
        self.ask(path, CallKind::Open)?;
        Ok(self.seen.contains_key(path) || self.dirs.contains(path))
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(from, CallKind::Rename)?;
        let inode = self.find(from)?;
        self.seen.remove(from);
        self.seen.insert(to.to_path_buf(), inode);
        self.entries.push(Entry::Move {
            from: from.to_path_buf(),
            to: to.to_path_buf(),
            inode,
        });
        self.forget_unreachable();
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.ask(path, CallKind::Remove)?;
        self.find(path)?;
        self.seen.remove(path);
        self.entries.push(Entry::Unlink {
            path: path.to_path_buf(),
        });
        self.forget_unreachable();
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        let verdict = self.ask(dir, CallKind::SyncDir);
        self.need_dir(dir)?;
        let (synced, rest) = std::mem::take(&mut self.entries)
            .into_iter()
            .partition(|entry| {
                let (Entry::Link { path, .. }
                | Entry::Unlink { path }
                | Entry::Move { to: path, .. }) = entry;
                parent(path) == dir
            });
        self.entries = rest;
        if verdict.is_ok() {
            let synced: Vec<Entry> = synced;
            synced
                .into_iter()
                .for_each(|entry| apply_entry(&mut self.durable, entry));
        }
        self.forget_unreachable();
        verdict.map(drop)
    }

    pub(super) fn create_dirs(&mut self, dir: &Path) -> io::Result<()> {
        self.dirs.extend(dir.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    pub(super) fn lock(&mut self, path: &Path) -> io::Result<u64> {
        self.ask(path, CallKind::Open)?;
        if !self.locks.insert(path.to_path_buf()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(self.boot)
    }

    pub(super) fn unlock(&mut self, path: &Path, boot: u64) {
        if boot == self.boot {
            self.locks.remove(path);
        }
    }

    pub(super) fn read_at(
        &mut self,
        inode: InodeId,
        boot: u64,
        path: &Path,
        offset: u64,
        buf: &mut [u8],
    ) -> io::Result<usize> {
        self.check_boot(boot)?;
        let verdict = self.ask(
            path,
            CallKind::Read {
                offset,
                len: buf.len() as u64,
            },
        )?;
        let len = if let Verdict::Short(len) = verdict {
            len.min(buf.len())
        } else {
            buf.len()
        };
        Ok(self.inode(inode)?.seen.read(offset, &mut buf[..len]))
    }

    pub(super) fn write_at(
        &mut self,
        inode: InodeId,
        boot: u64,
        path: &Path,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<usize> {
        self.check_boot(boot)?;
        let verdict = self.ask(
            path,
            CallKind::Write {
                offset,
                len: bytes.len() as u64,
            },
        )?;
        let len = if let Verdict::Short(len) = verdict {
            len.min(bytes.len())
        } else {
            bytes.len()
        };
        let offset = if let Verdict::Misdirect(elsewhere) = verdict {
            elsewhere
        } else {
            offset
        };
        let file = self.inode(inode)?;
        file.seen.write(offset, &bytes[..len]);
        file.pending.push(Write::Bytes {
            offset,
            bytes: bytes[..len].into(),
        });
        Ok(len)
    }

    pub(super) fn len(&mut self, inode: InodeId, boot: u64) -> io::Result<u64> {
        self.check_boot(boot)?;
        Ok(self.inode(inode)?.seen.len())
    }

    pub(super) fn set_len(
        &mut self,
        inode: InodeId,
        boot: u64,
        path: &Path,
        len: u64,
    ) -> io::Result<()> {
        self.check_boot(boot)?;
        self.ask(path, CallKind::SetLen { len })?;
        let file = self.inode(inode)?;
        file.seen.set_len(len);
        file.pending.push(Write::SetLen(len));
        Ok(())
    }

    pub(super) fn sync_data(&mut self, inode: InodeId, boot: u64, path: &Path) -> io::Result<()> {
        self.check_boot(boot)?;
        let verdict = self.ask(path, CallKind::SyncData);
        let halted = self.halted;
        let file = self.inode(inode)?;
        if verdict.is_ok() {
            for write in std::mem::take(&mut file.pending) {
                apply_write(&mut file.durable, &write);
            }
        } else if !halted {
            file.pending.clear();
        }
        verdict.map(drop)
    }

    pub(super) fn kill_process(&mut self) {
        self.boot += 1;
        self.halted = false;
        self.hook = None;
        self.locks.clear();
        for inode in self.inodes.values_mut() {
            inode.handles = 0;
        }
        self.forget_unreachable();
    }

    pub(super) fn read_file(&mut self, path: &Path) -> io::Result<Vec<u8>> {
        let inode = self.find(path)?;
        Ok(bytes_of(&self.inode(inode)?.seen))
    }

    pub(super) fn put_file(&mut self, path: &Path, bytes: &[u8]) {
        self.dirs
            .extend(parent(path).ancestors().map(Path::to_path_buf));
        let inode = self.next_inode;
        self.next_inode += 1;
        let mut pages = Pages::default();
        pages.write(0, bytes);
        self.inodes.insert(
            inode,
            Inode {
                seen: pages.clone(),
                durable: pages,
                ..Inode::default()
            },
        );
        self.seen.insert(path.to_path_buf(), inode);
        self.durable.insert(path.to_path_buf(), inode);
        self.forget_unreachable();
    }

    pub(super) fn delete_file(&mut self, path: &Path) {
        self.seen.remove(path);
        self.durable.remove(path);
        self.forget_unreachable();
    }

    pub(super) fn contents(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let file = |inode| {
            self.inodes
                .get(inode)
                .map(|file| bytes_of(&file.seen))
                .unwrap_or_default()
        };
        self.seen
            .iter()
            .map(|(path, inode)| (path.clone(), file(inode)))
            .collect()
    }

    /// Drops files that no name, no pending entry and no handle leads to.
    pub(super) fn forget_unreachable(&mut self) {
        let pending = self.entries.iter().filter_map(|entry| match entry {
            Entry::Link { inode, .. } | Entry::Move { inode, .. } => Some(*inode),
            Entry::Unlink { .. } => None,
        });
        let named: BTreeSet<InodeId> = self
            .seen
            .values()
            .chain(self.durable.values())
            .copied()
            .chain(pending)
            .collect();
        self.inodes
            .retain(|id, inode| inode.handles > 0 || named.contains(id));
    }

    fn ask(&mut self, path: &Path, kind: CallKind) -> io::Result<Verdict> {
        if self.halted {
            return Err(power_cut());
        }
        let call = Call {
            step: self.steps,
            path: path.to_path_buf(),
            kind,
        };
        let verdict = match &mut self.hook {
            Some(hook) => hook(&call),
            None => Verdict::Proceed,
        };
        match verdict {
            Verdict::Fail(errno) => return Err(io::Error::from_raw_os_error(errno)),
            Verdict::Halt => {
                self.halted = true;
                return Err(power_cut());
            }
            Verdict::Delay(nanoseconds) => self.delay = self.delay.saturating_add(nanoseconds),
            Verdict::Proceed | Verdict::Short(_) | Verdict::Misdirect(_) => {}
        }
        self.steps += u64::from(kind.changes());
        Ok(verdict)
    }

    fn find(&self, path: &Path) -> io::Result<InodeId> {
        self.seen
            .get(path)
            .copied()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn need_dir(&self, dir: &Path) -> io::Result<()> {
        if self.dirs.contains(dir) {
            Ok(())
        } else {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    fn inode(&mut self, inode: InodeId) -> io::Result<&mut Inode> {
        self.inodes
            .get_mut(&inode)
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn check_boot(&self, boot: u64) -> io::Result<()> {
        if boot == self.boot {
            Ok(())
        } else {
            Err(power_cut())
        }
    }
}

pub(super) fn apply_write(pages: &mut Pages, write: &Write) {
    match write {
        Write::Bytes { offset, bytes } => pages.write(*offset, bytes),
        Write::SetLen(len) => pages.set_len(*len),
    }
}

pub(super) fn apply_entry(durable: &mut BTreeMap<PathBuf, InodeId>, entry: Entry) {
    match entry {
        Entry::Link { path, inode } => {
            durable.insert(path, inode);
        }
        Entry::Unlink { path } => {
            durable.remove(&path);
        }
        Entry::Move { from, to, inode } => {
            if durable.get(&from) == Some(&inode) {
                durable.remove(&from);
            }
            durable.insert(to, inode);
        }
    }
}

fn bytes_of(pages: &Pages) -> Vec<u8> {
    let mut bytes = vec![0; pages.len() as usize];
    pages.read(0, &mut bytes);
    bytes
}

fn power_cut() -> io::Error {
    io::Error::other("the simulated machine has no power")
}
