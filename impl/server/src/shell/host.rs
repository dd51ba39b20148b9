//! What only the process itself can see, for the four-letter words.

use std::path::{Path, PathBuf};
use zk_node::words::Host;

/// The process and its directories.
#[derive(Debug)]
pub(crate) struct Process {
    /// The folder with the snapshots.
    pub(crate) data: PathBuf,
    /// The folder with the logs.
    pub(crate) logs: PathBuf,
}

impl Host for Process {
    fn environment(&self) -> Vec<(&'static str, String)> {
        environment()
    }

    fn open_files(&self) -> u64 {
        entries(Path::new("/proc/self/fd"))
    }

    fn max_open_files(&self) -> u64 {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        limit.current.unwrap_or(0)
    }

    fn directory_sizes(&self) -> (u64, u64) {
        (bytes_in(&self.data), bytes_in(&self.logs))
    }
}

/// The keys that Apache prints; those of a JVM have no value here.
// spec: CP-FLW-16
fn environment() -> Vec<(&'static str, String)> {
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| unknown());
    let system = rustix::system::uname();
    let text = |field: &std::ffi::CStr| field.to_string_lossy().into_owned();
    let directory =
        std::env::current_dir().map_or_else(|_| unknown(), |dir| dir.display().to_string());
    let memory = || "0MB".to_owned();
    vec![
        ("zookeeper.version", version()),
        ("host.name", text(system.nodename())),
        ("java.version", unknown()),
        ("java.vendor", unknown()),
        ("java.home", unknown()),
        ("java.class.path", unknown()),
        ("java.library.path", unknown()),
        ("java.io.tmpdir", std::env::temp_dir().display().to_string()),
        ("java.compiler", unknown()),
        ("os.name", text(system.sysname())),
        ("os.arch", text(system.machine())),
        ("os.version", text(system.release())),
        ("user.name", variable("USER")),
        ("user.home", variable("HOME")),
        ("user.dir", directory),
        ("os.memory.free", memory()),
        ("os.memory.max", memory()),
        ("os.memory.total", memory()),
    ]
}

fn unknown() -> String {
    "<NA>".to_owned()
}

/// In the shape that tools parse: the release whose protocol is spoken first.
// spec: CP-FLW-11, CP-GAP-22
pub(crate) fn version() -> String {
    format!(
        "3.9.5-vivarium-{}, built on {}",
        env!("CARGO_PKG_VERSION"),
        "2026-11-25 00:00 UTC"
    )
}

/// Bytes of the files in a directory; what vanishes meanwhile counts as nothing.
fn bytes_in(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}

fn entries(dir: &Path) -> u64 {
    std::fs::read_dir(dir).map_or(0, |entries| entries.count() as u64)
}
