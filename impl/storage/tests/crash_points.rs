//! The power goes at every step of a workload; whatever of the unsynced survives, the server starts without an
//! operator and holds every acknowledged write. spec: DF-ALG-05, DF-SYN-01, DF-SYN-04, DF-SYN-05, FT-PROC-08, FT-DISK-01, FT-DISK-19, FT-DISK-20, FT-DISK-21
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's helpers fail it by panicking

mod common;

use std::collections::BTreeMap;

use common::*;
use zk_proto::Txn;
use zk_storage::Error;
use zk_storage::sim::{Outcome, SimDisk, Verdict};

const TXNS: i64 = 520;

/// What a client of the workload saw.
#[derive(Default)]
struct Seen {
    acked: i64,
    /// The tree's content after each transaction.
    states: BTreeMap<i64, Model>,
}

fn txn(number: i64) -> Txn {
    match number % 20 {
        1 => Txn::CreateSession { timeout: 10_000 },
        7 if number > 20 => Txn::Delete {
            path: format!("/n{}", number - 20),
        },
        11 => Txn::Error { err: -110 },
        13 => Txn::SetData {
            path: "/config".into(),
            data: Some(vec![number as u8; 300].into()),
            version: number as i32,
        },
        // Longer than a page, so that a tear leaves part of it.
        17 if number % 100 == 17 => Txn::Multi(
            (0..3)
                .map(|part| create(&format!("/multi{number}.{part}"), &[number as u8; 3000]))
                .collect(),
        ),
        _ => create(
            &format!("/n{number}"),
            &vec![number as u8; (number % 150) as usize],
        ),
    }
}

/// 520 transactions in batches of one to nine, a new epoch, four snapshots with rolls, further rolls, a purge, and
/// the next file prepared in idle moments.
fn workload(server: &mut Server, seen: &mut Seen) -> Result<(), Error> {
    seen.states.insert(0, server.model.clone());
    let (mut zxid, mut filler) = (0, None);
    for number in 1..=TXNS {
        zxid = if number == 300 {
            0x1_0000_0001
        } else {
            zxid + 1
        };
        let txn = txn(number);
        server.log().append(zxid, &payload(zxid, &txn))?;
        server.model.apply(zxid, SESSION, &txn);
        seen.states.insert(zxid, server.model.clone());
        if number * 7 % 10 < 3 || number % 9 == 0 {
            seen.acked = server.log().sync()?;
        }
        if number % 25 == 0 {
            filler = match filler.take() {
                Some(filler) => Some(filler),
                None => server.log().take_filler()?,
            };
            if let Some(part) = &mut filler
                && part.step()?
            {
                server.log().return_filler(filler.take());
            }
        }
        match number {
            // Not right after a sync: a roll has something to make durable.
            115 | 215 | 314 | 415 => {
                server.snapshot()?;
            }
            165 | 265 | 465 => server.log().roll()?,
            430 => {
                let purged = server.purge()?;
                assert!(purged.removed.len() > 2, "{purged:?}");
            }
            _ => {}
        }
    }
    seen.acked = server.log().sync()?;
    Ok(())
}

fn run_until(step: u64) -> (SimDisk, Seen, bool) {
    let disk = SimDisk::new();
    disk.set_hook(move |call| {
        if call.step >= step {
            Verdict::Halt
        } else {
            Verdict::Proceed
        }
    });
    let mut seen = Seen::default();
    let finished = start(&disk)
        .and_then(|mut server| workload(&mut server, &mut seen))
        .is_ok();
    (disk, seen, finished)
}

/// The disk recovers to a state that the client cannot tell from one without the crash.
fn check(disk: &SimDisk, seen: &Seen, what: &str) -> Server {
    let server = start(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let last = server.model.last;
    assert!(
        last >= seen.acked,
        "{what}: {last:#x} recovered, {:#x} acknowledged",
        seen.acked
    );
    let expected = seen.states.get(&last).cloned().unwrap_or_else(Model::empty);
    assert_eq!(server.model.state(), expected.state(), "{what}");
    server
}

#[test]
fn every_step_and_every_outcome() {
    let (whole, all, finished) = run_until(u64::MAX);
    assert!(finished);
    let steps = whole.steps();
    assert!(all.states.len() as i64 > TXNS - 1);
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| std::thread::spawn(move || crash_all(worker, steps)))
        .collect();
    let counts = workers
        .into_iter()
        .map(|worker| worker.join().expect("a worker found what is above"));
    let counts = counts
        .reduce(|one, two| std::array::from_fn(|at| one[at] + two[at]))
        .unwrap();
    let [crashes, second, tears] = counts;
    println!(
        "{steps} steps, {crashes} crashes, {tears} torn writes, {second} second crashes during recovery"
    );
    assert!(
        steps > 500 && tears > 100 && second > 1000,
        "{steps} {tears} {second}"
    );
}

const WORKERS: u64 = 2;

/// Every outcome of a crash at every `WORKERS`-th step; how many, with how many second crashes and torn writes.
fn crash_all(worker: u64, steps: u64) -> [u64; 3] {
    let [mut crashes, mut second, mut tears] = [0; 3];
    for step in (worker..=steps).step_by(WORKERS as usize) {
        let (disk, seen, _) = run_until(step);
        for outcome in disk.outcomes(20) {
            let what = format!("step {step}, {outcome:?}");
            let after = disk.fork();
            after.crash(outcome);
            tears += u64::from(matches!(outcome, Outcome::Tear { .. }));
            second += u64::from(crash_again(&after, &seen, crashes, &what));
            let mut server = check(&after, &seen, &what);
            if crashes % 16 == 0 {
                goes_on(&after, &mut server, &what);
            }
            crashes += 1;
        }
    }
    [crashes, second, tears]
}

/// Recovery is cut off at one of its own steps, a different one each time, and must work from what that leaves.
fn crash_again(disk: &SimDisk, seen: &Seen, turn: u64, what: &str) -> bool {
    let disk = disk.fork();
    let at = disk.steps() + turn % 12;
    disk.set_hook(move |call| {
        if call.step >= at {
            Verdict::Halt
        } else {
            Verdict::Proceed
        }
    });
    let cut_off = start(&disk).is_err();
    let outcomes = disk.outcomes(4);
    let outcome = outcomes[(turn / 12) as usize % outcomes.len()];
    disk.crash(outcome);
    check(
        &disk,
        seen,
        &format!("{what}, then {outcome:?} at step {} of recovery", turn % 12),
    );
    cut_off
}

/// The recovered server takes writes, and they survive.
fn goes_on(disk: &SimDisk, server: &mut Server, what: &str) {
    let next = server.model.last + 1;
    server
        .fill(next..next + 3)
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let expected = server.model.clone();
    disk.crash(Outcome::DropAll);
    let again = start(disk).unwrap_or_else(|error| panic!("{what}, and on: {error}"));
    assert_eq!(again.model.state(), expected.state(), "{what}, and on");
}
