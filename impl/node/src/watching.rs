//! Watches: registered by reads, fired by txns, restored after a reconnect.

use crate::conn::lane::{ConnId, End, Lane, MAX_OUTPUT_BYTES};
use crate::shared::Shared;
use crate::stats::Mode;
use crate::sync::lock;
use std::collections::HashMap;
use std::sync::Arc;
use zk_proto::jute::frame;
use zk_proto::request::WatchOp;
use zk_proto::watch::{EventKind, SetWatches};
use zk_proto::{ErrorCode, Perms, Put, ReplyHeader, Request, WatcherEvent};
use zk_tree::watch::{Event, WatchKind, WatcherType, wanted};
use zk_tree::{Mutant, Tree, Trigger};

/// Leaves the watch that a read asked for. Called with the tree still locked, so that nothing
/// can change between what the read saw and the watch.
// spec: CP-WAT-34
pub(crate) fn register(
    shared: &Shared,
    conn: ConnId,
    request: &Request<'_>,
    answer: Result<(), ErrorCode>,
) {
    if let (Request::GetData(read) | Request::Exists(read), true) =
        (request, Mutant::ReadDropsWatch.acts())
        && !read.watch
    {
        lock(&shared.watches).remove(conn.0, &read.path, WatcherType::Data);
    }
    if let Some((path, kind)) = wanted(request, answer) {
        lock(&shared.watches).add(conn.0, path, kind);
    }
}

/// addWatch.
// spec: CP-OP-32, CP-GAP-03
pub(crate) fn add(
    shared: &Shared,
    conn: ConnId,
    body: &WatchOp<'_>,
    out: &mut Vec<u8>,
) -> Result<(), ErrorCode> {
    let kind = WatchKind::from_mode(body.kind).ok_or(ErrorCode::MarshallingError)?;
    lock(&shared.watches).add(conn.0, &body.path, kind);
    out.put_int(0);
    Ok(())
}

/// checkWatches: whether the connection has such a watch.
// spec: CP-OP-31
pub(crate) fn check(shared: &Shared, conn: ConnId, body: &WatchOp<'_>) -> Result<(), ErrorCode> {
    if Mutant::CheckKnowsOneShot.acts() && body.kind > 3 {
        return Err(ErrorCode::MarshallingError);
    }
    let known = lock(&shared.watches).contains(conn.0, &body.path, watcher_type(body)?);
    known.then_some(()).ok_or(ErrorCode::NoWatcher)
}

/// removeWatches.
// spec: CP-OP-31, CP-WAT-50
pub(crate) fn remove(shared: &Shared, conn: ConnId, body: &WatchOp<'_>) -> Result<(), ErrorCode> {
    let known = lock(&shared.watches).remove(conn.0, &body.path, watcher_type(body)?);
    known.then_some(()).ok_or(ErrorCode::NoWatcher)
}

fn watcher_type(body: &WatchOp<'_>) -> Result<WatcherType, ErrorCode> {
    WatcherType::from_code(body.kind).ok_or(ErrorCode::MarshallingError)
}

/// setWatches: what was missed goes out before the reply.
// spec: CP-OP-39, CP-WAT-31, CP-WAT-45
pub(crate) fn restore(
    shared: &Shared,
    tree: &Tree,
    conn: ConnId,
    asked: &SetWatches<'_>,
    out: &mut Vec<u8>,
) {
    lock(&shared.watches).restore(tree, conn.0, asked, |kind, path| {
        put_event(kind, path, -1, out)
    });
}

/// Appends a txn's events to the lanes of those who wait for them.
// spec: CP-WAT-30, CP-WAT-31, CP-WAT-32, CP-WAT-33
pub(crate) fn notify(
    shared: &Shared,
    tree: &Tree,
    triggers: &[Trigger<'_>],
    zxid: i64,
    rings: &mut Vec<Arc<Lane>>,
) {
    let mute = Mutant::LearnersTellNobody.acts()
        && matches!(shared.mode(), Mode::Follower | Mode::Observer);
    if triggers.is_empty() || mute {
        return;
    }
    // Collected first: a lane is never locked with the watches locked (see `Shared`).
    let mut found: Vec<(Vec<u8>, usize, Vec<u64>)> = Vec::new();
    {
        let mut watches = lock(&shared.watches);
        for (index, trigger) in triggers.iter().enumerate() {
            watches.trigger(trigger, |event, connections| {
                let mut bytes = Vec::new();
                put_event(event.kind, event.path, zxid, &mut bytes);
                let of_parent = is_parents(trigger, &event);
                found.push((
                    bytes,
                    index * 2 + usize::from(of_parent),
                    connections.to_vec(),
                ));
            });
        }
    }
    if found.is_empty() {
        return;
    }
    let lanes = lanes_of(
        shared,
        found.iter().flat_map(|(_, _, connections)| connections),
    );
    for (bytes, which, connections) in &found {
        let Some(trigger) = triggers.get(which / 2) else {
            continue;
        };
        let acl = if which % 2 == 1 {
            trigger.parent_acl.as_ref()
        } else {
            Some(&trigger.acl)
        };
        let Some(acl) = acl else { continue };
        for lane in connections
            .iter()
            .filter_map(|connection| lanes.get(connection))
        {
            let mut state = lane.lock();
            // spec: CP-WAT-20, INV-08, CP-AUTH-16. By the identities of this moment.
            let permitted = Mutant::EventsForAll.acts()
                || tree.permits(acl, Perms::READ, &shared.schemes, &state.ids);
            if state.end != End::Open || !permitted {
                continue;
            }
            // spec: FT-LOAD-11, CP-FRM-07
            if state.out.len() > MAX_OUTPUT_BYTES {
                shared.totals.overflows.add(1);
                state.end = End::Now;
            }
            // spec: CP-WAT-36. No limit on requests holds an event back.
            state.out.extend_from_slice(bytes);
            shared.totals.watch_bytes.add(bytes.len() as u64);
            drop(state);
            rings.push(Arc::clone(lane));
        }
    }
}

fn is_parents(trigger: &Trigger<'_>, event: &Event<'_>) -> bool {
    event.kind == EventKind::NodeChildrenChanged && trigger.parent_acl.is_some()
}

fn lanes_of<'a>(
    shared: &Shared,
    connections: impl Iterator<Item = &'a u64>,
) -> HashMap<u64, Arc<Lane>> {
    let lanes = lock(&shared.lanes);
    connections
        .filter_map(|connection| {
            Some((
                *connection,
                Arc::clone(lanes.by_id.get(&ConnId(*connection))?),
            ))
        })
        .collect()
}

fn put_event(kind: EventKind, path: &str, zxid: i64, out: &mut Vec<u8>) {
    let zxid = if Mutant::EventWithoutZxid.acts() {
        0
    } else {
        zxid
    };
    frame(out, |out| {
        ReplyHeader {
            xid: zk_proto::xid::EVENT,
            zxid,
            err: 0,
        }
        .write(out);
        WatcherEvent::new(kind, path).write(out);
    });
}
