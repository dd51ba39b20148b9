//! The rows of faults.md 5.3 that a storage layer answers for, each named after its row.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's helpers fail it by panicking

mod common;

use common::*;
use zk_proto::Txn;
use zk_storage::sim::{CallKind, Outcome, Part, SimDisk, Verdict};
use zk_storage::{Config, EpochFile, Error};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A server with five synced records in `log.1`.
fn five() -> (SimDisk, Server) {
    let disk = SimDisk::new();
    let mut server = start(&disk).unwrap();
    server.fill(1..=5).unwrap();
    (disk, server)
}

/// Offset of the n-th record (from 0) in the log's bytes, and behind it.
fn record(bytes: &[u8], number: usize) -> (usize, usize) {
    let mut at = 16;
    for _ in 0..number {
        at += 13 + i32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
    }
    let len = i32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
    (at, at + 13 + len)
}

fn fail(
    disk: &SimDisk,
    errno: i32,
    which: impl Fn(&zk_storage::sim::Call) -> bool + Send + 'static,
) {
    disk.set_hook(move |call| {
        if which(call) {
            Verdict::Fail(errno)
        } else {
            Verdict::Proceed
        }
    });
}

fn is_log(call: &zk_storage::sim::Call) -> bool {
    call.path.to_string_lossy().contains("/log.")
}

// spec: FT-DISK-01
#[test]
fn ft_disk_01_unsynced_tail_lost() {
    let (disk, mut server) = five();
    server.append(6, &create("/lost", b"x")).unwrap();
    disk.crash(Outcome::DropAll);
    let (server, _) = restart(&disk);
    assert_eq!(server.model.last, 5);
}

/// Writes two more records without their sync: the last write of a server that dies.
fn with_unsynced(records: &[(i64, usize)]) -> SimDisk {
    let (disk, mut server) = five();
    fail(&disk, EIO, |_| false);
    for (zxid, len) in records {
        server
            .append(*zxid, &create(&format!("/u{zxid}"), &vec![b'u'; *len]))
            .unwrap();
    }
    disk.set_hook(|call| {
        if call.kind == CallKind::SyncData {
            Verdict::Halt
        } else {
            Verdict::Proceed
        }
    });
    server.log().sync().unwrap_err();
    disk.crash(Outcome::KeepAll);
    disk
}

// spec: FT-DISK-03. disk-format.md 17, test 3
#[test]
fn ft_disk_03_last_records_torn_at_every_byte() {
    let disk = with_unsynced(&[(6, 40), (7, 300), (8, 9000)]);
    let whole = disk.read_file(&file("log.1")).unwrap();
    let (first, _) = record(&whole, 5);
    let ends = [
        first,
        record(&whole, 5).1,
        record(&whole, 6).1,
        record(&whole, 7).1,
    ];
    let step = |at: usize| {
        if at < ends[2] + 400 || at + 400 > ends[3] {
            1
        } else {
            37
        }
    };
    for zeros_follow in [false, true] {
        let mut cut = first;
        while cut <= ends[3] {
            let torn = disk.fork();
            edit(&torn, "log.1", |bytes| {
                let len = bytes.len();
                bytes.truncate(cut);
                bytes.resize(if zeros_follow { len } else { cut }, 0);
            });
            let expected = 5 + ends[1..].iter().filter(|end| **end <= cut).count() as i64;
            let (server, facts) = restart(&torn);
            assert_eq!(
                server.model.last, expected,
                "cut at {cut}, zeros: {zeros_follow}"
            );
            let end = ends[(expected - 5) as usize];
            if whole[end..cut].iter().any(|byte| *byte != 0) {
                let warning = facts.warnings.concat();
                assert!(
                    warning.contains(&format!("dropped what follows zxid {expected:#x}")),
                    "{cut}: {warning}"
                );
            }
            drop(server);
            let (again, facts) = restart(&torn);
            assert_eq!(again.model.last, expected);
            assert_eq!(
                facts.warnings,
                Vec::<String>::new(),
                "the tail was cut, not left for the next start"
            );
            cut += step(cut);
        }
    }
}

// spec: DF-LOG-08, DF-RD-02. A server that ran with a greater jute.maxbuffer acknowledged it: it is no torn tail.
#[test]
fn a_whole_record_above_the_limit_is_refused_and_kept() {
    const LONG: usize = 3_000_000;
    let roomy = Config {
        limit_bytes: 8 << 20,
        ..config()
    };
    for (follows, marked) in [(false, false), (true, false), (false, true), (true, true)] {
        let disk = SimDisk::new();
        let mut server = start_with(std::sync::Arc::new(disk.clone()), roomy.clone())
            .unwrap()
            .0;
        server.fill(1..=5).unwrap();
        server
            .append(6, &create("/long", &vec![b'l'; LONG]))
            .unwrap();
        server.log().sync().unwrap();
        if follows {
            server.fill(7..=8).unwrap();
        }
        drop(server);
        if !marked {
            disk.delete_file(&file("vivarium.mark"));
        }
        disk.kill_process();
        let before = disk.contents();
        let store = open(&disk, config()).unwrap();
        let refused = store.recover(&mut Model::default());
        let Err(error @ Error::TooLong { .. }) = &refused else {
            panic!("{follows} {marked}: {refused:?}")
        };
        assert!(error.to_string().contains("jute.maxbuffer"), "{error}");
        assert_eq!(before, disk.contents(), "a refusal changes nothing");
        drop(store);
        let (server, _) = restart_with(&disk, roomy.clone());
        assert_eq!(server.model.last, if follows { 8 } else { 6 });
    }
}

