//! Appends records and syncs them in groups.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use simd_adler32::adler32;
use zk_proto::log::{FileHeader, RecordHead, put_record};

use super::mark::{Mark, MarkFile};
use super::segment::{Filler, STEP, Segment};
use crate::disk::Disk;
use crate::error::{Context, Error, Result};
use crate::names::MARK;
use crate::zxid::follows;

/// Unwritten bytes that a batch may gather before they are written, though not synced.
const BUFFER_BYTES: usize = 1 << 20;

/// The end of the transaction log. One owner; nothing appended counts before [`Log::sync`] returned.
///
/// Every error but [`Error::Gap`] and [`Error::Unusable`] is final: the process must end, and the next start
/// looks at the disk afresh.
#[derive(Debug)]
pub struct Log {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_bytes: u64,
    /// Of the next prepared file: somewhat more than is logged from one [`Log::roll`] to the next, and never more than
    /// `segment_bytes`. Zeros that no record takes the place of are written for nothing.
    prepared_bytes: u64,
    /// Since the last roll.
    logged_bytes: u64,
    max_record_bytes: usize,
    segment: Option<Segment>,
    spare: Spare,
    identity: Arc<()>,
    mark: Option<MarkFile>,
    buffer: Vec<u8>,
    last: i64,
    synced: i64,
    failed: bool,
}

#[derive(Debug)]
enum Spare {
    None,
    /// Somebody fills it.
    Away,
    Whole(Filler),
}

