//! What a loader takes, what it refuses, and what a log does to what it finds done.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;

use zk_proto::snapshot::Node;
use zk_proto::{Acl, CreateKind, CreateTxn, Id, Perms, StatPersisted, Txn, TxnHeader};
use zk_tree::snapshot::{LoadError, Loader};
use zk_tree::{Reader, Schemes, Settings, Tree};

fn node(path: &str) -> Node<'_> {
    node_with(path, None, -1, StatPersisted::default())
}

fn node_with<'a>(path: &'a str, data: Option<&'a [u8]>, acl: i64, stat: StatPersisted) -> Node<'a> {
    Node {
        path: path.into(),
        data,
        acl,
        stat,
    }
}

/// A loader that holds a root and `paths`.
fn loaded(paths: &[&str]) -> Loader {
    let mut loader = Loader::new(Settings::default());
    for path in [""].iter().chain(paths) {
        loader.node(&node(path)).unwrap();
    }
    loader
}

fn header(zxid: i64) -> TxnHeader {
    TxnHeader {
        session_id: 7,
        cxid: 0,
        zxid,
        time: zxid * 10,
    }
}

fn create(path: &str, parent_cversion: i32) -> Txn {
    Txn::Create(CreateTxn {
        path: path.into(),
        data: None,
        acl: vec![Acl::open()],
        kind: CreateKind::Create { ephemeral: false },
        parent_cversion,
    })
}

fn apply(tree: &mut Tree, zxid: i64, txn: &Txn) -> Option<i32> {
    tree.apply(&header(zxid), txn, &mut Vec::new()).err()
}

// spec: DF-ALG-07, DF-BODY-04, FT-DISK-37
#[test]
fn what_no_tree_is_is_refused() {
    let refused = |path: &str| loaded(&["/a"]).node(&node(path)).unwrap_err();
    assert_eq!(refused(""), LoadError::DuplicatePath("".into()));
    assert_eq!(refused("/a"), LoadError::DuplicatePath("/a".into()));
    assert_eq!(refused("/b/c"), LoadError::MissingParent("/b/c".into()));
    for bad in ["/", "a", "/a/", "/a//b", "/a/..", "/a\0"] {
        assert_eq!(refused(bad), LoadError::BadPath(bad.into()), "{bad:?}");
    }
    let mut loader = Loader::new(Settings::default());
    assert_eq!(
        loader.node(&node("/a")),
        Err(LoadError::NoRoot("/a".into()))
    );
    assert_eq!(
        Loader::new(Settings::default()).finish(1).unwrap_err(),
        LoadError::NoRoot("".into())
    );
    let mut loader = Loader::new(Settings::default());
    loader.session(1, 4000).unwrap();
    assert_eq!(loader.session(1, 4000), Err(LoadError::DuplicateSession(1)));
    loader.acl(1, &[]).unwrap();
    assert_eq!(loader.acl(1, &[]), Err(LoadError::BadAclId(1)));
    assert_eq!(loader.acl(-1, &[]), Err(LoadError::BadAclId(-1)));
}

// spec: DF-ALG-08
#[test]
fn depth_costs_no_stack() {
    let mut loader = loaded(&[]);
    let mut path = String::new();
    for _ in 0..3000 {
        path.push_str("/d");
        loader.node(&node(&path)).unwrap();
    }
    let tree = loader.finish(1).unwrap();
    let (mut cursor, mut seen) = (tree.snapshot(), 0);
    assert!(cursor.slice(&tree, |_| {
        seen += 1;
        ControlFlow::Continue(())
    }));
    assert_eq!(seen, 3004);
}

// spec: DF-BODY-05, DF-REC-02, DF-REC-01, DF-ALG-12
#[test]
fn what_an_old_snapshot_lacks_is_added() {
    let tree = loaded(&["/zookeeper"]).finish(0x5_0000_0000).unwrap();
    let fresh = Tree::new(Settings::default());
    assert_eq!(
        (tree.digest(), tree.node_count()),
        (fresh.digest(), fresh.node_count())
    );
    assert_eq!(tree.stat("/zookeeper/config").unwrap().aversion, -1);
    assert_eq!(tree.last_zxid(), 0x5_0000_0000);
}

