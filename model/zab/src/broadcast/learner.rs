//! The learner: follower, observer, or non-voting follower. One link to its
//! leader; proposals are logged, acknowledged once durable, delivered on COMMIT.

use alloc::collections::VecDeque;

use crate::Payload;
use crate::disk::Then;
use crate::effect::{Effect, Misbehaviour, Report, SyncMode, Timer};
use crate::event::Event;
use crate::id::{Epoch, LinkId, ServerId, Zxid};
use crate::message::{Message, Proposal};
use crate::policy::Policy;
use crate::role::{Context, Turn};
use crate::status::{Broken, Phase, RoleKind, Status};

/// A server that has a leader, or is about to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Learning<T> {
    pub(crate) leader: ServerId,
    pub(crate) observer: bool,
    pub(crate) link: Option<LinkId>,
    pub(crate) at: At,
    pub(crate) epoch: Epoch,
    pub(crate) mode: SyncMode,
    /// Received and not yet in the log; empty once up to date.
    pub(crate) pending: VecDeque<Proposal<T>>,
    /// The last zxid received.
    pub(crate) last: Zxid,
    /// The last zxid known to be committed, if the epoch gets established.
    pub(crate) committed: Zxid,
}

/// How far the learner is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum At {
    /// No link yet.
    Dialling,
    /// Said who it is.
    Greeting,
    /// The promised epoch is on its way to disk.
    Promising,
    /// Answered LEADERINFO.
    Promised,
    /// Gets the history.
    Synchronising,
    /// The history, then the epoch, are on their way to disk.
    Adopting,
    /// Acknowledged NEWLEADER.
    Adopted,
    /// Serves.
    UpToDate,
}

impl<T: Payload> Learning<T> {
    /// Begins to learn from the leader that the vote names.
    pub(crate) fn begin<P: Policy>(context: &mut Context<'_, T, P>) -> Self {
        let leader = context.ballot.vote.leader;
        let observer = context.config.observer;
        context.effects.report(if observer {
            Report::Observing { leader }
        } else {
            Report::Following { leader }
        });
        context.effects.push(Effect::Dial { leader });
        // spec: QP-DEF-41. initLimit between messages until UPTODATE.
        context.effects.arm(Timer::Init, context.config.timing.init);
        Self {
            leader,
            observer,
            link: None,
            at: At::Dialling,
            epoch: Epoch::ZERO,
            mode: SyncMode::Diff,
            pending: VecDeque::new(),
            last: Zxid::ZERO,
            committed: Zxid::ZERO,
        }
    }

    pub(crate) fn leave<P: Policy>(&mut self, context: &mut Context<'_, T, P>) {
        match self.link.take() {
            Some(link) => context.effects.disconnect(link, Misbehaviour::RoleEnded),
            None if self.at == At::Dialling => context.effects.push(Effect::HangUp),
            None => {}
        }
        context.effects.disarm(if self.at == At::UpToDate {
            Timer::Leader
        } else {
            Timer::Init
        });
        self.keep_aborted(context);
    }

    pub(crate) fn describe(&self, status: &mut Status) {
        status.role = if self.observer {
            RoleKind::Observing
        } else {
            RoleKind::Following
        };
        status.leader = Some(self.leader);
        status.link = self.link;
        status.phase = match self.at {
            At::Dialling | At::Greeting | At::Promising | At::Promised => Phase::Discovery,
            At::Synchronising | At::Adopting | At::Adopted => Phase::Synchronisation,
            At::UpToDate => Phase::Broadcast,
        };
        status.epoch = (self.at >= At::Promising).then_some(self.epoch);
    }

    pub(crate) fn on<P: Policy>(
        &mut self,
        event: Event<T>,
        context: &mut Context<'_, T, P>,
    ) -> Result<Turn, Broken> {
        match event {
            Event::Connected { link, peer } => self.on_connected(link, peer, context),
            Event::Disconnected { link } if self.link == Some(link) => {
                self.link = None;
                return Ok(Turn::Look);
            }
            Event::Unreachable { leader } if self.at == At::Dialling && leader == self.leader => {
                return Ok(Turn::Look);
            }
            Event::Received { link, message } if self.link == Some(link) => {
                return self.on_message(message, context);
            }
            Event::Forwarded { request } if self.at == At::UpToDate => {
                self.send(Message::Request { request }, context);
            }
            Event::Queried { session } if self.at == At::UpToDate => {
                self.send(Message::Revalidate { session }, context);
            }
            Event::Expired { timer: Timer::Init } if self.at != At::UpToDate => {
                context.effects.report(Report::TooSlow);
                return Ok(Turn::Look);
            }
            // spec: QP-BC-18.
            Event::Expired {
                timer: Timer::Leader,
            } if self.at == At::UpToDate => {
                return Ok(self.quit(Misbehaviour::Silent, context));
            }
            // What an old link brings changes nothing.
            Event::Disconnected { .. }
            | Event::Unreachable { .. }
            | Event::Received { .. }
            | Event::Forwarded { .. }
            | Event::Queried { .. }
            | Event::Expired { .. }
            | Event::Started
            | Event::Notified { .. }
            | Event::Persisted { .. }
            | Event::Proposed { .. }
            | Event::Answered { .. }
            | Event::Asked { .. } => {}
        }
        Ok(Turn::Stay)
    }

