//! Servers and clients as processes of their own, on free ports, gone when the test ends.
//!
//! A program that `conformance/peers/setup.sh` installs and that is missing fails the test.

// Each test file uses its own part of this.
#![allow(dead_code)]

pub(crate) mod ensemble;
pub(crate) mod names;
pub(crate) mod peer;
pub(crate) mod proxy;
pub(crate) mod raw;
pub(crate) mod scripted;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

/// How long anything may take that should happen soon; a loaded machine is slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Lines that every server of a test has in its zoo.cfg: short ticks, so that sessions end soon.
const COMMON: &str = "tickTime=200\nmaxSessionTimeout=60000\nmaxClientCnxns=0\n\
    clientPortAddress=127.0.0.1\n4lw.commands.whitelist=*\nextendedTypesEnabled=true\nadmin.enableServer=false\n";

/// Which server program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vivarium,
    /// Ours, with this fault once [`Server::fault`] is called (`src/shell/fault.rs`).
    Faulty(&'static str),
    /// Ours, which a limit on the length of files does not kill by a signal.
    Unsignalled,
    /// By release.
    Apache(&'static str),
}

/// A standalone server and its folder.
pub(crate) struct Server {
    kind: Kind,
    pub(crate) port: u16,
    folder: PathBuf,
    child: Option<Child>,
}

impl Server {
    /// Starts one in `folder`, with more lines for its zoo.cfg; returns once it serves.
    pub(crate) fn start(kind: Kind, folder: &Path, lines: &str) -> Self {
        let mut server = Self {
            kind,
            port: free_port(),
            folder: folder.to_owned(),
            child: None,
        };
        server.start_as(kind, lines);
        server
    }

    pub(crate) fn vivarium(folder: &Path) -> Self {
        Self::start(Kind::Vivarium, folder, "")
    }

    /// Starts a server of any kind on the same port and data; the one before must have ended.
    pub(crate) fn start_as(&mut self, kind: Kind, lines: &str) {
        let data = self.data();
        fs::create_dir_all(&data).unwrap();
        let port = self.port;
        let text = format!(
            "{COMMON}dataDir={}\nclientPort={port}\n{lines}",
            data.display()
        );
        fs::write(self.folder.join("zoo.cfg"), text).unwrap();
        self.kind = kind;
        self.restart();
    }

    /// Starts the process again, on the same port and data.
    pub(crate) fn restart(&mut self) {
        let config = self.folder.join("zoo.cfg");
        let mut command = match self.kind {
            Kind::Vivarium => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_vivarium"));
                command.arg("server");
                command
            }
            Kind::Faulty(fault) => {
                let mut command = Command::new(faulty());
                command.env("VIVARIUM_FAULT", fault);
                // The log shows what the panic said, not where.
                command.env("RUST_BACKTRACE", "0");
                command.env("VIVARIUM_FAULT_FILE", self.folder.join("fault"));
                command.arg("server");
                command
            }
            Kind::Unsignalled => unsignalled(),
            Kind::Apache(release) => {
                let mut command = apache(release);
                command.arg("config");
                command
            }
        };
        command.arg(config).stdin(Stdio::null());
        self.log_to(&mut command);
        self.child = Some(command.spawn().unwrap());
        self.wait_until_serving();
    }

    fn log_to(&self, command: &mut Command) {
        let log = self.folder.join("log");
        command.env("APACHE_LOG", &log);
        let open = || {
            File::options()
                .create(true)
                .append(true)
                .open(&log)
                .unwrap()
        };
        command.stdout(open()).stderr(open());
    }

    fn wait_until_serving(&mut self) {
        let limit = Instant::now() + PATIENCE;
        while !self.word("srvr").contains("Mode: standalone") {
            let ended = self
                .child
                .as_mut()
                .and_then(|child| child.try_wait().unwrap());
            assert!(
                ended.is_none(),
                "{:?} ended: {ended:?}\n{}",
                self.kind,
                self.log()
            );
            assert!(
                Instant::now() < limit,
                "{:?} does not serve:\n{}",
                self.kind,
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The folder of snapshots and logs.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The answer to a four-letter word; empty when nobody answers.
    pub(crate) fn word(&self, word: &str) -> String {
        four_letters(self.port, word)
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// What the process wrote to its log, the end of it.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    pub(crate) fn kill_9(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// From now on the fault acts.
    pub(crate) fn fault(&self) {
        fs::write(self.folder.join("fault"), "").unwrap();
    }

    /// The exit status of a process that ends by itself.
    pub(crate) fn ends(&mut self) -> Option<i32> {
        wait(self.child.take().unwrap(), PATIENCE).status.code()
    }

    /// SIGTERM, and the exit status that follows.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let child = self.child.take().unwrap();
        signal(child.id(), Signal::TERM);
        wait(child, PATIENCE).status.code()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// Our server, which a limit on the length of files does not kill; its configuration follows.
pub(crate) fn unsignalled() -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; exec \"$0\" server \"$1\""]);
    command.arg(env!("CARGO_BIN_EXE_vivarium"));
    command
}

/// The server that can be given a fault: built here, apart from the one for use.
fn faulty() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "-q", "--locked", "-p", "zk-server"])
            .args(["--features", "mutants", "--bin", "vivarium-mutant"])
            .status()
            .unwrap();
        assert!(built.success(), "the server with faults does not build");
        Path::new(env!("CARGO_BIN_EXE_vivarium")).with_file_name("vivarium-mutant")
    })
}

