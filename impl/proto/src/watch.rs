//! Watch events and the lists that restore watches.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::jute::{Put, Reader, Strings};

/// What happened to a watched path, as `WatcherEvent.type` has it.
// spec: CP-WAT-30
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // ZooKeeper's names
#[repr(i32)]
pub enum EventKind {
    None = -1,
    NodeCreated = 1,
    NodeDeleted = 2,
    NodeDataChanged = 3,
    NodeChildrenChanged = 4,
    DataWatchRemoved = 5,
    ChildWatchRemoved = 6,
    PersistentWatchRemoved = 7,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [EventKind; 8] = [
        Self::None,
        Self::NodeCreated,
        Self::NodeDeleted,
        Self::NodeDataChanged,
        Self::NodeChildrenChanged,
        Self::DataWatchRemoved,
        Self::ChildWatchRemoved,
        Self::PersistentWatchRemoved,
    ];

    /// The number on the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The kind with this number, if there is one.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// `WatcherEvent.state` of every event that a server sends: connected.
pub const STATE_SYNC_CONNECTED: i32 = 3;

/// `type:i32, state:i32, path:ustring`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatcherEvent<'a> {
    /// See [`EventKind`].
    pub kind: i32,
    /// [`STATE_SYNC_CONNECTED`]
    pub state: i32,
    /// The znode.
    pub path: Cow<'a, str>,
}

impl<'a> WatcherEvent<'a> {
    /// An event as servers send it.
    pub fn new(kind: EventKind, path: &'a str) -> Self {
        Self {
            kind: kind.code(),
            state: STATE_SYNC_CONNECTED,
            path: Cow::Borrowed(path),
        }
    }

    /// Reads the record.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            kind: reader.int()?,
            state: reader.int()?,
            path: reader.string("path")?,
        })
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_int(self.kind);
        out.put_int(self.state);
        out.put_string(&self.path);
    }
}

/// Watches to restore on a new connection, with the newest zxid that the client has seen.
/// setWatches fills the first three lists, setWatches2 all five.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct SetWatches<'a> {
    /// Changes after this zxid are sent as events at once.
    pub relative_zxid: i64,
    /// Watches on data of znodes that existed.
    pub data: Strings<'a>,
    /// Watches on paths that did not exist.
    pub exist: Strings<'a>,
    /// Watches on lists of children.
    pub child: Strings<'a>,
    /// Persistent watches.
    pub persistent: Strings<'a>,
    /// Persistent recursive watches.
    pub recursive: Strings<'a>,
}

impl<'a> SetWatches<'a> {
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        with_persistent: bool,
    ) -> Result<Self, DecodeError> {
        let mut this = Self {
            relative_zxid: reader.long()?,
            data: list(reader)?,
            exist: list(reader)?,
            child: list(reader)?,
            ..Self::default()
        };
        if with_persistent {
            this.persistent = list(reader)?;
            this.recursive = list(reader)?;
        }
        Ok(this)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>, with_persistent: bool) {
        out.put_long(self.relative_zxid);
        self.data.write(out);
        self.exist.write(out);
        self.child.write(out);
        if with_persistent {
            self.persistent.write(out);
            self.recursive.write(out);
        }
    }
}

/// spec: CP-WAT-45. A missing list is a marshalling error.
fn list<'a>(reader: &mut Reader<'a>) -> Result<Strings<'a>, DecodeError> {
    Strings::read_or_null(reader)?.ok_or(DecodeError::Null("watches"))
}

/// addWatch's `mode`.
// spec: CP-OP-32
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // ZooKeeper's names
#[repr(i32)]
pub enum AddWatchMode {
    Persistent = 0,
    PersistentRecursive = 1,
}

impl AddWatchMode {
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The mode with this number, if there is one.
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::Persistent),
            1 => Some(Self::PersistentRecursive),
            _ => None,
        }
    }
}

/// The `type` of checkWatches and removeWatches: which watches of a path are meant.
// spec: CP-WAT-50
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
    /// The number on the wire.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// The type with this number, if there is one.
    pub const fn from_code(code: i32) -> Option<Self> {
        match code {
            1 => Some(Self::Children),
            2 => Some(Self::Data),
            3 => Some(Self::Any),
            4 => Some(Self::Persistent),
            5 => Some(Self::PersistentRecursive),
            _ => None,
        }
    }
}
