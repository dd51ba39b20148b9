//! What the properties see of a state, and the facts of a step.

use std::sync::Arc;

use zab::{Message, Policy, RoleKind, Status, Write};
use zab_properties::sometimes::{self, Situation};
use zab_properties::{Fact, IdSet, Phase, Role, ServerView, Txn, View, broken_by};

use super::act::Step;
use super::server::{Server, id_of};
use super::state::State;
use super::subject::Ensemble;

/// One server as the properties see it.
fn server_view<P: Policy>(index: usize, server: &Server<P>) -> ServerView<'_, u8> {
    let status = server.peer.as_ref().map(zab::Peer::status);
    let (role, phase) = status.map_or((Role::Looking, Phase::Election), |it| {
        (role_of(&it), phase_of(&it))
    });
    ServerView {
        id: id_of(index),
        up: server.peer.is_some(),
        role,
        phase,
        epoch: status.and_then(|it| it.epoch),
        accepted: server.disk.accepted,
        current: server.disk.current,
        issued: &server.issued,
        durable: &server.disk.history,
        delivered: &server.delivered,
        beyond: server.tree.beyond(),
        cache_is_whole: server
            .peer
            .as_ref()
            .is_none_or(|peer| cache_is_whole(peer, &server.issued)),
        wiped: server.wiped,
    }
}

/// Whether what the core keeps in memory is the end of the history.
fn cache_is_whole<P: Policy>(peer: &zab::Peer<u8, P>, issued: &[Txn<u8>]) -> bool {
    let (_, log) = peer.log();
    let start = issued.len().checked_sub(log.len());
    start.is_some_and(|start| {
        log.zip(&issued[start..])
            .all(|(kept, txn)| kept.zxid == txn.zxid)
    })
}

pub(super) fn role_of(status: &Status) -> Role {
    match (status.role, status.leader) {
        (RoleKind::Leading, _) => Role::Leading,
        (RoleKind::Following, Some(leader)) => Role::Following(leader),
        (RoleKind::Observing, Some(leader)) => Role::Observing(leader),
        (RoleKind::Looking | RoleKind::Following | RoleKind::Observing, _) => Role::Looking,
    }
}

fn phase_of(status: &Status) -> Phase {
    match status.phase {
        zab::Phase::Election => Phase::Election,
        zab::Phase::Discovery => Phase::Discovery,
        zab::Phase::Synchronisation => Phase::Synchronization,
        zab::Phase::Broadcast => Phase::Broadcast,
    }
}

impl<P: Policy + Send + Sync + 'static> Ensemble<P> {
    pub(super) fn look<R>(&self, state: &State<P>, look: impl FnOnce(&View<'_, u8>) -> R) -> R {
        let servers: Vec<_> = state
            .servers
            .iter()
            .enumerate()
            .map(|(index, it)| server_view(index, it))
            .collect();
        let quorum = |mask: u32| self.is_quorum(mask);
        look(&View {
            servers: &servers,
            ghosts: &state.ghosts,
            quorum: &quorum,
        })
    }

    /// The numbers of all judged properties that are violated.
    pub(super) fn violated(&self, state: &State<P>) -> IdSet {
        self.look(state, |view| {
            let now = self
                .invariants
                .iter()
                .filter(|it| it.state.is_some_and(|holds| !holds(view)));
            now.map(|it| it.number)
                .collect::<IdSet>()
                .union(state.ghosts.broken)
                .intersection(self.judged)
        })
    }

    /// Situations that a state shows by itself.
    pub(super) fn note_state(&self, state: &State<P>) {
        if self.all_states_noted() {
            return;
        }
        self.mark_all(self.look(state, sometimes::in_state));
        let spent = state.spent;
        let bounds = self.setup.bounds;
        let beyond = (spent.timeouts, spent.wipes, state.asks);
        if (spent.elections, spent.txns, spent.crashes, spent.breaks)
            == (bounds.elections, bounds.txns, bounds.crashes, bounds.breaks)
            && beyond == (self.setup.timeouts, self.setup.wipes, self.setup.asks)
        {
            self.mark(Situation::BudgetsUsed);
        }
    }
}

impl<P: Policy + Send + Sync + 'static> Step<'_, P> {
    /// Judges a fact and writes it into the history.
    pub(super) fn fact(&mut self, fact: &Fact<'_, u8>) {
        let (broken, reached) = self.model.look(&self.state, |view| {
            (
                broken_by(&self.model.step_invariants, view, fact),
                sometimes::in_fact(view, fact),
            )
        });
        self.model.mark_all(reached);
        Arc::make_mut(&mut self.state.ghosts).record(fact, broken);
    }

    /// What a delivery shows, before the core has seen it.
    pub(super) fn note_delivery(&mut self, place: usize, server: usize, message: &Message<u8>) {
        let Some(status) = self.state.servers[server]
            .peer
            .as_ref()
            .map(zab::Peer::status)
        else {
            return;
        };
        self.model.note_message(status.phase, message);
        match message {
            Message::NewLeader { .. } => self.link(place).joins = true,
            Message::UpToDate => self.link(place).joins = false,
            _ => {}
        }
        match message {
            Message::Diff { .. } => {
                let next = self.state.links[place].half(server).inbox.front();
                if let Some(Message::Proposal(first)) = next.map(|frame| &frame.message) {
                    self.model.mark(Situation::Diff);
                    let leader = self.state.links[place].leader;
                    let before = self.state.servers[leader]
                        .issued
                        .iter()
                        .rfind(|txn| txn.zxid < first.zxid);
                    let after = before.map_or(zab::Zxid::ZERO, |txn| txn.zxid);
                    self.fact(&Fact::SyncStarts {
                        server: id_of(server),
                        after,
                    });
                }
            }
            Message::NewLeader { epoch, .. } if status.current == *epoch => {
                self.model.mark(Situation::RejoinsSameEpoch)
            }
            Message::Commit { .. } if self.state.links[place].joins => {
                self.model.mark(Situation::CommitWhileJoining);
            }
            Message::LeaderInfo { epoch } if *epoch < status.accepted => {
                self.model.mark(Situation::LowerEpochRefused)
            }
            _ => {}
        }
    }

    /// R12: a crash between the history and the current epoch of a synchronisation.
    pub(super) fn note_crash(&mut self, server: usize, kept: usize) {
        let queue = &self.state.servers[server].disk.queue;
        if matches!(
            queue.get(kept).map(|it| &it.write),
            Some(Write::CurrentEpoch(_))
        ) {
            self.model.mark(Situation::CrashBeforeCurrent);
        }
    }
}
