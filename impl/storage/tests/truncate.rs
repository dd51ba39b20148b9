//! What a leader takes back or replaces, at every step of a crash. spec: DF-LOG-30 to DF-LOG-33; disk-format.md 17, test 11
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's helpers fail it by panicking

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use common::*;
use zk_storage::sim::{SimDisk, Verdict};
use zk_storage::snapshot::Tail;
use zk_storage::{Compression, Error};

/// Records 1 to 15, snapshots at 0, 5 and 10, logs from 1, 6 and b.
fn fifteen() -> (SimDisk, Server) {
    let disk = SimDisk::new();
    let mut server = start(&disk).unwrap();
    server.fill(1..=5).unwrap();
    server.snapshot().unwrap();
    server.fill(6..=10).unwrap();
    server.snapshot().unwrap();
    server.fill(11..=15).unwrap();
    (disk, server)
}

fn truncate(server: &mut Server, after: i64) -> Result<(), Error> {
    let log = server.log.take().unwrap();
    server.store.truncate(log, after)
}

fn names(disk: &SimDisk, prefix: &str) -> Vec<String> {
    let names = disk.contents().into_iter();
    let names = names.filter_map(|(path, _)| Some(path.file_name()?.to_str()?.to_owned()));
    names.filter(|name| name.starts_with(prefix)).collect()
}

#[test]
fn to_a_zxid_that_is_there() {
    for (after, logs, snapshots) in [
        (
            15,
            &["log.1", "log.6", "log.b"][..],
            &["snapshot.0", "snapshot.5", "snapshot.a"][..],
        ),
        (
            13,
            &["log.1", "log.6", "log.b"],
            &["snapshot.0", "snapshot.5", "snapshot.a"],
        ),
        (
            10,
            &["log.1", "log.6"],
            &["snapshot.0", "snapshot.5", "snapshot.a"],
        ),
        (8, &["log.1", "log.6"], &["snapshot.0", "snapshot.5"]),
        (3, &["log.1"], &["snapshot.0"]),
    ] {
        let (disk, mut server) = fifteen();
        truncate(&mut server, after).unwrap();
        let (mut server, facts) = restart(&disk);
        assert_eq!(
            (server.model.last, facts.warnings),
            (after, Vec::<String>::new())
        );
        assert_eq!(
            (names(&disk, "log."), names(&disk, "snapshot.")),
            (
                logs.iter().map(|name| name.to_string()).collect(),
                snapshots.iter().map(|name| name.to_string()).collect(),
            ),
            "after {after}"
        );
        server.fill(zxids(1, 1..=3)).unwrap();
        assert_eq!(restart(&disk).0.model.last, 0x1_0000_0003);
    }
}

// spec: DF-LOG-30, disk-format.md 12.3. To go on behind a target that is not there would leave a hole.
#[test]
fn to_a_zxid_that_is_missing() {
    let (disk, mut server) = fifteen();
    server.fill(zxids(1, 1..=3)).unwrap();
    assert!(matches!(truncate(&mut server, 20), Err(Error::Damaged(_))));
    assert_eq!(restart(&disk).0.model.last, 0x1_0000_0003);
}

// spec: DF-LOG-32, DF-SNAP-07. A snapshot whose content goes beyond the target would bring the txns back.
#[test]
fn a_fuzzy_snapshot_goes_with_what_it_holds() {
    let (disk, mut server) = fifteen();
    let model = server.model.clone();
    server.log().roll().unwrap();
    let writer = server.store.snapshot(12, Compression::None).unwrap();
    write_model(writer, &model).unwrap();
    truncate(&mut server, 13).unwrap();
    assert_eq!(
        names(&disk, "snapshot."),
        ["snapshot.0", "snapshot.5", "snapshot.a"]
    );
    let (server, _) = restart(&disk);
    assert_eq!(
        (server.model.last, server.model.nodes.contains_key("/ne")),
        (13, false)
    );
}

// spec: DF-LOG-33, DF-WHO-03
#[test]
fn to_before_the_first_log() {
    let (disk, mut server) = fifteen();
    disk.delete_file(&file("log.1"));
    disk.delete_file(&file("snapshot.0"));
    // The one lawful case: a snapshot stands there and the log starts at its successor.
    truncate(&mut server, 5).unwrap();
    assert_eq!(names(&disk, "log."), Vec::<String>::new());
    assert_eq!(restart(&disk).0.model.last, 5);
    let (disk, mut server) = fifteen();
    disk.delete_file(&file("log.1"));
    disk.delete_file(&file("snapshot.0"));
    let before = disk.contents();
    assert!(matches!(truncate(&mut server, 3), Err(Error::Damaged(_))));
    let trimmed = |files: Vec<(std::path::PathBuf, Vec<u8>)>| -> Vec<_> {
        files
            .into_iter()
            .map(|(path, mut bytes)| {
                while bytes.last() == Some(&0) {
                    bytes.pop();
                }
                (path, bytes)
            })
            .collect()
    };
    let logs = |files: Vec<(std::path::PathBuf, Vec<u8>)>| -> Vec<_> {
        files
            .into_iter()
            .filter(|(path, _)| !path.ends_with("vivarium.mark"))
            .collect()
    };
    assert_eq!(
        logs(trimmed(before)),
        logs(trimmed(disk.contents())),
        "refused without a change"
    );
}

