//! The steps of the client model.

use zab_properties::client::{
    Answer, Call, Entry, Key, Order, Request, Session, Told, Tree, Verdict, apply, touches,
};
use zab_properties::sometimes::Situation;

use super::mutants::Flaw;
use super::state::{Action, Proposed, State, Wait, Waiting};
use super::subject::Clients;

impl Clients {
    pub(super) fn after(&self, state: &State, action: &Action) -> State {
        let mut next = state.clone();
        match *action {
            Action::Issue { client } => {
                let place = next.clients[usize::from(client)].issued;
                next.clients[usize::from(client)].issued += 1;
                self.issue(&mut next, client, place);
            }
            Action::Retry { client } => {
                let place = next.clients[usize::from(client)].issued - 1;
                self.issue(&mut next, client, place);
            }
            Action::Take { server, place } => self.take(&mut next, server, place),
            Action::Commit => commit(&mut next),
            Action::Apply { server } => self.apply(&mut next, usize::from(server)),
            Action::Answer { client, place } => self.answer(&mut next, client, usize::from(place)),
            Action::Notify { server } => {
                let (session, key, at) = next.servers[usize::from(server)].late_events.remove(0);
                notify(&mut next, session, key, at);
            }
            Action::Break { client } => detach(&mut next, client),
            Action::Connect { client, server } => self.connect(&mut next, client, server),
            Action::Expire { client } => self.expire(&mut next, client),
        }
        next
    }

