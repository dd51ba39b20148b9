//! Reads one log file from front to back, strictly: a record is whole or the reader says what is wrong.
// spec: disk-format.md 11.1, DF-RD-02

use std::path::{Path, PathBuf};

use simd_adler32::{Adler32, adler32};
use zk_proto::log::{FileHeader, RecordHead};
use zk_proto::{Reader, TxnHeader};

use crate::disk::{Disk, DiskFile};
use crate::error::{Context, Error, Result};

const CHUNK: usize = 256 * 1024;
/// Zeros that must follow before a zero head passes for the end.
const ZEROS_AFTER_END: usize = 4096;

/// A record with a right checksum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RawRecord<'a> {
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// From its header.
    pub(crate) zxid: i64,
    /// Type, from its header.
    pub(crate) kind: i32,
    /// `TxnHeader body [digest]`
    pub(crate) payload: &'a [u8],
}

#[derive(Debug)]
pub(crate) enum Next<'a> {
    Record(RawRecord<'a>),
    End(End),
}

/// Where the records of a file end, and whether something other than zeros follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) offset: u64,
    pub(crate) fault: Option<Fault>,
}

/// What stands where a record or the zero fill should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) expected: String,
    pub(crate) found: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The file ends within a record.
    CutShort,
    /// A head that no writer makes, or a record without its end byte: pages that never arrived.
    Torn,
    /// A whole record whose bytes are not those that were written.
    Checksum,
}

/// What a log file begins with.
#[derive(Debug)]
pub(crate) enum Start {
    Records(LogReader),
    /// Fewer bytes than a header, or nothing but zeros: no record was ever durable here.
    Empty,
    /// Bytes of something else.
    WrongMagic([u8; 4]),
}

/// Reads records in order.
#[derive(Debug)]
pub(crate) struct LogReader {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    file_len: u64,
    limit: usize,
    buffer: Vec<u8>,
    /// Offset in the file of `buffer`'s first byte.
    base: u64,
    /// Bytes of `buffer` already consumed.
    used: usize,
}

/// Opens a log file and judges its header.
pub(crate) fn open(disk: &dyn Disk, path: &Path, limit: usize) -> Result<Start> {
    let file = disk.open_read(path).at("open", path)?;
    let file_len = file.len().at("measure", path)?;
    let mut header = [0; FileHeader::LEN];
    let len = file.read_full_at(0, &mut header).at("read", path)?;
    if len < FileHeader::LEN {
        return Ok(Start::Empty);
    }
    if FileHeader::read(&mut Reader::new(&header), FileHeader::LOG).is_err() {
        let magic = header.first_chunk::<4>().copied().unwrap_or_default();
        let zeros = first_not_zero(&*file, path, 0, file_len)?.is_none();
        return Ok(if zeros {
            Start::Empty
        } else {
            Start::WrongMagic(magic)
        });
    }
    file.read_ahead();
    Ok(Start::Records(LogReader {
        path: path.to_path_buf(),
        file,
        file_len,
        limit,
        buffer: Vec::new(),
        base: FileHeader::LEN as u64,
        used: 0,
    }))
}

impl LogReader {
    /// Offset of the next record.
    pub(crate) fn position(&self) -> u64 {
        self.base.saturating_add(self.used as u64)
    }

