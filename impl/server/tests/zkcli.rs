//! Apache's own command line: one script, on Apache's server and on ours, says the same.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::fs::File;

use harness::{Kind, PATIENCE, Server, apache, client_file, wait};

const RELEASE: &str = "3.9.5";

/// Every reply, error, stat and zxid that the script shows.
// spec: CP-PRE-02, CP-TREE-10, CP-QUO-03, CP-ACL-12, CP-WAT-10, CP-WAT-11
#[test]
fn a_script_says_the_same_on_both_servers() {
    let [apache, ours] = [Kind::Apache(RELEASE), Kind::Vivarium].map(transcript);
    assert!(
        apache.contains("Created /a/s-0000000000"),
        "the script did not run:\n{apache}"
    );
    let both = ours.lines().zip(apache.lines());
    let differing: Vec<_> = both.filter(|(ours, apache)| ours != apache).collect();
    assert!(
        differing.is_empty(),
        "ours and Apache's differ: {differing:#?}"
    );
    assert_eq!(ours.lines().count(), apache.lines().count());
}

fn transcript(kind: Kind) -> String {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(kind, folder.path(), "");
    let mut cli = apache(RELEASE);
    cli.args(["cli", "-timeout", "30000", "-server", &server.address()]);
    cli.stdin(File::open(client_file("zkcli.txt")).unwrap());
    // It says half of it on standard error; one file keeps the order of both.
    let said = folder.path().join("said");
    let file = File::create(&said).unwrap();
    cli.stdout(file.try_clone().unwrap()).stderr(file);
    wait(cli.spawn().unwrap(), PATIENCE * 2);
    normalise(&std::fs::read_to_string(said).unwrap(), server.port)
}

/// Masks the port and the clock. Watch events come from another thread of the client, and
/// identities in no order: both stand at the end, sorted.
// spec: CP-OP-33
fn normalise(text: &str, port: u16) -> String {
    let mut lines = Vec::new();
    let mut unordered = Vec::new();
    for line in text.lines() {
        let line = line.replace(&format!(":{port}"), ":PORT");
        let line = match line.split_once(" = ") {
            Some((name @ ("ctime" | "mtime"), _)) => format!("{name} = TIME"),
            _ => line,
        };
        let from_another_thread =
            line.is_empty() || line.starts_with("Watche") || line.starts_with("WATCHER");
        let identity = line.starts_with("ip: ") || line.starts_with("digest: ");
        if from_another_thread || identity {
            unordered.push(line);
        } else {
            lines.push(line);
        }
    }
    unordered.sort();
    lines.append(&mut unordered);
    lines.join("\n")
}
