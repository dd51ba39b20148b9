//! The leader's side: what each learner lacks, and when the epoch is established.

use crate::Payload;
use crate::broadcast::leader::{Leading, Stage, Step};
use crate::effect::{Effect, Report, SyncMode, Timer};
use crate::id::Zxid;
use crate::message::Message;
use crate::policy::Policy;
use crate::role::{Context, Turn};
use crate::set::ServerSet;

impl Leading {
    /// Sends a learner the history, then NEWLEADER.
    // spec: QP-SYN-05, QP-SYN-07. One pass without interruption: from here on the
    // learner gets every live proposal, so nothing falls between.
    pub(crate) fn synchronise<T: Payload, P: Policy>(
        &mut self,
        at: usize,
        context: &mut Context<'_, T, P>,
    ) {
        let learner = &mut self.learners[at];
        let (mode, start) = decide(learner.acked, self.committed, context);
        let link = learner.link;
        context.effects.report(Report::Synchronising {
            peer: learner.id,
            mode,
        });
        let new_leader = Message::NewLeader {
            epoch: self.epoch,
            config: context.config.version,
        };
        let snapshot_first = context.policy.sends_snapshot_before_new_leader();
        let snap = matches!(mode, SyncMode::Snap(_));
        if snap && !snapshot_first {
            context.effects.send(link, new_leader.clone());
        }
        match mode {
            SyncMode::Diff => context.effects.send(
                link,
                Message::Diff {
                    zxid: self.committed,
                },
            ),
            SyncMode::Trunc(zxid) => context.effects.send(link, Message::Trunc { zxid }),
            SyncMode::Snap(zxid) => {
                context.effects.send(link, Message::Snap { zxid });
                context.effects.push(Effect::SendSnapshot { link, zxid });
            }
        }
        for proposal in context
            .disk
            .after(start)
            .take_while(|proposal| proposal.zxid <= self.committed)
        {
            context
                .effects
                .send(link, Message::Proposal(proposal.clone()));
            context.effects.send(
                link,
                Message::Commit {
                    zxid: proposal.zxid,
                },
            );
        }
        if !learner.observer && context.policy.forwards_before_ack() {
            let repeats = if context.policy.forwards_once() { 0 } else { 1 };
            let from = context
                .disk
                .position(self.committed)
                .saturating_sub(repeats);
            for proposal in context.disk.log().range(from..) {
                context
                    .effects
                    .send(link, Message::Proposal(proposal.clone()));
            }
        }
        if !snap || snapshot_first {
            context.effects.send(link, new_leader);
        }
        learner.stage = Step::Synchronised;
        learner.told = self.committed;
        // What it reported may be cut away now: only new acks count.
        learner.acked = Zxid::ZERO;
    }

    /// A learner acknowledged NEWLEADER.
    pub(crate) fn on_adopted<T: Payload, P: Policy>(
        &mut self,
        at: usize,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        if self.stage == Stage::Established {
            self.admit(at, context);
            return self.commit(context);
        }
        self.establish(context);
        Turn::Stay
    }

    /// Establishes the epoch once a quorum, this server included, adopted it.
    // spec: QP-ZAB-20.
    pub(crate) fn establish<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        let own = self.adopted.then_some(context.id);
        let adopters = self.voters_from(Step::Adopted).chain(own).collect();
        let enough = context.is_quorum(&adopters) || !context.policy.establishes_with_a_quorum();
        if self.stage != Stage::Synchronising || !enough {
            return;
        }
        self.stage = Stage::Established;
        self.proposed = self.epoch.start();
        // Who led to this no longer matters.
        (self.heard, self.agreed) = (ServerSet::EMPTY, ServerSet::EMPTY);
        if context.policy.updates_the_final_vote() {
            // spec: QP-FLE-07.
            context.ballot.vote.epoch = self.epoch;
        }
        context.effects.disarm(Timer::Init);
        if context.policy.delivers_the_initial_history() {
            context.deliver(self.committed);
        }
        context
            .effects
            .report(Report::Established { epoch: self.epoch });
        // spec: QP-ZAB-21.
        for at in 0..self.learners.len() {
            if self.learners[at].stage == Step::Adopted {
                self.admit(at, context);
            }
        }
        self.open(context);
    }

    /// Serves from here on, or asks for the txn that shows what the quorum's disks hold.
    // spec: QP-INT-02. UPTODATE has gone out: there are followers that write the history only after it. An ack of the
    // txn speaks for all that was written before it.
    fn open<T: Payload, P: Policy>(&self, context: &mut Context<'_, T, P>) {
        if self.is_open(context.config, context.policy) {
            let epoch = self.epoch;
            context.effects.report(Report::Opened { epoch });
        } else if let Some(zxid) = self.next_zxid(context.config, context.policy) {
            context.effects.push(Effect::Open { zxid });
        }
    }

    /// UPTODATE, and the COMMITs held back since NEWLEADER.
    fn admit<T: Payload, P: Policy>(&mut self, at: usize, context: &mut Context<'_, T, P>) {
        let learner = &mut self.learners[at];
        learner.stage = Step::UpToDate;
        context.effects.send(learner.link, Message::UpToDate);
        context
            .effects
            .arm(Timer::Learner(learner.link), context.config.timing.sync);
        learner.tell(self.committed, context);
        let (peer, link) = (learner.id, learner.link);
        if self.owes(&self.learners[at]) {
            context
                .effects
                .arm(Timer::Acks(link), context.config.timing.sync);
        }
        self.probe(at, context);
        context.effects.report(Report::Joined { peer });
    }
}

/// How a learner whose log ends at `last` is brought level with `committed`:
/// the mode, and the zxid after which it lacks everything.
// spec: QP-SYN-01, QP-SYN-04. An entry of an epoch exists only after that epoch was
// established, so logs that share an epoch share all before it: the last entry
// of the leader not after `last` is the greatest common one if it is of the same epoch.
pub(crate) fn decide<T: Payload, P: Policy>(
    last: Zxid,
    committed: Zxid,
    context: &Context<'_, T, P>,
) -> (SyncMode, Zxid) {
    let disk = &*context.disk;
    // spec: QP-SYN-11, QP-DEF-25. The tree as the host has it; entries after it are in memory. Were a
    // stream named by less than it shows, no TRUNC and no crash at the learner would
    // take back what lies between.
    let snapshot = if context.policy.names_snapshots_by_the_tree() {
        context.tree.shown
    } else {
        context.tree.delivered
    };
    let snap = (SyncMode::Snap(snapshot), snapshot);
    let common = match disk.position(last.min(committed)) {
        0 => disk.base(),
        kept => disk.log()[kept - 1].zxid,
    };
    if last == committed {
        (SyncMode::Diff, last)
    } else if last < disk.base() {
        snap
    } else if last == common {
        (SyncMode::Diff, last)
    } else if last.counter() == 0 && last < committed {
        // A Java server that led or followed an epoch without a txn.
        (SyncMode::Diff, common)
    } else if last > committed && last.counter() != 0 {
        let after = if context.policy.keeps_the_common_history() {
            committed
        } else {
            disk.before(committed)
        };
        (SyncMode::Trunc(after), after)
    } else if last < committed && !context.policy.cuts_to_the_common_zxid() {
        (SyncMode::Diff, common)
    } else if common.epoch() == last.epoch() && last.counter() != 0 {
        (SyncMode::Trunc(common), common)
    } else {
        snap
    }
}
