//! `vivarium`: the command line.

#[cfg(feature = "mutants")]
compile_error!("the feature `mutants` is for `vivarium-mutant` alone: a server for use has none");

mod cli;

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

/// Requests are allocated on clients' threads and freed by the driver, which costs the C library's allocator a
/// tenth of the server's time under load (`benches/runs`).
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    cli::Cli::parse().run()
}
