//! Which steps the environment may take. Steps beyond a budget are not generated at all.

use zab::{Message, Peer, Policy, RoleKind, Status, Timer};

use super::act::is_routine;
use super::link::Link;
use super::state::{Action, End, State};
use super::subject::Ensemble;
use crate::setup::Granularity;

/// Connections of one pair whose end somebody has still to notice. What ships never has so many; a mutant that connects
/// for ever has a search that ends.
const CONNECTIONS: usize = 8;

impl<P: Policy + Send + Sync + 'static> Ensemble<P> {
    pub(super) fn actions_of(&self, state: &State<P>, actions: &mut Vec<Action>) {
        let statuses: Vec<Option<Status>> = state
            .servers
            .iter()
            .map(|server| server.peer.as_ref().map(Peer::status))
            .collect();
        if self.setup.has_oracle() {
            self.elections(state, &statuses, actions);
        } else {
            notices(state, actions);
        }
        if self.setup.is_stub() {
            self.establishments(state, &statuses, actions);
        } else {
            for link in &state.links {
                self.link_actions(state, link, actions);
            }
        }
        for server in 0..state.servers.len() {
            self.server_actions(state, server, actions);
        }
    }

    /// The oracle elects any leader that a quorum of electing servers can have, and tells that quorum. Who else is
    /// electing may join later, so larger sets add nothing.
    fn elections(&self, state: &State<P>, statuses: &[Option<Status>], actions: &mut Vec<Action>) {
        let electing: Vec<usize> = (0..statuses.len())
            .filter(|index| statuses[*index].is_some_and(|it| it.electing))
            .collect();
        let voting: Vec<usize> = electing
            .iter()
            .copied()
            .filter(|index| {
                !self.observes(*index) && statuses[*index].is_some_and(|it| !it.abstains)
            })
            .collect();
        if state.spent.elections < self.setup.bounds.elections {
            for leader in &voting {
                let others: Vec<usize> = voting.iter().copied().filter(|it| it != leader).collect();
                for followers in self.smallest_quorums(*leader, &others) {
                    if self.setup.any_leader || is_best(statuses, *leader, &followers) {
                        let followers = followers.into_iter().map(|it| it as u8).collect();
                        actions.push(Action::Elect {
                            leader: *leader as u8,
                            followers,
                        });
                    }
                }
            }
        }
        for follower in electing {
            let leaders = (0..statuses.len())
                .filter(|it| statuses[*it].is_some_and(|it| it.role == RoleKind::Leading));
            actions.extend(leaders.map(|leader| Action::Join {
                follower: follower as u8,
                leader: leader as u8,
            }));
        }
    }

    /// The sets of these servers that are a quorum with the leader, and would be none without any one of them.
    fn smallest_quorums(&self, leader: usize, others: &[usize]) -> Vec<Vec<usize>> {
        let mut found = Vec::new();
        for size in 0..=others.len() {
            found.extend(subsets(others, size).into_iter().filter(|set| {
                let with = mask(set) | 1 << leader;
                self.is_quorum(with)
                    && !set
                        .iter()
                        .any(|server| self.is_quorum(with & !(1 << server)))
            }));
        }
        found
    }

    pub(super) fn may_connect(&self, state: &State<P>, learner: usize, leader: usize) -> bool {
        let leads = state.servers.get(leader).and_then(|it| it.peer.as_ref());
        let same = state
            .links
            .iter()
            .filter(|link| link.learner == learner && link.leader == leader);
        // Numbers rise as long as each connection meets the one before it.
        let is_last = same.clone().any(|link| link.count() == u8::MAX);
        !is_last
            && state.servers[learner].dialling == Some(leader)
            && leads.is_some_and(|peer| peer.status().role == RoleKind::Leading)
            && same.count() < CONNECTIONS
    }

    fn link_actions(&self, state: &State<P>, link: &Link, actions: &mut Vec<Action>) {
        for (at, server) in [(End::Learner, link.learner), (End::Leader, link.leader)] {
            let half = link.half(server);
            // A snapshot is one message with its stream.
            let whole = half.inbox.front().is_some_and(|it| {
                !matches!(it.message, Message::Snap { .. }) || it.stream.is_some()
            });
            if half.open && whole {
                actions.push(Action::Deliver {
                    link: link.id.0,
                    at,
                });
            }
            if link.may_notice(server) {
                actions.push(Action::NoticeClose {
                    link: link.id.0,
                    at,
                });
            }
        }
        let whole = link.at_learner.open && link.at_leader.open;
        if whole && state.spent.breaks < self.setup.bounds.breaks {
            actions.push(Action::Break {
                link: link.id.0,
                at: End::Learner,
            });
            if self.setup.half_open {
                actions.push(Action::Break {
                    link: link.id.0,
                    at: End::Leader,
                });
            }
        }
    }

    fn server_actions(&self, state: &State<P>, index: usize, actions: &mut Vec<Action>) {
        let it = &state.servers[index];
        let server = index as u8;
        if it.peer.is_none() {
            actions.push(Action::Restart { server });
            if state.spent.wipes < self.setup.wipes && !it.wiped {
                actions.push(Action::Wipe { server });
            }
            return;
        }
        if let Some(leader) = it.dialling
            && !self.setup.is_stub()
            && self.may_connect(state, index, leader)
        {
            actions.push(Action::Connect {
                learner: server,
                leader: leader as u8,
            });
        }
        if !it.disk.queue.is_empty() {
            actions.push(Action::DiskStep { server });
        }
        if !self.setup.is_stub()
            && state.spent.txns < self.setup.bounds.txns
            && it
                .peer
                .as_ref()
                .is_some_and(|peer| peer.next_zxid().is_some())
        {
            actions.push(Action::Propose { leader: server });
        }
        if state.asks < self.setup.asks
            && it
                .peer
                .as_ref()
                .is_some_and(|peer| peer.status().phase == zab::Phase::Broadcast)
        {
            actions.push(Action::Ask { server });
        }
        if state.spent.crashes < self.setup.bounds.crashes {
            // Writes that survive unnoticed are covered by writes that are noticed, and whose answers do not arrive.
            let kept = if self.setup.reduced && self.setup.half_open {
                0
            } else {
                it.disk.queue.len()
            };
            actions.extend((0..=kept).map(|kept| Action::Crash {
                server,
                kept: kept as u8,
            }));
        }
        let may_expire = |timer: &Timer| {
            if is_routine(*timer) {
                self.is_routine_timer(*timer) && (*timer != Timer::Notify || self.may_repeat(state))
            } else {
                state.spent.timeouts < self.setup.timeouts
            }
        };
        let due = it.timers.iter().filter(|timer| may_expire(timer));
        actions.extend(due.map(|timer| Action::Expire {
            server,
            timer: *timer,
        }));
    }

    /// G2: leaders whose followers are a quorum with them, or that serve and have newcomers.
    fn establishments(
        &self,
        state: &State<P>,
        statuses: &[Option<Status>],
        actions: &mut Vec<Action>,
    ) {
        for (leader, status) in statuses.iter().enumerate() {
            let Some(status) = status.filter(|it| it.role == RoleKind::Leading) else {
                continue;
            };
            let dials = |index: &usize| {
                let it = &state.servers[*index];
                it.peer.is_some() && it.dialling == Some(leader)
            };
            let waiting: Vec<usize> = (0..state.servers.len()).filter(dials).collect();
            let enough = status.phase == zab::Phase::Broadcast
                || self.is_quorum(mask(&waiting) | 1 << leader);
            if !waiting.is_empty() && enough {
                actions.push(Action::Establish {
                    leader: leader as u8,
                });
            }
        }
    }

    /// Votes are repeated after a while: in the exhaustive model, when none is on its way and no election is about to end.
    fn may_repeat(&self, state: &State<P>) -> bool {
        let quiet = state.mail.iter().all(Option::is_none)
            && state
                .servers
                .iter()
                .all(|server| !server.timers.contains(&Timer::Finalize));
        quiet || !self.setup.is_stub() || !self.setup.reduced
    }

    /// Timers of the ordinary course: votes are repeated and settled where votes elect. Pings change nothing that the
    /// exhaustive runs judge, and would make their states endless.
    fn is_routine_timer(&self, timer: Timer) -> bool {
        match timer {
            Timer::Ping => self.setup.granularity == Granularity::G3,
            Timer::Notify | Timer::Finalize => !self.setup.has_oracle(),
            Timer::Init | Timer::Leader | Timer::Learner(_) | Timer::Acks(_) => false,
        }
    }
}

/// A bit for each server.
pub(super) fn mask(servers: &[usize]) -> u32 {
    servers.iter().fold(0, |mask, server| mask | 1 << server)
}

fn notices<P>(state: &State<P>, actions: &mut Vec<Action>) {
    let count = state.servers.len();
    for (pair, mail) in state.mail.iter().enumerate() {
        let to = pair % count;
        if mail.is_some() && state.servers[to].peer.is_some() {
            actions.push(Action::Notice {
                from: (pair / count) as u8,
                to: to as u8,
            });
        }
    }
}

/// Whether no follower is more recent than the leader.
fn is_best(statuses: &[Option<Status>], leader: usize, followers: &[usize]) -> bool {
    let recency = |index: usize| statuses[index].map(|it| (it.current, it.last_logged));
    followers
        .iter()
        .all(|follower| recency(*follower) <= recency(leader))
}

/// All subsets of this size.
fn subsets(of: &[usize], size: usize) -> Vec<Vec<usize>> {
    if size == 0 {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (place, first) in of.iter().enumerate() {
        for mut rest in subsets(&of[place + 1..], size - 1) {
            rest.insert(0, *first);
            all.push(rest);
        }
    }
    all
}