// spec: DF-BODY-08, DF-BODY-09, CP-QUO-04
#[test]
fn indexes_are_made_again() {
    let mut loader = loaded(&[
        "/a",
        "/a/b",
        "/zookeeper",
        "/zookeeper/quota",
        "/zookeeper/quota/a",
    ]);
    for (path, data) in [
        ("/zookeeper/quota/a/zookeeper_limits", &b"count=9"[..]),
        ("/zookeeper/quota/a/zookeeper_stats", b"count=77,bytes=77"),
    ] {
        loader
            .node(&node_with(path, Some(data), -1, StatPersisted::default()))
            .unwrap();
    }
    let owned = StatPersisted {
        ephemeral_owner: 7,
        ..StatPersisted::default()
    };
    loader
        .node(&node_with("/a/e", Some(b"xyz"), -1, owned))
        .unwrap();
    let container = StatPersisted {
        ephemeral_owner: i64::MIN,
        cversion: 1,
        ..owned
    };
    loader
        .node(&node_with("/a/c", None, -1, container))
        .unwrap();
    let mut tree = loader.finish(1).unwrap();
    let account = |tree: &Tree| {
        tree.data("/zookeeper/quota/a/zookeeper_stats")
            .unwrap()
            .unwrap()
            .to_vec()
    };
    assert_eq!(account(&tree), b"count=4,bytes=3");
    assert_eq!(tree.unused(0, 0, 9), ["/a/c"]);
    assert!(tree.ephemerals(7).eq(["/a/e"]));
    assert_eq!(
        apply(&mut tree, 2, &Txn::CloseSession { paths: None }),
        None
    );
    assert_eq!(tree.ephemeral_count(), 0);
    assert_eq!(account(&tree), b"count=3,bytes=0");
}

// spec: DF-REC-20, CP-ACL-30
#[test]
fn an_unknown_acl_grants_nothing_until_it_is_replaced() {
    let mut loader = loaded(&[]);
    let list = [Acl::new(Perms::READ, "world", "anyone")];
    loader.acl(3, &list).unwrap();
    loader.acl(9, &[Acl::open()]).unwrap();
    loader
        .node(&node_with("/known", None, 3, StatPersisted::default()))
        .unwrap();
    loader
        .node(&node_with("/unknown", None, 40, StatPersisted::default()))
        .unwrap();
    let mut tree = loader.finish(1).unwrap();
    let schemes = Schemes::default();
    let exists = |tree: &Tree, path: &str, ids: &[Id]| {
        let reader = Reader {
            schemes: &schemes,
            ids,
            session: 1,
        };
        tree.exists(path, &reader, &mut Vec::new()).is_ok()
    };
    assert_eq!(tree.unknown_acls(), 1);
    assert!(exists(&tree, "/known", &[]) && !exists(&tree, "/unknown", &[]));
    assert!(exists(&tree, "/unknown", &[Id::new("super", "")]));
    let set = Txn::SetAcl {
        path: "/unknown".into(),
        acl: list.to_vec(),
        version: 1,
    };
    assert_eq!(apply(&mut tree, 2, &set), None);
    assert_eq!(tree.unknown_acls(), 0);
    assert!(exists(&tree, "/unknown", &[]));
    // Equal lists are one; unused ones are gone; a new one gets an id above all that were named.
    let other = [Acl::new(Perms::ALL, "ip", "10.0.0.1")];
    assert_eq!(
        apply(
            &mut tree,
            3,
            &Txn::SetAcl {
                path: "/known".into(),
                acl: other.to_vec(),
                version: 1
            }
        ),
        None
    );
    let cursor = tree.snapshot();
    let ids: Vec<i64> = cursor.acls().iter().map(|(id, _)| *id).collect();
    assert_eq!(ids, [3, 41, 42]);
    assert_eq!(
        cursor.acls().last().unwrap().1.first().unwrap().perms,
        Perms(0)
    );
}

/// A znode whose ACL is newer than the snapshot's map must not be open in between.
// spec: DF-BODY-10, DF-REC-20, DF-REC-15
#[test]
fn an_acl_set_while_the_snapshot_runs_is_closed_until_the_replay() {
    let mut tree = Tree::new(Settings::default());
    assert_eq!(apply(&mut tree, 1, &create("/a", 1)), None);
    let mut cursor = tree.snapshot();
    let secret = vec![Acl::new(Perms::ALL, "digest", "u:h")];
    let set = Txn::SetAcl {
        path: "/a".into(),
        acl: secret,
        version: 1,
    };
    assert_eq!(apply(&mut tree, 2, &set), None);
    let mut loader = Loader::new(Settings::default());
    for (id, list) in cursor.acls() {
        loader.acl(*id, list).unwrap();
    }
    cursor.slice(&tree, |node| {
        loader.node(&node).unwrap();
        ControlFlow::Continue(())
    });
    let mut loaded = loader.finish(cursor.zxid()).unwrap();
    let schemes = Schemes::default();
    let read = |tree: &Tree, id: &str| {
        let ids = [Id::new("digest", id)];
        tree.exists(
            "/a",
            &Reader {
                schemes: &schemes,
                ids: &ids,
                session: 1,
            },
            &mut Vec::new(),
        )
        .is_ok()
    };
    assert!(!read(&loaded, "u:h"));
    assert_eq!(apply(&mut loaded, 2, &set), None);
    assert!(read(&loaded, "u:h") && !read(&loaded, "x:y"));
    assert_eq!(loaded.digest(), tree.digest());
}

