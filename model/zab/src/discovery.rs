//! Phase 1: a quorum agrees on an epoch that none of it has seen, and that its
//! leader is as recent as any of it.
//!
//! ```text
//!   learner                                   leader
//!      │ FOLLOWERINFO accepted epoch            │
//!      ├───────────────────────────────────────▶│ quorum: epoch = highest + 1, durable
//!      │                      LEADERINFO epoch  │
//!      │◀───────────────────────────────────────┤
//!      │ durable                                │
//!      │ ACKEPOCH current epoch, last zxid      │
//!      ├───────────────────────────────────────▶│ quorum: current epoch durable, synchronise
//! ```

use core::cmp::Ordering;

use crate::Payload;
use crate::broadcast::leader::{Leading, Learner, Stage, Step};
use crate::broadcast::learner::{At, Learning};
use crate::disk::Then;
use crate::effect::{Misbehaviour, Report, Timer};
use crate::id::{Epoch, ServerId, Zxid};
use crate::message::{Message, Vote};
use crate::policy::Policy;
use crate::role::{Context, Turn};

impl Leading {
    /// FOLLOWERINFO or OBSERVERINFO.
    pub(crate) fn on_info<T: Payload, P: Policy>(
        &mut self,
        at: usize,
        accepted: Epoch,
        id: ServerId,
        config: i64,
        observer: bool,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        // spec: QP-ZAB-02.
        if config > context.config.version {
            return self.expel(at, Misbehaviour::ConfigAhead, context);
        }
        if id != self.learners[at].id {
            return self.expel(at, Misbehaviour::Unexpected, context);
        }
        // One bad number must not use up the epochs (faults FT-QRM-07).
        if accepted.0
            > context
                .disk
                .accepted
                .0
                .saturating_add(context.config.epoch_jump)
            || accepted >= Epoch::MAX
        {
            return self.expel(at, Misbehaviour::Epoch, context);
        }
        // A non-voting follower gets what a follower gets, and counts as little
        // as an observer does.
        // spec: QP-CFG-03.
        let votes = !observer && context.is_voter(id);
        let link = self.learners[at].link;
        if self.is_overtaken(at, context) {
            return self.expel(at, Misbehaviour::Replaced, context);
        }
        self.learners[at].observer = observer;
        self.learners[at].stage = Step::Greeted;
        let replaced = self.replace_others(at, context);
        let Some(at) = self.find(link) else {
            return replaced;
        };
        match self.stage {
            Stage::Collecting => {
                // spec: QP-ZAB-03.
                if context.policy.keeps_two_epochs() {
                    self.epoch = self.epoch.max(accepted.next());
                }
                if votes {
                    self.heard.insert(id);
                }
                self.choose_epoch(context);
                Turn::Stay
            }
            // It promised a later epoch to a leader that failed. It would refuse
            // this one for ever: only a new election can take it in.
            // spec: QP-ZAB-05.
            _ if accepted > self.epoch
                && context.policy.keeps_two_epochs()
                && context.policy.honours_later_promises() =>
            {
                context.effects.report(Report::LaterPromise { peer: id });
                Turn::Look
            }
            Stage::Announcing => Turn::Stay,
            // spec: QP-ZAB-04.
            Stage::Agreeing | Stage::Synchronising | Stage::Established => {
                self.inform(at, context);
                Turn::Stay
            }
        }
    }

    /// Whether the same learner has greeted over a link that it made later. What it said over this one was on
    /// its way for long, and must not end the link that it uses.
    fn is_overtaken<T: Payload, P: Policy>(&self, at: usize, context: &Context<'_, T, P>) -> bool {
        let Learner { id, link, .. } = self.learners[at];
        let is_newer = |l: &Learner| l.id == id && l.link > link && l.stage > Step::Silent;
        context.policy.counts_acks_by_link() && self.learners.iter().any(is_newer)
    }

    /// A server's newest link replaces the one before, whose end was not
    /// noticed yet. It still counts as following, by its new link.
    fn replace_others<T: Payload, P: Policy>(
        &mut self,
        at: usize,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        let (id, link) = (self.learners[at].id, self.learners[at].link);
        let is_old = |l: &Learner| l.id == id && l.link != link && l.stage > Step::Silent;
        match self.learners.iter().position(is_old) {
            Some(old) if context.policy.counts_acks_by_link() => {
                self.expel(old, Misbehaviour::Replaced, context)
            }
            Some(_) | None => Turn::Stay,
        }
    }

