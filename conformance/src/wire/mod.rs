//! The client protocol at the level of bytes: our own jute codec, the table of
//! operations, and one TCP connection.
//!
//! The codec shares no code with any server or client of this repository, so
//! that a mistake there cannot hide here.

pub mod codes;
pub mod jute;
pub mod link;
pub mod ops;
pub mod reply;
pub mod value;
