//! A learner's own snapshots while its tree is ahead of its zxid.

#![allow(clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::settings;
use std::sync::Arc;
use zab::{Epoch, Proposal, Write, WriteId, Zxid};
use zk_node::disk::{Command, Incoming, Keeper, Outgoing, Restored, SnapshotJob, restore};
use zk_node::{Now, Shared};
use zk_proto::{Acl, CreateKind, CreateTxn, Txn, TxnHeader, TxnRecord};
use zk_storage::sim::SimDisk;
use zk_storage::{Compression, Store};
use zk_tree::Tree;

const NOW: Now = Now {
    mono_ms: 0,
    wall_ms: 0,
};

fn create(zxid: i64, path: &str, parent_cversion: i32) -> TxnRecord {
    TxnRecord {
        header: TxnHeader {
            session_id: 1,
            cxid: 0,
            zxid,
            time: zxid,
        },
        txn: Txn::Create(CreateTxn {
            path: path.into(),
            data: None,
            acl: vec![Acl::open()],
            kind: CreateKind::Create { ephemeral: false },
            parent_cversion,
        }),
        digest: None,
    }
}

/// Three txns as a leader logs them, and its tree after them.
fn leader() -> (Tree, Vec<Proposal<Bytes>>) {
    let mut tree = Tree::new(zk_tree::Settings::default());
    let log = [(1, "/a", 1), (2, "/b", 2), (3, "/b/c", 1)].map(|(zxid, path, cversion)| {
        let mut record = create(zxid, path, cversion);
        tree.apply(&record.header, &record.txn, &mut Vec::new())
            .unwrap();
        record.digest = tree.txn_digest();
        let mut txn = Vec::new();
        record.encode(&mut txn);
        Proposal {
            zxid: Zxid(zxid),
            txn: txn.into(),
        }
    });
    (tree, log.to_vec())
}

fn store() -> Arc<Store> {
    let config = zk_storage::Config {
        segment_bytes: 1 << 20,
        ..zk_storage::Config::new("/data")
    };
    Arc::new(Store::open(Arc::new(SimDisk::new()), config).unwrap())
}

fn ensemble_store() -> Arc<Store> {
    let config = zk_storage::Config {
        segment_bytes: 1 << 20,
        standalone: false,
        ..zk_storage::Config::new("/data")
    };
    Arc::new(Store::open(Arc::new(SimDisk::new()), config).unwrap())
}

fn start(store: &Arc<Store>) -> Restored {
    restore(store, &zk_tree::Settings::default(), 0).unwrap()
}

fn write(keeper: &mut Keeper, id: u64, write: Write<Bytes>) -> Option<Box<Tree>> {
    let id = WriteId(id);
    keeper.write([Command::Write { id, write }]).unwrap().tree
}

fn snapshot(tree: Tree, store: &Store) {
    let shared = Shared::new(settings(), tree, NOW);
    let mut job = SnapshotJob::begin(&shared, store, Compression::None).unwrap();
    while job.step(&shared).unwrap().is_some() {}
    job.finish(&shared.settings).unwrap();
}

