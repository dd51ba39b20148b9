//! `vivarium status`: the mode of the server that a zoo.cfg describes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use super::ask::{ask, field};
use super::exit;

const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(file: &Path) -> ExitCode {
    let config = match super::configuration(file) {
        Ok(config) => config,
        Err(refused) => return refused,
    };
    let Some(address) = config.client_address.map(reachable) else {
        eprintln!("{}: no client port", file.display());
        return exit::CONFIGURATION.into();
    };
    match mode(address) {
        Ok(mode) => {
            println!(
                "Client port found: {}. Client address: {}. Client SSL: false.",
                address.port(),
                address.ip()
            );
            println!("Mode: {mode}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!(
                "Error contacting service at {address}: {error}. It is probably not running."
            );
            exit::FAILED.into()
        }
    }
}

/// Where to dial a server that listens everywhere.
fn reachable(listener: SocketAddr) -> SocketAddr {
    let ip = match listener.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listener.port())
}

fn mode(address: SocketAddr) -> std::io::Result<String> {
    let answer = ask(address, "srvr", PATIENCE)?;
    // A server that does not serve yet says so in its only line.
    field(&answer, "Mode: ")
        .map(str::to_owned)
        .ok_or_else(|| std::io::Error::other(answer.trim().to_owned()))
}
