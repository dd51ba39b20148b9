//! Watches as a plain list.

use zk_proto::watch::EventKind;
use zk_tree::{WatchKind, WatcherType};

use crate::naive::{Change, Naive};

#[derive(Debug, Default)]
pub(crate) struct NaiveWatches {
    pub(crate) list: Vec<(u64, String, WatchKind)>,
}

impl NaiveWatches {
    pub(crate) fn add(&mut self, connection: u64, path: &str, kind: WatchKind) {
        let watch = (connection, path.to_string(), kind);
        if !self.list.contains(&watch) {
            self.list.push(watch);
        }
    }

    // spec: CP-WAT-53
    pub(crate) fn contains(&self, connection: u64, path: &str, which: WatcherType) -> bool {
        self.list
            .iter()
            .any(|watch| watch.0 == connection && watch.1 == path && is(watch.2, which))
    }

    // spec: CP-WAT-52
    pub(crate) fn remove(&mut self, connection: u64, path: &str, which: WatcherType) -> bool {
        let before = self.list.len();
        self.list
            .retain(|watch| !(watch.0 == connection && watch.1 == path && is(watch.2, which)));
        self.list.len() < before
    }

    /// The events of a change as (connection, kind, path), in the order of the trigger table.
    // spec: CP-WAT-10, CP-WAT-11, CP-WAT-12, CP-WAT-14
    pub(crate) fn fire(&mut self, change: &Change) -> Vec<(u64, EventKind, String)> {
        let mut events = Vec::new();
        self.look_up(WatchKind::Data, &change.path, change.kind, &mut events);
        if change.kind == EventKind::NodeDeleted {
            self.look_up(WatchKind::Child, &change.path, change.kind, &mut events);
        }
        if change.parent_acl.is_some() {
            let parent = match change.path.rfind('/') {
                Some(0) | None => "/",
                Some(slash) => &change.path[..slash],
            };
            self.look_up(
                WatchKind::Child,
                parent,
                EventKind::NodeChildrenChanged,
                &mut events,
            );
        }
        events
    }

    fn look_up(
        &mut self,
        once: WatchKind,
        path: &str,
        kind: EventKind,
        events: &mut Vec<(u64, EventKind, String)>,
    ) {
        let found = |watch: &(u64, String, WatchKind)| match watch.2 {
            WatchKind::Data | WatchKind::Child => watch.2 == once && watch.1 == path,
            WatchKind::Persistent => watch.1 == path,
            WatchKind::Recursive => {
                let below = watch.1 == "/" || path.starts_with(&format!("{}/", watch.1));
                kind != EventKind::NodeChildrenChanged
                    && (watch.1 == path || (below && !watch.1.is_empty()))
            }
        };
        for watch in self.list.iter().filter(|watch| found(watch)) {
            let event = (watch.0, kind, path.to_string());
            if !events.contains(&event) {
                events.push(event);
            }
        }
        self.list
            .retain(|watch| !(watch.2 == once && watch.1 == path));
    }

    // spec: CP-WAT-40, CP-WAT-41, CP-WAT-42, CP-WAT-43, CP-WAT-44
    pub(crate) fn restore(
        &mut self,
        tree: &Naive,
        connection: u64,
        since: i64,
        lists: &[Vec<&str>; 5],
    ) -> Vec<(EventKind, String)> {
        let mut events = Vec::new();
        for (list, paths) in lists.iter().enumerate() {
            for path in paths {
                let node = tree.nodes.get(if path.is_empty() { "/" } else { path });
                let event = match (list, node) {
                    (0 | 2, None) => Some(EventKind::NodeDeleted),
                    (0, Some(node)) if node.mzxid > since => Some(EventKind::NodeDataChanged),
                    (1, Some(_)) => Some(EventKind::NodeCreated),
                    (2, Some(node)) if node.pzxid > since => Some(EventKind::NodeChildrenChanged),
                    _ => None,
                };
                match event {
                    Some(kind) => events.push((kind, path.to_string())),
                    None => self.add(connection, path, kind_of(list)),
                }
            }
        }
        events
    }
}

fn kind_of(list: usize) -> WatchKind {
    [
        WatchKind::Data,
        WatchKind::Data,
        WatchKind::Child,
        WatchKind::Persistent,
        WatchKind::Recursive,
    ][list]
}

fn is(kind: WatchKind, which: WatcherType) -> bool {
    match which {
        WatcherType::Any => true,
        WatcherType::Data => kind == WatchKind::Data,
        WatcherType::Children => kind == WatchKind::Child,
        WatcherType::Persistent => kind == WatchKind::Persistent,
        WatcherType::PersistentRecursive => kind == WatchKind::Recursive,
    }
}
