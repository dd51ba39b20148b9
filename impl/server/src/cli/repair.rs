//! `vivarium repair`: what a refusal to start on damaged data names.

use std::path::Path;
use std::process::ExitCode;

use super::exit;

// spec: P-REPAIR
pub(crate) fn run(file: &Path) -> ExitCode {
    let config = match super::configuration(file) {
        Ok(config) => config,
        Err(refused) => return refused,
    };
    match zk_server::set_aside(&config) {
        Ok(moved) => {
            for path in &moved {
                println!("moved to {}", path.display());
            }
            println!("The next start has no vote until it holds what the ensemble committed.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            exit::DAMAGED.into()
        }
    }
}
