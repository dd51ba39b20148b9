//! What clients were told, against what was committed. O(n log n).

use crate::history::{Call, Commit, History, Op, Reply};
use std::collections::{BTreeMap, BTreeSet};
use zk_proto::{Txn, TxnRecord};

/// Rule, what broke it, zxid.
pub type Broken = (&'static str, String, i64);

/// Judges a run's history.
#[must_use]
pub fn check(history: &History, commits: &BTreeMap<i64, Commit>) -> Vec<Broken> {
    let records: Vec<TxnRecord> = commits
        .values()
        .filter_map(|commit| TxnRecord::decode(&commit.txn).ok())
        .collect();
    let mut broken = Vec::new();
    writes(history, &records, &mut broken);
    real_time(history, &mut broken);
    sessions(history, &mut broken);
    freshness(history, &mut broken);
    order_of_events(history, &mut broken);
    lives(&records, &mut broken);
    sequences(&records, &mut broken);
    for attach in history.attaches.iter().filter(|attach| attach.forged) {
        let what = format!(
            "session {:#x} was given for a wrong password",
            attach.session
        );
        broken.push(("INV-14", what, 0));
    }
    broken
}

fn answered(history: &History) -> impl Iterator<Item = (&Call, &Reply)> {
    let calls = history.calls.iter();
    calls.filter_map(|call| Some((call, call.reply.as_ref()?)))
}

fn answered_writes(history: &History) -> impl Iterator<Item = (&Call, &Reply)> {
    answered(history).filter(|(call, _)| call.op.is_write())
}

// spec: INV-01, INV-11. Each answered write is in the commits, once, at the zxid of its reply and with its error.
fn writes(history: &History, records: &[TxnRecord], broken: &mut Vec<Broken>) {
    let mut places = BTreeMap::new();
    for record in records.iter().filter(|record| record.header.cxid > 0) {
        let key = (record.header.session_id, record.header.cxid);
        if places.insert(key, record).is_some() {
            let what = format!("the request {key:x?} was committed twice: {:?}", record.txn);
            broken.push(("INV-01", what, record.header.zxid));
        }
    }
    for (call, reply) in answered_writes(history) {
        let Some(record) = places.get(&(call.session, call.xid)) else {
            let what = format!("{:?} was answered and not committed", call.op);
            broken.push(("INV-11", what, reply.zxid));
            continue;
        };
        let err = match (&call.op, &record.txn) {
            (Op::Multi(_), _) => reply.err,
            (_, Txn::Error { err }) => *err,
            _ => 0,
        };
        if record.header.zxid != reply.zxid || err != reply.err {
            let zxid = record.header.zxid;
            let what = format!(
                "{:?} at {zxid:#x} error {err} was answered {reply:?}",
                call.op
            );
            broken.push(("INV-01", what, reply.zxid));
        }
    }
}

// spec: INV-01. What was answered before another write was asked for has the lower zxid.
fn real_time(history: &History, broken: &mut Vec<Broken>) {
    let acks = acks(history);
    for (call, reply) in answered_writes(history) {
        let before = newest_before(&acks, call.invoked);
        if before >= reply.zxid {
            let what = format!(
                "{:?} is at or before {before:#x}, answered earlier",
                call.op
            );
            broken.push(("INV-01", what, reply.zxid));
        }
    }
}

/// Times of replies to writes, each with the highest zxid answered until then.
fn acks(history: &History) -> Vec<(u64, i64)> {
    let mut acks: Vec<_> = answered_writes(history)
        .map(|(_, reply)| (reply.at, reply.zxid))
        .collect();
    acks.sort_unstable();
    let mut newest = 0;
    for (_, zxid) in &mut acks {
        newest = newest.max(*zxid);
        *zxid = newest;
    }
    acks
}

fn newest_before(acks: &[(u64, i64)], at: u64) -> i64 {
    let place = acks.partition_point(|(answered, _)| *answered < at);
    place.checked_sub(1).map_or(0, |last| acks[last].1)
}

// spec: INV-03, INV-04. Within a session zxids never fall, whatever server answers.
fn sessions(history: &History, broken: &mut Vec<Broken>) {
    let mut seen: BTreeMap<i64, i64> = BTreeMap::new();
    for (call, reply) in answered(history).filter(|(_, reply)| reply.zxid > 0) {
        let before = seen.entry(call.session).or_default();
        if reply.zxid < *before {
            let what = format!("session {:#x} went back from {before:#x}", call.session);
            broken.push(("INV-04", what, reply.zxid));
        }
        *before = reply.zxid.max(*before);
    }
}

// spec: INV-05. After a sync a session sees all that was acknowledged before the sync was asked for.
fn freshness(history: &History, broken: &mut Vec<Broken>) {
    let acks = acks(history);
    let mut owed: BTreeMap<i64, i64> = BTreeMap::new();
    for (call, reply) in answered(history) {
        let owed = owed.entry(call.session).or_default();
        if matches!(call.op, Op::Sync { .. }) {
            *owed = newest_before(&acks, call.invoked).max(*owed);
        } else if !call.op.is_write() && reply.zxid > 0 && reply.zxid < *owed {
            let what = format!("{:?} after a sync that owed {owed:#x}", call.op);
            broken.push(("INV-05", what, reply.zxid));
        }
    }
}

// spec: INV-08. A change's event comes before any reply that could show it, and events in zxid order.
fn order_of_events(history: &History, broken: &mut Vec<Broken>) {
    let mut told: BTreeMap<(u64, u64), (bool, i64)> = BTreeMap::new();
    for (call, reply) in answered(history) {
        told.insert((call.conn, reply.order), (false, reply.zxid));
    }
    for event in history.events.iter().filter(|event| event.zxid > 0) {
        told.insert((event.conn, event.order), (true, event.zxid));
    }
    let mut newest = (0, 0, 0);
    for ((conn, _), (is_event, zxid)) in told {
        if newest.0 != conn {
            newest = (conn, 0, 0);
        }
        if is_event {
            if zxid <= newest.1 || zxid < newest.2 {
                broken.push(("INV-08", format!("an event on {conn} came too late"), zxid));
            }
            newest.2 = zxid.max(newest.2);
        } else {
            newest.1 = zxid.max(newest.1);
        }
    }
}

// spec: INV-07, INV-14. Ids are unique; nothing of a session is written after its end.
fn lives(records: &[TxnRecord], broken: &mut Vec<Broken>) {
    let (mut begun, mut ended) = (BTreeSet::new(), BTreeMap::new());
    for record in records {
        let (session, zxid) = (record.header.session_id, record.header.zxid);
        if matches!(record.txn, Txn::CreateSession { .. }) && !begun.insert(session) {
            broken.push(("INV-14", format!("session {session:#x} began twice"), zxid));
        }
        match &record.txn {
            Txn::CreateSession { .. } => {}
            Txn::CloseSession { .. } => {
                ended.entry(session).or_insert(record.header);
            }
            Txn::Error { .. } | Txn::DeleteContainer { .. } => {}
            Txn::Multi(parts) if parts.iter().any(|it| matches!(it, Txn::Error { .. })) => {}
            _ if ended.contains_key(&session) => {
                let what = format!(
                    "session {session:#x} wrote after its end: {:?} {:?}",
                    ended.get(&session),
                    record.header
                );
                broken.push(("INV-07", what, zxid));
            }
            _ => {}
        }
    }
}

// spec: INV-09. The workload never deletes `/d`, so its numbers rise for ever.
fn sequences(records: &[TxnRecord], broken: &mut Vec<Broken>) {
    let mut last = -1;
    for record in records {
        let parts = match &record.txn {
            Txn::Multi(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        if parts.iter().any(|part| matches!(part, Txn::Error { .. })) {
            continue;
        }
        for part in parts {
            let Txn::Create(create) = part else { continue };
            let Some(digits) = create.path.strip_prefix("/d/s-") else {
                continue;
            };
            let number = digits.parse::<i64>().unwrap_or(-1);
            if digits.len() != 10 || number <= last {
                let what = format!("{} after number {last}", create.path);
                broken.push(("INV-09", what, record.header.zxid));
            }
            last = number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Body;

    fn call(session: i64, op: Op, invoked: u64, at: u64, zxid: i64) -> Call {
        Call {
            client: 0,
            session,
            conn: session as u64,
            server: 0,
            xid: at as i32,
            op,
            invoked,
            reply: Some(Reply {
                at,
                order: at,
                zxid,
                err: 0,
                body: Body::Empty,
            }),
        }
    }

    fn set() -> Op {
        Op::SetData {
            path: "/r0".into(),
            data: Vec::new(),
            version: -1,
        }
    }

    fn get() -> Op {
        Op::GetData {
            path: "/r0".into(),
            watch: false,
        }
    }

    fn sync() -> Op {
        Op::Sync { path: "/r0".into() }
    }

    fn rules(calls: Vec<Call>, judge: fn(&History, &mut Vec<Broken>)) -> Vec<&'static str> {
        let history = History {
            calls,
            ..History::default()
        };
        let mut broken = Vec::new();
        judge(&history, &mut broken);
        broken.into_iter().map(|(rule, ..)| rule).collect()
    }

    // spec: INV-01
    #[test]
    fn writes_follow_real_time_but_those_at_once_may_swap() {
        let bad = vec![call(1, set(), 1, 2, 9), call(2, set(), 3, 4, 8)];
        assert_eq!(rules(bad, real_time), ["INV-01"]);
        let odd = vec![call(1, set(), 1, 3, 9), call(2, set(), 2, 4, 8)];
        assert!(rules(odd, real_time).is_empty());
    }

    // spec: INV-04
    #[test]
    fn a_session_never_goes_back_but_another_may_lag() {
        let bad = vec![call(1, get(), 1, 2, 9), call(1, get(), 3, 4, 8)];
        assert_eq!(rules(bad, sessions), ["INV-04"]);
        let odd = vec![call(1, get(), 1, 2, 9), call(2, get(), 3, 4, 8)];
        assert!(rules(odd, sessions).is_empty());
    }

    // spec: INV-05
    #[test]
    fn a_read_after_a_sync_is_fresh_and_without_one_may_be_old() {
        let write = call(1, set(), 1, 2, 9);
        let bad = vec![
            write.clone(),
            call(2, sync(), 3, 4, 8),
            call(2, get(), 3, 5, 8),
        ];
        assert_eq!(rules(bad, freshness), ["INV-05"]);
        let odd = vec![write, call(2, get(), 3, 5, 8)];
        assert!(rules(odd, freshness).is_empty());
    }
}
