//! R1-R30: situations that a run must reach, or its "always" says nothing (zab-model section 8).

use crate::{Fact, IdSet, Phase, Role, Value, View, is_prefix};

/// A situation to be reached. Its number is that of zab-model section 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Situation {
    /// R1: leader established.
    EstablishedLeader = 1,
    /// R2: a txn delivered by all.
    DeliveredByAll = 2,
    /// R3: txns of two epochs delivered.
    TwoEpochsDelivered = 3,
    /// R4: DIFF with at least one txn.
    Diff = 4,
    /// R5: TRUNC that removes at least one txn.
    Trunc = 5,
    /// R6: SNAP.
    Snap = 6,
    /// R7: COMMIT between NEWLEADER and UPTODATE.
    CommitWhileJoining = 7,
    /// R8: leader steps down with an uncommitted txn.
    LeaderLeavesUncommitted = 8,
    /// R9: an uncommitted txn of an old epoch is committed by a later leader.
    OldTxnCommitted = 9,
    /// R10: an uncommitted txn of an old epoch is discarded.
    OldTxnDiscarded = 10,
    /// R11: a crash loses an unsynced tail.
    TailLost = 11,
    /// R12: crash between history sync and current epoch.
    CrashBeforeCurrent = 12,
    /// R13: restart with current epoch below accepted.
    RestartBetweenEpochs = 13,
    /// R14: two servers leading at once.
    TwoLeaders = 14,
    /// R15: a frame of a forgotten link is ignored.
    StaleFrame = 15,
    /// R16: a leader meets a more recent follower and gives up.
    LeaderYields = 16,
    /// R17: a follower refuses a lower epoch.
    LowerEpochRefused = 17,
    /// R18: all servers down, then serving again.
    AllDownThenServing = 18,
    /// R19: a follower rejoins the same leader in the same epoch.
    RejoinsSameEpoch = 19,
    /// R20: an epoch promised and never established.
    EpochSkipped = 20,
    /// R21: every budget used.
    BudgetsUsed = 21,
    /// R22: each message type delivered.
    EveryMessage = 22,
    /// R23: a vote changed twice in a round.
    VoteChangedTwice = 23,
    /// R24: an election won against the highest id.
    HighestLost = 24,
    /// R25: a late joiner settles by votes of settled servers.
    LateJoiner = 25,
    /// R26: a retried request applied once.
    RetryOnce = 26,
    /// R27: a session moved.
    SessionMoved = 27,
    /// R28: expiry races with reconnect.
    ExpiryRace = 28,
    /// R29: a stale read observed without sync.
    StaleRead = 29,
    /// R30: a sync is answered.
    ReadConfirmed = 30,
}

impl Situation {
    pub const ALL: [Self; 30] = [
        Self::EstablishedLeader,
        Self::DeliveredByAll,
        Self::TwoEpochsDelivered,
        Self::Diff,
        Self::Trunc,
        Self::Snap,
        Self::CommitWhileJoining,
        Self::LeaderLeavesUncommitted,
        Self::OldTxnCommitted,
        Self::OldTxnDiscarded,
        Self::TailLost,
        Self::CrashBeforeCurrent,
        Self::RestartBetweenEpochs,
        Self::TwoLeaders,
        Self::StaleFrame,
        Self::LeaderYields,
        Self::LowerEpochRefused,
        Self::AllDownThenServing,
        Self::RejoinsSameEpoch,
        Self::EpochSkipped,
        Self::BudgetsUsed,
        Self::EveryMessage,
        Self::VoteChangedTwice,
        Self::HighestLost,
        Self::LateJoiner,
        Self::RetryOnce,
        Self::SessionMoved,
        Self::ExpiryRace,
        Self::StaleRead,
        Self::ReadConfirmed,
    ];

