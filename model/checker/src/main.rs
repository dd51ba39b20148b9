//! `zab-checker`: see `zab-checker --help` and README.md.

use std::process::ExitCode;

fn main() -> ExitCode {
    match zab_checker::cli::run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("zab-checker: {error:#}");
            ExitCode::from(2)
        }
    }
}
