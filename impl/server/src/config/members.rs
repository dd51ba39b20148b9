//! Member lines: `server.N`, `group.N`, `weight.N`, and the text of a whole membership.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

use crate::run::{PeerConfig, PeerRole, QuorumConfig};

/// The member lines of a file, as far as they have been read.
#[derive(Debug, Clone, Default)]
pub(super) struct Membership {
    pub members: BTreeMap<u64, PeerConfig>,
    pub groups: BTreeMap<u64, BTreeSet<u64>>,
    pub weights: BTreeMap<u64, u64>,
    pub version: i64,
}

impl QuorumConfig {
    /// The configuration text: data of `/zookeeper/config`, without a final newline.
    // spec: CP-CFG-40, QP-CFG-08
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for peer in &self.peers {
            // Writing to a String does not fail.
            let _infallible = writeln!(text, "server.{}={peer}", peer.id);
        }
        if !self.groups.is_empty() || !self.weights.is_empty() {
            for (group, ids) in &self.groups {
                let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
                let _infallible = writeln!(text, "group.{group}={}", ids.join(":"));
            }
            for (id, weight) in &self.weights {
                let _infallible = writeln!(text, "weight.{id}={weight}");
            }
        }
        let _infallible = write!(text, "version={:x}", self.version);
        text
    }
}

