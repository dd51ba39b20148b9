//! Liveness, as far as a search can judge it (zab-model section 9): states in which nothing is on its way, and where
//! states lead under fair schedules without faults.
//!
//! L1 is judged in every state. L2 to L5 follow a schedule from one state in `Setup::followed_one_in`, twice: once taking
//! what is enabled oldest first, once newest first.

use std::sync::atomic::Ordering;

use zab::{Peer, Phase, Policy, RoleKind, Status, Timer};

use super::act::Step;
use super::enabled::mask as mask_of;
use super::hashing::IDENTITY;
use super::server::index_of;
use super::state::{Action, End, State};
use super::subject::{Ensemble, fingerprint};
use crate::run::Subject;

/// Steps after which a schedule has not converged.
pub(super) const STEPS: usize = 600;

/// The liveness checks, and what each says.
pub const LIVENESS: [(&str, &str); 5] = [
    (
        "L1",
        "when nothing is on its way, whoever a leader with a quorum serves is level with it",
    ),
    (
        "L2",
        "without further faults, all servers come to agree and commit a new txn",
    ),
    (
        "L3",
        "servers that have just started have a leader after a bounded number of steps",
    ),
    ("L4", "a quorum does so while the others are cut off"),
    (
        "L5",
        "a minority that is cut off neither serves nor commits",
    ),
];

/// In what order a round of a fair schedule takes what is enabled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Oldest,
    Newest,
}

/// Who takes part in a schedule, and in what order.
#[derive(Clone, Copy)]
pub(super) struct Schedule {
    pub(super) order: Order,
    /// A bit for each server that is cut off from all others.
    pub(super) cut: u32,
}

impl Schedule {
    fn has(self, server: usize) -> bool {
        self.cut & 1 << server == 0
    }
}

