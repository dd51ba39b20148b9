//! The form of a recorded trace: one JSON object a line, for each server and
//! each of its starts. A host records by it, `zab-checker trace` reads it.
//!
//! Payloads are recorded as [`Digest`]s. The core never looks into them, so a
//! core over digests takes the very steps of the one over bytes, and
//! [`fingerprint`] is the same for both.
//!
//! ```text
//! {"seq":0,"node":1,"inc":3,"ms":..,"start":{"version":..,"config":..,"durable":..},"h":".."}
//! {"seq":1,"node":1,"inc":3,"ms":..,"in":"Started","out":[..],"post":{..},"h":".."}
//! {"seq":2,"node":1,"inc":3,"ms":..,"link":{"id":1,"dialled":true,"local":..,"remote":..}}
//! ```

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::Payload;
use crate::config::{Config, Durable};
use crate::effect::Effect;
use crate::event::Event;
use crate::id::{Epoch, LinkId, ServerId, Zxid};
use crate::peer::Peer;
use crate::policy::Policy;
use crate::status::{Broken, Phase, RoleKind, Status};

/// The version of the format is that of the core: another core takes other steps.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// One line. Either `start`, or `link`, or `in` with what follows from it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line<T> {
    /// Counts the lines of one start, from 0, without gaps.
    pub seq: u64,
    /// Who.
    pub node: ServerId,
    /// Which of its starts, from 1.
    pub inc: u64,
    /// Wall clock, Unix milliseconds. Orders lines of several servers where nothing else does.
    pub ms: u64,
    /// First line: what the server started from.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub start: Option<Start<T>>,
    /// A connection between a learner and its leader is up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<LinkUp>,
    /// A step of the core: what went in.
    #[serde(
        rename = "in",
        default = "none",
        skip_serializing_if = "Option::is_none"
    )]
    pub event: Option<Event<T>>,
    /// What came out, in order.
    #[serde(
        rename = "out",
        default = "none",
        skip_serializing_if = "Option::is_none"
    )]
    pub effects: Option<Vec<Effect<T>>>,
    /// Some of the state after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post: Option<Post>,
    /// All of the state after it ([`fingerprint`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub h: Option<Fingerprint>,
    /// Or the core stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<Broken>,
}

/// For fields of a type parameter, which need have no default itself.
const fn none<V>() -> Option<V> {
    None
}

impl<T> Line<T> {
    /// A line that says nothing yet.
    #[must_use]
    pub const fn new(seq: u64, node: ServerId, inc: u64, ms: u64) -> Self {
        Self {
            seq,
            node,
            inc,
            ms,
            start: None,
            link: None,
            event: None,
            effects: None,
            post: None,
            h: None,
            broken: None,
        }
    }
}

/// What a server started from: all that `Peer::restore` is given.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start<T> {
    /// Of the core ([`VERSION`]).
    pub version: String,
    /// What the peer was told.
    pub config: Config,
    /// What the disk held.
    pub durable: Durable<T>,
}

/// Both addresses of a connection, by which its two ends are told to be one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkUp {
    /// This end's name for it.
    pub id: LinkId,
    /// This end is the learner, which dialled.
    pub dialled: bool,
    /// `address:port` of this end.
    pub local: String,
    /// `address:port` of the other end.
    pub remote: String,
}

/// What a reader wants to see of a state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Post {
    /// The state.
    pub role: RoleKind,
    /// How far within it.
    pub phase: Phase,
    /// Accepted epoch, written or on its way.
    pub acc: Epoch,
    /// Current epoch, written or on its way.
    pub cur: Epoch,
    /// Last logged zxid, written or on its way.
    pub last: Zxid,
    /// Last zxid known to be committed.
    pub commit: Zxid,
}

impl From<&Status> for Post {
    fn from(status: &Status) -> Self {
        Self {
            role: status.role,
            phase: status.phase,
            acc: status.accepted,
            cur: status.current,
            last: status.last_logged,
            commit: status.last_committed,
        }
    }
}

