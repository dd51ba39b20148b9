//! Identities and their order. All are signed as on the wire, because
//! ZooKeeper compares them signed (quorum-protocol QP-FLE-10).

use core::fmt;

macro_rules! newtype {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    };
}

macro_rules! decimal {
    ($name:ident, $prefix:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

newtype! {
    /// A server's `myid`: 0 to 254 for members (spec: QP-CFG-01), negative for
    /// anonymous learners.
    ServerId(i64)
}
newtype! {
    /// An epoch: the high half of a zxid, and the content of the two epoch files.
    Epoch(i64)
}
newtype! {
    /// A transaction id: epoch in the high 32 bits, counter in the low ones.
    Zxid(i64)
}
newtype! {
    /// The election's logical clock.
    Round(i64)
}
newtype! {
    /// One learner connection. Chosen by the host, never used twice in a
    /// process, so whatever comes late on an old link matches nothing.
    LinkId(u64)
}
newtype! {
    /// One disk write. Chosen by the core, rising, never used twice in a process.
    WriteId(u64)
}
newtype! {
    /// One question whether this leader still leads. Chosen by the host.
    ReadId(u64)
}
newtype! {
    /// A duration in the host's steps (10 ms in the server).
    Ticks(u32)
}

decimal!(ServerId, "");
decimal!(Epoch, "");
decimal!(Round, "");
decimal!(LinkId, "l");
decimal!(WriteId, "w");
decimal!(ReadId, "r");
decimal!(Ticks, "");

impl fmt::Display for Zxid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:x}", self.0)
    }
}

impl ServerId {
    /// The leader named by the vote of a server that has no vote (spec: QP-FLE-05).
    pub const NONE: Self = Self(i64::MIN);
}

impl Epoch {
    /// Before any leader.
    pub const ZERO: Self = Self(0);
    /// The epoch in an observer's vote (spec: QP-FLE-05).
    pub const NONE: Self = Self(i64::MIN);
    /// The last epoch a zxid can hold without turning negative.
    pub const MAX: Self = Self(i32::MAX as i64);

    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The zxid of NEWLEADER in this epoch: counter 0, which no txn has.
    #[must_use]
    pub const fn start(self) -> Zxid {
        Zxid(self.0 << 32)
    }
}

impl Zxid {
    /// The empty history.
    pub const ZERO: Self = Self(0);
    /// An empty directory that nobody vouches for (spec: DF-REC-05).
    pub const UNTRUSTED: Self = Self(-1);
    /// The zxid in an observer's vote (spec: QP-FLE-05).
    pub const NONE: Self = Self(i64::MIN);

    /// The zxid of a counter within an epoch.
    #[must_use]
    pub const fn new(epoch: Epoch, counter: u32) -> Self {
        Self((epoch.0 << 32) | counter as i64)
    }

    /// The high half, sign kept.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 >> 32)
    }

    /// The low half.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the low half"
    )]
    pub const fn counter(self) -> u32 {
        self.0 as u32
    }

    /// Whether `next` may follow `self` in a history: the next counter, or the
    /// first one of a later epoch.
    // spec: QP-BC-09.
    #[must_use]
    pub const fn precedes(self, next: Self) -> bool {
        if next.epoch().0 == self.epoch().0 {
            self.counter().checked_add(1).is_some()
                && next.counter() == self.counter().wrapping_add(1)
        } else {
            next.epoch().0 > self.epoch().0 && next.counter() == 1
        }
    }
}

impl Round {
    /// The round after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl WriteId {
    /// The write after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use quickcheck::quickcheck;

    use super::*;

    quickcheck! {
        fn a_zxid_is_its_epoch_and_counter(epoch: i32, counter: u32) -> bool {
            let zxid = Zxid::new(Epoch(epoch.into()), counter);
            zxid.epoch() == Epoch(epoch.into()) && zxid.counter() == counter
        }

        // spec: QP-BC-09.
        fn nothing_lies_between_a_zxid_and_its_successor(a: i64, b: i64) -> bool {
            let (a, b) = (Zxid(a), Zxid(b));
            !a.precedes(b) || (a < b && (b.epoch() > a.epoch() || b.counter() - a.counter() == 1))
        }
    }

    // spec: QP-BC-09. A carry out of the counter is no successor.
    #[test]
    fn successors() {
        let zxid = |epoch, counter| Zxid::new(Epoch(epoch), counter);
        assert!(zxid(1, 1).precedes(zxid(1, 2)));
        assert!(!zxid(1, 1).precedes(zxid(1, 3)));
        assert!(!zxid(1, 1).precedes(zxid(1, 1)));
        assert!(zxid(1, 7).precedes(zxid(3, 1)));
        assert!(!zxid(1, 7).precedes(zxid(3, 2)));
        assert!(!zxid(1, u32::MAX).precedes(zxid(2, 0)));
        assert!(Zxid::ZERO.precedes(zxid(0, 1)));
        assert!(zxid(2, 0).precedes(zxid(2, 1)));
    }

    #[test]
    fn zxids_print_in_hex() {
        assert_eq!(Zxid::new(Epoch(5), 1).to_string(), "0x500000001");
    }
}
