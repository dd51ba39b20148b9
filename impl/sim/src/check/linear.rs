//! Linearizability of registers, path by path, without a look at any zxid: is there one order of all operations that
//! agrees with real time and explains every answer? The search is Wing and Gong's with Lowe's memory of what has
//! been tried.
// spec: INV-02

use super::model::{BAD_VERSION, NO_NODE, NODE_EXISTS};
use super::{Broken, answered};
use crate::history::{Body, Call, History, Op, Reply};
use crate::plan::Us;
use std::collections::{BTreeMap, BTreeSet};

/// Operations of one path that are searched at most.
const MAX_OPERATIONS: usize = 300;
/// States looked at for one path.
const MAX_STEPS: usize = 2_000_000;

/// Verdicts over the paths of a history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    pub searched: u64,
    /// Too many operations or states: neither good nor bad.
    pub unknown: u64,
}

/// The value and version of a znode, if it is there.
type State = Option<(Vec<u8>, i32)>;

#[derive(Clone, Debug)]
enum Effect {
    Read(Option<(Vec<u8>, i32)>),
    Create(Vec<u8>),
    Set(Vec<u8>, i32),
    Delete(i32),
    /// A multi's check of the version.
    Check(i32),
    /// A multi that makes and removes it.
    Flash,
}

#[derive(Clone, Debug)]
struct Operation {
    effect: Effect,
    /// The error, or the version that it left; None if nobody knows.
    result: Option<Result<Option<i32>, i32>>,
    invoked: Us,
    answered: Us,
}

/// Searches every register.
pub(super) fn linear(history: &History, broken: &mut Vec<Broken>) -> Verdicts {
    let mut by_path: BTreeMap<&str, Vec<Operation>> = BTreeMap::new();
    for (path, operation) in operations(history) {
        by_path.entry(path).or_default().push(operation);
    }
    let mut verdicts = Verdicts::default();
    for (path, mut operations) in by_path {
        verdicts.searched += 1;
        operations.sort_by_key(|it| (it.invoked, it.answered));
        match search(&operations) {
            Some(true) => {}
            Some(false) => broken.push(("INV-02", format!("{path} is not linearizable"), 0)),
            None => verdicts.unknown += 1,
        }
    }
    verdicts
}

fn is_register(path: &str) -> bool {
    path.starts_with("/r")
}

/// What each call does to a register.
fn operations(history: &History) -> impl Iterator<Item = (&str, Operation)> {
    let synced = synced_reads(history);
    history.calls.iter().flat_map(move |call| {
        let mut invoked = call.invoked;
        if let Op::GetData { .. } = call.op {
            match synced.get(&(call.conn, call.xid)) {
                Some(asked) => invoked = *asked,
                None => return Vec::new(),
            }
        }
        one(call)
            .into_iter()
            .map(|(path, effect, result)| {
                let answered = call.reply.as_ref().map_or(Us::MAX, |reply| reply.at);
                let operation = Operation {
                    effect,
                    result,
                    invoked,
                    answered,
                };
                (path, operation)
            })
            .collect()
    })
}

/// Reads right after a sync of their connection, with the time at which the sync was asked for.
fn synced_reads(history: &History) -> BTreeMap<(u64, i32), Us> {
    let syncs = answered(history).filter(|(call, _)| matches!(call.op, Op::Sync { .. }));
    syncs
        .map(|(call, _)| ((call.conn, call.xid + 1), call.invoked))
        .collect()
}

type Found<'a> = (&'a str, Effect, Option<Result<Option<i32>, i32>>);

fn one(call: &Call) -> Option<Found<'_>> {
    let reply = call.reply.as_ref();
    if let Op::Multi(parts) = &call.op {
        return multi(parts, reply);
    }
    let (path, effect) = single(&call.op, reply)?;
    let result = reply.map(|reply| match reply.err {
        0 => Ok(version_of(&reply.body)),
        error => Err(error),
    });
    // A lost read says nothing; other refusals did not look at the znode.
    let looked = match &result {
        None => !matches!(effect, Effect::Read(_)),
        Some(Ok(_)) => true,
        Some(Err(error)) => [NO_NODE, BAD_VERSION, NODE_EXISTS].contains(error),
    };
    looked.then_some((path, effect, result))
}

fn single<'a>(op: &'a Op, reply: Option<&Reply>) -> Option<(&'a str, Effect)> {
    let (path, effect) = match op {
        Op::GetData { path, .. } => {
            let shown = match reply.map(|reply| (&reply.body, reply.err)) {
                Some((Body::Data(data, stat), 0)) => Some((data.clone(), stat.version)),
                _ => None,
            };
            (path, Effect::Read(shown))
        }
        Op::Create {
            path,
            data,
            sequential: false,
            ..
        } => (path, Effect::Create(data.clone())),
        Op::SetData {
            path,
            data,
            version,
        } => (path, Effect::Set(data.clone(), *version)),
        Op::Delete { path, version } => (path, Effect::Delete(*version)),
        Op::Check { path, version } => (path, Effect::Check(*version)),
        Op::Create { .. }
        | Op::Multi(_)
        | Op::Exists { .. }
        | Op::Children { .. }
        | Op::Sync { .. }
        | Op::AddWatch { .. }
        | Op::SetWatches { .. }
        | Op::CloseSession => return None,
    };
    is_register(path).then_some((path.as_str(), effect))
}

