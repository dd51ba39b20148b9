//! Who is still there: pings, patience, and the end of a leadership without a quorum.

use crate::Payload;
use crate::broadcast::leader::{Leading, Learner, Stage, Step};
use crate::effect::{Misbehaviour, Report, Timer};
use crate::id::{LinkId, ServerId, Zxid};
use crate::message::Message;
use crate::policy::Policy;
use crate::role::{Context, Turn};

impl Leading {
    pub(super) fn on_expired<T: Payload, P: Policy>(
        &mut self,
        timer: Timer,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        match timer {
            Timer::Init if self.stage != Stage::Established => {
                // spec: QP-ZAB-22.
                context.effects.report(Report::TooSlow);
                Turn::Look
            }
            Timer::Ping => {
                self.ping_all(context);
                Turn::Stay
            }
            // spec: QP-BC-16, QP-BC-17.
            Timer::Learner(link) | Timer::Acks(link) => match self.find(link) {
                Some(at) => self.expel(at, Misbehaviour::Silent, context),
                None => Turn::Stay,
            },
            Timer::Init | Timer::Notify | Timer::Finalize | Timer::Leader => Turn::Stay,
        }
    }

    // spec: QP-BC-13, QP-DEF-41. Pings begin with the NEWLEADER ack, because a
    // Java learner shortens its patience there. One at a time suffices.
    fn ping_all<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        context.effects.arm(Timer::Ping, context.config.timing.ping);
        for learner in &mut self.learners {
            if learner.stage >= Step::Adopted && learner.pings == 0 {
                learner.ping(self.proposed, context);
            }
        }
    }

    /// Closes a learner's link and goes on without it.
    pub(crate) fn expel<T: Payload, P: Policy>(
        &mut self,
        at: usize,
        why: Misbehaviour,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        let learner = self.learners.remove(at);
        context.effects.disconnect(learner.link, why);
        self.dismiss(&learner, context);
        self.after_loss(learner.id, context)
    }

    pub(super) fn on_lost<T: Payload, P: Policy>(
        &mut self,
        link: LinkId,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        let Some(at) = self.find(link) else {
            return Turn::Stay;
        };
        let learner = self.learners.remove(at);
        self.dismiss(&learner, context);
        self.after_loss(learner.id, context)
    }

    pub(super) fn dismiss<T: Payload, P: Policy>(
        &self,
        learner: &Learner,
        context: &mut Context<'_, T, P>,
    ) {
        if learner.stage != Step::Adopted {
            context.effects.disarm(Timer::Learner(learner.link));
        }
        if learner.stage == Step::UpToDate && self.owes(learner) {
            context.effects.disarm(Timer::Acks(learner.link));
        }
    }

    /// Whether the learner has an unacknowledged proposal.
    pub(crate) fn owes(&self, learner: &Learner) -> bool {
        !learner.observer && self.proposed.counter() != 0 && learner.acked < self.proposed
    }

    // spec: QP-BC-17. At once and not at the next tick: the learner that is gone
    // looks for a leader, and may need this server's vote to find one.
    fn after_loss<T: Payload, P: Policy>(
        &mut self,
        id: ServerId,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        if self.stage != Stage::Established {
            self.forget_choice(id, context);
            return Turn::Stay;
        }
        let following = self
            .voters_from(Step::Greeted)
            .chain([context.id])
            .collect();
        if context.is_quorum(&following) {
            return Turn::Stay;
        }
        context.effects.report(Report::QuorumLost);
        Turn::Look
    }

    /// Servers with a follower's link that is so far.
    pub(crate) fn voters_from(&self, step: Step) -> impl Iterator<Item = ServerId> {
        let so_far = move |learner: &&Learner| !learner.observer && learner.stage >= step;
        self.learners
            .iter()
            .filter(so_far)
            .map(|learner| learner.id)
    }
}

impl Learner {
    pub(crate) fn ping<T: Payload, P: Policy>(
        &mut self,
        zxid: Zxid,
        context: &mut Context<'_, T, P>,
    ) {
        context.effects.send(
            self.link,
            Message::Ping {
                zxid,
                sessions: None,
            },
        );
        // spec: QP-SYN-20. A ping before UPTODATE gets no answer.
        if self.stage == Step::UpToDate {
            self.pings = self.pings.saturating_add(1);
        }
    }
}
