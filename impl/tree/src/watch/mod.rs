//! Who waits for which change.
//!
//! Kept apart from the tree, so that a server can lock the two apart: registering a watch needs the tree only for
//! reading. A watch belongs to a connection of this server and to nothing else.

mod table;

use alloc::vec::Vec;

use zk_proto::watch::{EventKind, SetWatches};
use zk_proto::{ErrorCode, Request};

use crate::apply::{Change, Trigger};
use crate::mutant::Mutant;
use crate::path;
use crate::store::acls::AclRef;
use crate::tree::Tree;
use table::{Bits, Table};

/// A connection, as its host numbers it.
pub type ConnectionId = u64;

/// What a watch waits for, and how long.
// spec: CP-WAT-02, CP-WAT-06
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WatchKind {
    /// The next change of a znode's data or existence: exists, getData.
    Data,
    /// The next change of a znode's children: getChildren.
    Child,
    /// Every change of both kinds.
    Persistent,
    /// Every change of a znode and all below it, but for lists of children.
    Recursive,
}

impl WatchKind {
    /// The kind that addWatch's mode names.
    // spec: CP-OP-32
    pub fn from_mode(mode: i32) -> Option<Self> {
        match mode {
            0 => Some(Self::Persistent),
            1 => Some(Self::Recursive),
            _ if Mutant::AnyModeIsRecursive.acts() => Some(Self::Recursive),
            _ => None,
        }
    }

    fn bits(self) -> Bits {
        match self {
            Self::Data => Bits::DATA,
            Self::Child => Bits::CHILD,
            Self::Persistent => Bits::PERSISTENT,
            Self::Recursive => Bits::RECURSIVE,
        }
    }
}

/// Which watches checkWatches and removeWatches mean.
// spec: CP-WAT-50, CP-WAT-52, CP-WAT-53
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // ZooKeeper's names
#[repr(i32)]
pub enum WatcherType {
    Children = 1,
    Data = 2,
    Any = 3,
    Persistent = 4,
    PersistentRecursive = 5,
}

impl WatcherType {
    /// The type with this number, if there is one.
    pub fn from_code(code: i32) -> Option<Self> {
        let all = [
            Self::Children,
            Self::Data,
            Self::Any,
            Self::Persistent,
            Self::PersistentRecursive,
        ];
        let known = all.into_iter().find(|kind| *kind as i32 == code);
        known.or(Mutant::AnyTypeIsAny.acts().then_some(Self::Any))
    }

    fn bits(self) -> Bits {
        match self {
            Self::Children => Bits::CHILD,
            Self::Data => Bits::DATA,
            Self::Any if Mutant::RemoveAnyLeavesRecursive.acts() => {
                Bits::DATA.with(Bits::CHILD).with(Bits::PERSISTENT)
            }
            Self::Any => Bits::ALL,
            Self::Persistent => Bits::PERSISTENT,
            Self::PersistentRecursive => Bits::RECURSIVE,
        }
    }
}

/// The watch that a read leaves, given how it was answered.
// spec: CP-WAT-05, CP-PRE-15, CP-PRE-16, CP-MUL-12
pub fn wanted<'r>(
    request: &'r Request<'_>,
    answer: Result<(), ErrorCode>,
) -> Option<(&'r str, WatchKind)> {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the reads that may watch are named"
    )]
    let (read, kind) = match request {
        Request::Exists(read) | Request::GetData(read) => (read, WatchKind::Data),
        Request::GetChildren(read) | Request::GetChildren2(read) => (read, WatchKind::Child),
        _ => return None,
    };
    let missing = matches!(request, Request::Exists(_))
        && answer == Err(ErrorCode::NoNode)
        && !Mutant::ExistsWatchNeedsZnode.acts();
    let leaves = answer.is_ok() || missing || Mutant::FailedReadWatches.acts();
    (read.watch && leaves).then_some((&*read.path, kind))
}

/// An event for some connections. Each of them may get it only if its ids may read `acl`.
// spec: CP-WAT-20
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// As the wire has it.
    pub kind: EventKind,
    /// The znode.
    pub path: &'a str,
    /// Who may know.
    pub acl: &'a AclRef,
}

/// Connections of one event for which memory is kept.
const KEPT: usize = 1024;

/// All watches of a server.
#[derive(Debug, Default)]
pub struct Watches {
    table: Table,
    /// Kept between calls for its memory.
    found: Vec<ConnectionId>,
}

impl Watches {
    /// Nobody waits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Leaves a watch. Once is as good as twice; the kinds do not replace each other.
    // spec: CP-WAT-03, CP-WAT-07, CP-WAT-08, CP-WAT-21
    pub fn add(&mut self, connection: ConnectionId, path: &str, kind: WatchKind) {
        self.table.add(connection, path, kind.bits());
    }

