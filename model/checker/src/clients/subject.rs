//! The client model as a subject of the controller: what is enabled, what is judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use zab_properties::IdSet;
use zab_properties::client::{self, ClientInvariant, History, Replica, Request};
use zab_properties::sometimes::Situation;

use super::linearizable::is_linearizable;
use super::model::ended;
use super::mutants::Flaw;
use super::scripts::{Scripts, initial_tree};
use super::state::{Action, Client, Proposed, Server, State, Wait, Waiting};
use crate::run::Subject;

/// Bounds and, for a mutant, the flaw and the properties to be judged.
#[derive(Clone)]
pub struct Clients {
    pub scripts: Scripts,
    pub breaks: u8,
    pub expiries: u8,
    pub flaw: Option<Flaw>,
    /// Numbers of the K properties that are judged.
    pub judged: IdSet,
    invariants: Vec<ClientInvariant>,
    reached: Arc<AtomicU64>,
}

const CLIENTS: u8 = 2;
const SERVERS: u8 = 2;

impl Clients {
    pub fn new(scripts: Scripts, breaks: u8, expiries: u8) -> Self {
        Self {
            scripts,
            breaks,
            expiries,
            flaw: None,
            judged: IdSet::ALL,
            invariants: client::all(),
            reached: Arc::default(),
        }
    }

    /// The same model with a flaw.
    #[must_use]
    pub fn flawed(mut self, flaw: Flaw) -> Self {
        self.flaw = Some(flaw);
        self
    }

    /// The same model judged by these properties alone; by all if none is named.
    #[must_use]
    pub fn judged_by(mut self, ids: &[String]) -> Self {
        if !ids.is_empty() {
            let named = self
                .invariants
                .iter()
                .filter(|it| ids.iter().any(|id| id == it.id));
            self.judged = named.map(|it| it.number).collect();
        }
        self
    }

    pub(super) fn mark(&self, situation: Situation) {
        self.reached
            .fetch_or(1 << situation.number(), Ordering::Relaxed);
    }

    fn start(&self, script: usize) -> State {
        let tree = initial_tree();
        let replica = Replica {
            applied: 0,
            tree: tree.clone(),
        };
        let history = History {
            initial: tree,
            told: (0..CLIENTS).map(|client| (client, Vec::new())).collect(),
            replicas: vec![replica; usize::from(SERVERS)],
            ..History::default()
        };
        let attached = |client: u8| Client {
            server: Some(client % SERVERS),
            ..Client::default()
        };
        State {
            script: script as u16,
            history,
            named: Vec::new(),
            pipeline: Vec::new(),
            owners: (0..CLIENTS).map(|client| client % SERVERS).collect(),
            clients: (0..CLIENTS).map(attached).collect(),
            servers: vec![Server::default(); usize::from(SERVERS)],
            breaks: 0,
            expiries: 0,
        }
    }

    fn client_actions(&self, state: &State, client: u8, actions: &mut Vec<Action>) {
        let it = &state.clients[usize::from(client)];
        if it.expired {
            return;
        }
        let script = &self.scripts.pairs[usize::from(state.script)][usize::from(client)];
        match it.server {
            Some(server) => {
                if usize::from(it.issued) < script.len() {
                    actions.push(Action::Issue { client });
                }
                if it.may_retry {
                    actions.push(Action::Retry { client });
                }
                self.answers(state, client, usize::from(server), actions);
                if state.breaks < self.breaks {
                    actions.push(Action::Break { client });
                }
            }
            None => {
                for server in 0..SERVERS {
                    let current = state.history.replicas[usize::from(server)].applied >= it.seen;
                    if current || self.flaw == Some(Flaw::TakesNewerClient) {
                        actions.push(Action::Connect { client, server });
                    }
                }
            }
        }
        let silent = it.server.is_none() || self.flaw == Some(Flaw::ExpiresTouched);
        if silent && state.expiries < self.expiries && !ended(state, client) {
            actions.push(Action::Expire { client });
        }
    }

    fn answers(&self, state: &State, client: u8, server: usize, actions: &mut Vec<Action>) {
        let waiting = &state.clients[usize::from(client)].waiting;
        for (place, it) in waiting.iter().enumerate() {
            let ready = is_due(state, server, it);
            let reads = matches!(state.history.calls[it.call].request, Request::Read { .. });
            if ready && (place == 0 || (reads && self.flaw == Some(Flaw::HastyRead))) {
                actions.push(Action::Answer {
                    client,
                    place: place as u8,
                });
            }
        }
    }
}

/// Whether a call's own wait is over; its turn may not have come.
fn is_due(state: &State, server: usize, it: &Waiting) -> bool {
    let applied = state.history.replicas[server].applied;
    match it.wait {
        Wait::Turn | Wait::Refused => true,
        Wait::Applied(at) => at.is_some_and(|at| at <= applied) && sync_is_through(state, it.call),
    }
}

fn sync_is_through(state: &State, call: usize) -> bool {
    !state
        .pipeline
        .iter()
        .any(|it| matches!(it, Proposed::Sync { call: waiting } if *waiting == call))
}

