//! A load generator for any ZooKeeper server, and what it needs to compare two of them.
//!
//! It speaks raw frames: a client library's own cost would be measured along with the server's.

pub mod compare;
pub mod cpu;
pub mod load;
pub mod report;
pub mod wire;
