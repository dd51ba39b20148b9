//! Who the other servers are and where to find them.

use crate::run::{PeerConfig, PeerRole, QuorumConfig};
use socket2::{SockRef, TcpKeepalive};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use zab::{Quorums, ServerId, Ticks, Timing};
use zk_node::node::TICK_MS;
use zk_node::words::Member;

/// The configured ensemble.
#[derive(Debug)]
pub(crate) struct Members {
    pub(crate) id: i64,
    pub(crate) config: QuorumConfig,
    /// The configuration's text, as notifications and NEWLEADER carry it.
    pub(crate) text: String,
    by_id: BTreeMap<i64, PeerConfig>,
}

/// Which of a member's two ports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PortKind {
    Quorum,
    Election,
}

impl Members {
    pub(crate) fn new(config: QuorumConfig) -> Self {
        let by_id = config
            .peers
            .iter()
            .map(|peer| (signed(peer.id), peer.clone()))
            .collect();
        Self {
            id: signed(config.id),
            text: config.text(),
            by_id,
            config,
        }
    }

    pub(crate) fn get(&self, id: i64) -> Option<&PeerConfig> {
        self.by_id.get(&id)
    }

    /// Whether it is a member that votes.
    pub(crate) fn votes(&self, id: i64) -> bool {
        self.get(id)
            .is_some_and(|peer| peer.role == PeerRole::Participant)
    }

    /// A connection to a member, whichever of its addresses answers first in order. Names are looked up anew.
    // spec: QP-CNX-09, FT-NET-18
    pub(crate) async fn dial(
        &self,
        id: i64,
        kind: PortKind,
        within: Duration,
    ) -> io::Result<TcpStream> {
        let peer = self.get(id).ok_or(io::ErrorKind::NotFound)?;
        let config = &self.config;
        // One address of several that is silent must not use up the time of the others.
        let within = match config.reachability_timeout_ms {
            Some(limit_ms) if !peer.more.is_empty() => {
                within.min(Duration::from_millis(u64::from(limit_ms)))
            }
            _ => within,
        };
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for (host, port) in addresses(peer, kind) {
            match tokio::time::timeout(within, TcpStream::connect((host, port))).await {
                Ok(Ok(stream)) => {
                    tune(&stream, config.election_keep_alive);
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    /// The address to listen on.
    pub(crate) async fn own_address(&self, kind: PortKind) -> io::Result<SocketAddr> {
        let own = self.get(self.id).ok_or(io::ErrorKind::NotFound)?;
        let (host, port) = addresses(own, kind).next().ok_or(io::ErrorKind::NotFound)?;
        if self.config.listen_on_all_addresses {
            return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
        }
        lookup_host((host, port))
            .await?
            .next()
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// This server's election address, as its greeting names it.
    // spec: QP-CNX-01
    pub(crate) fn greeting(&self) -> String {
        self.get(self.id).map_or_else(String::new, |own| {
            let host = if own.host.contains(':') {
                format!("[{}]", own.host)
            } else {
                own.host.clone()
            };
            format!("{host}:{}", own.election_port)
        })
    }

    /// What the protocol core is told.
    pub(crate) fn peer_config(&self, tick_time_ms: u32, window: usize) -> zab::Config {
        let voters = || {
            self.config
                .peers
                .iter()
                .filter(|peer| peer.role == PeerRole::Participant)
        };
        let mut config = zab::Config::new(
            ServerId(self.id),
            voters().map(|peer| ServerId(signed(peer.id))),
        );
        if !self.config.groups.is_empty() {
            let weight = |id: u64| {
                self.config
                    .weights
                    .iter()
                    .find(|(member, _)| *member == id)
                    .map_or(1, |(_, weight)| *weight)
            };
            let members = |ids: &Vec<u64>| {
                ids.iter()
                    .map(|id| (ServerId(signed(*id)), weight(*id)))
                    .collect()
            };
            config.quorums =
                Quorums::weighted(self.config.groups.iter().map(|(_, ids)| members(ids)));
        }
        config.window = window;
        config.timing = self.timing(tick_time_ms);
        config
    }

    /// What `conf` shows.
    pub(crate) fn about(&self) -> Option<Member> {
        let own = self.get(self.id)?;
        Some(Member {
            id: own.id,
            init_limit_ticks: self.config.init_limit_ticks,
            sync_limit_ticks: self.config.sync_limit_ticks,
            election_ports: addresses(own, PortKind::Election)
                .map(|(_, port)| port)
                .collect(),
            quorum_ports: addresses(own, PortKind::Quorum)
                .map(|(_, port)| port)
                .collect(),
            observer: own.role == PeerRole::Observer,
        })
    }

    // spec: quorum-protocol section 1, Timeouts
    fn timing(&self, tick_time_ms: u32) -> Timing {
        let ticks = |ms: u64| {
            Ticks(
                u32::try_from(ms.div_ceil(TICK_MS))
                    .unwrap_or(u32::MAX)
                    .max(1),
            )
        };
        let tick = u64::from(tick_time_ms);
        let config = &self.config;
        Timing {
            ping: ticks(tick / 2),
            init: ticks(tick * u64::from(config.init_limit_ticks)),
            sync: ticks(tick * u64::from(config.sync_limit_ticks)),
            notify_min: ticks(u64::from(config.min_notification_ms)),
            notify_max: ticks(u64::from(config.max_notification_ms)),
            finalize: ticks(u64::from(config.finalize_wait_ms)),
        }
    }
}

fn addresses(peer: &PeerConfig, kind: PortKind) -> impl Iterator<Item = (&str, u16)> {
    let port = move |quorum, election| match kind {
        PortKind::Quorum => quorum,
        PortKind::Election => election,
    };
    let first = (
        peer.host.as_str(),
        port(peer.quorum_port, peer.election_port),
    );
    std::iter::once(first).chain(
        peer.more
            .iter()
            .map(move |(host, quorum, election)| (host.as_str(), port(*quorum, *election))),
    )
}

/// Options of a connection between servers. One that fails costs speed or an early notice, no more.
// spec: QP-CNX-10
pub(crate) fn tune(stream: &TcpStream, keep_alive: bool) {
    let tuned = stream.set_nodelay(true).and_then(|()| {
        if keep_alive {
            SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new())?;
        }
        Ok(())
    });
    if let Err(error) = tuned {
        tracing::debug!(%error, "socket options");
    }
}

/// Ids of members are 0 to 254; a larger one is refused by the core.
fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
