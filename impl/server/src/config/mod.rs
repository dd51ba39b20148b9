//! What an operator may ask for: `zoo.cfg`, `myid`, the dynamic part and `-D` flags, read
//! into a [`crate::ServerConfig`].
//!
//! One table ([`table::SECTIONS`]) names every key with its type, default and effect; it
//! drives parsing, validation, warnings and `docs/configuration.md`. Nothing behind
//! `ServerConfig` parses or validates again.

mod check;
pub mod docs;
mod draft;
mod load;
mod members;
mod nearest;
mod problem;
pub mod properties;
pub mod table;

#[cfg(test)]
mod tests;

pub use load::{Flag, Loaded, Strictness, from_arguments, from_file, without_file};
pub(crate) use members::Host;
pub use problem::{ConfigError, Origin, Warning};