// spec: DF-ALG-01, DF-RD-03. What merely announces such a length is torn as any other, and nothing whole may lie behind.
#[test]
fn a_record_above_the_limit_that_is_not_whole_is_torn() {
    const LONG: usize = 3_000_000;
    let roomy = Config {
        limit_bytes: 8 << 20,
        ..config()
    };
    let disk = SimDisk::new();
    let mut server = start_with(std::sync::Arc::new(disk.clone()), roomy)
        .unwrap()
        .0;
    server.fill(1..=5).unwrap();
    server.append(6, &create("/short", &[b's'; 9000])).unwrap();
    server
        .append(7, &create("/long", &vec![b'l'; LONG]))
        .unwrap();
    server.log().sync().unwrap();
    drop(server);
    disk.delete_file(&file("vivarium.mark"));
    let whole = disk.read_file(&file("log.1")).unwrap();
    let lose_the_last_page_of = |number: usize| {
        let (from, behind) = record(&whole, number);
        let torn = disk.fork();
        edit(&torn, "log.1", |bytes| bytes[behind - 4096..behind].fill(0));
        (torn, from)
    };
    let (torn, from) = lose_the_last_page_of(5);
    assert_eq!(refused(&torn, config(), "log.1").offset, from as u64);
    let (torn, _) = lose_the_last_page_of(6);
    let (server, facts) = restart(&torn);
    assert_eq!(server.model.last, 6);
    assert!(facts.warnings.concat().contains("torn at byte"));
}

/// A leader tells Apache's server to forget what ours had synced, and the epoch after it goes on in a file of its own.
// spec: DF-ALG-02, DF-LOG-30
#[test]
fn what_another_server_took_back_meanwhile_is_no_damage() {
    let (disk, server) = five();
    drop(server);
    let mark = disk.read_file(&file("vivarium.mark")).unwrap();
    let (third, _) = record(&disk.read_file(&file("log.1")).unwrap(), 3);
    edit(&disk, "log.1", |bytes| bytes.truncate(third));
    // As long as nothing comes behind it, it may be damage as well.
    assert_eq!(refused(&disk, config(), "log.1").offset, third as u64);
    disk.delete_file(&file("vivarium.mark"));
    let (mut server, _) = restart(&disk);
    server.fill(zxids(2, 1..=3)).unwrap();
    drop(server);
    disk.put_file(&file("vivarium.mark"), &mark);
    let (server, facts) = restart(&disk);
    assert_eq!(server.model.replayed[..3], [1, 2, 3]);
    assert_eq!(server.model.last, 2 << 32 | 3);
    assert!(
        facts.warnings.concat().contains("took it back"),
        "{facts:?}"
    );
    drop(server);
    // The start has a mark of its own now.
    let (_, facts) = restart(&disk);
    assert_eq!(facts.warnings, Vec::<String>::new());
}

/// Names of unfinished files.
fn unfinished(disk: &SimDisk) -> Vec<String> {
    let files = disk.contents().into_iter();
    let names = files.map(|(path, _)| path.display().to_string());
    names.filter(|name| name.ends_with(".tmp")).collect()
}

// spec: FT-DISK-09, DF-SNAP-10, P-BOUND
#[test]
fn a_snapshot_that_nobody_finishes_leaves_no_file() {
    let (disk, server) = five();
    let begin = || server.store.snapshot(5, Default::default()).unwrap();
    let prepare = || {
        let mut writer = begin();
        put_model(&mut writer, &server.model).unwrap();
        writer
            .prepare(zk_storage::snapshot::Tail::default())
            .unwrap()
    };
    drop(begin());
    assert_eq!(unfinished(&disk), Vec::<String>::new());
    // Two of one zxid: the end of the first is not that of the second.
    let mut prepared = prepare();
    let other = prepare();
    assert_eq!(unfinished(&disk).len(), 2);
    drop(std::mem::replace(&mut prepared, other));
    assert_eq!(unfinished(&disk).len(), 1);
    let Server { store, log, .. } = server;
    store.install(&mut log.unwrap(), &prepared).unwrap();
    drop(prepared);
    assert_eq!(unfinished(&disk), Vec::<String>::new());
    assert!(disk.read_file(&file("snapshot.5")).is_ok());
}

// spec: FT-DISK-09, P-BOUND
#[test]
fn a_snapshot_whose_end_cannot_be_written_leaves_no_file() {
    let (disk, server) = five();
    let mut writer = server.store.snapshot(5, Default::default()).unwrap();
    put_model(&mut writer, &server.model).unwrap();
    fail(&disk, ENOSPC, |call| call.kind == CallKind::SyncData);
    write_model(writer, &Model::default()).unwrap_err();
    disk.clear_hook();
    assert_eq!(unfinished(&disk), Vec::<String>::new());
}