    /// Chooses the epoch once a quorum has been heard.
    // spec: QP-ZAB-03.
    pub(crate) fn choose_epoch<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        if self.stage != Stage::Collecting || !context.is_quorum(&self.heard) {
            return;
        }
        self.stage = Stage::Announcing;
        context
            .effects
            .report(Report::EpochChosen { epoch: self.epoch });
        context.effects.arm(Timer::Init, context.config.timing.init);
        let (epoch, early) = (
            self.epoch,
            !context.policy.persists_epoch_before_announcing(),
        );
        context.disk.accept(
            epoch,
            if early { Then::Nothing } else { Then::Announce },
            context.effects,
        );
        if early {
            self.announce(context);
        }
    }

    /// The epoch is durable here: nobody can be promised it by this server again.
    pub(crate) fn announce<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        if self.stage != Stage::Announcing {
            return;
        }
        self.stage = Stage::Agreeing;
        for at in 0..self.learners.len() {
            if self.learners[at].stage == Step::Greeted {
                self.inform(at, context);
            }
        }
        self.agree(context);
    }

    fn inform<T: Payload, P: Policy>(&mut self, at: usize, context: &mut Context<'_, T, P>) {
        self.learners[at].stage = Step::Informed;
        context.effects.send(
            self.learners[at].link,
            Message::LeaderInfo { epoch: self.epoch },
        );
    }

    // spec: QP-ZAB-08.
    pub(crate) fn on_ack_epoch<T: Payload, P: Policy>(
        &mut self,
        at: usize,
        zxid: Zxid,
        current: Option<Epoch>,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        let id = self.learners[at].id;
        let votes = !self.learners[at].observer && context.is_voter(id);
        self.learners[at].acked = zxid;
        self.learners[at].stage = Step::Agreed;
        if self.stage == Stage::Agreeing {
            if votes && let Some(current) = current {
                if self.is_more_recent(current, zxid, context) {
                    // spec: QP-DEF-40. Another leader can be better; waiting cannot.
                    context.effects.report(Report::MoreRecent { peer: id });
                    return Turn::Look;
                }
                if zxid != Zxid::UNTRUSTED || self.outranks(current, context) {
                    self.agreed.insert(id);
                }
            }
            self.agree(context);
        } else {
            self.synchronise(at, context);
        }
        self.commit_history_early(zxid, context);
        Turn::Stay
    }

    fn is_more_recent<T: Payload, P: Policy>(
        &self,
        current: Epoch,
        zxid: Zxid,
        context: &Context<'_, T, P>,
    ) -> bool {
        let theirs = Vote {
            epoch: current,
            zxid,
            leader: context.id,
        };
        let own = Vote {
            epoch: context.disk.current,
            zxid: context.disk.last(),
            leader: context.id,
        };
        context.policy.yields_to_more_recent()
            && context.policy.compare(&theirs, &own) == Ordering::Greater
    }

    /// Whether the epoch alone says that this server is more recent than a learner that asks for a snapshot
    /// with a history of its own. Without it such a learner and its leader could never be a quorum.
    // spec: QP-ZAB-08. Epoch 0 may be that of a lost file, and no history.
    fn outranks<T: Payload, P: Policy>(&self, current: Epoch, context: &Context<'_, T, P>) -> bool {
        Epoch::ZERO < current && current < context.disk.current
    }

    /// Goes on once a quorum agreed.
    fn agree<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        if self.stage != Stage::Agreeing || !context.is_quorum(&self.agreed) {
            return;
        }
        self.stage = Stage::Synchronising;
        context.effects.arm(Timer::Init, context.config.timing.init);
        context.effects.arm(Timer::Ping, context.config.timing.ping);
        // spec: QP-ZAB-09.
        context.disk.adopt(self.epoch, Then::Adopt, context.effects);
        for at in 0..self.learners.len() {
            if self.learners[at].stage == Step::Agreed {
                self.synchronise(at, context);
            }
        }
    }

    /// M25: counts the initial history committed as far as a quorum, this server and the one that reports, holds it.
    fn commit_history_early<T: Payload, P: Policy>(
        &self,
        reported: Zxid,
        context: &mut Context<'_, T, P>,
    ) {
        let begun = matches!(self.stage, Stage::Agreeing | Stage::Synchronising);
        if !context.policy.commits_history_with_the_epoch() && begun {
            context.deliver(reported.min(self.committed));
        }
    }

    /// M23: a learner that leaves is not counted, and the epoch is chosen again.
    pub(crate) fn forget_choice<T: Payload, P: Policy>(
        &mut self,
        id: ServerId,
        context: &mut Context<'_, T, P>,
    ) {
        if context.policy.chooses_the_epoch_once() || self.stage > Stage::Agreeing {
            return;
        }
        self.heard.remove(id);
        self.agreed.remove(id);
        if !context.is_quorum(&self.heard) {
            self.stage = Stage::Collecting;
            self.epoch = Epoch::ZERO;
        }
    }
}

impl<T: Payload> Learning<T> {
    // spec: QP-ZAB-05, QP-ZAB-23.
    pub(crate) fn on_leader_info<P: Policy>(
        &mut self,
        epoch: Epoch,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        let accepted = context.disk.accepted;
        let promised_later = epoch < accepted && context.policy.honours_later_promises();
        if promised_later || epoch > Epoch::MAX {
            return self.quit(Misbehaviour::Epoch, context);
        }
        self.epoch = epoch;
        if epoch == accepted {
            let again = !context.policy.promises_once();
            self.promise(again.then_some(context.disk.current), context);
            return Turn::Stay;
        }
        let early = !context.policy.persists_promise_before_answer();
        context.disk.accept(
            epoch,
            if early { Then::Nothing } else { Then::Promise },
            context.effects,
        );
        self.at = At::Promising;
        if early {
            self.promise(Some(context.disk.current), context);
        }
        Turn::Stay
    }

    /// The promise is durable: answers the leader.
    pub(crate) fn promise<P: Policy>(
        &mut self,
        current: Option<Epoch>,
        context: &mut Context<'_, T, P>,
    ) {
        // spec: DF-REC-05. What holds nothing, or cannot be cut to what the leader has,
        // asks for a snapshot, and is counted by its epoch at most. The epoch file of an
        // empty directory speaks of a history that is gone, so it says nothing either.
        let whole = !context.abstains() && !context.tree.needs_snapshot;
        let zxid = if whole {
            context.disk.last()
        } else {
            Zxid::UNTRUSTED
        };
        let current = current.filter(|_| !context.abstains());
        self.at = At::Promised;
        self.send(Message::AckEpoch { zxid, current }, context);
    }
}
