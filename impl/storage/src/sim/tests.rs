use std::path::Path;

use super::*;

fn disk() -> SimDisk {
    let disk = SimDisk::new();
    disk.create_dirs(Path::new("/d")).unwrap();
    disk
}

fn durable_file(disk: &SimDisk, name: &str, bytes: &[u8]) -> Box<dyn DiskFile> {
    disk.put_file(Path::new(name), bytes);
    disk.open_write(Path::new(name)).unwrap()
}

#[test]
fn what_was_synced_survives_and_nothing_else() {
    let disk = disk();
    let file = disk.create_new(Path::new("/d/a")).unwrap();
    file.write_all_at(0, b"one").unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    file.write_all_at(3, b"two").unwrap();
    assert_eq!(disk.read_file(Path::new("/d/a")).unwrap(), b"onetwo");
    let kept = disk.fork();
    kept.crash(Outcome::KeepAll);
    assert_eq!(kept.read_file(Path::new("/d/a")).unwrap(), b"onetwo");
    disk.crash(Outcome::DropAll);
    assert_eq!(disk.read_file(Path::new("/d/a")).unwrap(), b"one");
    assert!(
        file.write_all_at(0, b"x").is_err(),
        "a handle of before the crash"
    );
}

// spec: FT-DISK-19
#[test]
fn a_synced_file_without_a_synced_directory_vanishes() {
    let disk = disk();
    let file = disk.create_new(Path::new("/d/a")).unwrap();
    file.write_all_at(0, b"one").unwrap();
    file.sync_data().unwrap();
    disk.crash(Outcome::DropAll);
    assert_eq!(disk.list(Path::new("/d")).unwrap(), Vec::<String>::new());
}

// spec: FT-DISK-20
#[test]
fn a_rename_is_undone_or_done() {
    let disk = disk();
    durable_file(&disk, "/d/new", b"new");
    durable_file(&disk, "/d/old", b"old");
    disk.rename(Path::new("/d/new"), Path::new("/d/old"))
        .unwrap();
    let undone = disk.fork();
    undone.crash(Outcome::DropAll);
    assert_eq!(undone.read_file(Path::new("/d/old")).unwrap(), b"old");
    assert_eq!(undone.read_file(Path::new("/d/new")).unwrap(), b"new");
    disk.crash(Outcome::KeepAll);
    assert_eq!(disk.read_file(Path::new("/d/old")).unwrap(), b"new");
    assert_eq!(disk.list(Path::new("/d")).unwrap(), ["old"]);
}

#[test]
fn a_later_write_may_survive_an_earlier_one() {
    let disk = disk();
    let file = durable_file(&disk, "/d/a", b"----");
    file.write_all_at(0, b"1").unwrap();
    file.write_all_at(3, b"2").unwrap();
    disk.crash(Outcome::Drop(0));
    assert_eq!(disk.read_file(Path::new("/d/a")).unwrap(), b"---2");
}

#[test]
fn a_torn_write_leaves_whole_blocks() {
    let disk = disk();
    let file = durable_file(&disk, "/d/a", &[1; 2048]);
    file.write_all_at(100, &[2; 1500]).unwrap();
    disk.crash(Outcome::Tear {
        item: 0,
        unit: 512,
        part: Part::Last,
    });
    let bytes = disk.read_file(Path::new("/d/a")).unwrap();
    assert!(bytes[..1536].iter().all(|byte| *byte == 1));
    assert!(bytes[1536..1600].iter().all(|byte| *byte == 2));
    assert!(bytes[1600..].iter().all(|byte| *byte == 1));
}

// spec: FT-DISK-06
#[test]
fn a_failed_sync_drops_what_was_pending_and_the_next_one_succeeds() {
    let disk = disk();
    let file = durable_file(&disk, "/d/a", b"old");
    file.write_all_at(0, b"new").unwrap();
    disk.set_hook(|call| {
        if call.kind == CallKind::SyncData {
            Verdict::Fail(5)
        } else {
            Verdict::Proceed
        }
    });
    assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
    disk.clear_hook();
    file.sync_data().unwrap();
    assert_eq!(
        disk.read_file(Path::new("/d/a")).unwrap(),
        b"new",
        "the cache still shows it"
    );
    disk.crash(Outcome::KeepAll);
    assert_eq!(disk.read_file(Path::new("/d/a")).unwrap(), b"old");
}

#[test]
fn power_goes_at_a_step() {
    let disk = disk();
    let file = durable_file(&disk, "/d/a", b"");
    let step = disk.steps() + 1;
    disk.set_hook(move |call| {
        if call.step >= step {
            Verdict::Halt
        } else {
            Verdict::Proceed
        }
    });
    file.write_all_at(0, b"1").unwrap();
    assert!(file.sync_data().is_err());
    assert!(file.read_at(0, &mut [0]).is_err());
    disk.crash(Outcome::KeepAll);
    assert_eq!(
        disk.read_file(Path::new("/d/a")).unwrap(),
        b"1",
        "what was pending was settled, not synced"
    );
}

#[test]
fn equal_seeds_give_equal_crashes() {
    let disk = disk();
    let file = durable_file(&disk, "/d/a", b"");
    for block in 0..50u64 {
        file.write_all_at(block * 700, &[block as u8 + 1; 700])
            .unwrap();
    }
    let results: Vec<_> = (0..4)
        .map(|seed| {
            let (one, two) = (disk.fork(), disk.fork());
            one.crash(Outcome::Mix(seed));
            two.crash(Outcome::Mix(seed));
            assert_eq!(one.contents(), two.contents());
            one.contents()
        })
        .collect();
    assert_ne!(results[0], results[1]);
}

#[test]
fn short_misdirected_and_delayed_calls() {
    let disk = disk();
    let file = durable_file(&disk, "/d/a", b"");
    disk.set_hook(|call| match call.kind {
        CallKind::Write { offset: 0, .. } => Verdict::Short(2),
        CallKind::Write { offset: 2, .. } => Verdict::Misdirect(4),
        CallKind::SyncData => Verdict::Delay(30),
        _ => Verdict::Proceed,
    });
    file.write_all_at(0, b"abcd").unwrap();
    file.sync_data().unwrap();
    assert_eq!(disk.read_file(Path::new("/d/a")).unwrap(), b"ab\0\0cd");
    assert_eq!(disk.take_delay(), 30);
}
