//! The checker's paths, walked by production servers: what the model's cores do, theirs do too (zab-model section 12).

#![allow(clippy::unwrap_used, unreachable_pub)]

mod host;
mod payload;
mod replay;

use anyhow::{Context, Result};
use host::HostBug;
use replay::{Counts, Replay};
use std::path::Path;
use zab_checker::counterexample::Counterexample;
use zab_checker::ensemble::Action;
use zab_checker::setup::{Bounds, Granularity, Setup};
use zab_checker::walk::Chooser;
use zk_node::Bugs;

const PATHS: u64 = 1000;

/// Steps of one path. Budgets are used up by then, and pings go on for ever.
const LONGEST: usize = 200;

fn setups() -> Vec<Setup> {
    let all = |granularity, bounds| Setup {
        timeouts: 3,
        reduced: false,
        ..Setup::new(granularity, bounds)
    };
    let oracle = Bounds::new(4, 6, 3, 3);
    vec![
        all(Granularity::G3, Bounds::new(0, 8, 3, 3)),
        all(Granularity::G1, oracle),
        Setup {
            window: 0,
            ..all(Granularity::G0, oracle)
        },
        Setup {
            wipes: 1,
            window: 0,
            ..all(Granularity::G1, oracle)
        },
        Setup {
            window: 0,
            ..all(Granularity::G3, Bounds::new(0, 8, 4, 4))
        },
        Setup {
            queued_disk: false,
            half_open: false,
            ..all(Granularity::G1, oracle)
        },
        Setup {
            servers: 5,
            ..all(Granularity::G1, oracle)
        },
        all(Granularity::G0, oracle),
        Setup {
            opening_txn: true,
            ..all(Granularity::G1, oracle)
        },
    ]
}

/// The setup of a seed, and its path, to its end or to the first difference.
fn walk(seed: u64, bugs: Bugs, bug: Option<HostBug>) -> Result<Counts> {
    let setups = setups();
    let setup = &setups[(seed / 2) as usize % setups.len()];
    let mut replay = Replay::begin(setup, bugs, bug)?;
    go_on(&mut replay, seed, LONGEST)
        .with_context(|| format!("path {seed} of {:?}", setup.granularity))?;
    Ok(replay.done)
}

/// Random steps from here.
fn go_on(replay: &mut Replay, seed: u64, steps: usize) -> Result<()> {
    let mut chooser = Chooser::new(seed);
    let mut actions: Vec<Action> = Vec::new();
    for _ in 0..steps {
        let Some(action) = chooser.next(&replay.model, &replay.state) else {
            break;
        };
        if !replay.has_client(&action) {
            continue;
        }
        let done = replay.step(&action);
        actions.push(action);
        done.with_context(|| shown(&actions))?;
    }
    Ok(())
}

/// As the checker stores paths.
fn shown(actions: &[Action]) -> String {
    let text = serde_json::to_string(actions).unwrap_or_default();
    format!("step {}, {:?}: {text}", actions.len(), actions.last())
}

// spec: zab-model section 12.
#[test]
fn a_thousand_paths_lead_the_servers_where_they_lead_the_model() {
    let half = |odd: u64| {
        let mut total = Counts::default();
        for seed in (0..PATHS).filter(|seed| seed % 2 == odd) {
            let done = walk(seed, Bugs::default(), None);
            total.add(&done.unwrap_or_else(|difference| panic!("{difference:?}")));
        }
        total
    };
    let total = std::thread::scope(|scope| {
        let odd = scope.spawn(|| half(1));
        let mut total = half(0);
        total.add(&odd.join().unwrap());
        total
    });
    println!("{total:?}");
    assert!(total.are_all_reached(), "{total:?}");
}

/// The checker's counterexamples show what a core with a flaw does; what the one that ships still admits of them leads
/// into rare corners, and random steps lead on from there. GC is a model of clients, without a core.
// spec: zab-model section 12.
#[test]
fn counterexamples_lead_nowhere_else() {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../model/checker");
    let (mut files, mut done, mut left_out) = (0, 0, 0);
    for folder in ["counterexamples", "tests/paths"] {
        for entry in std::fs::read_dir(checker.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let text = std::fs::read_to_string(&path).unwrap();
            let stored: Counterexample = serde_json::from_str(&text).unwrap();
            if stored.setup.granularity == Granularity::GC {
                continue;
            }
            files += 1;
            let (steps, skipped) = admitted(&stored)
                .with_context(|| path.display().to_string())
                .unwrap();
            (done, left_out) = (done + steps, left_out + skipped);
        }
    }
    println!("{files} files, {done} steps, {left_out} left out");
    assert!(
        files > 40 && done > 5 * left_out,
        "{files}, {done}, {left_out}"
    );
}

/// How many steps of a counterexample the core that ships takes, and how many it does not.
fn admitted(stored: &Counterexample) -> Result<(usize, usize)> {
    let setup = Setup {
        mutant: None,
        java: false,
        acks_unwritten: false,
        judged: Vec::new(),
        ..stored.setup.clone()
    };
    let mut replay = Replay::begin(&setup, Bugs::default(), None)?;
    let mut taken: Vec<Action> = Vec::new();
    for action in &stored.actions {
        let action: Action = serde_json::from_value(action.clone())?;
        if !replay.allows(&action) {
            continue;
        }
        let done = replay.step(&action);
        taken.push(action);
        done.with_context(|| shown(&taken))?;
    }
    for seed in 0..8 {
        go_on(&mut replay, seed, 20)?;
    }
    Ok((taken.len(), stored.actions.len() - taken.len()))
}

/// A host that does something else than the model's environment is found out, each by its path.
#[test]
fn a_host_that_does_something_else_is_found_out() {
    for bug in [
        HostBug::ReportsUnwritten,
        HostBug::WritesInDeath,
        HostBug::Overtakes,
        HostBug::LosesFrame,
        HostBug::KeepsOldVote,
    ] {
        let found = (0..100).find_map(|seed| walk(seed, Bugs::default(), Some(bug)).err());
        let found = found.unwrap_or_else(|| panic!("{bug:?} is not found"));
        println!("{bug:?}: {}", found.root_cause());
    }
}

/// So is a server with a bug in how it keeps its files.
// spec: BCAST-3, DF-EPO-04. MU-01, MU-03
#[cfg(feature = "mutants")]
#[test]
fn a_server_with_a_bug_is_found_out() {
    for bug in [zk_node::Bug::AckBeforeFsync, zk_node::Bug::ForgottenEpoch] {
        let found = (0..100).find_map(|seed| walk(seed, Bugs::with(bug), None).err());
        let found = found.unwrap_or_else(|| panic!("{bug:?} is not found"));
        println!("{bug:?}: {}", found.root_cause());
    }
}
