//! One server: what its disk holds, its vote and its role. `handle` is the
//! only entry.
//!
//! ```text
//!            ┌────────────────────── any loss, any timeout ─────────────────────┐
//!            ▼                                                                  │
//!   looking: writes done ─▶ election ──▶ leading:   discovery ─▶ sync ─▶ broadcast
//!                               └──────▶ following: discovery ─▶ sync ─▶ broadcast
//!                               └──────▶ observing: the same, without a vote
//! ```

use crate::Payload;
use crate::broadcast::leader::Leading;
use crate::broadcast::learner::Learning;
use crate::config::{Config, Constant, Durable, RestoreError};
use crate::disk::Disk;
use crate::effect::{Effects, Report};
use crate::election::Looking;
use crate::event::Event;
use crate::id::{Round, ServerId, WriteId, Zxid};
use crate::message::{Notification, Proposal, ServerState, Vote};
use crate::policy::{Policy, Production};
use crate::role::{Ballot, Context, Tree, Turn};
use crate::status::{Broken, LearnerStatus, Phase, RoleKind, Status};

/// The state machine.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Peer<T, P = Production> {
    id: ServerId,
    config: Constant,
    policy: P,
    started: bool,
    disk: Disk<T>,
    tree: Tree,
    ballot: Ballot,
    role: Role<T>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Role<T> {
    Looking(Looking),
    Leading(Leading),
    Learning(Learning<T>),
}

impl<T: Payload, P: Policy> Peer<T, P> {
    /// A peer as its disk left it.
    ///
    /// # Errors
    /// When the configuration or the epoch files cannot be.
    pub fn restore(config: Config, durable: Durable<T>) -> Result<Self, RestoreError> {
        Self::restore_with(config, durable, P::default())
    }

    /// The same, with a policy that has a value: the checker's mutants.
    ///
    /// # Errors
    /// As `restore`.
    pub fn restore_with(
        config: Config,
        durable: Durable<T>,
        policy: P,
    ) -> Result<Self, RestoreError> {
        config.check()?;
        durable.check(config.standalone)?;
        let disk = Disk::new(durable);
        let vote = Vote {
            epoch: disk.current,
            zxid: disk.last(),
            leader: config.id,
        };
        Ok(Self {
            id: config.id,
            config: Constant::new(config),
            policy,
            started: false,
            tree: Tree {
                delivered: disk.base(),
                shown: disk.last(),
                committed: Zxid::ZERO,
                needs_snapshot: false,
            },
            disk,
            ballot: Ballot {
                vote,
                round: Round(0),
            },
            role: Role::Looking(Looking::new()),
        })
    }

    /// Takes one event; its effects are appended.
    ///
    /// # Errors
    /// `Broken`: stop the server.
    pub fn handle(&mut self, event: Event<T>, effects: &mut Effects<T>) -> Result<(), Broken> {
        if self.started == matches!(event, Event::Started) {
            return Err(Broken::Start);
        }
        match event {
            Event::Started => {
                self.started = true;
                if self.config.standalone {
                    let (mut context, role) = self.split(effects);
                    *role = Role::Leading(Leading::alone(&mut context));
                    Ok(())
                } else {
                    self.look(effects)
                }
            }
            Event::Notified { from, notification } => self.notified(from, notification, effects),
            Event::Persisted { through } => self.persisted(through, effects),
            Event::Connected { .. }
            | Event::Disconnected { .. }
            | Event::Unreachable { .. }
            | Event::Received { .. }
            | Event::Proposed { .. }
            | Event::Forwarded { .. }
            | Event::Queried { .. }
            | Event::Answered { .. }
            | Event::Asked { .. }
            | Event::Expired { .. } => self.step(effects, |role, context| match role {
                Role::Looking(looking) => Ok(looking.on(event, context)),
                Role::Leading(leading) => leading.on(event, context),
                Role::Learning(learning) => learning.on(event, context),
            }),
        }
    }