impl<P: Policy + Send + Sync + 'static> Ensemble<P> {
    /// The liveness checks that fail here.
    pub(super) fn stuck(&self, state: &State<P>) -> Vec<&'static str> {
        let mut found = Vec::new();
        if self.judged_liveness & 1 != 0 && self.setup.has_oracle() && self.is_stuck(state) {
            found.push(LIVENESS[0].0);
        }
        if self.judged_liveness & !1 == 0 || self.setup.is_stub() {
            return found;
        }
        if fingerprint(state, &IDENTITY).is_multiple_of(self.setup.followed_one_in) {
            found.extend(self.led_astray(state));
        } else if self.judged_liveness & 2 != 0 && self.is_terminal(state) && !self.recovers(state)
        {
            found.push(LIVENESS[1].0);
        }
        found
    }

    /// Whether nothing can happen any more.
    fn is_terminal(&self, state: &State<P>) -> bool {
        let busy = state.spent.crashes < self.setup.bounds.crashes
            || state
                .servers
                .iter()
                .any(|it| it.peer.is_none() || !it.disk.queue.is_empty())
            || state.links.iter().any(|link| {
                [&link.at_learner, &link.at_leader]
                    .iter()
                    .any(|half| half.open && !half.inbox.is_empty())
            });
        if busy {
            return false;
        }
        let mut actions = Vec::new();
        self.actions_of(state, &mut actions);
        actions.is_empty()
    }

    /// L2 from one state.
    fn recovers(&self, state: &State<P>) -> bool {
        let quiet = self.unobserved();
        [Order::Oldest, Order::Newest]
            .into_iter()
            .all(|order| quiet.heals(state, Schedule { order, cut: 0 }).is_some())
    }

    /// A leader whose up-to-date voters are a quorum with it.
    pub(super) fn serves(&self, state: &State<P>, server: usize) -> bool {
        let Some(peer) = &state.servers[server].peer else {
            return false;
        };
        let status = peer.status();
        if status.role != RoleKind::Leading || status.phase != Phase::Broadcast {
            return false;
        }
        let learners = peer.learners().filter(|it| it.up_to_date);
        let learners: Vec<usize> = learners.map(|it| index_of(it.id)).collect();
        self.is_quorum(mask_of(&learners) | 1 << server)
    }

    /// Whether enough of those who take part may vote: a wiped server may not until a leader has brought it level
    /// (spec: DF-REC-05).
    fn can_elect(&self, state: &State<P>, schedule: Schedule) -> bool {
        let voting: Vec<usize> = (0..state.servers.len())
            .filter(|it| schedule.has(*it) && state.servers[*it].disk.trusted)
            .collect();
        self.is_quorum(mask_of(&voting))
    }

    /// L2 to L5 from one state.
    pub(super) fn led_astray(&self, state: &State<P>) -> Vec<&'static str> {
        let quiet = self.unobserved();
        let mut found = Vec::new();
        let all = state.servers.len();
        let judged = |number: usize| self.judged_liveness & 1 << (number - 1) != 0;
        for order in [Order::Oldest, Order::Newest] {
            if judged(2) && quiet.heals(state, Schedule { order, cut: 0 }).is_none() {
                found.push(LIVENESS[1].0);
            }
            let minority = all.div_ceil(2) - 1;
            for first in 0..all {
                // L4: a quorum goes on without the others.
                let cut = mask(first, minority, all);
                let schedule = Schedule { order, cut };
                if judged(4)
                    && self.can_elect(state, schedule)
                    && quiet.heals(state, schedule).is_none()
                {
                    found.push(LIVENESS[3].0);
                }
                let cut = mask(first, all - minority, all);
                if judged(5) && quiet.minority_acts(state, Schedule { order, cut }) {
                    found.push(LIVENESS[4].0);
                }
            }
        }
        found.dedup();
        found
    }

    /// L3: the number of steps in which servers that have just started have a leader that serves all, or none.
    pub fn first_leader(&self) -> Option<usize> {
        let schedule = Schedule {
            order: Order::Oldest,
            cut: 0,
        };
        let quiet = self.unobserved();
        let start = self.starts().into_iter().next()?;
        quiet.heals(&start, schedule)
    }

    /// The most steps that any schedule so far took to converge.
    pub fn longest_recovery(&self) -> usize {
        self.longest.load(Ordering::Relaxed)
    }

    /// L2, L4: restarts all, heals all links but those of who is cut off, and follows the schedule until all others agree
    /// and have committed a new transaction. The number of steps, or none if that does not happen.
    fn heals(&self, state: &State<P>, schedule: Schedule) -> Option<usize> {
        let (end, steps) = self.follow_schedule(state, schedule);
        let healed = steps < STEPS && self.violated(&end).is_empty();
        if healed {
            self.longest.fetch_max(steps, Ordering::Relaxed);
        }
        healed.then_some(steps)
    }

    /// L5: whether a minority alone commits something or serves.
    fn minority_acts(&self, state: &State<P>, schedule: Schedule) -> bool {
        let (end, _) = self.follow_schedule(state, schedule);
        let serves = |index: &usize| {
            schedule.has(*index)
                && status(&end, *index).is_some_and(|it| it.phase == Phase::Broadcast)
        };
        end.ghosts.decided.len() > state.ghosts.decided.len()
            || (0..end.servers.len()).any(|it| serves(&it))
    }

    fn follow_schedule(&self, state: &State<P>, schedule: Schedule) -> (State<P>, usize) {
        let mut now = self.cut_off(state, schedule);
        let mut steps = 0;
        let mut proposed = None;
        while steps < STEPS {
            if let Some(decided) = proposed
                && self.has_converged(&now, schedule, decided)
            {
                break;
            }
            let round = self.round(&now, schedule);
            if round.is_empty() {
                match self.idle(&now, schedule, &mut proposed) {
                    Some(next) => now = next,
                    None => return (now, STEPS),
                }
                steps += 1;
            }
            for action in round {
                if self.is_enabled(&now, &action) {
                    now = Step::make(self, &now, &action);
                    steps += 1;
                }
            }
        }
        (now, steps)
    }

    /// Breaks every link of who is cut off, at both ends.
    fn cut_off(&self, state: &State<P>, schedule: Schedule) -> State<P> {
        let mut now = state.clone();
        for link in &state.links {
            if schedule.has(link.learner) && schedule.has(link.leader) {
                continue;
            }
            for at in [End::Learner, End::Leader] {
                let link = link.id.0;
                let alive = now.links.iter().any(|it| it.id.0 == link);
                if alive {
                    now = Step::make(self, &now, &Action::NoticeClose { link, at });
                }
            }
        }
        now
    }

    /// What may happen without a fault, a timer or an election.
    fn round(&self, state: &State<P>, schedule: Schedule) -> Vec<Action> {
        let mut actions = Vec::new();
        self.enabled(state, &mut actions);
        actions.retain(|it| is_progress(it) && takes_part(state, it, schedule));
        if schedule.order == Order::Newest {
            actions.reverse();
        }
        actions
    }

    fn is_enabled(&self, state: &State<P>, action: &Action) -> bool {
        let mut actions = Vec::new();
        self.enabled(state, &mut actions);
        actions.contains(action)
    }

    /// Nothing is on its way: a client asks, a server is elected or joins, or patience ends. None if none of that can
    /// be.
    fn idle(
        &self,
        state: &State<P>,
        schedule: Schedule,
        proposed: &mut Option<usize>,
    ) -> Option<State<P>> {
        let count = state.servers.len();
        let serving = (0..count).find(|it| schedule.has(*it) && self.serves(state, *it));
        let waiting = |it: &usize| {
            schedule.has(*it) && status(state, *it).is_some_and(|status| status.electing)
        };
        let action = if let Some(leader) = serving {
            match (0..count).find(waiting) {
                Some(follower) if self.setup.has_oracle() => Action::Join {
                    follower: follower as u8,
                    leader: leader as u8,
                },
                Some(_) => return self.vote_again(state, schedule),
                None if proposed.is_none() => {
                    *proposed = Some(state.ghosts.decided.len());
                    Action::Propose {
                        leader: leader as u8,
                    }
                }
                None => return self.lose_patience(state, schedule),
            }
        } else if self.setup.has_oracle() {
            match self.best_election(state, schedule) {
                Some(election) => election,
                None => return self.lose_patience(state, schedule),
            }
        } else {
            return self
                .vote_again(state, schedule)
                .or_else(|| self.lose_patience(state, schedule));
        };
        Some(Step::make(self, state, &action))
    }

    /// Where servers vote: elections end, or else votes are said again.
    fn vote_again(&self, state: &State<P>, schedule: Schedule) -> Option<State<P>> {
        self.expire(state, schedule, |server, timer| {
            timer == Timer::Finalize && state.servers[server].timers.contains(&timer)
        })
        .or_else(|| self.lose_patience(state, schedule))
        .or_else(|| {
            self.expire(state, schedule, |server, timer| {
                timer == Timer::Notify && state.servers[server].timers.contains(&timer)
            })
        })
    }

    /// Whoever leads without serving, or follows without being up to date, has waited long enough.
    fn lose_patience(&self, state: &State<P>, schedule: Schedule) -> Option<State<P>> {
        self.expire(state, schedule, |server, timer| {
            timer == Timer::Init
                && status(state, server)
                    .is_some_and(|it| it.role != RoleKind::Looking && it.phase != Phase::Broadcast)
        })
    }

    /// The most recent of those that vote, elected by all who elect.
    fn best_election(&self, state: &State<P>, schedule: Schedule) -> Option<Action> {
        let count = state.servers.len();
        let electing: Vec<(usize, Status)> = (0..count)
            .filter(|it| schedule.has(*it))
            .filter_map(|it| Some((it, status(state, it)?)))
            .filter(|(_, it)| it.electing)
            .collect();
        let voting = electing
            .iter()
            .filter(|(index, it)| !it.abstains && !self.observes(*index));
        let voters: Vec<usize> = voting.clone().map(|(index, _)| *index).collect();
        if !self.is_quorum(mask_of(&voters)) {
            return None;
        }
        let (leader, _) = voting.max_by_key(|(index, it)| (it.current, it.last_logged, *index))?;
        Some(Action::Elect {
            leader: *leader as u8,
            followers: electing
                .iter()
                .filter(|(index, _)| index != leader)
                .map(|(index, _)| *index as u8)
                .collect(),
        })
    }

    /// Whether all who take part follow one leader, agree, and have committed more than was decided before.
    fn has_converged(&self, state: &State<P>, schedule: Schedule, decided: usize) -> bool {
        let members = (0..state.servers.len()).filter(|it| schedule.has(*it));
        let Some(leader) = members.clone().find(|it| self.serves(state, *it)) else {
            return false;
        };
        let history = &state.servers[leader].issued;
        history.len() > decided
            && members.into_iter().all(|it| {
                status(state, it).is_some_and(|it| it.phase == Phase::Broadcast)
                    && state.servers[it].disk.history == *history
                    && state.servers[it].delivered == *history
            })
    }

    /// L1: nothing is on its way, and a learner that is served is not level with its leader, or the leader with its own log.
    /// Who waits for anything else has a timer that ends it; L2 follows those.
    fn is_stuck(&self, state: &State<P>) -> bool {
        is_quiet(state)
            && state.links.iter().any(|link| {
                let served =
                    status(state, link.learner).is_some_and(|it| it.phase == Phase::Broadcast);
                self.serves(state, link.leader)
                    && served
                    && !is_level(state, link.leader, link.learner)
            })
    }

    fn expire(
        &self,
        state: &State<P>,
        schedule: Schedule,
        due: impl Fn(usize, Timer) -> bool,
    ) -> Option<State<P>> {
        let mut next: Option<State<P>> = None;
        for server in (0..state.servers.len()).filter(|it| schedule.has(*it)) {
            let timers = [Timer::Finalize, Timer::Notify, Timer::Init];
            for timer in timers.into_iter().filter(|timer| due(server, *timer)) {
                let action = Action::Expire {
                    server: server as u8,
                    timer,
                };
                next = Some(Step::make(self, next.as_ref().unwrap_or(state), &action));
            }
        }
        next
    }
}