    pub(crate) fn on_durable<P: Policy>(
        &mut self,
        then: Then,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        match then {
            Then::Promise => self.promise(Some(context.disk.current), context),
            Then::Adopt => self.on_adopted(context),
            // spec: QP-BC-07, QP-INT-04. An ack promises that the proposal survives a crash,
            // so acks start here and nowhere else.
            Then::Logged(zxid) => self.send(Message::Ack { zxid }, context),
            Then::Nothing | Then::Announce => {}
        }
        Turn::Stay
    }

    // spec: QP-ZAB-01.
    fn on_connected<P: Policy>(
        &mut self,
        link: LinkId,
        peer: ServerId,
        context: &mut Context<'_, T, P>,
    ) {
        if self.at != At::Dialling || peer != self.leader {
            return context.effects.disconnect(link, Misbehaviour::NotLeading);
        }
        self.link = Some(link);
        self.at = At::Greeting;
        let (accepted, id, config) = (context.disk.accepted, context.id, context.config.version);
        let info = if self.observer {
            Message::ObserverInfo {
                accepted,
                id,
                config,
            }
        } else {
            Message::FollowerInfo {
                accepted,
                id,
                config,
            }
        };
        self.send(info, context);
    }

    fn on_message<P: Policy>(
        &mut self,
        message: Message<T>,
        context: &mut Context<'_, T, P>,
    ) -> Result<Turn, Broken> {
        let serving = self.at == At::UpToDate;
        if serving {
            context
                .effects
                .arm(Timer::Leader, context.config.timing.sync);
        } else {
            context.effects.arm(Timer::Init, context.config.timing.init);
        }
        let syncing = (At::Synchronising..At::UpToDate).contains(&self.at);
        let snapshot_late = !context.policy.sends_snapshot_before_new_leader();
        // spec: QP-ZAB-07. What has no place in the phase ends the link, below.
        match message {
            Message::LeaderInfo { epoch } if self.at == At::Greeting => {
                Ok(self.on_leader_info(epoch, context))
            }
            Message::Diff { .. } if self.at == At::Promised => {
                Ok(self.on_mode(SyncMode::Diff, context))
            }
            Message::Trunc { zxid } if self.at == At::Promised => {
                Ok(self.on_mode(SyncMode::Trunc(zxid), context))
            }
            Message::Snap { zxid } if self.at == At::Promised => {
                Ok(self.on_mode(SyncMode::Snap(zxid), context))
            }
            Message::Snap { .. } if syncing && snapshot_late => Ok(Turn::Stay),
            Message::NewLeader { epoch, .. } if self.at == At::Synchronising => {
                Ok(self.on_new_leader(epoch, context))
            }
            Message::NewLeader { epoch, .. } if self.at == At::Promised && snapshot_late => {
                self.last = context.disk.last();
                self.committed = self.last;
                Ok(self.on_new_leader(epoch, context))
            }
            Message::UpToDate if matches!(self.at, At::Adopting | At::Adopted) => {
                self.on_up_to_date(context)
            }
            Message::Proposal(proposal) if syncing => Ok(self.keep(proposal, context)),
            Message::Commit { zxid } if syncing => self.remember(zxid, context),
            Message::Inform(proposal) if syncing && self.observer => {
                let zxid = proposal.zxid;
                match self.keep(proposal, context) {
                    Turn::Stay => self.remember(zxid, context),
                    turn @ (Turn::Look | Turn::Elected) => Ok(turn),
                }
            }
            // spec: QP-BC-10.
            Message::Proposal(_) | Message::Commit { .. } if serving && self.observer => {
                context.effects.report(Report::Ignored {
                    why: Misbehaviour::Unexpected,
                });
                Ok(Turn::Stay)
            }
            Message::Proposal(proposal) if serving => Ok(self.on_proposal(proposal, context)),
            Message::Commit { zxid } if serving => Ok(self.on_commit(zxid, context)),
            Message::Inform(proposal) if serving && self.observer => {
                Ok(self.on_inform(proposal, context))
            }
            Message::Ping { zxid, .. } => {
                // spec: QP-BC-13, QP-SYN-20. Accepted always, answered once up to date: the
                // leader matches answers by their order, and a Java learner gives none earlier.
                if serving {
                    self.send(
                        Message::Ping {
                            zxid,
                            sessions: None,
                        },
                        context,
                    );
                }
                Ok(Turn::Stay)
            }
            // spec: QP-BC-14.
            Message::Revalidate { session } if serving => {
                context.effects.push(Effect::Revalidated { session });
                Ok(Turn::Stay)
            }
            Message::Sync if serving => {
                context.effects.push(Effect::Synced);
                Ok(Turn::Stay)
            }
            Message::CommitAndActivate { .. } | Message::InformAndActivate { .. } => {
                Ok(self.quit(Misbehaviour::Reconfiguration, context))
            }
            Message::LeaderInfo { .. }
            | Message::Diff { .. }
            | Message::Trunc { .. }
            | Message::Snap { .. }
            | Message::NewLeader { .. }
            | Message::UpToDate
            | Message::Proposal(_)
            | Message::Commit { .. }
            | Message::Inform(_)
            | Message::Revalidate { .. }
            | Message::Sync
            | Message::Request { .. }
            | Message::Ack { .. }
            | Message::FollowerInfo { .. }
            | Message::ObserverInfo { .. }
            | Message::AckEpoch { .. } => Ok(self.quit(Misbehaviour::Unexpected, context)),
        }
    }

