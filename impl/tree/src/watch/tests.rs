use alloc::borrow::Cow;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;

fn trigger(change: Change, path: &str) -> Trigger<'_> {
    let parent_acl = (change != Change::DataChanged).then_some(AclRef::Open);
    Trigger {
        change,
        path: Cow::Borrowed(path),
        acl: AclRef::Open,
        parent_acl,
    }
}

/// Fires one change; the events as `kind path connections`.
fn fire(watches: &mut Watches, change: Change, path: &str) -> Vec<String> {
    let mut events = Vec::new();
    watches.trigger(&trigger(change, path), |event, connections| {
        let mut connections = connections.to_vec();
        connections.sort_unstable();
        events.push(format!("{:?} {} {connections:?}", event.kind, event.path));
    });
    events
}

// spec: CP-WAT-10, CP-WAT-15, CP-WAT-16, CP-WAT-17
#[test]
fn one_time_watches_fire_once() {
    let mut watches = Watches::new();
    watches.add(1, "/a", WatchKind::Data);
    watches.add(1, "/a", WatchKind::Data);
    watches.add(2, "/", WatchKind::Child);
    assert_eq!(
        fire(&mut watches, Change::Created, "/a"),
        ["NodeCreated /a [1]", "NodeChildrenChanged / [2]"]
    );
    assert!(fire(&mut watches, Change::Created, "/a").is_empty());
    assert_eq!(watches.counts(), Counts::default());
}

// spec: CP-WAT-11, CP-WAT-14
#[test]
fn a_delete_is_one_event_for_both_tables() {
    let mut watches = Watches::new();
    watches.add(1, "/a", WatchKind::Data);
    watches.add(1, "/a", WatchKind::Child);
    watches.add(2, "/a", WatchKind::Child);
    watches.add(3, "/", WatchKind::Recursive);
    watches.add(3, "/a", WatchKind::Child);
    assert_eq!(
        fire(&mut watches, Change::Deleted, "/a"),
        ["NodeDeleted /a [1, 2, 3]"]
    );
    assert_eq!(
        fire(&mut watches, Change::Deleted, "/a"),
        ["NodeDeleted /a [3]"]
    );
}

// spec: CP-WAT-06, CP-WAT-12, CP-WAT-18, CP-WAT-19
#[test]
fn persistent_and_recursive_watches_stay() {
    let mut watches = Watches::new();
    watches.add(1, "/a", WatchKind::Persistent);
    watches.add(2, "/a", WatchKind::Recursive);
    watches.add(3, "/", WatchKind::Recursive);
    for _ in 0..2 {
        assert_eq!(
            fire(&mut watches, Change::DataChanged, "/a"),
            ["NodeDataChanged /a [1, 2, 3]"]
        );
        assert_eq!(
            fire(&mut watches, Change::Created, "/a/b"),
            ["NodeCreated /a/b [2, 3]", "NodeChildrenChanged /a [1]"]
        );
        assert_eq!(
            fire(&mut watches, Change::DataChanged, "/ab"),
            ["NodeDataChanged /ab [3]"]
        );
    }
}

// spec: CP-WAT-14
#[test]
fn one_event_per_connection_whatever_matches() {
    let mut watches = Watches::new();
    for (path, kind) in [
        ("/a", WatchKind::Recursive),
        ("/a/b", WatchKind::Recursive),
        ("/a/b", WatchKind::Data),
    ] {
        watches.add(7, path, kind);
    }
    assert_eq!(
        fire(&mut watches, Change::DataChanged, "/a/b"),
        ["NodeDataChanged /a/b [7]"]
    );
}

// spec: CP-WAT-07
#[test]
fn kinds_do_not_replace_each_other() {
    let mut watches = Watches::new();
    watches.add(1, "/a", WatchKind::Persistent);
    watches.add(1, "/a", WatchKind::Data);
    assert_eq!(
        fire(&mut watches, Change::DataChanged, "/a"),
        ["NodeDataChanged /a [1]"]
    );
    assert!(watches.contains(1, "/a", WatcherType::Persistent));
    assert!(!watches.contains(1, "/a", WatcherType::Data));
}

// spec: CP-PRE-28. The alias of the root in reads is no path that anything happens to.
#[test]
fn a_watch_on_the_empty_path_never_fires() {
    let mut watches = Watches::new();
    watches.add(1, "", WatchKind::Data);
    watches.add(1, "", WatchKind::Child);
    assert!(fire(&mut watches, Change::DataChanged, "/").is_empty());
    assert!(fire(&mut watches, Change::Created, "/a").is_empty());
}