// spec: FT-DISK-08, DF-PAD-01. What is written ahead must not take what the log itself needs.
#[test]
fn a_next_file_that_cannot_be_prepared_gives_its_space_back() {
    let (disk, mut server) = five();
    server.fill(6..=200).unwrap();
    let is_spare = |call: &zk_storage::sim::Call| call.path.ends_with("vivarium.spare");
    let spare = || disk.read_file(&file("vivarium.spare"));
    // While its zeros are written.
    let mut filler = server.log().take_filler().unwrap().unwrap();
    assert!(spare().is_ok());
    fail(&disk, ENOSPC, move |call| {
        is_spare(call) && matches!(call.kind, CallKind::Write { .. } | CallKind::SyncData)
    });
    filler.step().unwrap_err();
    server.log().return_filler(filler);
    assert!(spare().is_err(), "still there");
    // While it is made.
    server.log().take_filler().unwrap_err();
    assert!(spare().is_err(), "still there");
    disk.clear_hook();
    server.fill(201..=202).unwrap();
    server.prepare_next_file();
    assert!(spare().is_ok());
    server.fill(203..=500).unwrap();
    assert!(spare().is_err(), "not used");
    let (server, _) = restart(&disk);
    assert_eq!(server.model.last, 500);
}

// spec: FT-DISK-04
#[test]
fn ft_disk_04_an_early_page_missing_and_a_later_one_there() {
    let (disk, mut server) = five();
    for zxid in 6..=12 {
        server
            .append(zxid, &create(&format!("/u{zxid}"), &[b'u'; 3000]))
            .unwrap();
    }
    disk.set_hook(|call| {
        if call.kind == CallKind::SyncData {
            Verdict::Halt
        } else {
            Verdict::Proceed
        }
    });
    server.log().sync().unwrap_err();
    let write = (0..disk.pending()).find(|item| {
        disk.outcomes(0).contains(&Outcome::Tear {
            item: *item,
            unit: 4096,
            part: Part::Last,
        })
    });
    disk.crash(Outcome::Tear {
        item: write.unwrap(),
        unit: 4096,
        part: Part::Last,
    });
    let (server, facts) = restart(&disk);
    assert_eq!(server.model.last, 5);
    assert!(
        facts.warnings.concat().contains("never synced"),
        "{:?}",
        facts.warnings
    );
}

// spec: FT-DISK-05, FT-DISK-06, FT-DISK-07, DF-SYN-06
#[test]
fn ft_disk_05_to_07_a_failed_write_or_sync_is_final() {
    for kind in ["write", "short write", "sync"] {
        let (disk, mut server) = five();
        let mut writes = 0;
        disk.set_hook(move |call| match (kind, call.kind) {
            _ if !is_log(call) => Verdict::Proceed,
            ("write", CallKind::Write { .. }) | ("sync", CallKind::SyncData) => Verdict::Fail(EIO),
            ("short write", CallKind::Write { .. }) => {
                writes += 1;
                if writes == 1 {
                    Verdict::Short(30)
                } else {
                    Verdict::Fail(EIO)
                }
            }
            _ => Verdict::Proceed,
        });
        server.append(6, &create("/six", &[6; 100])).unwrap();
        assert!(
            matches!(server.log().sync(), Err(Error::LogFailed { .. })),
            "{kind}"
        );
        disk.clear_hook();
        // The disk would take more, and a second sync would succeed. Nobody may believe it.
        assert!(
            matches!(server.log().sync(), Err(Error::LogFailed { .. })),
            "{kind}"
        );
        assert!(matches!(
            server.log().append(7, &payload(7, &create("/x", b""))),
            Err(Error::LogFailed { .. })
        ));
        assert!(matches!(server.log().roll(), Err(Error::LogFailed { .. })));
        assert_eq!(server.log().synced(), 5);
    }
}

// spec: FT-DISK-06. The page cache shows a record that the failed sync dropped; a process that starts on it must
// put it on disk before it counts it.
#[test]
fn ft_disk_06_what_the_cache_shows_after_a_failed_sync_is_written_again() {
    let (disk, mut server) = five();
    fail(&disk, EIO, |call| {
        is_log(call) && call.kind == CallKind::SyncData
    });
    server.append(6, &create("/six", &[6; 100])).unwrap();
    server.log().sync().unwrap_err();
    let (server, _) = restart(&disk);
    assert_eq!(server.model.last, 6, "the cache shows it");
    disk.crash(Outcome::DropAll);
    let (server, _) = restart(&disk);
    assert_eq!(
        server.model.last, 6,
        "a server that counted it must have it after the next crash too"
    );
}

// spec: FT-DISK-08
#[test]
fn ft_disk_08_no_space_in_the_log() {
    for kind in ["segment", "record"] {
        let (disk, mut server) = five();
        let create_fails = kind == "segment";
        fail(&disk, ENOSPC, move |call| match call.kind {
            CallKind::Create => create_fails,
            CallKind::Write { .. } => !create_fails && is_log(call),
            _ => false,
        });
        if create_fails {
            server.log().roll().unwrap();
        }
        let result = server
            .append(6, &create("/six", b""))
            .and_then(|()| server.log().sync());
        assert!(matches!(result, Err(Error::LogFailed { .. })), "{kind}");
        let (mut server, _) = restart(&disk);
        server.fill(server.model.last + 1..=9).unwrap();
    }
}

