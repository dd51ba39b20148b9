//! How a transcript tells what a server did.

use std::fmt::Write as _;

use zab::{
    Effect, Epoch, LinkId, Message, Notification, Report, ServerId, ServerState, SyncMode, Write,
    Zxid,
};

use super::Txn;

#[derive(Default)]
pub(super) struct Out {
    pub(super) text: String,
    pub(super) quiet: bool,
}

impl Out {
    pub(super) fn line(&mut self, line: &str) {
        if !self.quiet {
            writeln!(self.text, "{line}").expect("writing to a string");
        }
    }

    /// One line an effect; what goes to several servers, once.
    pub(super) fn effects(
        &mut self,
        id: ServerId,
        effects: &[Effect<Txn>],
        peer: impl Fn(LinkId) -> Option<ServerId>,
    ) {
        let mut lines: Vec<(String, Vec<String>, String)> = Vec::new();
        for effect in effects {
            let to = |link: &LinkId| {
                peer(*link).map_or_else(|| link.to_string(), |peer| peer.to_string())
            };
            let (to, what) = match effect {
                Effect::Notify { to, notification } => {
                    (Some(to.to_string()), describe_notification(notification))
                }
                Effect::Send { link, message } => (Some(to(link)), describe_message(message)),
                Effect::SendSnapshot { link, zxid } => {
                    (Some(to(link)), format!("(the tree as of {zxid})"))
                }
                Effect::Disconnect { link, why } => {
                    (None, format!("closes its link with {}: {why:?}", to(link)))
                }
                other => match describe_local(other) {
                    Some(what) => (None, what),
                    None => continue,
                },
            };
            match (&mut lines.last_mut(), to) {
                (Some((_, peers, same)), Some(to)) if !peers.is_empty() && *same == what => {
                    peers.push(to)
                }
                (_, to) => lines.push((id.to_string(), to.into_iter().collect(), what)),
            }
        }
        for (id, to, what) in lines {
            if to.is_empty() {
                self.line(&format!("  {id}: {what}"));
            } else {
                self.line(&format!("  {id} -> {}: {what}", to.join(", ")));
            }
        }
    }
}

fn describe_local(effect: &Effect<Txn>) -> Option<String> {
    Some(match effect {
        Effect::Persist { id, write } => match write {
            Write::AcceptedEpoch(epoch) => format!("persist {id} accepted epoch {epoch}"),
            Write::CurrentEpoch(epoch) => format!("persist {id} current epoch {epoch}"),
            Write::Append(proposal) => {
                format!("persist {id} append {} {:?}", proposal.zxid, proposal.txn)
            }
            Write::Truncate { after } => format!("persist {id} truncate after {after}"),
            Write::Install { snapshot } => format!("persist {id} snapshot {snapshot}"),
        },
        Effect::Deliver { proposal } => format!("deliver {} {:?}", proposal.zxid, proposal.txn),
        Effect::Report(report) => describe_report(report),
        Effect::Confirmed { read } => format!("read {read} confirmed"),
        Effect::Synced => "sync done".into(),
        Effect::Open { zxid } => format!("asks for a first txn at {zxid}"),
        Effect::Touch { peer, sessions } => format!("sessions of {peer}: {sessions:?}"),
        Effect::Request { peer, request, .. } => format!("request of {peer}: {request:?}"),
        Effect::Revalidate { peer, session, .. } => format!("{peer} asks for session {session:?}"),
        Effect::Revalidated { session } => format!("answer about session {session:?}"),
        Effect::Arm { .. }
        | Effect::Disarm { .. }
        | Effect::Dial { .. }
        | Effect::HangUp
        | Effect::Notify { .. }
        | Effect::Send { .. }
        | Effect::SendSnapshot { .. }
        | Effect::Disconnect { .. } => return None,
    })
}

