//! Watches: what callers hold, and the tables that say who hears of an event.

use std::collections::BTreeMap;

use tokio::sync::{mpsc, oneshot};
use zk_proto::watch::{AddWatchMode, EventKind, SetWatches, WatcherType};

use crate::error::Error;

/// Events that may wait for one persistent watcher; the next one ends it.
pub const MAX_WAITING_EVENTS: usize = 1024;

/// Paths of one setWatches request, in bytes: requests must stay below the server's frame limit.
// spec: CP-WAT-45
const MAX_SET_WATCHES_BYTES: usize = 128 << 10;

/// A change of a watched node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub kind: EventKind,
    /// As the caller knows it, below the chroot.
    pub path: String,
}

/// A watch that fires once.
#[derive(Debug)]
pub struct Once(oneshot::Receiver<Event>);

impl Once {
    /// Waits for the event. Reconnections do not disturb it; the session's end does.
    pub async fn wait(self) -> Result<Event, Error> {
        self.0.await.map_err(|_| Error::SessionExpired)
    }
}

/// A watch that stays.
#[derive(Debug)]
pub struct Watcher(mpsc::Receiver<Event>);

impl Watcher {
    /// The next event; none when the watch was removed, the session ended, or more than
    /// [`MAX_WAITING_EVENTS`] were left waiting.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// Which watch a request leaves behind when it succeeds.
#[derive(Debug)]
pub(crate) enum NewWatch {
    Data(oneshot::Sender<Event>),
    /// On the data of a node that exists, else on its creation.
    Exists(oneshot::Sender<Event>),
    Children(oneshot::Sender<Event>),
    Added(AddWatchMode, mpsc::Sender<Event>),
    /// None at all: these are to be forgotten.
    Removed(WatcherType),
}

pub(crate) fn once() -> (oneshot::Sender<Event>, Once) {
    let (sender, receiver) = oneshot::channel();
    (sender, Once(receiver))
}

pub(crate) fn watcher() -> (mpsc::Sender<Event>, Watcher) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING_EVENTS);
    (sender, Watcher(receiver))
}

type OnceTable = BTreeMap<String, Vec<oneshot::Sender<Event>>>;
type Table = BTreeMap<String, Vec<mpsc::Sender<Event>>>;

/// Every watch of a session, by the server's path.
#[derive(Debug, Default)]
pub(crate) struct Watches {
    data: OnceTable,
    exist: OnceTable,
    children: OnceTable,
    persistent: Table,
    recursive: Table,
}

impl Watches {
    /// Keeps the watch of a request that was answered; `missing`: by NoNode.
    // spec: CP-OP-24, CP-WAT-05. exists leaves its watch on a missing node too.
    pub(crate) fn add(&mut self, path: String, watch: NewWatch, missing: bool) {
        match watch {
            NewWatch::Exists(sender) if missing => add_once(&mut self.exist, path, sender),
            NewWatch::Exists(sender) | NewWatch::Data(sender) if !missing => {
                add_once(&mut self.data, path, sender);
            }
            NewWatch::Children(sender) if !missing => add_once(&mut self.children, path, sender),
            NewWatch::Added(mode, sender) if !missing => {
                let table = match mode {
                    AddWatchMode::Persistent => &mut self.persistent,
                    AddWatchMode::PersistentRecursive => &mut self.recursive,
                };
                table.entry(path).or_default().push(sender);
            }
            NewWatch::Removed(which) if !missing => self.remove(&path, which),
            NewWatch::Exists(_)
            | NewWatch::Data(_)
            | NewWatch::Children(_)
            | NewWatch::Added(..)
            | NewWatch::Removed(_) => {}
        }
    }

    /// Forgets what the server was told to forget.
    // spec: CP-WAT-52
    fn remove(&mut self, path: &str, which: WatcherType) {
        let any = which == WatcherType::Any;
        if any || which == WatcherType::Data {
            self.data.remove(path);
            self.exist.remove(path);
        }
        if any || which == WatcherType::Children {
            self.children.remove(path);
        }
        if any || which == WatcherType::Persistent {
            self.persistent.remove(path);
        }
        if any || which == WatcherType::PersistentRecursive {
            self.recursive.remove(path);
        }
    }

