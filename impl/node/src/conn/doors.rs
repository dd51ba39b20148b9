//! How many clients may be connected, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use zk_tree::Mutant;

/// Counts open connections of one listener.
#[derive(Debug)]
pub struct Doors {
    per_address: u32,
    in_all: u32,
    open: HashMap<IpAddr, u32>,
    total: u32,
}

impl Doors {
    /// Limits of 0 are none.
    #[must_use]
    pub fn new(per_address: u32, in_all: u32) -> Self {
        Self {
            per_address,
            in_all,
            open: HashMap::new(),
            total: 0,
        }
    }

    /// False: close it at once, with nothing sent. True: call `leave` when it ends.
    // spec: CP-THR-01
    pub fn enter(&mut self, address: IpAddr) -> bool {
        if Mutant::DoorsOpen.acts() {
            self.total += 1;
            return true;
        }
        if self.in_all > 0 && self.total >= self.in_all {
            return false;
        }
        let open = self.open.get(&address).copied().unwrap_or(0);
        if self.per_address > 0 && open >= self.per_address {
            return false;
        }
        self.open.insert(address, open + 1);
        self.total += 1;
        true
    }

    pub fn leave(&mut self, address: IpAddr) {
        self.total = self.total.saturating_sub(1);
        let Some(open) = self.open.get_mut(&address) else {
            return;
        };
        *open = open.saturating_sub(1);
        if *open == 0 {
            self.open.remove(&address);
        }
    }

    #[must_use]
    pub fn total(&self) -> u32 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn the_newest_is_refused_past_either_limit() {
        // spec: CP-THR-01, P-BOUND
        let (a, b) = (
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V4(Ipv4Addr::BROADCAST),
        );
        let mut doors = Doors::new(2, 3);
        assert!(doors.enter(a) && doors.enter(a));
        assert!(!doors.enter(a));
        assert!(doors.enter(b));
        assert!(!doors.enter(b));
        doors.leave(a);
        assert!(doors.enter(b));
        assert_eq!(doors.total(), 3);
    }

    #[test]
    fn zero_is_no_limit() {
        // spec: CP-THR-01
        let mut doors = Doors::new(0, 0);
        assert!((0..1000).all(|_| doors.enter(IpAddr::V4(Ipv4Addr::LOCALHOST))));
    }
}
