//! Runs every command of `docs/try-a-protocol-change.md`, in order, in an empty folder.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A command of the page, and what the page says that it prints.
struct Example {
    command: String,
    shown: Vec<String>,
}

/// The `sh` blocks have commands, one a line; a `text` block after one has lines of its output.
fn examples(page: &str) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    let mut block = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(kind), None) => block = Some(kind),
            (Some(_), Some(_)) => block = None,
            (None, Some("sh")) => found.push(Example {
                command: line.to_owned(),
                shown: Vec::new(),
            }),
            (None, Some("text")) => {
                if let Some(last) = found.last_mut() {
                    last.shown.push(line.trim().to_owned());
                }
            }
            (None, _) => {}
        }
    }
    found
}

/// The page runs the checker through cargo; the test has it built.
fn checker(folder: &Path, line: &str) -> Command {
    let arguments = line
        .strip_prefix("cargo run -q -p zab-checker -- ")
        .unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_zab-checker"));
    command.args(arguments.split(' ')).current_dir(folder);
    command
}

/// A server that ends with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().unwrap_or_default();
        self.0.wait().map(|_| ()).unwrap_or_default();
    }
}

/// Starts the Explorer on a free port instead of the page's, and fetches what its last state is.
fn explore(folder: &Path, line: &str) {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let mut child = checker(folder, &format!("{line} --addr {port}"))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let serving = Serving(child);
    let address = lines
        .map(Result::unwrap)
        .find_map(|it| it.strip_prefix("Explorer at ").map(str::to_owned));
    let (_, path) = address.as_deref().unwrap().split_once("#/steps").unwrap();
    let states = fetch(&port.to_string(), &format!("/.states{path}"));
    assert!(states.contains("<svg"), "{states}");
    drop(serving);
}

/// The answer to a GET; the server may need a moment until it listens.
fn fetch(address: &str, path: &str) -> String {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(error) => assert!(std::time::Instant::now() < deadline, "{error}"),
        }
    };
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn every_command_of_the_page_does_what_it_says() {
    let page = std::fs::read_to_string(top().join("docs/try-a-protocol-change.md")).unwrap();
    let examples = examples(&page);
    assert!(examples.len() >= 5, "{} commands", examples.len());
    let folder = tempfile::tempdir().unwrap();
    for example in &examples {
        if example.command.contains(" explore ") {
            explore(folder.path(), &example.command);
            continue;
        }
        let output = checker(folder.path(), &example.command).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        for line in &example.shown {
            assert!(
                said.contains(line.as_str()),
                "{}\ndoes not print\n{line}\nbut\n{said}\n{}",
                example.command,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        // A search that finds a violation fails, as the page says where it shows one.
        let violation = example.shown.iter().any(|it| it.starts_with("VIOLATED"));
        assert_eq!(output.status.success(), !violation, "{}", example.command);
    }
}
