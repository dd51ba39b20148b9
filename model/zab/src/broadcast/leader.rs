//! The leader: its learners, its epoch, and what it does with each event.

use alloc::vec::Vec;

use crate::Payload;
use crate::broadcast::reads::Reads;
use crate::config::Config;
use crate::disk::Then;
use crate::effect::{Effect, Misbehaviour, Report, Timer};
use crate::event::Event;
use crate::id::{Epoch, LinkId, ServerId, Zxid};
use crate::message::{Message, Proposal};
use crate::policy::Policy;
use crate::role::{Context, Turn};
use crate::set::ServerSet;
use crate::status::{Broken, LearnerStatus, Phase, RoleKind, Status};

/// A server that leads, or is about to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Leading {
    pub(crate) stage: Stage,
    /// The highest epoch that anyone forbids, plus one; once chosen, the epoch.
    pub(crate) epoch: Epoch,
    /// Voters whose accepted epoch went into that choice. Kept when they leave.
    pub(crate) heard: ServerSet,
    /// Voters that promised the epoch and are no more recent. Kept when they leave.
    pub(crate) agreed: ServerSet,
    /// The current epoch is durable here.
    pub(crate) adopted: bool,
    /// In order of id, then of link.
    pub(crate) learners: Vec<Learner>,
    /// All up to here is committed; before the epoch is established: will be with it.
    pub(crate) committed: Zxid,
    /// The last zxid proposed.
    pub(crate) proposed: Zxid,
    /// The last zxid durable here.
    pub(crate) synced: Zxid,
    pub(crate) reads: Reads,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Stage {
    /// Hears accepted epochs.
    Collecting,
    /// The chosen epoch is on its way to disk.
    Announcing,
    /// Hears who agrees.
    Agreeing,
    /// Brings learners level; waits for a quorum to adopt the history.
    Synchronising,
    /// Serves.
    Established,
}

/// One learner's link.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Learner {
    pub(crate) id: ServerId,
    pub(crate) link: LinkId,
    pub(crate) observer: bool,
    pub(crate) stage: Step,
    /// Last zxid it reported, then the last it acknowledged.
    pub(crate) acked: Zxid,
    /// The last zxid it was told to be committed.
    pub(crate) told: Zxid,
    /// Pings without an answer, of those sent since UPTODATE.
    pub(crate) pings: u8,
    /// Answers until the one that confirms the round of reads.
    pub(crate) probe: Option<u8>,
}

/// How far a learner is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Step {
    /// Connected; has said nothing.
    Silent,
    /// Said who it is; waits for LEADERINFO.
    Greeted,
    /// Got LEADERINFO.
    Informed,
    /// Sent ACKEPOCH; waits for the history.
    Agreed,
    /// Got the history and NEWLEADER.
    Synchronised,
    /// Acknowledged NEWLEADER.
    Adopted,
    /// Got UPTODATE.
    UpToDate,
}

impl Leading {
    /// Begins to lead after an election.
    pub(crate) fn begin<T: Payload, P: Policy>(context: &mut Context<'_, T, P>) -> (Self, Turn) {
        context.effects.report(Report::Leading);
        let last = context.disk.last();
        let mut leading = Self {
            stage: Stage::Collecting,
            epoch: context.disk.accepted.next(),
            heard: [context.id].into_iter().collect(),
            agreed: [context.id].into_iter().collect(),
            adopted: false,
            learners: Vec::new(),
            committed: last,
            proposed: last,
            synced: last,
            reads: Reads::default(),
        };
        context.effects.arm(Timer::Init, context.config.timing.init);
        if !context.policy.keeps_two_epochs() {
            let epoch = leading.epoch;
            context.disk.accept(epoch, Then::Nothing, context.effects);
            context.disk.adopt(epoch, Then::Nothing, context.effects);
        }
        leading.choose_epoch(context);
        (leading, Turn::Stay)
    }