impl Membership {
    /// Ids of the servers that vote.
    pub(super) fn participants(&self) -> impl Iterator<Item = u64> + '_ {
        self.members
            .values()
            .filter(|member| member.votes())
            .map(|member| member.id)
    }

    /// Moves what was read into `quorum`; each participant gets its weight once votes are weighed.
    pub(super) fn fill(self, quorum: &mut QuorumConfig) {
        if self.is_hierarchical() {
            let weight = |id| (id, self.weights.get(&id).copied().unwrap_or(1));
            quorum.weights = self.participants().map(weight).collect();
        }
        quorum.version = self.version;
        quorum.peers = self.members.into_values().collect();
        let groups = self.groups.into_iter();
        quorum.groups = groups
            .map(|(group, ids)| (group, ids.into_iter().collect()))
            .collect();
    }

    fn is_hierarchical(&self) -> bool {
        !self.groups.is_empty() || !self.weights.is_empty()
    }

    /// Takes one member key; `Ok(false)` when the key is none. The error says what is allowed.
    pub(super) fn take(
        &mut self,
        key: &str,
        value: &str,
        multi_address: bool,
    ) -> Result<bool, String> {
        let number = |text: &str| text.parse::<u64>().ok();
        if let Some(id) = key.strip_prefix("server.") {
            let id = number(id)
                .filter(|id| *id <= 255)
                .ok_or("an id from 0 to 255 after server.")?;
            self.members
                .insert(id, parse_member(id, value, multi_address)?);
        } else if let Some(group) = key.strip_prefix("group.") {
            let group = number(group).ok_or("a number after group.")?;
            let ids = value.split(':').map(|id| number(id.trim()));
            let ids = ids.collect::<Option<_>>().ok_or("ids joined by colons")?;
            self.groups.insert(group, ids);
        } else if let Some(id) = key.strip_prefix("weight.") {
            let id = number(id).ok_or("an id after weight.")?;
            let weight = value.parse().map_err(|_| "a whole number, 0 or more")?;
            self.weights.insert(id, weight);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What must hold between the member lines.
    pub(super) fn check(&self) -> Result<(), String> {
        self.check_addresses()?;
        if self.is_hierarchical() {
            self.check_groups()?;
        }
        Ok(())
    }

    // spec: FT-ADM-07. One server under two ids would vote twice.
    fn check_addresses(&self) -> Result<(), String> {
        let mut seen = BTreeMap::new();
        for member in self.members.values() {
            for (host, quorum_port, election_port) in member.addresses() {
                for port in [quorum_port, election_port] {
                    if let Some(other) = seen.insert((host, port), member.id) {
                        let id = member.id;
                        return Err(format!(
                            "server.{other} and server.{id} share {host}:{port}"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    // spec: CP-CFG-24
    fn check_groups(&self) -> Result<(), String> {
        let mut group_of = BTreeMap::new();
        for (group, ids) in &self.groups {
            for id in ids {
                if group_of.insert(*id, *group).is_some() {
                    return Err(format!("server {id} is in two groups"));
                }
            }
        }
        match self.participants().find(|id| !group_of.contains_key(id)) {
            Some(id) => Err(format!("server.{id} votes and is in no group")),
            None => Ok(()),
        }
    }
}

impl PeerConfig {
    #[must_use]
    pub fn votes(&self) -> bool {
        self.role == PeerRole::Participant
    }

    /// Host, quorum port and election port of each address.
    pub fn addresses(&self) -> impl Iterator<Item = (&str, u16, u16)> {
        let first = (self.host.as_str(), self.quorum_port, self.election_port);
        let more = self.more.iter();
        std::iter::once(first)
            .chain(more.map(|(host, quorum, election)| (host.as_str(), *quorum, *election)))
    }
}

/// The part of a member line after the equals sign, as ZooKeeper writes it.
impl fmt::Display for PeerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            PeerRole::Participant => "participant",
            PeerRole::Observer => "observer",
        };
        for (index, (host, quorum, election)) in self.addresses().enumerate() {
            let separator = if index == 0 { "" } else { "|" };
            write!(f, "{separator}{}:{quorum}:{election}:{role}", Host(host))?;
        }
        match &self.client {
            Some((host, port)) => write!(f, ";{}:{port}", Host(host)),
            None => Ok(()),
        }
    }
}

/// A host as it stands before a colon: IPv6 in brackets.
pub(crate) struct Host<'a>(pub(crate) &'a str);

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') {
            write!(f, "[{}]", self.0)
        } else {
            f.write_str(self.0)
        }
    }
}

// spec: CP-CFG-20, CP-CFG-21, QP-CFG-02
fn parse_member(id: u64, value: &str, multi_address: bool) -> Result<PeerConfig, String> {
    let (servers, client) = match value.split_once(';') {
        Some((servers, client)) => (servers, Some(parse_client(client.trim())?)),
        None => (value, None),
    };
    let mut addresses = Vec::new();
    let mut roles = Vec::new();
    for server in servers.split('|') {
        let (address, role) = parse_address(server.trim())?;
        addresses.push(address);
        roles.push(role);
    }
    if addresses.len() > 1 && !multi_address {
        return Err("one address, since multiAddress.enabled is not set".to_owned());
    }
    // Sorted by host, as the configuration text wants them.
    addresses.sort();
    let mut addresses = addresses.into_iter();
    let (Some((host, quorum_port, election_port)), Some(role)) =
        (addresses.next(), roles.first().copied())
    else {
        return Err("an address".to_owned());
    };
    if roles.iter().any(|other| *other != role) {
        return Err("one role for all addresses of a server".to_owned());
    }
    Ok(PeerConfig {
        id,
        host,
        quorum_port,
        election_port,
        more: addresses.collect(),
        role,
        client,
    })
}

fn parse_address(text: &str) -> Result<((String, u16, u16), PeerRole), String> {
    const SHAPE: &str = "host:quorumPort:electionPort[:participant|:observer]";
    let (host, rest) = split_host(text).ok_or(SHAPE)?;
    let mut parts = rest.split(':');
    let mut port = || parts.next().and_then(|port| port.parse::<u16>().ok());
    let quorum_port = port().ok_or(SHAPE)?;
    let election_port = port().ok_or(SHAPE)?;
    let role = match parts.next().map(str::to_ascii_lowercase).as_deref() {
        None | Some("participant") => PeerRole::Participant,
        Some("observer") => PeerRole::Observer,
        Some(_) => return Err(SHAPE.to_owned()),
    };
    if parts.next().is_some() || host.is_empty() {
        return Err(SHAPE.to_owned());
    }
    if quorum_port == election_port {
        return Err("two different ports for quorum and election".to_owned());
    }
    Ok(((host.to_owned(), quorum_port, election_port), role))
}

fn parse_client(text: &str) -> Result<(String, u16), String> {
    const SHAPE: &str = "[host:]port after the semicolon";
    let (host, port) = match text.rfind(':') {
        None => ("0.0.0.0", text),
        Some(_) => split_host(text).ok_or(SHAPE)?,
    };
    let port = port.parse().map_err(|_| SHAPE)?;
    Ok((host.to_owned(), port))
}

/// Splits `host:rest`; IPv6 stands in brackets.
fn split_host(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('[') {
        Some(inner) => inner.split_once("]:"),
        None => text.split_once(':'),
    }
}
