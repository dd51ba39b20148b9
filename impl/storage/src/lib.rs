//! Apache ZooKeeper's transaction logs, snapshots and epoch files over a small [`disk::Disk`] trait.
//!
//! ```text
//! Store::open ──▶ Store::recover(&mut Load) ──▶ Recovered { log, .. }
//!                   newest snapshot, then records        │
//!                                                        ├─ Log: append many, sync once, roll, prepare the next file
//! Store::snapshot ──▶ SnapshotWriter: pieces, flush, finish
//! Store::truncate, install: what a leader says
//! Purger: drops what no recovery needs       Store::write_epoch
//! ```
//! Nobody else opens these files. A call that returned is durable where its text says so, and nothing before that.
#![warn(missing_docs)]
#![cfg_attr(
    not(test),
    warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)
)]

mod aside;
mod config;
pub mod disk;
mod epoch;
mod error;
mod floor;
mod history;
pub mod log;
mod names;
mod purge;
mod recovery;
mod sessions;
#[allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]
// a test's tool, never part of a server
pub mod sim;
pub mod snapshot;
mod store;
mod truncate;
mod zxid;

pub use config::Config;
pub use epoch::{EpochFile, Epochs, read_my_id};
pub use error::{Damage, Error, Result};
pub use log::{Filler, Log};
pub use names::{Compression, log_name, parse_log, parse_snapshot, snapshot_name};
pub use purge::{Purged, Purger, SNAPSHOTS_KEPT};
pub use recovery::{Load, Recovered};
pub use snapshot::{Pieces, Prepared, SnapshotWriter};
pub use store::Store;
