//! The leader's side of a txn's life: propose, collect acks, commit in order.

use crate::Payload;
use crate::broadcast::leader::{Leading, Learner, Stage, Step};
use crate::disk::Then;
use crate::effect::{Misbehaviour, Report, Timer};
use crate::id::Zxid;
use crate::message::{Message, Proposal};
use crate::policy::Policy;
use crate::role::{Context, Turn};
use crate::set::ServerSet;
use crate::status::Broken;

impl Leading {
    // spec: QP-BC-03, QP-BC-04.
    pub(crate) fn on_proposed<T: Payload, P: Policy>(
        &mut self,
        proposal: Proposal<T>,
        context: &mut Context<'_, T, P>,
    ) -> Result<Turn, Broken> {
        let next = self.next_zxid(context.config, context.policy);
        if next != Some(proposal.zxid) {
            // A request that a host validated in an earlier leadership of its.
            let late = self.stage != Stage::Established || proposal.zxid.epoch() < self.epoch;
            return if late {
                Ok(Turn::Stay)
            } else {
                Err(Broken::Proposed {
                    zxid: proposal.zxid,
                    next,
                })
            };
        }
        let zxid = proposal.zxid;
        for at in 0..self.learners.len() {
            let learner = &self.learners[at];
            if !learner.is_forwarded_to(context) {
                continue;
            }
            context
                .effects
                .send(learner.link, Message::Proposal(proposal.clone()));
            if learner.stage == Step::UpToDate && !self.owes(learner) {
                context
                    .effects
                    .arm(Timer::Acks(learner.link), context.config.timing.sync);
            }
        }
        self.epoch = zxid.epoch();
        self.proposed = zxid;
        context
            .disk
            .append(proposal, Then::Logged(zxid), context.effects);
        Ok(Turn::Stay)
    }

    pub(crate) fn on_ack<T: Payload, P: Policy>(
        &mut self,
        at: usize,
        zxid: Zxid,
        context: &mut Context<'_, T, P>,
    ) -> Result<Turn, Broken> {
        let learner = &mut self.learners[at];
        let answers_new_leader = learner.stage == Step::Synchronised && zxid == self.epoch.start();
        if answers_new_leader {
            learner.stage = Step::Adopted;
            context.effects.disarm(Timer::Learner(learner.link));
            return Ok(self.on_adopted(at, context));
        }
        // spec: QP-DEF-15.
        if learner.stage == Step::Synchronised && !context.policy.tolerates_early_acks() {
            return Err(Broken::Ack { zxid });
        }
        // spec: QP-BC-06. Ordinary traffic of Java peers, or an old ack come late.
        if zxid.counter() == 0 || zxid.epoch() < self.epoch {
            return Ok(Turn::Stay);
        }
        if zxid > self.proposed || zxid.epoch() > self.epoch {
            return Ok(self.expel(at, Misbehaviour::AckUnsent, context));
        }
        let at = if context.policy.counts_acks_by_link() {
            at
        } else {
            self.newest_link(at)
        };
        let learner = &mut self.learners[at];
        learner.acked = learner.acked.max(zxid);
        let (link, stage) = (learner.link, learner.stage);
        if stage == Step::UpToDate {
            if self.owes(&self.learners[at]) {
                context
                    .effects
                    .arm(Timer::Acks(link), context.config.timing.sync);
            } else {
                context.effects.disarm(Timer::Acks(link));
            }
        }
        Ok(self.commit(context))
    }

    /// Commits what a quorum holds.
    // spec: QP-BC-05. Acks are cumulative on a link and end with it, so a
    // predecessor has every ack that its successor has: nothing is skipped.
    pub(crate) fn commit<T: Payload, P: Policy>(
        &mut self,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        if self.stage != Stage::Established {
            return Turn::Stay;
        }
        if !context.policy.commits_in_order() {
            self.commit_newest(context);
        }
        while let Some(next) = context
            .disk
            .next_after(self.committed)
            .map(|entry| entry.zxid)
        {
            if !context
                .policy
                .is_quorum(&context.config.quorums, &self.holders(next, context))
            {
                break;
            }
            self.confirm_before(next, context);
            let was_open = self.is_open(context.config, context.policy);
            self.committed = next;
            context.deliver(next);
            if !was_open {
                let epoch = self.epoch;
                context.effects.report(Report::Opened { epoch });
            }
            self.tell_all(context);
        }
        self.confirm_reads(context);
        let told = self
            .learners
            .iter()
            .filter(|l| l.stage >= Step::Synchronised)
            .map(|l| l.told)
            .min();
        let needed = told.map_or(self.committed, |told| told.min(self.committed));
        context.disk.trim(context.config.window, needed);
        self.hand_over(context)
    }

