//! A whole server as data events and effects: no runtime, thread or clock.
//!
//! Whoever hosts it (`zk-server` in production, `zk-sim` in tests) passes in
//! bytes, times and completions, and carries out what comes back.

pub mod settings;
pub mod stats;
pub mod time;
pub mod words;
