//! What the servers say of themselves, in one line.

use std::time::Duration;

use super::member::Member;
use crate::cli::ask::{ask, field};

/// Servers on this machine answer at once, or are busy.
const PATIENCE: Duration = Duration::from_millis(300);

/// All servers at one moment.
pub(super) struct View {
    /// In the order of their ids; none: no answer, or not serving.
    servers: Vec<Option<Seen>>,
}

struct Seen {
    mode: String,
    zxid: u64,
    /// Of the whole ensemble, as far as this server knows.
    sessions: String,
    /// Of this server's requests, ms.
    average_latency: String,
    longest_latency: String,
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

    /// Index of the leader. One that was frozen may not know yet that there is a newer.
    pub(super) fn leader(&self) -> Option<usize> {
        let epoch = |index: &usize| Some(self.servers.get(*index)?.as_ref()?.zxid >> 32);
        let servers = self.servers.iter().enumerate();
        let leading = servers.filter(|(_, seen)| seen.as_ref().is_some_and(Seen::leads));
        leading.map(|(index, _)| index).max_by_key(epoch)
    }

    pub(super) fn modes(&self) -> impl Iterator<Item = &str> {
        let servers = self.servers.iter();
        servers.map(|seen| seen.as_ref().map_or("-", |seen| seen.mode.as_str()))
    }

    /// All roles in one line.
    pub(super) fn roles(&self) -> String {
        let roles = self.modes().enumerate();
        let roles = roles.map(|(index, mode)| format!("{}:{mode}", index + 1));
        roles.collect::<Vec<_>>().join(" ")
    }

    /// Roles of all, and what the leader knows.
    pub(super) fn line(&self) -> String {
        let roles = self.roles();
        let leader = self.leader();
        let leader = leader.and_then(|index| self.servers.get(index)?.as_ref());
        let about = leader.map_or_else(|| "no leader".to_owned(), Seen::about);
        format!("{roles}   {about}")
    }

    /// One row a server.
    pub(super) fn table(&self) -> Vec<String> {
        let rows = self.servers.iter().zip(self.modes()).enumerate();
        rows.map(|(index, (seen, mode))| {
            let about = seen.as_ref().map_or_else(String::new, Seen::about);
            format!("  {:<2} {mode:<9} {about}", index + 1)
        })
        .collect()
    }
}

impl Seen {
    fn leads(&self) -> bool {
        self.mode == "leader"
    }

    fn about(&self) -> String {
        format!(
            "epoch {}  zxid {:#x}  sessions {}  latency {} ms, at most {}",
            self.zxid >> 32,
            self.zxid,
            self.sessions,
            self.average_latency,
            self.longest_latency
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
        sessions: value("zk_global_sessions\t")?,
        average_latency: value("zk_avg_latency\t")?,
        longest_latency: value("zk_max_latency\t")?,
    })
}
