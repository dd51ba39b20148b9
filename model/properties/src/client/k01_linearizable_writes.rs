//! K1, linearizable writes: Writes take effect one after the other, each between its call and its answer, each at most once, with the verdict of that order.

use super::{Answer, Call, ClientInvariant, History, Order, apply};

// spec: K1. linearizable writes.
pub(super) fn invariant() -> ClientInvariant {
    ClientInvariant {
        number: 1,
        id: "K1",
        name: "linearizable writes",
        statement: "Writes take effect one after the other, each between its call and its answer, each at most once, with the verdict of that order.",
        holds,
    }
}

fn holds(history: &History) -> bool {
    verdicts_follow(history)
        && history
            .calls
            .iter()
            .filter(|call| call.request.writes())
            .all(|call| once_and_in_time(history, call))
}

/// Whether executing the log in order gives the verdicts in it.
fn verdicts_follow(history: &History) -> bool {
    let mut tree = history.initial.clone();
    history
        .entries()
        .all(|(at, entry)| apply(&mut tree, &entry.request, entry.session, at) == entry.verdict)
}

fn once_and_in_time(history: &History, call: &Call) -> bool {
    let mut places = history
        .entries()
        .filter(|(_, entry)| entry.session == call.session && entry.xid == Some(call.xid));
    let place = places.next();
    if places.next().is_some() {
        return false;
    }
    match (&call.answer, place) {
        (Some(Answer::Wrote { at, verdict }), Some((place, entry))) => {
            *at == place && *verdict == entry.verdict && follows_answered(history, call, place)
        }
        (Some(Answer::Wrote { .. }), None) => false,
        (_, Some((place, _))) => follows_answered(history, call, place),
        (_, None) => true,
    }
}

/// Whether what was answered before the call was issued also took effect before it.
fn follows_answered(history: &History, call: &Call, place: Order) -> bool {
    history
        .calls
        .iter()
        .enumerate()
        .all(|(index, before)| match before.answer {
            Some(Answer::Wrote { at, .. }) if call.after & (1 << index) != 0 => at < place,
            _ => true,
        })
}