    fn issue(&self, state: &mut State, client: u8, place: u8) {
        let request = self.scripts.pairs[usize::from(state.script)][usize::from(client)]
            [usize::from(place)]
        .request(client, place);
        let answered = state
            .history
            .calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.answer.is_some());
        let after = answered.fold(0, |mask, (index, _)| mask | 1 << index);
        let it = &mut state.clients[usize::from(client)];
        it.calls += 1;
        it.may_retry = false;
        let call = state.history.calls.len();
        let forwards =
            request.writes() || (request == Request::Sync && self.flaw != Some(Flaw::LocalSync));
        let wait = if forwards {
            Wait::Applied(None)
        } else {
            Wait::Turn
        };
        it.waiting.push(Waiting { call, wait });
        if let (true, Some(server)) = (forwards, it.server) {
            state.servers[usize::from(server)].forward.push(call);
        }
        state.history.calls.push(Call {
            session: client,
            xid: it.calls,
            request,
            after,
            answer: None,
        });
    }

    /// The leader takes a forwarded call: refuses it, or gives it its place and its verdict.
    fn take(&self, state: &mut State, server: u8, place: u8) {
        let call = state.servers[usize::from(server)]
            .forward
            .remove(usize::from(place));
        let Call {
            session,
            xid,
            request,
            ..
        } = state.history.calls[call].clone();
        let owner = state.owners[usize::from(session)];
        let moved = owner != server && self.flaw != Some(Flaw::NoFence);
        let over = ended(state, session) && self.flaw != Some(Flaw::ServesTheDead);
        if moved || over {
            return set_wait(state, call, Wait::Refused);
        }
        if request == Request::Sync {
            state.pipeline.push(Proposed::Sync { call });
            return;
        }
        let mut tree = self.judged_tree(state);
        let named = self.named(state, &request, session);
        let at = state.history.log.len() + proposed_writes(state) + 1;
        let verdict = apply(&mut tree, &request, session, at as Order);
        let entry = Entry {
            session,
            xid: Some(xid),
            request,
            verdict,
            via: server,
            owner,
            touched: true,
        };
        state.pipeline.push(Proposed::Write {
            entry,
            named,
            call: Some(call),
        });
        set_wait(state, call, Wait::Applied(Some(at as Order)));
    }

    fn judged_tree(&self, state: &State) -> Tree {
        tree_of(state, self.flaw != Some(Flaw::JudgesCommitted))
    }

    /// The ephemerals that a close must delete, pending ones included (spec: QP-TXN-06).
    fn named(&self, state: &State, request: &Request, session: Session) -> Vec<Key> {
        if *request != Request::Close {
            return Vec::new();
        }
        touches(
            &tree_of(state, self.flaw != Some(Flaw::CloseMissesPipeline)),
            request,
            session,
        )
    }

    fn expire(&self, state: &mut State, client: u8) {
        let touched = state.clients[usize::from(client)].server.is_some();
        let named = self.named(state, &Request::Close, client);
        let owner = state.owners[usize::from(client)];
        let entry = Entry {
            session: client,
            xid: None,
            request: Request::Close,
            verdict: Verdict::Done,
            via: owner,
            owner,
            touched,
        };
        state.pipeline.push(Proposed::Write {
            entry,
            named,
            call: None,
        });
        state.expiries += 1;
    }

    fn apply(&self, state: &mut State, server: usize) {
        let at = state.history.replicas[server].applied + 1;
        let entry = state.history.log[at as usize - 1].clone();
        let named = state.named[at as usize - 1].clone();
        if self.flaw == Some(Flaw::HalfMulti) && self.apply_half(state, server, &entry, at) {
            return;
        }
        let replica = &mut state.history.replicas[server];
        replica.applied = at;
        if entry.verdict != Verdict::Done {
            return;
        }
        let keys = if entry.request == Request::Close {
            replica.tree.retain(|key, _| !named.contains(key));
            named
        } else {
            let keys = touches(&replica.tree, &entry.request, entry.session);
            apply(&mut replica.tree, &entry.request, entry.session, at);
            keys
        };
        self.fire(state, server, &keys, at);
    }

    /// Applies the first part of a multi alone. False if there is no first part left to apply.
    fn apply_half(&self, state: &mut State, server: usize, entry: &Entry, at: Order) -> bool {
        let Request::Multi(sets) = &entry.request else {
            return false;
        };
        state.servers[server].half = !state.servers[server].half;
        if state.servers[server].half {
            let first = Request::Multi(sets[..1].to_vec());
            apply(
                &mut state.history.replicas[server].tree,
                &first,
                entry.session,
                at,
            );
        }
        state.servers[server].half
    }

    fn fire(&self, state: &mut State, server: usize, keys: &[Key], at: Order) {
        let (fired, kept) = state.servers[server]
            .watches
            .iter()
            .partition(|(_, key)| keys.contains(key));
        state.servers[server].watches = kept;
        let fired: Vec<(Session, Key)> = fired;
        for (session, key) in fired {
            if self.flaw == Some(Flaw::LateEvents) {
                state.servers[server].late_events.push((session, key, at));
            } else {
                notify(state, session, key, at);
            }
        }
    }

    fn answer(&self, state: &mut State, client: u8, place: usize) {
        let waiting = state.clients[usize::from(client)].waiting.remove(place);
        let Some(server) = state.clients[usize::from(client)].server.map(usize::from) else {
            return;
        };
        let applied = state.history.replicas[server].applied;
        let request = state.history.calls[waiting.call].request.clone();
        let answer = match (&request, waiting.wait) {
            (_, Wait::Refused) => Answer::Refused,
            (Request::Read { key, watch }, _) => {
                if *watch {
                    self.watch(state, client, server, *key, applied);
                }
                Answer::Saw {
                    at: applied,
                    node: state.history.replicas[server].tree.get(key).cloned(),
                }
            }
            (Request::Sync, _) => Answer::Synced { at: applied },
            (_, Wait::Applied(Some(at))) => Answer::Wrote {
                at,
                verdict: state.history.log[at as usize - 1].verdict,
            },
            (_, Wait::Applied(None) | Wait::Turn) => Answer::Refused,
        };
        self.note_answer(state, client, waiting.call, &answer);
        let it = &mut state.clients[usize::from(client)];
        it.seen = it.seen.max(answer.seen().unwrap_or(0));
        state.history.calls[waiting.call].answer = Some(answer);
        state
            .history
            .told
            .entry(client)
            .or_default()
            .push(Told::Reply { call: waiting.call });
        if request == Request::Close {
            state.clients[usize::from(client)].expired = true;
            detach(state, client);
        }
    }

    fn watch(&self, state: &mut State, client: u8, server: usize, key: Key, at: Order) {
        let watches = &mut state.servers[server].watches;
        if !watches.contains(&(client, key)) {
            watches.push((client, key));
            watches.sort_unstable();
        }
        let known = &mut state.clients[usize::from(client)].watches;
        if !known.iter().any(|(known, _)| *known == key) {
            known.push((key, at));
        }
    }

    fn note_answer(&self, state: &State, client: u8, call: usize, answer: &Answer) {
        let newest = state.history.log.len() as Order;
        if let Answer::Saw { at, .. } = answer
            && state.history.calls.iter().any(
                |other| matches!(other.answer, Some(Answer::Wrote { at: done, .. }) if done > *at),
            )
            && *at < newest
        {
            self.mark(Situation::StaleRead);
        }
        let asked = &state.history.calls[call].request;
        let twice = |(index, other): (usize, &Call)| {
            index != call && other.session == client && other.request == *asked
        };
        if matches!(
            answer,
            Answer::Wrote {
                verdict: Verdict::BadVersion,
                ..
            }
        ) && state.history.calls.iter().enumerate().any(twice)
        {
            self.mark(Situation::RetryOnce);
        }
    }

    /// A client comes to a server: the server looks at what it has seen, the leader at its session.
    fn connect(&self, state: &mut State, client: u8, server: u8) {
        if ended(state, client) {
            self.mark(Situation::ExpiryRace);
            state.clients[usize::from(client)].expired = true;
            return;
        }
        if state.owners[usize::from(client)] != server {
            self.mark(Situation::SessionMoved);
        }
        state.owners[usize::from(client)] = server;
        state.clients[usize::from(client)].server = Some(server);
        let watches = state.clients[usize::from(client)].watches.clone();
        if self.flaw == Some(Flaw::ForgetsWatches) {
            return;
        }
        let index = usize::from(server);
        let seen = state.clients[usize::from(client)].seen;
        for (key, _) in watches {
            // The client names the zxid that it has seen; what changed since is told at once (setWatches).
            if let Some(at) = changed_since(state, index, key, seen) {
                notify(state, client, key, at);
            } else {
                state.servers[index].watches.push((client, key));
                state.servers[index].watches.sort_unstable();
            }
        }
    }
}

