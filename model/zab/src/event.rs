//! What comes in. Events are past tense: it happened.

use crate::effect::Timer;
use crate::id::{LinkId, ReadId, ServerId, WriteId, Zxid};
use crate::message::{Message, Notification};

/// What the host tells the core.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Event<T> {
    /// The host is ready. First event, once.
    Started,
    /// A notification came over the election port.
    Notified {
        from: ServerId,
        notification: Notification,
    },
    /// A learner's link is up. At the learner: what it dialled (`peer` is the
    /// leader). At the leader: accepted, and `peer` is what the learner's
    /// first packet says. Of two links with the same learner the one made
    /// later has the greater id.
    Connected { link: LinkId, peer: ServerId },
    /// At a learner: dialling this leader was refused often enough to give up
    /// (ZooKeeper: 5 times, 100 ms apart). The host has stopped.
    Unreachable { leader: ServerId },
    /// The link is gone; nothing more comes from it.
    Disconnected { link: LinkId },
    /// The next message of a link.
    Received { link: LinkId, message: Message<T> },
    /// At the leader: a validated txn, to be proposed under the zxid that
    /// `Peer::next_zxid` gave. One of an earlier leadership is ignored.
    Proposed { zxid: Zxid, txn: T },
    /// At a learner: a client's request for the leader.
    Forwarded { request: T },
    /// At a learner: is this session known? For the leader.
    Queried { session: T },
    /// At the leader: the answer to `Effect::Revalidate`.
    Answered { link: LinkId, session: T },
    /// At the leader: does it still lead, and is all that is proposed so far
    /// committed? What a sync must know before its answer (spec: QP-BC-15).
    Asked { by: Reader },
    /// This write and every earlier one now survive a crash.
    Persisted { through: WriteId },
    /// An armed timer fired.
    Expired { timer: Timer },
}

/// Who wants to know whether the leader still leads.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Reader {
    /// The leader's host: `Effect::Confirmed` answers.
    Host(ReadId),
    /// A learner that forwarded a sync. The core itself answers by SYNC: behind the COMMITs of what was
    /// proposed before the sync came, before the COMMIT of anything proposed later.
    Learner(LinkId),
}
