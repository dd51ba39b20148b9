//! Bugs that can be put back, so that the simulator shows that it would find them. Only the feature `mutants` can
//! switch one on, and no server is built with it.
// spec: faults.md 8

/// A bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// MU-01: a write is reported durable before its sync.
    AckBeforeFsync,
    /// MU-03: an epoch is promised and not written down.
    ForgottenEpoch,
    /// MU-10: a session that is closing still creates an ephemeral.
    EphemeralWhileClosing,
    /// MU-13: a leader answers a sync without asking whether it still leads.
    SyncOfDeposedLeader,
    /// MU-15: a client that has seen more than the server is let in.
    ServerBehindClient,
    /// A session writes over the connection that it has moved away from.
    MoveWithoutFencing,
}

/// Which bug is put back: none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bugs {
    #[cfg(feature = "mutants")]
    on: Option<Bug>,
}

#[cfg(feature = "mutants")]
impl Bugs {
    #[must_use]
    pub fn with(bug: Bug) -> Self {
        Self { on: Some(bug) }
    }

    pub(crate) fn has(self, bug: Bug) -> bool {
        self.on == Some(bug)
    }
}

#[cfg(not(feature = "mutants"))]
impl Bugs {
    pub(crate) const fn has(self, _: Bug) -> bool {
        false
    }
}
