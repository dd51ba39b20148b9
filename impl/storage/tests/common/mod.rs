//! A small server over the storage: a tree as a map, transactions as the wire has them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used)] // each test file uses its part

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use zk_proto::snapshot::{Node, Piece, SnapshotDigest};
use zk_proto::txn::CreateKind;
use zk_proto::{Acl, CreateTxn, StatPersisted, Txn, TxnHeader, TxnRecord};
use zk_storage::disk::Disk;
use zk_storage::sim::SimDisk;
use zk_storage::{Compression, Config, Error, Load, Log, Pieces, Purger, Recovered, Store};

/// Data and zxid by path.
pub type Nodes = BTreeMap<String, (Option<Vec<u8>>, i64)>;

/// What a tree would hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub last: i64,
    pub nodes: Nodes,
    pub sessions: BTreeMap<i64, i32>,
    pub acls: BTreeMap<i64, usize>,
    pub digest: Option<SnapshotDigest>,
    pub replayed: Vec<i64>,
}

impl Model {
    /// What every new database holds.
    pub fn empty() -> Self {
        let nodes = ["", "/zookeeper", "/zookeeper/quota"]
            .map(|path| (path.to_owned(), (Some(Vec::new()), 0)));
        Self {
            nodes: nodes.into(),
            ..Self::default()
        }
    }

    pub fn apply(&mut self, zxid: i64, session: i64, txn: &Txn) {
        match txn {
            Txn::CreateSession { timeout } => {
                self.sessions.insert(session, *timeout);
            }
            Txn::CloseSession { .. } => {
                self.sessions.remove(&session);
            }
            Txn::Create(create) => {
                self.nodes.insert(
                    create.path.clone(),
                    (create.data.as_ref().map(|data| data.to_vec()), zxid),
                );
            }
            Txn::SetData { path, data, .. } => {
                self.nodes.insert(
                    path.clone(),
                    (data.as_ref().map(|data| data.to_vec()), zxid),
                );
            }
            Txn::Delete { path } | Txn::DeleteContainer { path } => {
                self.nodes.remove(path);
            }
            Txn::Multi(parts) => {
                if !parts.iter().any(|part| matches!(part, Txn::Error { .. })) {
                    parts
                        .iter()
                        .for_each(|part| self.apply(zxid, session, part));
                }
            }
            Txn::Error { .. } | Txn::Reconfig { .. } | Txn::SetAcl { .. } | Txn::Check { .. } => {}
        }
        self.last = zxid;
    }

    /// Everything but how it was read.
    pub fn state(&self) -> (i64, &Nodes, &BTreeMap<i64, i32>) {
        (self.last, &self.nodes, &self.sessions)
    }
}

impl Pieces for Model {
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), String> {
        match piece {
            Piece::Session { id, timeout } => {
                self.sessions.insert(id, timeout);
            }
            Piece::Acl { id, acl } => {
                self.acls.insert(id, acl.len());
            }
            Piece::Node(node) => {
                let value = (node.data.map(<[u8]>::to_vec), node.stat.mzxid);
                if self.nodes.insert(node.path.to_string(), value).is_some()
                    && !node.path.starts_with("/zookeeper")
                    && !node.path.is_empty()
                {
                    return Err(format!("{} is there already", node.path));
                }
            }
            Piece::Sessions(_) | Piece::Acls(_) | Piece::End => {}
        }
        Ok(())
    }

    fn digest(&mut self, digest: SnapshotDigest) {
        self.digest = Some(digest);
    }
}

impl Load for Model {
    fn begin(&mut self, zxid: i64) {
        *self = Model {
            last: zxid,
            ..Model::empty()
        };
    }

    fn txn(&mut self, record: TxnRecord, payload: &[u8]) -> Result<(), String> {
        let mut again = Vec::new();
        record.encode(&mut again);
        if again != payload {
            return Err("not the bytes that were logged".into());
        }
        self.apply(record.header.zxid, record.header.session_id, &record.txn);
        self.replayed.push(record.header.zxid);
        Ok(())
    }
}

pub const SESSION: i64 = 0x1_0000_0001;

pub fn create(path: &str, data: &[u8]) -> Txn {
    Txn::Create(CreateTxn {
        path: path.into(),
        data: Some(data.to_vec().into()),
        acl: vec![Acl::open()],
        kind: CreateKind::Create { ephemeral: false },
        parent_cversion: 1,
    })
}

pub fn payload(zxid: i64, txn: &Txn) -> Vec<u8> {
    let header = TxnHeader {
        session_id: SESSION,
        cxid: zxid as i32,
        zxid,
        time: 1_700_000_000_000 + zxid,
    };
    let mut bytes = Vec::new();
    TxnRecord {
        header,
        txn: txn.clone(),
        digest: None,
    }
    .encode(&mut bytes);
    bytes
}

pub fn config() -> Config {
    Config {
        segment_bytes: 32 * 1024,
        ..Config::new("/data")
    }
}

pub fn logs_dir() -> PathBuf {
    PathBuf::from("/data/version-2")
}

pub fn open(disk: &SimDisk, config: Config) -> Result<Store, Error> {
    Store::open(Arc::new(disk.clone()), config)
}

/// Storage, log and the tree that they hold.
pub struct Server {
    pub store: Store,
    pub log: Option<Log>,
    pub model: Model,
    pub purger: Purger,
}

