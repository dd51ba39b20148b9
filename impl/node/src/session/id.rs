//! Session ids: the server in the top byte, then the clock, then a counter.

use zk_proto::session::first_id;

/// The part of an id below the server's byte.
const LOW: u64 = (1 << 56) - 1;

/// Ids that a run of a server sets aside when it begins: it will hardly give out as many. On the clock they stand for
/// 65 seconds, so a server that starts more rarely does not run ahead of it.
const RESERVED: u64 = 1 << 32;

/// Gives each new session of this server an id that no other session has.
///
/// Ids follow the wall clock, and the clock may be set back over a restart. What keeps them from coming again is a mark
/// on disk ([`crate::disk::session_ids`]): a run begins above the mark of the one before, and moves it above all that it
/// may give out itself. The sessions of log and snapshot would not do: those that ended before the snapshot are gone.
#[derive(Debug)]
pub struct SessionIds {
    /// The top byte.
    server: u64,
    /// Below it.
    next: u64,
}

impl SessionIds {
    /// From the wall clock, but above `mark`.
    // spec: CP-CON-12, INV-14. Not from a monotonic clock: those ids come again after the host reboots.
    #[must_use]
    pub fn new(server_id: u8, wall_ms: i64, mark: Option<i64>) -> Self {
        let first = first_id(server_id, wall_ms.cast_unsigned()).cast_unsigned();
        let mut ids = Self {
            server: first & !LOW,
            next: first & LOW,
        };
        if let Some(mark) = mark {
            ids.skip_to(mark.cast_unsigned().wrapping_add(1));
        }
        ids
    }

    pub fn take(&mut self) -> i64 {
        let id = (self.server | self.next).cast_signed();
        self.next = self.next.wrapping_add(1) & LOW;
        // 0 is no session, the other marks containers (CP-EPH-10).
        if id == 0 || id == i64::MIN {
            return self.take();
        }
        id
    }

    /// A session that is known although no mark covers it: the directory came from elsewhere, or lost its mark. Ids go on
    /// behind all that were given out in that session's millisecond.
    // spec: INV-14
    pub fn above(&mut self, known: i64) {
        let known = known.cast_unsigned();
        if known & !LOW == self.server {
            self.skip_to((known | 0xffff).wrapping_add(1));
        }
    }

    /// Up to here, and no further, this run gives out ids: the mark.
    #[must_use]
    pub fn mark(&self) -> i64 {
        (self.next.wrapping_add(RESERVED) & LOW).cast_signed()
    }

    /// The clock's bits wrap (next in 2039), so what counts as later is within half of their range.
    fn skip_to(&mut self, low: u64) {
        let ahead = low.wrapping_sub(self.next) & LOW;
        if ahead <= LOW / 2 {
            self.next = low & LOW;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_id_clock_and_counter_take_their_bits() {
        // spec: CP-CON-12
        let mut ids = SessionIds::new(0x7f, 0x0198_1234_5678, None);
        assert_eq!(ids.take(), 0x7f98_1234_5678_0000);
        assert_eq!(ids.take(), 0x7f98_1234_5678_0001);
    }

    #[test]
    fn ids_rise_over_restarts_whatever_the_clock_says() {
        // spec: INV-14
        let mut mark = None;
        let mut given = Vec::new();
        for wall_ms in [5_000_000, 5_000_000, 4_999_999, 0, 4_999_999, 9_000_000] {
            let mut ids = SessionIds::new(3, wall_ms, mark);
            mark = Some(ids.mark());
            given.extend([ids.take(), ids.take()]);
        }
        assert!(given.is_sorted_by(|a, b| a < b), "{given:x?}");
        assert!(given.iter().all(|id| id >> 56 == 3));
    }

    #[test]
    fn a_mark_behind_the_clock_changes_nothing() {
        // spec: CP-CON-12
        let ids = |mark| SessionIds::new(1, 0x1_0000_0000, mark).take();
        assert_eq!(ids(Some(0xffff_0000_0000)), ids(None));
        assert_ne!(ids(Some(0x1_0001_0000_0000)), ids(None));
    }

    #[test]
    fn the_clock_may_wrap() {
        // spec: CP-CON-12, INV-14
        let before = SessionIds::new(1, (1 << 40) - 1, None);
        let mut after = SessionIds::new(1, 1 << 40, Some(before.mark()));
        let id = after.take();
        assert_eq!(id >> 56, 1);
        assert_eq!(id & LOW.cast_signed(), before.mark() + 1);
    }

    #[test]
    fn known_sessions_are_passed_by_a_millisecond() {
        // spec: INV-14
        let mut ids = SessionIds::new(1, 0x1_0000, None);
        ids.above(0x0100_0100_0000_0005);
        assert_eq!(ids.take(), 0x0100_0100_0001_0000);
        ids.above(0x0200_0100_0002_0005);
        assert_eq!(ids.take(), 0x0100_0100_0001_0001);
    }

    #[test]
    fn what_has_a_meaning_of_its_own_is_never_an_id() {
        // spec: CP-CON-12
        assert_eq!(SessionIds::new(0x80, 0, None).take(), i64::MIN + 1);
        let mut wrapping = SessionIds::new(0x80, (1 << 40) - 1, Some(LOW.cast_signed() - 1));
        assert_eq!(wrapping.take(), -0x7f00_0000_0000_0001);
        assert_eq!(wrapping.take(), i64::MIN + 1);
    }
}