// spec: DF-REC-21, DF-ALG-11, DF-DIG-01
#[test]
fn a_snapshot_of_a_tree_ahead_of_its_zxid_does_not_make_replay_look_wrong() {
    let (tree, log) = leader();
    // The leader names its stream by the first txn and shows all three.
    let shared = Shared::new(settings(), tree, NOW);
    let mut bytes = Vec::new();
    let mut outgoing = Outgoing::begin(&shared);
    while !outgoing.next(&shared, &mut bytes) {}
    let store = store();
    let log_file = start(&store).log;
    let mut incoming = Incoming::begin(&store, 1, Compression::None).unwrap();
    incoming.receive(&bytes).unwrap().unwrap();
    let mut keeper = Keeper::new(Arc::clone(&store), log_file, zk_tree::Settings::default());
    keeper
        .write([Command::Received(incoming.finish().unwrap())])
        .unwrap();
    let install = Write::Install { snapshot: Zxid(1) };
    let loaded = *write(&mut keeper, 0, install).unwrap();
    assert_eq!(loaded.last_zxid(), 1);
    // Before anything is applied the learner takes a snapshot of its own, over the one that came.
    snapshot(loaded, &store);
    for (id, proposal) in (1..).zip(&log[1..]) {
        write(&mut keeper, id, Write::Append(proposal.clone()));
    }
    drop(keeper);
    let restored = start(&store);
    assert_eq!(restored.warnings, Vec::<String>::new());
    assert_eq!(restored.tree.digest(), read_digest(&shared));
    // Now the trees agree: the next snapshot has its digest, and a wrong txn behind it is told.
    let Restored { tree, log, .. } = restored;
    snapshot(tree, &store);
    let mut keeper = Keeper::new(Arc::clone(&store), log, zk_tree::Settings::default());
    let mut wrong = create(4, "/d", 3);
    wrong.digest = Tree::new(zk_tree::Settings::default()).txn_digest();
    let mut txn = Vec::new();
    wrong.encode(&mut txn);
    let txn = txn.into();
    let zxid = Zxid(4);
    write(&mut keeper, 3, Write::Append(Proposal { zxid, txn }));
    drop(keeper);
    let warnings = start(&store).warnings;
    assert_eq!(
        warnings,
        ["1 replayed txns left another digest than they carry"]
    );
}

fn read_digest(shared: &Shared) -> u64 {
    shared.tree.read().unwrap().digest()
}

/// A stream that breaks off, lies about lengths or is damaged is given up, and what was there stays.
// spec: QP-SYN-11, FT-QRM-11
#[test]
fn a_hostile_stream_leaves_what_was_there() {
    let (tree, log) = leader();
    let shared = Shared::new(settings(), tree, NOW);
    let mut bytes = Vec::new();
    let mut outgoing = Outgoing::begin(&shared);
    while !outgoing.next(&shared, &mut bytes) {}
    let store = store();
    let log_file = start(&store).log;
    let mut keeper = Keeper::new(Arc::clone(&store), log_file, zk_tree::Settings::default());
    for (id, proposal) in (0..).zip(&log) {
        write(&mut keeper, id, Write::Append(proposal.clone()));
    }
    let refused = |stream: &[u8]| {
        let mut incoming = Incoming::begin(&store, 9, Compression::None).unwrap();
        // As links bring it: in small parts.
        let mut parts = stream.chunks(7);
        let ended = parts.find_map(|part| incoming.receive(part).transpose());
        drop(incoming);
        !matches!(ended, Some(Ok(_)))
    };
    assert!(!refused(&bytes), "the whole stream is taken");
    for cut in 0..bytes.len() {
        assert!(refused(&bytes[..cut]), "cut at {cut}");
    }
    // No count of sessions, ACLs or bytes is believed before the bytes are there.
    for at in 0..bytes.len() - 4 {
        for lie in [i32::MAX, i32::MIN] {
            let mut stream = bytes.clone();
            stream[at..at + 4].copy_from_slice(&lie.to_be_bytes());
            refused(&stream);
        }
    }
    let endless = [&0i32.to_be_bytes()[..], &i32::MAX.to_be_bytes(), &[7; 4096]].concat();
    assert!(refused(&endless));
    drop(keeper);
    let restored = start(&store);
    assert_eq!(restored.warnings, Vec::<String>::new());
    assert_eq!(restored.tree.digest(), read_digest(&shared));
}

