//! Phase 0: fast leader election. Rounds of votes until a quorum agrees and no
//! better vote comes, or until an ensemble that has a leader is heard.

mod tally;

pub(crate) use tally::{Heard, Tally};

use core::cmp::Ordering;

use crate::Payload;
use crate::effect::{Misbehaviour, Report, Timer};
use crate::event::Event;
use crate::id::{Epoch, Round, ServerId, Ticks, Zxid};
use crate::message::{Notification, ServerState, Vote};
use crate::policy::Policy;
use crate::role::{Context, Turn};
use crate::set::ServerSet;

/// A server without a leader.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Looking {
    /// Votes of this round, and of settled servers in the same round.
    received: Tally,
    /// Votes of settled servers of any round.
    settled: Tally,
    /// Other voters heard to be empty; only while this server abstains.
    empty: ServerSet,
    stage: Stage,
    /// Wait before the next notifications.
    wait: Ticks,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Stage {
    /// Writes of the role before are not done yet.
    Waiting,
    /// Collecting votes.
    Voting,
    /// A quorum agrees; a better vote may still come.
    Finalizing,
}

impl Looking {
    pub(crate) const fn new() -> Self {
        Self {
            received: Tally::new(),
            settled: Tally::new(),
            empty: ServerSet::EMPTY,
            stage: Stage::Waiting,
            wait: Ticks(0),
        }
    }

    pub(crate) fn votes(&self) -> impl Iterator<Item = (ServerId, Round)> {
        self.received.rounds()
    }

    pub(crate) fn is_electing(&self) -> bool {
        self.stage != Stage::Waiting
    }

