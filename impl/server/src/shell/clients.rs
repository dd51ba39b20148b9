//! The port for clients: listening, admission, and a task for each connection.

use super::clock::Clock;
use super::connection::{Connection, Rope, TaskBell};
use super::host::Process;
use super::inbox::Inbox;
use crate::run::RunError;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use std::io;
use std::io::ErrorKind::{AddrInUse, PermissionDenied};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use zk_node::conn::lane::Lane;
use zk_node::facts::View;
use zk_node::words::{About, Asked, Word, answer};
use zk_node::{Conn, Input, Shared};

/// What every connection of the port needs.
pub(crate) struct Port {
    pub(crate) shared: Arc<Shared>,
    pub(crate) driver: Arc<Inbox<Input>>,
    pub(crate) clock: Clock,
    pub(crate) about: About,
    pub(crate) process: Process,
    pub(crate) keep_alive: bool,
    /// One word at a time (FT-CON-22).
    pub(crate) words: Mutex<()>,
}

/// Unless configured; a small one costs clients a second when many connect at once.
const BACKLOG: i32 = 4096;

/// After a failed accept, which is mostly a lack of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Listens at an address; the one that stands for all is that of both families.
// spec: CP-CFG-09. As Apache's: Java's sockets take the IPv6 wildcard for either, and IPv4's on a system without IPv6.
pub(crate) fn listen(address: SocketAddr, backlog: i32) -> Result<std::net::TcpListener, RunError> {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, address.port()));
    let one = SocketAddr::from((Ipv4Addr::UNSPECIFIED, address.port()));
    let opened = if address.ip().is_unspecified() {
        match open(both, backlog) {
            Ok(listener) => Ok(listener),
            // Taken: the other family's would be half of what was asked for.
            Err(error) if matches!(error.kind(), AddrInUse | PermissionDenied) => Err(error),
            Err(_) => open(one, backlog),
        }
    } else {
        open(address, backlog)
    };
    opened.map_err(|source| RunError::Listen { address, source })
}

fn open(address: SocketAddr, backlog: i32) -> io::Result<std::net::TcpListener> {
    let (domain, protocol) = (Domain::for_address(address), Protocol::TCP);
    let socket = Socket::new(domain, Type::STREAM, Some(protocol))?;
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(if backlog > 0 { backlog } else { BACKLOG })?;
    Ok(socket.into())
}

/// Whether a listener at `bound` listens at `wanted` too.
pub(crate) fn is_same(bound: SocketAddr, wanted: SocketAddr) -> bool {
    let all = bound.ip().is_unspecified() && wanted.ip().is_unspecified();
    bound == wanted || all && bound.port() == wanted.port()
}

/// An address as its owner has it: a listener of both families shows IPv4's in IPv6's clothes.
// spec: CP-ACL-22, CP-AUTH-01. `ip` grants, limits for an address and the log know it by the one it has.
pub(crate) fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

impl Port {
    /// Accepts until the task is dropped.
    // spec: FT-PROC-14. A failed accept ends nothing.
    pub(crate) async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.admit(stream, plain(peer)),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    // spec: CP-THR-01, CP-FRM-14
    fn admit(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr) {
        let Some(id) = self.shared.enter(peer) else {
            return;
        };
        let now = self.clock.now();
        let bell = Arc::new(TaskBell::default());
        let lane = Arc::new(Lane::new(
            id,
            peer,
            false,
            Box::new(Rope(Arc::clone(&bell))),
            now,
        ));
        let conn = Conn::new(Arc::clone(&self.shared), Arc::clone(&lane), now);
        if let Err(error) = tune(&stream, self.keep_alive) {
            tracing::debug!(%error, %peer, "socket options");
        }
        tokio::spawn(Connection::new(Arc::clone(self), conn, bell, stream));
    }

    // spec: FT-CON-22
    pub(crate) fn answer(&self, word: Word, argument: &[u8], secure: bool) -> String {
        let _one_at_a_time = self.words.lock().unwrap_or_else(PoisonError::into_inner);
        let view = View {
            shared: &self.shared,
            now: self.clock.now(),
            secure,
        };
        let asked = Asked {
            facts: &view,
            settings: &self.shared.settings,
            about: &self.about,
            host: &self.process,
        };
        answer(word, argument, &asked)
    }
}

// spec: CP-FRM-14, QP-CNX-10
pub(crate) fn tune(stream: &TcpStream, keep_alive: bool) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if keep_alive {
        SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepted_sockets_have_apaches_options() {
        // spec: CP-FRM-14
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let _client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        for keep_alive in [false, true] {
            tune(&stream, keep_alive).unwrap();
            let socket = SockRef::from(&stream);
            assert!(socket.tcp_nodelay().unwrap());
            assert_eq!(socket.linger().unwrap(), None);
            assert_eq!(socket.keepalive().unwrap(), keep_alive);
        }
    }

    #[test]
    fn all_addresses_are_one_listener() {
        // spec: CP-CFG-09, QP-CFG-02
        let [four, six, one] = ["0.0.0.0:1", "[::]:1", "127.0.0.1:1"].map(|a| a.parse().unwrap());
        assert!(is_same(six, four) && is_same(four, six) && is_same(one, one));
        assert!(!is_same(six, one) && !is_same(six, "0.0.0.0:2".parse().unwrap()));
        assert_eq!(plain("[::ffff:127.0.0.1]:1".parse().unwrap()), one);
        assert_eq!(plain(six), six);
        let listener = listen("0.0.0.0:0".parse().unwrap(), 0).unwrap();
        let port = listener.local_addr().unwrap().port();
        assert!(matches!(
            listen(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port)), 0),
            Err(RunError::Listen { source, .. }) if source.kind() == AddrInUse
        ));
    }
}
