//! Scripted scenarios. `UPDATE_EXPECT=1 cargo test -p zab` rewrites what
//! happened below each `>` line; a new scenario starts as a file of such lines.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod support;

use std::path::Path;

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(name);
    let script = std::fs::read_to_string(&path).expect("the transcript");
    expect_test::expect_file![path].assert_eq(&support::run_script(&script));
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
    late_joiner leader_crash_broadcast leader_crash_discovery leader_crash_sync observer reads
    snap stale_leader three_servers trunc trunc_inside wiped_server
}

// A file that no test runs would go stale.
#[test]
fn every_transcript_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let files = std::fs::read_dir(folder).expect("the folder").count();
    assert_eq!(files, NAMES.len());
}