// spec: FT-DISK-09, DF-SNAP-09, DF-SNAP-10
#[test]
fn ft_disk_09_a_snapshot_that_fails_leaves_nothing_and_the_server_goes_on() {
    let (whole, mut server) = five();
    let (first, steps) = (whole.steps(), {
        server.snapshot().unwrap();
        whole.steps()
    });
    for errno in [ENOSPC, EIO] {
        for step in first..steps {
            let (disk, mut server) = five();
            disk.set_hook(move |call| {
                let here = call.step == step && call.path.to_string_lossy().contains("snapshot.");
                if here && call.kind.changes() {
                    Verdict::Fail(errno)
                } else {
                    Verdict::Proceed
                }
            });
            let result = server.snapshot();
            disk.clear_hook();
            let named = disk.read_file(&file("snapshot.5")).is_ok();
            if result.is_err() {
                assert!(!named, "step {step}: a failed snapshot has no name");
                server
                    .snapshot()
                    .unwrap_or_else(|error| panic!("step {step}: the next attempt works: {error}"));
            }
            server.fill(6..=7).unwrap();
            let (server, _) = restart(&disk);
            assert_eq!(server.model.last, 7);
            let names = disk
                .contents()
                .into_iter()
                .map(|(path, _)| path.display().to_string());
            assert!(!names.collect::<String>().contains(".tmp"));
        }
    }
}

fn ensemble() -> Config {
    Config {
        standalone: false,
        create_database: true,
        ..config()
    }
}

// spec: FT-DISK-10, DF-EPO-02
#[test]
fn ft_disk_10_an_epoch_file_is_old_or_new_at_every_step() {
    let disk = SimDisk::new();
    let (server, _) = restart_with(&disk, ensemble());
    server.store.write_epoch(EpochFile::Accepted, 7).unwrap();
    let first = disk.steps();
    let done = disk.fork();
    let (server, _) = restart_with(&done, ensemble());
    server.store.write_epoch(EpochFile::Accepted, 8).unwrap();
    let last = done.steps();
    for step in first..=last {
        let cut = disk.fork();
        let (server, _) = restart_with(&cut, ensemble());
        cut.set_hook(move |call| {
            if call.step >= step {
                Verdict::Halt
            } else {
                Verdict::Proceed
            }
        });
        let acknowledged = server.store.write_epoch(EpochFile::Accepted, 8).is_ok();
        for outcome in cut.outcomes(20) {
            let after = cut.fork();
            after.crash(outcome);
            let (_, facts) = restart_with(&after, ensemble());
            let accepted = facts.epochs.unwrap().accepted;
            assert!(
                accepted == 8 || (accepted == 7 && !acknowledged),
                "step {step}, {outcome:?}: {accepted}"
            );
        }
    }
    for errno in [ENOSPC, EIO] {
        let full = disk.fork();
        let (server, _) = restart_with(&full, ensemble());
        fail(&full, errno, |call| {
            matches!(call.kind, CallKind::Write { .. })
        });
        server
            .store
            .write_epoch(EpochFile::Accepted, 8)
            .unwrap_err();
        let (_, facts) = restart_with(&full, ensemble());
        assert_eq!(facts.epochs.unwrap().accepted, 7);
    }
}

// spec: FT-DISK-12. disk-format.md 17, test 4
#[test]
fn ft_disk_12_a_flipped_byte_in_the_middle_refuses_the_start() {
    let (disk, server) = five();
    drop(server);
    let bytes = disk.read_file(&file("log.1")).unwrap();
    let (from, to) = record(&bytes, 2);
    for marked in [true, false] {
        for at in from..to {
            let bad = disk.fork();
            edit(&bad, "log.1", |bytes| bytes[at] ^= 0x20);
            if !marked {
                bad.delete_file(&file("vivarium.mark"));
            }
            let damage = refused(&bad, config(), "log.1");
            assert_eq!(
                (damage.offset, damage.last_good),
                (from as u64, Some(2)),
                "byte {at}"
            );
            let line = damage.to_string();
            assert!(
                line.contains("vivarium repair") && line.contains("0x2") && !line.contains('\n'),
                "{line}"
            );
        }
    }
}

// spec: FT-DISK-13, DF-ALG-02. disk-format.md 17, test 4
#[test]
fn ft_disk_13_a_flipped_byte_in_the_last_record() {
    let (disk, server) = five();
    drop(server);
    let bytes = disk.read_file(&file("log.1")).unwrap();
    let (from, to) = record(&bytes, 4);
    for at in from..to {
        let below_mark = disk.fork();
        edit(&below_mark, "log.1", |bytes| bytes[at] ^= 0x20);
        refused(&below_mark, config(), "log.1");
    }
    let payload = from + 12 + 40;
    let unmarked = disk.fork();
    edit(&unmarked, "log.1", |bytes| bytes[payload] ^= 0x20);
    unmarked.delete_file(&file("vivarium.mark"));
    refused(&unmarked, config(), "log.1");
    let accepted = Config {
        accept_bad_tail: true,
        ..config()
    };
    assert_eq!(
        restart_with(&unmarked, accepted).0.model.last,
        4,
        "the operator's word"
    );
    let above_mark = with_unsynced(&[(6, 100)]);
    edit(&above_mark, "log.1", |bytes| {
        let (from, _) = record(bytes, 5);
        bytes[from + 12 + 40] ^= 0x20;
    });
    let (server, facts) = restart(&above_mark);
    assert_eq!(server.model.last, 5);
    assert!(
        facts.warnings.concat().contains("never synced"),
        "{:?}",
        facts.warnings
    );
}

