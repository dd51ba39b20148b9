//! The power goes at every step of a workload; whatever of the unsynced survives, the server starts without an
//! operator, holds every acknowledged write, and its tree is the one that it was after its last txn: same digest,
//! znodes, ACLs and sessions. spec: DF-ALG-05, DF-SYN-01, DF-SYN-04, DF-SYN-05, FT-PROC-08, FT-DISK-01, FT-DISK-19, FT-DISK-20, FT-DISK-21, FT-DISK-34
//!
//! A step is a call that changes the disk: create, write, set length, sync, sync of a directory, rename, remove.
//!
//! - First crash: at every step of the workload, every outcome: keep all, drop all, drop each pending item alone, keep
//!   each alone, each write torn at 512 and at 4096 bytes (its first block left, its last, all but its last), 20 seeded mixes.
//! - Second crash: of the crash points at every fifth step of the workload, those of four outcomes (keep all, drop all,
//!   mixes 0 and 1) are recovered with the power cut at every step of the recovery; there it is keep all, drop all and
//!   mixes 0 and 1 again.
//! - Of every sixteenth first crash the recovered server takes more writes, which must survive the next.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's helpers fail it by panicking

mod workload;

use workload::{Plan, Server, TXNS, start};
use zk_storage::sim::{Outcome, SimDisk, Verdict};

/// Each takes every `WORKERS`-th step of the workload.
const WORKERS: u64 = 2;
/// Of which steps the recovery is cut as well.
const SECOND_EVERY: u64 = 5;
const SECOND: [Outcome; 4] = [
    Outcome::KeepAll,
    Outcome::DropAll,
    Outcome::Mix(0),
    Outcome::Mix(1),
];

/// Cuts the power at a step, by the disk's own count.
fn cut_at(disk: &SimDisk, step: u64) {
    disk.set_hook(move |call| {
        if call.step >= step {
            Verdict::Halt
        } else {
            Verdict::Proceed
        }
    });
}

/// The workload up to a step; what was acknowledged, and whether it came to its end.
fn run_until(plan: &Plan, step: u64) -> (SimDisk, i64, bool) {
    let disk = SimDisk::new();
    cut_at(&disk, step);
    let mut acked = 0;
    let finished = start(&disk)
        .and_then(|(mut server, _)| server.run(plan, &mut acked))
        .is_ok();
    (disk, acked, finished)
}

/// The disk recovers to a state that a client cannot tell from one without the crash.
fn check(disk: &SimDisk, plan: &Plan, acked: i64, what: &str) -> Server {
    let (server, warnings) = start(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let last = server.last();
    assert!(
        last >= acked,
        "{what}: {last:#x} recovered, {acked:#x} acknowledged"
    );
    assert_eq!(Some(&server.state()), plan.states.get(&last), "{what}");
    assert!(
        !warnings.iter().any(|line| line.contains("digest")),
        "{what}: {warnings:?}"
    );
    server
}

#[derive(Default)]
struct Counts {
    crashes: u64,
    tears: u64,
    /// Crash points whose recovery was cut, the steps of all those recoveries, and the crashes there.
    recoveries: u64,
    recovery_steps: u64,
    second: u64,
}

#[test]
fn every_step_and_every_outcome() {
    let plan = Plan::make();
    println!("{:?}", plan.kinds());
    assert!(plan.states.len() as i64 > TXNS && plan.longest_multi() > 2 * 4096);
    let (whole, acked, finished) = run_until(&plan, u64::MAX);
    assert!(finished && Some(&acked) == plan.states.keys().last());
    let steps = whole.steps();
    let counts = std::thread::scope(|scope| {
        let plan = &plan;
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| scope.spawn(move || crash_all(plan, worker, steps)))
            .collect();
        let counts = workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker found what is above"));
        counts.fold(Counts::default(), |one, two| Counts {
            crashes: one.crashes + two.crashes,
            tears: one.tears + two.tears,
            recoveries: one.recoveries + two.recoveries,
            recovery_steps: one.recovery_steps + two.recovery_steps,
            second: one.second + two.second,
        })
    });
    println!(
        "{steps} steps, {} crashes ({} torn writes); {} recoveries cut at each of their {} steps: {} second crashes",
        counts.crashes, counts.tears, counts.recoveries, counts.recovery_steps, counts.second
    );
    assert!(steps > 500 && counts.tears > 100, "{steps}");
    assert!(counts.recoveries > 300 && counts.recovery_steps > 5 * counts.recoveries);
}

/// Every outcome of a crash at every `WORKERS`-th step.
fn crash_all(plan: &Plan, worker: u64, steps: u64) -> Counts {
    let mut counts = Counts::default();
    for step in (worker..=steps).step_by(WORKERS as usize) {
        let (disk, acked, _) = run_until(plan, step);
        for outcome in disk.outcomes(20) {
            let what = format!("step {step}, {outcome:?}");
            let after = disk.fork();
            after.crash(outcome);
            counts.tears += u64::from(matches!(outcome, Outcome::Tear { .. }));
            if step % SECOND_EVERY == 0 && SECOND.contains(&outcome) {
                crash_recovery(&after, plan, acked, &what, &mut counts);
            }
            let mut server = check(&after, plan, acked, &what);
            if counts.crashes % 16 == 0 {
                goes_on(&after, plan, &mut server, &what);
            }
            counts.crashes += 1;
        }
    }
    counts
}

/// Recovery is cut at each of its own steps and must work from what that leaves.
fn crash_recovery(disk: &SimDisk, plan: &Plan, acked: i64, what: &str, counts: &mut Counts) {
    let whole = disk.fork();
    check(&whole, plan, acked, what);
    counts.recoveries += 1;
    for step in disk.steps()..whole.steps() {
        counts.recovery_steps += 1;
        let cut = disk.fork();
        cut_at(&cut, step);
        assert!(start(&cut).is_err(), "{what}: step {step} is not reached");
        for outcome in SECOND {
            let after = cut.fork();
            after.crash(outcome);
            let what = format!("{what}, then {outcome:?} at step {step} in recovery");
            check(&after, plan, acked, &what);
            counts.second += 1;
        }
    }
}

/// The recovered server takes writes, and they survive.
fn goes_on(disk: &SimDisk, plan: &Plan, server: &mut Server, what: &str) {
    let acked = server
        .go_on(plan)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let (last, state) = (server.last(), server.state());
    assert_eq!(acked, last, "{what}");
    disk.crash(Outcome::DropAll);
    let again = check(disk, plan, acked, &format!("{what}, and on"));
    assert_eq!((again.last(), again.state()), (last, state), "{what}");
}
