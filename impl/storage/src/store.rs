//! One server's directories: opened by one process at a time, recovered, then written.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use zk_proto::snapshot::{Node, OPEN_ACL_ID, Piece, SnapshotDigest};
use zk_proto::{StatPersisted, TxnRecord};

use crate::config::Config;
use crate::disk::{Disk, parent};
use crate::epoch::{self, EpochFile, Stored};
use crate::error::{Context, Damage, Error, Result};
use crate::history::History;
use crate::log::Log;
use crate::log::mark::{self, Found};
use crate::names::{Compression, MARK, parse_log, parse_snapshot};
use crate::recovery::{EpochPlan, Load, Recovered, Repairs, SnapshotFile, replay};
use crate::snapshot::{SnapshotWriter, Tail};
use crate::zxid::{counter, epoch};

/// A server's files. Holds the lock on its directories.
pub struct Store {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) config: Config,
    pub(crate) snapshot_dir: PathBuf,
    pub(crate) log_dir: PathBuf,
    pub(crate) history: History,
    /// Unfinished files of an earlier process were removed: what is unfinished now is this one's.
    pub(crate) cleaned: AtomicBool,
    _locks: Vec<Box<dyn Send + Sync>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the directories, made if missing, and locks them.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has them; [`Error::Unusable`] if they do not fit the configuration.
    // spec: DF-DIR-01, DF-DIR-02, DF-DIR-03
    pub fn open(disk: Arc<dyn Disk>, config: Config) -> Result<Self> {
        let (snapshot_dir, log_dir) = (config.snapshot_dir(), config.log_dir());
        let mut dirs = vec![snapshot_dir.clone()];
        if log_dir != snapshot_dir {
            dirs.push(log_dir.clone());
        }
        let mut locks = Vec::new();
        for dir in &dirs {
            if !disk.exists(dir).at("look for", dir)? {
                if !config.create_dirs {
                    let what = "the directory does not exist, and datadir.autocreate is off".into();
                    return Err(Error::Unusable {
                        path: dir.clone(),
                        what,
                    });
                }
                disk.create_dirs(dir).at("create", dir)?;
            }
            locks.push(lock(&*disk, dir)?);
        }
        let store = Self {
            disk,
            config,
            snapshot_dir,
            log_dir,
            history: History::default(),
            cleaned: AtomicBool::new(false),
            _locks: locks,
        };
        store.check_kinds()?;
        Ok(store)
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Reads the state from the files into `load` and returns it with the end of the log.
    ///
    /// Changes nothing on disk unless it succeeds. May be called again, after a truncation or an installed snapshot:
    /// then the earlier [`Log`] must be gone.
    ///
    /// # Errors
    /// [`Error::Damaged`] if state that was durable is missing or bad.
    pub fn recover(&self, load: &mut dyn Load) -> Result<Recovered> {
        let mark = mark::read(&*self.disk, &self.log_dir.join(MARK))?;
        let chosen = self.load_newest(load, |_, _| true)?;
        let Some((snapshot, tail)) = &chosen.loaded else {
            if let Some((file, why)) = chosen.bad.first() {
                // spec: DF-REC-02, FT-DISK-15
                return Err(self.damage(
                    &file.path,
                    0,
                    "a snapshot that loads".into(),
                    why.clone(),
                    None,
                ));
            }
            return self.recover_without_snapshot(mark, load);
        };
        let mut wanted: Vec<i64> = chosen.bad.iter().map(|(file, _)| file.zxid).collect();
        let replayed = replay(self, snapshot.zxid, i64::MAX, mark, &mut |txn, record| {
            wanted.retain(|zxid| *zxid != record.zxid);
            give(load, txn, record.zxid, record.payload)
        })?;
        self.check_fallback(&chosen.bad, &wanted, replayed.last)?;
        let mut warnings: Vec<String> = chosen
            .bad
            .iter()
            .map(|(file, why)| format!("{}: passed over: {why}", file.path.display()))
            .collect();
        let epochs = self.epochs_for(replayed.last)?;
        self.repair(&Repairs {
            snapshot: Some(snapshot),
            replay: &replayed,
            epochs: epochs.as_ref(),
        })?;
        warnings.extend(replayed.warnings.iter().cloned());
        warnings.extend(epochs.iter().flat_map(|plan| plan.warnings.iter().cloned()));
        Ok(Recovered {
            last_zxid: Some(replayed.last),
            snapshot_zxid: Some(snapshot.zxid),
            tail: *tail,
            epochs: epochs.as_ref().map(|plan| plan.epochs),
            trusted: epochs.is_none_or(|plan| !plan.untrusted),
            records: replayed.records,
            warnings,
            log: self.log_from(replayed.last),
        })
    }

    /// Begins a snapshot named `zxid`. `zxid` is the last one applied before its first piece is taken.
    pub fn snapshot(&self, zxid: i64, compression: Compression) -> Result<SnapshotWriter> {
        let (disk, limit) = (Arc::clone(&self.disk), self.config.limit_bytes);
        SnapshotWriter::create(
            disk,
            &self.history,
            &self.snapshot_dir,
            zxid,
            compression,
            limit,
        )
    }

    /// Writes an epoch file. When this returns, the value survives a crash.
    // spec: DF-EPO-02
    pub fn write_epoch(&self, which: EpochFile, epoch: i64) -> Result<()> {
        epoch::write(&*self.disk, &self.snapshot_dir, which, epoch)
    }

    /// No snapshot: an upgrade from releases that wrote none, a first start, or a loss.
    // spec: DF-REC-04, DF-REC-05, FT-DISK-15, FT-DISK-25
    fn recover_without_snapshot(&self, mark: Found, load: &mut dyn Load) -> Result<Recovered> {
        load.begin(0);
        let replayed = replay(self, 0, i64::MAX, mark, &mut |txn, record| {
            if !self.config.trust_empty {
                let file = self.log_dir.join(crate::names::log_name(record.zxid));
                let expected = "a snapshot beside the logs".into();
                return Err(self.damage(&file, record.offset, expected, "none".into(), None));
            }
            give(load, txn, record.zxid, record.payload)
        })?;
        let epochs = self.epochs_for(replayed.last)?;
        let promised = epochs.as_ref().is_some_and(|plan| plan.epochs.accepted > 0);
        let asked = self.exists(&self.config.initialize_file())?;
        // A promise without a history is that of a server that lost one, whatever the configuration says of new ones.
        let is_new = self.config.standalone || asked || (self.config.create_database && !promised);
        let last_zxid = (is_new || replayed.records > 0).then_some(replayed.last);
        self.repair(&Repairs {
            snapshot: None,
            replay: &replayed,
            epochs: epochs.as_ref(),
        })?;
        if last_zxid == Some(0) {
            self.begin_database()?;
        }
        Ok(Recovered {
            last_zxid,
            snapshot_zxid: None,
            tail: Tail::default(),
            epochs: epochs.as_ref().map(|plan| plan.epochs),
            trusted: last_zxid.is_some() && epochs.is_none_or(|plan| !plan.untrusted),
            records: replayed.records,
            warnings: replayed.warnings,
            log: self.log_from(replayed.last),
        })
    }

    /// The snapshot of an empty tree, so that every log has one below it, and the end of `initialize`.
    ///
    /// # Errors
    /// The disk's.
    // spec: DF-REC-05, DF-BODY-05, DF-SNAP-06
    pub fn begin_database(&self) -> Result<()> {
        self.write_floor(0)?;
        let mut writer = self.snapshot(0, Compression::None)?;
        writer.put(&Piece::Sessions(0));
        writer.put(&Piece::Acls(0));
        for path in ["", "/zookeeper", "/zookeeper/quota"] {
            let stat = StatPersisted::default();
            writer.put(&Piece::Node(Node {
                path: path.into(),
                data: Some(&[]),
                acl: OPEN_ACL_ID,
                stat,
            }));
        }
        writer.put(&Piece::End);
        writer.finish(Tail {
            digest: Some(SnapshotDigest {
                zxid: 0,
                version: 2,
                tree: 0,
            }),
            last_zxid: None,
        })?;
        self.end_first_start()
    }

    /// Removes `initialize`, if it is there: from now on an empty directory is one that lost its history.
    // spec: DF-REC-05
    pub(crate) fn end_first_start(&self) -> Result<()> {
        let initialize = self.config.initialize_file();
        if self.exists(&initialize)? {
            self.disk.remove(&initialize).at("remove", &initialize)?;
            self.disk
                .sync_dir(parent(&initialize))
                .at("sync", parent(&initialize))?;
        }
        Ok(())
    }

    /// A newer snapshot that cannot be read may hold what the logs do not: then older state must not pass for new.
    // spec: DF-REC-03, DF-WHO-01, FT-DISK-14
    fn check_fallback(
        &self,
        bad: &[(SnapshotFile, String)],
        missing: &[i64],
        last: i64,
    ) -> Result<()> {
        for (file, why) in bad.iter().filter(|(file, _)| missing.contains(&file.zxid)) {
            // Apache's new leader writes one named by its epoch alone, of what its log holds, before it promises anything.
            let unpromised = counter(file.zxid) == 0
                && match epoch::read(&*self.disk, &EpochFile::Current.path(&self.snapshot_dir))? {
                    Stored::Value(current) => current < epoch(file.zxid),
                    Stored::Missing | Stored::Garbage(_) => false,
                };
            if !unpromised {
                let expected = format!(
                    "a snapshot that loads, since no log holds zxid {:#x}",
                    file.zxid
                );
                return Err(self.damage(&file.path, 0, expected, why.clone(), Some(last)));
            }
        }
        Ok(())
    }

    fn epochs_for(&self, last: i64) -> Result<Option<EpochPlan>> {
        // spec: DF-EPO-06
        if self.config.standalone {
            Ok(None)
        } else {
            self.plan_epochs(epoch(last), last).map(Some)
        }
    }

    pub(crate) fn log_from(&self, last: i64) -> Log {
        let Config {
            segment_bytes,
            limit_bytes,
            ..
        } = self.config;
        Log::new(
            Arc::clone(&self.disk),
            &self.log_dir,
            last,
            segment_bytes,
            limit_bytes,
        )
    }

    pub(crate) fn damage(
        &self,
        file: &Path,
        offset: u64,
        expected: String,
        found: String,
        last_good: Option<i64>,
    ) -> Error {
        let (file, repair) = (file.to_path_buf(), self.config.repair_command.clone());
        Box::new(Damage {
            file,
            offset,
            expected,
            found,
            last_good,
            repair,
        })
        .into()
    }

    /// A log among snapshots, or the reverse, means that a directory was moved or configured wrongly.
    // spec: DF-DIR-02
    fn check_kinds(&self) -> Result<()> {
        if self.log_dir == self.snapshot_dir {
            return Ok(());
        }
        let refuse = |path: PathBuf, what: &str| {
            Err(Error::Unusable {
                path,
                what: what.into(),
            })
        };
        for name in self.disk.list(&self.log_dir).at("list", &self.log_dir)? {
            if parse_snapshot(&name).is_some() {
                return refuse(self.log_dir.join(name), "a snapshot in dataLogDir");
            }
        }
        for name in self
            .disk
            .list(&self.snapshot_dir)
            .at("list", &self.snapshot_dir)?
        {
            if parse_log(&name).is_some() {
                return refuse(
                    self.snapshot_dir.join(name),
                    "a log in dataDir, and dataLogDir is another directory",
                );
            }
        }
        Ok(())
    }
}

fn give(load: &mut dyn Load, txn: TxnRecord, zxid: i64, payload: &[u8]) -> Result<()> {
    load.txn(txn, payload)
        .map_err(|what| Error::Refused { zxid, what })
}

fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn Send + Sync>> {
    match disk.lock(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Err(Error::Locked {
            path: dir.to_path_buf(),
            holder: error.to_string(),
        }),
        held => held.at("lock", dir),
    }
}