/// An observer without a log: its disk stays at the last snapshot that came, and the next start claims that and no more.
// spec: DF-WHO-03, DF-EPO-04, DF-EPO-07, QP-BC-10
#[test]
fn a_keeper_without_a_log_keeps_a_leaders_snapshots_alone() {
    let store = ensemble_store();
    let restored = start(&store);
    let mut keeper = Keeper::new(
        Arc::clone(&store),
        restored.log,
        zk_tree::Settings::default(),
    )
    .unlogged(restored.durable.current);
    let zxid = |epoch, counter| Zxid::new(Epoch(epoch), counter);
    let append = |epoch, counter| {
        let zxid = zxid(epoch, counter);
        let mut txn = Vec::new();
        create(zxid.0, &format!("/{}", zxid.0), 1).encode(&mut txn);
        Write::Append(Proposal {
            zxid,
            txn: txn.into(),
        })
    };
    let mut next = 0;
    let mut write = |keeper: &mut Keeper, one: Write<Bytes>| {
        next += 1;
        let id = WriteId(next);
        let done = keeper.write([Command::Write { id, write: one }]).unwrap();
        assert_eq!(done.through, Some(id), "the core goes on");
        done.tree.is_some()
    };
    // Txns and epochs of a history that is nowhere on the disk.
    assert!(write(
        &mut keeper,
        Write::Install {
            snapshot: Zxid::ZERO
        }
    ));
    write(&mut keeper, Write::AcceptedEpoch(Epoch(1)));
    write(&mut keeper, append(1, 1));
    write(&mut keeper, Write::CurrentEpoch(Epoch(1)));
    write(&mut keeper, append(1, 2));
    assert!(!write(&mut keeper, Write::Truncate { after: zxid(1, 1) }));
    keeper.close().unwrap();
    let restored = start(&store);
    let claims = |restored: &Restored| {
        let durable = &restored.durable;
        assert!(durable.log.is_empty() && durable.trusted);
        (durable.accepted.0, durable.current.0, durable.base)
    };
    assert_eq!(claims(&restored), (1, 0, Zxid::ZERO));
    // A snapshot of epoch 2 comes; what follows it, and a later epoch, is for memory again.
    let mut keeper = Keeper::new(
        Arc::clone(&store),
        restored.log,
        zk_tree::Settings::default(),
    )
    .unlogged(restored.durable.current);
    let (tree, _) = leader();
    let shared = Shared::new(settings(), tree, NOW);
    let (mut outgoing, mut bytes) = (Outgoing::begin(&shared), Vec::new());
    while !outgoing.next(&shared, &mut bytes) {}
    let snapshot = zxid(2, 3);
    let mut incoming = Incoming::begin(&store, snapshot.0, Compression::None).unwrap();
    incoming.receive(&bytes).unwrap().unwrap();
    write(&mut keeper, Write::AcceptedEpoch(Epoch(3)));
    keeper
        .write([Command::Received(incoming.finish().unwrap())])
        .unwrap();
    assert!(write(&mut keeper, Write::Install { snapshot }));
    write(&mut keeper, append(2, 4));
    write(&mut keeper, Write::CurrentEpoch(Epoch(3)));
    write(&mut keeper, append(3, 1));
    keeper.close().unwrap();
    let restored = start(&store);
    assert_eq!(claims(&restored), (3, 2, snapshot));
    assert_eq!(restored.warnings, Vec::<String>::new());
    assert_eq!(restored.tree.digest(), read_digest(&shared));
}

/// An epoch begins at a zxid that no log ever holds.
// spec: DF-ALG-12, DF-EPO-04
#[test]
fn the_beginning_of_an_adopted_epoch_is_durable() {
    let store = store();
    let (_, log) = leader();
    let settings = zk_tree::Settings::default();
    let mut keeper = Keeper::new(Arc::clone(&store), start(&store).log, settings);
    write(&mut keeper, 1, Write::Append(log[0].clone()));
    let epoch = Epoch(2);
    write(&mut keeper, 2, Write::AcceptedEpoch(epoch));
    assert_eq!(keeper.synced(), Some(1));
    write(&mut keeper, 3, Write::CurrentEpoch(epoch));
    assert_eq!(keeper.synced(), Some(epoch.start().0));
    // What may come before it again is not durable yet.
    let after = Zxid(1);
    write(&mut keeper, 4, Write::Truncate { after });
    assert_eq!(keeper.synced(), Some(1));
}