    /// An election's outcome, from an oracle (`Config::oracle`). Ignored unless
    /// looking with all writes done, and where no vote may be given.
    ///
    /// # Errors
    /// As `handle`.
    pub fn elect(&mut self, leader: ServerId, effects: &mut Effects<T>) -> Result<(), Broken> {
        let allowed = match &self.role {
            Role::Looking(looking) => {
                looking.is_electing() && (leader != self.id || !self.abstains())
            }
            Role::Leading(_) | Role::Learning(_) => false,
        };
        if !allowed {
            return Ok(());
        }
        self.ballot.vote.leader = leader;
        self.settle(effects)
    }

    /// The zxid for the next `Event::Proposed`; `None` unless this server leads
    /// an established epoch with counters left. Several may be proposed without
    /// waiting: each moves it on by one.
    pub fn next_zxid(&self) -> Option<Zxid> {
        match &self.role {
            Role::Leading(leading) => leading.next_zxid(&self.config, &self.policy),
            Role::Looking(_) | Role::Learning(_) => None,
        }
    }

    /// What others may know.
    pub fn status(&self) -> Status {
        let mut status = Status {
            role: RoleKind::Looking,
            phase: Phase::Election,
            leader: None,
            link: None,
            epoch: None,
            round: self.ballot.round,
            vote: self.ballot.vote,
            accepted: self.disk.accepted,
            current: self.disk.current,
            last_logged: self.disk.last(),
            last_delivered: self.tree.delivered,
            last_committed: self.tree.committed,
            abstains: self.abstains(),
            electing: false,
            writes: self.disk.pending(),
            learners: 0,
        };
        match &self.role {
            Role::Looking(looking) => status.electing = looking.is_electing(),
            Role::Leading(leading) => leading.describe(self.id, &mut status),
            Role::Learning(learning) => learning.describe(&mut status),
        }
        status
    }

    /// At the leader: its learners, in order of id.
    pub fn learners(&self) -> impl Iterator<Item = LearnerStatus> {
        let leading = match &self.role {
            Role::Leading(leading) => Some(leading),
            Role::Looking(_) | Role::Learning(_) => None,
        };
        leading.into_iter().flat_map(Leading::learners)
    }

    /// The newest entries of the log, written or on their way, and the zxid before them.
    pub fn log(
        &self,
    ) -> (
        Zxid,
        impl DoubleEndedIterator<Item = &Proposal<T>> + ExactSizeIterator,
    ) {
        (self.disk.base(), self.disk.log().iter())
    }

