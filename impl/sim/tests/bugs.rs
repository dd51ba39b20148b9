//! Known bugs, put back one at a time, and the seed that finds each (README.md). A change of what a seed means, or of
//! what servers do in it, may ask for another seed: `zk-sim mutants` searches for it.
// spec: faults.md 8

use zk_node::Bug;
use zk_sim::mutants::run_spoiled;
use zk_sim::summary::run_seed;

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
