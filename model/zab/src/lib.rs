//! The ZAB protocol core: leader election, discovery, synchronisation and
//! broadcast as one state machine without I/O. The server, the simulator and
//! the checker run this same code.
//!
//! A *host* owns the sockets, files and timers. It feeds [`Event`]s to
//! [`Peer::handle`], one at a time, and carries out the [`Effect`]s in order.
//!
//! ```text
//!            Notified, Connected, Received, Persisted, Expired, Proposed ...
//!   host  ───────────────────────────────────────────────────────────────▶  Peer
//!   host  ◀───────────────────────────────────────────────────────────────  Peer
//!            Notify, Send, Persist, Deliver, Arm, Dial, Disconnect ...
//! ```
//!
//! What the host promises:
//! - A [`LinkId`] is never used twice. What was sent on a link arrives in order
//!   until the link breaks; the two ends may learn of the break at different times.
//! - A notification reaches its destination whole; a newer one may replace an
//!   older one that was not delivered yet.
//! - Writes reach the disk in the order of their [`WriteId`]s; `Persisted`
//!   names the newest one that survives a crash, together with all before it.
//!   A write that fails stops the process: there is no event for it.
//! - After `Disarm`, or once it fired, a timer does not fire until armed again.
//! - Bytes of a snapshot stream that come or go start the timers anew that wait
//!   for its link (`Init` at the learner, `Learner` at the leader).
//! - Learners are accepted only while [`Peer::status`] says leading; otherwise
//!   the connection is refused and the learner's host dials again, until
//!   its core says `HangUp`.
//! - A `Snap` message is fed only when its whole stream has arrived and was
//!   verified; the host keeps the bytes until `Write::Install` asks for
//!   them or the link closes.
//! - At the start the host has recovered its log and made it durable again;
//!   its tree shows the log to the end, and so it does after `Write::Truncate`,
//!   where it is loaded again: a SNAP is named by what the tree shows. `Deliver`
//!   repeats entries once they are known to be committed; the host skips what
//!   its tree has.
//! - Clients are served from `Opened` (leader) or `UpToDate` (learner) on, until
//!   `Looking`. A leader answers no `Revalidate` before: the learner would serve
//!   its client then.
//! - Asked by `Open`, the host proposes a txn without effect under that zxid, at
//!   once and before anything else.
#![no_std]
#![warn(clippy::wildcard_enum_match_arm)]

extern crate alloc;

mod broadcast;
pub mod config;
mod discovery;
mod disk;
pub mod effect;
mod election;
pub mod event;
pub mod id;
pub mod message;
pub mod peer;
pub mod policy;
pub mod quorum;
mod role;
pub mod set;
pub mod status;
mod sync;
#[cfg(feature = "serde")]
pub mod trace;

pub use config::{Config, Durable, RestoreError, Timing};
pub use effect::{Effect, Effects, Misbehaviour, Report, SyncMode, Timer, Write};
pub use event::{Event, Reader};
pub use id::{Epoch, LinkId, ReadId, Round, ServerId, Ticks, WriteId, Zxid};
pub use message::{Message, Notification, Proposal, ServerState, Vote};
pub use peer::Peer;
pub use policy::{Policy, Production};
pub use quorum::{Group, Quorums, Verifier};
pub use set::ServerSet;
pub use status::{Broken, LearnerStatus, Phase, RoleKind, Status};

/// What a transaction, a forwarded request or a session table is to the core:
/// opaque bytes. `u8` in the checker, `Bytes` in the server.
pub trait Payload: Clone + Eq + Ord + core::hash::Hash + core::fmt::Debug {}

impl<T: Clone + Eq + Ord + core::hash::Hash + core::fmt::Debug> Payload for T {}
