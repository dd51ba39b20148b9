//! Servers that tests start.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) const SUITE: &str = env!("CARGO_BIN_EXE_zk-conformance");

pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A server that ends with the test.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    _dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().expect("the server can be ended");
        self.child.wait().expect("the server ends");
    }
}

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address")
}

/// A port that accepts may belong to a server that does not serve yet: `srvr` tells.
fn serves(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"srvr")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("Mode:"))
}

/// What [`start`] sets up, as `--set-up` takes it.
pub(crate) const SET_UP: &str = "super,ttl,quota,container,short-sessions";

/// Starts `command` with a zoo.cfg that has everything the suite can use.
pub(crate) fn start(command: Command) -> Server {
    start_with(command, |_| {})
}

/// The same after `change` of the zoo.cfg's lines.
pub(crate) fn start_with(mut command: Command, change: impl FnOnce(&mut Vec<String>)) -> Server {
    let dir = tempfile::tempdir().expect("a folder");
    let address = free_address();
    let config = dir.path().join("zoo.cfg");
    let mut lines = vec![
        "tickTime=200".to_owned(),
        format!("dataDir={}", dir.path().join("data").display()),
        format!("clientPort={}", address.port()),
        "clientPortAddress=127.0.0.1".into(),
        "maxSessionTimeout=60000".into(),
        "maxClientCnxns=0".into(),
        "4lw.commands.whitelist=*".into(),
        "extendedTypesEnabled=true".into(),
        "enforceQuota=true".into(),
        "DigestAuthenticationProvider.superDigest=super:D/InIHSb7yEEbrWz8b9l71RjZJU=".into(),
        "admin.enableServer=false".into(),
        "znode.container.checkIntervalMs=200".into(),
    ];
    change(&mut lines);
    std::fs::create_dir(dir.path().join("data")).expect("a data folder");
    std::fs::write(&config, lines.join("\n") + "\n").expect("a zoo.cfg");
    let child = command
        .arg(&config)
        .arg("-Dznode.container.checkIntervalMs=200")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the server starts");
    let server = Server {
        child,
        address,
        _dir: dir,
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while !serves(address) {
        assert!(Instant::now() < deadline, "no server at {address}");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}
