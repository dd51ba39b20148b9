//! Stateright models of ZAB around the core that ships, the controller that runs them, and the mutants that they catch.
//!
//! - [`run`]: searches a [`run::Subject`], knows complete from cut, shortens and stores counterexamples;
//! - [`clients`]: GC, the client model over an abstract atomic log;
//! - `zab-checker` (main.rs, cli.rs): the command line; beside it only the reader of traces (trace/read.rs) does I/O: it opens the
//!   files that the command line names.

pub mod catalogue;
pub mod cli;
pub mod clients;
pub mod counterexample;
pub mod ensemble;
pub mod guided;
pub mod mutated;
pub mod results;
pub mod run;
pub mod runs;
pub mod setup;
pub mod trace;
pub mod walk;
