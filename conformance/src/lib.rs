//! ZooKeeper's client semantics as a suite that tests any server.
//!
//! Cases are scripts over raw frames (`cases/*.toml`, [`script`]), run by
//! [`engine`] through a codec of their own ([`wire`]). [`runner`] gives each
//! case a znode of its own; [`report`] tells what came of it. A server is
//! reached through its sockets only.

pub mod case;
pub mod claim;
pub mod cli;
pub mod code;
pub mod control;
pub mod diff;
pub mod engine;
pub mod outcome;
pub mod profile;
pub mod report;
pub mod runner;
pub mod script;
pub mod wire;
