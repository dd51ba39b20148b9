//! The production server: ports, threads, timers and zoo.cfg around zk-node.

#![warn(clippy::wildcard_enum_match_arm)]

pub mod config;
pub mod run;
mod serve;
mod shell;

pub use run::{PeerConfig, PeerRole, QuorumConfig, RunError, ServerConfig};
pub use serve::{Server, run, set_aside};
#[cfg(feature = "mutants")]
pub use shell::fault::Fault;
