//! From files to state: the newest snapshot that loads, then every record after it, gapless, or a refusal
//! that names the place and changes nothing.
// spec: disk-format.md 5, P-DETECT

mod epochs;
mod repairs;
mod replay;
mod snapshots;

use zk_proto::TxnRecord;

use crate::epoch::Epochs;
use crate::log::Log;
use crate::snapshot::{Pieces, Tail};

pub(crate) use epochs::EpochPlan;
pub(crate) use repairs::Repairs;
pub(crate) use replay::{LogFile, replay};
pub(crate) use snapshots::SnapshotFile;

/// Receives what recovery reads: a snapshot, then transactions in order.
pub trait Load: Pieces {
    /// A snapshot begins, or an empty tree at zxid 0: forget everything that came before.
    // spec: DF-REC-01. An attempt that failed half-way must leave nothing behind.
    fn begin(&mut self, zxid: i64);

    /// A transaction after the snapshot, in zxid order, each once. `payload` is its bytes as logged.
    /// An error stops the recovery.
    fn txn(&mut self, record: TxnRecord, payload: &[u8]) -> std::result::Result<(), String>;
}

/// What was found, with the log to go on writing.
#[derive(Debug)]
pub struct Recovered {
    /// Last zxid of the state; `None` for an empty directory that may have lost what it had: such a server must
    /// not vote before it was synchronised, or before every other voter was seen to be as empty.
    // spec: DF-REC-05
    pub last_zxid: Option<i64>,
    /// Zxid in the name of the snapshot that was loaded.
    pub snapshot_zxid: Option<i64>,
    /// What stood behind its znodes.
    pub tail: Tail,
    /// The epoch files; `None` for a single server, which keeps none.
    // spec: DF-EPO-06
    pub epochs: Option<Epochs>,
    /// False if the epoch files were made anew with the operator's word: no vote before a synchronisation.
    pub trusted: bool,
    /// Records replayed.
    pub records: u64,
    /// What an operator should know, one line each: unreadable snapshots, tails that were cut.
    pub warnings: Vec<String>,
    /// The end of the log.
    pub log: Log,
}
