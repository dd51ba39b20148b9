//! Steps in words: what was done, and what each server answered.

use std::fmt;

use zab::{Message, Notification, Policy, RoleKind, Timer, Write};

use zab_properties::Txn;

use super::link::{Frame, Half, Link, link_name, parts};
use super::server::{Server, id_of};
use super::state::{Action, End, State};

fn name(index: usize) -> i64 {
    id_of(index).0
}

fn link(number: u64) -> String {
    link_name(zab::LinkId(number), name)
}

fn receiver(number: u64, at: End) -> i64 {
    parts(number).map_or(-1, |(learner, leader, _)| {
        name(if at == End::Learner { learner } else { leader })
    })
}

pub(super) fn action(action: &Action) -> String {
    let server = |index: &u8| name(usize::from(*index));
    match action {
        Action::Elect { leader, followers } => {
            let followers: Vec<i64> = followers.iter().map(server).collect();
            format!("oracle: {followers:?} elect {}", server(leader))
        }
        Action::Join { follower, leader } => {
            format!("oracle: {} joins {}", server(follower), server(leader))
        }
        Action::Establish { leader } => format!("{} and its followers synchronise", server(leader)),
        Action::Connect { learner, leader } => {
            format!("{} connects to {}", server(learner), server(leader))
        }
        Action::Deliver { link: number, at } => {
            format!("deliver to {} on {}", receiver(*number, *at), link(*number))
        }
        Action::Notice { from, to } => {
            format!("notification of {} arrives at {}", server(from), server(to))
        }
        Action::Break { link: number, at } => {
            format!(
                "link {} breaks, and {} notices",
                link(*number),
                receiver(*number, *at)
            )
        }
        Action::NoticeClose { link: number, at } => {
            format!(
                "{} notices that {} is closed",
                receiver(*number, *at),
                link(*number)
            )
        }
        Action::DiskStep { server: it } => format!("disk of {} writes", server(it)),
        Action::Crash { server: it, kept } => {
            format!("{} crashes, {kept} queued writes survive", server(it))
        }
        Action::Restart { server: it } => format!("{} restarts", server(it)),
        Action::Wipe { server: it } => format!("{} is wiped", server(it)),
        Action::Propose { leader } => format!("a client's txn reaches {}", server(leader)),
        Action::Ask { server: it } => format!("a client asks {} for a sync", server(it)),
        Action::Expire { server: it, timer } => {
            format!("timer {} of {} fires", timer_name(*timer), server(it))
        }
    }
}

fn timer_name(timer: Timer) -> String {
    match timer {
        Timer::Learner(number) => format!("Learner({})", link(number.0)),
        Timer::Acks(number) => format!("Acks({})", link(number.0)),
        Timer::Notify | Timer::Finalize | Timer::Init | Timer::Leader | Timer::Ping => {
            format!("{timer:?}")
        }
    }
}

/// A message as a reader wants it.
pub(super) fn message(message: &Message<u8>) -> String {
    match message {
        Message::Proposal(proposal) => format!("PROPOSAL {} = {}", proposal.zxid, proposal.txn),
        Message::Ack { zxid } => format!("ACK {zxid}"),
        Message::Commit { zxid } => format!("COMMIT {zxid}"),
        Message::NewLeader { epoch, .. } => format!("NEWLEADER {epoch}"),
        Message::FollowerInfo { accepted, .. } => format!("FOLLOWERINFO accepted {accepted}"),
        Message::LeaderInfo { epoch } => format!("LEADERINFO {epoch}"),
        Message::AckEpoch { zxid, current } => match current {
            Some(current) => format!("ACKEPOCH current {current}, last {zxid}"),
            None => format!("ACKEPOCH promised already, last {zxid}"),
        },
        Message::UpToDate => "UPTODATE".to_owned(),
        Message::Diff { zxid } => format!("DIFF {zxid}"),
        Message::Trunc { zxid } => format!("TRUNC {zxid}"),
        Message::Snap { zxid } => format!("SNAP {zxid}"),
        Message::Request { .. }
        | Message::Ping { .. }
        | Message::Revalidate { .. }
        | Message::Sync
        | Message::Inform(_)
        | Message::CommitAndActivate { .. }
        | Message::ObserverInfo { .. }
        | Message::InformAndActivate { .. } => format!("{message:?}"),
    }
}