    /// Delivers an event on `path`, the server's, to everybody who waits for it.
    // spec: CP-WAT-15..19
    pub(crate) fn fire(&mut self, path: &str, event: &Event) {
        let (data, children, below) = match event.kind {
            EventKind::NodeCreated | EventKind::NodeDataChanged => (true, false, true),
            EventKind::NodeDeleted => (true, true, true),
            EventKind::NodeChildrenChanged => (false, true, false),
            EventKind::None
            | EventKind::DataWatchRemoved
            | EventKind::ChildWatchRemoved
            | EventKind::PersistentWatchRemoved => return,
        };
        if data {
            fire_once(&mut self.data, path, event);
            fire_once(&mut self.exist, path, event);
        }
        if children {
            fire_once(&mut self.children, path, event);
        }
        fire_table(&mut self.persistent, path, event);
        if below {
            for ancestor in with_ancestors(path) {
                fire_table(&mut self.recursive, ancestor, event);
            }
        }
    }

    /// The requests that restore all watches on a new connection.
    // spec: CP-WAT-40..45
    pub(crate) fn restore(&mut self, relative_zxid: i64) -> Vec<SetWatches<'static>> {
        for table in [&mut self.data, &mut self.exist, &mut self.children] {
            table.retain(|_, waiting| waiting.iter().any(|sender| !sender.is_closed()));
        }
        let lists: [Vec<&String>; 5] = [
            self.data.keys().collect(),
            self.exist.keys().collect(),
            self.children.keys().collect(),
            self.persistent.keys().collect(),
            self.recursive.keys().collect(),
        ];
        let mut requests = Vec::new();
        let mut part: [Vec<&str>; 5] = Default::default();
        let mut bytes = 0;
        for (index, list) in lists.iter().enumerate() {
            for path in list {
                if bytes + path.len() > MAX_SET_WATCHES_BYTES && bytes > 0 {
                    requests.push(set_watches(relative_zxid, &std::mem::take(&mut part)));
                    bytes = 0;
                }
                bytes += path.len() + size_of::<i32>();
                if let Some(part) = part.get_mut(index) {
                    part.push(path);
                }
            }
        }
        if bytes > 0 {
            requests.push(set_watches(relative_zxid, &part));
        }
        requests
    }
}

fn set_watches(relative_zxid: i64, lists: &[Vec<&str>; 5]) -> SetWatches<'static> {
    let [data, exist, child, persistent, recursive] =
        lists.each_ref().map(|list| list.iter().collect());
    SetWatches {
        relative_zxid,
        data,
        exist,
        child,
        persistent,
        recursive,
    }
}

/// Senders that nobody listens to any more go at the next registration, so that watching
/// one path again and again does not grow the table.
fn add_once(table: &mut OnceTable, path: String, sender: oneshot::Sender<Event>) {
    let waiting = table.entry(path).or_default();
    waiting.retain(|sender| !sender.is_closed());
    waiting.push(sender);
}

fn fire_once(table: &mut OnceTable, path: &str, event: &Event) {
    for sender in table.remove(path).unwrap_or_default() {
        // A caller that no longer waits misses nothing.
        let _nobody = sender.send(event.clone());
    }
}

/// A watcher that is gone, or too slow to keep up, leaves the table; its stream ends.
fn fire_table(table: &mut Table, path: &str, event: &Event) {
    let Some(watchers) = table.get_mut(path) else {
        return;
    };
    watchers.retain(|watcher| watcher.try_send(event.clone()).is_ok());
    if watchers.is_empty() {
        table.remove(path);
    }
}

