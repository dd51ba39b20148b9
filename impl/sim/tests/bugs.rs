//! Known bugs, put back one at a time, and the seed that finds each (README.md). A change of what a seed means, or of
//! what servers do in it, may ask for another seed: `zk-sim mutants` searches for it.
// spec: faults.md 8

use zk_node::Bug;
use zk_sim::mutants::{run_plan_spoiled, run_spoiled};
use zk_sim::plan::Plan;
use zk_sim::shrink::shrink;
use zk_sim::summary::{run_plan, run_seed};

/// The seed finds the bug by this rule, and nothing is wrong with it otherwise.
fn catches(seed: u64, bug: Bug, rule: &str) {
    let caught = run_spoiled(seed, bug).failures;
    let named = format!("FAIL inv={rule} ");
    assert!(
        caught.iter().any(|line| line.starts_with(&named)),
        "{bug:?}: {caught:?}"
    );
    let clean = run_seed(seed, false).failures;
    assert!(clean.is_empty(), "{clean:?}");
}

// spec: BCAST-3, INV-11
#[test]
fn ack_before_fsync() {
    catches(1, Bug::AckBeforeFsync, "INV-11");
}

// spec: DF-EPO-04, INV-13
#[test]
fn forgotten_epoch_file() {
    catches(0, Bug::ForgottenEpoch, "P-DETECT");
}

// spec: CP-SES-10, INV-07
#[test]
fn ephemeral_of_a_closing_session() {
    catches(18, Bug::EphemeralWhileClosing, "INV-07");
}

// spec: QP-BC-15, INV-05
#[test]
fn sync_answered_by_a_deposed_leader() {
    catches(19, Bug::SyncOfDeposedLeader, "INV-05");
}

// spec: CP-CON-28, INV-04
#[test]
fn server_behind_its_client() {
    catches(65, Bug::ServerBehindClient, "INV-04");
}

// spec: CP-SES-20, INV-14
#[test]
fn session_moved_without_fencing() {
    catches(0, Bug::MoveWithoutFencing, "INV-14");
}

/// What is left of a seed's plan still finds the bug, and nothing else: the same plan is clean without it. It also
/// survives being stored.
// spec: faults.md 7
#[test]
fn a_plan_that_finds_a_bug_gets_smaller() {
    let (bug, plan) = (Bug::AckBeforeFsync, Plan::draw(1));
    let mut runs = 0;
    let (small, rule) = shrink(&plan, &mut |plan| {
        runs += 1;
        (runs <= 60).then(|| run_plan_spoiled(plan.clone(), bug).tried)
    })
    .unwrap();
    println!("{rule}\n{}", zk_sim::shrink::described(&small));
    assert_eq!(rule, "INV-11");
    assert!(small.faults.len() * 4 <= plan.faults.len(), "{small:?}");
    assert!(small.absent.len() + 2 >= plan.clients, "{small:?}");
    let stored = serde_json::to_string(&small).unwrap();
    let small: Plan = serde_json::from_str(&stored).unwrap();
    let caught = run_plan_spoiled(small.clone(), bug).tried.rules;
    assert!(caught.contains(&rule), "{caught:?}");
    let clean = run_plan(small, false).tried.rules;
    assert!(!clean.contains(&rule), "{clean:?}");
}
