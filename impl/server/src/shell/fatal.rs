//! The end of a process that cannot go on.

use std::io::{self, Write};

/// Exit status of a server that stopped itself: a panic, a failed sync, a broken invariant.
pub(crate) const STOPPED: i32 = 70;

/// Ends the process at once. What is not durable by now was not acknowledged either.
// spec: P-DIE, FT-DISK-05
pub(crate) fn die(why: &dyn std::fmt::Display) -> ! {
    tracing::error!("the server stops: {why}");
    // Nobody may read this, and the disk that it goes to may be the one that failed.
    drop(writeln!(io::stderr(), "vivarium: the server stops: {why}"));
    std::process::exit(STOPPED)
}

/// From now on a panic in any thread ends the process.
// spec: P-DIE, FT-PROC-11. A server that lost a task must not go on sending heartbeats.
pub(crate) fn die_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report(info);
        std::process::exit(STOPPED);
    }));
}
