//! Logs and snapshots that Apache ZooKeeper wrote: replayed, each txn must give the digest that stands beside it, and the
//! request behind each txn, checked again here, must become the same txn. `conformance/bytes/README.md` says how the
//! files were made.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::{fs, io};

use zk_proto::log::{FileHeader, RecordHead};
use zk_proto::request::{self, SetData, Versioned};
use zk_proto::snapshot::{Decoder, Piece, Seal, SnapshotDigest};
use zk_proto::{
    Acl, CreateKind, CreateMode, CreateTxn, Id, MultiOp, Reader, Request, StatPersisted, Txn,
    TxnHeader, TxnRecord,
};
use zk_tree::snapshot::Loader;
use zk_tree::{Ask, Prep, Schemes, Settings, Tree};

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/bytes")
}

/// Files of a directory by the zxid in their names, which must be `prefix.hex`.
fn files(directory: &Path, prefix: &str) -> io::Result<BTreeMap<i64, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if let Some((found, zxid)) = name.split_once('.')
            && found == prefix
            && let Ok(zxid) = i64::from_str_radix(zxid, 16)
        {
            files.insert(zxid, fs::read(&path)?);
        }
    }
    Ok(files)
}

/// The records of a log.
fn records(log: &[u8]) -> Vec<TxnRecord> {
    let mut rest = &log[FileHeader::LEN..];
    let mut records = Vec::new();
    loop {
        let head = RecordHead::read(&mut Reader::new(rest)).unwrap();
        if head.len == 0 {
            return records;
        }
        let end = RecordHead::LEN + head.len as usize;
        records.push(TxnRecord::decode(&rest[RecordHead::LEN..end]).unwrap());
        rest = &rest[end + 1..];
    }
}

/// A snapshot's tree, and the digest that stands behind it.
fn load(snapshot: &[u8], zxid: i64, settings: &Settings) -> (Tree, Option<SnapshotDigest>) {
    let mut rest = &snapshot[FileHeader::LEN..];
    let mut decoder = Decoder::new(1 << 20);
    let mut loader = Loader::new(settings.clone());
    while let Some((piece, used)) = decoder.next(rest).unwrap() {
        loader.piece(&piece).unwrap();
        rest = &rest[used..];
        if piece == Piece::End {
            break;
        }
    }
    let reader = &mut Reader::new(&rest[Seal::LEN..]);
    // spec: DF-SNAP-04. What remains tells what it is.
    let has_digest = matches!(reader.remaining(), 33 | 54);
    let digest = has_digest.then(|| SnapshotDigest::read(reader).unwrap());
    (loader.finish(zxid).unwrap(), digest)
}

type Dump = BTreeMap<String, (Option<Vec<u8>>, Vec<Acl>, StatPersisted)>;

/// Every znode but the configuration, which servers write by their own clocks.
fn dump(tree: &Tree) -> Dump {
    let mut cursor = tree.snapshot();
    let acls: BTreeMap<i64, Vec<Acl>> = cursor
        .acls()
        .iter()
        .map(|(id, list)| (*id, list.to_vec()))
        .collect();
    let mut all = Dump::new();
    cursor.slice(tree, |node| {
        let acl = acls
            .get(&node.acl)
            .cloned()
            .unwrap_or_else(|| vec![Acl::open()]);
        all.insert(
            node.path.to_string(),
            (node.data.map(<[u8]>::to_vec), acl, node.stat),
        );
        ControlFlow::Continue(())
    });
    all.remove("/zookeeper/config");
    all
}

fn create(txn: &CreateTxn) -> (request::Create<'_>, i64) {
    let (mode, ttl_ms) = match txn.kind {
        CreateKind::Create { ephemeral: true } | CreateKind::Create2 { ephemeral: true } => {
            (CreateMode::Ephemeral, -1)
        }
        CreateKind::Create { ephemeral: false } | CreateKind::Create2 { ephemeral: false } => {
            (CreateMode::Persistent, -1)
        }
        CreateKind::Container => (CreateMode::Container, -1),
        CreateKind::Ttl { ttl_ms } => (CreateMode::PersistentWithTtl, ttl_ms),
    };
    let create = request::Create {
        path: txn.path.as_str().into(),
        data: txn.data.as_deref(),
        acl: Some(txn.acl.iter().collect()),
        flags: mode.flags(),
    };
    (create, ttl_ms)
}

/// An op of which `txn` may have come.
fn op(txn: &Txn) -> Option<MultiOp<'_>> {
    Some(match txn {
        Txn::Create(txn) => {
            let (body, ttl_ms) = create(txn);
            match txn.kind {
                CreateKind::Create { .. } => MultiOp::Create(body),
                CreateKind::Create2 { .. } => MultiOp::Create2(body),
                CreateKind::Container => MultiOp::CreateContainer(body),
                CreateKind::Ttl { .. } => MultiOp::CreateTtl(body, ttl_ms),
            }
        }
        Txn::Delete { path } => MultiOp::Delete(Versioned {
            path: path.as_str().into(),
            version: -1,
        }),
        Txn::SetData {
            path,
            data,
            version,
        } => MultiOp::SetData(SetData {
            path: path.as_str().into(),
            data: data.as_deref(),
            version: version - 1,
        }),
        Txn::Check { path, version } => MultiOp::Check(Versioned {
            path: path.as_str().into(),
            version: version - 1,
        }),
        _ => return None,
    })
}

