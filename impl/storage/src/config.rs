//! Where the files are and how to treat them.

use std::path::PathBuf;

use zk_proto::jute::DEFAULT_LIMIT;

/// Names follow zoo.cfg's keys.
#[derive(Clone, Debug)]
pub struct Config {
    /// `dataDir`: holds `myid` and `version-2` with snapshots and epoch files.
    pub data_dir: PathBuf,
    /// `dataLogDir`, if it is another one: holds `version-2` with the logs.
    pub data_log_dir: Option<PathBuf>,
    /// `zookeeper.datadir.autocreate`: make missing directories.
    pub create_dirs: bool,
    /// Bytes of a log file that are written as zeros ahead (`preAllocSize`).
    pub segment_bytes: u64,
    /// Greatest payload, string and buffer that is written and accepted, in bytes.
    pub limit_bytes: usize,
    /// A single server: an empty directory is a new database, and no epoch files are kept.
    pub standalone: bool,
    /// `db.autocreate=true` stands in the configuration: an empty directory is a new database.
    pub create_database: bool,
    /// `snapshot.trust.empty`: logs without any snapshot start from an empty tree.
    pub trust_empty: bool,
    /// The operator takes a bad checksum at the end of a log that carries no durable mark for a torn write.
    pub accept_bad_tail: bool,
    /// The operator confirms that epoch files may be made anew from the log's last zxid.
    pub accept_missing_epochs: bool,
    /// What to tell an operator whose directory is damaged.
    pub repair_command: String,
}

impl Config {
    /// Apache's defaults for one directory.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            data_log_dir: None,
            create_dirs: true,
            segment_bytes: 64 << 20,
            limit_bytes: DEFAULT_LIMIT,
            standalone: true,
            create_database: false,
            trust_empty: false,
            accept_bad_tail: false,
            accept_missing_epochs: false,
            repair_command: "vivarium repair zoo.cfg".into(),
        }
    }

    /// Directory of snapshots and epoch files.
    pub fn snapshot_dir(&self) -> PathBuf {
        self.data_dir.join("version-2")
    }

    /// Directory of logs.
    pub fn log_dir(&self) -> PathBuf {
        self.data_log_dir
            .as_ref()
            .unwrap_or(&self.data_dir)
            .join("version-2")
    }

    /// The one-shot mark of a first start.
    // spec: DF-REC-05. Beside the log's version-2, not in dataDir, when the two differ.
    pub(crate) fn initialize_file(&self) -> PathBuf {
        self.data_log_dir
            .as_ref()
            .unwrap_or(&self.data_dir)
            .join("initialize")
    }
}