pub(super) fn write_name(write: &Write<u8>) -> String {
    match write {
        Write::AcceptedEpoch(epoch) => format!("accepted epoch {epoch}"),
        Write::CurrentEpoch(epoch) => format!("current epoch {epoch}"),
        Write::Append(proposal) => format!("append {}", proposal.zxid),
        Write::Truncate { after } => format!("truncate after {after}"),
        Write::Install { snapshot } => format!("install snapshot {snapshot}"),
    }
}

pub(super) fn step<P: Policy>(before: &State<P>, taken: &Action, after: &State<P>) -> String {
    let mut lines = action(taken);
    if let Action::Deliver { link: number, at } = taken
        && let Some(message_text) = head(before, *number, *at)
    {
        lines.push_str(&format!(": {message_text}"));
    }
    for (index, (old, new)) in before.servers.iter().zip(&after.servers).enumerate() {
        for line in changes(old, new) {
            lines.push_str(&format!("\n  {}: {line}", name(index)));
        }
    }
    for line in sent(before, after) {
        lines.push_str(&format!("\n  {line}"));
    }
    lines
}

/// The message that a delivery takes.
pub(super) fn head<P: Policy>(state: &State<P>, number: u64, at: End) -> Option<String> {
    let link = state.links.iter().find(|it| it.id.0 == number)?;
    let half = if at == End::Learner {
        &link.at_learner
    } else {
        &link.at_leader
    };
    half.inbox.front().map(|frame| message(&frame.message))
}

fn changes<P: Policy>(old: &Server<P>, new: &Server<P>) -> Vec<String> {
    let mut lines = Vec::new();
    let state = |server: &Server<P>| server.peer.as_ref().map(|peer| peer.status());
    let (was, is) = (state(old), state(new));
    match (was, is) {
        (Some(was), Some(is))
            if (was.role, was.phase, was.epoch) != (is.role, is.phase, is.epoch) =>
        {
            let epoch = is
                .epoch
                .map_or(String::new(), |epoch| format!(", epoch {epoch}"));
            let role = match is.role {
                RoleKind::Looking => "looking".to_owned(),
                RoleKind::Following => format!("following, {:?}{epoch}", is.phase),
                RoleKind::Leading => format!("leading, {:?}{epoch}", is.phase),
                RoleKind::Observing => format!("observing, {:?}{epoch}", is.phase),
            };
            lines.push(role);
        }
        _ => {}
    }
    for queued in new
        .disk
        .queue
        .iter()
        .filter(|it| !old.disk.queue.contains(it) && !it.stale)
    {
        lines.push(format!("persist {}", write_name(&queued.write)));
    }
    if old.disk.history != new.disk.history
        || old.disk.accepted != new.disk.accepted
        || old.disk.current != new.disk.current
    {
        let zxids: Vec<String> = new
            .disk
            .history
            .iter()
            .map(|txn| txn.zxid.to_string())
            .collect();
        lines.push(format!(
            "on disk: accepted {}, current {}, log [{}]",
            new.disk.accepted,
            new.disk.current,
            zxids.join(" ")
        ));
    }
    for txn in new.delivered.iter().skip(old.delivered.len()) {
        lines.push(format!("deliver {} = {}", txn.zxid, txn.value));
    }
    lines
}

