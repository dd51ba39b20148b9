//! The transaction log: files of checksummed records, zero-filled ahead, synced in groups.
//!
//! ```text
//! log.<first zxid>:  "ZKLG" 2 0 | checksum length payload 'B' | checksum length payload 'B' | zeros ...
//! ```

pub(crate) mod mark;
pub(crate) mod reader;
pub(crate) mod segment;
mod writer;

pub use mark::Mark;
pub use segment::Filler;
pub use writer::Log;
