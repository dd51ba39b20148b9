//! Links between learners and leaders: FIFO in both directions, with two ends that learn of a break on their own.

use std::collections::VecDeque;

use zab::{LinkId, Message};
use zab_properties::Txn;

/// What travels: a message, with the stream behind it if it is a SNAP.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Frame {
    pub(super) message: Message<u8>,
    pub(super) stream: Option<Vec<Txn<u8>>>,
}

/// One end's view, and what is on its way to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Half {
    pub(super) open: bool,
    pub(super) inbox: VecDeque<Frame>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) id: LinkId,
    pub(super) learner: usize,
    pub(super) leader: usize,
    pub(super) at_learner: Half,
    pub(super) at_leader: Half,
    /// The learner has acknowledged NEWLEADER on it.
    pub(super) adopted: bool,
    /// The learner has got NEWLEADER on it, and no UPTODATE (for R7). Its core knows that too, so it is no part of the state.
    pub(super) joins: bool,
}

/// Link ids name the pair and count its live connections, so they do not depend on what other pairs do, and renaming the
/// servers renames them. A number comes back once both ends have forgotten it: to the cores that is one more renaming.
const TAG: u64 = 1 << 40;

pub(super) fn link_id(learner: usize, leader: usize, count: u8) -> LinkId {
    LinkId(TAG | u64::from(count) << 16 | (learner as u64) << 8 | leader as u64)
}

/// The pair and the count, if the number is a link's.
pub(super) fn parts(number: u64) -> Option<(usize, usize, u8)> {
    (number & TAG != 0).then_some({
        (
            (number >> 8 & 0xff) as usize,
            (number & 0xff) as usize,
            (number >> 16 & 0xff) as u8,
        )
    })
}

/// What a link's number means to a reader: learner, leader, and which of their connections.
pub(super) fn link_name(id: LinkId, name: impl Fn(usize) -> i64) -> String {
    match parts(id.0) {
        Some((learner, leader, count)) => format!("{}-{}#{count}", name(learner), name(leader)),
        None => format!("{id}"),
    }
}

impl Link {
    pub(super) fn new(learner: usize, leader: usize, count: u8) -> Self {
        let half = || Half {
            open: true,
            inbox: VecDeque::new(),
        };
        Self {
            id: link_id(learner, leader, count),
            learner,
            leader,
            at_learner: half(),
            at_leader: half(),
            adopted: false,
            joins: false,
        }
    }

    pub(super) fn half(&self, server: usize) -> &Half {
        if server == self.learner {
            &self.at_learner
        } else {
            &self.at_leader
        }
    }

    pub(super) fn half_mut(&mut self, server: usize) -> &mut Half {
        if server == self.learner {
            &mut self.at_learner
        } else {
            &mut self.at_leader
        }
    }

    pub(super) fn other(&self, server: usize) -> usize {
        if server == self.learner {
            self.leader
        } else {
            self.learner
        }
    }

    pub(super) fn touches(&self, server: usize) -> bool {
        server == self.learner || server == self.leader
    }

    /// Whether this end has still to notice that the other is closed.
    pub(super) fn may_notice(&self, server: usize) -> bool {
        self.half(server).open && !self.half(self.other(server)).open
    }

    pub(super) fn count(&self) -> u8 {
        parts(self.id.0).map_or(0, |(_, _, count)| count)
    }
}
