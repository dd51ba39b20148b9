//! Files on their own: torn, renamed, compressed, read back, purged, prepared. spec: disk-format.md 17
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's helpers fail it by panicking

mod common;

use std::sync::Arc;

use common::*;
use zk_storage::disk::Disk;
use zk_storage::sim::{CallKind, Outcome, SimDisk, Verdict};
use zk_storage::snapshot::Tail;
use zk_storage::{Compression, Config, Error, snapshot};

fn ten(disk: &SimDisk) -> Server {
    let mut server = start(disk).unwrap();
    server.fill(1..=10).unwrap();
    server
}

// spec: DF-LOG-01, DF-LOG-02, DF-LOG-03, DF-DIR-05
#[test]
fn the_log_has_apaches_bytes() {
    let disk = SimDisk::new();
    let mut server = start(&disk).unwrap();
    let payload = hex(
        "00000001000000010000000000000001000000010000018bcfe56800fffffff600007530000000020000000051c6d660",
    );
    server.log().append(0x1_0000_0001, &payload).unwrap();
    server.log().sync().unwrap();
    let bytes = disk.read_file(&file("log.100000001")).unwrap();
    let expected = [
        hex("5a4b4c47000000020000000000000000"),
        hex("000000009703099400000030"),
        payload,
        vec![b'B'],
    ]
    .concat();
    assert_eq!(bytes[..expected.len()], expected);
    assert!(bytes[expected.len()..].iter().all(|byte| *byte == 0));
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

// spec: DF-RD-03. disk-format.md 17, test 5
#[test]
fn a_tail_zeroed_from_any_page_on() {
    let disk = SimDisk::new();
    let mut server = start(&disk).unwrap();
    for zxid in 1..=40 {
        server
            .append(zxid, &create(&format!("/n{zxid}"), &[b'd'; 900]))
            .unwrap();
    }
    server.log().sync().unwrap();
    drop(server);
    disk.delete_file(&file("vivarium.mark"));
    let pages = disk.read_file(&file("log.1")).unwrap().len() / 4096;
    let mut last = 0;
    for page in 1..pages {
        let zeroed = disk.fork();
        edit(&zeroed, "log.1", |bytes| bytes[page * 4096..].fill(0));
        let (server, _) = restart(&zeroed);
        assert!(server.model.last >= last && server.model.last <= 40);
        last = server.model.last;
        drop(server);
        assert_eq!(restart(&zeroed).0.model.last, last, "page {page}");
    }
    assert!(last > 30);
}

// spec: DF-SNAP-04, DF-SNAP-11, DF-ALG-07. disk-format.md 17, test 6
#[test]
fn a_snapshot_cut_at_every_byte_is_passed_over() {
    let disk = SimDisk::new();
    let mut server = ten(&disk);
    server.snapshot().unwrap();
    drop(server);
    let whole = disk.read_file(&file("snapshot.a")).unwrap();
    // Behind seal A a snapshot of a server without digests ends: that one is whole.
    let seal_a = whole.len() - 33;
    for cut in 0..whole.len() {
        let short = disk.fork();
        edit(&short, "snapshot.a", |bytes| bytes.truncate(cut));
        let (server, facts) = restart(&short);
        assert_eq!(server.model.last, 10);
        assert_eq!(
            facts.snapshot_zxid,
            Some(if cut == seal_a { 10 } else { 0 }),
            "cut at {cut} of {}",
            whole.len()
        );
    }
    let longer = disk.fork();
    edit(&longer, "snapshot.a", |bytes| bytes.extend(b"\0\0\0\x01/"));
    assert_eq!(restart(&longer).1.snapshot_zxid, Some(0));
}

// spec: DF-SNAP-04, DF-SNAP-24, DF-ALG-07. A later release may add a part; its seal must hold.
#[test]
fn tails_of_every_release() {
    let disk = SimDisk::new();
    let mut server = ten(&disk);
    server.snapshot().unwrap();
    drop(server);
    let whole = disk.read_file(&file("snapshot.a")).unwrap();
    let seal = |bytes: &mut Vec<u8>| {
        let sum = simd_adler32::adler32(&bytes.as_slice());
        bytes.extend(u64::from(sum).to_be_bytes());
        bytes.extend(b"\0\0\0\x01/");
    };
    let without = whole[..whole.len() - 33].to_vec();
    let last_zxid = |mut bytes: Vec<u8>, value: &[u8]| {
        bytes.extend(value);
        seal(&mut bytes);
        bytes
    };
    let old_digest = last_zxid(
        without.clone(),
        &[
            &hex("0000000000000009")[..],
            &hex("00000001"),
            &hex("00000003"),
            b"1f2",
        ]
        .concat(),
    );
    let nine = 9i64.to_be_bytes();
    for (name, bytes, digest, last) in [
        ("without digests", without.clone(), None, None),
        ("3.8", whole.clone(), Some(7), None),
        ("3.9", last_zxid(whole.clone(), &nine), Some(7), Some(9)),
        (
            "3.9 without digests",
            last_zxid(without.clone(), &nine),
            None,
            Some(9),
        ),
        ("digest version 1", old_digest, Some(0x1f2), None),
        (
            "a later part",
            last_zxid(whole.clone(), b"something new"),
            Some(7),
            None,
        ),
    ] {
        disk.put_file(&file("snapshot.a"), &bytes);
        let (server, facts) = restart(&disk);
        assert_eq!(
            (facts.snapshot_zxid, server.model.last),
            (Some(10), 10),
            "{name}"
        );
        assert_eq!(
            facts.tail.digest.map(|digest| digest.tree),
            digest,
            "{name}"
        );
        assert_eq!(facts.tail.last_zxid, last, "{name}");
    }
    let mut bad = last_zxid(whole, b"something new");
    let at = bad.len() - 20;
    bad[at] ^= 1;
    disk.put_file(&file("snapshot.a"), &bad);
    assert_eq!(restart(&disk).1.snapshot_zxid, Some(0));
}

// spec: DF-SNAP-01, DF-SNAP-08
#[test]
fn compressed_snapshots_read_back() {
    for compression in [Compression::Gzip, Compression::Snappy] {
        let disk = SimDisk::new();
        let mut server = start(&disk).unwrap();
        server.fill(1..=2000).unwrap();
        let written = server.snapshot_as(compression).unwrap();
        assert!(written.file_bytes < written.raw_bytes, "{written:?}");
        let (again, facts) = restart(&disk);
        assert_eq!(facts.snapshot_zxid, Some(2000));
        assert_eq!(again.model.state(), server.model.state());
        for cut in [
            0,
            5,
            20,
            written.file_bytes as usize / 2,
            written.file_bytes as usize - 1,
        ] {
            let short = disk.fork();
            let name = written.path.file_name().unwrap().to_str().unwrap();
            edit(&short, name, |bytes| bytes.truncate(cut));
            let (server, facts) = restart(&short);
            assert_eq!(
                (server.model.last, facts.snapshot_zxid),
                (2000, Some(0)),
                "{compression:?} cut at {cut}"
            );
        }
    }
}

/// Told apart by length: 0, 33, 21 and 54 bytes behind the znodes' seal.
// spec: DF-SNAP-02, DF-SNAP-03, DF-SNAP-04, DF-SNAP-24
#[test]
fn each_kind_of_tail_is_read_as_it_was_written() {
    let disk = SimDisk::new();
    let server = start(&disk).unwrap();
    let digest = zk_proto::snapshot::SnapshotDigest {
        zxid: 9,
        version: 2,
        tree: -7,
    };
    let mut lens = Vec::new();
    for (digest, last_zxid) in [
        (None, None),
        (Some(digest), None),
        (None, Some(11)),
        (Some(digest), Some(11)),
    ] {
        let mut writer = server.store.snapshot(1, Compression::None).unwrap();
        put_model(&mut writer, &Model::empty()).unwrap();
        let tail = Tail { digest, last_zxid };
        let written = writer.finish(tail).unwrap();
        lens.push(written.raw_bytes);
        let mut model = Model::empty();
        let read = snapshot::load(&disk, &written.path, Compression::None, 1 << 20, &mut model);
        assert_eq!(read.unwrap(), tail);
    }
    let tails: Vec<_> = lens.iter().map(|len| len - lens[0]).collect();
    assert_eq!(tails, [0, 33, 21, 54]);
}

// spec: DF-ALG-07, DF-BODY-04
#[test]
fn snapshots_with_a_right_seal_and_wrong_pieces() {
    use zk_proto::StatPersisted;
    use zk_proto::snapshot::{Node, Piece};
    let disk = SimDisk::new();
    let server = start(&disk).unwrap();
    let write = |paths: &[&str]| {
        let mut writer = server.store.snapshot(1, Compression::None).unwrap();
        writer.put(&Piece::Sessions(0));
        writer.put(&Piece::Acls(0));
        for path in paths {
            let stat = StatPersisted::default();
            writer.put(&Piece::Node(Node {
                path: (*path).into(),
                data: None,
                acl: -1,
                stat,
            }));
        }
        writer.put(&Piece::End);
        let written = writer.finish(Tail::default()).unwrap();
        let mut model = Model::empty();
        snapshot::load(&disk, &written.path, Compression::None, 1 << 20, &mut model)
            .map(drop)
            .map_err(|error| error.to_string())
    };
    assert_eq!(write(&["", "/a", "/a/b"]), Ok(()));
    for (paths, why) in [
        (&[][..], "there is no root"),
        (&["/a", ""], "the root does not come first"),
        (&["", "/a", ""], "a second root"),
        (&["", "/a", "/a"], "is there already"),
        (&["", "a"], "not allowed"),
        (&["", "/a/"], "not allowed"),
        (&["", "/a//b"], "not allowed"),
        (&["", "/a/../b"], "not allowed"),
        (&["", "/a\u{7f}"], "not allowed"),
    ] {
        let error = write(paths).unwrap_err();
        assert!(error.contains(why), "{paths:?}: {error}");
    }
}

#[test]
fn a_snapshot_writer_takes_whole_pieces_in_order_only() {
    use zk_proto::snapshot::Piece;
    let disk = SimDisk::new();
    let server = start(&disk).unwrap();
    let begin = || server.store.snapshot(1, Compression::None).unwrap();
    let mut unfinished = begin();
    unfinished.put(&Piece::Sessions(0));
    assert!(matches!(
        unfinished.finish(Tail::default()),
        Err(Error::BadSnapshot { .. })
    ));
    let mut broken = begin();
    broken.buffer().extend([0, 0]);
    assert!(matches!(broken.flush(), Err(Error::BadSnapshot { .. })));
    drop(broken);
    assert!(
        !disk
            .list(&logs_dir())
            .unwrap()
            .iter()
            .any(|name| name.starts_with("snapshot.1"))
    );
}

// spec: DF-DIR-04, DF-DIR-05, DF-DIR-06. disk-format.md 17, test 13
#[test]
fn names_that_are_not_quite_right() {
    let disk = SimDisk::new();
    let mut server = ten(&disk);
    server.snapshot().unwrap();
    drop(server);
    let strangers = [
        "log.ffffffffffffffff",
        "log.0b",
        "log.B",
        "log.b.bak",
        "log.b.gz",
        "log.",
        "snapshot.ff.bak",
        "snapshot.FF",
        "snapshot.0ff",
        "snapshot.8000000000000000",
        "notes",
        "snapshot.ff.zst",
    ];
    for name in strangers {
        disk.put_file(&file(name), b"not to be read");
    }
    for name in [
        "snapshot.ff.tmp",
        "snapshot.ff.gz.tmp",
        "currentEpoch.tmp",
        "acceptedEpoch.tmp",
        "vivarium.sessions.tmp",
        "vivarium.spare",
    ] {
        disk.put_file(&file(name), b"unfinished");
    }
    let (server, facts) = restart(&disk);
    assert_eq!((server.model.last, facts.snapshot_zxid), (10, Some(10)));
    let names = disk.list(&logs_dir()).unwrap();
    for name in strangers {
        assert!(names.iter().any(|found| found == name), "{name} must stay");
    }
    assert!(
        !names
            .iter()
            .any(|name| name.ends_with(".tmp") || name == "vivarium.spare"),
        "{names:?}"
    );
}

// spec: DF-LOG-05, DF-RD-06
#[test]
fn records_that_come_twice() {
    let disk = SimDisk::new();
    drop(ten(&disk));
    let bytes = disk.read_file(&file("log.1")).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    let with = |record: Vec<u8>| {
        let disk = disk.fork();
        disk.delete_file(&file("vivarium.mark"));
        edit(&disk, "log.1", |bytes| {
            bytes.truncate(end);
            zk_proto::log::put_record(bytes, &record, simd_adler32::adler32(&record.as_slice()));
        });
        disk
    };
    let again = payload(7, &create("/n7", &[b'd'; 100]));
    let error = payload(10, &zk_proto::Txn::Error { err: -110 });
    for record in [again, error] {
        let (server, facts) = restart(&with(record));
        assert_eq!((server.model.last, facts.records), (10, 10));
        assert_eq!(server.model.replayed, (1..=10).collect::<Vec<_>>());
    }
    refused(
        &with(payload(7, &create("/other", b"x"))),
        config(),
        "log.1",
    );
    refused(&with(payload(12, &create("/gap", b"x"))), config(), "log.1");
}

// spec: DF-PRG-01, DF-PRG-02, DF-PRG-03, DF-PRG-04, FT-DISK-34. disk-format.md 12.2
#[test]
fn a_purge_keeps_what_the_oldest_of_three_snapshots_needs() {
    let disk = SimDisk::new();
    let mut server = start(&disk).unwrap();
    for (from, to) in [
        (1, 0x10),
        (0x11, 0x18),
        (0x19, 0x20),
        (0x21, 0x30),
        (0x31, 0x34),
        (0x35, 0x40),
    ] {
        server.fill(from..=to).unwrap();
        if to % 0x10 == 0 {
            server.snapshot().unwrap();
        } else {
            server.log().roll().unwrap();
        }
    }
    let purge = |disk: &SimDisk, needed| {
        let (mut server, _) = restart(disk);
        let purged = server.purger.purge(&server.store, 3, needed).unwrap();
        let names = disk.list(&logs_dir()).unwrap();
        let left = names
            .into_iter()
            .filter(|name| name.starts_with("log.") || name.starts_with("snap"));
        (left.collect::<Vec<_>>(), purged)
    };
    let kept = [
        "log.19",
        "log.21",
        "log.31",
        "log.35",
        "snapshot.20",
        "snapshot.30",
        "snapshot.40",
    ];
    assert_eq!(purge(&disk.fork(), None).0, kept);
    let (left, _) = purge(&disk.fork(), Some(0x12));
    assert!(
        left.contains(&"log.11".into()) && left.contains(&"snapshot.20".into()),
        "{left:?}"
    );
    // A damaged one is not counted: an older one stays in its place.
    let bad = disk.fork();
    edit(&bad, "snapshot.30", |bytes| bytes[40] ^= 1);
    let (left, purged) = purge(&bad, None);
    assert!(
        left.contains(&"snapshot.10".into()) && left.contains(&"log.11".into()),
        "{left:?}"
    );
    assert_eq!(purged.bad, [file("snapshot.30")]);
    // Fewer than three: nothing goes.
    for name in ["snapshot.0", "snapshot.10", "snapshot.20"] {
        disk.delete_file(&file(name));
    }
    assert_eq!(
        purge(&disk, None).1.removed,
        Vec::<std::path::PathBuf>::new()
    );
}

// spec: DF-PAD-01, DF-PAD-02, DF-ALG-04, DF-SYN-02; performance.md 1: a sync into written space changes no length.
#[test]
fn appends_into_a_prepared_file_change_no_length() {
    let disk = SimDisk::new();
    let mut server = start_with(
        std::sync::Arc::new(disk.clone()),
        Config {
            segment_bytes: 1 << 20,
            ..config()
        },
    )
    .unwrap()
    .0;
    server.fill(1..=1).unwrap();
    let longer = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let (seen, known) = (
        longer.clone(),
        std::sync::Mutex::new(std::collections::BTreeMap::new()),
    );
    disk.set_hook(move |call| {
        if let CallKind::Write { offset, len } = call.kind
            && call.path.to_string_lossy().contains("/log.")
        {
            let end = known
                .lock()
                .unwrap()
                .entry(call.path.clone())
                .or_insert(1 << 20)
                .to_owned();
            if offset + len > end {
                seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
        zk_storage::sim::Verdict::Proceed
    });
    for zxid in 2..=20_000 {
        server.fill(zxid..=zxid).unwrap();
        if zxid % 100 == 0 {
            server.prepare_next_file();
        }
    }
    assert_eq!(
        longer.load(std::sync::atomic::Ordering::Relaxed),
        0,
        "writes that made a log longer"
    );
    let logs = disk
        .list(&logs_dir())
        .unwrap()
        .into_iter()
        .filter(|name| name.starts_with("log."))
        .count();
    assert!(logs >= 3, "the prepared files were used: {logs}");
    disk.crash(Outcome::DropAll);
    assert_eq!(restart(&disk).0.model.last, 20_000);
}

// spec: DF-PAD-01, DF-SYN-01. A file that begins with a record longer than its zeros keeps the record's end.
#[test]
fn a_first_record_longer_than_a_files_zeros() {
    let disk = SimDisk::new();
    let long = [b'd'; 40 * 1024];
    let append = |server: &mut Server, zxid: i64| {
        server
            .append(zxid, &create(&format!("/n{zxid:x}"), &long))
            .unwrap();
        server.log().sync().unwrap();
    };
    // The first file of a start, one after a roll, one that was prepared.
    let mut server = start(&disk).unwrap();
    append(&mut server, 1);
    server.fill(2..=2).unwrap();
    server.log().roll().unwrap();
    append(&mut server, 3);
    server.fill(4..=4).unwrap();
    server.prepare_next_file();
    append(&mut server, 5);
    server.fill(6..=6).unwrap();
    let written = server.model.clone();
    drop(server);
    disk.crash(Outcome::DropAll);
    let recovered = restart(&disk).0.model;
    assert_eq!(recovered.state(), written.state());
}

/// What a crash left of a file's first record keeps neither that zxid from being written nor the file before from
/// being judged.
// spec: DF-RD-03, DF-ALG-02, P-DETECT
#[test]
fn a_file_whose_first_record_is_torn_is_begun_anew() {
    let disk = SimDisk::new();
    let mut server = ten(&disk);
    server.log().roll().unwrap();
    server.append(11, &create("/n11", &[b'd'; 9000])).unwrap();
    server.log().sync().unwrap();
    drop(server);
    edit(&disk, "log.b", |bytes| bytes[4096..].fill(0));
    // The mark says that the eleventh was synced.
    assert!(start(&disk.fork()).is_err());
    disk.delete_file(&file("vivarium.mark"));
    let damaged = disk.fork();
    edit(&damaged, "log.1", |bytes| {
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
    });
    assert!(start(&damaged).is_err());
    let (mut server, _) = restart(&disk);
    assert_eq!(server.model.last, 10);
    server.fill(11..=12).unwrap();
    drop(server);
    assert_eq!(restart(&disk).0.model.last, 12);
}

#[test]
fn another_thread_may_prepare_the_next_file() {
    let disk = SimDisk::new();
    let mut server = ten(&disk);
    server.fill(11..=200).unwrap();
    let filler = server
        .log()
        .take_filler()
        .unwrap()
        .expect("more than half is used");
    assert!(
        server.log().take_filler().unwrap().is_none(),
        "one at a time"
    );
    server.fill(201..=400).unwrap();
    server.log().return_filler(filler);
    let again = server.log().take_filler().unwrap();
    let mut filler = again.expect("one that is not whole has failed");
    while !filler.step().unwrap() {}
    server.log().return_filler(filler);
    server.fill(401..=800).unwrap();
    assert_eq!(restart(&disk).0.model.last, 800);
    assert!(
        disk.list(&logs_dir())
            .unwrap()
            .iter()
            .filter(|name| name.starts_with("log."))
            .count()
            >= 2
    );
}

// spec: DF-DIR-01, DF-DIR-02
#[test]
fn logs_in_a_directory_of_their_own() {
    let disk = SimDisk::new();
    let apart = Config {
        data_log_dir: Some("/logs".into()),
        ..config()
    };
    let (mut server, _) = restart_with(&disk, apart.clone());
    server.fill(1..=5).unwrap();
    server.snapshot().unwrap();
    server.fill(6..=8).unwrap();
    drop(server);
    assert_eq!(restart_with(&disk, apart).0.model.last, 8);
    assert_eq!(
        disk.list(std::path::Path::new("/logs/version-2")).unwrap(),
        ["log.1", "log.6", "vivarium.mark"]
    );
    assert_eq!(
        disk.list(&logs_dir()).unwrap(),
        ["snapshot.0", "snapshot.5", "vivarium.floor"]
    );
}

// spec: INV-14, CP-CON-12
#[test]
fn the_mark_of_session_ids_is_durable_once_written() {
    let disk = SimDisk::new();
    let server = ten(&disk);
    assert_eq!(server.store.sessions_mark().unwrap(), None);
    server.store.write_sessions_mark(7).unwrap();
    server.store.write_sessions_mark(1 << 50).unwrap();
    drop(server);
    disk.crash(Outcome::DropAll);
    let server = start(&disk).unwrap();
    assert_eq!(server.store.sessions_mark().unwrap(), Some(1 << 50));
}

// spec: P-DETECT, INV-14
#[test]
fn a_mark_of_session_ids_that_is_no_number_is_refused() {
    let disk = SimDisk::new();
    drop(ten(&disk));
    for garbage in ["", "seven", "-1"] {
        disk.put_file(&file("vivarium.sessions"), garbage.as_bytes());
        let server = start(&disk).unwrap();
        let refused = server.store.sessions_mark();
        assert!(
            matches!(&refused, Err(Error::Damaged(damage)) if damage.file == file("vivarium.sessions")),
            "{refused:?}"
        );
    }
}

// spec: DF-ALG-13, DF-ALG-06
#[test]
fn a_second_snapshot_of_one_zxid_never_leaves_none() {
    for steps in 0.. {
        let disk = SimDisk::new();
        let mut server = ten(&disk);
        let first = server.snapshot().unwrap();
        let halt = disk.steps() + steps;
        disk.set_hook(move |call| {
            if call.step >= halt {
                Verdict::Halt
            } else {
                Verdict::Proceed
            }
        });
        let second = server.snapshot();
        for outcome in disk.outcomes(5) {
            let after = disk.fork();
            after.crash(outcome);
            let (_, facts) = restart(&after);
            assert_eq!(facts.snapshot_zxid, Some(10), "step {steps}, {outcome:?}");
        }
        if let Ok(second) = second {
            assert_eq!(second.path, first.path);
            assert!(steps > 3, "the second snapshot took {steps} steps");
            return;
        }
    }
}

// spec: DF-PAD-01, DF-SYN-02
#[test]
fn no_more_zeros_are_prepared_than_files_use() {
    let disk = SimDisk::new();
    let config = Config {
        segment_bytes: 8 << 20,
        ..config()
    };
    let (mut server, _) = start_with(Arc::new(disk.clone()), config).unwrap();
    let data = [7; 100_000];
    let mut zxids = 1..;
    let mut fill = |server: &mut Server, records: usize| {
        for zxid in zxids.by_ref().take(records) {
            server
                .append(zxid, &create(&format!("/{zxid}"), &data))
                .unwrap();
        }
        server.log().sync().unwrap();
    };
    let mut steps = Vec::new();
    for records in [6, 60, 6] {
        fill(&mut server, records);
        let mut filler = server.log().take_filler().unwrap().unwrap();
        let mut count = 1;
        while !filler.step().unwrap() {
            count += 1;
        }
        steps.push(count);
        server.log().return_filler(filler);
        server.log().roll().unwrap();
    }
    // 8 MiB before anything is known, then a quarter more than 600 KB (1 MiB at least) and 6 MB, in steps of 256 KiB.
    assert_eq!(steps, [32, 4, 29]);
}
