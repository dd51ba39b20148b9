//! Whole ensembles in memory: scripted scenarios and random schedules.
//!
//! `UPDATE_EXPECT=1 cargo test -p zab` rewrites what happened below each `>` line
//! of `tests/transcripts`; a new scenario starts as a file of such lines.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod world;

use std::path::Path;

use quickcheck::{Gen, QuickCheck};
use world::World;
use zab::{Config, ServerId};

fn check(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let path = folder.join(name);
    let script = std::fs::read_to_string(&path).expect("the transcript");
    expect_test::expect_file![path].assert_eq(&world::run(&script));
}

macro_rules! transcripts {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            check(concat!(stringify!($name), ".txt"));
        })*
    };
}

transcripts! {
    counter_used_up diff disk_drains election_of_five epoch_clash first_start joins_under_load
    late_joiner leader_crash_broadcast leader_crash_discovery leader_crash_sync observer opening_txn reads
    snap stale_leader three_servers trunc trunc_inside wiped_server
}

// A file that no test runs would go stale.
#[test]
fn every_transcript_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let files = std::fs::read_dir(folder).expect("the folder").count();
    assert_eq!(files, NAMES.len());
}

/// Whatever the schedule, trees agree; once faults end, everybody serves.
fn agrees(voters: i64, observers: i64, edit: impl Fn(&mut Config), choices: &[u16]) -> bool {
    let ids: Vec<_> = (1..=voters + observers).map(ServerId).collect();
    let (voting, observing) = ids.split_at(usize::try_from(voters).expect("few"));
    let mut world = World::new(voting, observing, edit);
    for id in &ids {
        world.start(*id);
    }
    world.walk(choices);
    world.heal();
    true
}

/// 300 schedules of up to 400 steps, or as many as `ZAB_SCHEDULES` says.
fn explore(property: fn(Vec<u16>) -> bool) {
    let tests = std::env::var("ZAB_SCHEDULES")
        .ok()
        .and_then(|text| text.parse().ok());
    QuickCheck::new()
        .rng(Gen::new(400))
        .tests(tests.unwrap_or(300))
        .quickcheck(property);
}

#[test]
fn three_servers_agree_after_any_schedule() {
    explore(|choices| agrees(3, 0, |_| (), &choices));
}

#[test]
fn an_observer_and_snapshots_agree_after_any_schedule() {
    explore(|choices| agrees(3, 1, |config| config.window = 1, &choices));
}

#[test]
fn five_servers_agree_after_any_schedule() {
    explore(|choices| agrees(5, 0, |_| (), &choices));
}

// spec: QP-INT-02.
#[test]
fn servers_that_open_with_a_first_txn_agree_after_any_schedule() {
    explore(|choices| agrees(3, 1, |config| config.opening_txn = true, &choices));
}
