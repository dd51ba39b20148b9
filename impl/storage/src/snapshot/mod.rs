//! Snapshot files: the tree's pieces between a header and seals, written beside and renamed into place.
//!
//! ```text
//! "ZKSN" 2 -1 | sessions, ACLs, znodes, "/" | seal A | digest, seal B | last zxid, seal C
//! ```
//! The body alone, without header and seals, is what a leader streams to a learner:
//! [`zk_proto::snapshot::Decoder`] reads it from any source.

mod codec;
mod reader;
mod writer;

pub use reader::{Tail, load, verify};
pub use writer::{Prepared, SnapshotWriter, Written};

pub(crate) use reader::looks_whole;

use zk_proto::snapshot::{Piece, SnapshotDigest};

/// Receives a snapshot's pieces in order.
pub trait Pieces {
    /// Takes a piece; an error makes the snapshot a bad one (a znode without its parent, a path that is there already).
    fn piece(&mut self, piece: Piece<'_>) -> std::result::Result<(), String>;

    /// Takes the tree's digest at the end of the snapshot, if the file has it.
    fn digest(&mut self, _digest: SnapshotDigest) {}
}