    // spec: QP-BC-07, QP-BC-09, QP-INT-01. The link is FIFO, so a gap is a lost message and
    // not a slow one: synchronise again.
    fn on_proposal<P: Policy>(
        &mut self,
        proposal: Proposal<T>,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        if !self.last.precedes(proposal.zxid) {
            return self.quit(Misbehaviour::ZxidGap, context);
        }
        let zxid = proposal.zxid;
        self.last = zxid;
        self.log(proposal, context);
        if !context.policy.waits_for_commits() {
            self.advance(zxid, context);
        }
        Turn::Stay
    }

    /// Appends to the log; a follower acknowledges once that is durable.
    pub(crate) fn log<P: Policy>(
        &mut self,
        proposal: Proposal<T>,
        context: &mut Context<'_, T, P>,
    ) {
        let zxid = proposal.zxid;
        if self.observer {
            return context
                .disk
                .append(proposal, Then::Nothing, context.effects);
        }
        if context.policy.persists_before_ack() {
            return context
                .disk
                .append(proposal, Then::Logged(zxid), context.effects);
        }
        context
            .disk
            .append(proposal, Then::Nothing, context.effects);
        self.send(Message::Ack { zxid }, context);
    }

    // spec: QP-BC-07.
    fn on_commit<P: Policy>(&mut self, zxid: Zxid, context: &mut Context<'_, T, P>) -> Turn {
        if context
            .disk
            .next_after(self.committed)
            .map(|entry| entry.zxid)
            != Some(zxid)
        {
            return self.quit(Misbehaviour::CommitOrder, context);
        }
        self.advance(zxid, context);
        Turn::Stay
    }

    // spec: QP-BC-10.
    fn on_inform<P: Policy>(
        &mut self,
        proposal: Proposal<T>,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        let zxid = proposal.zxid;
        if !self.last.precedes(zxid) {
            return self.quit(Misbehaviour::ZxidGap, context);
        }
        self.last = zxid;
        self.log(proposal, context);
        self.advance(zxid, context);
        Turn::Stay
    }

    fn advance<P: Policy>(&mut self, zxid: Zxid, context: &mut Context<'_, T, P>) {
        self.committed = zxid;
        context.deliver(zxid);
        context.disk.trim(context.config.window, zxid);
    }

    pub(crate) fn send<P: Policy>(&self, message: Message<T>, context: &mut Context<'_, T, P>) {
        if let Some(link) = self.link {
            context.effects.send(link, message);
        }
    }

    /// Closes the link for a reason and looks for a leader again.
    // spec: QP-SYN-13. Never an exit: a leader that errs is one to leave.
    pub(crate) fn quit<P: Policy>(
        &mut self,
        why: Misbehaviour,
        context: &mut Context<'_, T, P>,
    ) -> Turn {
        if let Some(link) = self.link.take() {
            context.effects.disconnect(link, why);
        }
        Turn::Look
    }
}
