//! Session ids: the server in the top byte, then the clock, then a counter.

/// Gives each new session of this server an id that no other session has.
#[derive(Debug)]
pub struct SessionIds {
    next: i64,
}

impl SessionIds {
    // spec: CP-CON-12, INV-14. From the wall clock: ids from a monotonic one come again after the host reboots.
    #[must_use]
    pub fn new(server_id: u8, wall_ms: i64) -> Self {
        Self {
            next: zk_proto::session::first_id(server_id, wall_ms.cast_unsigned()),
        }
    }

    pub fn take(&mut self) -> i64 {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        id
    }

    /// Never hand out an id at or below one that is already known (a wall clock set back).
    // spec: INV-14
    pub fn above(&mut self, known: i64) {
        if (known as u64) >> 56 == (self.next as u64) >> 56 && known >= self.next {
            self.next = known.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_id_clock_and_counter_take_their_bits() {
        // spec: CP-CON-12
        let mut ids = SessionIds::new(0x7f, 0x0198_1234_5678);
        assert_eq!(ids.take(), 0x7f98_1234_5678_0000);
        assert_eq!(ids.take(), 0x7f98_1234_5678_0001);
    }

    #[test]
    fn an_id_already_known_is_not_given_again() {
        // spec: INV-14
        let mut ids = SessionIds::new(1, 0x1_0000);
        ids.above(0x0100_0100_0000_0005);
        assert_eq!(ids.take(), 0x0100_0100_0000_0006);
        ids.above(0x0200_0100_0000_0005);
        assert_eq!(ids.take(), 0x0100_0100_0000_0007);
    }

    #[test]
    fn the_container_marker_is_never_an_id() {
        // spec: CP-CON-12
        assert_eq!(SessionIds::new(0x80, 0).take(), i64::MIN + 1);
    }
}
