//! From the files to a tree and to what the protocol core must know of the disk.

use bytes::Bytes;
use std::collections::VecDeque;
use zab::{Durable, Epoch, Proposal, Zxid};
use zk_proto::TxnRecord;
use zk_proto::snapshot::Piece;
use zk_storage::{Load, Log, Pieces, Result, Store};
use zk_tree::Tree;
use zk_tree::snapshot::Loader;

/// What a crash may leave uncommitted must be among the txns that the core gets, however many they are.
const MIN_TAIL_BYTES: usize = 32 << 20;

/// A directory's state.
#[derive(Debug)]
pub struct Restored {
    /// With the log applied to its end: nothing is served before the core says so, and what turns out
    /// not to be history makes the core truncate, after which the tree is restored again.
    pub tree: Tree,
    pub durable: Durable<Bytes>,
    pub log: Log,
    pub replayed: Replayed,
    /// One line each, for the operator.
    pub warnings: Vec<String>,
}

/// The log behind the snapshot that a start began with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    pub txns: u32,
    /// Of the records.
    pub bytes: u64,
}

/// Reads the directory. At least `window` txns at the end of the log are kept for learners.
///
/// # Errors
/// See `Store::recover`: damage refuses the start.
pub fn restore(store: &Store, settings: &zk_tree::Settings, window: usize) -> Result<Restored> {
    let mut load = TreeLoad::new(settings.clone(), window);
    let recovered = store.recover(&mut load)?;
    let trusted = recovered.trusted && recovered.last_zxid.is_some();
    let mut warnings = recovered.warnings;
    if load.mismatches > 0 {
        warnings.push(format!(
            "{} replayed txns left another digest than they carry",
            load.mismatches
        ));
    }
    let base = load.base.unwrap_or(load.zxid);
    let (accepted, current) = recovered
        .epochs
        .map_or((0, 0), |epochs| (epochs.accepted, epochs.current));
    let durable = Durable {
        accepted: Epoch(accepted),
        current: Epoch(current),
        trusted,
        floor: Zxid(store.floor()?),
        base: Zxid(base),
        log: std::mem::take(&mut load.log).into(),
    };
    let replayed = load.replayed;
    Ok(Restored {
        replayed,
        tree: load.finish(),
        durable,
        log: recovered.log,
        warnings,
    })
}

/// Builds the tree as recovery reads it.
struct TreeLoad {
    settings: zk_tree::Settings,
    state: State,
    zxid: i64,
    window: usize,
    log: VecDeque<Proposal<Bytes>>,
    log_bytes: usize,
    replayed: Replayed,
    /// The zxid before the first of `log`.
    base: Option<i64>,
    mismatches: u64,
    /// Digests are compared from here on. None while the state may show more than its zxid says.
    compare_from: Option<i64>,
}

enum State {
    Empty,
    Loading(Box<Loader>),
    Loaded(Box<Tree>),
}

impl TreeLoad {
    fn new(settings: zk_tree::Settings, window: usize) -> Self {
        Self {
            settings,
            state: State::Empty,
            zxid: 0,
            window,
            log: VecDeque::new(),
            log_bytes: 0,
            replayed: Replayed::default(),
            base: None,
            mismatches: 0,
            compare_from: None,
        }
    }

    fn finish(self) -> Tree {
        match self.state {
            State::Loaded(mut tree) => {
                if self
                    .compare_from
                    .is_some_and(|from| from <= tree.last_zxid())
                {
                    tree.confirm();
                }
                *tree
            }
            State::Empty | State::Loading(_) => Tree::new(self.settings),
        }
    }

    fn tree(&mut self) -> std::result::Result<&mut Tree, String> {
        if let State::Empty = self.state {
            // No snapshot at all: the state is empty, and shows just that. A snapshot of zxid 0 that came as a
            // leader's stream is not that: it may show txns.
            self.state = State::Loaded(Box::new(Tree::new(self.settings.clone())));
            self.compare_from = Some(0);
        }
        match &mut self.state {
            State::Loaded(tree) => Ok(tree),
            State::Empty | State::Loading(_) => Err("a txn came within a snapshot".into()),
        }
    }
}

impl Pieces for TreeLoad {
    fn piece(&mut self, piece: Piece<'_>) -> std::result::Result<(), String> {
        if let State::Empty = self.state {
            self.state = State::Loading(Box::new(Loader::new(self.settings.clone())));
        }
        let State::Loading(loader) = &mut self.state else {
            return Err("a piece came after the end".into());
        };
        loader.piece(&piece).map_err(|error| error.to_string())?;
        if piece == Piece::End
            && let State::Loading(loader) = std::mem::replace(&mut self.state, State::Empty)
        {
            let tree = loader
                .finish(self.zxid)
                .map_err(|error| error.to_string())?;
            self.state = State::Loaded(Box::new(tree));
        }
        Ok(())
    }

    fn digest(&mut self, digest: zk_proto::snapshot::SnapshotDigest) {
        self.compare_from = Some(digest.zxid);
    }
}

impl Load for TreeLoad {
    // spec: DF-REC-01
    fn begin(&mut self, zxid: i64) {
        *self = Self::new(self.settings.clone(), self.window);
        self.zxid = zxid;
    }

    // spec: DF-REC-07, DF-REC-09, DF-REC-21
    fn txn(&mut self, record: TxnRecord, payload: &[u8]) -> std::result::Result<(), String> {
        let zxid = record.header.zxid;
        let compare_from = self.compare_from;
        let tree = self.tree()?;
        tree.apply(&record.header, &record.txn, &mut Vec::new())
            .ok();
        // spec: DF-DIG-01. A leader's stream comes without a digest and may hold txns beyond its zxid;
        // once a txn leaves the digest that it carries, all later ones must.
        if let Some(digest) = record.digest {
            let same = Some(digest) == tree.txn_digest();
            if same {
                self.compare_from.get_or_insert(zxid);
            }
            self.mismatches += u64::from(!same && compare_from.is_some_and(|from| zxid >= from));
        }
        self.base.get_or_insert(self.zxid);
        self.replayed.txns = self.replayed.txns.saturating_add(1);
        self.replayed.bytes += payload.len() as u64;
        self.log_bytes += payload.len();
        self.log.push_back(Proposal {
            zxid: Zxid(zxid),
            txn: Bytes::copy_from_slice(payload),
        });
        while self.log.len() > self.window && self.log_bytes > MIN_TAIL_BYTES {
            let Some(dropped) = self.log.pop_front() else {
                break;
            };
            self.log_bytes -= dropped.txn.len();
            self.base = Some(dropped.zxid.0);
        }
        Ok(())
    }
}