fn describe_report(report: &Report) -> String {
    match report {
        Report::Looking => "looking".into(),
        Report::Electing { round } => format!("electing, round {round}"),
        Report::Leading => "elected to lead".into(),
        Report::Following { leader } => format!("elected {leader} to follow"),
        Report::Observing { leader } => format!("observes {leader}"),
        Report::EpochChosen { epoch } => format!("chooses epoch {epoch}"),
        Report::Synchronising { peer, mode } => match mode {
            SyncMode::Diff => format!("synchronises {peer} by DIFF"),
            SyncMode::Trunc(_) => format!("synchronises {peer} by TRUNC"),
            SyncMode::Snap(_) => format!("synchronises {peer} by SNAP"),
        },
        Report::Established { epoch } => format!("epoch {epoch} established"),
        Report::Opened { .. } => "serves".into(),
        Report::UpToDate { epoch } => format!("up to date in epoch {epoch}, serves"),
        Report::Joined { peer } => format!("{peer} joined"),
        Report::MoreRecent { peer } => format!("{peer} is more recent: gives up"),
        Report::LaterPromise { peer } => format!("{peer} promised a later epoch: gives up"),
        Report::QuorumLost => "lost its quorum".into(),
        Report::TooSlow => "initLimit passed".into(),
        Report::CounterExhausted => "zxid counter used up".into(),
        Report::FirstStart => "first start: all others are empty too".into(),
        Report::Ignored { why } => format!("ignored: {why:?}"),
    }
}

pub(super) fn describe_zxid(zxid: Zxid) -> String {
    if zxid == Zxid::NONE {
        "none".into()
    } else {
        zxid.to_string()
    }
}

fn describe_notification(n: &Notification) -> String {
    let state = match n.state {
        ServerState::Looking => "LOOKING",
        ServerState::Following => "FOLLOWING",
        ServerState::Leading => "LEADING",
        ServerState::Observing => "OBSERVING",
    };
    if n.vote.leader == ServerId::NONE {
        return format!("{state} round {}, no vote", n.round);
    }
    let (leader, epoch) = (n.vote.leader, describe_epoch(n.vote.epoch));
    format!(
        "{state} round {}, vote {leader} (epoch {epoch}, zxid {})",
        n.round,
        describe_zxid(n.vote.zxid)
    )
}

fn describe_epoch(epoch: Epoch) -> String {
    if epoch == Epoch::NONE {
        "none".into()
    } else {
        epoch.to_string()
    }
}

fn describe_message(message: &Message<Txn>) -> String {
    match message {
        Message::Request { request } => format!("REQUEST {request:?}"),
        Message::Proposal(proposal) => format!("PROPOSAL {}", proposal.zxid),
        Message::Ack { zxid } if zxid.counter() == 0 => format!("ACK {zxid} (new leader)"),
        Message::Ack { zxid } => format!("ACK {zxid}"),
        Message::Commit { zxid } => format!("COMMIT {zxid}"),
        Message::Ping { .. } => "PING".into(),
        Message::Revalidate { session } => format!("REVALIDATE {session:?}"),
        Message::Sync => "SYNC".into(),
        Message::Inform(proposal) => format!("INFORM {}", proposal.zxid),
        Message::CommitAndActivate { zxid, .. } => format!("COMMITANDACTIVATE {zxid}"),
        Message::NewLeader { epoch, .. } => format!("NEWLEADER {}", epoch.start()),
        Message::FollowerInfo { accepted, .. } => format!("FOLLOWERINFO accepted epoch {accepted}"),
        Message::UpToDate => "UPTODATE".into(),
        Message::Diff { zxid } => format!("DIFF {zxid}"),
        Message::Trunc { zxid } => format!("TRUNC {zxid}"),
        Message::Snap { zxid } => format!("SNAP {zxid}"),
        Message::ObserverInfo { accepted, .. } => format!("OBSERVERINFO accepted epoch {accepted}"),
        Message::LeaderInfo { epoch } => format!("LEADERINFO epoch {epoch}"),
        Message::AckEpoch {
            zxid,
            current: Some(current),
        } => format!("ACKEPOCH current epoch {current}, zxid {zxid}"),
        Message::AckEpoch {
            zxid,
            current: None,
        } => format!("ACKEPOCH promised before, zxid {zxid}"),
        Message::InformAndActivate { proposal, .. } => {
            format!("INFORMANDACTIVATE {}", proposal.zxid)
        }
    }
}
