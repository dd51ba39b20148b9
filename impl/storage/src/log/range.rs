//! Reads part of the log back, for a learner that lacks it.

use super::reader::{self, LogReader, Next, Start};
use crate::error::{Error, Result};
use crate::recovery::LogFile;
use crate::store::Store;
use crate::zxid::follows;

/// Records in zxid order, each once.
#[derive(Debug)]
pub struct LogRange<'a> {
    store: &'a Store,
    /// Files still to be read, newest first.
    files: Vec<LogFile>,
    reader: Option<LogReader>,
    from: i64,
    through: i64,
    last: Option<i64>,
}

impl Store {
    /// The records from `from` on through `through`, which must be synced or at least written by now. Reading goes
    /// on while the log is appended to. The first record may be later than `from`, if the log does not reach back.
    // spec: DF-RD-01
    pub fn read_log(&self, from: i64, through: i64) -> Result<LogRange<'_>> {
        let mut files = self.logs_from(from)?;
        files.reverse();
        Ok(LogRange {
            store: self,
            files,
            reader: None,
            from,
            through,
            last: None,
        })
    }

    /// Bytes of the logs that may hold records from `from` on: what a diff from there costs to read, at most.
    pub fn log_bytes_from(&self, from: i64) -> Result<u64> {
        let mut bytes = 0u64;
        for file in self.logs_from(from)? {
            if let Start::Records(reader) =
                reader::open(&*self.disk, &file.path, self.config.limit_bytes)?
            {
                bytes = bytes.saturating_add(reader.file_len());
            }
        }
        Ok(bytes)
    }
}

impl LogRange<'_> {
    /// Gives the next record to `take` as zxid and payload; false at the end.
    ///
    /// # Errors
    /// [`Error::Gap`] for a hole between two records or before `through`. Whoever asked for a diff gets a snapshot then.
    pub fn next(&mut self, mut take: impl FnMut(i64, &[u8])) -> Result<bool> {
        loop {
            let Some(reader) = &mut self.reader else {
                if !self.open_next()? {
                    return self.ended();
                }
                continue;
            };
            match reader.next()? {
                Next::End(_) => self.reader = None,
                Next::Record(record) if record.zxid > self.through => {
                    self.files.clear();
                    return self.ended();
                }
                Next::Record(record)
                    if record.zxid < self.from
                        || self.last.is_some_and(|last| record.zxid <= last) => {}
                Next::Record(record) => {
                    // spec: DF-RD-05. A diff with a hole would make the learner's history differ from everyone's.
                    if let Some(after) = self.last.filter(|last| !follows(*last, record.zxid)) {
                        return Err(Error::Gap {
                            after,
                            found: record.zxid,
                        });
                    }
                    self.last = Some(record.zxid);
                    take(record.zxid, record.payload);
                    return Ok(true);
                }
            }
        }
    }

    fn open_next(&mut self) -> Result<bool> {
        while let Some(file) = self.files.pop() {
            if let Start::Records(reader) =
                reader::open(&*self.store.disk, &file.path, self.store.config.limit_bytes)?
            {
                self.reader = Some(reader);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn ended(&self) -> Result<bool> {
        match self.last {
            Some(last) if last < self.through => Err(Error::Gap {
                after: last,
                found: self.through,
            }),
            Some(_) | None => Ok(false),
        }
    }
}
