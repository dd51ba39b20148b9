//! Jute, ZooKeeper's record encoding: fields back to back, big-endian, no tags.
// spec: CP-JUT-08

mod reader;
mod strings;
mod writer;

pub use reader::{DEFAULT_LIMIT, Reader};
pub(crate) use strings::Encoded;
pub use strings::Strings;
pub use writer::{Put, frame};
