//! Snapshots of many znodes: written to this machine's disk, and read back as a start reads them, without a tree.
//! `LOG_DIR` names the directory (default: the build's own), since a memory file system proves nothing.

use std::path::PathBuf;
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zk_proto::StatPersisted;
use zk_proto::snapshot::{Node, Piece};
use zk_storage::disk::RealDisk;
use zk_storage::snapshot::{Pieces, Tail, load};
use zk_storage::{Compression, Config, Store};

const ZNODES: u64 = 200_000;
/// Znodes handed over at once, as under a lock.
const SLICE: u64 = 1_000;
const LIMIT_BYTES: usize = 1 << 20;

struct Count(u64);

impl Pieces for Count {
    fn piece(&mut self, piece: Piece<'_>) -> Result<(), String> {
        self.0 += u64::from(matches!(piece, Piece::Node(_)));
        Ok(())
    }
}

fn write(store: &Store) -> zk_storage::Result<PathBuf> {
    let mut writer = store.snapshot(1, Compression::None)?;
    writer.put(&Piece::Sessions(0));
    writer.put(&Piece::Acls(0));
    let data = [7; 100];
    let stat = StatPersisted::default();
    writer.put(&Piece::Node(Node {
        path: "".into(),
        data: None,
        acl: -1,
        stat,
    }));
    let mut path = String::new();
    for number in 0..ZNODES {
        path.clear();
        path.push_str("/n");
        path.push_str(&number.to_string());
        writer.put(&Piece::Node(Node {
            path: path.as_str().into(),
            data: Some(&data),
            acl: -1,
            stat,
        }));
        if number % SLICE == 0 {
            writer.flush()?;
        }
    }
    writer.put(&Piece::End);
    Ok(writer.finish(Tail::default())?.path)
}

fn snapshots(criterion: &mut Criterion) {
    let base = std::env::var_os("LOG_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    let dir = base.join("snapshot-bench");
    let Ok(store) = Store::open(Arc::new(RealDisk), Config::new(&dir)) else {
        return;
    };
    let Ok(path) = write(&store) else { return };
    let bytes = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
    let mut group = criterion.benchmark_group("snapshot");
    group.sample_size(10).throughput(Throughput::Bytes(bytes));
    group.bench_function("write and sync", |bencher| {
        bencher.iter(|| assert!(write(&store).is_ok()))
    });
    group.bench_function("load", |bencher| {
        bencher.iter(|| {
            let mut count = Count(0);
            let loaded = load(&RealDisk, &path, Compression::None, LIMIT_BYTES, &mut count);
            assert!(loaded.is_ok() && count.0 == ZNODES + 1);
        });
    });
    group.finish();
    std::fs::remove_dir_all(&dir).ok();
}

criterion_group!(benches, snapshots);
criterion_main!(benches);
