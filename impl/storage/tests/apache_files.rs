//! Directories that Apache's servers wrote (`conformance/bytes`): read whole, torn, damaged, continued.
//! spec: disk-format.md 9 and 17, tests 1, 3, 4
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's helpers fail it by panicking

mod common;

use std::path::{Path, PathBuf};

use common::*;
use zk_storage::sim::SimDisk;
use zk_storage::{Config, parse_log, parse_snapshot};

fn recorded() -> Vec<(String, SimDisk)> {
    let bytes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/bytes");
    let mut dirs: Vec<PathBuf> = entries(&bytes)
        .into_iter()
        .filter(|path| path.is_dir())
        .collect();
    dirs.retain(|path| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("disk-")
    });
    assert!(dirs.len() >= 6, "{dirs:?}");
    dirs.into_iter()
        .map(|dir| {
            let disk = SimDisk::new();
            for path in entries(&dir) {
                disk.put_file(
                    &file(path.file_name().unwrap().to_str().unwrap()),
                    &std::fs::read(&path).unwrap(),
                );
            }
            (dir.file_name().unwrap().to_str().unwrap().to_owned(), disk)
        })
        .collect()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
}

fn names(disk: &SimDisk) -> Vec<String> {
    disk.contents()
        .into_iter()
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

/// Zxid of each record and its offset, read without the storage's reader.
fn records(bytes: &[u8]) -> Vec<(usize, usize, i64)> {
    let (mut at, mut found) = (16, Vec::new());
    while at + 12 < bytes.len() {
        let len = i32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        if len == 0 {
            break;
        }
        let zxid = i64::from_be_bytes(bytes[at + 24..at + 32].try_into().unwrap());
        found.push((at, at + len + 13, zxid));
        at += len + 13;
    }
    found
}

fn last_log(disk: &SimDisk) -> (String, Vec<(usize, usize, i64)>) {
    let newest = names(disk)
        .into_iter()
        .filter_map(|name| Some((parse_log(&name)?, name)))
        .max()
        .unwrap()
        .1;
    let found = records(&disk.read_file(&file(&newest)).unwrap());
    (newest, found)
}

// spec: DF-REC-07, DF-REC-09, DF-RD-01, DF-LOG-06
#[test]
fn every_directory_is_read_to_its_last_record() {
    for (name, disk) in recorded() {
        let (_, found) = last_log(&disk);
        let (server, facts) = restart(&disk);
        let last = found.last().unwrap().2;
        assert_eq!(facts.last_zxid, Some(last), "{name}");
        assert_eq!(facts.warnings, Vec::<String>::new(), "{name}");
        let newest = names(&disk)
            .iter()
            .filter_map(|name| parse_snapshot(name))
            .max()
            .unwrap()
            .0;
        assert_eq!(facts.snapshot_zxid, Some(newest), "{name}");
        let logs = names(&disk)
            .into_iter()
            .filter(|name| parse_log(name).is_some());
        let mut all: Vec<i64> = logs
            .flat_map(|log| records(&disk.read_file(&file(&log)).unwrap()))
            .map(|(_, _, zxid)| zxid)
            .filter(|zxid| *zxid > newest)
            .collect();
        all.sort_unstable();
        assert_eq!(server.model.replayed, all, "{name}");
    }
}

// spec: DF-REC-01, DF-SNAP-04, DF-SNAP-08. Plain, gzip and snappy, of two releases, with and without digests.
#[test]
fn every_snapshot_is_read_and_the_log_leads_to_the_same_tree_from_each() {
    for (name, disk) in recorded() {
        let whole = restart(&disk).0.model;
        let snapshots: Vec<String> = names(&disk)
            .into_iter()
            .filter(|name| name.starts_with("snapshot."))
            .collect();
        for used in &snapshots {
            let disk = disk.fork();
            for other in snapshots.iter().filter(|other| *other != used) {
                disk.delete_file(&file(other));
            }
            let (server, facts) = restart(&disk);
            assert_eq!(
                facts.snapshot_zxid,
                parse_snapshot(used).map(|(zxid, _)| zxid)
            );
            assert_eq!(server.model.last, whole.last, "{name} from {used}");
            let paths = |model: &Model| model.nodes.keys().cloned().collect::<Vec<_>>();
            if !name.contains("no-paths") {
                assert!(
                    used == "snapshot.0" || paths(&server.model) == paths(&whole),
                    "{name} from {used}"
                );
            }
        }
    }
}

// spec: DF-RD-02, DF-RD-03, DF-ALG-03: killed while it wrote: the file is cut, or zeros stand where bytes were to come
#[test]
fn the_last_records_torn_at_every_byte() {
    for (name, disk) in recorded() {
        let (newest, found) = last_log(&disk);
        let whole = disk.read_file(&file(&newest)).unwrap();
        let last = found.last().unwrap();
        let snapshots = names(&disk).into_iter();
        let snapshot = snapshots
            .filter_map(|name| parse_snapshot(&name))
            .max()
            .unwrap()
            .0;
        let before = snapshot.max(last.2 - 1);
        for cut in last.0..last.1 {
            let short = disk.fork();
            edit(&short, &newest, |bytes| bytes.truncate(cut));
            assert_eq!(restart(&short).0.model.last, before, "{name}: cut at {cut}");
            // As after a lost page: the length is there, the end byte is not.
            let zeros = disk.fork();
            edit(&zeros, &newest, |bytes| bytes[cut..].fill(0));
            if whole[cut..last.1].iter().any(|byte| *byte != 0) {
                assert_eq!(
                    restart(&zeros).0.model.last,
                    before,
                    "{name}: zeros from {cut}"
                );
            }
            assert_eq!(
                restart(&zeros).1.warnings,
                Vec::<String>::new(),
                "{name}: cut off for good"
            );
        }
    }
}

// spec: FT-DISK-12, FT-DISK-13, DF-RD-04: no mark of ours vouches for any byte, so a bad record refuses the start
#[test]
fn a_flipped_byte_refuses_the_start() {
    for (name, disk) in recorded() {
        let (newest, found) = last_log(&disk);
        for (from, to, zxid) in found {
            for at in [from + 5, from + 8, from + 12, from + 30, to - 2, to - 1] {
                let bad = disk.fork();
                let is_last_torn =
                    zxid == last_log(&disk).1.last().unwrap().2 && (at == to - 1 || at == from + 8);
                edit(&bad, &newest, |bytes| bytes[at] ^= 0x11);
                // The end byte or a wild length of the very last record looks like a torn write, as Apache takes it.
                if !is_last_torn {
                    let damage = refused(&bad, config(), &newest);
                    assert_eq!(damage.offset, from as u64, "{name} byte {at}");
                }
            }
        }
    }
}

// spec: DF-LOG-04, disk-format.md 9: the log goes on in a file of its own, and Apache's files stay as they were
#[test]
fn our_log_goes_on_behind_apaches() {
    for (name, disk) in recorded() {
        let before: Vec<_> = disk.contents();
        let (mut server, facts) = restart(&disk);
        let last = facts.last_zxid.unwrap();
        server.fill(last + 1..last + 4).unwrap();
        server.snapshot().unwrap();
        server.fill(last + 4..last + 6).unwrap();
        for (path, bytes) in &before {
            assert_eq!(&disk.read_file(path).unwrap(), bytes, "{name}: {path:?}");
        }
        let (server, facts) = restart(&disk);
        assert_eq!(
            (server.model.last, facts.snapshot_zxid),
            (last + 5, Some(last + 3)),
            "{name}"
        );
        // The mark vouches for what was read, too.
        let (newest, found) = last_log(&disk);
        assert_eq!(newest, zk_storage::log_name(last + 4));
        edit(&disk, &newest, |bytes| bytes[found[0].1 - 1] = 0);
        refused(&disk, config(), &newest);
    }
}

// spec: FT-DISK-13, disk-format.md 8: once we have read and synced a foreign log, damage in it is damage
#[test]
fn what_was_read_once_is_vouched_for() {
    for (_, disk) in recorded() {
        restart(&disk);
        let (newest, found) = last_log(&disk);
        edit(&disk, &newest, |bytes| {
            bytes.truncate(found.last().unwrap().1 - 1)
        });
        refused(&disk, config(), &newest);
    }
}

// spec: DF-EPO-03, DF-EPO-06. The servers of an ensemble left epoch files too; the recordings keep logs and snapshots only.
#[test]
fn an_ensembles_directory_wants_its_epoch_files() {
    for (name, disk) in recorded() {
        let (_, found) = last_log(&disk);
        let epoch = found.last().unwrap().2 >> 32;
        let member = Config {
            standalone: false,
            ..config()
        };
        if epoch == 0 {
            let (_, facts) = restart_with(&disk, member);
            assert_eq!(facts.epochs.map(|epochs| epochs.current), Some(0), "{name}");
        } else {
            refused(&disk, member.clone(), "currentEpoch");
            disk.put_file(&file("currentEpoch"), epoch.to_string().as_bytes());
            disk.put_file(&file("acceptedEpoch"), epoch.to_string().as_bytes());
            assert!(restart_with(&disk, member).1.trusted, "{name}");
        }
    }
}
