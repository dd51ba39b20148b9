//! Seeded simulation of whole servers: the production node, protocol core, storage and
//! recovery on a simulated network, disk and clock. One thread a seed, one seed a
//! schedule; the same seed gives the same run, byte for byte.
//!
//! - [`plan`]: what a seed means. [`world`]: the queue of virtual events.
//! - [`process`], `servers`, `conns`: what `zk-server`'s threads do, on virtual time.
//! - [`client`], `workload`: clients that speak the wire's bytes. [`history`]: what they saw.
//! - [`shrink`]: a failing plan made smaller.
//! - [`watch`]: the properties of the protocol, from every step of every core.

pub mod check;
pub mod client;
pub mod conns;
mod finish;
pub mod history;
#[cfg(feature = "mutants")]
pub mod mutants;
pub mod net;
pub mod plan;
pub mod process;
pub mod rng;
mod servers;
pub mod shrink;
pub mod summary;
pub mod watch;
mod workload;
pub mod world;
