//! An async ZooKeeper client.
//!
//! A [`Client`] is a handle on one session. A task of its own keeps the session's
//! connection: it pings, reconnects to another server with the session's id and password,
//! and restores credentials and watches. Requests are pipelined in the order in which they
//! are made; replies come back in that order.
//!
//! ```no_run
//! # async fn run() -> Result<(), zk_client::Error> {
//! use zk_client::{Acl, Client, CreateMode};
//!
//! let client = Client::connect("127.0.0.1:2181,127.0.0.1:2182/app").await?;
//! client.create("/greeting", b"hello", &[Acl::open()], CreateMode::Persistent).await?;
//! let (data, stat, changed) = client.get_data_and_watch("/greeting").await?;
//! println!("{data:?} at version {}", stat.version);
//! println!("{:?}", changed.wait().await?);
//! # Ok(()) }
//! ```
//!
//! What is bounded: requests in flight ([`Options::max_in_flight`]), the longest reply
//! ([`Options::max_reply_bytes`], taken from what arrives and never from what is
//! announced), and the events that wait for a slow watcher ([`watch::MAX_WAITING_EVENTS`]).

mod chroot;
mod client;
mod error;
mod multi;
mod options;
mod session;
pub mod watch;

pub use client::{Client, ClientInfo};
pub use error::{Error, MultiError};
pub use multi::{Op, OpResult, Read, ReadResult};
pub use options::Options;
pub use session::State;
pub use watch::{Event, Once, Watcher};
pub use zk_proto::watch::{AddWatchMode, EventKind, WatcherType};
pub use zk_proto::{Acl, CreateMode, ErrorCode, Id, Perms, Stat};
