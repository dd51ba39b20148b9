//! A step with everything that it asked of the cores, and a state's servers as others may see them: for whoever makes
//! other servers do the same and compares (zab-model section 12).

use std::collections::BTreeSet;
use std::sync::Arc;

use zab::{Config, Durable, Effect, Event, Policy, ServerId, Status, Timer};
use zab_properties::Txn;

use super::act::Step;
use super::server::id_of;
use super::state::{Action, State};
use super::subject::Ensemble;

/// What a core was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Given {
    Event(Event<u8>),
    /// The oracle's word.
    Elected(ServerId),
}

/// One call of a server's core, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// From 0.
    pub server: usize,
    pub given: Given,
    pub effects: Vec<Effect<u8>>,
}

impl<P: Policy + Send + Sync + 'static> Ensemble<P> {
    /// The start, and the calls that led there.
    pub fn recorded_start(&self) -> (State<P>, Vec<Call>) {
        Step::recorded_start(self, self.empty())
    }

    /// The state after an action, and the calls that it consisted of, in order. A crash comes before all of them.
    pub fn recorded_step(&self, state: &State<P>, action: &Action) -> (State<P>, Vec<Call>) {
        Step::recorded(self, state, action)
    }

    /// What a server's core is told of its ensemble.
    pub fn config_of(&self, server: usize) -> Config {
        self.config(server)
    }

    /// Whether armed timers are part of the states.
    pub fn knows_timers(&self) -> bool {
        self.setup.has_timers()
    }
}

/// The id of a server that actions call by its number from 0.
pub fn id_of_server(server: usize) -> ServerId {
    id_of(server)
}

impl<P: Policy> State<P> {
    /// None while the server is down.
    pub fn status(&self, server: usize) -> Option<Status> {
        self.servers[server].peer.as_ref().map(zab::Peer::status)
    }

    /// The timers that are armed, where the model knows timers.
    pub fn timers(&self, server: usize) -> &BTreeSet<Timer> {
        &self.servers[server].timers
    }

    /// What a restart would find now.
    pub fn durable(&self, server: usize) -> Durable<u8> {
        self.servers[server].disk.recover()
    }

    /// The whole history that a restart would find now, what a snapshot covers included.
    pub fn history(&self, server: usize) -> &[Txn<u8>] {
        &self.servers[server].disk.history
    }

    /// Whether the server has not been touched since this other state.
    pub fn is_same_server(&self, other: &Self, server: usize) -> bool {
        Arc::ptr_eq(&self.servers[server], &other.servers[server])
    }
}
