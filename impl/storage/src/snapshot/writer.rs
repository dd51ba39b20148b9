//! Writes a snapshot under a temporary name and renames it when it is whole and durable.
// spec: DF-SNAP-09. A partial file never gets the name that recovery looks for.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_adler32::Adler32;
use zk_proto::log::FileHeader;
use zk_proto::snapshot::{Decoder, Piece, Seal, SnapshotDigest};

use super::codec::{Cursor, Encoder};
use super::reader::Tail;
use crate::disk::Disk;
use crate::error::{Context, Error, Result, bad_snapshot};
use crate::history::{History, Span};
use crate::names::{Compression, TEMPORARY, snapshot_name};

/// Written bytes after which the file is synced, so that the last sync is short and the log's syncs never wait
/// behind a whole snapshot.
const SYNC_EVERY: u64 = 4 << 20;

/// A snapshot in the making. Pieces are gathered in memory and reach the disk in [`SnapshotWriter::flush`] alone,
/// so that a caller may hold a lock while it hands over a slice of znodes, and may sleep between slices.
///
/// Order of pieces: count of sessions, sessions, count of ACLs, ACLs, znodes (parents first), end.
pub struct SnapshotWriter {
    disk: Arc<dyn Disk>,
    history: Span,
    dir: PathBuf,
    zxid: i64,
    compression: Compression,
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
        let path = temporary(dir, zxid, compression);
        if disk.exists(&path).at("look for", &path)? {
            disk.remove(&path).at("remove", &path)?;
        }
        let file = disk.create_new(&path).at("create", &path)?;
        let mut writer = Self {
            encoder: Encoder::new(Cursor::new(file), compression).at("write", &path)?,
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
                .at("sync", &self.temporary())?;
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
        let temporary = self.temporary();
        let cursor = self.encoder.finish().at("write", &temporary)?;
        cursor.file.sync_data().at("sync", &temporary)?;
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

    /// Gives up: removes the temporary file. One that stays behind, after a crash or an error here, is taken away
    /// at the next start.
    // spec: FT-DISK-09, DF-SNAP-10
    pub fn discard(self) -> Result<()> {
        let path = self.temporary();
        self.disk.remove(&path).at("remove", &path)
    }

    fn temporary(&self) -> PathBuf {
        temporary(&self.dir, self.zxid, self.compression)
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
            .at("write", &temporary(&self.dir, self.zxid, self.compression))
    }
}

/// A whole, durable snapshot that does not have its name yet.
#[derive(Debug)]
pub struct Prepared {
    disk: Arc<dyn Disk>,
    history: Span,
    dir: PathBuf,
    temporary: PathBuf,
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
            .rename(&self.temporary, &self.written.path)
            .at("rename", &self.temporary)?;
        self.disk.sync_dir(&self.dir).at("sync", &self.dir)?;
        Ok(self.written.clone())
    }
}

fn temporary(dir: &Path, zxid: i64, compression: Compression) -> PathBuf {
    dir.join(snapshot_name(zxid, compression) + TEMPORARY)
}
