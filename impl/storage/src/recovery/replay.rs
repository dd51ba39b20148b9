//! Walks the logs from a zxid on: every record once, no hole, and a verdict on how each file ends.

use std::path::PathBuf;

use zk_proto::{OpCode, TxnRecord};

use crate::error::{Context, Error, Result};
use crate::log::mark::{Found, Mark};
use crate::log::reader::{self, End, Fault, FaultKind, LogReader, Next, RawRecord, Start};
use crate::names::parse_log;
use crate::store::Store;
use crate::zxid::{counter, epoch, follows};

/// A log file by its name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogFile {
    pub(crate) zxid: i64,
    pub(crate) path: PathBuf,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// Last zxid of the state.
    pub(crate) last: i64,
    /// Records delivered.
    pub(crate) records: u64,
    /// The file of the last record and where its records end.
    pub(crate) end: Option<LogEnd>,
    /// Files behind it that hold no record.
    pub(crate) empty: Vec<LogFile>,
    /// Files that were read.
    pub(crate) read: Vec<LogFile>,
    pub(crate) warnings: Vec<String>,
}

/// How the last file ends.
#[derive(Clone, Debug)]
pub(crate) struct LogEnd {
    pub(crate) file: LogFile,
    /// Behind its last whole record.
    pub(crate) offset: u64,
    /// From here on the bytes may never have reached the disk: where the mark says, in a log of ours.
    pub(crate) unsynced_from: Option<u64>,
    /// Something other than zeros follows and is no record.
    pub(crate) torn: bool,
}

/// Delivers each record with its decoded form.
pub(crate) type Deliver<'a> = &'a mut dyn FnMut(TxnRecord, &RawRecord<'_>) -> Result<()>;

impl Store {
    /// Logs by name, oldest first.
    pub(crate) fn logs(&self) -> Result<Vec<LogFile>> {
        let names = self.disk.list(&self.log_dir).at("list", &self.log_dir)?;
        let logs = names.iter().filter_map(|name| {
            Some(LogFile {
                zxid: parse_log(name)?,
                path: self.log_dir.join(name),
            })
        });
        let mut files: Vec<LogFile> = logs.collect();
        files.sort_unstable();
        Ok(files)
    }

    /// The logs that may hold records from `zxid` on: every file named so or later, and the one before.
    // spec: DF-RD-01, DF-WHO-03. None at all is lawful beside a snapshot.
    pub(crate) fn logs_from(&self, zxid: i64) -> Result<Vec<LogFile>> {
        let mut files = self.logs()?;
        let first = files
            .iter()
            .rposition(|file| file.zxid <= zxid)
            .unwrap_or(0);
        Ok(files.split_off(first))
    }
}

/// Delivers the records after `snapshot` up to `through`, in order. The walk ends early behind `through`; else
/// the end of the last file is judged as a start must.
///
/// # Errors
/// [`Error::Damaged`] for a hole, a bad record that is no torn tail, or synced records that are not there.
pub(crate) fn replay(
    store: &Store,
    snapshot: i64,
    through: i64,
    mark: Found,
    deliver: Deliver<'_>,
) -> Result<Replay> {
    let result = Replay {
        last: snapshot,
        ..Replay::default()
    };
    let mut walk = Walk {
        store,
        snapshot,
        through,
        mark,
        result,
        tails: Vec::new(),
        seen_any: false,
    };
    for file in store.logs_from(snapshot.saturating_add(1))? {
        match reader::open(&*store.disk, &file.path, store.config.limit_bytes)? {
            Start::Empty => walk.empty(file)?,
            Start::WrongMagic(magic) => {
                return Err(walk.damage(
                    &file,
                    0,
                    "the magic ZKLG".into(),
                    format!("{magic:02x?}"),
                ));
            }
            Start::Records(reader) => {
                if walk.file(file, reader, deliver)? {
                    return Ok(walk.result);
                }
            }
        }
    }
    walk.finish()
}

struct Walk<'a> {
    store: &'a Store,
    snapshot: i64,
    through: i64,
    mark: Found,
    result: Replay,
    /// Files not yet judged: the newest that holds a record, and those behind it that hold a fault instead.
    tails: Vec<Tail>,
    seen_any: bool,
}

struct Tail {
    file: LogFile,
    end: End,
    reader: LogReader,
    has_records: bool,
}

