//! The decisions that a mutant may answer wrongly. Production answers are the
//! defaults; the checker overrides one at a time to prove that its properties
//! bite (zab-model section 10). Nothing else may differ between what is checked
//! and what ships.

use core::cmp::Ordering;
use core::fmt::Debug;
use core::hash::Hash;

use crate::id::Zxid;
use crate::message::Vote;
use crate::quorum::Quorums;
use crate::set::ServerSet;

/// One method a decision. Each default is what ships.
pub trait Policy: Clone + Default + Eq + Ord + Hash + Debug {
    // ---- election

    /// Order of votes; also of histories: the leader field is then equal.
    // spec: QP-FLE-10. Epoch first: a zxid alone would let an old epoch's tail win (M21).
    fn compare(&self, a: &Vote, b: &Vote) -> Ordering {
        a.cmp(b)
    }

    /// Whether votes of an earlier round are dropped when the round advances (M31).
    fn clears_votes_of_old_rounds(&self) -> bool {
        true
    }

    /// Whether joining a settled ensemble needs the word of its leader (M30).
    fn asks_the_leader(&self) -> bool {
        true
    }

    /// Whether the vote kept after election takes the new epoch (M29).
    fn updates_the_final_vote(&self) -> bool {
        true
    }

    /// Whether a quorum of votes is needed to end an election (M59).
    fn elects_with_a_quorum(&self) -> bool {
        true
    }

    /// Whether a server that has a leader tells those that look (M60).
    fn answers_when_settled(&self) -> bool {
        true
    }

    /// Whether an empty directory that nobody vouches for abstains (M61).
    fn abstains_when_wiped(&self) -> bool {
        true
    }

    // ---- discovery

    /// Whether a promise and an adopted history are two variables (M13).
    fn keeps_two_epochs(&self) -> bool {
        true
    }

    /// Whether a follower makes its promise durable before it answers (M14).
    fn persists_promise_before_answer(&self) -> bool {
        true
    }

    /// Whether a leader makes its epoch durable before it announces it (M15).
    fn persists_epoch_before_announcing(&self) -> bool {
        true
    }

    /// Whether a learner that left stays counted, so that the epoch is chosen once (M23).
    fn chooses_the_epoch_once(&self) -> bool {
        true
    }

    /// Whether a promise that was given before is no promise to this leader (M45).
    fn promises_once(&self) -> bool {
        true
    }

    /// Whether a follower's promise of a later epoch ends this leadership, and a
    /// follower refuses an earlier epoch than the one it promised (M57).
    fn honours_later_promises(&self) -> bool {
        true
    }

    /// Whether a leader gives up when a follower is more recent (M22).
    fn yields_to_more_recent(&self) -> bool {
        true
    }

    // ---- synchronisation, at the leader

    /// Whether a learner's entry that the leader lacks is cut away (M12).
    fn cuts_to_the_common_zxid(&self) -> bool {
        true
    }

    /// Whether a learner keeps all that it has in common with the leader (M54).
    fn keeps_the_common_history(&self) -> bool {
        true
    }

    /// Whether a snapshot's zxid is the end of what the host's tree shows, and
    /// not the last that was delivered (M63).
    fn names_snapshots_by_the_tree(&self) -> bool {
        true
    }

    /// Whether the snapshot goes out before NEWLEADER (M28).
    fn sends_snapshot_before_new_leader(&self) -> bool {
        true
    }

    /// Whether a learner gets proposals before it has acknowledged NEWLEADER (M17).
    fn forwards_before_ack(&self) -> bool {
        true
    }

    /// Whether forwarding starts right after what synchronisation sent; the
    /// follower then takes a repeated proposal for an error (M19).
    fn forwards_once(&self) -> bool {
        true
    }

    /// Whether COMMITs are held from NEWLEADER to UPTODATE (spec: QP-INT-03;
    /// Java leaders do not, which M8 and M18 need).
    fn holds_commits(&self) -> bool {
        true
    }

    /// Whether the initial history is committed only with its epoch (M25).
    fn commits_history_with_the_epoch(&self) -> bool {
        true
    }

    /// Whether a quorum, and not the leader alone, must adopt the epoch (M51).
    fn establishes_with_a_quorum(&self) -> bool {
        true
    }

    /// Whether a leader that is configured so serves only once a first txn of its epoch is committed (M64).
    fn opens_with_its_first_txn(&self) -> bool {
        true
    }