/// A payload's length and hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    len: usize,
    hash: u64,
}

impl Digest {
    /// Of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            len: bytes.len(),
            hash: hash_of(bytes),
        }
    }
}

/// To the fingerprint a digest is what its bytes are: a length, then the bytes' hash.
impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len);
        state.write_u64(self.hash);
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:016x}", self.len, self.hash)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts = text.split_once(':').and_then(|(len, hash)| {
            Some(Self {
                len: len.parse().ok()?,
                hash: u64::from_str_radix(hash, 16).ok()?,
            })
        });
        parts.ok_or_else(|| serde::de::Error::custom("a digest is LENGTH:HASH"))
    }
}

/// A hash of a core's whole state, for comparison and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let value = u64::from_str_radix(&text, 16);
        value.map(Self).map_err(serde::de::Error::custom)
    }
}

/// Of everything that a peer is made of, but its configuration.
#[must_use]
pub fn fingerprint<T: Payload, P: Policy>(peer: &Peer<T, P>) -> Fingerprint {
    let mut fold = Fold(SEED);
    peer.hash(&mut fold);
    Fingerprint(fold.finish())
}

const SEED: u64 = 0x243f_6a88_85a3_08d3;

/// The same on every machine of one word size, unlike the standard library's hashers. Against accidents only.
struct Fold(u64);

impl Fold {
    fn word(&mut self, word: u64) {
        let mixed = (self.0.rotate_left(23) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

impl Hasher for Fold {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.word(hash_of(bytes));
    }

    fn write_u8(&mut self, value: u8) {
        self.word(value.into());
    }

    fn write_u32(&mut self, value: u32) {
        self.word(value.into());
    }

    fn write_u64(&mut self, value: u64) {
        self.word(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.word(value as u64);
    }

    fn write_i64(&mut self, value: i64) {
        self.word(value.cast_unsigned());
    }

    fn write_isize(&mut self, value: isize) {
        self.word(value.cast_unsigned() as u64);
    }
}

fn hash_of(bytes: &[u8]) -> u64 {
    let mut fold = Fold(SEED);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        fold.word(word.try_into().map_or(0, u64::from_le_bytes));
    }
    for byte in words.remainder() {
        fold.word((*byte).into());
    }
    fold.0
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::{Effects, Proposal};

    fn leader<T: Payload>(payload: impl Fn(&[u8]) -> T) -> Peer<T> {
        let id = ServerId(1);
        let config = Config {
            standalone: true,
            ..Config::new(id, [id])
        };
        let entry = Proposal {
            zxid: Zxid(1),
            txn: payload(b"the first"),
        };
        let durable = Durable {
            log: vec![entry],
            ..Durable::empty()
        };
        let mut peer = Peer::restore(config, durable).unwrap();
        let mut effects = Effects::new();
        peer.handle(Event::Started, &mut effects).unwrap();
        let zxid = peer.next_zxid().unwrap();
        let txn = payload(b"and a second one that is longer");
        peer.handle(Event::Proposed { zxid, txn }, &mut effects)
            .unwrap();
        peer
    }

    // spec: zab-model section 12. What is recorded of a server over bytes is what a core over digests shows.
    #[test]
    fn a_core_over_digests_has_the_fingerprint_of_the_one_over_bytes() {
        let bytes = leader(<[u8]>::to_vec);
        let digests = leader(Digest::of);
        assert_eq!(fingerprint(&bytes), fingerprint(&digests));
        let other = leader(|bytes| Digest::of(&bytes[1..]));
        assert_ne!(fingerprint(&bytes), fingerprint(&other));
    }

    #[test]
    fn digests_tell_payloads_apart() {
        let texts: [&[u8]; 6] = [b"", b"\0", b"\0\0", b"a", b"abcdefgh", b"abcdefgi"];
        for (index, a) in texts.iter().enumerate() {
            for b in &texts[index + 1..] {
                assert_ne!(Digest::of(a), Digest::of(b), "{a:?} {b:?}");
            }
        }
    }
}
