//! The process itself: how it starts, refuses to, says how it is, and ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use harness::{Kind, PATIENCE, Server, four_letters, free_port, wait};
use zk_client::{Acl, Client, CreateMode};

/// `vivarium` in a folder of its own.
fn vivarium(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vivarium"));
    command.current_dir(folder).args(arguments);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command that must end by itself.
fn ends(folder: &Path, arguments: &[&str]) -> Output {
    wait(vivarium(folder, arguments).spawn().unwrap(), PATIENCE)
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[test]
fn without_a_configuration_it_is_a_server_in_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let flag = format!("clientPort={port}");
    let mut child = vivarium(folder.path(), &["server", "-D", &flag])
        .spawn()
        .unwrap();
    let limit = Instant::now() + PATIENCE;
    while !four_letters(port, "srvr").contains("Mode: standalone") {
        assert!(Instant::now() < limit && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(folder.path().join("vivarium-data/version-2").is_dir());
    harness::signal(child.id(), rustix::process::Signal::TERM);
    let output = wait(child, PATIENCE);
    assert_eq!(output.status.code(), Some(0));
    // How long is for `benches` to judge: other tests run beside this one.
    let log = said(&output);
    let line = log
        .lines()
        .find(|line| line.contains("serving elapsed_ms="));
    println!("{}", line.unwrap_or_else(|| panic!("{log}")));
}

/// As behind `| tee` that ended, or on a full /var/log.
// spec: P-LIVE, P-DIE
#[test]
fn a_log_line_that_nobody_takes_ends_nothing() {
    for format in ["text", "json"] {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let flag = format!("clientPort={port}");
        let arguments = ["server", "-D", &flag, "--log-format", format];
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut child = vivarium(folder.path(), &arguments)
            .stderr(writer)
            .spawn()
            .unwrap();
        let limit = Instant::now() + PATIENCE;
        while !four_letters(port, "srvr").contains("Mode: standalone") {
            assert_eq!(child.try_wait().unwrap(), None, "{format}");
            assert!(Instant::now() < limit);
            std::thread::sleep(Duration::from_millis(10));
        }
        harness::signal(child.id(), rustix::process::Signal::TERM);
        assert_eq!(wait(child, PATIENCE).status.code(), Some(0));
    }
}

// spec: DF-SYN-03, P-LOUD
#[tokio::test]
async fn a_slow_sync_is_warned_of_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let lines = "fsync.warningthresholdms=0\n";
    let server = Server::start(harness::Kind::Vivarium, folder.path(), lines);
    let client = Client::connect(&server.address()).await.unwrap();
    client.set_data("/", b"x", -1).await.unwrap();
    assert!(
        server.log().contains("syncing the log was slow"),
        "{}",
        server.log()
    );
    let counted = server.word("mntr");
    let count = counted
        .lines()
        .find_map(|line| line.strip_prefix("zk_fsync_threshold_exceed_count\t"));
    assert!(count.unwrap().parse::<u64>().unwrap() > 0, "{counted}");
}

/// Snapshots that the disk refuses are counted, nobody notices, and the next one that it takes is whole.
// spec: FT-DISK-09, P-LOUD
#[tokio::test]
async fn a_snapshot_that_fails_is_counted_and_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let lines = format!("dataLogDir={}\nsnapCount=20\n", logs.display());
    let mut server = Server::start(Kind::Vivarium, folder.path(), &lines);
    let client = Client::connect(&server.address()).await.unwrap();
    let metric = |server: &Server, name: &str| {
        let answer = server.word("mntr");
        let value = answer.lines().find_map(|line| line.strip_prefix(name));
        value.unwrap().trim().parse::<u64>().unwrap()
    };
    let mut written = 0;
    let mut write_until = async |server: &Server, name: &str| {
        while metric(server, name) == 0 {
            assert!(written < 2_000, "{}", server.log());
            let (path, open) = (format!("/n{written}"), [Acl::open()]);
            let created = client.create(&path, b"", &open, CreateMode::Persistent);
            created.await.unwrap();
            written += 1;
        }
    };
    assert_eq!(metric(&server, "zk_snap_count"), 0);
    let (snapshots, away) = (server.data().join("version-2"), folder.path().join("away"));
    fs::rename(&snapshots, &away).unwrap();
    write_until(&server, "zk_snapshot_error_count").await;
    assert!(server.log().contains("a snapshot failed"));
    fs::rename(&away, &snapshots).unwrap();
    write_until(&server, "zk_snap_count").await;
    server.kill_9();
    server.restart();
    let client = Client::connect(&server.address()).await.unwrap();
    // Among them `zookeeper`.
    assert_eq!(client.get_children("/").await.unwrap().len(), written + 1);
}

// spec: DF-DIR-01
#[test]
fn a_missing_folder_is_made_unless_it_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    for key in ["datadir.autocreate", "zookeeper.datadir.autocreate"] {
        let text = format!("dataDir=data\nclientPort=0\n{key}=false\n");
        fs::write(folder.path().join("zoo.cfg"), text).unwrap();
        let output = ends(folder.path(), &["server", "zoo.cfg", "--strict-config"]);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).contains("datadir.autocreate"));
        assert!(!folder.path().join("data").exists());
    }
}

