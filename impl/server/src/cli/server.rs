//! `vivarium server`.

use std::path::Path;
use std::process::ExitCode;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use zk_server::RunError;
use zk_server::config::{self, ConfigError, Flag, Loaded, Strictness};

use super::{ServerArgs, exit};

/// Where a server without a configuration keeps its data.
const DATA_DIR: &str = "vivarium-data";

/// A `KEY=VALUE` of the command line.
pub(crate) fn flag(text: &str) -> Result<Flag, String> {
    let (key, value) = text.split_once('=').ok_or("KEY=VALUE")?;
    Ok(Flag {
        key: key.trim().to_owned(),
        value: value.trim().to_owned(),
    })
}

pub(crate) fn run(arguments: &ServerArgs) -> ExitCode {
    if let Some(parent) = arguments.end_with_parent {
        if let Err(error) = set_parent_process_death_signal(Some(Signal::TERM)) {
            tracing::warn!(%error, "this server will outlive the process that started it");
        }
        // It may have ended before the signal was asked for.
        if getppid().map(Pid::as_raw_pid) != Some(parent) {
            return exit::FAILED.into();
        }
    }
    let Loaded { config, warnings } = match load(arguments) {
        Ok(loaded) => loaded,
        Err(error) => {
            tracing::error!("{error}");
            return exit::CONFIGURATION.into();
        }
    };
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    match zk_server::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            status_of(&error).into()
        }
    }
}

// spec: CP-CFG-08
fn load(arguments: &ServerArgs) -> Result<Loaded, ConfigError> {
    let strict = if arguments.strict_config {
        Strictness::Refuse
    } else {
        Strictness::Warn
    };
    let flags = &arguments.define;
    match arguments.arguments.as_slice() {
        [] => config::without_file(Path::new(DATA_DIR), flags, strict),
        [file] => config::from_file(Path::new(file), flags, strict),
        several => config::from_arguments(several, flags, strict),
    }
}

fn status_of(error: &RunError) -> u8 {
    match error {
        RunError::Storage(_) | RunError::Restore(_) => exit::DAMAGED,
        RunError::Listen { .. }
        | RunError::Name { .. }
        | RunError::Trace { .. }
        | RunError::Runtime(_) => exit::FAILED,
    }
}
