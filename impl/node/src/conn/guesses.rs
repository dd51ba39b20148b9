//! Addresses that came with wrong session passwords: past a few, each of their next ones waits.

use std::collections::HashMap;
use std::net::IpAddr;

/// Wrong passwords that an address may send before it is slowed.
const FREE: u32 = 10;
/// What each attempt to resume a session waits from then on, ms.
pub const WAIT_MS: u64 = 1000;
/// After which silence an address is forgotten, ms.
const MEMORY_MS: u64 = 60_000;
/// Addresses remembered at once.
// spec: P-BOUND. Past it the newest ones go unslowed; nothing else depends on the table.
const ADDRESSES: usize = 4096;

/// Counts wrong passwords by address.
#[derive(Debug, Default)]
pub struct Guesses {
    by_address: HashMap<IpAddr, Guess>,
}

#[derive(Clone, Copy, Debug)]
struct Guess {
    failures: u32,
    last_ms: u64,
}

impl Guesses {
    /// A password was wrong.
    pub fn fail(&mut self, now_ms: u64, address: IpAddr) {
        if self.by_address.len() >= ADDRESSES {
            self.by_address
                .retain(|_, guess| now_ms.saturating_sub(guess.last_ms) < MEMORY_MS);
        }
        if self.by_address.len() >= ADDRESSES && !self.by_address.contains_key(&address) {
            return;
        }
        let guess = self.by_address.entry(address).or_insert(Guess {
            failures: 0,
            last_ms: now_ms,
        });
        if now_ms.saturating_sub(guess.last_ms) >= MEMORY_MS {
            guess.failures = 0;
        }
        guess.failures = guess.failures.saturating_add(1);
        guess.last_ms = now_ms;
    }

    /// Whether an attempt from the address must wait. Right or wrong: an answer that only wrong ones wait for
    /// would tell the guesser as much as an answer at once.
    // spec: FT-CON-14
    #[must_use]
    pub fn slows(&self, now_ms: u64, address: IpAddr) -> bool {
        self.by_address.get(&address).is_some_and(|guess| {
            guess.failures > FREE && now_ms.saturating_sub(guess.last_ms) < MEMORY_MS
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn an_address_is_slowed_after_ten_and_forgotten_after_a_minute() {
        // spec: FT-CON-14
        let (bad, good) = (
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V4(Ipv4Addr::BROADCAST),
        );
        let mut guesses = Guesses::default();
        for _ in 0..FREE {
            guesses.fail(5, bad);
            assert!(!guesses.slows(5, bad));
        }
        guesses.fail(5, bad);
        assert!(guesses.slows(5, bad) && !guesses.slows(5, good));
        assert!(!guesses.slows(5 + MEMORY_MS, bad));
        guesses.fail(5 + MEMORY_MS, bad);
        assert!(!guesses.slows(5 + MEMORY_MS, bad));
    }

    #[test]
    fn the_table_is_bounded() {
        // spec: P-BOUND
        let mut guesses = Guesses::default();
        for address in 0..10_000u32 {
            guesses.fail(0, IpAddr::V4(Ipv4Addr::from(address)));
        }
        assert_eq!(guesses.by_address.len(), ADDRESSES);
        guesses.fail(MEMORY_MS, IpAddr::V4(Ipv4Addr::BROADCAST));
        assert_eq!(guesses.by_address.len(), 1);
    }
}