    /// The next record, or where and how the file ends. After an end the same end again.
    pub(crate) fn next(&mut self) -> Result<Next<'_>> {
        let offset = self.position();
        let left = self.file_len.saturating_sub(offset);
        if left == 0 {
            return Ok(end(offset, None));
        }
        self.need(RecordHead::LEN)?;
        let Ok(head) = RecordHead::read(&mut Reader::new(self.unread())) else {
            let zeros = self.unread().iter().all(|byte| *byte == 0);
            let fault = fault(
                FaultKind::CutShort,
                "a record's 12-byte head",
                format!("{left} bytes"),
            );
            return Ok(end(offset, (!zeros).then_some(fault)));
        };
        if head
            == (RecordHead {
                checksum: 0,
                len: 0,
            })
        {
            return self.zeros_or_fault(offset);
        }
        // spec: DF-ALG-03. Apache takes length 0 under any checksum for the end; with one it is a torn head.
        let Some(len) = usize::try_from(head.len).ok().filter(|len| *len > 0) else {
            let fault = fault(FaultKind::Torn, "a length above 0", head.len);
            return Ok(end(offset, Some(fault)));
        };
        let size = len.saturating_add(RecordHead::OVERHEAD);
        if left < size as u64 {
            let expected = format!("a record of {size} bytes");
            return Ok(end(
                offset,
                Some(fault(
                    FaultKind::CutShort,
                    expected,
                    format!("{left} bytes"),
                )),
            ));
        }
        if len > self.limit {
            return self.too_long(offset, head, len);
        }
        self.need(size)?;
        let verdict = check(self.unread(), head, len);
        match verdict {
            Err(fault) => Ok(end(offset, Some(fault))),
            Ok((zxid, kind)) => {
                let from = self.used.saturating_add(RecordHead::LEN);
                self.used = self.used.saturating_add(size);
                let payload = self
                    .buffer
                    .get(from..from.saturating_add(len))
                    .unwrap_or_default();
                Ok(Next::Record(RawRecord {
                    offset,
                    zxid,
                    kind,
                    payload,
                }))
            }
        }
    }

    /// A record above the limit: whole, it is one that was acknowledged under another limit, and no torn tail.
    // spec: DF-LOG-08, DF-RD-02
    fn too_long(&self, offset: u64, head: RecordHead, len: usize) -> Result<Next<'_>> {
        match self.check_long(offset, head, len)? {
            Err(fault) => Ok(end(offset, Some(fault))),
            Ok(_) => Err(Error::TooLong {
                path: self.path.clone(),
                offset,
                len,
                limit: self.limit,
            }),
        }
    }

    /// As `check`, of a record that the file holds and memory may not. What announces a length need not be a head.
    fn check_long(&self, offset: u64, head: RecordHead, len: usize) -> Result<Verdict> {
        let read = |at: u64, target: &mut [u8]| {
            let file = &self.file;
            file.read_full_at(at, target).at("read", &self.path)
        };
        let from = offset.saturating_add(RecordHead::LEN as u64);
        let end_at = from.saturating_add(len as u64);
        let mut end = [0];
        let there = read(end_at, &mut end)? == end.len();
        if let Err(fault) = check_end(there.then_some(end[0])) {
            return Ok(Err(fault));
        }
        let mut chunk = vec![0; CHUNK];
        let header = read(from, &mut chunk)?;
        let header = chunk.get(..header.min(len)).unwrap_or_default();
        let id = TxnHeader::read(&mut Reader::new(header));
        let id = id.map(|(header, kind)| (header.zxid, kind));
        let (mut sum, mut at) = (Adler32::new(), from);
        while at < end_at {
            let want = usize::try_from(end_at.saturating_sub(at)).unwrap_or(CHUNK);
            let target = chunk.get_mut(..want.min(CHUNK)).unwrap_or_default();
            let count = read(at, target)?;
            if count == 0 {
                break;
            }
            sum.write(target.get(..count).unwrap_or_default());
            at = at.saturating_add(count as u64);
        }
        Ok(check_sum(head, i64::from(sum.finish()), id.ok(), len))
    }

    /// The end with what follows it taken into account: a byte that is not zero within `reach` bytes is a fault.
    // spec: DF-ALG-01, FT-DISK-22. A lost block that begins where a record does would pass for the end.
    pub(crate) fn look_behind(&self, end: End, reach: u64) -> Result<End> {
        if end.fault.is_some() {
            return Ok(end);
        }
        let to = end.offset.saturating_add(reach).min(self.file_len);
        let stray = first_not_zero(&*self.file, &self.path, end.offset, to)?;
        let fault = stray.map(|at| {
            fault(
                FaultKind::Torn,
                "zeros to the end",
                format!("a byte that is not 0 at {at}"),
            )
        });
        Ok(End { fault, ..end })
    }

    /// Looks for a whole record anywhere behind `from` where one may begin after lost pages: at every byte of
    /// the next 1 MiB, then at page starts.
    // spec: DF-ALG-01
    pub(crate) fn valid_record_after(&mut self, from: u64) -> Result<Option<(u64, i64)>> {
        const NEAR: u64 = 1 << 20;
        const PAGE: u64 = 4096;
        // A record's head holds few zeros: none begins long before the first other byte.
        let from = from.saturating_add(1);
        let Some(stray) = first_not_zero(&*self.file, &self.path, from, self.file_len)? else {
            return Ok(None);
        };
        let mut at = from.max(stray.saturating_sub(RecordHead::LEN as u64));
        let near_end = at.saturating_add(NEAR).min(self.file_len);
        while at < self.file_len {
            if let Some(zxid) = self.record_at(at)? {
                return Ok(Some((at, zxid)));
            }
            at = if at < near_end {
                at.saturating_add(1)
            } else {
                at.saturating_add(1).next_multiple_of(PAGE)
            };
        }
        Ok(None)
    }

    fn record_at(&mut self, offset: u64) -> Result<Option<i64>> {
        self.seek(offset);
        self.need(RecordHead::LEN)?;
        let Ok(head) = RecordHead::read(&mut Reader::new(self.unread())) else {
            return Ok(None);
        };
        let len = usize::try_from(head.len).unwrap_or(0);
        let size = len.saturating_add(RecordHead::OVERHEAD) as u64;
        let fits = size <= self.file_len.saturating_sub(offset);
        let possible = len >= TxnHeader::LEN && fits && head.checksum >> 32 == 0;
        if !possible {
            return Ok(None);
        }
        if len > self.limit {
            let verdict = self.check_long(offset, head, len)?;
            return Ok(verdict.ok().map(|(zxid, _)| zxid));
        }
        self.need(len.saturating_add(RecordHead::OVERHEAD))?;
        Ok(check(self.unread(), head, len).ok().map(|(zxid, _)| zxid))
    }

    fn zeros_or_fault(&mut self, offset: u64) -> Result<Next<'_>> {
        self.need(ZEROS_AFTER_END)?;
        let window = self
            .unread()
            .get(..ZEROS_AFTER_END)
            .unwrap_or(self.unread());
        match window.iter().position(|byte| *byte != 0) {
            None => Ok(end(offset, None)),
            Some(at) => {
                let found = format!(
                    "a byte that is not 0 at {}",
                    offset.saturating_add(at as u64)
                );
                Ok(end(
                    offset,
                    Some(fault(FaultKind::Torn, "a record or zeros", found)),
                ))
            }
        }
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.used..).unwrap_or_default()
    }

    fn seek(&mut self, offset: u64) {
        let within = offset
            .checked_sub(self.base)
            .and_then(|within| usize::try_from(within).ok());
        match within.filter(|within| *within <= self.buffer.len()) {
            Some(within) => self.used = within,
            None => {
                self.buffer.clear();
                self.base = offset;
                self.used = 0;
            }
        }
    }

    /// Has at least `count` unread bytes in the buffer, or all that the file has.
    fn need(&mut self, count: usize) -> Result<()> {
        if self.unread().len() >= count {
            return Ok(());
        }
        self.base = self.position();
        self.buffer.drain(..self.used);
        self.used = 0;
        let have = self.buffer.len();
        let from = self.base.saturating_add(have as u64);
        let left = self.file_len.saturating_sub(from);
        let wanted = count.max(CHUNK).saturating_sub(have);
        let more = wanted.min(usize::try_from(left).unwrap_or(usize::MAX));
        self.buffer.resize(have.saturating_add(more), 0);
        let target = self.buffer.get_mut(have..).unwrap_or_default();
        let read = self
            .file
            .read_full_at(from, target)
            .at("read", &self.path)?;
        self.buffer.truncate(have.saturating_add(read));
        Ok(())
    }
}