impl Walk<'_> {
    /// Reads one file; true once a record lies behind `through`.
    fn file(&mut self, file: LogFile, mut reader: LogReader, deliver: Deliver<'_>) -> Result<bool> {
        let mut is_first = true;
        let end = loop {
            match reader.next()? {
                Next::End(end) => break end,
                Next::Record(record) => {
                    if is_first {
                        self.first(&file, &record)?;
                        is_first = false;
                    }
                    if record.zxid > self.through {
                        return Ok(true);
                    }
                    self.record(&file, &record, deliver)?;
                }
            }
        };
        if is_first && end.fault.is_none() {
            self.empty(file)?;
        } else {
            self.result.read.push(file.clone());
            self.tails.push(Tail {
                file,
                end,
                reader,
                has_records: !is_first,
            });
        }
        Ok(false)
    }

    /// A file's first record settles whether the file before it may end as it does.
    fn first(&mut self, file: &LogFile, record: &RawRecord<'_>) -> Result<()> {
        if record.zxid != file.zxid {
            let (expected, found) = (hex(file.zxid), hex(record.zxid));
            return Err(self.damage(
                file,
                record.offset,
                format!("{expected}, as the file's name says"),
                found,
            ));
        }
        self.result.empty.clear();
        for before in std::mem::take(&mut self.tails) {
            self.settle_middle(&before.file, &before.end, before.reader, record.zxid)?;
        }
        Ok(())
    }

    fn record(
        &mut self,
        file: &LogFile,
        record: &RawRecord<'_>,
        deliver: Deliver<'_>,
    ) -> Result<()> {
        let (last, zxid) = (self.result.last, record.zxid);
        let starts_file = record.zxid == file.zxid;
        if zxid <= self.snapshot && !self.seen_any {
            return Ok(());
        }
        if zxid <= last {
            return self.duplicate(file, record);
        }
        if !follows(last, zxid) {
            // spec: DF-RD-05, FT-DISK-17. An epoch need not begin with 1, but between two files that is a lost file.
            if starts_file || epoch(zxid) == epoch(last) {
                return Err(self.damage(
                    file,
                    record.offset,
                    hex(last.saturating_add(1)),
                    hex(zxid),
                ));
            }
            let (path, count) = (file.path.display(), counter(zxid));
            self.result.warnings.push(format!(
                "{path}: epoch {:#x} begins with counter {count}",
                epoch(zxid)
            ));
        }
        let decoded = TxnRecord::decode_with_limit(record.payload, self.store.config.limit_bytes);
        let txn = decoded.map_err(|error| {
            self.damage(
                file,
                record.offset,
                format!("a transaction of type {}", record.kind),
                error.to_string(),
            )
        })?;
        deliver(txn, record)?;
        self.seen_any = true;
        self.result.last = zxid;
        self.result.records = self.result.records.saturating_add(1);
        Ok(())
    }

    /// Apache's directories hold records twice, and error records under the zxid used last.
    // spec: DF-LOG-05, DF-RD-06
    fn duplicate(&mut self, file: &LogFile, record: &RawRecord<'_>) -> Result<()> {
        if record.kind == OpCode::Error.code() {
            return Ok(());
        }
        match self.same_before(file, record)? {
            Some(true) => Ok(()),
            None if record.zxid <= self.snapshot => Ok(()),
            Some(false) | None => {
                let expected = format!(
                    "a zxid above {}, or the same record again",
                    hex(self.result.last)
                );
                Err(self.damage(
                    file,
                    record.offset,
                    expected,
                    format!("another record of {}", hex(record.zxid)),
                ))
            }
        }
    }

    /// Whether the first record of that zxid has the same bytes; `None` if there is no earlier one.
    fn same_before(&self, file: &LogFile, record: &RawRecord<'_>) -> Result<Option<bool>> {
        for earlier in self
            .store
            .logs_from(record.zxid)?
            .iter()
            .take_while(|earlier| earlier.zxid <= file.zxid)
        {
            let Start::Records(mut reader) = reader::open(
                &*self.store.disk,
                &earlier.path,
                self.store.config.limit_bytes,
            )?
            else {
                continue;
            };
            while let Next::Record(other) = reader.next()? {
                if earlier == file && other.offset >= record.offset {
                    break;
                }
                if other.zxid == record.zxid && other.kind != OpCode::Error.code() {
                    return Ok(Some(other.payload == record.payload));
                }
            }
        }
        Ok(None)
    }

    // spec: FT-DISK-16
    fn empty(&mut self, file: LogFile) -> Result<()> {
        match self.marked(&file) {
            Some(mark) if mark.offset > HEADER => {
                let expected = format!(
                    "records through byte {} ({} synced)",
                    mark.offset,
                    hex(mark.zxid)
                );
                Err(self.damage(&file, HEADER, expected, "no record".into()))
            }
            Some(_) | None => {
                self.result.empty.push(file);
                Ok(())
            }
        }
    }

    /// A file with another behind it must end cleanly, or the next must go on exactly where it breaks off.
    // spec: DF-RD-03, FT-DISK-18
    fn settle_middle(
        &mut self,
        file: &LogFile,
        end: &End,
        mut reader: LogReader,
        next: i64,
    ) -> Result<()> {
        // spec: DF-ALG-02. No file of ours holds a record before a mark that names it: behind the marked file another server
        // went on, and what it took back at its leader's word the mark knows nothing of.
        let taken_back = self.marked(file).filter(|mark| mark.offset > end.offset);
        let end = &match taken_back {
            Some(_) => reader.look_behind(end.clone(), u64::MAX)?,
            None => self.look_behind(file, end, &reader)?,
        };
        if let Some(mark) = taken_back {
            self.result.warnings.push(format!(
                "{}: ends at byte {}, and this server had synced {}: another one took it back and went on with {}",
                file.path.display(),
                end.offset,
                mark.offset,
                hex(next)
            ));
        }
        let Some(fault) = &end.fault else {
            return Ok(());
        };
        let last = self.result.last;
        let continues = match fault.kind {
            FaultKind::Checksum => last.checked_add(1) == Some(next),
            FaultKind::CutShort | FaultKind::Torn => {
                follows(last, next) && reader.valid_record_after(end.offset)?.is_none()
            }
        };
        if next > self.snapshot && !continues {
            return Err(self.fault(file, end, fault));
        }
        let path = file.path.display();
        self.result.warnings.push(format!(
            "{path}: torn at byte {}; the next log goes on with {}",
            end.offset,
            hex(next)
        ));
        Ok(())
    }

    fn finish(mut self) -> Result<Replay> {
        for tail in std::mem::take(&mut self.tails) {
            let Tail { file, end, .. } = tail;
            let torn = self.judge_last(&file, &end, tail.reader)?;
            // The file of that name is begun anew: what it held was never synced.
            if !tail.has_records {
                self.result.empty.push(file);
                continue;
            }
            let unsynced_from = self.marked(&file).map(|mark| mark.offset);
            self.result.end = Some(LogEnd {
                file,
                offset: end.offset,
                unsynced_from,
                torn,
            });
        }
        // spec: disk-format.md 8, log dir emptied. The mark remembers what a missing file held.
        if let Found::Mark(mark) = self.mark
            && mark.zxid > self.result.last
        {
            let file = LogFile {
                zxid: mark.log,
                path: self.store.log_dir.join(crate::names::log_name(mark.log)),
            };
            let found = format!("the end of the log after {}", hex(self.result.last));
            return Err(self.damage(
                &file,
                mark.offset,
                format!("records through {}, synced", hex(mark.zxid)),
                found,
            ));
        }
        Ok(self.result)
    }

    /// True if the last file ends in something that must be cut off.
    // spec: DF-ALG-01, DF-ALG-02, DF-RD-03, FT-DISK-03, FT-DISK-04, FT-DISK-12, FT-DISK-13
    fn judge_last(&mut self, file: &LogFile, end: &End, mut reader: LogReader) -> Result<bool> {
        let end = &self.look_behind(file, end, &reader)?;
        let Some(fault) = &end.fault else {
            return Ok(false);
        };
        let later = reader.valid_record_after(end.offset)?;
        if self.marked(file).is_none() {
            let accepted = match fault.kind {
                FaultKind::CutShort | FaultKind::Torn => later.is_none(),
                FaultKind::Checksum => self.store.config.accept_bad_tail,
            };
            if !accepted {
                return Err(self.fault(file, end, fault));
            }
        }
        let upto = later
            .map(|(_, zxid)| format!(", {} among them", hex(zxid)))
            .unwrap_or_default();
        self.result.warnings.push(format!(
            "{}: torn at byte {}: dropped what follows {}{upto}: never synced ({} instead of {})",
            file.path.display(),
            end.offset,
            hex(self.result.last),
            fault.found,
            fault.expected,
        ));
        Ok(true)
    }

    /// The mark vouches for what lies before it; a log without one is searched to its last byte.
    fn look_behind(&self, file: &LogFile, end: &End, reader: &LogReader) -> Result<End> {
        self.check_mark(file, end)?;
        let reach = if self.marked(file).is_some() {
            NEAR_MARK
        } else {
            u64::MAX
        };
        reader.look_behind(end.clone(), reach)
    }

    /// What was synced must be there.
    fn check_mark(&self, file: &LogFile, end: &End) -> Result<()> {
        let Some(mark) = self.marked(file).filter(|mark| mark.offset > end.offset) else {
            return Ok(());
        };
        let (expected, found) = match &end.fault {
            Some(fault) => (fault.expected.clone(), fault.found.clone()),
            None => ("a record".into(), "the end of the log".into()),
        };
        let expected = format!("{expected}, since {} bytes were synced", mark.offset);
        Err(self.damage(file, end.offset, expected, found))
    }

    fn marked(&self, file: &LogFile) -> Option<Mark> {
        match self.mark {
            Found::Mark(mark) if mark.log == file.zxid => Some(mark),
            Found::Mark(_) | Found::Nothing | Found::Damaged => None,
        }
    }

    fn fault(&self, file: &LogFile, end: &End, fault: &Fault) -> Error {
        self.damage(
            file,
            end.offset,
            fault.expected.clone(),
            fault.found.clone(),
        )
    }

    fn damage(&self, file: &LogFile, offset: u64, expected: String, found: String) -> Error {
        self.store
            .damage(&file.path, offset, expected, found, Some(self.result.last))
    }
}

/// Bytes behind the end of a log of ours that are searched for what a warning should mention.
const NEAR_MARK: u64 = 4 << 20;
const HEADER: u64 = zk_proto::log::FileHeader::LEN as u64;

fn hex(zxid: i64) -> String {
    format!("zxid {zxid:#x}")
}
