//! Writes a snapshot under a temporary name and renames it when it is whole and durable.
// spec: DF-SNAP-09. A partial file never gets the name that recovery looks for.

use std::cell::Cell;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_adler32::Adler32;
use zk_proto::log::FileHeader;
use zk_proto::snapshot::{Decoder, Piece, Seal, SnapshotDigest};

use super::codec::{Cursor, Encoder};
use super::reader::Tail;
use crate::disk::{Disk, DiskFile};
use crate::error::{Context, Error, Result, bad_snapshot};
use crate::history::{History, Span};
use crate::names::{Compression, snapshot_name, unfinished_name};

/// Written bytes after which the file is synced, so that the last sync is short and the log's syncs never wait
/// behind a whole snapshot.
const SYNC_EVERY: u64 = 4 << 20;

/// A snapshot in the making. Pieces are gathered in memory and reach the disk in [`SnapshotWriter::flush`] alone,
/// so that a caller may hold a lock while it hands over a slice of znodes, and may sleep between slices.
///
/// Order of pieces: count of sessions, sessions, count of ACLs, ACLs, znodes (parents first), end. Dropped before its end, it
/// takes its file away.
pub struct SnapshotWriter {
    disk: Arc<dyn Disk>,
    history: Span,
    dir: PathBuf,
    zxid: i64,
    compression: Compression,
    temporary: Temporary,
    encoder: Encoder,
    buffer: Vec<u8>,
    checked: Decoder,
    sum: Adler32,
    raw_bytes: u64,
    synced_bytes: u64,
}

/// A snapshot that is in place and durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Its file.
    pub path: PathBuf,
    /// Zxid in its name.
    pub zxid: i64,
    /// Length of the file in bytes.
    pub file_bytes: u64,
    /// Length of the uncompressed stream in bytes.
    pub raw_bytes: u64,
}

impl SnapshotWriter {
    /// Begins `snapshot.<zxid>` in `dir`. `zxid` is the last one applied before the first piece is taken;
    /// `limit_bytes` is what readers accept for one string or buffer.
    // spec: DF-ALG-11
    pub(crate) fn create(
        disk: Arc<dyn Disk>,
        history: &History,
        dir: &Path,
        zxid: i64,
        compression: Compression,
        limit_bytes: usize,
    ) -> Result<Self> {
        let (temporary, file) = Temporary::create(&disk, dir, zxid, compression)?;
        let encoder = Encoder::new(Cursor::new(file), compression);
        let mut writer = Self {
            encoder: encoder.at("write", &temporary.path)?,
            temporary,
            disk,
            history: history.span(),
            dir: dir.to_path_buf(),
            zxid,
            compression,
            buffer: Vec::new(),
            checked: Decoder::new(limit_bytes),
            sum: Adler32::new(),
            raw_bytes: 0,
            synced_bytes: 0,
        };
        let mut header = Vec::with_capacity(FileHeader::LEN);
        FileHeader::SNAPSHOT.write(&mut header);
        writer.write(&header)?;
        Ok(writer)
    }

    /// Takes a piece into memory.
    pub fn put(&mut self, piece: &Piece<'_>) {
        piece.write(&mut self.buffer);
    }

    /// Where encoded whole pieces may be appended directly.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes what was gathered; returns how many bytes, for a caller that limits its pace.
    ///
    /// # Errors
    /// The disk's, or [`Error::BadSnapshot`] if the pieces are not whole or not in order.
    pub fn flush(&mut self) -> Result<u64> {
        let bytes = std::mem::take(&mut self.buffer);
        self.check(&bytes)?;
        self.write(&bytes)?;
        let len = bytes.len() as u64;
        self.buffer = bytes;
        self.buffer.clear();
        if self.raw_bytes.saturating_sub(self.synced_bytes) >= SYNC_EVERY {
            self.encoder
                .cursor()
                .file
                .sync_data()
                .at("sync", &self.temporary.path)?;
            self.synced_bytes = self.raw_bytes;
        }
        Ok(len)
    }

    /// Seals the file and puts it in place, durably. `tail` is the tree's after the last znode was taken. With a
    /// digest and no zxid every release since 3.6 reads it; with both too, and 3.9 the zxid.
    // spec: DF-SNAP-02, DF-SNAP-05
    pub fn finish(self, tail: Tail) -> Result<Written> {
        let prepared = self.prepare(tail)?;
        // A truncation meanwhile took back what this snapshot may show.
        let Some(_held) = prepared.history.hold() else {
            let what = "history was taken back while the snapshot was written".into();
            return Err(Error::BadSnapshot { offset: 0, what });
        };
        prepared.publish()
    }

