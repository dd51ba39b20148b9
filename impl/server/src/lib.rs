//! The production server: ports, threads, timers and zoo.cfg around zk-node.

pub mod config;
pub mod run;

pub use run::{PeerConfig, PeerRole, QuorumConfig, RunError, ServerConfig};