/// Snapshots at 0, 5 and 10; logs from 1, 6 and b.
fn three_logs() -> SimDisk {
    let (disk, mut server) = five();
    server.snapshot().unwrap();
    server.fill(6..=10).unwrap();
    server.snapshot().unwrap();
    server.fill(11..=15).unwrap();
    disk
}

// spec: FT-DISK-14, DF-REC-03. disk-format.md 17, test 6
#[test]
fn ft_disk_14_a_flipped_byte_in_the_newest_snapshot() {
    let disk = three_logs();
    let len = disk.read_file(&file("snapshot.a")).unwrap().len();
    for at in 0..len {
        let bad = disk.fork();
        edit(&bad, "snapshot.a", |bytes| bytes[at] ^= 0x01);
        let (server, facts) = restart(&bad);
        assert_eq!(server.model.last, 15, "byte {at}");
        // Version and dbid are covered by the seals, whatever they say.
        assert_eq!(facts.snapshot_zxid, Some(5), "byte {at}");
        assert!(
            facts.warnings.concat().contains("snapshot.a: passed over"),
            "byte {at}: {:?}",
            facts.warnings
        );
    }
    edit(&disk, "snapshot.a", |bytes| bytes[40] ^= 0x01);
    let holed = disk.fork();
    holed.delete_file(&file("log.6"));
    refused(&holed, config(), "log.b");
}

// spec: FT-DISK-14, DF-WHO-01, DF-WHO-02. A snapshot that a leader sent may hold what no log holds.
#[test]
fn ft_disk_14_no_way_back_over_an_installed_snapshot() {
    let (disk, mut server) = five();
    let leader = {
        let mut model = server.model.clone();
        model.last = 0x2_0000_0009;
        model
    };
    let mut writer = server
        .store
        .snapshot(leader.last, zk_storage::Compression::None)
        .unwrap();
    put_model(&mut writer, &leader).unwrap();
    let prepared = writer
        .prepare(zk_storage::snapshot::Tail::default())
        .unwrap();
    let Server { store, log, .. } = &mut server;
    store.install(log.as_mut().unwrap(), &prepared).unwrap();
    server.model = leader;
    server.fill([0x3_0000_0001, 0x3_0000_0002]).unwrap();
    assert_eq!(restart(&disk).0.model.last, 0x3_0000_0002);
    edit(&disk, "snapshot.200000009", |bytes| bytes[40] ^= 0x01);
    refused(&disk, config(), "snapshot.200000009");
}

// spec: FT-DISK-15, DF-REC-02, DF-REC-04
#[test]
fn ft_disk_15_no_snapshot_that_loads() {
    let disk = three_logs();
    let bad = disk.fork();
    for name in ["snapshot.0", "snapshot.5", "snapshot.a"] {
        edit(&bad, name, |bytes| bytes[30] ^= 0x01);
    }
    refused(&bad, config(), "snapshot.a");
    for name in ["snapshot.0", "snapshot.5", "snapshot.a"] {
        disk.delete_file(&file(name));
    }
    refused(&disk, config(), "log.1");
    let (server, facts) = restart_with(
        &disk,
        Config {
            trust_empty: true,
            ..config()
        },
    );
    assert_eq!((server.model.last, facts.records), (15, 15));
}

// spec: FT-DISK-16, DF-RD-03, DF-PAD-04
#[test]
fn ft_disk_16_a_newest_log_without_a_record() {
    for content in [
        &b""[..],
        b"Z",
        b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0",
        &[0; 70_000],
        b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0",
    ] {
        let (disk, server) = five();
        drop(server);
        disk.put_file(&file("log.6"), content);
        let (mut server, _) = restart(&disk);
        assert_eq!(server.model.last, 5);
        server.fill(6..=6).unwrap();
        assert_eq!(
            restart(&disk).0.model.last,
            6,
            "the name was free for the record"
        );
    }
    let (disk, server) = five();
    drop(server);
    disk.put_file(&file("log.6"), b"something else is here");
    refused(&disk, config(), "log.6");
    for content in [&b""[..], &[0; 70_000]] {
        let (disk, server) = five();
        drop(server);
        disk.put_file(&file("log.1"), content);
        refused(&disk, config(), "log.1");
    }
}

// spec: FT-DISK-17
#[test]
fn ft_disk_17_a_missing_middle_log() {
    let disk = three_logs();
    disk.delete_file(&file("snapshot.a"));
    disk.delete_file(&file("log.6"));
    let damage = refused(&disk, config(), "log.b");
    assert_eq!(
        (damage.expected.as_str(), damage.found.as_str()),
        ("zxid 0x6", "zxid 0xb")
    );
}

// spec: FT-DISK-17. A lost file may have begun an epoch.
#[test]
fn ft_disk_17_a_missing_log_at_the_start_of_an_epoch() {
    let (disk, mut server) = five();
    server.log().roll().unwrap();
    server.fill(zxids(1, 1..=4)).unwrap();
    server.log().roll().unwrap();
    server.fill(zxids(1, 5..=8)).unwrap();
    disk.delete_file(&file("log.100000001"));
    refused(&disk, config(), "log.100000005");
}