/// A multi touches one register at most; its other znodes are always there.
fn multi<'a>(parts: &'a [Op], reply: Option<&Reply>) -> Option<Found<'a>> {
    let mut touching = parts
        .iter()
        .enumerate()
        .filter_map(|(index, part)| Some((index, single(part, None)?)));
    let (index, (path, mut effect)) = touching.next()?;
    if touching.next().is_some() {
        effect = Effect::Flash;
    }
    let Some(reply) = reply else {
        // What changes nothing may as well not have happened.
        let changes = !matches!(effect, Effect::Check(_) | Effect::Flash);
        return changes.then_some((path, effect, None));
    };
    let Body::Multi(results) = &reply.body else {
        return None;
    };
    if results.iter().all(Result::is_ok) {
        let version = results.get(index)?.as_ref().ok().and_then(version_of);
        return Some((path, effect, Some(Ok(version))));
    }
    match results.get(index)? {
        Err(error) if [NO_NODE, BAD_VERSION, NODE_EXISTS].contains(error) => {
            Some((path, effect, Some(Err(*error))))
        }
        // It failed elsewhere, or was refused.
        _ => None,
    }
}

fn version_of(body: &Body) -> Option<i32> {
    match body {
        Body::Stat(stat) | Body::Data(_, stat) => Some(stat.version),
        Body::Empty | Body::Created(..) | Body::Children(..) | Body::Multi(_) => None,
    }
}

/// The state after the operation and what it answers.
fn run(effect: &Effect, state: &State) -> (State, Result<Option<i32>, i32>) {
    let fits = |wanted: i32| match state {
        None => Err(NO_NODE),
        Some((_, version)) if wanted == -1 || wanted == *version => Ok(*version),
        Some(_) => Err(BAD_VERSION),
    };
    let stays = |answer| (state.clone(), answer);
    match effect {
        Effect::Read(_) => match state {
            None => stays(Err(NO_NODE)),
            Some((_, version)) => stays(Ok(Some(*version))),
        },
        Effect::Create(data) if state.is_none() => (Some((data.clone(), 0)), Ok(None)),
        Effect::Flash if state.is_none() => stays(Ok(None)),
        Effect::Create(_) | Effect::Flash => stays(Err(NODE_EXISTS)),
        Effect::Set(data, wanted) => match fits(*wanted) {
            Ok(version) => (Some((data.clone(), version + 1)), Ok(Some(version + 1))),
            Err(error) => stays(Err(error)),
        },
        Effect::Delete(wanted) => match fits(*wanted) {
            Ok(_) => (None, Ok(None)),
            Err(error) => stays(Err(error)),
        },
        Effect::Check(wanted) => stays(fits(*wanted).map(|_| None)),
    }
}

/// The state after an operation that was answered as it was; None if it cannot have been.
fn step(operation: &Operation, state: &State) -> Option<State> {
    let (after, answer) = run(&operation.effect, state);
    if let Effect::Read(shown) = &operation.effect
        && shown != state
    {
        return None;
    }
    match &operation.result {
        None => Some(after),
        Some(told) => (*told == answer).then_some(after),
    }
}

/// Whether an order exists; None if the search was given up.
fn search(operations: &[Operation]) -> Option<bool> {
    if operations.len() > MAX_OPERATIONS {
        return None;
    }
    // Depth first; a node is what has been placed and the state then.
    let mut tried: BTreeSet<(Vec<u64>, State)> = BTreeSet::new();
    let mut open = vec![(vec![0_u64; operations.len().div_ceil(64)], None)];
    while let Some((placed, state)) = open.pop() {
        if tried.len() > MAX_STEPS {
            return None;
        }
        if !tried.insert((placed.clone(), state.clone())) {
            continue;
        }
        let is_placed = |index: usize| placed[index / 64] & (1 << (index % 64)) != 0;
        let left = || (0..operations.len()).filter(|index| !is_placed(*index));
        // What was invoked after another had its answer cannot come before it.
        let first_answer = left().map(|index| operations[index].answered).min();
        let Some(first_answer) = first_answer.filter(|at| *at < Us::MAX) else {
            return Some(true);
        };
        let may_be_next = left()
            .take_while(|index| operations[*index].invoked <= first_answer)
            .collect::<Vec<_>>();
        // The earliest answer is tried first: what is lost is placed only where it is needed.
        let mut next: Vec<_> = may_be_next
            .into_iter()
            .filter_map(|index| Some((index, step(&operations[index], &state)?)))
            .collect();
        next.sort_by_key(|(index, _)| std::cmp::Reverse(operations[*index].answered));
        for (index, after) in next {
            let mut placed = placed.clone();
            placed[index / 64] |= 1 << (index % 64);
            open.push((placed, after));
        }
    }
    Some(false)
}