    /// Has the connection such a watch on exactly this path?
    // spec: CP-WAT-53, CP-WAT-54, CP-OP-31
    pub fn contains(&self, connection: ConnectionId, path: &str, which: WatcherType) -> bool {
        self.table.get(connection, path).intersects(which.bits())
            || Mutant::CheckSeesOthers.acts() && self.by_path().any(|(watched, _)| watched == path)
    }

    /// Removes such watches of the connection on exactly this path; false if there were none.
    // spec: CP-WAT-51, CP-WAT-52, CP-WAT-55, CP-OP-31. As 3.9 has it.
    pub fn remove(&mut self, connection: ConnectionId, path: &str, which: WatcherType) -> bool {
        if Mutant::RemoveRemovesNothing.acts() {
            return self.contains(connection, path, which);
        }
        self.table.remove(connection, path, which.bits()) || Mutant::RemoveAlwaysSucceeds.acts()
    }

    /// Forgets a connection, in time proportional to its watches.
    // spec: CP-WAT-01
    pub fn remove_connection(&mut self, connection: ConnectionId) {
        self.table.remove_connection(connection);
    }

    /// Finds who waits for a change; `each` gets every event once, with all connections that it is for.
    // spec: CP-WAT-10, CP-WAT-11, CP-WAT-12, CP-WAT-14, CP-WAT-15, CP-WAT-16, CP-WAT-17, CP-WAT-18, CP-WAT-19
    // spec: CP-WAT-35. A one-shot watch is gone with its event; the persistent kinds stay.
    pub fn trigger(
        &mut self,
        trigger: &Trigger<'_>,
        mut each: impl FnMut(Event<'_>, &[ConnectionId]),
    ) {
        if self.table.is_empty() {
            return;
        }
        let (kind, mut matching) = match trigger.change {
            Change::Created => (EventKind::NodeCreated, Bits::DATA),
            Change::Deleted if Mutant::DeleteHidesFromChildWatch.acts() => {
                (EventKind::NodeDeleted, Bits::DATA)
            }
            // One event, though both tables are asked: who is found in the first is left out of the second.
            Change::Deleted => (EventKind::NodeDeleted, Bits::DATA.with(Bits::CHILD)),
            Change::DataChanged if Mutant::DataToldToChildWatch.acts() => {
                (EventKind::NodeDataChanged, Bits::DATA.with(Bits::CHILD))
            }
            Change::DataChanged => (EventKind::NodeDataChanged, Bits::DATA),
        };
        matching = matching.with(Bits::PERSISTENT).with(Bits::RECURSIVE);
        let (path, acl) = (&*trigger.path, &trigger.acl);
        if Mutant::DeleteToldTwice.acts() && matches!(trigger.change, Change::Deleted) {
            self.table.fire(path, Bits::CHILD, &mut self.found);
            self.emit(Event { kind, path, acl }, &mut each);
        }
        if Mutant::KindsToldApart.acts() {
            self.table
                .fire(path, matching.common(Bits::ONCE), &mut self.found);
            self.emit(Event { kind, path, acl }, &mut each);
        }
        self.table.fire(path, matching, &mut self.found);
        if Mutant::ChildDataToldToChildWatch.acts() && matches!(trigger.change, Change::DataChanged)
        {
            let (kind, path) = (EventKind::NodeChildrenChanged, path::parent_shown(path));
            let mut found = Vec::new();
            self.table.fire(path, Bits::CHILD, &mut found);
            if !found.is_empty() {
                each(Event { kind, path, acl }, &found);
            }
        }
        if !Mutant::RecursivePathOfWatch.acts() {
            self.find_above(path);
        }
        self.emit(Event { kind, path, acl }, &mut each);
        if Mutant::RecursivePathOfWatch.acts() {
            self.tell_above(Event { kind, path, acl }, &mut each);
        }
        if Mutant::DeleteHidesFromParent.acts() && matches!(trigger.change, Change::Deleted) {
            return;
        }
        if let Some(acl) = &trigger.parent_acl {
            let (kind, path) = (EventKind::NodeChildrenChanged, path::parent_shown(path));
            if Mutant::ChildWatchSeesBelow.acts() {
                let path = path::parent_shown(path);
                self.table.fire(path, Bits::CHILD, &mut self.found);
                self.emit(Event { kind, path, acl }, &mut each);
            }
            let matching = if Mutant::DataWatchSeesChildren.acts() {
                Bits::CHILD.with(Bits::PERSISTENT).with(Bits::DATA)
            } else if Mutant::RecursiveTellsChildren.acts() {
                Bits::CHILD.with(Bits::PERSISTENT).with(Bits::RECURSIVE)
            } else if Mutant::PersistentIgnoresChildren.acts() {
                Bits::CHILD
            } else {
                Bits::CHILD.with(Bits::PERSISTENT)
            };
            self.table.fire(path, matching, &mut self.found);
            self.emit(Event { kind, path, acl }, &mut each);
        }
    }

    /// Restores a client's watches; `each` gets the events that it missed, which must go out before the reply.
    // spec: CP-WAT-40, CP-WAT-41, CP-WAT-42, CP-WAT-43, CP-WAT-44, CP-WAT-45, CP-WAT-46, CP-OP-39
    pub fn restore(
        &mut self,
        tree: &Tree,
        connection: ConnectionId,
        asked: &SetWatches<'_>,
        mut each: impl FnMut(EventKind, &str),
    ) {
        let mut each = |kind, path: &str| {
            let hidden = Mutant::NoCatchUp.acts()
                || kind == EventKind::NodeCreated && Mutant::CatchUpWithoutCreated.acts();
            if !hidden {
                each(kind, path);
            }
        };
        let zxids = |path: &str| tree.stat(path).map(|stat| (stat.mzxid, stat.pzxid));
        for path in asked.data.iter() {
            match zxids(&path) {
                None => each(EventKind::NodeDeleted, &path),
                Some((mzxid, _)) if mzxid > asked.relative_zxid => {
                    each(EventKind::NodeDataChanged, &path)
                }
                Some(_) => self.add(connection, &path, WatchKind::Data),
            }
        }
        for path in asked.exist.iter() {
            match zxids(&path) {
                None => self.add(connection, &path, WatchKind::Data),
                Some(_) => each(EventKind::NodeCreated, &path),
            }
        }
        for path in asked.child.iter() {
            match zxids(&path) {
                None => each(EventKind::NodeDeleted, &path),
                Some((_, pzxid)) if pzxid > asked.relative_zxid => {
                    each(EventKind::NodeChildrenChanged, &path)
                }
                Some(_) => self.add(connection, &path, WatchKind::Child),
            }
        }
        if Mutant::PersistentNotRestored.acts() {
            return;
        }
        for path in asked.persistent.iter() {
            self.add(connection, &path, WatchKind::Persistent);
        }
        for path in asked.recursive.iter() {
            self.add(connection, &path, WatchKind::Recursive);
        }
    }

    /// Sizes for operators.
    pub fn counts(&self) -> Counts {
        self.table.counts()
    }

    /// Connections with the paths that they watch in the data table, by id.
    // spec: CP-FLW-21
    pub fn by_connection(
        &self,
    ) -> impl Iterator<Item = (ConnectionId, impl Iterator<Item = &str>)> {
        self.table.by_connection()
    }

    /// Paths with the connections that watch them in the data table.
    // spec: CP-FLW-22
    pub fn by_path(&self) -> impl Iterator<Item = (&str, impl Iterator<Item = ConnectionId>)> {
        self.table.by_path()
    }

    fn emit(&mut self, event: Event<'_>, each: &mut impl FnMut(Event<'_>, &[ConnectionId])) {
        if Mutant::OneWatcherIsTold.acts() {
            self.found.truncate(1);
        }
        if !self.found.is_empty() {
            each(event, &self.found);
            self.found.clear();
            self.found.shrink_to(KEPT);
        }
    }