// spec: FT-DISK-18, DF-RD-03
#[test]
fn ft_disk_18_a_middle_log_cut_short() {
    let disk = three_logs();
    disk.delete_file(&file("snapshot.a"));
    let bytes = disk.read_file(&file("log.6")).unwrap();
    let (from, to) = record(&bytes, 4);
    for cut in from..to {
        let short = disk.fork();
        edit(&short, "log.6", |bytes| bytes.truncate(cut));
        // The first half of a checksum is zeros, and zeros are no record.
        let starts_record = bytes[from..cut].iter().any(|byte| *byte != 0);
        refused(
            &short,
            config(),
            if starts_record { "log.6" } else { "log.b" },
        );
    }
    // Apache leaves a torn tail behind and goes on in a new file.
    for next in [0xb, 0x1_0000_0001] {
        let torn = disk.fork();
        edit(&torn, "log.6", |bytes| {
            bytes.extend([1, 2, 3, 4, 5, 6, 7, 8])
        });
        torn.delete_file(&file("log.b"));
        torn.delete_file(&file("vivarium.mark"));
        let mut log = b"ZKLG\0\0\0\x02\0\0\0\0\0\0\0\0".to_vec();
        let record = payload(next, &create("/after", b"x"));
        zk_proto::log::put_record(&mut log, &record, simd_adler32::adler32(&record.as_slice()));
        torn.put_file(&file(&zk_storage::log_name(next)), &log);
        let (server, facts) = restart(&torn);
        assert_eq!(server.model.last, next);
        assert!(
            facts.warnings.concat().contains("log.6: torn"),
            "{:?}",
            facts.warnings
        );
    }
}

// spec: FT-DISK-21
#[test]
fn ft_disk_21_a_purged_file_is_back() {
    let disk = SimDisk::new();
    let mut server = start(&disk).unwrap();
    for start in [1, 11, 21, 31, 41] {
        server.fill(start..start + 10).unwrap();
        server.snapshot().unwrap();
    }
    let before = disk.contents();
    let purged = server.purge().unwrap();
    assert!(purged.removed.len() >= 5, "{purged:?}");
    for path in &purged.removed {
        let back = disk.fork();
        let (_, bytes) = before.iter().find(|(name, _)| name == path).unwrap();
        back.put_file(path, bytes);
        let (server, _) = restart(&back);
        assert_eq!(
            server.model.state(),
            restart(&disk.fork()).0.model.state(),
            "{path:?}"
        );
    }
}

// spec: FT-DISK-22
#[test]
fn ft_disk_22_misdirected_stale_and_foreign_blocks() {
    let disk = SimDisk::new();
    let mut server = start(&disk).unwrap();
    for zxid in 1..=40 {
        server.fill(zxid..=zxid).unwrap();
    }
    drop(server);
    let bytes = disk.read_file(&file("log.1")).unwrap();
    let (_, end) = record(&bytes, 39);
    let other = vec![b'o'; 512];
    for sector in 1..end / 512 {
        let at = sector * 512;
        for block in [&bytes[at - 512..at], &[0; 512], &other[..]] {
            let bad = disk.fork();
            edit(&bad, "log.1", |bytes| {
                bytes[at..at + 512].copy_from_slice(block)
            });
            refused(&bad, config(), "log.1");
        }
    }
    let (disk, mut server) = five();
    disk.set_hook(|call| match call.kind {
        CallKind::Write { offset, .. } if is_log(call) && offset > 16 => {
            Verdict::Misdirect(offset - 300)
        }
        _ => Verdict::Proceed,
    });
    server.fill(6..=6).unwrap();
    refused(&disk, config(), "log.1");
}

// spec: FT-DISK-22, DF-ALG-01. A lost block may begin where a record does: then it looks like the end.
#[test]
fn ft_disk_22_a_block_of_zeros_is_not_the_end() {
    let disk = SimDisk::new();
    let mut server = start(&disk).unwrap();
    for zxid in 1..=9 {
        server
            .append(zxid, &create(&format!("/n{zxid}"), &[b'd'; 6000]))
            .unwrap();
    }
    server.log().sync().unwrap();
    drop(server);
    let (from, to) = record(&disk.read_file(&file("log.1")).unwrap(), 6);
    edit(&disk, "log.1", |bytes| bytes[from..to].fill(0));
    let unmarked = disk.fork();
    unmarked.delete_file(&file("vivarium.mark"));
    for disk in [&disk, &unmarked] {
        assert_eq!(refused(disk, config(), "log.1").last_good, Some(6));
    }
    // Nothing whole behind the zeros: the torn end of a log that carries no mark.
    edit(&unmarked, "log.1", |bytes| bytes[to + 5000..].fill(0));
    let (server, facts) = restart(&unmarked);
    assert_eq!(server.model.last, 6);
    assert!(
        facts.warnings.concat().contains("dropped"),
        "{:?}",
        facts.warnings
    );
}

