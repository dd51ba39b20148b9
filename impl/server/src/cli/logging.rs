//! Log lines: on standard error, as text or as one JSON object each.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Starts logging; the environment variable `VIVARIUM_LOG` chooses levels, `info` without it.
pub(crate) fn start(format: LogFormat) {
    let filter = EnvFilter::builder()
        .with_env_var("VIVARIUM_LOG")
        .with_default_directive(tracing::Level::INFO.into())
        .from_env_lossy();
    // A line that nobody takes is lost and no more: telling of it on the same stream would be a panic, and the
    // end of the server.
    let lines = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    match format {
        LogFormat::Text => lines.with_ansi(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
}
