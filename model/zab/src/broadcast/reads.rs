//! Does this leader still lead? A read is confirmed once, with the leader, a
//! quorum has answered a ping that was sent after the read came, or has
//! acknowledged what was proposed after it. Reads that come while a round is
//! under way share the next one.

use alloc::vec::Vec;

use crate::Payload;
use crate::broadcast::leader::{Leading, Learner, Stage, Step};
use crate::effect::Effect;
use crate::event::Reader;
use crate::id::Zxid;
use crate::message::Message;
use crate::policy::Policy;
use crate::role::Context;
use crate::set::ServerSet;

/// Reads on their way.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub(crate) struct Reads {
    /// Confirmed; waiting for what was proposed before them to be committed.
    confirmed: Vec<Read>,
    /// In the round under way.
    asked: Vec<Read>,
    /// For the next round.
    waiting: Vec<Read>,
    /// Who answered in this round.
    answered: ServerSet,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Read {
    by: Reader,
    /// The last zxid proposed when it came.
    after: Zxid,
}

impl Read {
    /// Whoever asked is told, unless its link is gone.
    fn answer<T: Payload, P: Policy>(self, learners: &[Learner], context: &mut Context<'_, T, P>) {
        match self.by {
            Reader::Host(read) => context.effects.push(Effect::Confirmed { read }),
            Reader::Learner(link) => {
                if learners.iter().any(|learner| learner.link == link) {
                    context.effects.send(link, Message::Sync);
                }
            }
        }
    }
}

impl Leading {
    // spec: QP-BC-15.
    pub(crate) fn on_asked<T: Payload, P: Policy>(
        &mut self,
        by: Reader,
        context: &mut Context<'_, T, P>,
    ) {
        if self.stage != Stage::Established {
            return;
        }
        // spec: QP-INT-02. A learner's client may read as soon as its sync is answered.
        let first = Zxid::new(self.epoch, 1);
        let after = if self.is_open(context.config, context.policy) {
            self.proposed
        } else {
            self.proposed.max(first)
        };
        let read = Read { by, after };
        if !context.policy.confirms_with_a_fresh_round() {
            self.reads.confirmed.push(read);
            return self.confirm_reads(context);
        }
        self.reads.waiting.push(read);
        self.start_round(context);
    }

    /// Starts a round if none is under way and somebody waits.
    fn start_round<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        while self.reads.asked.is_empty() && !self.reads.waiting.is_empty() {
            self.reads.asked = core::mem::take(&mut self.reads.waiting);
            self.reads.answered = [context.id].into_iter().collect();
            for at in 0..self.learners.len() {
                self.probe(at, context);
            }
            self.finish_round(context);
        }
    }

    /// Asks one learner in the round under way. Answers come in the order of
    /// the pings, so the one that counts is known by its place.
    pub(crate) fn probe<T: Payload, P: Policy>(
        &mut self,
        at: usize,
        context: &mut Context<'_, T, P>,
    ) {
        let proposed = self.proposed;
        let learner = &mut self.learners[at];
        if learner.stage == Step::UpToDate && !learner.observer && !self.reads.asked.is_empty() {
            learner.ping(proposed, context);
            learner.probe = Some(learner.pings);
        }
    }

    /// A learner answered its oldest ping.
    pub(crate) fn on_pong<T: Payload, P: Policy>(
        &mut self,
        at: usize,
        context: &mut Context<'_, T, P>,
    ) {
        let learner = &mut self.learners[at];
        learner.pings = learner.pings.saturating_sub(1);
        let Some(left) = learner.probe else { return };
        if left > 1 {
            learner.probe = Some(left - 1);
            return;
        }
        learner.probe = None;
        self.reads.answered.insert(learner.id);
        self.finish_round(context);
        self.start_round(context);
    }

    fn finish_round<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        if self.reads.asked.is_empty() || !context.is_quorum(&self.reads.answered) {
            return;
        }
        self.reads.confirmed.append(&mut self.reads.asked);
        self.reads.answered = ServerSet::EMPTY;
        for learner in &mut self.learners {
            learner.probe = None;
        }
        self.confirm_reads(context);
    }

    /// Answers confirmed reads whose predecessors are committed, in order.
    pub(crate) fn confirm_reads<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        let ready = self
            .reads
            .confirmed
            .iter()
            .take_while(|read| read.after <= self.committed.max(self.epoch.start()));
        let ready = ready.count();
        for read in self.reads.confirmed.drain(..ready) {
            read.answer(&self.learners, context);
        }
    }

    /// Answers the reads that came before a txn was proposed that a quorum now holds: its acks answer something sent after
    /// they came. So a host hears of a read before it hears of what was asked behind it.
    // spec: QP-BC-15, CP-ORD-01.
    pub(crate) fn confirm_before<T: Payload, P: Policy>(
        &mut self,
        txn: Zxid,
        context: &mut Context<'_, T, P>,
    ) {
        let reads = &mut self.reads;
        for list in [&mut reads.confirmed, &mut reads.asked, &mut reads.waiting] {
            let older = list.partition_point(|read| read.after < txn);
            for read in list.drain(..older) {
                read.answer(&self.learners, context);
            }
        }
        if self.reads.asked.is_empty() {
            self.reads.answered = ServerSet::EMPTY;
            for learner in &mut self.learners {
                learner.probe = None;
            }
            self.start_round(context);
        }
    }
}