// spec: FT-DISK-23, DF-EPO-01, DF-EPO-03, DF-EPO-05, DF-EPO-06, DF-EPO-07. disk-format.md 12.5
#[test]
fn ft_disk_23_epoch_files() {
    let disk = SimDisk::new();
    let (mut server, facts) = restart_with(&disk, ensemble());
    assert_eq!(
        facts.epochs.map(|epochs| (epochs.accepted, epochs.current)),
        Some((0, 0))
    );
    assert_eq!(disk.read_file(&file("currentEpoch")).unwrap(), b"0");
    server.fill(zxids(5, 1..=3)).unwrap();
    drop(server);
    let with = |current: Option<&str>, tmp: Option<&str>, accepted: Option<&str>| {
        let disk = disk.fork();
        for (name, value) in [
            ("currentEpoch", current),
            ("currentEpoch.tmp", tmp),
            ("acceptedEpoch", accepted),
        ] {
            disk.delete_file(&file(name));
            if let Some(value) = value {
                disk.put_file(&file(name), value.as_bytes());
            }
        }
        disk
    };
    let good = [
        (Some("5"), None, Some("5"), (5, 5)),
        (Some("5"), None, Some("6"), (6, 5)),
        (Some("6"), None, Some("6"), (6, 6)),
        (Some("4"), Some("5"), Some("5"), (5, 5)),
        (Some("4"), None, Some("5"), (5, 5)),
        (Some("5\n"), None, Some("5\nx"), (5, 5)),
    ];
    for (current, tmp, accepted, expected) in good {
        let disk = with(current, tmp, accepted);
        let (_, facts) = restart_with(&disk, ensemble());
        let epochs = facts.epochs.unwrap();
        assert_eq!(
            (epochs.accepted, epochs.current),
            expected,
            "{current:?} {tmp:?} {accepted:?}"
        );
        assert!(facts.trusted);
        assert!(disk.read_file(&file("currentEpoch.tmp")).is_err());
        let (_, again) = restart_with(&disk, ensemble());
        assert_eq!(again.epochs, Some(epochs), "the files say so now");
    }
    let bad = [
        (Some("4"), None, Some("4"), "currentEpoch"),
        (Some("6"), None, Some("5"), "acceptedEpoch"),
        (Some(""), None, Some("5"), "currentEpoch"),
        (Some("5"), None, Some("five"), "acceptedEpoch"),
        (Some(" 5"), None, Some("5"), "currentEpoch"),
        (Some("5"), None, Some("-5"), "acceptedEpoch"),
        (None, None, Some("5"), "currentEpoch"),
        (Some("5"), None, None, "acceptedEpoch"),
        (None, None, None, "currentEpoch"),
    ];
    for (current, tmp, accepted, name) in bad {
        refused(&with(current, tmp, accepted), ensemble(), name);
    }
    let confirmed = Config {
        accept_missing_epochs: true,
        ..ensemble()
    };
    let (_, facts) = restart_with(&with(None, None, None), confirmed);
    assert_eq!(
        facts.epochs.map(|epochs| (epochs.accepted, epochs.current)),
        Some((5, 5))
    );
    assert!(!facts.trusted, "no vote before a synchronisation");
    let interrupted = with(Some("4"), None, Some("4"));
    interrupted.put_file(&file("updatingEpoch"), b"");
    interrupted.put_file(&file("acceptedEpoch"), b"5");
    let (_, facts) = restart_with(&interrupted, ensemble());
    assert_eq!(facts.epochs.unwrap().current, 5);
    assert!(interrupted.read_file(&file("updatingEpoch")).is_err());
}

// spec: FT-DISK-24
#[test]
fn ft_disk_24_the_id_file() {
    let disk = SimDisk::new();
    let dir = std::path::Path::new("/data");
    assert!(zk_storage::read_my_id(&disk, dir).is_err());
    for (content, id) in [
        ("3", Some(3)),
        ("3\n", Some(3)),
        ("255\nrest", Some(255)),
        ("", None),
        (" 3", None),
        ("x", None),
    ] {
        disk.put_file(&dir.join("myid"), content.as_bytes());
        assert_eq!(zk_storage::read_my_id(&disk, dir).ok(), id, "{content:?}");
    }
}

// spec: FT-DISK-25, DF-REC-05
#[test]
fn ft_disk_25_a_wiped_directory_does_not_vote() {
    let member = Config {
        standalone: false,
        ..config()
    };
    let disk = SimDisk::new();
    let (_, facts) = restart_with(&disk, member.clone());
    assert_eq!((facts.last_zxid, facts.trusted), (None, false));
    assert!(disk.read_file(&file("snapshot.0")).is_err());
    let asked = SimDisk::new();
    asked.put_file(std::path::Path::new("/data/initialize"), b"");
    let (_, facts) = restart_with(&asked, member.clone());
    assert_eq!((facts.last_zxid, facts.trusted), (Some(0), true));
    assert!(
        asked
            .read_file(std::path::Path::new("/data/initialize"))
            .is_err(),
        "once"
    );
    assert!(asked.read_file(&file("snapshot.0")).is_ok());
    assert_eq!(restart_with(&asked, member.clone()).1.last_zxid, Some(0));
    // db.autocreate stays in the configuration, so a kept promise outweighs it.
    let promised = SimDisk::new();
    promised.put_file(&file("acceptedEpoch"), b"3");
    promised.put_file(&file("currentEpoch"), b"3");
    let (_, facts) = restart_with(&promised, ensemble());
    assert_eq!((facts.last_zxid, facts.trusted), (None, false));
    // Logs and snapshots gone, the mark left: the records that it knows of are missing.
    let (disk, server) = five();
    drop(server);
    for name in ["log.1", "snapshot.0"] {
        disk.delete_file(&file(name));
    }
    refused(&disk, config(), "log.1");
}