// spec: CP-WAT-50, CP-WAT-52, CP-WAT-53, CP-OP-31
#[test]
fn removal_by_type() {
    let all = [
        WatchKind::Data,
        WatchKind::Child,
        WatchKind::Persistent,
        WatchKind::Recursive,
    ];
    let types = [
        WatcherType::Data,
        WatcherType::Children,
        WatcherType::Persistent,
        WatcherType::PersistentRecursive,
    ];
    for (kind, own) in all.into_iter().zip(types) {
        let mut watches = Watches::new();
        watches.add(1, "/a", kind);
        watches.add(2, "/a", kind);
        for which in types {
            assert_eq!(
                watches.contains(1, "/a", which),
                which == own,
                "{kind:?} {which:?}"
            );
            assert_eq!(
                watches.remove(1, "/a", which),
                which == own,
                "{kind:?} {which:?}"
            );
        }
        assert!(!watches.contains(1, "/a", WatcherType::Any));
        assert!(watches.contains(2, "/a", WatcherType::Any));
        assert!(watches.remove(2, "/a", WatcherType::Any));
        assert!(!watches.remove(2, "/a", WatcherType::Any));
        assert_eq!(watches.counts(), Counts::default());
    }
    assert_eq!(WatcherType::from_code(0), None);
    assert_eq!(WatcherType::from_code(6), None);
}

// spec: CP-WAT-01, CP-FLW-20, CP-FLW-21, CP-FLW-22, CP-GAP-18
#[test]
fn counts_and_lists_show_the_data_table() {
    let mut watches = Watches::new();
    watches.add(1, "/a", WatchKind::Data);
    watches.add(1, "/a", WatchKind::Child);
    watches.add(1, "/b", WatchKind::Persistent);
    watches.add(2, "/a", WatchKind::Recursive);
    watches.add(2, "/c", WatchKind::Child);
    let expected = Counts {
        watches: 6,
        data_watches: 3,
        data_connections: 2,
        data_paths: 2,
    };
    assert_eq!(watches.counts(), expected);
    let sorted = |mut items: Vec<String>| {
        items.sort();
        items
    };
    let lists: Vec<_> = watches
        .by_connection()
        .map(|(id, paths)| (id, sorted(paths.map(ToString::to_string).collect())))
        .collect();
    assert_eq!(
        lists,
        [
            (1, vec!["/a".to_string(), "/b".to_string()]),
            (2, vec!["/a".to_string()])
        ]
    );
    let mut lists: Vec<_> = watches
        .by_path()
        .map(|(path, ids)| (path, ids.collect::<Vec<_>>()))
        .collect();
    lists.sort();
    assert_eq!(lists, [("/a", vec![2, 1]), ("/b", vec![1])]);
    watches.remove_connection(1);
    assert_eq!(
        watches.counts(),
        Counts {
            watches: 2,
            data_watches: 1,
            data_connections: 1,
            data_paths: 1
        }
    );
    watches.remove_connection(2);
    watches.remove_connection(2);
    assert_eq!(watches.counts(), Counts::default());
}

// spec: CP-WAT-40, CP-WAT-41, CP-WAT-42, CP-WAT-43, CP-WAT-44, CP-WAT-45
#[test]
fn restoring_tells_what_was_missed() {
    let mut tree = Tree::new(crate::Settings::default());
    for (zxid, path) in [(5, "/old"), (6, "/new")] {
        let txn = zk_proto::Txn::Create(zk_proto::CreateTxn {
            path: path.into(),
            data: None,
            acl: vec![zk_proto::Acl::open()],
            kind: zk_proto::CreateKind::Create { ephemeral: false },
            parent_cversion: -1,
        });
        let header = zk_proto::TxnHeader {
            session_id: 1,
            cxid: 0,
            zxid,
            time: 0,
        };
        tree.apply(&header, &txn, &mut Vec::new()).unwrap();
    }
    let all = ["/gone", "/old", "/new"];
    let asked = SetWatches {
        relative_zxid: 5,
        data: all.iter().collect(),
        exist: all.iter().collect(),
        child: all.iter().collect(),
        persistent: ["/p"].iter().collect(),
        recursive: ["/r"].iter().collect(),
    };
    let mut watches = Watches::new();
    let mut events = Vec::new();
    watches.restore(&tree, 9, &asked, |kind, path| {
        events.push(format!("{kind:?} {path}"))
    });
    let expected = [
        "NodeDeleted /gone",
        "NodeDataChanged /new",
        "NodeCreated /old",
        "NodeCreated /new",
        "NodeDeleted /gone",
        "NodeChildrenChanged /new",
    ];
    assert_eq!(events, expected);
    for (path, which) in [
        ("/old", WatcherType::Data),
        ("/gone", WatcherType::Data),
        ("/old", WatcherType::Children),
        ("/p", WatcherType::Persistent),
        ("/r", WatcherType::PersistentRecursive),
    ] {
        assert!(watches.contains(9, path, which), "{path} {which:?}");
    }
    assert_eq!(watches.counts().watches, 6);
}