    /// Whether a leader delivers its history before it serves (M50).
    fn delivers_the_initial_history(&self) -> bool {
        true
    }

    // ---- synchronisation, at the learner

    /// Whether TRUNC cuts the log (M53).
    fn truncates_when_told(&self) -> bool {
        true
    }

    /// Whether UPTODATE delivers the history, and does not just skip it (M52).
    fn delivers_before_serving(&self) -> bool {
        true
    }

    /// Whether UPTODATE goes on from what this server has delivered already (M49).
    fn delivers_once(&self) -> bool {
        true
    }

    /// Whether the history is written before the current epoch (M1).
    fn writes_history_before_epoch(&self) -> bool {
        true
    }

    /// Whether NEWLEADER is acknowledged only once all of it is durable (M2).
    fn persists_before_new_leader_ack(&self) -> bool {
        true
    }

    /// Whether the history is written at NEWLEADER and not at UPTODATE (M3).
    fn writes_history_at_new_leader(&self) -> bool {
        true
    }

    /// Whether the current epoch is written at NEWLEADER and not at UPTODATE (M16).
    fn writes_epoch_at_new_leader(&self) -> bool {
        true
    }

    /// Whether proposals are acknowledged only after NEWLEADER is (M6).
    fn acks_new_leader_first(&self) -> bool {
        true
    }

    /// Whether UPTODATE waits for what NEWLEADER asked of the disk (M7).
    fn serves_only_what_is_durable(&self) -> bool {
        true
    }

    /// Whether a COMMIT after NEWLEADER finds its proposal (M8).
    fn keeps_proposals_after_new_leader(&self) -> bool {
        true
    }

    /// Whether UPTODATE delivers COMMITs that came after NEWLEADER (M18).
    fn remembers_commits_after_new_leader(&self) -> bool {
        true
    }

    /// Whether an aborted SNAP leaves memory as the disk is (M9).
    fn forgets_aborted_snap(&self) -> bool {
        true
    }

    /// Whether an aborted TRUNC leaves memory as the disk is (M10).
    fn forgets_aborted_trunc(&self) -> bool {
        true
    }

    /// Whether what came during synchronisation can be served to others (M11).
    fn caches_what_sync_brought(&self) -> bool {
        true
    }

    // ---- broadcast

    /// Whether these servers are enough (M20).
    fn is_quorum(&self, quorums: &Quorums, servers: &ServerSet) -> bool {
        quorums.is_quorum(servers)
    }

    /// Whether a commit takes all before it along (M24).
    fn commits_in_order(&self) -> bool {
        true
    }

    /// Whether a follower delivers at COMMIT and not at PROPOSAL (M55).
    fn waits_for_commits(&self) -> bool {
        true
    }

    /// Whether a delivery takes along all that waits before it (M48).
    fn delivers_every_txn(&self) -> bool {
        true
    }

    /// Whether a leader counts itself only once its own log is durable (M56).
    fn waits_for_its_own_disk(&self) -> bool {
        true
    }

    /// Whether zxids count on from the last proposal, and not from the last commit (M46).
    fn numbers_after_proposals(&self) -> bool {
        true
    }

    /// Whether a proposal is acknowledged after it is durable (M36).
    fn persists_before_ack(&self) -> bool {
        true
    }

    /// Whether an ACK counts only on the learner's newest link (M27).
    fn counts_acks_by_link(&self) -> bool {
        true
    }

    /// Whether a leader takes early ACKs of proposals for what they are
    /// (spec: QP-DEF-15). Java leaders do not, which M6 needs.
    fn tolerates_early_acks(&self) -> bool {
        true
    }

    /// The zxid after this one, unless the epoch's counter is used up (M26).
    fn next_zxid(&self, last: Zxid, limit: u32) -> Option<Zxid> {
        // spec: QP-BC-04. A carry would invent an epoch that nobody promised.
        (last.counter() < limit).then(|| Zxid::new(last.epoch(), last.counter().saturating_add(1)))
    }

    /// Whether a read is confirmed by answers to what was sent after it came.
    fn confirms_with_a_fresh_round(&self) -> bool {
        true
    }

    // ---- leaving a role

    /// Whether writes asked for are finished before the next election (M5).
    fn finishes_writes_before_election(&self) -> bool {
        true
    }

    /// Whether a server reports its log's end rather than its memory's (M4).
    fn reports_the_durable_end(&self) -> bool {
        true
    }
}

/// What ships.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Production;

impl Policy for Production {}
