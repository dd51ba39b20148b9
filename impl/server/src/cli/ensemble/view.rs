//! What the servers say of themselves, in one line.

use std::time::Duration;

use super::member::Member;
use crate::cli::ask::{ask, field};

/// Servers on this machine answer at once, or are busy.
const PATIENCE: Duration = Duration::from_millis(300);

/// All servers at one moment.
pub(super) struct View {
    /// In the order of their ids; none: no answer, or not serving.
    pub(super) servers: Vec<Option<Seen>>,
}

pub(super) struct Seen {
    pub(super) mode: String,
    zxid: u64,
    sessions: Option<u64>,
    /// Average and longest, ms, as printed.
    latency: Option<(String, String)>,
}

impl View {
    pub(super) fn of(members: &[Member]) -> Self {
        let servers = members.iter().map(look).collect();
        Self { servers }
    }

    /// Whether every server has found its place.
    pub(super) fn serves(&self) -> bool {
        self.leader().is_some() && self.servers.iter().all(Option::is_some)
    }

    /// Index of the leader.
    pub(super) fn leader(&self) -> Option<usize> {
        let leads = |seen: &Option<Seen>| seen.as_ref().is_some_and(|seen| seen.mode == "leader");
        self.servers.iter().position(leads)
    }

    /// Roles of all, and what the leader knows.
    pub(super) fn line(&self) -> String {
        let roles = self.servers.iter().enumerate().map(|(index, seen)| {
            let mode = seen.as_ref().map_or("-", |seen| &seen.mode);
            format!("{}:{mode}", index + 1)
        });
        let roles = roles.collect::<Vec<_>>().join(" ");
        let leader = self
            .leader()
            .and_then(|index| self.servers.get(index)?.as_ref());
        let Some(leader) = leader else {
            return format!("{roles}   no leader");
        };
        let sessions = leader
            .sessions
            .map_or_else(|| "?".to_owned(), |count| count.to_string());
        let (average, longest) = leader.latency.clone().unwrap_or_default();
        format!(
            "{roles}   epoch {}  zxid {:#x}  sessions {sessions}  latency {average} ms, at most {longest}",
            leader.zxid >> 32,
            leader.zxid,
        )
    }
}

fn look(member: &Member) -> Option<Seen> {
    if !member.is_here() {
        return None;
    }
    let answer = ask(member.address(), "mntr", PATIENCE).ok()?;
    let value = |name: &str| field(&answer, name).map(str::to_owned);
    let srvr = ask(member.address(), "srvr", PATIENCE).ok()?;
    let zxid = field(&srvr, "Zxid: 0x")?;
    Some(Seen {
        mode: field(&srvr, "Mode: ")?.to_owned(),
        zxid: u64::from_str_radix(zxid, 16).ok()?,
        sessions: value("zk_global_sessions\t").and_then(|count| count.parse().ok()),
        latency: value("zk_avg_latency\t").zip(value("zk_max_latency\t")),
    })
}