    /// Begins the election once the disk is at rest.
    pub(crate) fn begin<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) -> Turn {
        if self.is_electing() {
            return Turn::Stay;
        }
        if !context.policy.finishes_writes_before_election() {
            context.disk.forget_pending();
        }
        // spec: QP-DEF-24. Votes and promises speak of what is durable.
        if !context.disk.is_idle() && context.policy.reports_the_durable_end() {
            return Turn::Stay;
        }
        // spec: DF-EPO-07, QP-DEF-03. The log of an adopted epoch got durable, its
        // epoch file did not. The log starts with that epoch's whole initial history,
        // since an entry of an epoch exists only after it was established.
        let logged = context.disk.last().epoch();
        if logged > context.disk.current && context.disk.is_idle() {
            context
                .disk
                .adopt(logged, crate::disk::Then::Nothing, context.effects);
            return Turn::Stay;
        }
        self.stage = Stage::Voting;
        if context.config.oracle {
            context.ballot.vote = Vote::NONE;
            return Turn::Stay;
        }
        // spec: QP-FLE-04, QP-FLE-11.
        context.ballot.round = context.ballot.round.next();
        context.effects.report(Report::Electing {
            round: context.ballot.round,
        });
        context.ballot.vote = own_vote(context);
        self.wait = context.config.timing.notify_min;
        if context.abstains() && self.first_start(context) {
            return Turn::Stay;
        }
        self.notify_all(context);
        self.count(context)
    }

    pub(crate) fn leave<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        if !context.config.oracle {
            context.effects.disarm(Timer::Notify);
            self.resume(context);
        }
    }

    pub(crate) fn on<T: Payload, P: Policy>(
        &mut self,
        event: Event<T>,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        match event {
            Event::Connected { link, .. } => {
                context.effects.disconnect(link, Misbehaviour::NotLeading)
            }
            Event::Expired {
                timer: Timer::Notify,
            } if self.is_electing() => {
                // spec: QP-FLE-15.
                let doubled = Ticks(self.wait.0.saturating_mul(2));
                self.wait = doubled.min(context.config.timing.notify_max);
                self.notify_all(context);
            }
            // spec: QP-FLE-14.
            Event::Expired {
                timer: Timer::Finalize,
            } if self.stage == Stage::Finalizing => return Turn::Elected,
            Event::Started
            | Event::Notified { .. }
            | Event::Persisted { .. }
            | Event::Disconnected { .. }
            | Event::Unreachable { .. }
            | Event::Received { .. }
            | Event::Proposed { .. }
            | Event::Forwarded { .. }
            | Event::Queried { .. }
            | Event::Answered { .. }
            | Event::Asked { .. }
            | Event::Expired { .. } => {}
        }
        Turn::Stay
    }

    pub(crate) fn on_notification<T: Payload, P: Policy>(
        &mut self,
        from: ServerId,
        n: &Notification,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        // spec: QP-FLE-12.
        if !context.is_voter(n.vote.leader) {
            return Turn::Stay;
        }
        match n.state {
            ServerState::Looking => self.on_looking(from, n, context),
            ServerState::Following | ServerState::Leading => self.on_settled(from, n, context),
            // spec: QP-FLE-16.
            ServerState::Observing => Turn::Stay,
        }
    }

    // spec: QP-FLE-13.
    fn on_looking<T: Payload, P: Policy>(
        &mut self,
        from: ServerId,
        n: &Notification,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        if context.abstains() {
            return self.on_other_empty(from, n, context);
        }
        if n.vote.zxid == Zxid::UNTRUSTED && context.policy.abstains_when_wiped() {
            return Turn::Stay;
        }
        if n.round < context.ballot.round {
            return Turn::Stay;
        }
        if self.stage == Stage::Finalizing {
            if !beats(&n.vote, &context.ballot.vote, context) {
                // spec: QP-FLE-14. Silence counts from the last message.
                context
                    .effects
                    .arm(Timer::Finalize, context.config.timing.finalize);
                return Turn::Stay;
            }
            self.resume(context);
        }
        if n.round > context.ballot.round {
            context.ballot.round = n.round;
            if context.policy.clears_votes_of_old_rounds() {
                self.received.clear();
            }
            let own = own_vote(context);
            context.ballot.vote = if beats(&n.vote, &own, context) {
                n.vote
            } else {
                own
            };
            self.notify_all(context);
        } else if beats(&n.vote, &context.ballot.vote, context) {
            context.ballot.vote = n.vote;
            self.notify_all(context);
        }
        self.received.insert(from, Heard::from(n));
        self.count(context)
    }

    /// Whether a vote is worse than this server's.
    pub(crate) fn is_worse<T: Payload, P: Policy>(
        &self,
        vote: &Vote,
        context: &Context<'_, T, P>,
    ) -> bool {
        beats(&context.ballot.vote, vote, context)
    }

    /// Whether a quorum wants what this server wants.
    fn count<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) -> Turn {
        if context.abstains() {
            return Turn::Stay;
        }
        // spec: QP-FLE-09. A server's own vote is one of those it counts.
        self.received.insert(
            context.id,
            Heard {
                state: ServerState::Looking,
                vote: context.ballot.vote,
                round: context.ballot.round,
                version: 2,
            },
        );
        let (vote, round) = (context.ballot.vote, context.ballot.round);
        let agreeing = self
            .received
            .servers(|heard| heard.vote == vote && heard.round == round);
        let enough = context.is_quorum(&agreeing) || !context.policy.elects_with_a_quorum();
        if self.stage == Stage::Voting && enough {
            self.stage = Stage::Finalizing;
            context
                .effects
                .arm(Timer::Finalize, context.config.timing.finalize);
        }
        Turn::Stay
    }

    // spec: QP-FLE-17.
    fn on_settled<T: Payload, P: Policy>(
        &mut self,
        from: ServerId,
        n: &Notification,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        self.empty = ServerSet::EMPTY;
        let heard = Heard::from(n);
        if n.round == context.ballot.round {
            // spec: QP-FLE-19. Stored here as an older form: the leader alone must match.
            self.received.insert(
                from,
                Heard {
                    version: 0,
                    ..heard
                },
            );
            if self.received.follows(n, context) {
                context.ballot.vote = n.vote;
                return Turn::Elected;
            }
        }
        // spec: QP-FLE-22. A server that restarts has nothing else to go by.
        self.settled.insert(from, heard);
        if self.settled.follows(n, context) {
            context.ballot.round = n.round;
            context.ballot.vote = n.vote;
            return Turn::Elected;
        }
        Turn::Stay
    }

    /// While this server abstains: is everybody else as empty?
    // spec: DF-REC-05.
    fn on_other_empty<T: Payload, P: Policy>(
        &mut self,
        from: ServerId,
        n: &Notification,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        if n.vote.zxid <= Zxid::ZERO && n.vote.epoch <= Epoch::ZERO {
            self.empty.insert(from);
        } else {
            self.empty = ServerSet::EMPTY;
        }
        if self.first_start(context) {
            self.leave(context);
            self.stage = Stage::Waiting;
        }
        Turn::Stay
    }

    /// Takes the empty directory for a first start if every other voter is empty.
    fn first_start<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) -> bool {
        if !context.is_voter(context.id) {
            return false;
        }
        let mut others = context.config.quorums.voters();
        others.remove(context.id);
        if self.empty.intersection(&others) != others {
            return false;
        }
        context.effects.report(Report::FirstStart);
        context.disk.install(Zxid::ZERO, context.effects);
        self.stage = Stage::Waiting;
        true
    }

    fn notify_all<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        let mut others = context.config.quorums.voters();
        others.remove(context.id);
        for to in others.iter() {
            context.notify(to, ServerState::Looking);
        }
        context.effects.arm(Timer::Notify, self.wait);
    }

    /// Back from finalizing to voting.
    fn resume<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        if self.stage == Stage::Finalizing {
            self.stage = Stage::Voting;
            context.effects.disarm(Timer::Finalize);
        }
    }
}

/// The vote that this server starts with.
// spec: QP-FLE-05, QP-FLE-06, QP-FLE-20, QP-FLE-21. The current epoch, never the
// accepted one; an observer takes over the votes of others.
fn own_vote<T: Payload, P: Policy>(context: &Context<'_, T, P>) -> Vote {
    if !context.is_voter(context.id) {
        return Vote::NONE;
    }
    let zxid = if context.abstains() {
        Zxid::UNTRUSTED
    } else {
        context.disk.last()
    };
    Vote {
        epoch: context.disk.current,
        zxid,
        leader: context.id,
    }
}

// spec: QP-FLE-10. A leader that weighs nothing cannot be elected.
fn beats<T: Payload, P: Policy>(a: &Vote, b: &Vote, context: &Context<'_, T, P>) -> bool {
    context.config.quorums.committed.weight(a.leader) != 0
        && context.policy.compare(a, b) == Ordering::Greater
}
