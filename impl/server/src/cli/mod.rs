//! What the command line offers, and how each command ends.

mod ask;
mod ensemble;
mod logging;
mod repair;
mod server;
mod status;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use zk_server::ServerConfig;
use zk_server::config::{self, Strictness};

use logging::LogFormat;

/// Exit statuses that scripts may rely on.
pub(crate) mod exit {
    /// The server could not start, or stopped in trouble.
    pub(crate) const FAILED: u8 = 1;
    /// The configuration was refused.
    pub(crate) const CONFIGURATION: u8 = 2;
    /// The data directory was refused.
    // spec: P-DETECT
    pub(crate) const DAMAGED: u8 = 3;
}

#[derive(Parser)]
#[command(name = "vivarium", version, about = "ZooKeeper, again")]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// How log lines look
    #[arg(long, value_enum, default_value = "text", global = true)]
    log_format: LogFormat,
}

#[derive(Subcommand)]
enum Command {
    /// Run a server until SIGTERM or Ctrl-C
    Server(ServerArgs),
    /// Run a whole ensemble on this machine, each server a process of its own
    Ensemble(ensemble::EnsembleArgs),
    /// Ask the server of a zoo.cfg for its mode
    Status {
        /// The server's zoo.cfg
        config: std::path::PathBuf,
    },
    /// Move a damaged database aside; the next start fetches it from the ensemble
    Repair {
        /// The stopped server's zoo.cfg
        config: std::path::PathBuf,
    },
}

#[derive(Args)]
struct ServerArgs {
    /// A zoo.cfg, or CLIENT_PORT DATA_DIR TICK_TIME MAX_CLIENT_CNXNS, the last two optional; without any: a
    /// standalone server on 127.0.0.1:2181 with its data in ./vivarium-data
    #[arg(num_args = 0..=4)]
    arguments: Vec<String>,
    /// Refuse keys that are unknown or repeated
    #[arg(long)]
    strict_config: bool,
    /// A key of zoo.cfg, with or without `zookeeper.`; the file wins
    #[arg(short = 'D', value_name = "KEY=VALUE", value_parser = server::flag)]
    define: Vec<zk_server::config::Flag>,
    /// End when the process that started this one, of this id, ends
    #[arg(long, hide = true, value_name = "PID")]
    end_with_parent: Option<i32>,
}

impl Cli {
    pub(crate) fn run(self) -> ExitCode {
        match self.command {
            Command::Server(arguments) => {
                logging::start(self.log_format);
                server::run(&arguments)
            }
            Command::Ensemble(arguments) => ensemble::run(&arguments),
            Command::Status { config } => status::run(&config),
            Command::Repair { config } => repair::run(&config),
        }
    }
}

/// The configuration of a command that is no server; a refusal is printed.
fn configuration(file: &Path) -> Result<ServerConfig, ExitCode> {
    match config::from_file(file, &[], Strictness::Warn) {
        Ok(loaded) => Ok(loaded.config),
        Err(error) => {
            eprintln!("{error}");
            Err(exit::CONFIGURATION.into())
        }
    }
}
