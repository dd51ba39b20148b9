//! Writes what the core asks for: many appends, one sync, one completion.

use super::load::restore;
use crate::bug::{Bug, Bugs};
use bytes::Bytes;
use std::sync::Arc;
use zab::{Epoch, Write, WriteId, Zxid};
use zk_storage::snapshot::Prepared;
use zk_storage::{EpochFile, Error, Filler, Log, Result, Store};
use zk_tree::Tree;

/// In the order in which they must reach the disk.
#[derive(Debug)]
pub enum Command {
    Write {
        id: WriteId,
        write: Write<Bytes>,
    },
    /// A leader's whole state, for the `Write::Install` that names its zxid.
    Received(Prepared),
    /// Begin a new log file: a snapshot starts, and whole files can be purged once it is done.
    Roll,
}

/// What a batch led to.
#[derive(Debug, Default)]
pub struct Done {
    /// The newest write that now survives a crash; all before it do too.
    pub through: Option<WriteId>,
    /// History was taken back or replaced: the tree as the disk now has it.
    pub tree: Option<Box<Tree>>,
}

/// Owns the log. Lives on the log thread.
#[derive(Debug)]
pub struct Keeper {
    store: Arc<Store>,
    log: Option<Log>,
    settings: zk_tree::Settings,
    received: Option<Prepared>,
    /// Some: an observer's that keeps no log, with the `currentEpoch` on its disk.
    unlogged: Option<Epoch>,
    /// Where the epoch begins whose file was written last; 0 once history was taken back.
    adopted: i64,
    bugs: Bugs,
}

impl Keeper {
    #[must_use]
    pub fn new(store: Arc<Store>, log: Log, settings: zk_tree::Settings) -> Self {
        Self {
            store,
            log: Some(log),
            settings,
            received: None,
            unlogged: None,
            adopted: 0,
            bugs: Bugs::default(),
        }
    }

    /// Txns are for memory alone, as an observer with `syncEnabled=false` has it: the disk stays at the snapshot that
    /// the last synchronisation brought, if it brought one, and the next start begins there. `current` is what
    /// `currentEpoch` says.
    // spec: DF-WHO-03, QP-BC-10. An observer's acks count for nothing, so nobody relies on what it forgets.
    #[must_use]
    pub fn unlogged(mut self, current: Epoch) -> Self {
        self.unlogged = Some(current);
        self
    }

    /// Puts a bug back.
    #[cfg(feature = "mutants")]
    pub fn spoil(&mut self, bugs: Bugs) {
        self.bugs = bugs;
    }

    /// Does all of it; what returns is durable.
    ///
    /// # Errors
    /// The process must end: nothing is known of what was asked (P-DIE, FT-DISK-05).
    // spec: DF-ALG-05, BCAST-3
    pub fn write(&mut self, commands: impl IntoIterator<Item = Command>) -> Result<Done> {
        let mut done = Done::default();
        let late = self.bugs.has(Bug::AckBeforeFsync);
        if late {
            self.log()?.sync()?;
        }
        for command in commands {
            match command {
                Command::Roll => self.log()?.roll()?,
                Command::Received(prepared) => self.received = Some(prepared),
                Command::Write { id, write } => {
                    if let Some(write) = self.kept(write)? {
                        self.one(write, &mut done)?;
                    }
                    done.through = Some(id);
                }
            }
        }
        if !late {
            self.log()?.sync()?;
        }
        Ok(done)
    }

    /// The part of a write that is for the disk.
    fn kept(&mut self, write: Write<Bytes>) -> Result<Option<Write<Bytes>>> {
        let Some(current) = self.unlogged else {
            return Ok(Some(write));
        };
        let last = Zxid(self.log()?.synced());
        Ok(match write {
            Write::Append(_) => None,
            // An epoch stands for the history before it: no further than the disk has one, or the next start would
            // claim what it has forgotten.
            // spec: DF-EPO-04, DF-EPO-07
            Write::CurrentEpoch(epoch) => {
                let epoch = epoch.min(last.epoch());
                (epoch > current).then(|| {
                    self.unlogged = Some(epoch);
                    Write::CurrentEpoch(epoch)
                })
            }
            // What is taken back was never delivered, so neither the disk nor the tree has any of it.
            Write::Truncate { after } if after >= last => None,
            Write::Truncate { .. } | Write::AcceptedEpoch(_) | Write::Install { .. } => Some(write),
        })
    }