/// The messages that a step put on links.
pub(super) fn sent<P: Policy>(before: &State<P>, after: &State<P>) -> Vec<String> {
    let mut lines = Vec::new();
    for link in &after.links {
        let old = before.links.iter().find(|it| it.id == link.id);
        for (from, to, now, was) in [
            (
                link.learner,
                link.leader,
                &link.at_leader,
                old.map(|it| &it.at_leader),
            ),
            (
                link.leader,
                link.learner,
                &link.at_learner,
                old.map(|it| &it.at_learner),
            ),
        ] {
            let left = was.map_or(0, |it| it.inbox.len());
            // What was there is still there, or its head was taken in this step.
            let kept = was.is_some_and(|it| it.inbox.iter().zip(&now.inbox).all(|(a, b)| a == b));
            let skip = if kept { left } else { left.saturating_sub(1) };
            for frame in now.inbox.iter().skip(skip) {
                lines.push(format!(
                    "{} -> {}: {}",
                    name(from),
                    name(to),
                    message(&frame.message)
                ));
            }
        }
    }
    lines
}

impl<P: Policy> fmt::Debug for State<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, server) in self.servers.iter().enumerate() {
            writeln!(f, "{}: {}", name(index), server_text(server))?;
        }
        for link in &self.links {
            writeln!(f, "link {}", link_text(link))?;
        }
        let count = self.servers.len();
        for (pair, mail) in self.mail.iter().enumerate() {
            if let Some(mail) = mail {
                let (from, to) = (name(pair / count), name(pair % count));
                writeln!(f, "notification {from} -> {to}: {}", vote(mail))?;
            }
        }
        writeln!(f, "decided {}", zxids(&self.ghosts.decided))?;
        let spent = self.spent;
        write!(
            f,
            "used: {} elections, {} txns, {} crashes, {} breaks, {} timeouts, {} wipes",
            spent.elections, spent.txns, spent.crashes, spent.breaks, spent.timeouts, spent.wipes
        )
    }
}

/// What a notification says.
pub(super) fn vote(notification: &Notification) -> String {
    let vote = notification.vote;
    format!(
        "{:?}, {} at {} of epoch {}, round {}",
        notification.state, vote.leader, vote.zxid, vote.epoch, notification.round
    )
}

fn server_text<P: Policy>(server: &Server<P>) -> String {
    let role = match server.peer.as_ref().map(zab::Peer::status) {
        None => "down".to_owned(),
        Some(status) if status.role == RoleKind::Looking => format!(
            "looking, votes for {}, round {}",
            status.vote.leader, status.round
        ),
        Some(status) => format!(
            "{:?} in {:?}{}",
            status.role,
            status.phase,
            status
                .epoch
                .map_or(String::new(), |epoch| format!(", epoch {epoch}"))
        ),
    };
    let writes: Vec<String> = server
        .disk
        .queue
        .iter()
        .map(|it| write_name(&it.write))
        .collect();
    format!(
        "{role}; on disk: accepted {}, current {}, log {}; writing [{}]; delivered {}{}",
        server.disk.accepted,
        server.disk.current,
        zxids(&server.disk.history),
        writes.join(", "),
        zxids(&server.delivered),
        server
            .dialling
            .map_or(String::new(), |leader| format!("; dials {}", name(leader))),
    )
}

fn link_text(link: &Link) -> String {
    let side = |half: &Half, server: usize| {
        let frames: Vec<String> = half
            .inbox
            .iter()
            .map(|frame: &Frame| message(&frame.message))
            .collect();
        format!(
            "{} to {}: [{}]",
            if half.open { "open" } else { "closed" },
            name(server),
            frames.join(", ")
        )
    };
    format!(
        "{} {}; {}",
        link_name(link.id, name),
        side(&link.at_leader, link.leader),
        side(&link.at_learner, link.learner)
    )
}

fn zxids(history: &[Txn<u8>]) -> String {
    let zxids: Vec<String> = history.iter().map(|txn| txn.zxid.to_string()).collect();
    format!("[{}]", zxids.join(" "))
}
