//! The learner's side: history durable, then the epoch, then the ack.

use crate::Payload;
use crate::broadcast::learner::{At, Learning};
use crate::disk::Then;
use crate::effect::{Misbehaviour, Report, SyncMode, Timer};
use crate::id::{Epoch, Zxid};
use crate::message::{Message, Proposal};
use crate::policy::Policy;
use crate::role::{Context, Turn};
use crate::status::Broken;

impl<T: Payload> Learning<T> {
    /// DIFF, TRUNC or SNAP.
    // spec: QP-SYN-10, QP-SYN-11, QP-SYN-12. Nothing touches the disk before
    // NEWLEADER: a synchronisation that breaks off leaves this server as it was.
    pub(crate) fn on_mode<P: Policy>(
        &mut self,
        mode: SyncMode,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        let start = match mode {
            SyncMode::Diff if context.abstains() || context.tree.needs_snapshot => {
                return self.quit(Misbehaviour::Unexpected, context);
            }
            SyncMode::Diff => context.disk.last(),
            SyncMode::Trunc(zxid) | SyncMode::Snap(zxid) => zxid,
        };
        // Whoever leads now lacks what a quorum committed. Guessing which of the
        // two histories is right would lose one.
        if start < context.tree.committed {
            return self.quit(Misbehaviour::BelowCommitted, context);
        }
        if let SyncMode::Trunc(zxid) = mode
            && zxid < context.disk.floor
        {
            // spec: QP-DEF-25. No snapshot is old enough to cut back to.
            context.tree.needs_snapshot = true;
            return self.quit(Misbehaviour::TruncTooLow, context);
        }
        self.mode = mode;
        self.last = start;
        self.committed = start;
        self.at = At::Synchronising;
        Turn::Stay
    }

    /// A proposal before UPTODATE: kept in memory.
    // spec: QP-SYN-14, QP-SYN-15, QP-SYN-17.
    pub(crate) fn keep<P: Policy>(
        &mut self,
        proposal: Proposal<T>,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        let redundant = !context.policy.forwards_once() && proposal.zxid == self.last;
        if self.is_in_snapshot(proposal.zxid) {
            return Turn::Stay;
        }
        if !self.last.precedes(proposal.zxid) && !redundant {
            return self.quit(Misbehaviour::ZxidGap, context);
        }
        self.last = proposal.zxid;
        self.pending.push_back(proposal);
        Turn::Stay
    }

    /// A COMMIT before UPTODATE: remembered.
    // spec: QP-SYN-14, QP-SYN-17.
    pub(crate) fn remember<P: Policy>(
        &mut self,
        zxid: Zxid,
        context: &mut Context<'_, T, P>,
    ) -> Result<Turn, Broken> {
        if self.is_in_snapshot(zxid) {
            return Ok(Turn::Stay);
        }
        let after_new_leader = matches!(self.at, At::Adopting | At::Adopted);
        if after_new_leader && !context.policy.keeps_proposals_after_new_leader() {
            return Err(Broken::Commit { zxid });
        }
        if after_new_leader && !context.policy.remembers_commits_after_new_leader() {
            return Ok(Turn::Stay);
        }
        let next = self
            .pending
            .iter()
            .map(|proposal| proposal.zxid)
            .find(|next| *next > self.committed);
        if next != Some(zxid) {
            return Ok(self.quit(Misbehaviour::CommitOrder, context));
        }
        self.committed = zxid;
        Ok(Turn::Stay)
    }

    /// The leader began to forward before it read the snapshot's zxid, so what
    /// the stream already holds may follow it.
    // spec: QP-SYN-15.
    fn is_in_snapshot(&self, zxid: Zxid) -> bool {
        matches!(self.mode, SyncMode::Snap(snapshot) if zxid <= snapshot)
    }

    /// NEWLEADER: the history is complete. Makes it durable, then the epoch, then acks.
    // spec: QP-SYN-16, QP-SYN-19. An epoch file that is ahead of its history would win an
    // election with a short log; an early ack would establish an epoch that one
    // crash forgets.
    pub(crate) fn on_new_leader<P: Policy>(
        &mut self,
        epoch: Epoch,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        if epoch != self.epoch {
            return self.quit(Misbehaviour::Epoch, context);
        }
        let policy = context.policy;
        self.at = At::Adopting;
        if !policy.writes_history_before_epoch() {
            context.disk.adopt(epoch, Then::Nothing, context.effects);
            self.write_history(Then::Nothing, context);
            // The ack still waits for the last of them.
            context.disk.adopt(epoch, Then::Adopt, context.effects);
        } else if !policy.writes_epoch_at_new_leader() {
            self.write_history(Then::Nothing, context);
            context
                .disk
                .accept(context.disk.accepted, Then::Adopt, context.effects);
        } else {
            if policy.writes_history_at_new_leader() {
                self.write_history(Then::Nothing, context);
            }
            if !policy.acks_new_leader_first() {
                self.log_rest(context);
            }
            context.disk.adopt(epoch, Then::Adopt, context.effects);
        }
        context.tree.needs_snapshot = false;
        if !policy.persists_before_new_leader_ack() || !policy.serves_only_what_is_durable() {
            self.send(
                Message::Ack {
                    zxid: epoch.start(),
                },
                context,
            );
        }
        Turn::Stay
    }

