//! What servers say to each other: ZooKeeper's notifications and quorum
//! packets as Rust types. Numbers beside the kinds are the wire's.

use crate::id::{Epoch, Round, ServerId, Zxid};

/// A sender's state in a notification.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum ServerState {
    /// 0: electing.
    Looking,
    /// 1: follows the leader of its vote.
    Following,
    /// 2: leads.
    Leading,
    /// 3: learns without a vote.
    Observing,
}

/// Whom a server wants, or has, as leader, and how recent that leader is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Vote {
    /// The current epoch of the leader (`peerEpoch`), never its accepted one (spec: QP-FLE-21).
    pub epoch: Epoch,
    /// The last logged zxid of the leader.
    pub zxid: Zxid,
    /// The proposed or current leader.
    pub leader: ServerId,
}

impl Vote {
    /// The vote of one that cannot be elected (spec: QP-FLE-05).
    pub const NONE: Self = Self {
        epoch: Epoch::NONE,
        zxid: Zxid::NONE,
        leader: ServerId::NONE,
    };
}

/// What travels on the election port (quorum-protocol section 3). The host adds
/// the text of the configuration whose version is named.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Notification {
    /// The sender's state.
    pub state: ServerState,
    /// Its vote: `leader`, `zxid` and `peerEpoch` on the wire.
    pub vote: Vote,
    /// `electionEpoch`: the round of the vote.
    pub round: Round,
    /// Format version: 2 from current servers, 0 where the sender's form had none.
    pub version: i32,
    /// Version of the sender's configuration.
    pub config: i64,
}

/// One txn at its place in the history.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Proposal<T> {
    /// Its place.
    pub zxid: Zxid,
    /// `TxnHeader ‖ txn ‖ [TxnDigest]` in the server: the same bytes in a
    /// PROPOSAL, in an INFORM and in the log.
    pub txn: T,
}

/// A quorum packet (quorum-protocol section 4). Directions: L learner, F
/// follower, O observer, ldr leader.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Message<T> {
    /// 1, L→ldr: a client's write or sync. `request` is what follows the
    /// packet's zxid: data and authinfo.
    Request { request: T },
    /// 2, ldr→F.
    Proposal(Proposal<T>),
    /// 3, L→ldr: `zxid` and all before it are durable. Counter 0 answers NEWLEADER.
    Ack { zxid: Zxid },
    /// 4, ldr→F.
    Commit { zxid: Zxid },
    /// 5, both. `sessions` is the touch table of a learner's reply. `None`
    /// from a learner's core means: the host puts its table, at least an
    /// empty one, when it sends (spec: QP-BC-13).
    Ping { zxid: Zxid, sessions: Option<T> },
    /// 6, both: the packet's data, question or answer.
    Revalidate { session: T },
    /// 7, ldr→L: the oldest sync that the learner forwarded is done.
    Sync,
    /// 8, ldr→O: a committed txn.
    Inform(Proposal<T>),
    /// 9, ldr→F: COMMIT of a reconfiguration, with the leader-to-be.
    CommitAndActivate { zxid: Zxid, designated: ServerId },
    /// 10, ldr→L: the history is complete up to here; `config` is the version
    /// of the configuration whose text travels along.
    NewLeader { epoch: Epoch, config: i64 },
    /// 11, F→ldr.
    FollowerInfo {
        accepted: Epoch,
        id: ServerId,
        config: i64,
    },
    /// 12, ldr→L.
    UpToDate,
    /// 13, ldr→L: keep what you have; the rest follows.
    Diff { zxid: Zxid },
    /// 14, ldr→L: cut your log after `zxid`; the rest follows.
    Trunc { zxid: Zxid },
    /// 15, ldr→L: replace what you have by the stream that follows. Sent with
    /// `Effect::SendSnapshot`; received once the stream is complete.
    Snap { zxid: Zxid },
    /// 16, O→ldr.
    ObserverInfo {
        accepted: Epoch,
        id: ServerId,
        config: i64,
    },
    /// 17, ldr→L: the new epoch.
    LeaderInfo { epoch: Epoch },
    /// 18, L→ldr: last logged zxid and current epoch; `None` (−1 on the wire)
    /// means: promised already, do not count me.
    AckEpoch { zxid: Zxid, current: Option<Epoch> },
    /// 19, ldr→O: INFORM of a reconfiguration.
    InformAndActivate {
        proposal: Proposal<T>,
        designated: ServerId,
    },
}

#[cfg(test)]
mod tests {
    use core::cmp::Ordering;

    use quickcheck::quickcheck;

    use super::*;

    fn vote((epoch, zxid, leader): (i64, i64, i64)) -> Vote {
        Vote {
            epoch: Epoch(epoch),
            zxid: Zxid(zxid),
            leader: ServerId(leader),
        }
    }

    quickcheck! {
        // spec: QP-FLE-10. Total, so that all servers with the same votes agree.
        fn votes_are_totally_ordered(a: (i64, i64, i64), b: (i64, i64, i64), c: (i64, i64, i64)) -> bool {
            let (x, y, z) = (vote(a), vote(b), vote(c));
            let antisymmetric = x.cmp(&y) == y.cmp(&x).reverse();
            let transitive = !(x <= y && y <= z) || x <= z;
            let tied_only_if_equal = (x.cmp(&y) == Ordering::Equal) == (x == y);
            antisymmetric && transitive && tied_only_if_equal
        }

        // spec: QP-FLE-10. Epoch, then zxid, then id, all signed.
        fn epoch_decides_first_then_zxid_then_id(a: (i64, i64, i64), b: (i64, i64, i64)) -> bool {
            vote(a).cmp(&vote(b)) == a.cmp(&b)
        }
    }

    // spec: QP-FLE-05.
    #[test]
    fn the_vote_of_a_server_without_one_loses_to_any_other() {
        assert!(Vote::NONE < vote((0, -1, 0)));
    }
}
