//! The case language: one step a line, see `docs/conformance.md`.

pub mod eval;
pub mod parse;
pub mod step;
pub mod token;
