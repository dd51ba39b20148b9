//! Appends and syncs on this machine's disk: alone, in groups, and the record's own cost without the disk.
//! `LOG_DIR` names the directory (default: the build's own), since a memory file system proves nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use zk_storage::disk::RealDisk;
use zk_storage::snapshot::Pieces;
use zk_storage::{Config, Load, Log, Store, parse_log};

/// With its head and end a record of 200 bytes: near what a set of 100 bytes takes.
const PAYLOAD: usize = 187;

struct Nobody;

impl Pieces for Nobody {
    fn piece(&mut self, _: zk_proto::snapshot::Piece<'_>) -> Result<(), String> {
        Ok(())
    }
}

impl Load for Nobody {
    fn begin(&mut self, _: i64) {}

    fn txn(&mut self, _: zk_proto::TxnRecord, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

struct Bench {
    dir: PathBuf,
    _store: Store,
    log: Log,
    payload: Vec<u8>,
    zxid: i64,
}

impl Bench {
    fn new(name: &str) -> anyhow::Result<Self> {
        let base = std::env::var_os("LOG_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
        let dir = base.join(format!("log-bench-{name}"));
        if dir.exists() {
            std::fs::remove_dir_all(&dir)?;
        }
        std::fs::create_dir_all(&dir)?;
        let store = Store::open(Arc::new(RealDisk), Config::new(&dir))?;
        let log = store.recover(&mut Nobody)?.log;
        let mut bench = Self {
            dir,
            _store: store,
            log,
            payload: vec![7; PAYLOAD],
            zxid: 0,
        };
        bench.batch(1)?;
        Ok(bench)
    }

    fn batch(&mut self, records: u64) -> zk_storage::Result<i64> {
        for _ in 0..records {
            self.zxid += 1;
            self.log.append(self.zxid, &self.payload)?;
        }
        self.log.sync()
    }

    /// What a server does beside the log: the next file is prepared, files that no recovery needs go.
    fn idle(&mut self) {
        if let Ok(Some(mut filler)) = self.log.take_filler() {
            while matches!(filler.step(), Ok(false)) {}
            self.log.return_filler(filler);
        }
        let mut logs: Vec<(i64, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(self.dir.join("version-2"))
            .into_iter()
            .flatten()
            .flatten()
        {
            logs.extend(
                parse_log(&entry.file_name().to_string_lossy()).map(|zxid| (zxid, entry.path())),
            );
        }
        logs.sort();
        for (_, path) in logs.iter().rev().skip(2) {
            std::fs::remove_file(path).ok();
        }
    }

    /// Time of `rounds` batches; the idle work between them is not counted.
    fn time(&mut self, rounds: u64, records: u64) -> Duration {
        let mut spent = Duration::ZERO;
        for _ in 0..rounds {
            let begin = Instant::now();
            assert!(self.batch(records).is_ok(), "the disk failed");
            spent += begin.elapsed();
            self.idle();
        }
        spent
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.dir).ok();
    }
}

fn append_and_sync(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("log");
    for records in [1u64, 16, 256, 4096] {
        let Ok(mut bench) = Bench::new(&records.to_string()) else {
            continue;
        };
        group.throughput(Throughput::Elements(records));
        group.bench_function(format!("append {records}, sync"), |bencher| {
            bencher.iter_custom(|rounds| bench.time(rounds, records));
        });
    }
    group.finish();
}

criterion_group!(benches, append_and_sync);
criterion_main!(benches);