// spec: DF-LOG-31, FT-DISK-31
#[test]
fn a_crash_at_every_step_of_a_truncation() {
    let (disk, server) = fifteen();
    let states: Vec<Model> = (0..=15).map(|last| state_at(&server, last)).collect();
    drop(server);
    for after in [13, 8, 3] {
        let mut step = 0;
        loop {
            let cut = disk.fork();
            let mut server = start(&cut).unwrap();
            let from = cut.steps() + step;
            cut.set_hook(move |call| {
                if call.step >= from {
                    Verdict::Halt
                } else {
                    Verdict::Proceed
                }
            });
            let done = truncate(&mut server, after).is_ok();
            for outcome in cut.outcomes(20) {
                let crashed = cut.fork();
                crashed.crash(outcome);
                let what = format!("truncate to {after}, step {step}, {outcome:?}");
                let mut server = start(&crashed).unwrap_or_else(|error| panic!("{what}: {error}"));
                let last = server.model.last;
                assert!(last >= after && (!done || last == after), "{what}: {last}");
                assert_eq!(
                    server.model.state(),
                    states[last as usize].state(),
                    "{what}"
                );
                truncate(&mut server, after).unwrap();
                assert_eq!(
                    restart(&crashed).0.model.state(),
                    states[after as usize].state(),
                    "{what}"
                );
            }
            if done {
                break;
            }
            step += 1;
        }
        assert!(step >= 4, "{step}");
    }
}

// spec: FT-DISK-31
#[test]
fn a_truncation_that_fails_is_no_truncation_and_works_the_next_time() {
    let (disk, server) = fifteen();
    let states: Vec<Model> = (0..=15).map(|last| state_at(&server, last)).collect();
    drop(server);
    for errno in [5, 28] {
        for after in [13, 8, 3] {
            let mut failed = 0;
            loop {
                let full = disk.fork();
                let mut server = start(&full).unwrap();
                let at = full.steps() + failed;
                let reached = Arc::new(AtomicBool::new(false));
                let told = Arc::clone(&reached);
                full.set_hook(move |call| {
                    if call.step == at && call.kind.changes() {
                        told.store(true, Ordering::Relaxed);
                        Verdict::Fail(errno)
                    } else {
                        Verdict::Proceed
                    }
                });
                let done = truncate(&mut server, after).is_ok();
                full.clear_hook();
                let what = format!("truncate to {after}, error {errno} at step {failed}");
                // The process ends: what serves next is what a start finds.
                let (mut server, _) = restart(&full);
                let last = server.model.last;
                assert!(last >= after && (!done || last == after), "{what}: {last}");
                assert_eq!(
                    server.model.state(),
                    states[last as usize].state(),
                    "{what}"
                );
                truncate(&mut server, after).unwrap_or_else(|error| panic!("{what}: {error}"));
                assert_eq!(restart(&full).0.model.last, after, "{what}");
                if !reached.load(Ordering::Relaxed) {
                    break;
                }
                failed += 1;
            }
            assert!(failed >= 4, "{failed}");
        }
    }
}

fn state_at(server: &Server, last: i64) -> Model {
    let mut model = Model::empty();
    for zxid in 1..=last {
        model.apply(zxid, SESSION, &create(&format!("/n{zxid:x}"), &[b'd'; 100]));
    }
    assert!(last <= server.model.last);
    model
}

// spec: DF-WHO-01, DF-LOG-33, FT-DISK-32
#[test]
fn a_crash_at_every_step_of_an_installed_snapshot() {
    for leader_last in [0x2_0000_0005, 12] {
        let (disk, server) = fifteen();
        let states: Vec<Model> = (0..=15).map(|last| state_at(&server, last)).collect();
        drop(server);
        let mut leader = Model {
            last: leader_last,
            ..Model::empty()
        };
        leader.nodes.insert("/leader".into(), (None, leader_last));
        let mut step = 0;
        loop {
            let cut = disk.fork();
            let mut server = start(&cut).unwrap();
            let from = cut.steps() + step;
            cut.set_hook(move |call| {
                if call.step >= from {
                    Verdict::Halt
                } else {
                    Verdict::Proceed
                }
            });
            let done = install(&mut server, &leader).is_ok();
            for outcome in cut.outcomes(20) {
                let crashed = cut.fork();
                crashed.crash(outcome);
                let what = format!("install {leader_last:#x}, step {step}, {outcome:?}");
                let mut server = start(&crashed).unwrap_or_else(|error| panic!("{what}: {error}"));
                if server.model.nodes.contains_key("/leader") {
                    assert_eq!(server.model.state(), leader.state(), "{what}");
                } else {
                    assert!(!done, "{what}");
                    let last = server.model.last;
                    assert!(last >= leader_last.min(15), "{what}: {last}");
                    assert_eq!(
                        server.model.state(),
                        states[last as usize].state(),
                        "{what}"
                    );
                    install(&mut server, &leader).unwrap();
                }
                let (mut server, _) = restart(&crashed);
                assert_eq!(server.model.state(), leader.state(), "{what}");
                server.fill(zxids(3, 1..=2)).unwrap();
                assert_eq!(restart(&crashed).0.model.last, 0x3_0000_0002, "{what}");
            }
            if done {
                break;
            }
            step += 1;
        }
        assert!(step > 4, "{step}");
    }
}