/// The newest change of a node that a replica has applied, if it is later than `seen`.
fn changed_since(state: &State, server: usize, key: Key, seen: Order) -> Option<Order> {
    let mut tree = state.history.initial.clone();
    let mut newest = None;
    for (at, entry) in state
        .history
        .entries()
        .take_while(|(at, _)| *at <= state.history.replicas[server].applied)
    {
        let keys = touches(&tree, &entry.request, entry.session);
        let done = apply(&mut tree, &entry.request, entry.session, at) == Verdict::Done;
        if done && keys.contains(&key) && at > seen {
            newest = Some(at);
        }
    }
    newest
}

fn notify(state: &mut State, session: Session, key: Key, at: Order) {
    let client = &mut state.clients[usize::from(session)];
    client.watches.retain(|(watched, _)| *watched != key);
    state
        .history
        .told
        .entry(session)
        .or_default()
        .push(Told::Changed { key, at });
}

fn commit(state: &mut State) {
    match state.pipeline.remove(0) {
        Proposed::Write { entry, named, .. } => {
            state.history.log.push(entry);
            state.named.push(named);
        }
        Proposed::Sync { call } => {
            let at = state.history.log.len() as Order;
            set_wait(state, call, Wait::Applied(Some(at)));
        }
    }
}

/// The connection goes: what waits for an answer gets none, what was forwarded stays on its way.
fn detach(state: &mut State, client: u8) {
    let it = &mut state.clients[usize::from(client)];
    let lost = it.waiting.pop();
    it.may_retry = lost.is_some() && !it.expired;
    it.waiting.clear();
    if let Some(server) = it.server.take() {
        let server = &mut state.servers[usize::from(server)];
        server.watches.retain(|(session, _)| *session != client);
        server
            .late_events
            .retain(|(session, _, _)| *session != client);
    }
}

fn set_wait(state: &mut State, call: usize, wait: Wait) {
    let waiting = state
        .clients
        .iter_mut()
        .flat_map(|client| &mut client.waiting);
    for it in waiting.filter(|it| it.call == call) {
        it.wait = wait.clone();
    }
}

fn proposed_writes(state: &State) -> usize {
    state
        .pipeline
        .iter()
        .filter(|it| matches!(it, Proposed::Write { .. }))
        .count()
}

/// Whether the leader has taken the end of a session.
pub(super) fn ended(state: &State, session: Session) -> bool {
    let proposed = state.pipeline.iter().filter_map(|it| match it {
        Proposed::Write { entry, .. } => Some(entry),
        Proposed::Sync { .. } => None,
    });
    state
        .history
        .log
        .iter()
        .chain(proposed)
        .any(|entry| entry.session == session && entry.request == Request::Close)
}

/// The tree after all commits, or after all proposals too.
fn tree_of(state: &State, proposed: bool) -> Tree {
    let mut tree = state.history.initial.clone();
    let pending = state.pipeline.iter().filter_map(|it| match it {
        Proposed::Write { entry, .. } if proposed => Some(entry),
        Proposed::Write { .. } | Proposed::Sync { .. } => None,
    });
    for (entry, at) in state.history.log.iter().chain(pending).zip(1..) {
        if entry.verdict == Verdict::Done {
            apply(&mut tree, &entry.request, entry.session, at);
        }
    }
    tree
}
