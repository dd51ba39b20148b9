//! The kinds of znode that a create may ask for.

/// The `flags` of a create.
// spec: CP-OP-20
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // ZooKeeper's names
#[repr(i32)]
pub enum CreateMode {
    Persistent = 0,
    Ephemeral = 1,
    PersistentSequential = 2,
    EphemeralSequential = 3,
    Container = 4,
    PersistentWithTtl = 5,
    PersistentSequentialWithTtl = 6,
}

impl CreateMode {
    /// Every mode, by number.
    pub const ALL: [CreateMode; 7] = [
        Self::Persistent,
        Self::Ephemeral,
        Self::PersistentSequential,
        Self::EphemeralSequential,
        Self::Container,
        Self::PersistentWithTtl,
        Self::PersistentSequentialWithTtl,
    ];

    /// The number on the wire.
    pub const fn flags(self) -> i32 {
        self as i32
    }

    /// The mode with this number, if there is one.
    pub fn from_flags(flags: i32) -> Option<Self> {
        usize::try_from(flags)
            .ok()
            .and_then(|index| Self::ALL.get(index).copied())
    }

    /// The znode goes with its session.
    pub const fn is_ephemeral(self) -> bool {
        matches!(self, Self::Ephemeral | Self::EphemeralSequential)
    }

    /// The server appends a number to the name.
    pub const fn is_sequential(self) -> bool {
        matches!(
            self,
            Self::PersistentSequential
                | Self::EphemeralSequential
                | Self::PersistentSequentialWithTtl
        )
    }

    /// The znode goes when it is unused for longer than its time to live.
    pub const fn is_ttl(self) -> bool {
        matches!(
            self,
            Self::PersistentWithTtl | Self::PersistentSequentialWithTtl
        )
    }

    /// The znode goes once its last child is gone.
    pub const fn is_container(self) -> bool {
        matches!(self, Self::Container)
    }
}