    /// Whose votes a looking server counts, and of which rounds: for judges of elections.
    pub fn votes(&self) -> impl Iterator<Item = (ServerId, Round)> {
        let looking = match &self.role {
            Role::Looking(looking) => Some(looking),
            Role::Leading(_) | Role::Learning(_) => None,
        };
        looking.into_iter().flat_map(Looking::votes)
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    fn abstains(&self) -> bool {
        !self.disk.trusted && self.policy.abstains_when_wiped()
    }

    /// Feeds the role and does what it asks in return.
    fn step(
        &mut self,
        effects: &mut Effects<T>,
        act: impl FnOnce(&mut Role<T>, &mut Context<'_, T, P>) -> Result<Turn, Broken>,
    ) -> Result<(), Broken> {
        let (mut context, role) = self.split(effects);
        match act(role, &mut context)? {
            Turn::Stay => Ok(()),
            Turn::Look => self.look(effects),
            Turn::Elected => self.settle(effects),
        }
    }

    fn split<'a>(
        &'a mut self,
        effects: &'a mut Effects<T>,
    ) -> (Context<'a, T, P>, &'a mut Role<T>) {
        let context = Context {
            id: self.id,
            config: &self.config,
            policy: &self.policy,
            disk: &mut self.disk,
            tree: &mut self.tree,
            ballot: &mut self.ballot,
            effects,
        };
        (context, &mut self.role)
    }

    /// Leaves the role. The next election waits until every write is done.
    // spec: QP-ZAB-22, QP-BC-19. A write that completes in a later role would
    // revive what that role believes gone.
    fn look(&mut self, effects: &mut Effects<T>) -> Result<(), Broken> {
        let (mut context, role) = self.split(effects);
        match role {
            Role::Looking(_) => {}
            Role::Leading(leading) => leading.leave(&mut context),
            Role::Learning(learning) => learning.leave(&mut context),
        }
        context.disk.role_ended();
        context.effects.report(Report::Looking);
        *role = Role::Looking(Looking::new());
        self.step(effects, |role, context| match role {
            Role::Looking(looking) => Ok(looking.begin(context)),
            Role::Leading(_) | Role::Learning(_) => Ok(Turn::Stay),
        })
    }

    /// The election is over: takes the role it gave.
    fn settle(&mut self, effects: &mut Effects<T>) -> Result<(), Broken> {
        let (mut context, role) = self.split(effects);
        if let Role::Looking(looking) = role {
            looking.leave(&mut context);
        }
        if context.ballot.vote.leader == context.id {
            let (leading, turn) = Leading::begin(&mut context);
            *role = Role::Leading(leading);
            return self.step(effects, |_, _| Ok(turn));
        }
        *role = Role::Learning(Learning::begin(&mut context));
        Ok(())
    }

    /// A notification: answered whatever the role, and weighed while looking.
    // spec: QP-FLE-08.
    fn notified(
        &mut self,
        from: ServerId,
        n: Notification,
        effects: &mut Effects<T>,
    ) -> Result<(), Broken> {
        self.step(effects, |role, context| {
            let state = role.state(context.config.observer);
            let electing = match role {
                Role::Looking(looking) if !looking.is_electing() => return Ok(Turn::Stay),
                Role::Looking(looking) => Some(looking),
                Role::Leading(_) | Role::Learning(_) => None,
            };
            if answers(from, &n, electing.as_deref(), context) {
                context.notify(from, state);
            }
            match electing {
                Some(looking) if context.is_voter(from) => {
                    Ok(looking.on_notification(from, &n, context))
                }
                Some(_) | None => Ok(Turn::Stay),
            }
        })
    }

    fn persisted(&mut self, through: WriteId, effects: &mut Effects<T>) -> Result<(), Broken> {
        if !self.disk.is_asked(through) {
            return Err(Broken::Persisted);
        }
        while let Some(then) = self.disk.pop_durable(through) {
            self.step(effects, |role, context| match role {
                Role::Looking(looking) => Ok(looking.begin(context)),
                Role::Leading(leading) => leading.on_durable(then, context),
                Role::Learning(learning) => Ok(learning.on_durable(then, context)),
            })?;
        }
        Ok(())
    }
}

/// Whether a notification gets an answer.
fn answers<T: Payload, P: Policy>(
    from: ServerId,
    n: &Notification,
    electing: Option<&Looking>,
    context: &Context<'_, T, P>,
) -> bool {
    // Nobody counts the word of a server without a vote.
    if n.state != ServerState::Looking || !context.is_voter(context.id) {
        return false;
    }
    let Some(looking) = electing else {
        return context.policy.answers_when_settled();
    };
    let (theirs, own) = (n.round, context.ballot.round);
    if !context.is_voter(from) {
        // This is how observers and joiners learn of the leader. One in a later round
        // would answer the answer, and so on for ever: it has to ask again.
        return theirs <= own;
    }
    // One that began to look after this server did has missed its vote. Where Java
    // answers a late round alone, and lets the rest wait for the next notification,
    // a worse vote of this round is answered too.
    theirs < own || (theirs == own && looking.is_worse(&n.vote, context))
}

impl<T> Role<T> {
    const fn state(&self, observer: bool) -> ServerState {
        match self {
            Self::Looking(_) => ServerState::Looking,
            Self::Leading(_) => ServerState::Leading,
            Self::Learning(_) if observer => ServerState::Observing,
            Self::Learning(_) => ServerState::Following,
        }
    }
}
