//! Moves bytes and time between the operating system and `zk-node`; decides nothing.
//!
//! ```text
//! sockets ◀─▶ connection tasks ──Inbox──▶ driver thread ──LogQueue──▶ log thread
//!                   ▲                        │  ▲                         │
//!                   └── lanes, bells ────────┘  └────── Persisted ────────┘
//! ```

pub(crate) mod clients;
pub(crate) mod clock;
pub(crate) mod connection;
pub(crate) mod driver;
pub(crate) mod fatal;
pub(crate) mod fault;
pub(crate) mod fill_thread;
pub(crate) mod host;
pub(crate) mod inbox;
pub(crate) mod log_thread;
pub(crate) mod quorum;
pub(crate) mod recorder;
pub(crate) mod snapshots;
