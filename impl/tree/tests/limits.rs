//! Requests and znodes at the ends of their ranges.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::ControlFlow;

use zk_proto::request::{Create, ReadPath, SetData, Versioned};
use zk_proto::snapshot::Node;
use zk_proto::{
    Acl, CreateMode, ErrorCode, Id, MultiOp, MultiResult, Perms, Request, Response, StatPersisted,
    TxnHeader, TxnRecord,
};
use zk_tree::snapshot::Loader;
use zk_tree::{Ask, Prep, Reader, Schemes, Settings, Tree};

/// A tree with the checks in front of it, and the schemes that both need.
struct Server {
    tree: Tree,
    prep: Prep,
    schemes: Schemes,
}

impl Server {
    fn new(tree: Tree) -> Self {
        Self {
            tree,
            prep: Prep::new(),
            schemes: Schemes::default(),
        }
    }

    fn with_long_txns() -> Self {
        Self::new(Tree::new(Settings {
            max_txn_bytes: 16 << 20,
            ..Settings::default()
        }))
    }

    fn prepare(&mut self, request: &Request<'_>) -> TxnRecord {
        let ask = Ask {
            header: TxnHeader {
                session_id: 1,
                cxid: 0,
                zxid: self.tree.last_zxid() + 1,
                time: 0,
            },
            ids: &[Id::new("ip", "127.0.0.1")],
            session: Ok(()),
            global_session: Ok(()),
        };
        let record = self.prep.prepare(&self.tree, &self.schemes, &ask, request);
        self.prep.applied(record.header.zxid);
        record
    }

    /// Does a write.
    fn write(&mut self, request: &Request<'_>) -> Result<(), i32> {
        let record = self.prepare(request);
        let outcome = self
            .tree
            .apply(&record.header, &record.txn, &mut Vec::new());
        outcome.map(|_| ())
    }

    /// Does a multi; the codes of those of its results that are errors.
    fn codes(&mut self, multi: &Request<'_>) -> Vec<i32> {
        let record = self.prepare(multi);
        let outcome = self
            .tree
            .apply(&record.header, &record.txn, &mut Vec::new());
        let Ok(Response::Multi(results)) = outcome else {
            panic!("{outcome:?}")
        };
        let code = |result: &MultiResult<'_>| match result {
            MultiResult::Error(code) => Some(*code),
            _ => None,
        };
        results.iter().filter_map(code).collect()
    }

    fn create(&mut self, path: &str, acl: &[Acl]) -> Result<(), i32> {
        self.write(&Request::Create(create(path, acl)))
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            schemes: &self.schemes,
            ids: &[],
            session: 1,
        }
    }

    /// How many grants a znode has.
    fn grants(&self, path: &str) -> usize {
        let mut out = Vec::new();
        self.tree.get_acl(path, &self.reader(), &mut out).unwrap();
        i32::from_be_bytes(out[..4].try_into().unwrap()) as usize
    }
}

fn create<'a>(path: &'a str, acl: &[Acl]) -> Create<'a> {
    Create {
        path: path.into(),
        data: None,
        acl: Some(acl.iter().collect()),
        flags: CreateMode::Persistent.flags(),
    }
}

fn any_version(path: &str) -> Versioned<'_> {
    Versioned {
        path: path.into(),
        version: -1,
    }
}

fn node(path: &str, stat: StatPersisted) -> Node<'_> {
    Node {
        path: path.into(),
        data: None,
        acl: -1,
        stat,
    }
}

// spec: FT-LOAD-07, CP-PATH-01
#[test]
fn a_path_of_ten_thousand_levels_is_used_like_any_other() {
    let mut loader = Loader::new(Settings::default());
    let mut path = String::new();
    for _ in 0..10_000 {
        loader.node(&node(&path, StatPersisted::default())).unwrap();
        path.push_str("/d");
    }
    let mut server = Server::new(loader.finish(1).unwrap());
    server.create(&path, &[Acl::open()]).unwrap();
    assert_eq!(server.tree.stat(&path).unwrap().num_children, 0);
    let set = SetData {
        path: path.as_str().into(),
        data: Some(b"deep"),
        version: 0,
    };
    server.write(&Request::SetData(set)).unwrap();
    let above = any_version(&path[..10_000]);
    assert_eq!(
        server.write(&Request::Delete(above)),
        Err(ErrorCode::NotEmpty.code())
    );
    let (mut cursor, mut count) = (server.tree.snapshot(), 0);
    let whole = cursor.slice(&server.tree, |_| {
        count += 1;
        ControlFlow::Continue(())
    });
    assert!(whole && count > 10_000);
    server.write(&Request::Delete(any_version(&path))).unwrap();
    assert!(server.tree.stat(&path).is_none());
}

