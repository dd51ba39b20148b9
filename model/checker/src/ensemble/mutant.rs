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
    /// As a follower it writes what it was synchronised by only after UPTODATE, as Apache ZooKeeper 3.8.0 does, so that
    /// its ACK of NEWLEADER says nothing of its disk (QP-DEF-12, QP-INT-02).
    pub acks_unwritten: bool,
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
            /// Of equal histories the lowest id wins.
            LowestId,
            /// History is logged only at UPTODATE.
            HistoryAtUpToDate,
            /// Votes are compared by epoch and id alone.
            IgnoresZxid,
            $(#[doc = $about] $name,)*
        }

        impl Policy for Mutant {
            fn compare(&self, a: &Vote, b: &Vote) -> Ordering {
                if self.flaw == Flaw::ZxidOnly {
                    return (a.zxid, a.leader).cmp(&(b.zxid, b.leader));
                }
                if self.flaw == Flaw::LowestId {
                    return (a.epoch, a.zxid, b.leader).cmp(&(b.epoch, b.zxid, a.leader));
                }
                if self.flaw == Flaw::IgnoresZxid {
                    return (a.epoch, a.leader).cmp(&(b.epoch, b.leader));
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

            fn writes_history_at_new_leader(&self) -> bool {
                self.flaw != Flaw::HistoryAtUpToDate && !self.acks_unwritten
            }

            $(fn $question(&self) -> bool {
                self.flaw != Flaw::$name
            })*
        }

        /// Id, flaw, property that must be violated, what is wrong.
        pub const FLAWS: &[(&str, Flaw, &str, &str)] = &[
            ("M3", Flaw::HistoryAtUpToDate, "S22", "history logged only at UPTODATE"),
            ("M20", Flaw::SmallQuorum, "S22", "commit with one ack less than a quorum"),
            ("M21", Flaw::ZxidOnly, "S3", "votes and histories compared by zxid alone"),
            ("M26", Flaw::Carries, "S26", "counter overflow carries into the epoch"),
            ("M47", Flaw::SmallQuorum, "S5", "commit with one ack less than a quorum"),
            ("M62", Flaw::SkipsCommits, "S7", "commit before the predecessor has a quorum"),
            ("M65", Flaw::IgnoresZxid, "F3", "of equal epochs the highest id wins, whatever its zxid"),
            ("M58", Flaw::LowestId, "F3", "of equal histories the lowest id wins"),
            $(($id, Flaw::$name, $property, $about),)*
        ];
    };
}

flaws! {
    EpochBeforeHistory: writes_history_before_epoch, "M1", "S14", "current epoch written before the history is durable";
    EarlyNewLeaderAck: persists_before_new_leader_ack, "M2", "S20", "NEWLEADER acknowledged before the history is durable";
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
    CommitsEarly: commits_history_with_the_epoch, "M25", "S14", "initial history committed before its epoch is established";
    CreditsAnyLink: counts_acks_by_link, "M27", "S22", "ACK of an old link credited to the new one";
    SnapAfterNewLeader: sends_snapshot_before_new_leader, "M28", "S13", "NEWLEADER before the snapshot is complete";
    KeepsOldVote: updates_the_final_vote, "M29", "F5", "final vote keeps the old epoch";
    TrustsFollowers: asks_the_leader, "M30", "F1", "joins without hearing the leader itself";
    KeepsOldRounds: clears_votes_of_old_rounds, "M31", "F2", "votes of old rounds counted";
    EarlyAck: persists_before_ack, "M36", "S20", "ACK before the proposal is durable";
    PromisesAgain: promises_once, "M45", "S1", "a promise given before counts for another leader";
    NumbersFromCommit: numbers_after_proposals, "M46", "S4", "zxids counted from the last commit";
    DeliversLast: delivers_every_txn, "M48", "S6", "delivery leaves out what waits before";
    DeliversAgain: delivers_once, "M49", "S8", "a rejoined follower delivers again";
    ServesUndelivered: delivers_the_initial_history, "M50", "S9", "leader serves before it has delivered its history";
    EstablishesAlone: establishes_with_a_quorum, "M51", "S10", "epoch established without a quorum";
    SkipsHistory: delivers_before_serving, "M52", "S11", "UPTODATE skips the history";
    IgnoresTrunc: truncates_when_told, "M53", "S12", "TRUNC not carried out";
    CutsTooMuch: keeps_the_common_history, "M54", "S15", "TRUNC cuts one entry too many";
    DeliversProposals: waits_for_commits, "M55", "S16", "follower delivers at PROPOSAL";
    CountsUnwritten: waits_for_its_own_disk, "M56", "S17", "leader counts itself before its log is durable";
    OverrulesPromises: honours_later_promises, "M57", "S18", "a later promise is overruled";
    ElectsAlone: elects_with_a_quorum, "M59", "F4", "election won without a quorum";
    SilentWhenSettled: answers_when_settled, "M60", "F6", "settled servers do not answer";
    VotesWhenWiped: abstains_when_wiped, "M61", "S14", "an emptied server votes";
    ConfirmsAtOnce: confirms_with_a_fresh_round, "M66", "S28", "a sync is answered without asking a quorum whether this leader still leads";
    NamesByDelivery: names_snapshots_by_the_tree, "M63", "S21", "SNAP named by the last delivery, not by what the tree shows";
    OpensAtOnce: opens_with_its_first_txn, "M64", "S27", "leader of followers whose acks promise nothing serves at once";
}