    /// Leads an ensemble of one: the epoch is that of the last zxid, and no
    /// epoch file is written.
    // spec: DF-EPO-06.
    pub(crate) fn alone<T: Payload, P: Policy>(context: &mut Context<'_, T, P>) -> Self {
        context.effects.report(Report::Leading);
        let last = context.disk.last();
        context.deliver(last);
        let epoch = last.epoch();
        context.effects.report(Report::Established { epoch });
        context.effects.report(Report::Opened { epoch });
        Self {
            stage: Stage::Established,
            epoch,
            heard: ServerSet::EMPTY,
            agreed: ServerSet::EMPTY,
            adopted: true,
            learners: Vec::new(),
            committed: last,
            proposed: last,
            synced: last,
            reads: Reads::default(),
        }
    }

    pub(crate) fn leave<T: Payload, P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        while let Some(learner) = self.learners.pop() {
            self.dismiss(&learner, context);
            context
                .effects
                .disconnect(learner.link, Misbehaviour::RoleEnded);
        }
        context.effects.disarm(Timer::Init);
        context.effects.disarm(Timer::Ping);
    }

    pub(crate) fn describe(&self, id: ServerId, status: &mut Status) {
        status.role = RoleKind::Leading;
        status.leader = Some(id);
        status.phase = match self.stage {
            Stage::Collecting | Stage::Announcing | Stage::Agreeing => Phase::Discovery,
            Stage::Synchronising => Phase::Synchronisation,
            Stage::Established => Phase::Broadcast,
        };
        status.epoch = (self.stage != Stage::Collecting).then_some(self.epoch);
        status.learners = self
            .learners
            .iter()
            .filter(|learner| learner.stage == Step::UpToDate)
            .count();
    }

    pub(crate) fn learners(&self) -> impl Iterator<Item = LearnerStatus> {
        self.learners.iter().map(|learner| LearnerStatus {
            id: learner.id,
            link: learner.link,
            observer: learner.observer,
            up_to_date: learner.stage == Step::UpToDate,
            acked: learner.acked,
        })
    }

    /// Whether clients are served: the epoch is established and, where the configuration asks for it, a txn of its own
    /// is committed.
    // spec: QP-INT-02.
    pub(crate) fn is_open<P: Policy>(&self, config: &Config, policy: &P) -> bool {
        let waits = config.opening_txn && !config.standalone && policy.opens_with_its_first_txn();
        self.stage == Stage::Established && (!waits || self.committed > self.epoch.start())
    }

    pub(crate) fn next_zxid<P: Policy>(&self, config: &Config, policy: &P) -> Option<Zxid> {
        if self.stage != Stage::Established {
            return None;
        }
        let last = if policy.numbers_after_proposals() {
            self.proposed
        } else {
            self.committed.max(self.epoch.start())
        };
        let next = policy.next_zxid(last, config.counter_limit);
        if config.standalone {
            next.or(Some(Zxid::new(self.epoch.next(), 1)))
        } else {
            next
        }
    }

    pub(crate) fn on<T: Payload, P: Policy>(
        &mut self,
        event: Event<T>,
        context: &mut Context<'_, T, P>,
    ) -> Result<Turn, Broken> {
        match event {
            Event::Connected { link, peer } => self.on_connected(link, peer, context),
            Event::Disconnected { link } => return Ok(self.on_lost(link, context)),
            Event::Received { link, message } => return self.on_message(link, message, context),
            Event::Proposed { zxid, txn } => {
                return self.on_proposed(Proposal { zxid, txn }, context);
            }
            Event::Answered { link, session } => self.on_answered(link, session, context)?,
            Event::Asked { by } => self.on_asked(by, context),
            Event::Expired { timer } => return Ok(self.on_expired(timer, context)),
            Event::Started
            | Event::Notified { .. }
            | Event::Persisted { .. }
            | Event::Unreachable { .. }
            | Event::Forwarded { .. }
            | Event::Queried { .. } => {}
        }
        Ok(Turn::Stay)
    }

    pub(crate) fn on_durable<T: Payload, P: Policy>(
        &mut self,
        then: Then,
        context: &mut Context<'_, T, P>,
    ) -> Result<Turn, Broken> {
        match then {
            Then::Announce => self.announce(context),
            Then::Adopt => {
                // spec: QP-ZAB-09. The leader's own acknowledgement of NEWLEADER.
                self.adopted = true;
                self.establish(context);
            }
            Then::Logged(zxid) => {
                // spec: QP-BC-05. The leader's own ack is its own sync.
                self.synced = zxid;
                return Ok(self.commit(context));
            }
            Then::Nothing | Then::Promise => {}
        }
        Ok(Turn::Stay)
    }

    fn on_connected<T: Payload, P: Policy>(
        &mut self,
        link: LinkId,
        peer: ServerId,
        context: &mut Context<'_, T, P>,
    ) {
        let learner = Learner {
            id: peer,
            link,
            observer: false,
            stage: Step::Silent,
            acked: Zxid::ZERO,
            told: Zxid::ZERO,
            pings: 0,
            probe: None,
        };
        let at = self
            .learners
            .partition_point(|other| (other.id, other.link) < (peer, link));
        self.learners.insert(at, learner);
        context
            .effects
            .arm(Timer::Learner(link), context.config.timing.init);
    }

    /// Which learner a link belongs to.
    pub(crate) fn find(&self, link: LinkId) -> Option<usize> {
        self.learners
            .iter()
            .position(|learner| learner.link == link)
    }

    fn on_message<T: Payload, P: Policy>(
        &mut self,
        link: LinkId,
        message: Message<T>,
        context: &mut Context<'_, T, P>,
    ) -> Result<Turn, Broken> {
        // A link that was replaced or closed: nothing it brings counts any more.
        let Some(at) = self.find(link) else {
            return Ok(Turn::Stay);
        };
        let stage = self.learners[at].stage;
        let serving = stage == Step::UpToDate;
        // spec: QP-BC-17. Any packet shows that the learner lives.
        if serving {
            context
                .effects
                .arm(Timer::Learner(link), context.config.timing.sync);
        }
        let peer = self.learners[at].id;
        match message {
            Message::FollowerInfo {
                accepted,
                id,
                config,
            } if stage == Step::Silent => {
                Ok(self.on_info(at, accepted, id, config, false, context))
            }
            Message::ObserverInfo {
                accepted,
                id,
                config,
            } if stage == Step::Silent => Ok(self.on_info(at, accepted, id, config, true, context)),
            Message::AckEpoch { zxid, current } if stage == Step::Informed => {
                Ok(self.on_ack_epoch(at, zxid, current, context))
            }
            Message::Ack { zxid } if stage >= Step::Synchronised => self.on_ack(at, zxid, context),
            Message::Ping { sessions, .. } if stage >= Step::Adopted => {
                if let Some(sessions) = sessions {
                    context.effects.push(Effect::Touch { peer, sessions });
                }
                self.on_pong(at, context);
                Ok(Turn::Stay)
            }
            Message::Request { request } if serving => {
                context.effects.push(Effect::Request {
                    link,
                    peer,
                    request,
                });
                Ok(Turn::Stay)
            }
            Message::Revalidate { session } if serving => {
                context.effects.push(Effect::Revalidate {
                    link,
                    peer,
                    session,
                });
                Ok(Turn::Stay)
            }
            Message::FollowerInfo { .. }
            | Message::ObserverInfo { .. }
            | Message::AckEpoch { .. }
            | Message::Ack { .. }
            | Message::Ping { .. }
            | Message::Request { .. }
            | Message::Revalidate { .. }
            | Message::Proposal(_)
            | Message::Commit { .. }
            | Message::Sync
            | Message::Inform(_)
            | Message::CommitAndActivate { .. }
            | Message::NewLeader { .. }
            | Message::UpToDate
            | Message::Diff { .. }
            | Message::Trunc { .. }
            | Message::Snap { .. }
            | Message::LeaderInfo { .. }
            | Message::InformAndActivate { .. } => {
                Ok(self.expel(at, Misbehaviour::Unexpected, context))
            }
        }
    }

    fn on_answered<T: Payload, P: Policy>(
        &self,
        link: LinkId,
        session: T,
        context: &mut Context<'_, T, P>,
    ) -> Result<(), Broken> {
        if self.find(link).is_none() {
            return Ok(());
        }
        // spec: QP-INT-02. The learner would serve the session's client.
        if !self.is_open(context.config, context.policy) {
            return Err(Broken::Answered);
        }
        context.effects.send(link, Message::Revalidate { session });
        Ok(())
    }
}
