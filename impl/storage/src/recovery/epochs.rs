//! Whether the epoch files fit the history.
// spec: disk-format.md 12.5

use std::path::Path;

use crate::epoch::{EpochFile, Epochs, Stored, UPDATING, read};
use crate::error::{Context, Result};
use crate::store::Store;

/// The epochs of this server and what must be written so that its files say so.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct EpochPlan {
    pub(crate) epochs: Epochs,
    pub(crate) writes: Vec<(EpochFile, i64)>,
    pub(crate) remove_updating: bool,
    /// Made anew with the operator's word.
    pub(crate) untrusted: bool,
    pub(crate) warnings: Vec<String>,
}

impl Store {
    /// `epoch` is that of the last zxid.
    // spec: DF-EPO-03, FT-DISK-23
    pub(crate) fn plan_epochs(&self, epoch: i64, last: i64) -> Result<EpochPlan> {
        let mut plan = EpochPlan::default();
        let current = self.stored(EpochFile::Current, last)?;
        let accepted = self.stored(EpochFile::Accepted, last)?;
        if (current.is_none() || accepted.is_none()) && epoch > 0 {
            // spec: DF-EPO-06. An epoch made up from the log could be one that was promised to another leader.
            if !self.config.accept_missing_epochs {
                let which = if current.is_none() {
                    EpochFile::Current
                } else {
                    EpochFile::Accepted
                };
                return Err(self.refuse(
                    which,
                    format!("an epoch of at least {epoch}"),
                    "no file".into(),
                    last,
                ));
            }
            plan.untrusted = true;
        }
        let current = match current {
            None => plan.write(EpochFile::Current, epoch),
            Some(current) if current < epoch => {
                self.rescue(&mut plan, current, accepted, epoch, last)?
            }
            Some(current) => current,
        };
        let accepted =
            accepted.unwrap_or_else(|| plan.write(EpochFile::Accepted, epoch.max(current)));
        if accepted < current {
            return Err(self.refuse(
                EpochFile::Accepted,
                format!("at least currentEpoch, {current}"),
                accepted.to_string(),
                last,
            ));
        }
        plan.epochs = Epochs { accepted, current };
        plan.remove_updating = self.exists(&self.snapshot_dir.join(UPDATING))?;
        Ok(plan)
    }

    /// The history is of a later epoch than `currentEpoch`: the crash came between the two.
    // spec: DF-EPO-03, DF-EPO-05, DF-EPO-07
    fn rescue(
        &self,
        plan: &mut EpochPlan,
        current: i64,
        accepted: Option<i64>,
        epoch: i64,
        last: i64,
    ) -> Result<i64> {
        let temporary = EpochFile::Current.temporary(&self.snapshot_dir);
        let adopted = match read(&*self.disk, &temporary)? {
            Stored::Value(value) if value >= epoch => Some(value),
            Stored::Value(_) | Stored::Missing | Stored::Garbage(_) => None,
        };
        let promised = accepted.is_some_and(|accepted| accepted >= epoch);
        let updating = self.exists(&self.snapshot_dir.join(UPDATING))?;
        if adopted.is_none() && !promised && !updating {
            return Err(self.refuse(
                EpochFile::Current,
                format!("at least {epoch}, the log's epoch"),
                current.to_string(),
                last,
            ));
        }
        let value = adopted.unwrap_or(epoch);
        plan.warnings.push(format!(
            "currentEpoch raised from {current} to {value}, the epoch of the log"
        ));
        Ok(plan.write(EpochFile::Current, value))
    }

    fn stored(&self, which: EpochFile, last: i64) -> Result<Option<i64>> {
        match read(&*self.disk, &which.path(&self.snapshot_dir))? {
            Stored::Missing => Ok(None),
            Stored::Value(value) => Ok(Some(value)),
            Stored::Garbage(found) => {
                Err(self.refuse(which, "a decimal number".into(), found, last))
            }
        }
    }

    fn refuse(&self, which: EpochFile, expected: String, found: String, last: i64) -> crate::Error {
        self.damage(
            &which.path(&self.snapshot_dir),
            0,
            expected,
            found,
            Some(last),
        )
    }

    pub(crate) fn exists(&self, path: &Path) -> Result<bool> {
        self.disk.exists(path).at("look for", path)
    }
}

impl EpochPlan {
    fn write(&mut self, which: EpochFile, value: i64) -> i64 {
        self.writes.push((which, value));
        value
    }
}