pub fn start_with(disk: Arc<dyn Disk>, config: Config) -> Result<(Server, Recovered0), Error> {
    let store = Store::open(disk, config)?;
    let mut model = Model::default();
    let recovered = store.recover(&mut model)?;
    let Recovered {
        last_zxid,
        snapshot_zxid,
        epochs,
        trusted,
        records,
        warnings,
        tail,
        log,
    } = recovered;
    let facts = Recovered0 {
        last_zxid,
        snapshot_zxid,
        epochs,
        trusted,
        records,
        warnings,
        tail,
    };
    Ok((
        Server {
            store,
            log: Some(log),
            model,
            purger: Purger::default(),
        },
        facts,
    ))
}

/// What recovery said, without the log.
#[derive(Debug)]
pub struct Recovered0 {
    pub last_zxid: Option<i64>,
    pub snapshot_zxid: Option<i64>,
    pub epochs: Option<zk_storage::Epochs>,
    pub trusted: bool,
    pub records: u64,
    pub warnings: Vec<String>,
    pub tail: zk_storage::snapshot::Tail,
}

pub fn start(disk: &SimDisk) -> Result<Server, Error> {
    Ok(start_with(Arc::new(disk.clone()), config())?.0)
}

impl Server {
    pub fn log(&mut self) -> &mut Log {
        self.log.as_mut().unwrap()
    }

    /// Makes the next log file, if it is time for it.
    pub fn prepare_next_file(&mut self) {
        if let Some(mut filler) = self.log().take_filler().unwrap() {
            while !filler.step().unwrap() {}
            self.log().return_filler(filler);
        }
    }

    pub fn append(&mut self, zxid: i64, txn: &Txn) -> Result<(), Error> {
        self.log().append(zxid, &payload(zxid, txn))?;
        self.model.apply(zxid, SESSION, txn);
        Ok(())
    }

    /// Appends and syncs creates of `/n<zxid>` for each zxid.
    pub fn fill(&mut self, zxids: impl IntoIterator<Item = i64>) -> Result<i64, Error> {
        for zxid in zxids {
            self.append(zxid, &create(&format!("/n{zxid:x}"), &[b'd'; 100]))?;
        }
        self.log().sync()
    }

    pub fn snapshot(&mut self) -> Result<zk_storage::snapshot::Written, Error> {
        self.snapshot_as(Compression::None)
    }

    /// Rolls the log and writes the whole tree, in slices of ten znodes.
    pub fn snapshot_as(
        &mut self,
        compression: Compression,
    ) -> Result<zk_storage::snapshot::Written, Error> {
        self.log().roll()?;
        let model = self.model.clone();
        write_model(self.store.snapshot(model.last, compression)?, &model)
    }

    pub fn purge(&mut self) -> Result<zk_storage::Purged, Error> {
        self.purger.purge(&self.store, 3, None)
    }
}

pub fn put_model(writer: &mut zk_storage::SnapshotWriter, model: &Model) -> Result<(), Error> {
    writer.put(&Piece::Sessions(model.sessions.len() as u32));
    for (id, timeout) in &model.sessions {
        writer.put(&Piece::Session {
            id: *id,
            timeout: *timeout,
        });
    }
    writer.put(&Piece::Acls(1));
    writer.put(&Piece::Acl {
        id: 1,
        acl: vec![Acl::new(zk_proto::Perms::READ, "world", "anyone")],
    });
    for (index, (path, (data, mzxid))) in model.nodes.iter().enumerate() {
        let stat = StatPersisted {
            mzxid: *mzxid,
            ..StatPersisted::default()
        };
        writer.put(&Piece::Node(Node {
            path: path.as_str().into(),
            data: data.as_deref(),
            acl: -1,
            stat,
        }));
        if index % 10 == 9 {
            writer.flush()?;
        }
    }
    writer.put(&Piece::End);
    Ok(())
}

pub fn write_model(
    mut writer: zk_storage::SnapshotWriter,
    model: &Model,
) -> Result<zk_storage::snapshot::Written, Error> {
    put_model(&mut writer, model)?;
    let digest = SnapshotDigest {
        zxid: model.last,
        version: 2,
        tree: 7,
    };
    writer.finish(zk_storage::snapshot::Tail {
        digest: Some(digest),
        last_zxid: None,
    })
}

pub fn file(name: &str) -> PathBuf {
    Path::new("/data/version-2").join(name)
}

/// Changes a file's bytes in place.
pub fn edit(disk: &SimDisk, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = disk.read_file(&file(name)).unwrap();
    change(&mut bytes);
    disk.put_file(&file(name), &bytes);
}

/// Starts and expects a refusal that names `name`, with nothing changed.
pub fn refused(disk: &SimDisk, config: Config, name: &str) -> zk_storage::Damage {
    disk.kill_process();
    let before = disk.contents();
    let store = open(disk, config).unwrap();
    let error = store
        .recover(&mut Model::default())
        .expect_err("must be refused");
    let Error::Damaged(damage) = error else {
        panic!("not a refusal for damage: {error}")
    };
    assert!(damage.file.ends_with(name), "{damage}");
    assert_eq!(before, disk.contents(), "a refusal changes nothing");
    *damage
}

/// Starts again after the process ended, whatever is on disk.
pub fn restart(disk: &SimDisk) -> (Server, Recovered0) {
    restart_with(disk, config())
}

pub fn restart_with(disk: &SimDisk, config: Config) -> (Server, Recovered0) {
    disk.kill_process();
    start_with(Arc::new(disk.clone()), config).unwrap()
}

pub fn zxids(epoch: i64, counters: std::ops::RangeInclusive<i64>) -> impl Iterator<Item = i64> {
    counters.map(move |counter| epoch << 32 | counter)
}