/// Zxid and type of a record, or what is wrong with it.
type Verdict = std::result::Result<(i64, i32), Fault>;

/// What the record at the start of `bytes` is.
fn check(bytes: &[u8], head: RecordHead, len: usize) -> Verdict {
    let end_at = RecordHead::LEN.saturating_add(len);
    let payload = bytes.get(RecordHead::LEN..end_at).unwrap_or_default();
    check_end(bytes.get(end_at).copied())?;
    let header = TxnHeader::read(&mut Reader::new(payload));
    let header = header.map(|(header, kind)| (header.zxid, kind));
    check_sum(head, i64::from(adler32(&payload)), header.ok(), len)
}

fn check_end(byte: Option<u8>) -> std::result::Result<(), Fault> {
    let expected = "the end byte 0x42";
    match byte {
        Some(RecordHead::END) => Ok(()),
        Some(byte) => Err(fault(FaultKind::Torn, expected, format!("{byte:#04x}"))),
        None => Err(fault(FaultKind::CutShort, expected, "the end of the file")),
    }
}

fn check_sum(head: RecordHead, sum: i64, header: Option<(i64, i32)>, len: usize) -> Verdict {
    if sum != head.checksum {
        let expected = format!("checksum {:#x}", head.checksum);
        let found = format!("{sum:#x} over the payload");
        return Err(fault(FaultKind::Checksum, expected, found));
    }
    header.ok_or_else(|| {
        let found = format!("{len} bytes");
        fault(FaultKind::Checksum, "a transaction header", found)
    })
}

fn end<'a>(offset: u64, fault: Option<Fault>) -> Next<'a> {
    Next::End(End { offset, fault })
}

fn fault(kind: FaultKind, expected: impl ToString, found: impl ToString) -> Fault {
    Fault {
        kind,
        expected: expected.to_string(),
        found: found.to_string(),
    }
}

/// Offset of the first byte that is not zero.
fn first_not_zero(file: &dyn DiskFile, path: &Path, from: u64, to: u64) -> Result<Option<u64>> {
    let mut chunk = vec![0; CHUNK];
    let mut at = from;
    while at < to {
        let want = usize::try_from(to.saturating_sub(at))
            .unwrap_or(usize::MAX)
            .min(CHUNK);
        let target = chunk.get_mut(..want).unwrap_or_default();
        let read = file.read_full_at(at, target).at("read", path)?;
        // Whole words first: the loop is over megabytes of zeros.
        let words = chunk.get(..read).unwrap_or_default().chunks(64);
        for (index, word) in words.enumerate() {
            if word.iter().fold(0, |all, byte| all | byte) != 0 {
                let within = word.iter().position(|byte| *byte != 0).unwrap_or(0);
                let offset = index.saturating_mul(64).saturating_add(within);
                return Ok(Some(at.saturating_add(offset as u64)));
            }
        }
        if read == 0 {
            break;
        }
        at = at.saturating_add(read as u64);
    }
    Ok(None)
}