    /// Tells those who watch recursively from above with the paths of their watches.
    fn tell_above(&mut self, event: Event<'_>, each: &mut impl FnMut(Event<'_>, &[ConnectionId])) {
        let mut above = event.path;
        while above.len() > 1 {
            above = path::parent_shown(above);
            self.table.fire(above, Bits::RECURSIVE, &mut self.found);
            self.emit(
                Event {
                    path: above,
                    ..event
                },
                each,
            );
        }
    }

    /// Adds those who watch recursively from above. A connection that is found twice stays once.
    // spec: CP-WAT-14, CP-WAT-19
    fn find_above(&mut self, path: &str) {
        let before = self.found.len();
        let mut above = path;
        let wide = Mutant::PersistentIsRecursive.acts();
        let matching = if wide {
            Bits::RECURSIVE.with(Bits::PERSISTENT)
        } else {
            Bits::RECURSIVE
        };
        while (self.table.has_recursive() || wide) && above.len() > 1 {
            above = path::parent_shown(above);
            self.table.fire(above, matching, &mut self.found);
            if Mutant::RecursiveOneLevel.acts() {
                break;
            }
        }
        if self.found.len() > before {
            self.found.sort_unstable();
            self.found.dedup();
        }
    }
}

/// How many watches there are.
// spec: CP-FLW-20
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Entries of both tables.
    pub watches: usize,
    /// Entries of the data table.
    pub data_watches: usize,
    /// Connections with an entry in the data table.
    pub data_connections: usize,
    /// Paths with an entry in the data table.
    pub data_paths: usize,
}

#[cfg(test)]
mod tests;