/// Asks a server by a word.
pub(crate) fn four_letters(port: u16, word: &str) -> String {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    // An Apache server that is asked too early stumbles and leaves the connection open.
    stream
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    let mut answer = Vec::new();
    if stream.write_all(word.as_bytes()).is_ok() {
        // A reset after the answer loses nothing of it.
        let _reset = stream.read_to_end(&mut answer);
    }
    String::from_utf8_lossy(&answer).into_owned()
}

/// A port that was free a moment ago, and that the system gives to no outgoing connection: a server that is started
/// again must find it free.
pub(crate) fn free_port() -> u16 {
    free_ports(&[0])
}

/// Of two searches none may find the other's ports: they start so far apart.
const APART: u32 = 20;

/// The first of several such ports, at these distances.
pub(crate) fn free_ports(distances: &[u16]) -> u16 {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    // Other processes that look for ports at the same time begin elsewhere.
    let start = std::process::id().wrapping_mul(797 * APART);
    let is_free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    loop {
        let next = start.wrapping_add(TAKEN.fetch_add(APART, Ordering::Relaxed));
        let port = 10_000 + u16::try_from(next % 20_000).unwrap();
        if distances.iter().all(|distance| is_free(port + distance)) {
            return port;
        }
    }
}

/// Sends a signal.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// The launcher of Apache's programs.
pub(crate) fn apache(release: &str) -> Command {
    let mut command = Command::new(repository("conformance/peers/run-apache.sh"));
    command.arg(release).process_group(0);
    command
}

/// A file of this repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// A file beside the test scripts.
pub(crate) fn client_file(name: &str) -> PathBuf {
    repository("impl/server/tests/clients").join(name)
}

/// Kazoo's Python.
pub(crate) fn python() -> Command {
    let peers = std::env::var_os("VIVARIUM_PEERS").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/vivarium-peers"),
        PathBuf::from,
    );
    let python = peers.join("venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run conformance/peers/setup.sh",
        python.display()
    );
    Command::new(python)
}

/// Runs a command to its end; fails with its output unless it succeeds.
pub(crate) fn run(command: &mut Command) -> Output {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let shown = format!("{child:?}");
    let output = wait(
        child
            .spawn()
            .unwrap_or_else(|error| panic!("{shown}: {error}")),
        PATIENCE * 4,
    );
    assert!(
        output.status.success(),
        "{shown}: {}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// Waits for a process, and kills it when it takes too long.
pub(crate) fn wait(child: Child, limit: Duration) -> Output {
    let pid = child.id();
    let (done, finished) = std::sync::mpsc::channel();
    let waiter = std::thread::spawn(move || {
        let output = child.wait_with_output();
        let _late = done.send(());
        output
    });
    let in_time = finished.recv_timeout(limit).is_ok();
    if !in_time {
        signal(pid, Signal::KILL);
    }
    let output = waiter.join().unwrap().unwrap();
    assert!(
        in_time,
        "took longer than {limit:?}:\n{}",
        String::from_utf8_lossy(&output.stdout)
    );
    output
}
