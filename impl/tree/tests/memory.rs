//! What a znode costs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;

use cap::Cap;
use zk_proto::{Acl, CreateKind, CreateTxn, Txn, TxnHeader};
use zk_tree::{Settings, Tree};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const PARENTS: usize = 1_000;
const ZNODES: usize = 1_000_000;

fn create(tree: &mut Tree, zxid: i64, path: String, data: &[u8]) {
    let txn = Txn::Create(CreateTxn {
        path,
        data: Some(data.to_vec().into()),
        acl: vec![Acl::open()],
        kind: CreateKind::Create { ephemeral: false },
        parent_cversion: -1,
    });
    let header = TxnHeader {
        session_id: 1,
        cxid: 0,
        zxid,
        time: 1_700_000_000_000,
    };
    tree.apply(&header, &txn, &mut Vec::new()).unwrap();
}

/// Live bytes a znode of a tree with a million, below a thousand parents.
fn bytes_a_znode(data: &[u8]) -> f64 {
    let mut tree = Tree::new(Settings::default());
    for parent in 0..PARENTS {
        create(&mut tree, 1, format!("/{parent:08}"), b"");
    }
    let before = ALLOCATOR.allocated();
    for znode in 0..ZNODES {
        let path = format!("/{:08}/{:08}", znode % PARENTS, znode / PARENTS);
        create(&mut tree, 2 + znode as i64, path, data);
    }
    let used = ALLOCATOR.allocated() - before;
    assert_eq!(tree.node_count(), 5 + PARENTS + ZNODES);
    used as f64 / ZNODES as f64
}

// spec: performance goals 9 and 10.
#[test]
fn a_znode_takes_240_bytes_with_data_and_130_without() {
    let full = bytes_a_znode(&[7; 100]);
    let empty = bytes_a_znode(b"");
    println!("live bytes a znode: {full:.1} with 100 bytes of data, {empty:.1} with none");
    assert!(full <= 240.0, "{full}");
    assert!(empty <= 130.0, "{empty}");
}
