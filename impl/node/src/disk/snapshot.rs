//! A snapshot of a tree that goes on changing: a slice under the tree's read lock, then
//! its bytes to the disk without it.

use crate::settings::Settings;
use crate::shared::Shared;
use crate::sync::read;
use std::ops::ControlFlow;
use zk_proto::snapshot::{Piece, SnapshotDigest, put_acl_entry};
use zk_storage::snapshot::{Tail, Written};
use zk_storage::{Compression, Result, SnapshotWriter, Store};
use zk_tree::DIGEST_VERSION;
use zk_tree::snapshot::Cursor;

/// Bytes copied under one hold of the lock; some 50 µs.
const SLICE_BYTES: usize = 128 << 10;

pub struct SnapshotJob {
    cursor: Cursor,
    writer: SnapshotWriter,
    /// What the tree was when its last znode was copied.
    end: Option<SnapshotDigest>,
    /// `end` is the digest of its zxid.
    exact: bool,
}

impl std::fmt::Debug for SnapshotJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotJob")
            .field("zxid", &self.cursor.zxid())
            .field("end", &self.end)
            .finish_non_exhaustive()
    }
}

impl SnapshotJob {
    /// # Errors
    /// The attempt is over; the logs stay (FT-DISK-09).
    // spec: DF-ALG-11
    pub fn begin(shared: &Shared, store: &Store, compression: Compression) -> Result<Self> {
        let cursor = read(&shared.tree).snapshot();
        let mut writer = store.snapshot(cursor.zxid(), compression)?;
        put_head(&cursor, writer.buffer());
        Ok(Self {
            cursor,
            writer,
            end: None,
            exact: false,
        })
    }

    /// One slice, and its bytes to the disk. Returns how many; None when every znode is written.
    ///
    /// # Errors
    /// As `begin`.
    pub fn step(&mut self, shared: &Shared) -> Result<Option<u64>> {
        if self.end.is_some() {
            return Ok(None);
        }
        {
            let tree = read(&shared.tree);
            let out = self.writer.buffer();
            if slice(&mut self.cursor, &tree, out) {
                Piece::End.write(out);
                self.exact = tree.is_exact();
                self.end = Some(SnapshotDigest {
                    zxid: tree.last_zxid(),
                    version: DIGEST_VERSION,
                    tree: tree.digest().cast_signed(),
                });
            }
        }
        self.writer.flush().map(Some)
    }

    /// The newest txn that the snapshot may show. It must be durable in the log before `finish`.
    // spec: DF-ALG-12. What a snapshot shows and no log holds could never be taken back.
    #[must_use]
    pub fn shows(&self) -> i64 {
        self.end.map_or(i64::MAX, |end| end.zxid)
    }

    /// Syncs the file and gives it its name.
    ///
    /// # Errors
    /// As `begin`.
    // spec: DF-REC-21. The digest of a tree that may be ahead of its zxid would make each replayed txn look wrong.
    pub fn finish(self, settings: &Settings) -> Result<Written> {
        let digest = self.end.filter(|_| settings.digest && self.exact);
        // spec: DF-SNAP-05. Without the digest that it expects, Apache would take this part for one.
        let zxid = settings.snapshot_last_zxid && digest.is_some() == settings.digest;
        self.writer.finish(Tail {
            digest,
            last_zxid: self.end.filter(|_| zxid).map(|end| end.zxid),
        })
    }
}

/// Sessions and ACLs, which the cursor copied when it began.
pub(crate) fn put_head(cursor: &Cursor, out: &mut Vec<u8>) {
    Piece::Sessions(count(cursor.sessions().len())).write(out);
    for (id, timeout) in cursor.sessions() {
        Piece::Session {
            id: *id,
            timeout: *timeout,
        }
        .write(out);
    }
    Piece::Acls(count(cursor.acls().len())).write(out);
    for (id, acl) in cursor.acls() {
        put_acl_entry(out, *id, acl);
    }
}

/// Appends znodes until a slice is full; true when there are no more.
pub(crate) fn slice(cursor: &mut Cursor, tree: &zk_tree::Tree, out: &mut Vec<u8>) -> bool {
    let full = out.len() + SLICE_BYTES;
    cursor.slice(tree, |node| {
        node.write(out);
        if out.len() >= full {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