/// All addresses are those of either family, and a caller is known by the address that it has itself.
// spec: CP-CFG-09
#[test]
fn without_an_address_clients_of_both_families_are_served() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let whitelist = "4lw.commands.whitelist=*";
    let arguments = ["server", &port.to_string(), "data", "-D", whitelist];
    let child = vivarium(folder.path(), &arguments).spawn().unwrap();
    let ask = |host: &str| {
        let mut stream = TcpStream::connect((host, port)).ok()?;
        stream.write_all(b"cons").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    // The port is there a moment before the server serves.
    let limit = Instant::now() + PATIENCE;
    let four = loop {
        let answer = ask("127.0.0.1");
        let served = answer
            .as_ref()
            .is_some_and(|it| it.contains(" /127.0.0.1:"));
        if served || Instant::now() > limit {
            break answer;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let six = ask("::1");
    harness::signal(child.id(), rustix::process::Signal::TERM);
    assert_eq!(wait(child, PATIENCE).status.code(), Some(0));
    let four = four.expect("served over IPv4");
    assert!(four.contains(" /127.0.0.1:"), "{four}");
    // A machine without IPv6 has the other family alone.
    if TcpListener::bind(("::1", 0)).is_ok() {
        let six = six.expect("served over IPv6");
        assert!(
            six.contains("0:0:0:0:0:0:0:1") || six.contains("::1"),
            "{six}"
        );
    } else {
        assert_eq!(six, None);
    }
}

// spec: CP-CFG-08
#[test]
fn port_and_folder_are_enough() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().to_string();
    let child = vivarium(folder.path(), &["server", &port, "data", "500", "10"])
        .spawn()
        .unwrap();
    let limit = Instant::now() + PATIENCE;
    while !four_letters(port.parse().unwrap(), "srvr").contains("Mode: standalone") {
        assert!(Instant::now() < limit);
        std::thread::sleep(Duration::from_millis(10));
    }
    harness::signal(child.id(), rustix::process::Signal::INT);
    assert_eq!(wait(child, PATIENCE).status.code(), Some(0));
}

// spec: FT-ADM-07, CP-CFG-02
#[test]
fn a_configuration_is_refused_by_status_2_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let write = |lines: &str| fs::write(folder.path().join("zoo.cfg"), lines).unwrap();
    for (lines, expected) in [
        (
            "dataDir=data\ntickTime=no\n",
            "zoo.cfg:2: tickTime: \"no\" is not allowed",
        ),
        ("clientPort=1\n", "zoo.cfg: dataDir is not set"),
        (
            "dataDir=data\nsslQuorum=true\n",
            "zoo.cfg:2: sslQuorum: refused: TLS is not built yet",
        ),
    ] {
        write(lines);
        let output = ends(folder.path(), &["server", "zoo.cfg"]);
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(said(&output).contains(expected), "{}", said(&output));
    }
    write("dataDir=data\nclientPort=0\ntickTme=2\n");
    let output = ends(folder.path(), &["server", "zoo.cfg", "--strict-config"]);
    assert_eq!(output.status.code(), Some(2));
    let expected = "zoo.cfg:3: tickTme: unknown key; did you mean tickTime? (--strict-config)";
    assert!(said(&output).contains(expected), "{}", said(&output));
    assert!(
        !folder.path().join("data").exists(),
        "a refused start left something behind"
    );
}

