//! How far back a truncation can reach.

use crate::epoch::{Stored, read, write_number};
use crate::error::Result;
use crate::names::FLOOR;
use crate::store::Store;

impl Store {
    /// The oldest zxid from which snapshots and logs tell the whole history: that of the oldest snapshot not older than
    /// the newest one that came from a leader. What that one holds need not be in any log, so behind an older
    /// snapshot the logs may have a hole that nothing shows. Where no file tells which one came, as in Apache's
    /// directories, it may be the newest.
    ///
    /// # Errors
    /// [`crate::Error::Damaged`] if the file holds no number.
    // spec: QP-DEF-25, P-DETECT
    pub fn floor(&self) -> Result<i64> {
        let path = self.snapshot_dir.join(FLOOR);
        let received = match read(&*self.disk, &path)? {
            Stored::Missing => i64::MAX,
            Stored::Value(zxid) => zxid,
            Stored::Garbage(found) => {
                let expected = "the zxid of the newest snapshot from a leader (without the file, that of the newest)";
                return Err(self.damage(&path, 0, expected.into(), found, None));
            }
        };
        let zxids: Vec<i64> = self.snapshots()?.iter().map(|file| file.zxid).collect();
        let newest = zxids.first().copied().unwrap_or(0);
        // It is written before the snapshot gets its name: after a crash in between, older ones are all there are.
        let known = zxids.into_iter().rev().find(|zxid| *zxid >= received);
        Ok(known.unwrap_or(newest))
    }

    /// From now on, once there is a snapshot of this zxid, the history begins there.
    pub(crate) fn write_floor(&self, zxid: i64) -> Result<()> {
        write_number(&*self.disk, &self.snapshot_dir, FLOOR, zxid)
    }
}
