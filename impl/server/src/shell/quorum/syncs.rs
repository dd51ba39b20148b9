//! How many observers a leader brings up to date at once.

use std::collections::BTreeMap;
use zab::{LinkId, Message};

/// Synchronisations under way, by link. Members that vote are counted and never refused:
/// the ensemble may need them.
// spec: QP-SYN-08
pub(crate) struct Syncs {
    max_snaps: usize,
    max_diffs: usize,
    under_way: BTreeMap<LinkId, Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Snap,
    Diff,
}

/// What a message that is sent means for the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Begins(Kind),
    Ends,
    Neither,
}

impl Step {
    pub(crate) fn of<T>(message: &Message<T>) -> Self {
        match message {
            Message::Snap { .. } => Self::Begins(Kind::Snap),
            Message::Diff { .. } | Message::Trunc { .. } => Self::Begins(Kind::Diff),
            Message::UpToDate => Self::Ends,
            Message::Request { .. }
            | Message::Proposal(_)
            | Message::Ack { .. }
            | Message::Commit { .. }
            | Message::Ping { .. }
            | Message::Revalidate { .. }
            | Message::Sync
            | Message::Inform(_)
            | Message::CommitAndActivate { .. }
            | Message::NewLeader { .. }
            | Message::FollowerInfo { .. }
            | Message::ObserverInfo { .. }
            | Message::LeaderInfo { .. }
            | Message::AckEpoch { .. }
            | Message::InformAndActivate { .. } => Self::Neither,
        }
    }
}

impl Syncs {
    pub(crate) fn new(max_snaps: u32, max_diffs: u32) -> Self {
        Self {
            max_snaps: max_snaps as usize,
            max_diffs: max_diffs as usize,
            under_way: BTreeMap::new(),
        }
    }

    /// Follows what is sent over a link; false when it begins one synchronisation too many.
    pub(crate) fn admits<T>(&mut self, link: LinkId, votes: bool, message: &Message<T>) -> bool {
        let kind = match Step::of(message) {
            Step::Begins(kind) => kind,
            Step::Ends => {
                self.end(link);
                return true;
            }
            Step::Neither => return true,
        };
        let limit = match kind {
            Kind::Snap => self.max_snaps,
            Kind::Diff => self.max_diffs,
        };
        let busy = self.under_way.values().filter(|other| **other == kind);
        if !votes && busy.count() >= limit {
            return false;
        }
        self.under_way.insert(link, kind);
        true
    }

    pub(crate) fn end(&mut self, link: LinkId) {
        self.under_way.remove(&link);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zab::Zxid;

    const SNAP: Message<()> = Message::Snap { zxid: Zxid(1) };
    const DIFF: Message<()> = Message::Diff { zxid: Zxid(1) };
    const UP_TO_DATE: Message<()> = Message::UpToDate;

    // spec: QP-SYN-08
    #[test]
    fn observers_wait_for_their_turn_and_voters_do_not() {
        let mut syncs = Syncs::new(1, 2);
        assert!(syncs.admits(LinkId(1), false, &SNAP));
        assert!(!syncs.admits(LinkId(2), false, &SNAP));
        assert!(syncs.admits(LinkId(2), false, &DIFF));
        assert!(syncs.admits(LinkId(3), true, &SNAP));
        // Up to date, or gone: the slot is free.
        assert!(syncs.admits(LinkId(1), false, &UP_TO_DATE));
        assert!(!syncs.admits(LinkId(4), false, &SNAP));
        syncs.end(LinkId(3));
        assert!(syncs.admits(LinkId(4), false, &SNAP));
    }
}
