//! Up to which session id this server may have given ids to clients, in one of its runs.

use crate::epoch::{Stored, read, write_number};
use crate::error::Result;
use crate::names::SESSIONS;
use crate::store::Store;

impl Store {
    /// The mark of the last run; none in a directory that is new or comes from Apache.
    ///
    /// # Errors
    /// [`crate::Error::Damaged`] if the file holds no number.
    // spec: P-DETECT
    pub fn sessions_mark(&self) -> Result<Option<i64>> {
        let path = self.snapshot_dir.join(SESSIONS);
        match read(&*self.disk, &path)? {
            Stored::Missing => Ok(None),
            Stored::Value(mark) => Ok(Some(mark)),
            Stored::Garbage(found) => {
                let expected = "the highest session id reserved (without the file, ids follow the clock alone)";
                Err(self.damage(&path, 0, expected.into(), found, None))
            }
        }
    }

    /// Moves the mark. When this returns it survives a crash, and ids up to it may be given out.
    // spec: CP-CON-12, INV-14
    pub fn write_sessions_mark(&self, mark: i64) -> Result<()> {
        write_number(&*self.disk, &self.snapshot_dir, SESSIONS, mark)
    }
}