#[test]
fn status_tells_the_mode_as_apaches_script_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::vivarium(folder.path());
    let output = ends(folder.path(), &["status", "zoo.cfg"]);
    assert!(output.status.success(), "{}", said(&output));
    let expected = format!(
        "Client port found: {}. Client address: 127.0.0.1. Client SSL: false.\nMode: standalone\n",
        server.port
    );
    assert_eq!(said(&output), expected);
    server.terminate();
    let output = ends(folder.path(), &["status", "zoo.cfg"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("It is probably not running."));
}

#[test]
fn logs_are_json_lines_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("zoo.cfg"),
        "dataDir=data\nsecureClientPort=1\ntickTime=0",
    )
    .unwrap();
    let output = ends(
        folder.path(),
        &["server", "zoo.cfg", "--log-format", "json"],
    );
    let text = said(&output);
    assert!(!text.is_empty());
    for line in text.lines() {
        assert!(
            line.starts_with('{') && line.ends_with('}') && line.contains("\"level\":"),
            "{line}"
        );
    }
}

// spec: FT-PROC-09, P-DUR
#[tokio::test]
async fn sigterm_ends_it_in_order_and_a_kill_costs_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::vivarium(folder.path());
    let open = [Acl::open()];
    for (life, killed) in [false, true, false].into_iter().enumerate() {
        let client = Client::connect(&server.address()).await.unwrap();
        let path = format!("/life-{life}");
        client
            .create(&path, b"", &open, CreateMode::Persistent)
            .await
            .unwrap();
        let began = Instant::now();
        if killed {
            server.kill_9();
        } else {
            assert_eq!(server.terminate(), Some(0), "{}", server.log());
            assert!(began.elapsed() < Duration::from_secs(5));
        }
        server.restart();
    }
    let client = Client::connect(&server.address()).await.unwrap();
    let children = client.get_children("/").await.unwrap();
    assert_eq!(children, ["life-0", "life-1", "life-2", "zookeeper"]);
}

// spec: FT-PROC-15, P-DETECT
#[test]
fn a_second_process_on_the_same_data_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::vivarium(folder.path());
    let data = server.data();
    let output = ends(folder.path(), &["server", "0", data.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(server.word("ruok") == "imok");
}

// spec: P-DETECT, FT-DISK-12, INV-18
#[tokio::test]
async fn damage_is_refused_by_status_3_file_and_offset() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::vivarium(folder.path());
    let client = Client::connect(&server.address()).await.unwrap();
    for n in 0..20 {
        let path = format!("/n{n}");
        client
            .create(&path, &[n; 100], &[Acl::open()], CreateMode::Persistent)
            .await
            .unwrap();
    }
    assert_eq!(server.terminate(), Some(0));
    let log = newest_log(&server.data());
    let mut bytes = fs::read(&log).unwrap();
    bytes[1000] ^= 1;
    fs::write(&log, &bytes).unwrap();
    let output = ends(folder.path(), &["server", "zoo.cfg"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let name = log.file_name().unwrap().to_str().unwrap();
    assert!(said(&output).contains(name), "{}", said(&output));
    assert!(
        fs::read(&log).unwrap() == bytes,
        "the refusal changed the file"
    );
}

fn newest_log(data: &Path) -> std::path::PathBuf {
    let files = fs::read_dir(data.join("version-2")).unwrap();
    let logs = files.map(|entry| entry.unwrap().path());
    let is_log = |path: &std::path::PathBuf| {
        path.file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("log.")
    };
    logs.filter(is_log).max().unwrap()
}
