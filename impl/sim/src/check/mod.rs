//! What clients were told, against what was committed. O(n log n).

mod expiry;
mod linear;
mod model;
mod replies;
mod watches;

pub use expiry::Times;
pub use linear::Verdicts;

use crate::history::{Call, History, Op, Reply};
use expiry::expiry;
use linear::linear;
use model::Model;
use replies::replies;
use std::collections::{BTreeMap, BTreeSet};
use watches::watches;
use zk_proto::{Txn, TxnRecord};

/// Rule, what broke it, zxid.
pub type Broken = (&'static str, String, i64);

/// Judges a run's history; with `search` also by INV-02, which takes long.
#[must_use]
pub fn check(history: &History, times: &Times<'_>, search: bool) -> (Vec<Broken>, Verdicts) {
    let commits = times.commits;
    let records: Vec<TxnRecord> = commits
        .values()
        .filter_map(|commit| TxnRecord::decode(&commit.txn).ok())
        .collect();
    let model = Model::build(commits.values(), history.calls.iter());
    let mut broken = Vec::new();
    writes(history, &records, &mut broken);
    real_time(history, &mut broken);
    sessions(history, &mut broken);
    freshness(history, &mut broken);
    order_of_events(history, &mut broken);
    lives(&records, &mut broken);
    fences(&records, &mut broken);
    sequences(&records, &mut broken);
    replies(history, &model, &mut broken);
    watches(history, &model, &mut broken);
    expiry(history, &model, times, &mut broken);
    let verdicts = if search {
        linear(history, &mut broken)
    } else {
        Verdicts::default()
    };
    for attach in history.attaches.iter().filter(|attach| attach.forged) {
        let what = format!(
            "session {:#x} was given for a wrong password",
            attach.session
        );
        broken.push(("INV-14", what, 0));
    }
    (broken, verdicts)
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
    let mut wrote: BTreeMap<i64, i64> = BTreeMap::new();
    for (call, reply) in answered(history).filter(|(_, reply)| reply.zxid > 0) {
        if call.op.is_write()
            && let Some(last) = wrote.insert(call.session, reply.zxid)
            && last >= reply.zxid
        {
            let what = format!("session {:#x} wrote at {last:#x} before", call.session);
            broken.push(("INV-03", what, reply.zxid));
        }
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

// spec: INV-03, INV-14, CP-SES-20. A session's writes are committed in the order in which it sent them: one that was on
// its way over an old connection when the session moved comes too late.
fn fences(records: &[TxnRecord], broken: &mut Vec<Broken>) {
    let mut newest: BTreeMap<i64, (i32, i64)> = BTreeMap::new();
    for record in records.iter().filter(|record| record.header.cxid > 0) {
        let refused = match &record.txn {
            Txn::Error { .. } => true,
            Txn::Multi(parts) => parts.iter().any(|part| matches!(part, Txn::Error { .. })),
            _ => false,
        };
        let (session, cxid) = (record.header.session_id, record.header.cxid);
        let newest = newest.entry(session).or_default();
        if !refused && cxid < newest.0 {
            let what = format!(
                "request {cxid} of session {session:#x} was carried out after {} at {:#x}",
                newest.0, newest.1
            );
            broken.push(("INV-14", what, record.header.zxid));
        }
        *newest = (cxid, record.header.zxid).max(*newest);
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
mod tests;
