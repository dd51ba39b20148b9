//! The znode tree: everything that a ZooKeeper server knows and decides, without a socket, file, thread or clock.
//!
//! ```text
//!            leader only                          every server
//! Request ──▶ Prep::prepare ──▶ TxnRecord ──▶ Tree::apply ──▶ Response, triggers ──▶ Watches::trigger
//!               checks against the tree           idempotent:        reply              events
//!               and what is proposed              also replay
//! Request ──▶ Tree::read ──▶ reply bytes          any number of threads at once
//! ```
//! The host gives zxids and times, keeps txns in order, and calls [`Prep::applied`] after each [`Tree::apply`].
#![no_std]
#![warn(missing_docs, clippy::wildcard_enum_match_arm)]

extern crate alloc;

pub mod apply;
pub mod auth;
mod digest;
mod eager;
pub mod multi;
pub mod mutant;
pub mod owner;
pub mod path;
pub mod prep;
mod quota;
pub mod read;
pub mod settings;
pub mod snapshot;
mod store;
pub mod tree;
mod unused;
pub mod watch;

pub use apply::{Change, Outcome, Trigger};
pub use auth::Schemes;
pub use digest::VERSION as DIGEST_VERSION;
pub use multi::PathOnly;
pub use mutant::Mutant;
pub use prep::{Ask, Prep};
pub use read::Reader;
pub use settings::Settings;
pub use store::acls::AclRef;
pub use tree::Tree;
pub use watch::{ConnectionId, WatchKind, WatcherType, Watches};
