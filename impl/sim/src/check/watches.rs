//! The events of each connection, against those that its watches must have led to.
// spec: INV-08

use super::model::{Change, Model, What, parent_of};
use super::{Broken, answered};
use crate::history::{Call, Event, History, Op, Reply};
use std::collections::{BTreeMap, BTreeSet};
use zk_proto::watch::EventKind;

/// What a connection received, in order.
enum Told<'a> {
    Reply(&'a Call, &'a Reply),
    Event(&'a Event),
}

/// Catch-up events after a reconnect have no zxid of their own.
const CAUGHT_UP: i64 = -1;

/// Judges every connection's events.
pub(super) fn watches(history: &History, model: &Model, broken: &mut Vec<Broken>) {
    let mut told: BTreeMap<u64, BTreeMap<u64, Told<'_>>> = BTreeMap::new();
    for (call, reply) in answered(history) {
        told.entry(call.conn)
            .or_default()
            .insert(reply.order, Told::Reply(call, reply));
    }
    for event in &history.events {
        told.entry(event.conn)
            .or_default()
            .insert(event.order, Told::Event(event));
    }
    for (conn, told) in told {
        let mut table = Table::default();
        for it in told.into_values() {
            let wrong = match it {
                Told::Reply(call, reply) => table.reply(model, call, reply),
                Told::Event(event) => table.event(model, event),
            };
            if let Err(what) = wrong {
                broken.push((
                    "INV-08",
                    format!("connection {conn}: {what}"),
                    table.through,
                ));
                break;
            }
        }
    }
}

type Due = (EventKind, String);

/// A connection's watches, as far as its replies have told, and the events that are due.
#[derive(Default)]
struct Table {
    data: BTreeSet<String>,
    child: BTreeSet<String>,
    persistent: BTreeSet<String>,
    recursive: BTreeSet<String>,
    /// Changes up to here have met the watches.
    through: i64,
    due: BTreeMap<i64, Vec<Due>>,
    /// Catch-up events that came before the reply to their request.
    caught_up: Vec<Due>,
}

impl Table {
    fn event(&mut self, model: &Model, event: &Event) -> Result<(), String> {
        let it = (event.kind, event.path.clone());
        if event.zxid == CAUGHT_UP {
            self.caught_up.push(it);
            return Ok(());
        }
        self.advance(model, event.zxid);
        if let Some((zxid, lost)) = self.due.range(..event.zxid).next() {
            return Err(format!("no event for {zxid:#x} before {it:?}: {lost:?}"));
        }
        let due = self.due.entry(event.zxid).or_default();
        let Some(place) = due.iter().position(|due| *due == it) else {
            return Err(format!("{it:?} came unasked at {:#x}", event.zxid));
        };
        due.swap_remove(place);
        if due.is_empty() {
            self.due.remove(&event.zxid);
        }
        Ok(())
    }

    fn reply(&mut self, model: &Model, call: &Call, reply: &Reply) -> Result<(), String> {
        self.advance(model, reply.zxid);
        // (a), (b): what a reply could show has been told.
        if let Some((zxid, lost)) = self.due.range(..=reply.zxid).next() {
            let (op, at) = (&call.op, reply.zxid);
            return Err(format!(
                "no event for {zxid:#x} before the reply to {op:?} at {at:#x}: {lost:?}"
            ));
        }
        match &call.op {
            Op::SetWatches { .. } if reply.err == 0 => {
                return self.restore(model, call, reply.zxid);
            }
            Op::GetData { path, watch: true } if reply.err == 0 => self.data.insert(path.clone()),
            Op::Exists { path, watch: true } if matches!(reply.err, 0 | super::model::NO_NODE) => {
                self.data.insert(path.clone())
            }
            Op::Children { path, watch: true } if reply.err == 0 => self.child.insert(path.clone()),
            Op::AddWatch { path, recursive } if reply.err == 0 => {
                if *recursive {
                    self.recursive.insert(path.clone())
                } else {
                    self.persistent.insert(path.clone())
                }
            }
            _ => false,
        };
        Ok(())
    }

    /// Lets the changes up to `zxid` meet the watches.
    fn advance(&mut self, model: &Model, zxid: i64) {
        let from = model.changes.partition_point(|it| it.zxid <= self.through);
        for change in model.changes[from..]
            .iter()
            .take_while(|it| it.zxid <= zxid)
        {
            self.meet(change);
        }
        self.through = zxid.max(self.through);
    }

    // spec: CP-WAT-10, CP-WAT-11, CP-WAT-12, CP-WAT-14, CP-WAT-18, CP-WAT-19
    fn meet(&mut self, change: &Change) {
        let path = &change.path;
        let mut due = Vec::new();
        let recursive = self.covers(path);
        let data = self.data.remove(path) | self.persistent.contains(path) | recursive;
        let kind = match change.what {
            What::Created => EventKind::NodeCreated,
            What::Deleted => EventKind::NodeDeleted,
            What::Changed => EventKind::NodeDataChanged,
        };
        let child = change.what == What::Deleted && self.child.remove(path);
        if data || child {
            due.push((kind, path.clone()));
        }
        let parent = parent_of(path);
        if change.what != What::Changed
            && (self.child.remove(parent) | self.persistent.contains(parent))
        {
            due.push((EventKind::NodeChildrenChanged, parent.to_owned()));
        }
        if !due.is_empty() {
            self.due.entry(change.zxid).or_default().append(&mut due);
        }
    }

    /// Whether a recursive watch stands on the path or above it.
    fn covers(&self, path: &str) -> bool {
        self.recursive.iter().any(|above| {
            let below = path.strip_prefix(above.trim_end_matches('/'));
            below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    // spec: CP-WAT-40, CP-WAT-41, CP-WAT-42, CP-WAT-43, CP-WAT-44, CP-WAT-45, INV-08 (d)
    fn restore(&mut self, model: &Model, call: &Call, zxid: i64) -> Result<(), String> {
        let Op::SetWatches {
            relative_zxid: since,
            data,
            exist,
            child,
            persistent,
            recursive,
        } = &call.op
        else {
            return Ok(());
        };
        let mut due = Vec::new();
        for path in data {
            match model.at(path, zxid).map(|node| node.stat().mzxid) {
                None => due.push((EventKind::NodeDeleted, path.clone())),
                Some(mzxid) if mzxid > *since => {
                    due.push((EventKind::NodeDataChanged, path.clone()));
                }
                Some(_) => drop(self.data.insert(path.clone())),
            }
        }
        for path in exist {
            match model.at(path, zxid) {
                Some(_) => due.push((EventKind::NodeCreated, path.clone())),
                None => drop(self.data.insert(path.clone())),
            }
        }
        for path in child {
            match model.at(path, zxid).map(|node| node.stat().pzxid) {
                None => due.push((EventKind::NodeDeleted, path.clone())),
                Some(pzxid) if pzxid > *since => {
                    due.push((EventKind::NodeChildrenChanged, path.clone()));
                }
                Some(_) => drop(self.child.insert(path.clone())),
            }
        }
        self.persistent.extend(persistent.iter().cloned());
        self.recursive.extend(recursive.iter().cloned());
        let mut told = std::mem::take(&mut self.caught_up);
        let key = |it: &Due| (it.0 as i32, it.1.clone());
        due.sort_by_key(key);
        told.sort_by_key(key);
        if due == told {
            Ok(())
        } else {
            Err(format!(
                "restored watches since {since:#x} led to {told:?} and not to {due:?}"
            ))
        }
    }
}
