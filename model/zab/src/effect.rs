//! What goes out. Effects are imperative: please do it, in this order.

use alloc::vec::Vec;

use crate::id::{Epoch, LinkId, ReadId, Round, ServerId, Ticks, WriteId, Zxid};
use crate::message::{Message, Notification, Proposal};

/// What the core asks of the host.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Effect<T> {
    /// Send on the election port; replaces what waits there for the same server.
    Notify {
        to: ServerId,
        notification: Notification,
    },
    /// Connect to this leader's quorum port; again and again until `Connected`
    /// or `Unreachable` was reported or `HangUp` comes. The leader may end its
    /// election a little later than its learners.
    Dial { leader: ServerId },
    /// Stop dialling.
    HangUp,
    /// Append to the link.
    Send { link: LinkId, message: Message<T> },
    /// Append the snapshot stream to the link: the tree, which shows the history up
    /// to `zxid`, and beyond it only what is delivered while the stream is sent.
    SendSnapshot { link: LinkId, zxid: Zxid },
    /// Write to disk, after all that was asked before.
    Persist { id: WriteId, write: Write<T> },
    /// Committed; in zxid order; once per restart; a learner's not before UPTODATE.
    Deliver { proposal: Proposal<T> },
    /// At the leader: since the question was asked, a quorum has answered, and
    /// all that was proposed before it has been delivered, nothing proposed after it.
    Confirmed { read: ReadId },
    /// At the leader: propose a txn that changes nothing under this zxid, before any other. `Report::Opened` comes once
    /// it is committed (spec: QP-INT-02).
    Open { zxid: Zxid },
    /// At the leader: a learner forwards a client's request.
    Request {
        link: LinkId,
        peer: ServerId,
        request: T,
    },
    /// At the leader: a learner asks for a session. Answer by `Event::Answered`.
    Revalidate {
        link: LinkId,
        peer: ServerId,
        session: T,
    },
    /// At the leader: sessions that a learner has heard from.
    Touch { peer: ServerId, sessions: T },
    /// At a learner: the leader's answer about a session.
    Revalidated { session: T },
    /// At a learner: the oldest sync that it forwarded is done; all that it
    /// must see has been delivered.
    Synced,
    /// Fire `Expired` after so long, unless disarmed or armed again before.
    Arm { timer: Timer, after: Ticks },
    /// Forget the timer.
    Disarm { timer: Timer },
    /// Close the link. Nothing of it is to be reported afterwards.
    Disconnect { link: LinkId, why: Misbehaviour },
    /// For logs, metrics and recorded traces; and how the host learns its role.
    Report(Report),
}

/// What must survive a crash, in the order asked.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Write<T> {
    /// The `acceptedEpoch` file.
    AcceptedEpoch(Epoch),
    /// The `currentEpoch` file.
    CurrentEpoch(Epoch),
    /// One log record.
    Append(Proposal<T>),
    /// Drop all records after this zxid, and snapshots that reach beyond it;
    /// load the tree again, with the log to its end (spec: QP-DEF-25).
    Truncate { after: Zxid },
    /// Make the snapshot received last the whole history, and load it. Zxid 0:
    /// the empty tree of a first start (spec: DF-REC-05).
    Install { snapshot: Zxid },
}

/// Timers. The core keeps no time: to the checker an armed timer may fire now.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Timer {
    /// Looking: notify again.
    Notify,
    /// Looking: no better vote came (`finalizeWait`).
    Finalize,
    /// Leader and learner: initLimit, until the epoch serves.
    Init,
    /// Learner: syncLimit since the leader's last message.
    Leader,
    /// Leader: ping the learners.
    Ping,
    /// Leader: initLimit or syncLimit since this learner's last message.
    Learner(LinkId),
    /// Leader: syncLimit since this learner's oldest unacknowledged proposal (spec: QP-BC-16).
    Acks(LinkId),
}

