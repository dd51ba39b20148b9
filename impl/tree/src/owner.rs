//! What an `ephemeralOwner` means.

use crate::mutant::Mutant;
use crate::settings::Settings;

/// The owner of every container.
// spec: CP-EPH-10
pub const CONTAINER: i64 = i64::MIN;
/// The greatest time to live, ms.
// spec: CP-EPH-11
pub const MAX_TTL_MS: i64 = (1 << 40) - 1;

const EXTENDED: u64 = 0xff << 56;
const FEATURE: u64 = 0xffff << 40;

/// How long a znode lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Until it is deleted.
    Persistent,
    /// As long as this session.
    Ephemeral(i64),
    /// Until its last child is gone.
    Container,
    /// Until it has had no child and no new data for this time, ms.
    Ttl(i64),
}

impl Kind {
    /// What `owner` means under these settings.
    // spec: CP-EPH-10, CP-EPH-11, CP-EPH-13, DF-BODY-08
    pub fn of(owner: i64, settings: &Settings) -> Self {
        let bits = owner.cast_unsigned();
        match owner {
            0 => Self::Persistent,
            CONTAINER => Self::Container,
            // spec: CP-EPH-13. The older form: the sign bit, then 60 bits of time.
            ..0 if settings.extended_types
                && settings.emulate_353_ttl_nodes
                && bits & EXTENDED != EXTENDED =>
            {
                Self::Ttl(owner & ((1 << 60) - 1))
            }
            _ if settings.extended_types && bits & EXTENDED == EXTENDED && bits & FEATURE == 0 => {
                Self::Ttl(owner & MAX_TTL_MS)
            }
            // spec: CP-TREE-12. Also what other features' owners are read as, instead of failing on them.
            session => Self::Ephemeral(session),
        }
    }

    /// The owner that is stored.
    pub fn owner(self) -> i64 {
        match self {
            Self::Persistent => 0,
            Self::Ephemeral(session) => session,
            Self::Container => CONTAINER,
            Self::Ttl(ttl_ms) => EXTENDED.cast_signed() | ttl_ms,
        }
    }
}

/// The owner that clients see: markers stay inside.
// spec: CP-TREE-12
pub fn shown(owner: i64, settings: &Settings) -> i64 {
    match Kind::of(owner, settings) {
        Kind::Ephemeral(_) if Mutant::EphemeralOwnerHidden.acts() => 0,
        Kind::Container if Mutant::ContainerOwnerLeaks.acts() => owner,
        Kind::Ttl(_) if Mutant::TtlOwnerLeaks.acts() => owner,
        Kind::Ephemeral(session) => session,
        Kind::Persistent if Mutant::PersistentHasOwner.acts() => -1,
        Kind::Persistent | Kind::Container | Kind::Ttl(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: CP-EPH-10, CP-EPH-11, CP-EPH-13, CP-TREE-12
    #[test]
    fn owners() {
        let plain = Settings::default();
        let extended = Settings {
            extended_types: true,
            ..plain.clone()
        };
        let old = Settings {
            emulate_353_ttl_nodes: true,
            ..extended.clone()
        };
        let ttl_1 = 0xff00_0000_0000_0001_u64.cast_signed();
        assert_eq!(Kind::Ttl(1).owner(), ttl_1);
        assert_eq!(Kind::of(ttl_1, &plain), Kind::Ephemeral(ttl_1));
        assert_eq!(shown(ttl_1, &plain), ttl_1);
        assert_eq!(Kind::of(ttl_1, &extended), Kind::Ttl(1));
        assert_eq!(shown(ttl_1, &extended), 0);
        assert_eq!(
            Kind::of(Kind::Ttl(MAX_TTL_MS).owner(), &extended),
            Kind::Ttl(MAX_TTL_MS)
        );
        assert_eq!(Kind::of(CONTAINER, &plain), Kind::Container);
        assert_eq!(shown(CONTAINER, &plain), 0);
        assert_eq!(Kind::of(0x100, &old), Kind::Ephemeral(0x100));
        assert_eq!(Kind::of(i64::MIN | 77, &old), Kind::Ttl(77));
        assert_eq!(
            Kind::of(i64::MIN | 77, &extended),
            Kind::Ephemeral(i64::MIN | 77)
        );
        assert_eq!(Kind::of(0, &old), Kind::Persistent);
    }
}