/// Whether a server has the next write of the order before it, and has still to look at its replica for what the same
/// session asked before that write.
///
/// The answer of a write is fixed by its place in the order, so it may come late, or never.
// spec: CP-ORD-01. What a session asks before its write does not see the write.
fn owes_a_look(state: &State, server: u8) -> bool {
    let index = usize::from(server);
    let next = state.history.replicas[index].applied as usize;
    let Some(entry) = state.history.log.get(next) else {
        return false;
    };
    let client = &state.clients[usize::from(entry.session)];
    if client.server != Some(server) {
        return false;
    }
    let call = |it: &Waiting| &state.history.calls[it.call];
    let writes = |it: &Waiting| Some(call(it).xid) == entry.xid;
    let Some(own) = client.waiting.iter().position(writes) else {
        return false;
    };
    client.waiting[..own]
        .iter()
        .take_while(|it| is_due(state, index, it))
        .any(|it| !call(it).request.writes())
}

impl Subject for Clients {
    type State = State;
    type Action = Action;

    fn starts(&self) -> Vec<State> {
        (0..self.scripts.pairs.len())
            .map(|script| self.start(script))
            .collect()
    }

    fn enabled(&self, state: &State, actions: &mut Vec<Action>) {
        for client in 0..CLIENTS {
            self.client_actions(state, client, actions);
        }
        for server in 0..SERVERS {
            let it = &state.servers[usize::from(server)];
            let places = if self.flaw == Some(Flaw::Overtaking) {
                it.forward.len()
            } else {
                it.forward.len().min(1)
            };
            actions.extend((0..places).map(|place| Action::Take {
                server,
                place: place as u8,
            }));
            if (state.history.replicas[usize::from(server)].applied as usize)
                < state.history.log.len()
                && !owes_a_look(state, server)
            {
                actions.push(Action::Apply { server });
            }
            if !it.late_events.is_empty() {
                actions.push(Action::Notify { server });
            }
        }
        if !state.pipeline.is_empty() {
            actions.push(Action::Commit);
        }
    }

    fn step(&self, state: &State, action: &Action) -> State {
        let mut next = self.after(state, action);
        if matches!(action, Action::Break { .. }) {
            next.breaks += 1;
        }
        next
    }

    fn violations(&self, state: &State) -> Vec<&'static str> {
        let judged = self
            .invariants
            .iter()
            .filter(|it| self.judged.contains(it.number));
        let broken = judged.filter(|it| {
            !(it.holds)(&state.history)
                || (it.number == LINEARIZABLE && !is_linearizable(&state.history))
        });
        broken.map(|it| it.id).collect()
    }

    fn judged(&self) -> Vec<&'static str> {
        let judged = self
            .invariants
            .iter()
            .filter(|it| self.judged.contains(it.number));
        judged.map(|it| it.id).collect()
    }

    fn remarks(&self) -> Vec<String> {
        vec![format!(
            "{} pairs of scripts; arms of the core: none, since clients meet an abstract log",
            self.scripts.pairs.len()
        )]
    }

    fn reached(&self) -> IdSet {
        IdSet::from_bits(self.reached.load(Ordering::Relaxed))
    }

    fn expected(&self) -> IdSet {
        let all = [
            Situation::RetryOnce,
            Situation::SessionMoved,
            Situation::ExpiryRace,
            Situation::StaleRead,
        ];
        all.into_iter().map(Situation::number).collect()
    }

    fn is_fault(&self, action: &Action) -> bool {
        matches!(action, Action::Break { .. } | Action::Expire { .. })
    }

    fn say_action(&self, action: &Action) -> String {
        match action {
            Action::Issue { client } => format!("client {client} asks"),
            Action::Retry { client } => format!("client {client} asks again"),
            Action::Take { server, .. } => format!("leader takes a request of server {server}"),
            Action::Commit => "leader commits".to_owned(),
            Action::Apply { server } => format!("server {server} applies"),
            Action::Answer { client, .. } => format!("client {client} is answered"),
            Action::Notify { server } => format!("server {server} sends a watch event"),
            Action::Break { client } => format!("client {client} loses its connection"),
            Action::Connect { client, server } => {
                format!("client {client} connects to server {server}")
            }
            Action::Expire { client } => format!("leader expires client {client}"),
        }
    }

    fn say_step(&self, before: &State, action: &Action, after: &State) -> String {
        let mut lines = vec![self.say_action(action)];
        for (index, call) in after.history.calls.iter().enumerate() {
            let old = before.history.calls.get(index);
            match (old, &call.answer) {
                (None, _) => lines.push(format!(
                    "  session {} asks {:?}",
                    call.session, call.request
                )),
                (Some(old), Some(answer)) if old.answer.is_none() => {
                    lines.push(format!(
                        "  session {} is told {answer:?} for {:?}",
                        call.session, call.request
                    ));
                }
                _ => {}
            }
        }
        let old = before.history.log.len();
        for (at, entry) in after.history.entries().skip(old) {
            lines.push(format!(
                "  zxid {at}: session {} {:?}: {:?}",
                entry.session, entry.request, entry.verdict
            ));
        }
        lines.join("\n")
    }

    fn draw(&self, steps: &[(State, Option<Action>)]) -> Option<String> {
        let says: Vec<String> = steps
            .windows(2)
            .filter_map(|pair| Some(self.say_step(&pair[0].0, pair[0].1.as_ref()?, &pair[1].0)))
            .collect();
        let violated = steps
            .last()
            .map_or(Vec::new(), |(state, _)| self.violations(state));
        Some(super::diagram::draw(steps, &says, &violated))
    }
}

const LINEARIZABLE: u8 = 1;
