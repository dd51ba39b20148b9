//! A whole server as data events and effects: no runtime, thread or clock.
//!
//! Whoever hosts it (`zk-server` in production, `zk-sim` in tests) passes in
//! bytes, times and completions, and carries out what comes back.
//!
//! - [`conn::Conn`]: one client connection. Bytes in; replies into its lane, asks for the driver out.
//! - [`node::Node`]: the driver. Asks, completions and peers' messages in; disk writes, messages out.
//! - [`shared::Shared`]: what both look at: the tree, watches, sessions, lanes, counters.

#![warn(clippy::wildcard_enum_match_arm)]

pub mod bug;
pub mod conn;
pub mod disk;
pub mod facts;
pub mod node;
mod reads;
pub mod session;
pub mod settings;
pub mod shared;
pub mod stats;
mod sync;
pub mod time;
pub mod totals;
pub mod trace;
mod watching;
pub mod words;

pub use bug::{Bug, Bugs};
pub use conn::{Ask, Conn};
pub use node::{Input, Node, NodeError, Output};
pub use settings::Settings;
pub use shared::Shared;
pub use time::Now;
pub use zk_tree::Mutant;