    /// The last counter is committed: only another epoch has zxids left.
    // spec: QP-BC-04, QP-DEF-32.
    fn hand_over<T: Payload, P: Policy>(&self, context: &mut Context<'_, T, P>) -> Turn {
        let used_up = self.committed == self.proposed
            && self.next_zxid(context.config, context.policy).is_none();
        if !used_up {
            return Turn::Stay;
        }
        context.effects.report(Report::CounterExhausted);
        Turn::Look
    }

    /// Voters whose disks hold this zxid and that adopted this epoch.
    fn holders<T: Payload, P: Policy>(&self, zxid: Zxid, context: &Context<'_, T, P>) -> ServerSet {
        let durable = self.synced >= zxid || !context.policy.waits_for_its_own_disk();
        let own = durable.then_some(context.id);
        // M24: an ack that speaks for its own zxid alone lets a successor overtake.
        let covers =
            |acked: Zxid| acked == zxid || (acked > zxid && context.policy.commits_in_order());
        let holds = |l: &&Learner| !l.observer && l.stage >= Step::Adopted && covers(l.acked);
        own.into_iter()
            .chain(self.learners.iter().filter(holds).map(|l| l.id))
            .collect()
    }

    /// Tells learners that serve what is committed.
    pub(crate) fn tell_all<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        // spec: QP-INT-03. Between NEWLEADER and UPTODATE a Java follower may
        // have no place for a COMMIT; it gets them right after.
        let from = if context.policy.holds_commits() {
            Step::UpToDate
        } else {
            Step::Synchronised
        };
        for learner in &mut self.learners {
            if learner.stage >= from {
                learner.tell(self.committed, context);
            }
        }
    }

    /// M24: commits the newest that a quorum holds and leaves its predecessors out.
    fn commit_newest<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        let held = |zxid: &Zxid| {
            context
                .policy
                .is_quorum(&context.config.quorums, &self.holders(*zxid, context))
        };
        let newest = context
            .disk
            .after(self.committed)
            .map(|entry| entry.zxid)
            .filter(held)
            .last();
        let Some(newest) = newest else { return };
        let skipped = context
            .disk
            .log()
            .iter()
            .rev()
            .map(|entry| entry.zxid)
            .find(|zxid| *zxid < newest);
        let before = skipped.unwrap_or(self.committed);
        self.committed = newest;
        context.tree.delivered = before;
        context.deliver(newest);
        for learner in &mut self.learners {
            learner.told = learner.told.max(before);
        }
        self.tell_all(context);
    }

    /// M27: credits whatever link the same server has newest.
    fn newest_link(&self, at: usize) -> usize {
        let id = self.learners[at].id;
        self.learners
            .iter()
            .rposition(|learner| learner.id == id)
            .unwrap_or(at)
    }
}

impl Learner {
    /// Whether new proposals go to this learner.
    // spec: QP-SYN-05. From its synchronisation on: what it is not sent there
    // it would never get.
    pub(crate) fn is_forwarded_to<T: Payload, P: Policy>(
        &self,
        context: &Context<'_, T, P>,
    ) -> bool {
        let from = if context.policy.forwards_before_ack() {
            Step::Synchronised
        } else {
            Step::Adopted
        };
        !self.observer && self.stage >= from
    }

    /// COMMIT or INFORM of all that it was not told yet.
    pub(crate) fn tell<T: Payload, P: Policy>(
        &mut self,
        committed: Zxid,
        context: &mut Context<'_, T, P>,
    ) {
        for proposal in context
            .disk
            .after(self.told)
            .take_while(|proposal| proposal.zxid <= committed)
        {
            let message = if self.observer {
                Message::Inform(proposal.clone())
            } else {
                Message::Commit {
                    zxid: proposal.zxid,
                }
            };
            context.effects.send(self.link, message);
        }
        self.told = self.told.max(committed);
    }
}
