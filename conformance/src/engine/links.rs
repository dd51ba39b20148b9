//! Forwards the links between the servers of an ensemble, and holds those of a
//! server that is cut off: bytes wait, as they do in a partition.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// Pause between two looks at whether a link is cut.
const POLL: Duration = Duration::from_millis(10);

/// One line of a links file: `FROM TO LISTEN TARGET`, two server numbers and two
/// ports on loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Route {
    from: u32,
    to: u32,
    listen: u16,
    target: u16,
}

/// Forwards every route of `text` until the process ends. A file in `cut` named
/// after a server holds that server's links.
pub fn forward(text: &str, cut: &Path) -> Result<()> {
    let cut: Arc<Path> = Arc::from(cut);
    let mut acceptors = Vec::new();
    for route in parse(text)? {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, route.listen));
        let listener =
            TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
        let cut = Arc::clone(&cut);
        acceptors.push(thread::spawn(move || accept(&listener, route, &cut)));
    }
    for acceptor in acceptors {
        if acceptor.join().is_err() {
            bail!("a link's thread panicked");
        }
    }
    Ok(())
}

fn parse(text: &str) -> Result<Vec<Route>> {
    text.lines()
        .map(|line| {
            let numbers: Vec<u32> = line
                .split_whitespace()
                .map(str::parse)
                .collect::<Result<_, _>>()?;
            let [from, to, listen, target] = numbers.as_slice() else {
                bail!("FROM TO LISTEN TARGET, not {line:?}");
            };
            Ok(Route {
                from: *from,
                to: *to,
                listen: u16::try_from(*listen)?,
                target: u16::try_from(*target)?,
            })
        })
        .collect()
}

fn accept(listener: &TcpListener, route: Route, cut: &Arc<Path>) {
    for client in listener.incoming().flatten() {
        let cut = Arc::clone(cut);
        thread::spawn(move || connect(client, route, &cut));
    }
}

fn connect(client: TcpStream, route: Route, cut: &Arc<Path>) {
    wait_while_cut(route, cut);
    let target = SocketAddr::from((Ipv4Addr::LOCALHOST, route.target));
    let Ok(server) = TcpStream::connect(target) else {
        return;
    };
    let (Ok(client_copy), Ok(server_copy)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let back = Arc::clone(cut);
    thread::spawn(move || copy(server_copy, client_copy, route, &back));
    copy(client, server, route, cut);
}

fn copy(mut from: TcpStream, mut to: TcpStream, route: Route, cut: &Path) {
    let mut buffer = [0; 32 << 10];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        wait_while_cut(route, cut);
        if to
            .write_all(buffer.get(..count).unwrap_or_default())
            .is_err()
        {
            break;
        }
    }
    wait_while_cut(route, cut);
    for stream in [&from, &to] {
        if stream.shutdown(Shutdown::Both).is_err() {
            // The other direction was faster.
        }
    }
}

fn wait_while_cut(route: Route, cut: &Path) {
    let files: [PathBuf; 2] = [route.from, route.to].map(|id| cut.join(id.to_string()));
    while files.iter().any(|file| file.exists()) {
        thread::sleep(POLL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_two_servers_and_two_ports() {
        let route = Route {
            from: 1,
            to: 2,
            listen: 26_205,
            target: 26_212,
        };
        assert_eq!(parse("1 2 26205 26212\n").expect("parses"), [route]);
        assert!(parse("1 2 3").is_err());
        assert!(parse("1 2 99999 3").is_err());
    }
}
