//! ZooKeeper's bytes: jute records, client frames, quorum packets, transactions, log and snapshot records.
//!
//! Pure translation between bytes and types. Decoders borrow from their input, check every length
//! against the bytes that are there before they allocate, and never panic; encoders append to a
//! `Vec<u8>` that the caller reuses. Nothing here reads a socket, a file or a clock.
//!
//! [`DecodeError::Truncated`] means "these bytes may be the beginning of a record"; every other error
//! means that no further byte can make the record valid. Stream readers rely on that difference.
#![no_std]
#![warn(
    missing_docs,
    clippy::wildcard_enum_match_arm,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects
)]

extern crate alloc;

pub mod acl;
#[cfg(feature = "arbitrary")]
pub mod arbitrary;
pub mod connect;
pub mod error;
pub mod header;
pub mod jute;
pub mod log;
pub mod mode;
pub mod multi;
pub mod op;
pub mod quorum;
pub mod request;
pub mod response;
pub mod session;
pub mod snapshot;
pub mod stat;
pub mod txn;
pub mod watch;

pub use acl::{Acl, Acls, Id, Perms};
pub use connect::{ConnectRequest, ConnectResponse};
pub use error::{DecodeError, ErrorCode};
pub use header::{ReplyHeader, RequestHeader, xid};
pub use jute::{Put, Reader, Strings};
pub use mode::CreateMode;
pub use multi::{MultiOp, MultiResult};
pub use op::OpCode;
pub use request::Request;
pub use response::Response;
pub use stat::{Stat, StatPersisted};
pub use txn::{CreateKind, CreateTxn, Txn, TxnDigest, TxnHeader, TxnRecord};
pub use watch::WatcherEvent;
