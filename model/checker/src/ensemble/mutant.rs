//! Mutants of the core: each answers one question of its policy wrongly (zab-model section 10).

use std::cmp::Ordering;

use zab::{Policy, Quorums, ServerSet, Vote, Zxid};

/// A core with one wrong answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mutant {
    pub flaw: Flaw,
    /// Behaves as a Java peer where that is legal and less careful: commits between NEWLEADER and UPTODATE, and takes the
    /// first ACK of a learner for that of NEWLEADER (QP-SYN-07, QP-SYN-19).
    pub java: bool,
}

macro_rules! flaws {
    ($($name:ident: $question:ident, $id:literal, $property:literal, $about:literal;)*) => {
        /// The wrong answers that a core can be given.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Flaw {
            #[default]
            None,
            /// Votes and histories are compared by zxid alone.
            ZxidOnly,
            /// A set one smaller than a quorum is enough.
            SmallQuorum,
            /// The counter runs into the epoch.
            Carries,
            $(#[doc = $about] $name,)*
        }

        impl Policy for Mutant {
            fn compare(&self, a: &Vote, b: &Vote) -> Ordering {
                if self.flaw == Flaw::ZxidOnly {
                    return (a.zxid, a.leader).cmp(&(b.zxid, b.leader));
                }
                a.cmp(b)
            }

            fn is_quorum(&self, quorums: &Quorums, servers: &ServerSet) -> bool {
                if self.flaw == Flaw::SmallQuorum {
                    return servers.len() + 1 > quorums.voters().len() / 2;
                }
                quorums.is_quorum(servers)
            }

            fn next_zxid(&self, last: Zxid, limit: u32) -> Option<Zxid> {
                if self.flaw == Flaw::Carries && last.counter() >= limit {
                    return Some(Zxid::new(last.epoch().next(), 0));
                }
                (last.counter() < limit).then(|| Zxid::new(last.epoch(), last.counter().saturating_add(1)))
            }

            fn holds_commits(&self) -> bool {
                !self.java
            }

            fn tolerates_early_acks(&self) -> bool {
                !self.java
            }

            $(fn $question(&self) -> bool {
                self.flaw != Flaw::$name
            })*
        }

        /// Id, flaw, property that must be violated, what is wrong.
        pub const FLAWS: &[(&str, Flaw, &str, &str)] = &[
            ("M20", Flaw::SmallQuorum, "S22", "commit with one ack less than a quorum"),
            ("M21", Flaw::ZxidOnly, "S3", "votes and histories compared by zxid alone"),
            ("M26", Flaw::Carries, "S26", "counter overflow carries into the epoch"),
            $(($id, Flaw::$name, $property, $about),)*
        ];
    };
}

flaws! {
    EpochBeforeHistory: writes_history_before_epoch, "M1", "S14", "current epoch written before the history is durable";
    EarlyNewLeaderAck: persists_before_new_leader_ack, "M2", "S20", "NEWLEADER acknowledged before the history is durable";
    HistoryAtUpToDate: writes_history_at_new_leader, "M3", "S22", "history logged only at UPTODATE";
    ReportsMemory: reports_the_durable_end, "M4", "S21", "memory reported and kept instead of what is durable";
    LeavesWrites: finishes_writes_before_election, "M5", "S24", "log writer not cancelled when a role ends";
    AckOvertakes: acks_new_leader_first, "M6", "S25", "ACK of a proposal overtakes that of NEWLEADER";
    ServesEarly: serves_only_what_is_durable, "M7", "S25", "serves at UPTODATE while its history is not durable";
    LosesProposals: keeps_proposals_after_new_leader, "M8", "S25", "COMMIT between NEWLEADER and UPTODATE finds no proposal";
    KeepsSnap: forgets_aborted_snap, "M9", "S21", "aborted SNAP stays in memory";
    KeepsTrunc: forgets_aborted_trunc, "M10", "S21", "aborted TRUNC stays in memory";
    ForgetsSynced: caches_what_sync_brought, "M11", "S23", "synchronised txns missing from the DIFF cache";
    KeepsTail: cuts_to_the_common_zxid, "M12", "S13", "learner's extra tail not cut";
    OneEpoch: keeps_two_epochs, "M13", "S14", "one epoch variable, raised before there is a quorum";
    VolatilePromise: persists_promise_before_answer, "M14", "S19", "ACKEPOCH before the accepted epoch is durable";
    VolatileEpoch: persists_epoch_before_announcing, "M15", "S19", "LEADERINFO before the leader's accepted epoch is durable";
    EpochAtUpToDate: writes_epoch_at_new_leader, "M16", "S20", "current epoch written at UPTODATE";
    ForwardsLate: forwards_before_ack, "M17", "S25", "proposals only to those that acknowledged NEWLEADER";
    ForgetsCommits: remembers_commits_after_new_leader, "M18", "S25", "COMMITs after NEWLEADER forgotten at UPTODATE";
    ProposesTwice: forwards_once, "M19", "S23", "redundant proposal logged twice";
    NeverYields: yields_to_more_recent, "M22", "S14", "more recent followers accepted in ACKEPOCH";
    ForgetsLearners: chooses_the_epoch_once, "M23", "S2", "epoch chosen again after a learner left";
    SkipsCommits: commits_in_order, "M24", "S22", "commit before the predecessor has a quorum";
    CommitsEarly: commits_history_with_the_epoch, "M25", "S22", "initial history committed before its epoch is established";
    CreditsAnyLink: counts_acks_by_link, "M27", "S24", "ACK of an old link credited to the new one";
    SnapAfterNewLeader: sends_snapshot_before_new_leader, "M28", "S22", "NEWLEADER before the snapshot is complete";
    KeepsOldVote: updates_the_final_vote, "M29", "F5", "final vote keeps the old epoch";
    TrustsFollowers: asks_the_leader, "M30", "F1", "joins without hearing the leader itself";
    KeepsOldRounds: clears_votes_of_old_rounds, "M31", "F2", "votes of old rounds counted";
    EarlyAck: persists_before_ack, "M36", "S20", "ACK before the proposal is durable";
}