    /// Seals the file and makes it durable under its temporary name, for [`crate::Store::install`].
    pub fn prepare(mut self, tail: Tail) -> Result<Prepared> {
        self.flush()?;
        if !self.checked.is_done() {
            return Err(Error::BadSnapshot {
                offset: self.raw_bytes,
                what: "the end is missing".into(),
            });
        }
        self.seal()?;
        if let Some(digest) = tail.digest {
            let mut part = Vec::with_capacity(SnapshotDigest::LEN);
            digest.write(&mut part);
            self.write(&part)?;
            self.seal()?;
        }
        if let Some(zxid) = tail.last_zxid {
            self.write(&zxid.to_be_bytes())?;
            self.seal()?;
        }
        let temporary = self.temporary;
        let cursor = self.encoder.finish().at("write", &temporary.path)?;
        cursor.file.sync_data().at("sync", &temporary.path)?;
        let path = self.dir.join(snapshot_name(self.zxid, self.compression));
        let written = Written {
            path,
            zxid: self.zxid,
            file_bytes: cursor.offset,
            raw_bytes: self.raw_bytes,
        };
        Ok(Prepared {
            disk: self.disk,
            history: self.history,
            dir: self.dir,
            temporary,
            written,
        })
    }

    /// Wrong pieces would make a file that no one can read: better no snapshot than that one.
    fn check(&mut self, mut bytes: &[u8]) -> Result<()> {
        let mut offset = self.raw_bytes;
        while !bytes.is_empty() {
            let next = self
                .checked
                .next(bytes)
                .map_err(|error| bad_snapshot(offset, error))?;
            let Some((_, len)) = next else {
                return Err(Error::BadSnapshot {
                    offset,
                    what: "a piece is not whole".into(),
                });
            };
            bytes = bytes.get(len..).unwrap_or_default();
            offset = offset.saturating_add(len as u64);
        }
        Ok(())
    }

    fn seal(&mut self) -> Result<()> {
        let mut seal = Vec::with_capacity(Seal::LEN);
        Seal {
            checksum: self.sum.finish().into(),
        }
        .write(&mut seal);
        self.write(&seal)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.sum.write(bytes);
        self.raw_bytes = self.raw_bytes.saturating_add(bytes.len() as u64);
        self.encoder
            .write_all(bytes)
            .at("write", &self.temporary.path)
    }
}

/// A whole, durable snapshot that does not have its name yet. Dropped without one, it takes its file away.
#[derive(Debug)]
pub struct Prepared {
    disk: Arc<dyn Disk>,
    history: Span,
    dir: PathBuf,
    temporary: Temporary,
    written: Written,
}

impl Prepared {
    /// Zxid that it will be named by.
    pub fn zxid(&self) -> i64 {
        self.written.zxid
    }

    // spec: DF-ALG-13. Over an older snapshot of the same zxid, if there is one.
    pub(crate) fn publish(&self) -> Result<Written> {
        self.disk
            .rename(&self.temporary.path, &self.written.path)
            .at("rename", &self.temporary.path)?;
        self.temporary.named.set(true);
        self.disk.sync_dir(&self.dir).at("sync", &self.dir)?;
        Ok(self.written.clone())
    }
}

/// A file that has no name to be found by yet. It goes with whoever wanted it, unless it got one.
// spec: FT-DISK-09, DF-SNAP-10, P-BOUND. A process that lives on would fill the disk with what broken links left behind.
#[derive(Debug)]
struct Temporary {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// It has its own name.
    named: Cell<bool>,
}

impl Temporary {
    /// Another of that zxid may be under way: each has a name of its own.
    fn create(
        disk: &Arc<dyn Disk>,
        dir: &Path,
        zxid: i64,
        compression: Compression,
    ) -> Result<(Self, Box<dyn DiskFile>)> {
        let mut number = 0u32;
        loop {
            let path = dir.join(unfinished_name(zxid, compression, number));
            match disk.create_new(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    number = number.saturating_add(1);
                }
                file => {
                    let file = file.at("create", &path)?;
                    let (disk, named) = (Arc::clone(disk), Cell::new(false));
                    return Ok((Self { disk, path, named }, file));
                }
            }
        }
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.named.get() {
            // What stays behind is taken away at the next start.
            drop(self.disk.remove(&self.path));
        }
    }
}
