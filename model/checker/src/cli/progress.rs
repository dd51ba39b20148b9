//! Progress on standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A line that counts states; silent where standard error is no terminal.
pub(super) fn line(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

pub(super) fn show(bar: &ProgressBar, unique: usize, depth: usize) {
    bar.set_message(format!("{unique} states, depth {depth}"));
}

/// The largest memory that this process has had, in MiB, where the system tells.
pub(super) fn peak_memory_mb() -> Option<u64> {
    status("VmHWM:")
}

/// The memory that this process has, in MiB, where the system tells.
pub(super) fn memory_mb() -> Option<u64> {
    status("VmRSS:")
}

fn status(field: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1024)
}