/// Why a link is closed. The first two are nobody's fault.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Misbehaviour {
    /// This server left the role that the link served.
    RoleEnded,
    /// The same learner connected again: its newest link stays.
    Replaced,
    /// This server leads nobody.
    NotLeading,
    /// Silent for too long.
    Silent,
    /// A message that its sender must not send now.
    Unexpected,
    /// An epoch lower than promised, or unreasonably high.
    Epoch,
    /// A learner more recent than its leader (spec: QP-ZAB-08).
    MoreRecent,
    /// A learner whose configuration is ahead (spec: QP-ZAB-02).
    ConfigAhead,
    /// A proposal that does not follow its predecessor.
    ZxidGap,
    /// A COMMIT that does not name the oldest uncommitted proposal (spec: QP-BC-07).
    CommitOrder,
    /// An ACK of a zxid of this epoch that was never proposed.
    AckUnsent,
    /// A TRUNC below the oldest snapshot here.
    TruncTooLow,
    /// A leader that lacks what is committed here.
    BelowCommitted,
    /// A reconfiguration, which is not enabled.
    Reconfiguration,
}

impl Misbehaviour {
    /// Whether a peer that runs this core can never be blamed for it: to the
    /// checker, closing a link for one of these is a fault (zab-model S25).
    #[must_use]
    pub const fn is_fault(self) -> bool {
        match self {
            Self::Unexpected
            | Self::ZxidGap
            | Self::CommitOrder
            | Self::AckUnsent
            | Self::ConfigAhead => true,
            Self::RoleEnded
            | Self::Replaced
            | Self::NotLeading
            | Self::Silent
            | Self::Epoch
            | Self::MoreRecent
            | Self::TruncTooLow
            | Self::BelowCommitted
            | Self::Reconfiguration => false,
        }
    }
}

/// How a learner is brought level.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum SyncMode {
    /// What it lacks.
    Diff,
    /// Cut after the zxid, then what it lacks.
    Trunc(Zxid),
    /// A snapshot at the zxid, then what it lacks.
    Snap(Zxid),
}

/// What changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Report {
    /// Back to electing: serve nobody. Writes asked for before are still done.
    Looking,
    /// Election began.
    Electing { round: Round },
    /// Election ended: about to lead.
    Leading,
    /// Election ended: about to follow.
    Following { leader: ServerId },
    /// Election ended: about to observe.
    Observing { leader: ServerId },
    /// A leader chose its epoch.
    EpochChosen { epoch: Epoch },
    /// A leader sends a learner its history.
    Synchronising { peer: ServerId, mode: SyncMode },
    /// A leader has a quorum; what it delivered before this is the epoch's
    /// initial history.
    Established { epoch: Epoch },
    /// A leader may serve clients. Follows `Established` at once, unless the configuration asks for an opening txn.
    Opened { epoch: Epoch },
    /// A learner is up to date. Serve.
    UpToDate { epoch: Epoch },
    /// A learner is up to date, at the leader.
    Joined { peer: ServerId },
    /// A leader met a more recent follower and gives up (spec: QP-DEF-40).
    MoreRecent { peer: ServerId },
    /// A leader met a learner that promised a later epoch; a new election is
    /// needed before it can take part.
    LaterPromise { peer: ServerId },
    /// A leader lost its quorum.
    QuorumLost,
    /// initLimit passed before the epoch served.
    TooSlow,
    /// The epoch's counter is used up: a new epoch is needed (spec: QP-BC-04).
    CounterExhausted,
    /// A first start: every other voter is empty too (spec: DF-REC-05).
    FirstStart,
    /// A peer's message was ignored.
    Ignored { why: Misbehaviour },
}

/// The effects of one event, in order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Effects<T>(Vec<Effect<T>>);

impl<T> Default for Effects<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Effects<T> {
    /// No effects yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends one.
    pub fn push(&mut self, effect: Effect<T>) {
        self.0.push(effect);
    }

    /// Takes all, in order, and keeps the room.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect<T>> {
        self.0.drain(..)
    }

    /// All, in order.
    #[must_use]
    pub fn as_slice(&self) -> &[Effect<T>] {
        &self.0
    }

    pub(crate) fn send(&mut self, link: LinkId, message: Message<T>) {
        self.push(Effect::Send { link, message });
    }

    pub(crate) fn arm(&mut self, timer: Timer, after: Ticks) {
        self.push(Effect::Arm { timer, after });
    }

    pub(crate) fn disarm(&mut self, timer: Timer) {
        self.push(Effect::Disarm { timer });
    }

    pub(crate) fn disconnect(&mut self, link: LinkId, why: Misbehaviour) {
        self.push(Effect::Disconnect { link, why });
    }

    pub(crate) fn report(&mut self, report: Report) {
        self.push(Effect::Report(report));
    }
}