    pub fn number(self) -> u8 {
        self as u8
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::EstablishedLeader => "leader established",
            Self::DeliveredByAll => "a txn delivered by all",
            Self::TwoEpochsDelivered => "txns of two epochs delivered",
            Self::Diff => "DIFF with at least one txn",
            Self::Trunc => "TRUNC that removes at least one txn",
            Self::Snap => "SNAP",
            Self::CommitWhileJoining => "COMMIT between NEWLEADER and UPTODATE",
            Self::LeaderLeavesUncommitted => "leader steps down with an uncommitted txn",
            Self::OldTxnCommitted => {
                "an uncommitted txn of an old epoch is committed by a later leader"
            }
            Self::OldTxnDiscarded => "an uncommitted txn of an old epoch is discarded",
            Self::TailLost => "a crash loses an unsynced tail",
            Self::CrashBeforeCurrent => "crash between history sync and current epoch",
            Self::RestartBetweenEpochs => "restart with current epoch below accepted",
            Self::TwoLeaders => "two servers leading at once",
            Self::StaleFrame => "a frame of a forgotten link is ignored",
            Self::LeaderYields => "a leader meets a more recent follower and gives up",
            Self::LowerEpochRefused => "a follower refuses a lower epoch",
            Self::AllDownThenServing => "all servers down, then serving again",
            Self::RejoinsSameEpoch => "a follower rejoins the same leader in the same epoch",
            Self::EpochSkipped => "an epoch promised and never established",
            Self::BudgetsUsed => "every budget used",
            Self::EveryMessage => "each message type delivered",
            Self::VoteChangedTwice => "a vote changed twice in a round",
            Self::HighestLost => "an election won against the highest id",
            Self::LateJoiner => "a late joiner settles by votes of settled servers",
            Self::RetryOnce => "a retried request applied once",
            Self::SessionMoved => "a session moved",
            Self::ExpiryRace => "expiry races with reconnect",
            Self::StaleRead => "a stale read observed without sync",
            Self::ReadConfirmed => "a sync is answered",
        }
    }
}

/// Situations that a state shows by itself.
pub fn in_state<T: Value>(view: &View<'_, T>) -> IdSet {
    let mut reached = IdSet::default();
    let mut mark = |situation: Situation, is: bool| {
        if is {
            reached.insert(situation.number());
        }
    };
    let ghosts = view.ghosts;
    let leading = view
        .servers
        .iter()
        .filter(|server| server.up && server.role == Role::Leading)
        .count();
    mark(Situation::EstablishedLeader, !ghosts.established.is_empty());
    mark(Situation::TwoLeaders, leading > 1);
    let everywhere = ghosts
        .decided
        .first()
        .is_some_and(|txn| view.servers.iter().all(|it| it.delivered.contains(txn)));
    mark(Situation::DeliveredByAll, everywhere);
    let epochs = ghosts
        .decided
        .windows(2)
        .any(|pair| pair[0].zxid.epoch() != pair[1].zxid.epoch());
    mark(Situation::TwoEpochsDelivered, epochs);
    let newest = ghosts.established.last().map(|it| it.epoch);
    let skipped = newest.is_some_and(|newest| {
        let below = ghosts
            .established
            .iter()
            .filter(|it| it.epoch < newest)
            .count();
        below as i64 + 1 < newest.0
    });
    mark(Situation::EpochSkipped, skipped);
    reached
}

/// Situations that a fact shows, given the view before it.
pub fn in_fact<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> IdSet {
    let mut reached = IdSet::default();
    match fact {
        Fact::Confirmed { .. } => reached.insert(Situation::ReadConfirmed.number()),
        Fact::Delivered { server, txn, index } if *index >= view.ghosts.decided.len() => {
            // A leader delivers its initial history just before it reports its epoch established.
            let epoch = view.server(*server).and_then(|it| it.epoch);
            let later = epoch.is_some_and(|epoch| epoch > txn.zxid.epoch());
            if later {
                reached.insert(Situation::OldTxnCommitted.number());
            }
        }
        Fact::Removed { txns, why, .. } if !txns.is_empty() => match why {
            crate::Removal::Crashed => reached.insert(Situation::TailLost.number()),
            crate::Removal::Truncated => {
                reached.insert(Situation::Trunc.number());
                reached.insert(Situation::OldTxnDiscarded.number());
            }
            crate::Removal::Replaced => {}
        },
        Fact::Established { .. }
        | Fact::Opened { .. }
        | Fact::Delivered { .. }
        | Fact::Removed { .. }
        | Fact::Created { .. }
        | Fact::Acked { .. }
        | Fact::Promised { .. }
        | Fact::Adopted { .. }
        | Fact::EpochsWritten { .. }
        | Fact::LogAcked { .. }
        | Fact::NewLeaderAcked { .. }
        | Fact::Reported { .. }
        | Fact::SyncStarts { .. }
        | Fact::StaleInput { .. }
        | Fact::Fault
        | Fact::Wiped { .. } => {}
    }
    reached
}

/// Whether a leader that now leaves its role leaves a transaction that nobody has committed (R8).
pub fn leaves_uncommitted<T: Value>(view: &View<'_, T>, index: usize) -> bool {
    view.servers.get(index).is_some_and(|server| {
        server.role == Role::Leading
            && server.phase == Phase::Broadcast
            && server.issued.len() > view.ghosts.decided.len()
            && is_prefix(&view.ghosts.decided, server.issued)
    })
}
