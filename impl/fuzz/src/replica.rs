//! A server's state out of a directory: storage recovers, a tree takes what it finds.

use std::path::PathBuf;
use std::sync::Arc;

use zk_proto::TxnRecord;
use zk_proto::snapshot::{Piece, SnapshotDigest};
use zk_storage::sim::SimDisk;
use zk_storage::{Config, Load, Pieces, Recovered, Store};
use zk_tree::snapshot::Loader;
use zk_tree::{Settings, Tree};

/// The tree, and how its digests compare with those in the files.
#[derive(Debug)]
pub struct Replica {
    zxid: i64,
    loader: Option<Loader>,
    tree: Option<Tree>,
    /// Digests of the files that the tree had, too.
    pub agreed: usize,
    /// The zxid of each digest that it had not.
    pub disagreed: Vec<i64>,
}

fn settings() -> Settings {
    Settings {
        extended_types: true,
        ..Settings::default()
    }
}

impl Default for Replica {
    fn default() -> Self {
        Self {
            zxid: 0,
            loader: Some(Loader::new(settings())),
            tree: None,
            agreed: 0,
            disagreed: Vec::new(),
        }
    }
}

impl Replica {
    /// The tree: the snapshot's until now, if no transaction came yet; a new one if no snapshot came either.
    pub fn tree(&mut self) -> Result<&mut Tree, String> {
        if let Some(loader) = self.loader.take() {
            let tree = loader.finish(self.zxid).or_else(|error| match self.zxid {
                0 => Ok(Tree::new(settings())),
                _ => Err(error.to_string()),
            })?;
            self.tree = Some(tree);
        }
        self.tree
            .as_mut()
            .ok_or_else(|| "no snapshot was begun".into())
    }
}

impl Pieces for Replica {
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), String> {
        let loader = self.loader.as_mut().ok_or("a piece behind the end")?;
        loader.piece(&piece).map_err(|error| error.to_string())
    }

    // spec: DF-SNAP-06. Zero is the digest of a server that has processed nothing since it started.
    fn digest(&mut self, digest: SnapshotDigest) {
        if digest.zxid == 0 {
            return;
        }
        match self.tree() {
            Ok(tree) if tree.digest() == digest.tree.cast_unsigned() => self.agreed += 1,
            Ok(_) | Err(_) => self.disagreed.push(digest.zxid),
        }
    }
}

impl Load for Replica {
    fn begin(&mut self, zxid: i64) {
        *self = Self {
            zxid,
            ..Self::default()
        };
    }

    // spec: DF-REC-07, DF-REC-21, QP-TXN-10
    fn txn(&mut self, record: TxnRecord, _payload: &[u8]) -> Result<(), String> {
        let tree = self.tree()?;
        tree.apply(&record.header, &record.txn, &mut Vec::new())
            .ok();
        let Some(digest) = record.digest else {
            return Ok(());
        };
        if tree.digest() == digest.tree.cast_unsigned() {
            self.agreed += 1;
        } else {
            self.disagreed.push(record.header.zxid);
        }
        Ok(())
    }
}

/// Recovers a standalone server's directory that holds these files (name, bytes) and nothing else.
pub fn recover(files: &[(String, Vec<u8>)]) -> zk_storage::Result<(Recovered, Replica)> {
    let config = Config {
        segment_bytes: 4096,
        ..Config::new(PathBuf::from("/data"))
    };
    let disk = SimDisk::new();
    for (name, bytes) in files {
        disk.put_file(&config.snapshot_dir().join(name), bytes);
    }
    let store = Store::open(Arc::new(disk), config)?;
    let mut replica = Replica::default();
    let recovered = store.recover(&mut replica)?;
    Ok((recovered, replica))
}
