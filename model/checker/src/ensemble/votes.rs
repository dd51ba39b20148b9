//! What election properties see, where servers really vote (G2, G3).

use zab::{Notification, Peer, Policy, RoleKind, ServerState, Status};
use zab_properties::election::{self, Ballot, Heard, Poll, Turn, Voter, Won, evidence};
use zab_properties::sometimes::Situation;
use zab_properties::{IdSet, Role};

use super::act::Step;
use super::judge::role_of;
use super::server::{id_of, index_of};
use super::state::State;
use super::subject::Ensemble;

/// Ghosts of elections.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Polling {
    /// The newest notification heard in the present election, by hearer * servers + sender.
    pub(super) heard: Vec<Option<Heard>>,
    /// The newest that a server said as a settled one and has taken back since by looking again. Who heard it may still
    /// act on it.
    pub(super) outdated: Vec<Option<Heard>>,
    /// Who has ever said in this election what each server wants now, as a bit set: later words do not unsay a quorum.
    pub(super) supporters: Vec<u32>,
    pub(super) won: Vec<Won>,
    pub(super) broken: IdSet,
    /// What each server voted for when its last election began.
    pub(super) first: Vec<Option<Ballot>>,
    /// Whether each server's vote has changed in its present round (for R23).
    pub(super) changed: Vec<bool>,
}

fn ballot(vote: zab::Vote) -> Ballot {
    Ballot {
        epoch: vote.epoch,
        zxid: vote.zxid,
        leader: vote.leader,
    }
}

fn voter<P: Policy>(index: usize, peer: Option<&Peer<u8, P>>) -> Voter {
    let status = peer.map(Peer::status);
    let unborn = Ballot {
        epoch: zab::Epoch::NONE,
        zxid: zab::Zxid::NONE,
        leader: id_of(index),
    };
    Voter {
        id: id_of(index),
        up: peer.is_some(),
        role: status.map_or(Role::Looking, |it| role_of(&it)),
        round: status.map_or(0, |it| it.round.0.unsigned_abs()),
        ballot: status.map_or(unborn, |it| ballot(it.vote)),
        epoch: status
            .filter(|it| it.phase == zab::Phase::Broadcast)
            .and_then(|it| it.epoch),
    }
}

fn role_in(from: zab::ServerId, notification: &Notification) -> Role {
    let leader = notification.vote.leader;
    match notification.state {
        ServerState::Looking => Role::Looking,
        ServerState::Following if leader != from => Role::Following(leader),
        ServerState::Following | ServerState::Leading => Role::Leading,
        ServerState::Observing => Role::Observing(leader),
    }
}

impl<P: Policy + Send + Sync + 'static> Ensemble<P> {
    fn poll<R>(&self, state: &State<P>, look: impl FnOnce(&Poll<'_>) -> R) -> R {
        let servers = state.servers.iter().enumerate();
        let voters: Vec<Voter> = servers
            .map(|(index, it)| voter(index, it.peer.as_ref()))
            .collect();
        let quorum = |mask: u32| self.is_quorum(mask);
        look(&Poll {
            voters: &voters,
            won: &state.polling.won,
            quorum: &quorum,
        })
    }

    /// The election properties that are violated, by number.
    pub(super) fn violated_votes(&self, state: &State<P>) -> IdSet {
        if self.setup.has_oracle() || self.judged_votes.is_empty() {
            return IdSet::default();
        }
        self.poll(state, |poll| {
            let now = self
                .votes
                .iter()
                .filter(|it| it.state.is_some_and(|holds| !holds(poll)));
            now.map(|it| it.number)
                .collect::<IdSet>()
                .union(state.polling.broken)
                .intersection(self.judged_votes)
        })
    }

    /// F6: whether each server is part of the ensemble that is established now, after a fair schedule.
    pub(super) fn joiners_end(&self, state: &State<P>) -> bool {
        let Some(leader) = (0..state.servers.len()).find(|it| self.serves(state, *it)) else {
            return true;
        };
        let end = self.unobserved().fair_votes(state);
        self.poll(&end, |poll| {
            let mut turns = poll.voters.iter().map(|voter| Turn::Ended {
                server: voter.id,
                role: voter.role,
                leader: id_of(leader),
            });
            turns.all(|turn| !election::violated(&self.votes, poll, &turn).contains(JOINER_ENDS))
        })
    }
}

pub(super) const JOINER_ENDS: u8 = 6;

impl<P: Policy + Send + Sync + 'static> Step<'_, P> {
    /// A notification reaches a server: it counts for the election that the server is in.
    pub(super) fn note_heard(&mut self, from: usize, to: usize, notification: &Notification) {
        let count = self.state.servers.len();
        let looking = self.status(to).is_some_and(|it| it.electing);
        if let Some(hearer) = self.status(to) {
            let hearer = match hearer.role {
                RoleKind::Looking => ServerState::Looking,
                RoleKind::Following => ServerState::Following,
                RoleKind::Leading => ServerState::Leading,
                RoleKind::Observing => ServerState::Observing,
            };
            self.model.arms.note_vote(hearer, notification.state);
        }
        if looking {
            let heard = Heard {
                from: id_of(from),
                role: role_in(id_of(from), notification),
                round: notification.round.0.unsigned_abs(),
                ballot: ballot(notification.vote),
            };
            let polling = &mut self.state.polling;
            let before = polling.heard[to * count + from].replace(heard);
            if heard.role == Role::Looking {
                let settled = before.filter(|it| it.role != Role::Looking);
                let outdated = &mut polling.outdated[to * count + from];
                *outdated = settled.or(*outdated);
            } else {
                polling.outdated[to * count + from] = None;
            }
        }
    }

