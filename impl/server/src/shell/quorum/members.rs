//! Who the other servers are and where to find them.

use crate::config::Host;
use crate::run::{PeerConfig, QuorumConfig};
use crate::shell::clients;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
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
    /// Names that meant nothing when they were last looked up. The log tells of a change alone.
    unresolved: Mutex<BTreeSet<String>>,
}

/// Which of a member's two ports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PortKind {
    Quorum,
    Election,
}

impl PortKind {
    /// What the log calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Election => "election",
        }
    }

    /// Host and this port of each of the member's addresses.
    fn addresses(self, peer: &PeerConfig) -> impl Iterator<Item = (&str, u16)> {
        peer.addresses()
            .map(move |(host, quorum, election)| match self {
                Self::Quorum => (host, quorum),
                Self::Election => (host, election),
            })
    }
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
            unresolved: Mutex::default(),
            config,
        }
    }

    pub(crate) fn get(&self, id: i64) -> Option<&PeerConfig> {
        self.by_id.get(&id)
    }

    /// Whether it is a member that votes.
    pub(crate) fn votes(&self, id: i64) -> bool {
        self.get(id).is_some_and(PeerConfig::votes)
    }

    /// A connection to a member, whichever of its addresses answers first in order.
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
        for (host, port) in kind.addresses(peer) {
            match self.connect(host, port, Instant::now() + within).await {
                Ok(stream) => {
                    tune(&stream, config.election_keep_alive);
                    return Ok(stream);
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    async fn connect(&self, host: &str, port: u16, until: Instant) -> io::Result<TcpStream> {
        let addresses = self.look_up(host, port, until).await?;
        timeout_at(until, TcpStream::connect(&*addresses))
            .await
            .unwrap_or_else(|late| Err(late.into()))
    }

    /// What a name means at this moment: a server may have moved, or be known to the name service only later.
    // spec: QP-CNX-09, QP-ZAB-01, FT-NET-18
    async fn look_up(&self, host: &str, port: u16, until: Instant) -> io::Result<Vec<SocketAddr>> {
        let found = timeout_at(until, lookup_host((host, port)))
            .await
            .unwrap_or_else(|late| Err(late.into()));
        let mut unresolved = self
            .unresolved
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match &found {
            Ok(_) if unresolved.remove(host) => tracing::info!(host, "the name resolves now"),
            Ok(_) => {}
            Err(error) if unresolved.insert(host.to_owned()) => {
                tracing::warn!(%error, host, "the name does not resolve; each dial looks it up again");
            }
            Err(_) => {}
        }
        Ok(found?.collect())
    }

    /// Where to listen, as host and port: at each of this server's addresses, or at all of the machine's.
    // spec: QP-CFG-02, CP-CFG-20
    pub(crate) fn own_hosts(&self, kind: PortKind) -> BTreeSet<(String, u16)> {
        let own = self.get(self.id).into_iter();
        own.flat_map(|own| kind.addresses(own))
            .map(|(host, port)| {
                let all = self.config.listen_on_all_addresses;
                (if all { "0.0.0.0" } else { host }.to_owned(), port)
            })
            .collect()
    }

    /// What one of `own_hosts` means at this moment.
    pub(crate) async fn own_address(&self, host: &str, port: u16) -> io::Result<SocketAddr> {
        let within = Duration::from_millis(u64::from(self.config.connect_timeout_ms.max(1)));
        let found = self.look_up(host, port, Instant::now() + within).await?;
        let first = found.first().copied();
        first.ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
    }

    /// This server's election address, as its greeting names it.
    // spec: QP-CNX-01
    pub(crate) fn greeting(&self) -> String {
        self.get(self.id).map_or_else(String::new, |own| {
            format!("{}:{}", Host(&own.host), own.election_port)
        })
    }

    /// What the protocol core is told.
    pub(crate) fn peer_config(&self, tick_time_ms: u32, window: usize) -> zab::Config {
        let voters = self.config.peers.iter().filter(|peer| peer.votes());
        let mut config = zab::Config::new(
            ServerId(self.id),
            voters.map(|peer| ServerId(signed(peer.id))),
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
        config.opening_txn = self.config.opening_txn;
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
            election_ports: own.addresses().map(|(_, _, port)| port).collect(),
            quorum_ports: own.addresses().map(|(_, port, _)| port).collect(),
            observer: !own.votes(),
            membership: self.text.clone(),
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

/// Options of a connection between servers. One that fails costs speed or an early notice, no more.
// spec: QP-CNX-10
pub(crate) fn tune(stream: &TcpStream, keep_alive: bool) {
    if let Err(error) = clients::tune(stream, keep_alive) {
        tracing::debug!(%error, "socket options");
    }
}

/// Ids of members are 0 to 254; a larger one is refused by the core.
fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
