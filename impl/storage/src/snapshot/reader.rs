//! Reads a snapshot piece by piece, in bounded memory, and checks every seal.

use std::io::Read;
use std::path::Path;

use simd_adler32::Adler32;
use zk_proto::Reader;
use zk_proto::log::FileHeader;
use zk_proto::snapshot::{Decoder, Node, Piece, Seal, SnapshotDigest};

use super::Pieces;
use super::codec::{Cursor, decoder};
use crate::disk::Disk;
use crate::error::{Context, Error, Result, bad_snapshot};
use crate::names::Compression;

const CHUNK: usize = 512 * 1024;
/// Bytes after the znodes that are still taken for a tail: sixty times what any release writes.
const TAIL_LIMIT: usize = 4096;

/// What stood behind the znodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tail {
    /// The tree's digest. spec: DF-SNAP-07
    pub digest: Option<SnapshotDigest>,
    /// Last zxid, written by 3.9. spec: DF-SNAP-24
    pub last_zxid: Option<i64>,
}

/// Loads a snapshot file into `pieces`. `limit_bytes` bounds each string and buffer.
///
/// # Errors
/// [`Error::BadSnapshot`] for anything but a whole snapshot, by its seals or because `pieces` refused a piece;
/// the pieces given by then are worthless. [`Error::Io`] from the disk.
pub fn load(
    disk: &dyn Disk,
    path: &Path,
    compression: Compression,
    limit_bytes: usize,
    pieces: &mut dyn Pieces,
) -> Result<Tail> {
    let file = disk.open_read(path).at("open", path)?;
    file.read_ahead();
    let source = decoder(Cursor::new(file), compression);
    let mut stream = Stream::new(source);
    stream.header()?;
    stream.body(limit_bytes, pieces)?;
    let tail = stream.tail()?;
    if let Some(digest) = tail.digest {
        pieces.digest(digest);
    }
    Ok(tail)
}

/// Reads a snapshot file to its end and checks everything but the tree's shape.
// spec: DF-PRG-04
pub fn verify(
    disk: &dyn Disk,
    path: &Path,
    compression: Compression,
    limit_bytes: usize,
) -> Result<Tail> {
    struct Nobody;
    impl Pieces for Nobody {
        fn piece(&mut self, _: Piece<'_>) -> std::result::Result<(), String> {
            Ok(())
        }
    }
    load(disk, path, compression, limit_bytes, &mut Nobody)
}

/// The cheap test that tells an unfinished file before it is read.
// spec: DF-SNAP-11
pub(crate) fn looks_whole(disk: &dyn Disk, path: &Path, compression: Compression) -> Result<bool> {
    let file = disk.open_read(path).at("open", path)?;
    let len = file.len().at("measure", path)?;
    let mut head = [0; 8];
    let read = file.read_full_at(0, &mut head).at("read", path)?;
    let head = head.get(..read).unwrap_or_default();
    Ok(match compression {
        Compression::Gzip => head.starts_with(&[0x1f, 0x8b]),
        Compression::Snappy => head == [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0],
        Compression::None => {
            let mut end = [0; 5];
            file.read_full_at(len.saturating_sub(5), &mut end)
                .at("read", path)?;
            len >= 10 && end == [0, 0, 0, 1, b'/']
        }
    })
}

/// The uncompressed stream with its checksum.
struct Stream {
    source: Box<dyn Read>,
    buffer: Vec<u8>,
    /// Bytes of the buffer already taken.
    used: usize,
    /// Bytes of the buffer already in the sum.
    summed: usize,
    sum: Adler32,
    /// Bytes of the stream before the buffer.
    base: u64,
    ended: bool,
}

