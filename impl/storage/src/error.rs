//! What can go wrong with files, split by what the caller must do.

use std::io;
use std::path::{Path, PathBuf};

use zk_proto::DecodeError;

/// Why a storage call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Durable state is damaged or incomplete: refuse to start, exit status 3. Nothing on disk was changed.
    // spec: P-DETECT
    #[error(transparent)]
    Damaged(#[from] Box<Damage>),
    /// Another process works on this directory: refuse to start.
    #[error("{path}: in use by {holder}", path = path.display())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// Who has it, as far as the system tells.
        holder: String,
    },
    /// Directories or files are not as the configuration says: refuse to start.
    #[error("{path}: {what}", path = path.display())]
    Unusable {
        /// The file or directory.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A whole record that the configuration is too small for: refuse to start, exit status 3. Nothing is damaged, and
    /// nothing on disk was changed.
    // spec: DF-LOG-08
    #[error(
        "{path}: the record at byte {offset} has {len} bytes, and jute.maxbuffer with jute.maxbuffer.extrasize allows \
         {limit}: set jute.maxbuffer as it was when this log was written; nothing was changed", path = path.display()
    )]
    TooLong {
        /// The log file.
        path: PathBuf,
        /// Where in it, in bytes.
        offset: u64,
        /// Bytes of the record's payload.
        len: usize,
        /// Bytes that are allowed.
        limit: usize,
    },
    /// The log can take no more records and says nothing about those not yet synced: end the process.
    /// A failed sync is never tried again.
    // spec: DF-SYN-06, P-DIE, FT-DISK-05, FT-DISK-06
    #[error("the transaction log failed and this process must end: cannot {action} {path}: {source}", path = path.display())]
    LogFailed {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file operation outside the log failed. What it was part of did not happen.
    #[error("cannot {action} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A snapshot file or stream is not a snapshot: try an older one, or drop the link.
    #[error("snapshot: at byte {offset}: {what}")]
    BadSnapshot {
        /// Bytes of the uncompressed stream before the damage.
        offset: u64,
        /// What is wrong.
        what: String,
    },
    /// Records that were asked for are not in the log.
    #[error("the log does not hold what follows zxid {after:#x}: found {found:#x}")]
    Gap {
        /// The last zxid before the hole.
        after: i64,
        /// What came instead of its successor.
        found: i64,
    },
    /// The receiver of recovered state refused it.
    #[error("zxid {zxid:#x} was refused: {what}")]
    Refused {
        /// Where.
        zxid: i64,
        /// The receiver's reason.
        what: String,
    },
}

/// What a refused start says, in one line.
// spec: P-DETECT
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{file}: damaged at byte {offset}: expected {expected}, found {found}; last good zxid {last_good}; \
     nothing was changed; to move the database aside and fetch it from the ensemble: {repair}",
    file = file.display(), last_good = Zxid(*last_good)
)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
    /// Highest zxid before the damage, if any was read.
    pub last_good: Option<i64>,
    /// The command that repairs.
    pub repair: String,
}

struct Zxid(Option<i64>);

impl std::fmt::Display for Zxid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(zxid) => write!(f, "{zxid:#x}"),
            None => f.write_str("none"),
        }
    }
}

/// Results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Says what was tried on which file.
pub(crate) trait Context<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T>;
    fn in_log(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::Io {
            action,
            path: path.to_path_buf(),
            source,
        })
    }

    fn in_log(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| Error::LogFailed {
            action,
            path: path.to_path_buf(),
            source,
        })
    }
}

/// A decoder's complaint at a byte of a snapshot stream.
pub(crate) fn bad_snapshot(offset: u64, error: DecodeError) -> Error {
    let mut what = error.to_string();
    // spec: DF-LOG-08. Written under another limit, it is not damaged.
    if let DecodeError::Length { len: 1.., .. } = error {
        what.push_str(" (jute.maxbuffer with jute.maxbuffer.extrasize)");
    }
    Error::BadSnapshot { offset, what }
}