impl Log {
    /// A log whose last durable record is `last`; the next append begins a new file.
    // spec: DF-LOG-04. Never append to a file of an earlier process: its tail was judged, not written, by this one.
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: &Path,
        last: i64,
        segment_bytes: u64,
        max_record_bytes: usize,
    ) -> Self {
        Self {
            disk,
            dir: dir.to_path_buf(),
            segment_bytes,
            prepared_bytes: segment_bytes,
            logged_bytes: 0,
            max_record_bytes,
            segment: None,
            spare: Spare::None,
            identity: Arc::new(()),
            mark: None,
            buffer: Vec::new(),
            last,
            synced: last,
            failed: false,
        }
    }

    /// Zxid of the last record appended, or of the state that the log goes on from.
    pub fn last(&self) -> i64 {
        self.last
    }

    /// Zxid of the last record that survives a crash.
    pub fn synced(&self) -> i64 {
        self.synced
    }

    /// Bytes of the current file in use, unwritten ones included; 0 if the next append begins a file.
    pub fn file_bytes(&self) -> u64 {
        let written = self.segment.as_ref().map_or(0, |segment| segment.position);
        written.saturating_add(self.buffer.len() as u64)
    }

    /// Takes a record: `payload` is header, body and digest, as a proposal carries them. It is neither written
    /// nor durable before [`Log::sync`].
    ///
    /// # Errors
    /// [`Error::Gap`] if `zxid` does not follow the last one, [`Error::Unusable`] for a payload that readers would
    /// refuse; both change nothing. Else [`Error::LogFailed`].
    pub fn append(&mut self, zxid: i64, payload: &[u8]) -> Result<()> {
        self.check_usable()?;
        // spec: DF-LOG-05, DF-RD-05. A hole in our own log would be lost history to the next start.
        if !follows(self.last, zxid) {
            return Err(Error::Gap {
                after: self.last,
                found: zxid,
            });
        }
        // spec: DF-LOG-08
        if payload.is_empty() || payload.len() > self.max_record_bytes {
            let what = format!(
                "a record of {} bytes is outside 1..={}",
                payload.len(),
                self.max_record_bytes
            );
            return Err(Error::Unusable {
                path: self.dir.clone(),
                what,
            });
        }
        self.guard(|log| {
            let len = payload.len().saturating_add(RecordHead::OVERHEAD);
            log.make_room(zxid, len)?;
            log.logged_bytes = log.logged_bytes.saturating_add(len as u64);
            // spec: DF-LOG-02
            put_record(&mut log.buffer, payload, adler32(&payload));
            log.last = zxid;
            if log.buffer.len() >= BUFFER_BYTES {
                log.write_buffer()
            } else {
                Ok(())
            }
        })
    }

    /// Makes every appended record durable and returns the last one's zxid. One write, one sync.
    // spec: DF-SYN-01, DF-ALG-05, P-DUR
    pub fn sync(&mut self) -> Result<i64> {
        self.check_usable()?;
        if self.synced != self.last || !self.buffer.is_empty() {
            self.guard(Self::sync_segment)?;
        }
        Ok(self.synced)
    }

    /// Ends the current file: makes its records durable and gives its spare zeros back. The next append begins a
    /// new file. A snapshot begins with this, so that purging can drop whole files.
    // spec: DF-SYN-04, DF-SYN-05
    pub fn roll(&mut self) -> Result<()> {
        self.check_usable()?;
        if self.logged_bytes > 0 {
            let expected = self.logged_bytes.saturating_add(self.logged_bytes / 4);
            self.prepared_bytes = expected.max(STEP).min(self.segment_bytes);
            self.logged_bytes = 0;
        }
        self.guard(Self::end_segment)
    }

    /// Goes on from `zxid` after a snapshot that covers everything up to it was installed.
    // spec: DF-WHO-01. The hole before it lies under that snapshot, and between two files.
    pub(crate) fn jump(&mut self, zxid: i64) -> Result<()> {
        self.roll()?;
        self.last = zxid;
        self.synced = zxid;
        Ok(())
    }

    /// Lets go of the mark's file, because somebody else is about to write it.
    pub(crate) fn forget_mark(&mut self) {
        self.mark = None;
    }

    /// The work of preparing the next file, if it is time for it: steps for moments in which no write waits, on any
    /// thread. Hand it back by [`Log::return_filler`] once it is whole.
    ///
    /// # Errors
    /// [`Error::Io`]; the log goes on without a prepared file.
    pub fn take_filler(&mut self) -> Result<Option<Filler>> {
        let rolls_soon = self.logged_bytes > self.prepared_bytes / 2;
        let begun = self.segment.as_ref();
        let wanted = begun.is_some_and(|segment| rolls_soon || segment.is_half_full());
        if !wanted || !matches!(self.spare, Spare::None) {
            return Ok(None);
        }
        let filler = Filler::create(&*self.disk, &self.dir, self.prepared_bytes, &self.identity)?;
        self.spare = Spare::Away;
        Ok(Some(filler))
    }

    /// Takes the filler back. One that is not whole has failed and gives its space back: another may be taken. One that
    /// another log gave away is dropped.
    pub fn return_filler(&mut self, filler: Filler) {
        if !filler.belongs_to(&self.identity) {
            return;
        }
        self.spare = if filler.is_ready() {
            Spare::Whole(filler)
        } else {
            filler.remove(&*self.disk);
            Spare::None
        };
    }

    /// Where the durable log ends, told to recovery's side file.
    fn set_mark(&mut self, log: i64, offset: u64) -> Result<()> {
        let mark = Mark {
            log,
            offset,
            zxid: self.synced,
        };
        match &mut self.mark {
            Some(file) => file.set(mark),
            None => {
                let path = self.dir.join(MARK);
                self.mark = Some(MarkFile::open(&self.disk, &path, mark)?);
                Ok(())
            }
        }
    }

    fn make_room(&mut self, zxid: i64, len: usize) -> Result<()> {
        let pending = self.buffer.len();
        if let Some(segment) = &mut self.segment {
            if segment.fits(pending, len) {
                return Ok(());
            }
            match self.spare {
                Spare::None | Spare::Away => return segment.grow(pending, len),
                Spare::Whole(_) => self.end_segment()?,
            }
        }
        self.begin_segment(zxid)?;
        // spec: DF-PAD-01. A file's first record may be longer than its zeros. Were it written without growing them,
        // the next growth would write zeros over its end.
        match &mut self.segment {
            Some(segment) if !segment.fits(0, len) => segment.grow(0, len),
            Some(_) | None => Ok(()),
        }
    }

    /// A file counts only once it, its name and a mark that names it are durable: what recovery finds behind
    /// a mark is then ours, and in a file that the mark does not know there is nothing of ours.
    // spec: DF-ALG-02
    fn begin_segment(&mut self, zxid: i64) -> Result<()> {
        let spare = match std::mem::replace(&mut self.spare, Spare::None) {
            Spare::Whole(filler) => Some(filler),
            other @ (Spare::None | Spare::Away) => {
                self.spare = other;
                None
            }
        };
        let segment = Segment::create(&self.disk, &self.dir, zxid, self.segment_bytes, spare)?;
        self.segment = Some(segment);
        self.set_mark(zxid, FileHeader::LEN as u64)?;
        self.sync_mark()
    }

    fn sync_mark(&mut self) -> Result<()> {
        self.mark.as_mut().map_or(Ok(()), MarkFile::sync)
    }

    fn end_segment(&mut self) -> Result<()> {
        self.write_buffer()?;
        if let Some(segment) = &mut self.segment {
            segment.trim()?;
            self.sync_segment()?;
            // Late enough to cost nothing, early enough that a power cut takes back the mark of one file at most.
            self.sync_mark()?;
        }
        self.segment = None;
        Ok(())
    }

    fn sync_segment(&mut self) -> Result<()> {
        self.write_buffer()?;
        let Some(segment) = &self.segment else {
            return Ok(());
        };
        segment.sync()?;
        let (log, offset) = (segment.zxid, segment.position);
        self.synced = self.last;
        self.set_mark(log, offset)
    }

    fn write_buffer(&mut self) -> Result<()> {
        if let Some(segment) = &mut self.segment {
            segment.write(&self.buffer)?;
        }
        self.buffer.clear();
        Ok(())
    }

    // spec: DF-SYN-06. After a failed write or sync the file's content is unknown; believing a later success
    // would acknowledge records that are not there.
    fn guard<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let result = work(self);
        self.failed |= result.is_err();
        result
    }

    fn check_usable(&self) -> Result<()> {
        if self.failed {
            return Err(std::io::Error::other("an earlier write or sync failed"))
                .in_log("use", &self.dir);
        }
        Ok(())
    }
}