fn mask(first: usize, size: usize, all: usize) -> u32 {
    (0..size).fold(0, |mask, index| mask | 1 << ((first + index) % all))
}

fn status<P: Policy>(state: &State<P>, server: usize) -> Option<Status> {
    state.servers[server].peer.as_ref().map(Peer::status)
}

fn is_progress(action: &Action) -> bool {
    match action {
        Action::Establish { .. }
        | Action::Connect { .. }
        | Action::Deliver { .. }
        | Action::Notice { .. }
        | Action::NoticeClose { .. }
        | Action::DiskStep { .. }
        | Action::Restart { .. } => true,
        Action::Elect { .. }
        | Action::Join { .. }
        | Action::Break { .. }
        | Action::Crash { .. }
        | Action::Wipe { .. }
        | Action::Propose { .. }
        | Action::Ask { .. }
        | Action::Expire { .. } => false,
    }
}

/// Who is cut off goes on alone: it may notice closed links, write and restart.
fn takes_part<P>(state: &State<P>, action: &Action, schedule: Schedule) -> bool {
    let has = |server: &u8| schedule.has(usize::from(*server));
    match action {
        Action::Connect { learner, leader } => has(learner) && has(leader),
        Action::Notice { from, to } => has(from) && has(to),
        Action::Deliver { link, .. } => state
            .links
            .iter()
            .find(|it| it.id.0 == *link)
            .is_some_and(|it| schedule.has(it.learner) && schedule.has(it.leader)),
        _ => true,
    }
}

fn is_quiet<P: Policy>(state: &State<P>) -> bool {
    let links = state.links.iter().all(|link| {
        [&link.at_learner, &link.at_leader]
            .iter()
            .all(|half| half.open && half.inbox.is_empty())
    });
    links
        && state.servers.iter().all(|server| {
            server.peer.is_some() && server.disk.queue.is_empty() && server.dialling.is_none()
        })
}

fn is_level<P: Policy>(state: &State<P>, leader: usize, learner: usize) -> bool {
    let (leader, learner) = (&state.servers[leader], &state.servers[learner]);
    leader.issued == learner.issued
        && leader.delivered == leader.issued
        && learner.delivered == leader.delivered
}
