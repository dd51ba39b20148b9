//! The content of replies, against the reference tree.

use super::model::{Answer, Model, Node};
use super::{Broken, acks, answered, newest_before};
use crate::history::{Body, Call, History, Op, Reply};
use std::collections::BTreeMap;

/// Judges every reply.
pub(super) fn replies(history: &History, model: &Model, broken: &mut Vec<Broken>) {
    for (zxid, what) in &model.wrong {
        broken.push(("INV-01", what.clone(), *zxid));
    }
    writes(history, model, broken);
    reads(history, model, broken);
}

// spec: INV-01, INV-10, INV-17
fn writes(history: &History, model: &Model, broken: &mut Vec<Broken>) {
    for (call, reply) in answered(history).filter(|(call, _)| call.op.is_write()) {
        let Some(answer) = model.answers.get(&reply.zxid) else {
            continue;
        };
        let same = match answer {
            Answer::Err(error) => reply.err == *error,
            Answer::Ok(body) => reply.err == 0 && reply.body == *body,
        };
        if !same {
            let what = format!("{:?} was answered {reply:?} and not {answer:?}", call.op);
            broken.push((rule_of(answer, reply), what, reply.zxid));
        }
    }
}

/// Which rule a reply with another content breaks.
fn rule_of(answer: &Answer, reply: &Reply) -> &'static str {
    match (answer, &reply.body) {
        (Answer::Ok(Body::Multi(model)), Body::Multi(told)) => {
            let shape = |parts: &[Result<Body, i32>]| -> Vec<Option<i32>> {
                parts
                    .iter()
                    .map(|part| part.as_ref().err().copied())
                    .collect()
            };
            if shape(model) == shape(told) {
                "INV-17"
            } else {
                "INV-10"
            }
        }
        (Answer::Ok(Body::Multi(_)), _) => "INV-10",
        (Answer::Ok(Body::Created(model, _)), Body::Created(told, _)) if model == told => "INV-17",
        (Answer::Ok(Body::Stat(_)), Body::Stat(_)) => "INV-17",
        _ => "INV-01",
    }
}

/// Each read shows one state that is neither older than what its session has seen, nor than what a sync before it owes
/// it, nor newer than its header says.
// spec: INV-04, INV-05, INV-10, INV-17, INV-03 (a read sees the writes before it)
fn reads(history: &History, model: &Model, broken: &mut Vec<Broken>) {
    let acks = acks(history);
    // By session: the newest zxid that a header showed, that of its last write, and what a sync has promised.
    let mut seen: BTreeMap<i64, (i64, i64, i64)> = BTreeMap::new();
    for (call, reply) in answered(history) {
        let (header, wrote, owed) = seen.entry(call.session).or_default();
        if let Op::Sync { .. } = call.op {
            *owed = newest_before(&acks, call.invoked).max(*owed);
        }
        let (before, own, owed) = (*header, *wrote, *owed);
        *header = reply.zxid.max(before);
        if call.op.is_write() {
            *wrote = reply.zxid;
        }
        if reply.zxid <= 0 || reply.zxid < before {
            continue;
        }
        let Some((path, shows)) = shown(call, reply) else {
            continue;
        };
        let from = before.max(owed).min(reply.zxid);
        if model
            .states(path, from, reply.zxid)
            .any(|(_, node)| shows(node))
        {
            continue;
        }
        let fits = |from| {
            model
                .states(path, from, reply.zxid)
                .any(|(_, node)| shows(node))
        };
        let rule = match (fits(before), fits(0)) {
            (true, _) => "INV-05",
            (false, true) if own == before => "INV-03",
            (false, true) => "INV-04",
            (false, false) => "INV-17",
        };
        let what = format!("{:?} shows {reply:?}, no state from {from:#x} on", call.op);
        broken.push((rule, what, reply.zxid));
    }
}

type Shows<'a> = Box<dyn Fn(Option<&Node>) -> bool + 'a>;

/// Which znode a read looked at, and whether a state of it is what the reply shows.
fn shown<'a>(call: &'a Call, reply: &'a Reply) -> Option<(&'a str, Shows<'a>)> {
    let path = match &call.op {
        Op::GetData { path, .. } | Op::Exists { path, .. } | Op::Children { path, .. } => path,
        Op::Create { .. }
        | Op::Delete { .. }
        | Op::SetData { .. }
        | Op::Check { .. }
        | Op::Multi(_)
        | Op::Sync { .. }
        | Op::AddWatch { .. }
        | Op::SetWatches { .. }
        | Op::CloseSession => return None,
    };
    let shows: Shows<'a> = match (&reply.body, reply.err) {
        (_, super::model::NO_NODE) => Box::new(|node| node.is_none()),
        (Body::Data(data, stat), 0) => Box::new(move |node| {
            node.is_some_and(|node| *node.data == **data && node.stat() == *stat)
        }),
        (Body::Stat(stat), 0) => {
            Box::new(move |node| node.is_some_and(|node| node.stat() == *stat))
        }
        (Body::Children(names, stat), 0) => Box::new(move |node| {
            node.is_some_and(|node| node.children.iter().eq(names) && node.stat() == *stat)
        }),
        _ => Box::new(|_| false),
    };
    Some((path, shows))
}
