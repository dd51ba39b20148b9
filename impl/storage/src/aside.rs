//! The repair of a damaged directory: everything is moved aside, and the server comes back as one that holds nothing.

use std::path::{Path, PathBuf};

use crate::epoch::{EpochFile, Stored, read};
use crate::error::{Context, Error, Result};
use crate::names::{FLOOR, MARK, SESSIONS, parse_log, parse_snapshot};
use crate::store::Store;

impl Store {
    /// Renames logs, snapshots and the mark to `damaged.<n>.<name>`, which nobody reads, and keeps what this server
    /// promised: the next start has no history and no vote before it was synchronised. Epoch files (and a mark of
    /// session ids) that are no numbers move, too. Returns the new names.
    ///
    /// # Errors
    /// [`Error::Unusable`] for a single server, whose data nobody else has, and where the configuration asks for a
    /// new database and no promise is left that keeps it from a vote.
    // spec: P-REPAIR, DF-RD-04. Snapshots go first: logs without one refuse to start, so that a repair that is cut
    // off never leaves a shorter history that looks whole.
    pub fn set_aside(&self) -> Result<Vec<PathBuf>> {
        if let Some(what) = self.why_not_aside()? {
            return Err(Error::Unusable {
                path: self.snapshot_dir.clone(),
                what: what.into(),
            });
        }
        // A first start that was cut off may have left it; it would give the empty directory a vote.
        self.end_first_start()?;
        let number = self.free_number()?;
        let mut moved = Vec::new();
        let mut snapshots = self.names(&self.snapshot_dir)?;
        snapshots.retain(|name| parse_snapshot(name).is_some());
        snapshots.sort_by_key(|name| parse_snapshot(name));
        self.move_all(&self.snapshot_dir, &snapshots, number, &mut moved)?;
        let mut logs = self.names(&self.log_dir)?;
        logs.retain(|name| parse_log(name).is_some() || name == MARK);
        self.move_all(&self.log_dir, &logs, number, &mut moved)?;
        let mut numbers = Vec::new();
        for name in [
            EpochFile::Accepted.name(),
            EpochFile::Current.name(),
            SESSIONS,
            FLOOR,
        ] {
            if let Stored::Garbage(_) = read(&*self.disk, &self.snapshot_dir.join(name))? {
                numbers.push(name.to_owned());
            }
        }
        self.move_all(&self.snapshot_dir, &numbers, number, &mut moved)?;
        Ok(moved)
    }

    fn why_not_aside(&self) -> Result<Option<&'static str>> {
        if self.config.standalone {
            return Ok(Some(
                "a single server's database is nowhere else: restore it from a backup",
            ));
        }
        let accepted = read(&*self.disk, &EpochFile::Accepted.path(&self.snapshot_dir))?;
        // What a kept promise prevents, a lost one does not.
        let promised = matches!(accepted, Stored::Value(epoch) if epoch > 0);
        Ok((self.config.create_database && !promised).then_some(
            "db.autocreate=true would let the emptied server vote: take the key out first",
        ))
    }

    fn move_all(
        &self,
        dir: &Path,
        names: &[String],
        number: u32,
        moved: &mut Vec<PathBuf>,
    ) -> Result<()> {
        for name in names {
            let (from, to) = (dir.join(name), dir.join(format!("damaged.{number}.{name}")));
            self.disk.rename(&from, &to).at("rename", &from)?;
            moved.push(to);
        }
        self.disk.sync_dir(dir).at("sync", dir)
    }

    /// A number that no earlier repair used.
    fn free_number(&self) -> Result<u32> {
        let names = [self.names(&self.snapshot_dir)?, self.names(&self.log_dir)?].concat();
        let used = names.iter().filter_map(|name| {
            name.strip_prefix("damaged.")?
                .split('.')
                .next()?
                .parse::<u32>()
                .ok()
        });
        Ok(used.max().unwrap_or(0).saturating_add(1))
    }

    fn names(&self, dir: &Path) -> Result<Vec<String>> {
        self.disk.list(dir).at("list", dir)
    }
}
