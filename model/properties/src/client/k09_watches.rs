//! K9, watches: A watch fires once, and before its client is shown the change by a read; a new server makes up for what was missed.

use alloc::collections::BTreeMap;

use super::{Answer, ClientInvariant, History, Key, Order, Request, Told, Verdict, apply, touches};

// spec: K9. watches.
pub(super) fn invariant() -> ClientInvariant {
    ClientInvariant {
        number: 9,
        id: "K9",
        name: "watches",
        statement: "A watch fires once, and before its client is shown the change by a read; a new server makes up for what was missed.",
        holds,
    }
}

fn holds(history: &History) -> bool {
    history.sessions().all(|session| {
        let mut watched: BTreeMap<Key, Order> = BTreeMap::new();
        history
            .told
            .get(&session)
            .into_iter()
            .flatten()
            .all(|told| tell(history, &mut watched, told))
    })
}

fn tell(history: &History, watched: &mut BTreeMap<Key, Order>, told: &Told) -> bool {
    match told {
        // Fires once: an event without a watch is one too many.
        Told::Changed { key, .. } => watched.remove(key).is_some(),
        Told::Reply { call } => {
            let Some(call) = history.calls.get(*call) else {
                return false;
            };
            let Some(Answer::Saw { at, .. }) = call.answer else {
                return true;
            };
            let Request::Read { key, watch } = call.request else {
                return false;
            };
            let missed = watched
                .get(&key)
                .is_some_and(|since| changed_between(history, key, *since, at));
            if watch {
                watched.entry(key).or_insert(at);
            }
            !missed
        }
    }
}

fn changed_between(history: &History, key: Key, since: Order, until: Order) -> bool {
    let mut tree = history.initial.clone();
    history
        .entries()
        .take_while(|(at, _)| *at <= until)
        .any(|(at, entry)| {
            let keys = touches(&tree, &entry.request, entry.session);
            let done = apply(&mut tree, &entry.request, entry.session, at) == Verdict::Done;
            done && at > since && keys.contains(&key)
        })
}