    fn one(&mut self, write: Write<Bytes>, done: &mut Done) -> Result<()> {
        match write {
            Write::Append(proposal) => self.log()?.append(proposal.zxid.0, &proposal.txn),
            // spec: DF-EPO-04, FT-DISK-33. An epoch is a promise about the history before it.
            Write::AcceptedEpoch(_) | Write::CurrentEpoch(_)
                if self.bugs.has(Bug::ForgottenEpoch) =>
            {
                self.log()?.sync().map(drop)
            }
            Write::AcceptedEpoch(epoch) => {
                self.log()?.sync()?;
                self.store.write_epoch(EpochFile::Accepted, epoch.0)
            }
            Write::CurrentEpoch(epoch) => {
                self.log()?.sync()?;
                self.store.write_epoch(EpochFile::Current, epoch.0)?;
                self.adopted = epoch.start().0;
                Ok(())
            }
            // spec: DF-LOG-30, QP-SYN-12
            Write::Truncate { after } => {
                if let Some(log) = self.log.take() {
                    self.store.truncate(log, after.0)?;
                }
                self.reload(done)
            }
            Write::Install { snapshot } => {
                self.install(snapshot.0)?;
                self.reload(done)
            }
        }
    }

    // spec: QP-SYN-11, DF-LOG-33, DF-REC-05
    fn install(&mut self, zxid: i64) -> Result<()> {
        let store = Arc::clone(&self.store);
        match self.received.take().filter(|it| it.zxid() == zxid) {
            Some(prepared) => store.install(self.log()?, &prepared).map(drop),
            None if zxid == 0 => store.begin_database(),
            None => Err(Error::Unusable {
                path: store.config().snapshot_dir(),
                what: format!("no snapshot of {zxid:#x} was received"),
            }),
        }
    }

    fn reload(&mut self, done: &mut Done) -> Result<()> {
        self.adopted = 0;
        self.log = None;
        let restored = restore(&self.store, &self.settings, 0)?;
        self.log = Some(restored.log);
        done.tree = Some(Box::new(restored.tree));
        Ok(())
    }

    /// The work of preparing the next log file, if it is time for it; for moments in which no write waits.
    ///
    /// # Errors
    /// The log goes on without the file.
    pub fn take_filler(&mut self) -> Result<Option<Filler>> {
        self.log()?.take_filler()
    }

    /// Takes it back; one that is not whole failed. One of a log that has since been replaced is dropped.
    pub fn return_filler(&mut self, filler: Filler) {
        if let Some(log) = &mut self.log {
            log.return_filler(filler);
        }
    }

    /// The zxid through which everything survives a crash: the newest record's, or an epoch's beginning, which is no
    /// record's and has all of them behind it.
    // spec: DF-ALG-12, DF-EPO-04. A snapshot that shows the beginning of an epoch waits for no txn of it.
    #[must_use]
    pub fn synced(&self) -> Option<i64> {
        let log = self.log.as_ref()?;
        Some(log.synced().max(self.adopted))
    }

    /// Bytes of the current log file in use.
    #[must_use]
    pub fn file_bytes(&self) -> u64 {
        self.log.as_ref().map_or(0, Log::file_bytes)
    }

    /// Ends the log in order.
    ///
    /// # Errors
    /// As `write`.
    pub fn close(mut self) -> Result<()> {
        self.log()?.roll()
    }

    fn log(&mut self) -> Result<&mut Log> {
        self.log.as_mut().ok_or_else(|| Error::Unusable {
            path: self.store.config().log_dir(),
            what: "the log was lost in a truncation that failed".into(),
        })
    }
}
