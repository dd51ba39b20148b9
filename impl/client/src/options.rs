//! How to reach an ensemble.

use std::time::Duration;

use crate::chroot::Chroot;
use crate::error::Error;

/// Servers, session timeout and limits.
#[derive(Clone, Debug)]
pub struct Options {
    /// `host:port` of each server; names are resolved at each attempt.
    pub(crate) servers: Vec<String>,
    pub(crate) chroot: Chroot,
    /// What to ask for; the server may answer with another.
    pub session_timeout: Duration,
    /// Serve reads from a server without a quorum, when there is no other.
    pub read_only: bool,
    /// Requests sent and not yet answered; more wait.
    pub max_in_flight: usize,
    /// A longer reply breaks the connection.
    pub max_reply_bytes: usize,
    pub(crate) auth: Vec<(String, Vec<u8>)>,
}

impl Options {
    /// From a connect string: `host:port,host:port[/chroot]`.
    pub fn new(connect: &str) -> Result<Self, Error> {
        let (servers, chroot) = match connect.find('/') {
            Some(at) => connect.split_at(at),
            None => (connect, ""),
        };
        let servers: Vec<String> = servers
            .split(',')
            .map(str::trim)
            .filter(|server| !server.is_empty())
            .map(with_port)
            .collect();
        if servers.is_empty() {
            let why = format!("no server in connect string {connect:?}");
            return Err(Error::BadArgument(why));
        }
        Ok(Self {
            servers,
            chroot: Chroot::new(chroot)?,
            session_timeout: Duration::from_secs(30),
            read_only: false,
            max_in_flight: 1000,
            max_reply_bytes: 64 << 20,
            auth: Vec::new(),
        })
    }

    #[must_use]
    pub fn session_timeout(mut self, timeout: Duration) -> Self {
        self.session_timeout = timeout;
        self
    }

    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }

    /// A credential for every connection, as `Client::add_auth` adds them later.
    #[must_use]
    pub fn auth(mut self, scheme: &str, auth: &[u8]) -> Self {
        self.auth.push((scheme.to_owned(), auth.to_vec()));
        self
    }

    pub(crate) fn session_timeout_ms(&self) -> i32 {
        i32::try_from(self.session_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

/// ZooKeeper's own port, where a server is given without one.
fn with_port(server: &str) -> String {
    let after_brackets = server.rfind(']').map_or(server, |end| &server[end..]);
    if after_brackets.contains(':') {
        server.to_owned()
    } else {
        format!("{server}:2181")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_strings() {
        let options = Options::new("a:1, b,[::1]:3,[::2]/app/x").unwrap();
        assert_eq!(options.servers, ["a:1", "b:2181", "[::1]:3", "[::2]:2181"]);
        assert_eq!(options.chroot.out("/n").unwrap(), "/app/x/n");
        for wrong in ["", "/app", "a:1/app/", "a:1//"] {
            assert!(Options::new(wrong).is_err(), "{wrong}");
        }
        assert!(Options::new("a:1/").is_ok());
    }
}