    /// Cuts or replaces the log, and appends what is known to be committed.
    fn write_history<P: Policy>(&mut self, then: Then, context: &mut Context<'_, T, P>) {
        match self.mode {
            SyncMode::Diff => {}
            SyncMode::Trunc(after) if context.policy.truncates_when_told() => {
                context.disk.truncate(after, context.effects)
            }
            SyncMode::Trunc(_) => {}
            SyncMode::Snap(snapshot) => context.disk.install(snapshot, context.effects),
        }
        let tree = &mut *context.tree;
        (tree.delivered, tree.shown) = match self.mode {
            SyncMode::Diff => (tree.delivered, tree.shown),
            // spec: QP-SYN-12. Loaded again from the disk, with the log to its end.
            SyncMode::Trunc(after) => (tree.delivered.min(after), after),
            // Whatever it held before, the tree is the snapshot now.
            SyncMode::Snap(snapshot) => (snapshot, snapshot),
        };
        while self
            .pending
            .front()
            .is_some_and(|proposal| proposal.zxid <= self.committed)
        {
            if let Some(proposal) = self.pending.pop_front() {
                context.disk.append(proposal, then, context.effects);
            }
        }
    }

    /// History and epoch are durable.
    pub(crate) fn on_adopted<P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        if self.at != At::Adopting {
            return;
        }
        self.at = At::Adopted;
        if context.policy.persists_before_new_leader_ack()
            && context.policy.serves_only_what_is_durable()
        {
            self.send(
                Message::Ack {
                    zxid: self.epoch.start(),
                },
                context,
            );
        }
    }

    /// UPTODATE: a quorum holds the history. Delivers it and serves.
    // spec: QP-SYN-18.
    pub(crate) fn on_up_to_date<P: Policy>(
        &mut self,
        context: &mut Context<'_, T, P>,
    ) -> Result<Turn, Broken> {
        let policy = context.policy;
        if self.at == At::Adopting {
            if !policy.serves_only_what_is_durable() {
                return Err(Broken::State);
            }
            if policy.persists_before_new_leader_ack() {
                return Ok(self.quit(Misbehaviour::Unexpected, context));
            }
        }
        self.at = At::UpToDate;
        self.send(
            Message::Ack {
                zxid: self.epoch.start(),
            },
            context,
        );
        if policy.updates_the_final_vote() {
            // spec: QP-FLE-07.
            context.ballot.vote.epoch = self.epoch;
        }
        if !policy.writes_history_at_new_leader() {
            self.write_history(Then::Nothing, context);
        }
        if !policy.writes_epoch_at_new_leader() {
            context
                .disk
                .adopt(self.epoch, Then::Nothing, context.effects);
        }
        let brought = self.pending.front().map(|proposal| proposal.zxid);
        self.log_rest(context);
        self.mode = SyncMode::Diff;
        if !policy.delivers_once() {
            context.tree.delivered = context.disk.base();
        }
        if !policy.delivers_before_serving() {
            context.tree.delivered = context.tree.delivered.max(self.committed);
        }
        context.deliver(self.committed);
        if let Some(first) = brought
            && !policy.caches_what_sync_brought()
        {
            let last = self.committed;
            context.disk.forget(|zxid| zxid < first || zxid > last);
        }
        context.effects.disarm(Timer::Init);
        context
            .effects
            .arm(Timer::Leader, context.config.timing.sync);
        context
            .effects
            .report(Report::UpToDate { epoch: self.epoch });
        Ok(Turn::Stay)
    }

    /// Logs what has no COMMIT yet, each to be acknowledged as in broadcast.
    fn log_rest<P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        while let Some(proposal) = self.pending.pop_front() {
            self.log(proposal, context);
        }
    }

    /// M9, M10: memory keeps what an aborted synchronisation did to it.
    pub(crate) fn keep_aborted<P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        if self.at != At::Synchronising {
            return;
        }
        match self.mode {
            SyncMode::Snap(snapshot) if !context.policy.forgets_aborted_snap() => {
                context.disk.replace(snapshot)
            }
            SyncMode::Trunc(after) if !context.policy.forgets_aborted_trunc() => {
                context.disk.cut(after)
            }
            SyncMode::Diff | SyncMode::Snap(_) | SyncMode::Trunc(_) => return,
        }
        while let Some(proposal) = self.pending.pop_front() {
            context.disk.push(proposal);
        }
    }
}