// spec: DF-REC-10, DF-REC-12, DF-REC-13, DF-REC-14, DF-REC-16, DF-REC-18, DF-REC-19, CP-TREE-28, DF-ALG-14, DF-ALG-16
#[test]
fn txns_that_find_their_work_done_do_no_harm() {
    let mut tree = Tree::new(Settings::default());
    assert_eq!(apply(&mut tree, 5, &create("/a", 4)), None);
    let digest = tree.digest();
    // There already: the counter does not go back, but may go on, and the ACL is the txn's.
    assert_eq!(apply(&mut tree, 6, &create("/a", 3)), Some(-110));
    assert_eq!((tree.digest(), tree.stat("/").unwrap().pzxid), (digest, 5));
    assert_eq!(apply(&mut tree, 7, &create("/a", 9)), Some(-110));
    let root = tree.stat("/").unwrap();
    assert_eq!((root.cversion, root.pzxid), (2 * 9 - 2, 7));
    assert_ne!(tree.digest(), digest);
    assert_eq!(apply(&mut tree, 8, &create("/a/x/y", 1)), Some(-101));
    // Gone already: only the parent hears of it, and not of an older delete.
    assert_eq!(
        apply(&mut tree, 9, &Txn::Delete { path: "/b".into() }),
        Some(-101)
    );
    assert_eq!(tree.stat("/").unwrap().pzxid, 9);
    assert_eq!(
        apply(&mut tree, 4, &Txn::Delete { path: "/b".into() }),
        Some(-101)
    );
    assert_eq!(tree.stat("/").unwrap().pzxid, 9);
    let set = Txn::SetData {
        path: "/b".into(),
        data: None,
        version: 3,
    };
    assert_eq!(apply(&mut tree, 10, &set), Some(-101));
    let close = Txn::CloseSession {
        paths: Some(vec!["/b".into(), "/none/x".into()]),
    };
    assert_eq!(apply(&mut tree, 11, &close), None);
    assert_eq!(tree.stat("/").unwrap().pzxid, 11);
    assert_eq!(
        apply(
            &mut tree,
            12,
            &Txn::Check {
                path: "/a".into(),
                version: 1
            }
        ),
        None
    );
    assert_eq!(apply(&mut tree, 13, &Txn::Error { err: -101 }), Some(-101));
    assert_eq!(tree.last_zxid(), 13);
    // An old server's create says nothing about its parent's counter.
    assert_eq!(apply(&mut tree, 14, &create("/old", -1)), None);
    assert_eq!(tree.stat("/").unwrap().cversion, 2 * 10 - 3);
}

// spec: CP-PATH-13, CP-TREE-28. Apache's server, too, gives the same name out again, and refuses it.
#[test]
fn the_counter_of_names_stops_at_its_end() {
    let mut loader = Loader::new(Settings::default());
    let full = StatPersisted {
        cversion: i32::MAX,
        ..StatPersisted::default()
    };
    loader.node(&node_with("", None, -1, full)).unwrap();
    let mut tree = loader.finish(1).unwrap();
    assert_eq!(apply(&mut tree, 2, &create("/s2147483647", i32::MIN)), None);
    let mut cversion = None;
    tree.snapshot().slice(&tree, |node| {
        cversion = cversion.or(Some(node.stat.cversion));
        ControlFlow::Continue(())
    });
    assert_eq!(cversion, Some(i32::MAX));
}

// spec: DF-ALG-15
#[test]
fn the_same_data_again_give_another_digest() {
    let mut tree = Tree::new(Settings::default());
    let digests = [1, 2].map(|version| {
        let set = Txn::SetData {
            path: "/".into(),
            data: Some("x".into()),
            version,
        };
        assert_eq!(apply(&mut tree, i64::from(version), &set), None);
        tree.digest()
    });
    assert_ne!(digests[0], digests[1]);
}

// spec: DF-DIG-01, DF-DIG-08, CP-FLW-27
#[test]
fn digests_may_be_off_and_are_kept_for_operators() {
    let off = Tree::new(Settings {
        digest: false,
        ..Settings::default()
    });
    assert_eq!((off.digest(), off.txn_digest()), (0, None));
    let mut tree = Tree::new(Settings::default());
    for zxid in 1..300 {
        apply(&mut tree, zxid, &create(&format!("/{zxid}"), -1));
    }
    let kept: Vec<i64> = tree.digest_history().map(|(zxid, _)| zxid).collect();
    assert_eq!(kept, [128, 256]);
}
