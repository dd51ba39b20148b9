//! Look-up, checks, apply and lists on a tree of a thousand znodes and on one of a million: nothing may grow with it.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use zk_proto::multi::Ops;
use zk_proto::request::{self, SetData};
use zk_proto::{Acl, CreateKind, CreateTxn, MultiOp, Request, Txn, TxnHeader};
use zk_tree::{Ask, Change, Prep, Reader, Schemes, Settings, Tree, WatchKind, Watches};

const SIZES: [usize; 2] = [1_000, 1_000_000];
const CHILDREN: usize = 1_000;

fn header(zxid: i64) -> TxnHeader {
    TxnHeader {
        session_id: 1,
        cxid: 1,
        zxid,
        time: 1_700_000_000_000,
    }
}

fn path(znode: usize) -> String {
    format!("/{:08}/{:08}", znode / CHILDREN, znode % CHILDREN)
}

fn add(tree: &mut Tree, path: String) {
    let txn = Txn::Create(CreateTxn {
        path,
        data: Some(vec![7; 100].into()),
        acl: vec![Acl::open()],
        kind: CreateKind::Create { ephemeral: false },
        parent_cversion: -1,
    });
    let zxid = tree.last_zxid() + 1;
    tree.apply(&header(zxid), &txn, &mut Vec::new()).ok();
}

fn tree_of(znodes: usize) -> Tree {
    let mut tree = Tree::new(Settings::default());
    for parent in 0..znodes.div_ceil(CHILDREN) {
        add(&mut tree, format!("/{parent:08}"));
    }
    for znode in 0..znodes {
        add(&mut tree, path(znode));
    }
    tree
}

/// Visits znodes in an order that no cache foresees.
struct Shuffled(usize);

impl Shuffled {
    fn next(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

struct Server {
    tree: Tree,
    prep: Prep,
    schemes: Schemes,
}

impl Server {
    fn write(&mut self, request: &Request<'_>) {
        let ask = Ask {
            header: header(self.tree.last_zxid() + 1),
            ids: &[],
            session: Ok(()),
            global_session: Ok(()),
        };
        let record = self.prep.prepare(&self.tree, &self.schemes, &ask, request);
        let mut triggers = Vec::new();
        black_box(self.tree.apply(&record.header, &record.txn, &mut triggers)).ok();
        self.prep.applied(record.header.zxid);
    }
}

fn set(path: &str) -> SetData<'_> {
    SetData {
        path: path.into(),
        data: Some(&[8; 100]),
        version: -1,
    }
}

fn ops(c: &mut Criterion) {
    for size in SIZES {
        let mut server = Server {
            tree: tree_of(size),
            prep: Prep::new(),
            schemes: Schemes::default(),
        };
        let paths: Vec<String> = (0..size).map(path).collect();
        let mut order = Shuffled(1);
        let mut out = Vec::with_capacity(1 << 16);
        let mut group = c.benchmark_group(format!("{size} znodes"));
        group.bench_function("get_data", |b| {
            let reader = Reader {
                schemes: &server.schemes,
                ids: &[],
                session: 1,
            };
            b.iter(|| {
                out.clear();
                server
                    .tree
                    .get_data(&paths[order.next(size)], &reader, &mut out)
                    .ok();
                black_box(out.len())
            });
        });
        group.bench_function("get_children of 1000", |b| {
            let reader = Reader {
                schemes: &server.schemes,
                ids: &[],
                session: 1,
            };
            b.iter(|| {
                out.clear();
                let parent = &paths[order.next(size)][..9];
                server.tree.get_children(parent, &reader, &mut out).ok();
                black_box(out.len())
            });
        });
        group.bench_function("set_data, prepared and applied", |b| {
            b.iter(|| server.write(&Request::SetData(set(&paths[order.next(size)]))));
        });
        group.bench_function("multi of 10 set_data", |b| {
            b.iter_batched(
                || (0..10).map(|_| order.next(size)).collect::<Vec<_>>(),
                |picked| {
                    let ops: Ops<'_> = picked
                        .iter()
                        .map(|znode| MultiOp::SetData(set(&paths[*znode])))
                        .collect();
                    server.write(&Request::Multi(ops));
                },
                BatchSize::SmallInput,
            );
        });
        group.bench_function("create and delete", |b| {
            let acl = [Acl::open()];
            b.iter(|| {
                let path = format!("{}/child", paths[order.next(size)]);
                server.write(&Request::Create(request::Create {
                    path: path.as_str().into(),
                    data: Some(b"x"),
                    acl: Some(acl.iter().collect()),
                    flags: 0,
                }));
                server.write(&Request::Delete(request::Versioned {
                    path: path.into(),
                    version: -1,
                }));
            });
        });
        group.finish();
    }
}

fn watches(c: &mut Criterion) {
    const WATCHERS: u64 = 10_000;
    c.bench_function("10000 one-time watches set and fired", |b| {
        let mut watches = Watches::new();
        let trigger = zk_tree::Trigger {
            change: Change::DataChanged,
            path: "/watched".into(),
            acl: zk_tree::AclRef::Open,
            parent_acl: None,
        };
        b.iter(|| {
            for connection in 0..WATCHERS {
                watches.add(connection, "/watched", WatchKind::Data);
            }
            watches.trigger(&trigger, |_, connections| {
                black_box(connections.len());
            });
        });
    });
}

criterion_group!(benches, ops, watches);
criterion_main!(benches);