// spec: QP-DEF-25, DF-LOG-33. A start that takes the oldest snapshot for the floor lets a leader cut to a zxid that only
// the installed snapshot held: the history would end at 15, and what comes next would be put behind the hole.
#[test]
fn nothing_is_cut_below_a_snapshot_that_came_from_a_leader() {
    let (disk, mut server) = fifteen();
    assert_eq!(server.store.floor().unwrap(), 0);
    let leader = Model {
        last: 0x2_0000_0005,
        ..Model::empty()
    };
    install(&mut server, &leader).unwrap();
    server.fill(zxids(3, 1..=2)).unwrap();
    let (server, _) = restart(&disk);
    assert!(names(&disk, "snapshot.").contains(&"snapshot.0".to_owned()));
    assert_eq!(server.store.floor().unwrap(), leader.last);
    drop(server);

    // Behind the floor is the hole.
    let (mut below, _) = restart(&disk.fork());
    assert!(matches!(
        truncate(&mut below, leader.last - 1),
        Err(Error::Damaged(_))
    ));
    let (mut at, _) = restart(&disk);
    truncate(&mut at, leader.last).unwrap();
    assert_eq!(restart(&disk).0.store.floor().unwrap(), leader.last);

    // Snapshots of its own are made of its own log, and the floor stays.
    let (mut server, _) = restart(&disk);
    server.fill(zxids(4, 1..=2)).unwrap();
    server.snapshot().unwrap();
    assert_eq!(restart(&disk).0.store.floor().unwrap(), leader.last);

    // A crash before the next snapshot gets its name: the file speaks of one that is not there.
    disk.put_file(&file("vivarium.floor"), b"38654705665");
    assert_eq!(restart(&disk).0.store.floor().unwrap(), 0x4_0000_0002);
    disk.delete_file(&file("vivarium.floor"));
    assert_eq!(restart(&disk).0.store.floor().unwrap(), 0x4_0000_0002);
    disk.put_file(&file("vivarium.floor"), b"nine");
    let refused = restart(&disk).0.store.floor();
    assert!(
        matches!(&refused, Err(Error::Damaged(damage)) if damage.file == file("vivarium.floor")),
        "{refused:?}"
    );
}

fn install(server: &mut Server, leader: &Model) -> Result<(), Error> {
    let mut writer = server.store.snapshot(leader.last, Compression::None)?;
    put_model(&mut writer, leader)?;
    let prepared = writer.prepare(Tail::default())?;
    server
        .store
        .install(server.log.as_mut().unwrap(), &prepared)?;
    server.model = leader.clone();
    Ok(())
}

// spec: DF-PRG-05
#[test]
fn a_snapshot_of_what_was_taken_back_gets_no_name() {
    let (disk, mut server) = fifteen();
    let model = server.model.clone();
    let mut writer = server.store.snapshot(15, Compression::None).unwrap();
    put_model(&mut writer, &model).unwrap();
    truncate(&mut server, 12).unwrap();
    let recovered = server.store.recover(&mut server.model).unwrap();
    assert!(matches!(
        writer.finish(Tail::default()),
        Err(Error::BadSnapshot { .. })
    ));
    drop(recovered);
    assert_eq!(restart(&disk).0.model.last, 12);
}

#[test]
fn a_filler_of_a_log_that_is_gone_is_dropped() {
    let (_disk, mut server) = fifteen();
    server.fill(16..=200).unwrap();
    let old = server.log().take_filler().unwrap().unwrap();
    truncate(&mut server, 12).unwrap();
    server.log = Some(server.store.recover(&mut server.model).unwrap().log);
    server.fill(13..=200).unwrap();
    let mut new = server.log().take_filler().unwrap().unwrap();
    server.log().return_filler(old);
    assert!(
        server.log().take_filler().unwrap().is_none(),
        "the new one is still away"
    );
    while !new.step().unwrap() {}
    server.log().return_filler(new);
    server.fill(201..=600).unwrap();
}
