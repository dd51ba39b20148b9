//! What a watch costs.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::alloc::System;

use cap::Cap;
use zk_tree::watch::Counts;
use zk_tree::{AclRef, Change, Trigger, WatchKind, Watches};

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const WATCHES: usize = 1_000_000;

/// Live bytes a watch, of a million that `place` puts somewhere.
fn bytes_a_watch(watches: &mut Watches, place: impl Fn(usize) -> (u64, String)) -> f64 {
    let before = ALLOCATOR.allocated();
    for number in 0..WATCHES {
        let (connection, path) = place(number);
        watches.add(connection, &path, WatchKind::Data);
    }
    (ALLOCATOR.allocated() - before) as f64 / WATCHES as f64
}

// spec: FT-LOAD-04, CP-GAP-18
#[test]
fn a_watch_takes_less_than_200_bytes_and_leaves_nothing() {
    let start = ALLOCATOR.allocated();
    let mut watches = Watches::new();
    let one_path = bytes_a_watch(&mut watches, |number| (number as u64, "/watched".into()));
    let trigger = Trigger {
        change: Change::DataChanged,
        path: "/watched".into(),
        acl: AclRef::Open,
        parent_acl: None,
    };
    let mut told = 0;
    watches.trigger(&trigger, |_, connections| told += connections.len());
    assert_eq!(told, WATCHES);
    assert_eq!(watches.counts(), Counts::default());

    let mut watches = Watches::new();
    let many_paths = bytes_a_watch(&mut watches, |number| {
        (7, format!("/{:08}/{:08}", number % 1000, number / 1000))
    });
    watches.remove_connection(7);
    assert_eq!(watches.counts(), Counts::default());

    assert!(
        ALLOCATOR.allocated() - start < 1 << 20,
        "memory of watches that are gone"
    );

    println!(
        "live bytes a watch: {one_path:.1} of a million on one path, {many_paths:.1} on a million paths"
    );
    assert!(one_path < 200.0, "{one_path}");
    assert!(many_paths < 200.0, "{many_paths}");
}
