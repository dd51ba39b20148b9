//! Client programs that say when their way to the server shall be cut.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use super::proxy::Proxy;
use super::{PATIENCE, client_file, run, wait};

/// Runs a program with two addresses of a server, the first through a proxy. A line `!close`
/// or `!open` of its output is an order to the proxy; its last line must be `ok`.
pub(crate) async fn run_scripted(mut command: Command, address: String) {
    let proxy = Arc::new(Proxy::to(address.clone()).await);
    command.arg(&proxy.address).arg(address);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit());
    let shown = format!("{command:?}");
    let obey = move || {
        let mut child = command.spawn().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            match line.unwrap().as_str() {
                "!close" => proxy.close(),
                "!open" => proxy.open(),
                line => said.push(line.to_owned()),
            }
        }
        (wait(child, PATIENCE).status, said)
    };
    let (status, said) = tokio::task::spawn_blocking(obey).await.unwrap();
    assert!(
        status.success() && said.last().is_some_and(|line| line == "ok"),
        "{shown}: {status}\n{said:#?}"
    );
}

/// The C client's session, compiled into `folder`.
pub(crate) fn compiled(folder: &Path) -> PathBuf {
    let program = folder.join("session");
    let mut compile = Command::new("cc");
    compile
        .args(["-Wall", "-Werror", "-DTHREADED", "-o"])
        .arg(&program);
    compile
        .arg(client_file("session.c"))
        .args(["-lzookeeper_mt", "-lpthread"]);
    run(&mut compile);
    program
}
