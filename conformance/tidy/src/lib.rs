//! Rules about this repository, as tests: what the compiler and clippy cannot say.
//!
//! - [`deny`]: licences, bans, second versions and sources of dependencies, as `deny.toml` has them.
//! - [`rules`]: every rule ID that is cited exists in `specs/`, and every rule is cited by code and by a test
//!   or excused, with a reason, in `specs/exceptions.toml`.
//! - [`tree`]: which files there are, and what each crate may depend on.

pub mod deny;
pub mod rules;
pub mod tree;