/// The path itself, then each path above it, the root last.
fn with_ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| match path.rfind('/') {
        Some(0) if path.len() > 1 => Some("/"),
        Some(0) | None => None,
        Some(at) => path.get(..at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, path: &str) -> Event {
        Event {
            kind,
            path: path.to_owned(),
        }
    }

    #[test]
    fn ancestors_end_with_the_root() {
        let all: Vec<_> = with_ancestors("/a/b").collect();
        assert_eq!(all, ["/a/b", "/a", "/"]);
        assert_eq!(with_ancestors("/").collect::<Vec<_>>(), ["/"]);
    }

    // spec: CP-WAT-15, CP-WAT-16, CP-WAT-17, CP-OP-24
    #[test]
    fn one_time_watches_fire_once_for_their_kind() {
        let mut watches = Watches::default();
        let (data, mut on_data) = once();
        let (children, mut on_children) = once();
        let (missing, mut on_missing) = once();
        watches.add("/a".into(), NewWatch::Data(data), false);
        watches.add("/a".into(), NewWatch::Children(children), false);
        watches.add("/b".into(), NewWatch::Exists(missing), true);
        let changed = event(EventKind::NodeDataChanged, "/a");
        watches.fire("/a", &changed);
        assert_eq!(on_data.0.try_recv(), Ok(changed));
        assert!(on_children.0.try_recv().is_err());
        let gone = event(EventKind::NodeDeleted, "/a");
        watches.fire("/a", &gone);
        assert_eq!(on_children.0.try_recv(), Ok(gone));
        let created = event(EventKind::NodeCreated, "/b");
        watches.fire("/b", &created);
        assert_eq!(on_missing.0.try_recv(), Ok(created));
        assert!(watches.restore(0).is_empty());
    }

    // spec: CP-WAT-18, CP-WAT-19
    #[test]
    fn watches_that_stay_hear_again_and_again() {
        let mut watches = Watches::default();
        let (persistent, mut on_path) = watcher();
        let (recursive, mut on_tree) = watcher();
        watches.add(
            "/a".into(),
            NewWatch::Added(AddWatchMode::Persistent, persistent),
            false,
        );
        let mode = AddWatchMode::PersistentRecursive;
        watches.add("/".into(), NewWatch::Added(mode, recursive), false);
        for kind in [EventKind::NodeDataChanged, EventKind::NodeChildrenChanged] {
            watches.fire("/a", &event(kind, "/a"));
        }
        watches.fire("/a/b", &event(EventKind::NodeCreated, "/a/b"));
        let heard = |watcher: &mut Watcher| {
            std::iter::from_fn(|| watcher.0.try_recv().ok())
                .map(|event| event.kind)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            heard(&mut on_path),
            [EventKind::NodeDataChanged, EventKind::NodeChildrenChanged]
        );
        assert_eq!(
            heard(&mut on_tree),
            [EventKind::NodeDataChanged, EventKind::NodeCreated]
        );
        watches.remove("/a", WatcherType::Any);
        assert_eq!(
            on_path.0.try_recv(),
            Err(mpsc::error::TryRecvError::Disconnected)
        );
    }

    #[test]
    fn a_slow_watcher_is_ended_and_not_fed_for_ever() {
        let mut watches = Watches::default();
        let (sender, mut slow) = watcher();
        watches.add(
            "/a".into(),
            NewWatch::Added(AddWatchMode::Persistent, sender),
            false,
        );
        for _ in 0..MAX_WAITING_EVENTS + 5 {
            watches.fire("/a", &event(EventKind::NodeDataChanged, "/a"));
        }
        let mut waiting = 0;
        while slow.0.try_recv().is_ok() {
            waiting += 1;
        }
        assert_eq!(waiting, MAX_WAITING_EVENTS);
        assert_eq!(
            slow.0.try_recv(),
            Err(mpsc::error::TryRecvError::Disconnected)
        );
    }

    // spec: CP-WAT-45, FT-LOAD-05
    #[test]
    fn restoring_many_watches_takes_several_requests() {
        let mut watches = Watches::default();
        let mut kept = Vec::new();
        for n in 0..3000 {
            let (sender, receiver) = once();
            kept.push(receiver);
            watches.add(format!("/{n:0>99}"), NewWatch::Data(sender), false);
        }
        let (dropped, _) = once();
        watches.add("/dropped".into(), NewWatch::Children(dropped), false);
        let requests = watches.restore(7);
        assert_eq!(requests.len(), 3);
        let paths: usize = requests.iter().map(|request| request.data.len()).sum();
        assert_eq!(paths, 3000);
        assert!(
            requests
                .iter()
                .all(|request| request.relative_zxid == 7 && request.child.is_empty())
        );
    }
}
