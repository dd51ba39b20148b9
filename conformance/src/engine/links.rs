//! Forwards the links between the servers of an ensemble, and holds those of a
//! server that is cut off: bytes wait, as they do in a partition.
//!
//! A link listens while its target does, so a server that is not there refuses
//! connections. Were they taken and then closed, Apache's followers would go
//! back to an election instead of trying again, and a new leader would wait
//! `initLimit` for them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

/// Pause between two looks at whether a link is cut, or its target listens.
const POLL: Duration = Duration::from_millis(20);

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
    let routes = parse(text)?;
    for route in &routes {
        listen(*route)?;
    }
    let mut open: Vec<Option<TcpListener>> = routes.iter().map(|_| None).collect();
    loop {
        let ports = listening(&["/proc/net/tcp", "/proc/net/tcp6"])?;
        for (route, listener) in routes.iter().zip(&mut open) {
            if !ports.contains(&route.target) {
                *listener = None;
                continue;
            }
            match listener {
                Some(listener) => accept(listener, *route, &cut),
                // A port that is in use for a moment is tried again.
                None => *listener = listen(*route).ok(),
            }
        }
        thread::sleep(POLL);
    }
}

fn listen(route: Route) -> Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, route.listen));
    let listener = TcpListener::bind(address).with_context(|| format!("listening on {address}"))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Ports that some process of this machine listens on, from Linux's tables. Dialling to find out would be a
/// connection that the server has to deal with. Listeners come first: the thousands of closed connections behind
/// them are not even read.
fn listening(tables: &[&str]) -> Result<BTreeSet<u16>> {
    let mut ports = BTreeSet::new();
    for table in tables {
        let file = File::open(table).with_context(|| format!("reading {table}"))?;
        for line in BufReader::new(file).lines().skip(1) {
            match listener_port(&line?) {
                Some(port) => ports.insert(port),
                None => break,
            };
        }
    }
    Ok(ports)
}

/// The port of a line in state 0A, LISTEN.
fn listener_port(line: &str) -> Option<u16> {
    let mut words = line.split_whitespace().skip(1);
    let (_, port) = words.next()?.rsplit_once(':')?;
    let state = words.nth(1)?;
    (state == "0A").then(|| u16::from_str_radix(port, 16).ok())?
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

/// Takes all connections that wait.
fn accept(listener: &TcpListener, route: Route, cut: &Arc<Path>) {
    while let Ok((client, _)) = listener.accept() {
        let cut = Arc::clone(cut);
        if client.set_nonblocking(false).is_ok() {
            thread::spawn(move || connect(client, route, &cut));
        }
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

    #[test]
    fn only_a_listener_counts() {
        let line = |state| {
            format!(
                "   0: 0100007F:62D5 00000000:0000 {state} 00000000:00000000 00:00000000 00000000 0"
            )
        };
        assert_eq!(listener_port(&line("0A")), Some(25_301));
        assert_eq!(listener_port(&line("01")), None);
        assert_eq!(listener_port("  sl  local_address rem_address   st"), None);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let ports = listening(&["/proc/net/tcp"]).expect("a table");
        assert!(ports.contains(&port));
    }
}