// spec: P-REPAIR, DF-RD-04, FT-DISK-12
#[test]
fn a_repair_keeps_the_promises_and_takes_the_vote() {
    let disk = SimDisk::new();
    let (mut server, _) = restart_with(&disk, ensemble());
    server.store.write_epoch(EpochFile::Accepted, 5).unwrap();
    server.store.write_epoch(EpochFile::Current, 5).unwrap();
    server.fill(zxids(5, 1..=9)).unwrap();
    server.snapshot().unwrap();
    server.fill(zxids(5, 10..=20)).unwrap();
    drop(server);
    // A start makes the mark durable; before it a power cut may take the mark back.
    drop(restart_with(&disk, ensemble()));
    edit(&disk, "log.50000000a", |bytes| bytes[200] ^= 1);
    refused(&disk, ensemble(), "log.50000000a");
    let unpromised = disk.fork();
    unpromised.put_file(std::path::Path::new("/data/version-2/acceptedEpoch"), b"?");
    assert!(matches!(
        open(&unpromised, ensemble()).unwrap().set_aside(),
        Err(Error::Unusable { .. })
    ));
    // Left by a first start that was cut off: it must not give the emptied server a vote.
    disk.put_file(std::path::Path::new("/data/initialize"), b"");
    let steps = {
        let whole = disk.fork();
        let store = open(&whole, ensemble()).unwrap();
        let before = whole.steps();
        assert_eq!(store.set_aside().unwrap().len(), 5);
        whole.steps() - before
    };
    for step in 0..steps {
        let cut = disk.fork();
        let store = open(&cut, ensemble()).unwrap();
        let at = cut.steps() + step;
        cut.set_hook(move |call| {
            if call.step >= at {
                Verdict::Halt
            } else {
                Verdict::Proceed
            }
        });
        store.set_aside().unwrap_err();
        for outcome in cut.outcomes(20) {
            let after = cut.fork();
            after.crash(outcome);
            // A repair that was cut off is no history that looks whole.
            let store = open(&after, ensemble()).unwrap();
            let recovered = store.recover(&mut Model::default());
            assert!(
                recovered.is_err() || recovered.unwrap().last_zxid.is_none(),
                "step {step}, {outcome:?}"
            );
            store.set_aside().unwrap();
            let (server, facts) = restart_with(&after, ensemble());
            assert_eq!((facts.last_zxid, facts.trusted), (None, false));
            assert_eq!(facts.epochs.map(|epochs| epochs.accepted), Some(5));
            drop(server);
        }
    }
    let alone = SimDisk::new();
    drop(start(&alone).unwrap());
    alone.kill_process();
    assert!(matches!(
        open(&alone, config()).unwrap().set_aside(),
        Err(Error::Unusable { .. })
    ));
}

// spec: FT-DISK-11, DF-DIR-01
#[test]
fn ft_disk_11_a_directory_that_cannot_be_written() {
    let (disk, server) = five();
    drop(server);
    disk.kill_process();
    fail(&disk, 30, |call| call.kind.changes());
    let error = start(&disk).err().unwrap();
    assert!(matches!(error, Error::Io { .. }), "{error}");
    let missing = SimDisk::new();
    let error = start_with(
        std::sync::Arc::new(missing),
        Config {
            create_dirs: false,
            ..config()
        },
    )
    .err()
    .unwrap();
    assert!(error.to_string().contains("datadir.autocreate"), "{error}");
}

// spec: DF-DIR-02
#[test]
fn snapshots_and_logs_in_each_others_directories() {
    for name in ["/logs/version-2/snapshot.5", "/data/version-2/log.5"] {
        let disk = SimDisk::new();
        disk.put_file(std::path::Path::new(name), b"");
        let config = Config {
            data_log_dir: Some("/logs".into()),
            ..config()
        };
        let error = start_with(std::sync::Arc::new(disk), config).err().unwrap();
        assert!(
            matches!(error, Error::Unusable { .. }) && error.to_string().contains(name),
            "{error}"
        );
    }
}

// spec: FT-PROC-15
#[test]
fn a_second_process_is_refused() {
    let (disk, _server) = five();
    assert!(matches!(start(&disk).err().unwrap(), Error::Locked { .. }));
}

// spec: DF-LOG-05, DF-LOG-08
#[test]
fn the_log_takes_no_hole_and_no_record_that_readers_refuse() {
    let (_disk, mut server) = five();
    for zxid in [5, 7, 4, 0x1_0000_0002] {
        let error = server
            .log()
            .append(zxid, &payload(zxid, &create("/x", b"")))
            .unwrap_err();
        assert!(matches!(error, Error::Gap { after: 5, .. }), "{error}");
    }
    let long = Txn::SetData {
        path: "/x".into(),
        data: Some(vec![0; 2 << 20].into()),
        version: 1,
    };
    assert!(matches!(
        server.log().append(6, &payload(6, &long)),
        Err(Error::Unusable { .. })
    ));
    server.fill(6..=6).unwrap();
}