// spec: FT-LOAD-09, INV-10
#[test]
fn a_multi_of_a_hundred_thousand_parts_is_whole_or_nothing() {
    let mut server = Server::with_long_txns();
    let paths: Vec<_> = (0..100_000).map(|number| format!("/n{number}")).collect();
    let open = [Acl::open()];
    let creates = || {
        paths
            .iter()
            .map(|path| MultiOp::Create(create(path, &open)))
    };
    let digest = server.tree.digest();
    let fails = creates().chain([MultiOp::Check(any_version("/nothing"))]);
    let codes = server.codes(&Request::Multi(fails.collect()));
    assert_eq!(codes.len(), 100_001);
    assert!(codes[..100_000].iter().all(|code| *code == 0));
    assert_eq!(codes[100_000], ErrorCode::NoNode.code());
    assert_eq!(server.tree.digest(), digest);
    let codes = server.codes(&Request::Multi(creates().collect()));
    assert_eq!(codes, Vec::<i32>::new());
    assert_eq!(server.tree.stat("/").unwrap().num_children, 100_001);
}

// spec: FT-LOAD-13, CP-PRE-29
#[test]
fn versions_wrap() {
    let mut loader = Loader::new(Settings::default());
    let full = StatPersisted {
        version: i32::MAX,
        aversion: i32::MAX,
        ..StatPersisted::default()
    };
    for (path, stat) in [("", StatPersisted::default()), ("/full", full)] {
        loader.node(&node(path, stat)).unwrap();
    }
    let mut server = Server::new(loader.finish(1).unwrap());
    let set = SetData {
        path: "/full".into(),
        data: None,
        version: i32::MAX,
    };
    server.write(&Request::SetData(set)).unwrap();
    let open = [Acl::open()];
    let set = Request::SetAcl {
        path: "/full".into(),
        acl: Some(open.iter().collect()),
        version: i32::MAX,
    };
    server.write(&set).unwrap();
    let stat = server.tree.stat("/full").unwrap();
    assert_eq!((stat.version, stat.aversion), (i32::MIN, i32::MIN));
}

// spec: FT-CON-18, CP-ACL-01, CP-ACL-10
#[test]
fn access_lists_long_empty_unknown_and_odd() {
    let mut server = Server::with_long_txns();
    let address = |n: i32| format!("10.{}.{}.{}", n >> 16, n >> 8 & 255, n & 255);
    let long: Vec<_> = (0..100_000)
        .map(|number| Acl::new(Perms(31), "ip", address(number)))
        .chain([Acl::open(), Acl::open()])
        .collect();
    for path in ["/long", "/same"] {
        server.create(path, &long).unwrap();
        assert_eq!(server.grants(path), 100_001);
    }
    let invalid = Err(ErrorCode::InvalidAcl.code());
    assert_eq!(server.create("/bad", &[]), invalid);
    let unknown = Acl::new(Perms(31), "nobody", "knows");
    assert_eq!(server.create("/bad", &[unknown]), invalid);
    let odd = Acl::new(Perms(64 | 31), "world", "anyone");
    server.create("/odd", &[odd]).unwrap();
    assert_eq!(server.grants("/odd"), 1);
    // Both refer to one list, which goes with the second.
    let lists = |server: &Server| server.tree.snapshot().acls().len();
    let with = lists(&server);
    let delete = |path| Request::Delete(any_version(path));
    server.write(&delete("/long")).unwrap();
    assert_eq!(lists(&server), with);
    server.write(&delete("/same")).unwrap();
    assert_eq!(lists(&server), with - 1);
}

// spec: FT-CON-13, CP-PRE-10
#[test]
fn paths_that_are_none_are_refused_and_change_nothing() {
    let mut server = Server::new(Tree::new(Settings::default()));
    let digest = server.tree.digest();
    for path in [
        "a",
        "//",
        "/a/",
        "/a//b",
        "/.",
        "/..",
        "/a/./b",
        "/\0",
        "/\u{1}",
        "/\u{e000}",
        "/zookeeper/../a",
    ] {
        let refused = server.create(path, &[Acl::open()]).unwrap_err();
        let known = [ErrorCode::BadArguments.code(), ErrorCode::NoNode.code()];
        assert!(known.contains(&refused), "{path:?}: {refused}");
        let read = Request::GetData(ReadPath {
            path: path.into(),
            watch: false,
        });
        let answer = server.tree.read(&read, &server.reader(), &mut Vec::new());
        assert!(answer.is_err(), "{path:?}");
    }
    assert_eq!(server.tree.digest(), digest);
}
