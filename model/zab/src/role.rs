//! What the roles share: the peer's other state while one event is handled,
//! and what a role may ask of the peer in return.

use crate::Payload;
use crate::config::Config;
use crate::disk::Disk;
use crate::effect::{Effect, Effects};
use crate::id::{Round, ServerId, Zxid};
use crate::message::{Notification, ServerState, Vote};
use crate::policy::Policy;
use crate::set::ServerSet;

/// The peer without its role.
pub(crate) struct Context<'a, T, P> {
    pub(crate) id: ServerId,
    pub(crate) config: &'a Config,
    pub(crate) policy: &'a P,
    pub(crate) disk: &'a mut Disk<T>,
    pub(crate) tree: &'a mut Tree,
    pub(crate) ballot: &'a mut Ballot,
    pub(crate) effects: &'a mut Effects<T>,
}

/// How far the host's tree is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Tree {
    /// The last zxid delivered, or what the directory started from.
    pub(crate) delivered: Zxid,
    /// The last zxid that the host's tree shows. After a start, and after a TRUNC,
    /// that is the end of the log, which may lie beyond what was delivered.
    pub(crate) shown: Zxid,
    /// The last zxid known to be committed: nothing may take it back.
    pub(crate) committed: Zxid,
    /// The log cannot be cut as the leader asked: a snapshot is needed.
    pub(crate) needs_snapshot: bool,
}

/// This server's vote and its round.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Ballot {
    pub(crate) vote: Vote,
    pub(crate) round: Round,
}

/// What becomes of the role after an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// It lasts.
    Stay,
    /// It ends; the next election begins.
    Look,
    /// The election is over; `Ballot` names the leader.
    Elected,
}

impl<T: Payload, P: Policy> Context<'_, T, P> {
    /// Delivers what is committed and in memory, up to this zxid.
    pub(crate) fn deliver(&mut self, through: Zxid) {
        for proposal in self
            .disk
            .after(self.undelivered(through))
            .take_while(|proposal| proposal.zxid <= through)
        {
            self.effects.push(Effect::Deliver {
                proposal: proposal.clone(),
            });
        }
        self.tree.delivered = self.tree.delivered.max(through);
        self.tree.shown = self.tree.shown.max(through);
        self.tree.committed = self.tree.committed.max(through);
    }

    /// The zxid after which delivery starts. M48: all but the last waiting txn are left out.
    fn undelivered(&self, through: Zxid) -> Zxid {
        let delivered = self.tree.delivered;
        if self.policy.delivers_every_txn() {
            return delivered;
        }
        delivered.max(self.disk.before(through))
    }

    /// Sends this server's vote.
    pub(crate) fn notify(&mut self, to: ServerId, state: ServerState) {
        let notification = Notification {
            state,
            vote: self.ballot.vote,
            round: self.ballot.round,
            version: 2,
            config: self.config.version,
        };
        self.effects.push(Effect::Notify { to, notification });
    }

    pub(crate) fn is_voter(&self, id: ServerId) -> bool {
        self.config.quorums.voters().contains(id)
    }

    pub(crate) fn is_quorum(&self, servers: &ServerSet) -> bool {
        self.config.quorums.is_quorum(servers)
    }

    /// A server that must not vote with its empty directory.
    pub(crate) fn abstains(&self) -> bool {
        !self.disk.trusted && self.policy.abstains_when_wiped()
    }
}