/// A request of which `txn` may have come; `None` for errors, which do not say.
fn request(txn: &Txn) -> Option<Request<'_>> {
    Some(match txn {
        Txn::CreateSession { timeout } => Request::CreateSession { timeout: *timeout },
        Txn::CloseSession { .. } => Request::CloseSession,
        Txn::DeleteContainer { path } => Request::DeleteContainer {
            path: path.as_str().into(),
        },
        Txn::SetAcl { path, acl, version } => Request::SetAcl {
            path: path.as_str().into(),
            acl: Some(acl.iter().collect()),
            version: version - 1,
        },
        Txn::Multi(parts) => Request::Multi(parts.iter().map(op).collect::<Option<_>>()?),
        Txn::Error { .. } | Txn::Reconfig { .. } => return None,
        other => match op(other)? {
            MultiOp::Create(body) => Request::Create(body),
            MultiOp::Create2(body) => Request::Create2(body),
            MultiOp::CreateContainer(body) => Request::CreateContainer(body),
            MultiOp::CreateTtl(body, ttl_ms) => Request::CreateTtl(body, ttl_ms),
            MultiOp::Delete(body) => Request::Delete(body),
            MultiOp::SetData(body) => Request::SetData(body),
            MultiOp::Check(_) | MultiOp::GetChildren(_) | MultiOp::GetData(_) => return None,
        },
    })
}

/// The order of a closed session's paths is Java's; a create2 in a multi is logged as a create, as 3.8 does and 3.9 does not.
// spec: QP-TXN-05
fn comparable(mut record: TxnRecord) -> TxnRecord {
    match &mut record.txn {
        Txn::CloseSession { paths: Some(paths) } => paths.sort(),
        Txn::Multi(parts) => parts.iter_mut().for_each(as_plain_create),
        _ => {}
    }
    record
}

fn as_plain_create(part: &mut Txn) {
    if let Txn::Create(create) = part
        && let CreateKind::Create2 { ephemeral } = create.kind
    {
        create.kind = CreateKind::Create { ephemeral };
    }
}

/// Replays one directory; returns how many digests were compared, and how many txns were made again.
fn replay(directory: &Path) -> io::Result<(usize, usize)> {
    let name = directory.file_name().unwrap().to_str().unwrap();
    let settings = Settings {
        extended_types: true,
        digest: !name.ends_with("no-digest"),
        close_session_txn: !name.ends_with("no-paths"),
        ..Settings::default()
    };
    let snapshots = files(directory, "snapshot")?;
    let (mut tree, _) = load(&snapshots[&0], 0, &settings);
    let (mut prep, schemes, ids) = (Prep::new(), Schemes::default(), [Id::new("super", "")]);
    let (mut compared, mut remade) = (0, 0);
    for record in files(directory, "log")?
        .values()
        .flat_map(|log| records(log))
    {
        let at = format!("{name} {:#x} {:?}", record.header.zxid, record.txn);
        if let Some(request) = request(&record.txn) {
            let ask = Ask {
                header: record.header,
                ids: &ids,
                session: Ok(()),
                global_session: Ok(()),
            };
            let made = prep.prepare(&tree, &schemes, &ask, &request);
            assert_eq!(
                made.txn,
                comparable(made.clone()).txn,
                "{at}: a create2 in a multi"
            );
            assert_eq!(comparable(made), comparable(record.clone()), "{at}");
            remade += 1;
        }
        tree.apply(&record.header, &record.txn, &mut Vec::new())
            .ok();
        prep.applied(record.header.zxid);
        if let Some(digest) = record.digest {
            assert_eq!(tree.txn_digest(), Some(digest), "{at}");
            compared += 1;
        }
        if let Some(snapshot) = snapshots.get(&record.header.zxid) {
            let (loaded, digest) = load(snapshot, record.header.zxid, &settings);
            assert_eq!(dump(&loaded), dump(&tree), "{at}");
            assert!(loaded.sessions().eq(tree.sessions()), "{at}");
            if let Some(digest) = digest.filter(|digest| digest.zxid == record.header.zxid) {
                assert_eq!(loaded.digest(), digest.tree.cast_unsigned(), "{at}");
                compared += 1;
            }
        }
    }
    Ok((compared, remade))
}

// spec: QP-TXN-01, QP-TXN-04, QP-TXN-06, QP-TXN-07, QP-TXN-08, QP-TXN-09, QP-TXN-10, QP-TXN-11, DF-DIG-07, DF-DIG-09
// spec: DF-BODY-02, DF-BODY-03, DF-BODY-05, DF-BODY-06, DF-BODY-07, DF-BODY-08, CP-EPH-05, CP-EPH-11
#[test]
fn apache_logs_replay_to_apache_digests() {
    let (mut compared, mut remade) = (0, 0);
    let mut directories: Vec<PathBuf> = fs::read_dir(recordings())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    directories.retain(|path| path.is_dir() && path.join("snapshot.0").exists());
    directories.sort();
    for directory in &directories {
        let (digests, txns) = replay(directory).unwrap();
        println!(
            "{}: {digests} digests, {txns} txns made again",
            directory.display()
        );
        compared += digests;
        remade += txns;
    }
    assert!(
        compared > 150 && remade > 150,
        "{compared} digests, {remade} txns"
    );
}

/// What a txn's own zxid and time are for.
// spec: DF-REC-19
#[test]
fn a_replayed_log_ends_at_its_last_zxid() {
    let mut tree = Tree::new(Settings::default());
    let header = TxnHeader {
        session_id: 1,
        cxid: 0,
        zxid: 9,
        time: 0,
    };
    assert_eq!(
        tree.apply(&header, &Txn::Error { err: -101 }, &mut Vec::new()),
        Err(-101)
    );
    assert_eq!(tree.last_zxid(), 9);
}
