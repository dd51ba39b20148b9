//! Taking back what a leader does not have: TRUNC, and the divergent tail under an installed snapshot.

use std::path::Path;

use zk_proto::TxnRecord;
use zk_proto::snapshot::Piece;

use crate::error::{Context, Result};
use crate::log::Log;
use crate::log::mark::{Found, Mark, MarkFile};
use crate::log::reader::{self, LogReader, Next, Start};
use crate::names::MARK;
use crate::recovery::{Load, LogFile, replay};
use crate::snapshot::{Pieces, Prepared, Tail, Written};
use crate::store::Store;

impl Store {
    /// Forgets every transaction after `after`. The state must then be recovered anew. Takes the log, so that nobody
    /// appends meanwhile.
    ///
    /// # Errors
    /// [`crate::Error::Damaged`], with nothing changed, if what remains would not be a state: no snapshot at or below
    /// `after`, a hole behind it, or no txn `after`. Any other error leaves a directory that recovers to at least what
    /// was asked for.
    // spec: DF-LOG-30, DF-LOG-31, DF-LOG-32, DF-LOG-33
    pub fn truncate(&self, mut log: Log, after: i64) -> Result<()> {
        log.roll()?;
        drop(log);
        let _held = self.history.take_back();
        let fits = |zxid: i64, tail: &Tail| {
            let content = tail.digest.map(|digest| digest.zxid).max(tail.last_zxid);
            zxid.max(content.unwrap_or(zxid)) <= after
        };
        let chosen = self.load_newest(&mut Nobody, fits)?;
        let Some((snapshot, _)) = chosen.loaded else {
            let expected = format!("a snapshot at or below zxid {after:#x}");
            return Err(self.damage(
                &self.snapshot_dir,
                0,
                expected,
                "none that loads".into(),
                None,
            ));
        };
        let left = replay(self, snapshot.zxid, after, Found::Nothing, &mut |_, _| {
            Ok(())
        })?
        .last;
        // What the caller goes on from must be there: the history would have a hole that nothing shows.
        if left != after {
            let (expected, found) = (
                format!("a history with zxid {after:#x}, to end there"),
                format!("one that would end with {left:#x}"),
            );
            return Err(self.damage(&self.log_dir, 0, expected, found, Some(left)));
        }
        for newer in self
            .snapshots()?
            .into_iter()
            .filter(|file| file.zxid > snapshot.zxid)
        {
            self.remove_synced(&newer.path, &self.snapshot_dir)?;
        }
        self.cut_logs(left)
    }

    /// Puts a snapshot of a leader's state in place of everything here; the log goes on behind it.
    ///
    /// # Errors
    /// Leaves the old state, at most without what lies behind the snapshot's zxid.
    // spec: DF-LOG-33: nothing is given up before the snapshot is durable. DF-WHO-01, DF-WHO-02
    pub fn install(&self, log: &mut Log, prepared: &Prepared) -> Result<Written> {
        let zxid = prepared.zxid();
        log.roll()?;
        let _held = self.history.take_back();
        // What lies behind the snapshot diverges from the leader, and would be replayed on top of it.
        for newer in self
            .snapshots()?
            .into_iter()
            .filter(|file| file.zxid > zxid)
        {
            self.remove_synced(&newer.path, &self.snapshot_dir)?;
        }
        if log.last() > zxid {
            log.forget_mark();
            self.cut_logs(zxid)?;
        }
        self.write_floor(zxid)?;
        let written = prepared.publish()?;
        log.jump(zxid)?;
        Ok(written)
    }

    /// Removes every record after `left`. From the newest on and each step durable before the next, so that a crash
    /// leaves a log without holes; the mark goes first, because it must never lead.
    fn cut_logs(&self, left: i64) -> Result<()> {
        let files = self.logs()?;
        let (keep, gone): (Vec<LogFile>, Vec<LogFile>) =
            files.into_iter().partition(|file| file.zxid <= left);
        let cut = match keep.last() {
            Some(file) => self.end_of(file, left)?.map(|offset| (file, offset)),
            None => None,
        };
        let (log, offset) = cut.map_or((left, 0), |(file, offset)| (file.zxid, offset));
        MarkFile::open(
            &self.disk,
            &self.log_dir.join(MARK),
            Mark {
                log,
                offset,
                zxid: left,
            },
        )?;
        for file in gone.iter().rev() {
            self.remove_synced(&file.path, &self.log_dir)?;
        }
        if let Some((file, offset)) = cut {
            let open = self.disk.open_write(&file.path).at("open", &file.path)?;
            open.set_len(offset).at("cut", &file.path)?;
            open.sync_data().at("sync", &file.path)?;
        }
        Ok(())
    }

    /// Offset behind the last record of `file` that is not after `left`; `None` for a file without records.
    fn end_of(&self, file: &LogFile, left: i64) -> Result<Option<u64>> {
        let Start::Records(mut reader) =
            reader::open(&*self.disk, &file.path, self.config.limit_bytes)?
        else {
            return Ok(None);
        };
        loop {
            let before = LogReader::position(&reader);
            match reader.next()? {
                Next::Record(record) if record.zxid <= left => {}
                Next::Record(_) | Next::End(_) => return Ok(Some(before)),
            }
        }
    }

    fn remove_synced(&self, path: &Path, dir: &Path) -> Result<()> {
        self.disk.remove(path).at("remove", path)?;
        self.disk.sync_dir(dir).at("sync", dir)
    }
}

/// Reads for the sake of the checks.
struct Nobody;

impl Pieces for Nobody {
    fn piece(&mut self, _: Piece<'_>) -> std::result::Result<(), String> {
        Ok(())
    }
}

impl Load for Nobody {
    fn begin(&mut self, _: i64) {}

    fn txn(&mut self, _: TxnRecord, _: &[u8]) -> std::result::Result<(), String> {
        Ok(())
    }
}
