//! `zk-conformance`: see `docs/conformance.md`.

use std::process::ExitCode;

use clap::Parser as _;
use zk_conformance::cli::Cli;

fn main() -> ExitCode {
    match Cli::parse().execute() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("zk-conformance: {error:#}");
            ExitCode::from(2)
        }
    }
}
