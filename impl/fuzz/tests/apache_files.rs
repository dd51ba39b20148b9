//! Apache's own directories through storage and tree: every digest that Apache wrote is the tree's, whichever snapshot
//! the recovery starts from; and a directory with any damage is either recovered to a state that it went through, or
//! refused.
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use zk_fuzz::replica::recover;

type Files = Vec<(String, Vec<u8>)>;

/// Each recorded directory with its files in order of their names.
fn directories() -> BTreeMap<String, Files> {
    let mut found = BTreeMap::new();
    for entry in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/bytes")).unwrap()
    {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("disk-") {
            let files = fs::read_dir(path).unwrap().map(|file| {
                let file = file.unwrap().path();
                (
                    file.file_name().unwrap().to_string_lossy().into_owned(),
                    fs::read(file).unwrap(),
                )
            });
            let mut files: Files = files.collect();
            files.sort();
            found.insert(name, files);
        }
    }
    assert!(found.len() >= 8, "{:?}", found.keys());
    found
}

fn snapshots(files: &Files) -> Vec<String> {
    files
        .iter()
        .map(|(name, _)| name.clone())
        .filter(|name| name.starts_with("snapshot."))
        .collect()
}

// spec: DF-REC-01, DF-REC-07, DF-REC-21, DF-SNAP-01, DF-SNAP-04, DF-SNAP-08, DF-DIG-02, DF-DIG-04, QP-TXN-10
#[test]
fn digests_agree_from_every_snapshot() {
    for (name, files) in directories() {
        let mut ends = Vec::new();
        for kept in snapshots(&files) {
            let some: Files = files
                .iter()
                .filter(|(file, _)| !file.starts_with("snapshot.") || *file == kept)
                .cloned()
                .collect();
            let (recovered, mut replica) =
                recover(&some).unwrap_or_else(|error| panic!("{name} from {kept}: {error}"));
            assert_eq!(replica.disagreed, [], "{name} from {kept}");
            let tree = replica.tree().unwrap();
            let sessions: Vec<_> = tree.sessions().collect();
            ends.push((
                recovered.last_zxid,
                tree.digest(),
                tree.node_count(),
                sessions,
            ));
            println!(
                "{name} from {kept}: {} records, {} digests agree",
                recovered.records, replica.agreed
            );
            if kept == "snapshot.0" && !name.contains("no-digest") {
                assert!(replica.agreed > 0, "{name}");
            }
        }
        assert!(!ends.is_empty(), "{name}");
        assert!(ends.iter().all(|end| *end == ends[0]), "{name}: {ends:?}");
    }
}

// spec: P-DETECT, DF-RD-03, DF-RD-04, DF-REC-03
#[test]
fn damage_is_refused_or_leads_to_a_state_that_was() {
    let directory = &directories()["disk-3.9.5"];
    let snapshots: Files = directory
        .iter()
        .filter(|(name, _)| name == "snapshot.0")
        .cloned()
        .collect();
    let logs: Files = directory
        .iter()
        .filter(|(name, _)| name.starts_with("log."))
        .cloned()
        .collect();
    let (mut refused, mut recovered) = (0, 0);
    for damaged in 0..logs.len() {
        for at in (0..logs[damaged].1.len()).step_by(7) {
            let mut files: Files = snapshots.iter().chain(&logs).cloned().collect();
            let bytes = &mut files[snapshots.len() + damaged].1;
            bytes[at] ^= 0x10;
            match recover(&files) {
                Err(_) => refused += 1,
                // Every digest on the way is Apache's, so the state is one that Apache's server had.
                Ok((found, mut replica)) => {
                    assert_eq!(replica.disagreed, [], "{} at {at}", logs[damaged].0);
                    assert_eq!(Some(replica.tree().unwrap().last_zxid()), found.last_zxid);
                    recovered += 1;
                }
            }
        }
    }
    println!("{refused} refused, {recovered} recovered");
    assert!(
        refused > recovered,
        "{refused} refused, {recovered} recovered"
    );
    assert!(recovered > 0);
}

// spec: DF-SNAP-03, DF-SNAP-08, DF-REC-02, DF-FAIL-01
#[test]
fn a_snapshot_with_any_bit_turned_does_not_load() {
    let directory = &directories()["disk-3.9.5"];
    for kept in ["snapshot.3a", "snapshot.36.gz", "snapshot.38.snappy"] {
        let place = directory.iter().position(|(name, _)| name == kept).unwrap();
        let (mut refused, mut harmless) = (0, 0);
        for at in 0..directory[place].1.len() {
            let mut files: Files = directory
                .iter()
                .filter(|(name, _)| !name.starts_with("snapshot.") || name == kept)
                .cloned()
                .collect();
            let (_, bytes) = files.iter_mut().find(|(name, _)| name == kept).unwrap();
            bytes[at] ^= 1 << (at % 8);
            match recover(&files) {
                Err(_) => refused += 1,
                // Not every bit of a compressed file changes what comes out of it: a time, a version, a copy of the
                // same bytes from another place.
                Ok((_, replica)) => {
                    assert_eq!(replica.disagreed, [], "{kept} at {at}");
                    harmless += 1;
                }
            }
        }
        println!("{kept}: {refused} refused, {harmless} harmless");
        assert!(
            harmless * 10 < refused && (harmless == 0 || kept != "snapshot.3a"),
            "{kept}: {harmless}"
        );
    }
}
