//! The tree as a stream between a leader and a learner (QP-SYN-06): copied in slices
//! while the leader goes on, checked and written to a file as it arrives.

use super::snapshot::{put_head, slice};
use crate::shared::Shared;
use crate::sync::read;
use zk_proto::DecodeError;
use zk_proto::quorum::{put_snap_end, read_snap_end};
use zk_proto::snapshot::{Decoder, Piece};
use zk_storage::snapshot::{Prepared, Tail};
use zk_storage::{Compression, Error, Result, SnapshotWriter, Store};
use zk_tree::snapshot::Cursor;

/// A leader's end. Holds one slice at a time, never the whole image.
pub struct Outgoing {
    cursor: Cursor,
    begun: bool,
}

impl Outgoing {
    /// Begins at the tree of this moment.
    #[must_use]
    pub fn begin(shared: &Shared) -> Self {
        Self {
            cursor: read(&shared.tree).snapshot(),
            begun: false,
        }
    }

    /// Appends the next slice; true once the stream is complete, end mark included.
    pub fn next(&mut self, shared: &Shared, out: &mut Vec<u8>) -> bool {
        if !std::mem::replace(&mut self.begun, true) {
            put_head(&self.cursor, out);
        }
        let last = slice(&mut self.cursor, &read(&shared.tree), out);
        if last {
            Piece::End.write(out);
            put_snap_end(out);
        }
        last
    }
}

/// A learner's end. The file gets its name only when the core asks to install it.
pub struct Incoming {
    writer: SnapshotWriter,
    decoder: Decoder,
    /// The beginning of a piece whose end has not come yet.
    kept: Vec<u8>,
    offset: u64,
    ended: bool,
}

impl Incoming {
    /// `zxid` is what the SNAP packet names.
    ///
    /// # Errors
    /// The disk's.
    pub fn begin(store: &Store, zxid: i64, compression: Compression) -> Result<Self> {
        Ok(Self {
            writer: store.snapshot(zxid, compression)?,
            decoder: Decoder::new(store.config().limit_bytes),
            kept: Vec::new(),
            offset: 0,
            ended: false,
        })
    }

    /// Takes bytes of the link. Some(n): the stream ended within them, `n` bytes from their start; packets follow.
    ///
    /// # Errors
    /// The disk's, or `BadSnapshot`: then the link is to be closed, and what was here stays as it is.
    // spec: QP-SYN-11, FT-QRM-11. Memory holds one piece, whatever the sender announces.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Option<usize>> {
        let before = self.kept.len();
        self.kept.extend_from_slice(bytes);
        let mut used = 0;
        while !self.decoder.is_done() {
            let rest = self.kept.get(used..).unwrap_or_default();
            let next = self
                .decoder
                .next(rest)
                .map_err(|error| self.bad(used, &error))?;
            let Some((piece, len)) = next else { break };
            piece.write(self.writer.buffer());
            used += len;
        }
        if self.decoder.is_done() {
            let rest = self.kept.get(used..).unwrap_or_default();
            if let Some(len) = read_snap_end(rest).map_err(|error| self.bad(used, &error))? {
                used += len;
                self.ended = true;
            }
        }
        self.writer.flush()?;
        self.kept.drain(..used);
        self.offset = self.offset.saturating_add(used as u64);
        Ok(self.ended.then(|| used.saturating_sub(before)))
    }

    /// Makes the file durable, under its temporary name.
    ///
    /// # Errors
    /// As `receive`.
    pub fn finish(self) -> Result<Prepared> {
        self.writer.prepare(Tail::default())
    }

    fn bad(&self, used: usize, error: &DecodeError) -> Error {
        Error::BadSnapshot {
            offset: self.offset.saturating_add(used as u64),
            what: error.to_string(),
        }
    }
}

impl std::fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Outgoing({:#x})", self.cursor.zxid())
    }
}

impl std::fmt::Debug for Incoming {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Incoming({} bytes)", self.offset)
    }
}
