//! Fingerprints of states, under any renaming of the servers.
//!
//! Renaming happens while hashing: server ids and link ids have numbers of their own kind (see `server.rs`, `link.rs`), so
//! a hasher that knows the permutation sees them pass and renames them, wherever in the core they are kept. Two states
//! with equal streams are equal but for names, so this is sound; that a map iterates in the order of the old names costs
//! some reduction and nothing else. Plain 64-bit numbers are left
//! out: they are ids of writes, which the core counts up, and only their order matters.
//!
//! The hash of an unchanged server is kept from state to state, one for each permutation that was asked for.

use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use zab::Policy;

use super::link::{Link, link_id, parts};
use super::server::{FIRST_ID, Server};

/// New places by old place.
pub(super) type Permutation = [u8; MAX_SERVERS];

pub(crate) const MAX_SERVERS: usize = 5;
pub(super) const IDENTITY: Permutation = [0, 1, 2, 3, 4];

/// A server's hash under the permutations of up to three servers, filled when asked for.
pub(super) type Hashes = [OnceLock<u64>; SMALL];

const SMALL: usize = 6;

/// The number of a permutation of three.
fn rank(permutation: &Permutation) -> usize {
    usize::from(permutation[0]) * 2 + usize::from(permutation[1] > permutation[2])
}

pub(super) fn server_hash<P: Policy>(
    server: &Server<P>,
    known: &Hashes,
    servers: usize,
    to: &Permutation,
) -> u64 {
    let compute = || {
        let mut hasher = Renaming::new(to);
        hash_server(server, &mut hasher);
        hasher.finish()
    };
    if servers <= 3 {
        *known[rank(to)].get_or_init(compute)
    } else {
        compute()
    }
}

fn hash_server<P: Policy>(server: &Server<P>, hasher: &mut Renaming<'_>) {
    server.peer.hash(hasher);
    let disk = &server.disk;
    (
        disk.accepted,
        disk.current,
        &disk.history,
        disk.snapshot,
        &disk.beyond,
        disk.trusted,
    )
        .hash(hasher);
    for queued in &disk.queue {
        (&queued.write, &queued.content, queued.stale).hash(hasher);
    }
    (&server.delivered, &server.tree).hash(hasher);
    (server.loaded, server.wiped, &server.received).hash(hasher);
    hasher.place(server.dialling);
    server.timers.hash(hasher);
}

pub(super) fn hash_link(link: &Link, hasher: &mut Renaming<'_>) {
    hasher.write_u64(link.id.0);
    (&link.at_learner, &link.at_leader, link.adopted).hash(hasher);
}

/// A hasher that renames servers on the way.
pub(super) struct Renaming<'a> {
    to: &'a Permutation,
    state: u64,
}

impl<'a> Renaming<'a> {
    pub(super) fn new(to: &'a Permutation) -> Self {
        Self {
            to,
            state: 0x243f_6a88_85a3_08d3,
        }
    }

    pub(super) fn new_place(&self, old: usize) -> usize {
        self.to.get(old).map_or(old, |place| usize::from(*place))
    }

    pub(super) fn place(&mut self, server: Option<usize>) {
        self.mix(server.map_or(u64::MAX, |index| self.new_place(index) as u64));
    }

    pub(super) fn mix(&mut self, word: u64) {
        self.state = (self.state.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.state ^= self.state >> 29;
    }

    fn is_server(number: i64) -> bool {
        (FIRST_ID..FIRST_ID + MAX_SERVERS as i64).contains(&number)
    }
}

impl Hasher for Renaming<'_> {
    fn finish(&self) -> u64 {
        let mixed = (self.state ^ (self.state >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }

    /// Sets of servers arrive as their four words; all else that comes as bytes names nobody.
    fn write(&mut self, bytes: &[u8]) {
        if bytes.len() == 32 {
            let first = u64::from_ne_bytes(std::array::from_fn(|index| bytes[index]));
            let mut renamed = 0;
            for index in 0..MAX_SERVERS {
                if first >> (FIRST_ID as usize + index) & 1 != 0 {
                    renamed |= 1 << self.new_place(index);
                }
            }
            return self.mix(renamed);
        }
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_ne_bytes(word));
        }
    }

    fn write_i64(&mut self, number: i64) {
        if Self::is_server(number) {
            let place = self.new_place((number - FIRST_ID) as usize);
            self.mix(place as u64 | 1 << 62);
        } else {
            self.mix(number as u64);
        }
    }

    fn write_u64(&mut self, number: u64) {
        if let Some((learner, leader, count)) = parts(number) {
            self.mix(link_id(self.new_place(learner), self.new_place(leader), count).0);
        }
    }

    fn write_u8(&mut self, number: u8) {
        self.mix(u64::from(number));
    }

    fn write_u32(&mut self, number: u32) {
        self.mix(u64::from(number));
    }

    fn write_usize(&mut self, number: usize) {
        self.mix(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.mix(number as u64);
    }
}