impl Stream {
    fn new(source: Box<dyn Read>) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            used: 0,
            summed: 0,
            sum: Adler32::new(),
            base: 0,
            ended: false,
        }
    }

    fn header(&mut self) -> Result<()> {
        self.need(FileHeader::LEN)?;
        FileHeader::read(&mut Reader::new(self.unread()), FileHeader::SNAPSHOT)
            .map_err(|error| bad_snapshot(0, error))?;
        self.take(FileHeader::LEN);
        Ok(())
    }

    fn body(&mut self, limit_bytes: usize, pieces: &mut dyn Pieces) -> Result<()> {
        let mut decoder = Decoder::new(limit_bytes);
        let mut shape = Shape::default();
        while !decoder.is_done() {
            let offset = self.offset();
            let unread = self.buffer.get(self.used..).unwrap_or_default();
            let Some((piece, len)) = decoder
                .next(unread)
                .map_err(|error| bad_snapshot(offset, error))?
            else {
                let wanted = unread.len().saturating_add(CHUNK);
                if self.ended {
                    return Err(Error::BadSnapshot {
                        offset,
                        what: "the file ends within a piece".into(),
                    });
                }
                self.need(wanted)?;
                continue;
            };
            shape
                .check(&piece)
                .and_then(|()| pieces.piece(piece))
                .map_err(|what| Error::BadSnapshot { offset, what })?;
            self.take(len);
        }
        Ok(())
    }

    /// Seals and what is between them, told apart by length and not by settings.
    // spec: DF-SNAP-03, DF-SNAP-04
    fn tail(&mut self) -> Result<Tail> {
        self.need(TAIL_LIMIT.saturating_add(1))?;
        self.seal()?;
        let rest = self.unread().to_vec();
        if !self.ended || rest.len() > TAIL_LIMIT {
            return self.bad("bytes behind the last seal");
        }
        let mut tail = Tail::default();
        if rest.is_empty() {
            return Ok(tail);
        }
        let mut reader = Reader::new(&rest);
        if rest.len() != LAST_ZXID_PART
            && let Ok(digest) = SnapshotDigest::read(&mut reader)
        {
            tail.digest = Some(digest);
            self.take(rest.len().saturating_sub(reader.remaining()));
            self.seal()?;
        }
        match self.unread().len() {
            0 => {}
            LAST_ZXID_PART => {
                tail.last_zxid = Reader::new(self.unread()).long().ok();
                self.take(8);
                self.seal()?;
            }
            // A later release's part: its own seal must hold at least.
            len => {
                self.take(len.saturating_sub(Seal::LEN));
                self.seal()?;
            }
        }
        Ok(tail)
    }

    fn seal(&mut self) -> Result<()> {
        self.add_to_sum();
        let sum = i64::from(self.sum.finish());
        let Ok(seal) = Seal::read(&mut Reader::new(self.unread())) else {
            return self.bad("no seal");
        };
        if seal.checksum != sum {
            return self.bad(&format!(
                "checksum {:#x} in the seal, {sum:#x} over the bytes before it",
                seal.checksum
            ));
        }
        self.take(Seal::LEN);
        Ok(())
    }

    fn bad<T>(&self, what: &str) -> Result<T> {
        Err(Error::BadSnapshot {
            offset: self.offset(),
            what: what.into(),
        })
    }

    fn offset(&self) -> u64 {
        self.base.saturating_add(self.used as u64)
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.used..).unwrap_or_default()
    }

    fn take(&mut self, len: usize) {
        self.used = self.used.saturating_add(len).min(self.buffer.len());
    }

    fn add_to_sum(&mut self) {
        self.sum
            .write(self.buffer.get(self.summed..self.used).unwrap_or_default());
        self.summed = self.used;
    }

    /// Has at least `count` unread bytes in the buffer, or all that are left.
    fn need(&mut self, count: usize) -> Result<()> {
        if self.unread().len() >= count || self.ended {
            return Ok(());
        }
        self.add_to_sum();
        self.buffer.drain(..self.used);
        self.base = self.base.saturating_add(self.used as u64);
        (self.used, self.summed) = (0, 0);
        while self.buffer.len() < count && !self.ended {
            let have = self.buffer.len();
            self.buffer.resize(have.saturating_add(CHUNK), 0);
            let target = self.buffer.get_mut(have..).unwrap_or_default();
            let read = self
                .source
                .read(target)
                .map_err(|error| Error::BadSnapshot {
                    offset: self.base.saturating_add(have as u64),
                    what: error.to_string(),
                })?;
            self.buffer.truncate(have.saturating_add(read));
            self.ended = read == 0;
        }
        Ok(())
    }
}

const LAST_ZXID_PART: usize = 8 + Seal::LEN;

/// What can be said about the pieces without a tree.
// spec: DF-ALG-07, DF-BODY-04
#[derive(Default)]
struct Shape {
    root_seen: bool,
}

impl Shape {
    fn check(&mut self, piece: &Piece<'_>) -> std::result::Result<(), String> {
        match piece {
            Piece::Node(node) => self.node(node),
            Piece::End if !self.root_seen => Err("there is no root".into()),
            Piece::Sessions(_)
            | Piece::Session { .. }
            | Piece::Acls(_)
            | Piece::Acl { .. }
            | Piece::End => Ok(()),
        }
    }

    fn node(&mut self, node: &Node<'_>) -> std::result::Result<(), String> {
        match (node.path.is_empty(), self.root_seen) {
            (true, false) => self.root_seen = true,
            (true, true) => return Err("a second root".into()),
            (false, false) => return Err("the root does not come first".into()),
            (false, true) if !is_path(&node.path) => {
                return Err(format!("path {:?} is not allowed", node.path));
            }
            (false, true) => {}
        }
        Ok(())
    }
}

/// A slash before each name; no empty name, `.` or `..`; none of the characters that ZooKeeper forbids.
// spec: CP-PATH-05
fn is_path(path: &str) -> bool {
    let forbidden = |c: char| matches!(c, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..);
    let names_are_good = path
        .strip_prefix('/')
        .is_some_and(|rest| rest.split('/').all(|name| !matches!(name, "" | "." | "..")));
    names_are_good
        && (path.bytes().all(|byte| (0x20..0x7f).contains(&byte)) || !path.contains(forbidden))
}
