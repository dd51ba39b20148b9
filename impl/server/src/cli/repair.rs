//! `vivarium repair`: what a refusal to start on damaged data names.

use std::path::Path;
use std::process::ExitCode;

use zk_server::config::{self, Strictness};

use super::exit;

// spec: P-REPAIR
pub(crate) fn run(file: &Path) -> ExitCode {
    let config = match config::from_file(file, &[], Strictness::Warn) {
        Ok(loaded) => loaded.config,
        Err(error) => {
            eprintln!("{error}");
            return exit::CONFIGURATION.into();
        }
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