    /// The same, once the server has taken notice: does it say what the server wants now?
    pub(super) fn note_support(&mut self, from: usize, to: usize) {
        let Some(status) = self.status(to).filter(|it| it.electing) else {
            return;
        };
        if self.agrees(&status, from, to) {
            self.state.polling.supporters[to] |= 1 << from;
        }
    }

    fn agrees(&self, status: &Status, from: usize, to: usize) -> bool {
        let heard = self.state.polling.heard[to * self.state.servers.len() + from];
        heard.is_some_and(|it| {
            it.round == status.round.0.unsigned_abs() && it.ballot == ballot(status.vote)
        })
    }

    /// What an event did to a server's vote or role.
    pub(super) fn note_turn(&mut self, server: usize, before: Option<Status>) {
        let (Some(before), Some(after)) = (before, self.status(server)) else {
            return;
        };
        let was_looking = before.role == RoleKind::Looking && before.electing;
        if was_looking && after.role == RoleKind::Looking && after.electing {
            self.note_vote(server, &before, &after);
        } else if was_looking && after.role != RoleKind::Looking {
            self.note_settled(server, &before, &after);
        } else if after.role == RoleKind::Looking {
            self.forget_heard(server);
        }
    }

    pub(super) fn forget_heard(&mut self, server: usize) {
        let count = self.state.servers.len();
        let own = server * count..(server + 1) * count;
        self.state.polling.heard[own.clone()].fill(None);
        self.state.polling.outdated[own].fill(None);
        self.state.polling.changed[server] = false;
        self.state.polling.supporters[server] = 0;
    }

    fn status(&self, server: usize) -> Option<Status> {
        self.state.servers[server].peer.as_ref().map(Peer::status)
    }

    fn note_vote(&mut self, server: usize, before: &Status, after: &Status) {
        if (before.vote, before.round) == (after.vote, after.round) {
            return;
        }
        let count = self.state.servers.len();
        let agreeing = (0..count).filter(|from| self.agrees(after, *from, server));
        self.state.polling.supporters[server] = agreeing.fold(0, |mask, from| mask | 1 << from);
        let same_round = before.round == after.round;
        if same_round && self.state.polling.changed[server] {
            self.model.mark(Situation::VoteChangedTwice);
        }
        self.state.polling.changed[server] = same_round;
        let view = |status: &Status| Voter {
            id: id_of(server),
            up: true,
            role: Role::Looking,
            round: status.round.0.unsigned_abs(),
            ballot: ballot(status.vote),
            epoch: None,
        };
        let counted = self.state.servers[server].peer.as_ref().map(|peer| {
            peer.votes()
                .map(|(_, round)| round.0.unsigned_abs())
                .collect::<Vec<_>>()
        });
        let turn = Turn::Voted {
            before: view(before),
            after: view(after),
            counted: &counted.unwrap_or_default(),
        };
        self.judge_turn(&turn);
    }

    fn note_settled(&mut self, server: usize, before: &Status, after: &Status) {
        let count = self.state.servers.len();
        let role = role_of(after);
        let round = after.round.0.unsigned_abs();
        let vote = ballot(after.vote);
        let says_so = |index| Heard {
            from: id_of(index),
            role: Role::Looking,
            round,
            ballot: vote,
        };
        let own = server * count..(server + 1) * count;
        let polling = &self.state.polling;
        let others = polling.heard[own.clone()]
            .iter()
            .chain(&polling.outdated[own])
            .flatten()
            .copied();
        let supporters = self.state.polling.supporters[server] | 1 << server;
        let supporting = (0..count)
            .filter(|index| supporters & 1 << index != 0)
            .map(says_so);
        let heard: Vec<Heard> = others.chain(supporting).collect();
        let joined = heard.iter().any(|it| it.role != Role::Looking);
        let first: Vec<Ballot> = self.state.polling.first.iter().flatten().copied().collect();
        let spent = self.state.spent;
        let turn = Turn::Settled {
            server: id_of(server),
            role,
            round,
            ballot: ballot(after.vote),
            own: (before.vote, before.round) == (after.vote, after.round),
            heard: &heard,
            first: &first,
            faultless: !joined && spent.crashes == 0 && spent.timeouts == 0,
        };
        self.judge_turn(&turn);
        if joined {
            self.model.mark(Situation::LateJoiner);
        }
        if role == Role::Leading {
            let won = self.model.poll(&self.state, |poll| Won {
                round,
                leader: id_of(server),
                evidence: evidence(poll, round, &ballot(after.vote), &heard),
            });
            if index_of(won.leader) + 1 < count {
                self.model.mark(Situation::HighestLost);
            }
            if let Err(place) = self.state.polling.won.binary_search(&won) {
                self.state.polling.won.insert(place, won);
            }
        }
    }

    /// An election begins: a server votes for itself, with what its disk holds.
    pub(super) fn note_election(&mut self, server: usize) {
        let disk = &self.state.servers[server].disk;
        let zxid = disk.history.last().map_or(zab::Zxid::ZERO, |txn| txn.zxid);
        let first = Ballot {
            epoch: disk.current,
            zxid,
            leader: id_of(server),
        };
        if let Some(known) = self.state.polling.first.get_mut(server) {
            *known = Some(first);
        }
    }

    fn judge_turn(&mut self, turn: &Turn<'_>) {
        let broken = self.model.poll(&self.state, |poll| {
            election::violated(&self.model.votes, poll, turn)
        });
        self.state.polling.broken = self.state.polling.broken.union(broken);
    }
}
