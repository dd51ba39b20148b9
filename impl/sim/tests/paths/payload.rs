//! The model's payload is one byte, the servers' a txn's bytes: the model's calls and effects with those bytes in their
//! place.

use bytes::Bytes;
use std::collections::BTreeMap;
use zab::{Durable, Effect, Event, Message, Proposal, Write};

/// Which bytes stand for which of the model's values.
#[derive(Default)]
pub struct Payloads(BTreeMap<u8, Bytes>);

impl Payloads {
    pub fn learn(&mut self, value: u8, bytes: Bytes) {
        self.0.insert(value, bytes);
    }

    /// Empty for a value that no server has proposed, which equals no txn.
    pub fn of(&self, value: u8) -> Bytes {
        self.0.get(&value).cloned().unwrap_or_default()
    }

    fn proposal(&self, of: &Proposal<u8>) -> Proposal<Bytes> {
        Proposal {
            zxid: of.zxid,
            txn: self.of(of.txn),
        }
    }

    pub fn durable(&self, of: &Durable<u8>) -> Durable<Bytes> {
        Durable {
            accepted: of.accepted,
            current: of.current,
            trusted: of.trusted,
            floor: of.floor,
            base: of.base,
            log: of.log.iter().map(|it| self.proposal(it)).collect(),
        }
    }

    pub fn event(&self, of: &Event<u8>) -> Event<Bytes> {
        match of {
            Event::Started => Event::Started,
            Event::Notified { from, notification } => Event::Notified {
                from: *from,
                notification: *notification,
            },
            Event::Connected { link, peer } => Event::Connected {
                link: *link,
                peer: *peer,
            },
            Event::Unreachable { leader } => Event::Unreachable { leader: *leader },
            Event::Disconnected { link } => Event::Disconnected { link: *link },
            Event::Received { link, message } => Event::Received {
                link: *link,
                message: self.message(message),
            },
            Event::Proposed { zxid, txn } => Event::Proposed {
                zxid: *zxid,
                txn: self.of(*txn),
            },
            Event::Forwarded { request } => Event::Forwarded {
                request: self.of(*request),
            },
            Event::Queried { session } => Event::Queried {
                session: self.of(*session),
            },
            Event::Answered { link, session } => Event::Answered {
                link: *link,
                session: self.of(*session),
            },
            Event::Asked { by } => Event::Asked { by: *by },
            Event::Persisted { through } => Event::Persisted { through: *through },
            Event::Expired { timer } => Event::Expired { timer: *timer },
        }
    }

    pub fn effect(&self, of: &Effect<u8>) -> Effect<Bytes> {
        match of {
            Effect::Notify { to, notification } => Effect::Notify {
                to: *to,
                notification: *notification,
            },
            Effect::Dial { leader } => Effect::Dial { leader: *leader },
            Effect::HangUp => Effect::HangUp,
            Effect::Send { link, message } => Effect::Send {
                link: *link,
                message: self.message(message),
            },
            Effect::SendSnapshot { link, zxid } => Effect::SendSnapshot {
                link: *link,
                zxid: *zxid,
            },
            Effect::Persist { id, write } => Effect::Persist {
                id: *id,
                write: self.write(write),
            },
            Effect::Deliver { proposal } => Effect::Deliver {
                proposal: self.proposal(proposal),
            },
            Effect::Confirmed { read } => Effect::Confirmed { read: *read },
            Effect::Request {
                link,
                peer,
                request,
            } => Effect::Request {
                link: *link,
                peer: *peer,
                request: self.of(*request),
            },
            Effect::Revalidate {
                link,
                peer,
                session,
            } => Effect::Revalidate {
                link: *link,
                peer: *peer,
                session: self.of(*session),
            },
            Effect::Touch { peer, sessions } => Effect::Touch {
                peer: *peer,
                sessions: self.of(*sessions),
            },
            Effect::Revalidated { session } => Effect::Revalidated {
                session: self.of(*session),
            },
            Effect::Synced => Effect::Synced,
            Effect::Open { zxid } => Effect::Open { zxid: *zxid },
            Effect::Arm { timer, after } => Effect::Arm {
                timer: *timer,
                after: *after,
            },
            Effect::Disarm { timer } => Effect::Disarm { timer: *timer },
            Effect::Disconnect { link, why } => Effect::Disconnect {
                link: *link,
                why: *why,
            },
            Effect::Report(report) => Effect::Report(*report),
        }
    }

    fn write(&self, of: &Write<u8>) -> Write<Bytes> {
        match of {
            Write::AcceptedEpoch(epoch) => Write::AcceptedEpoch(*epoch),
            Write::CurrentEpoch(epoch) => Write::CurrentEpoch(*epoch),
            Write::Append(proposal) => Write::Append(self.proposal(proposal)),
            Write::Truncate { after } => Write::Truncate { after: *after },
            Write::Install { snapshot } => Write::Install {
                snapshot: *snapshot,
            },
        }
    }

    fn message(&self, of: &Message<u8>) -> Message<Bytes> {
        match of {
            Message::Request { request } => Message::Request {
                request: self.of(*request),
            },
            Message::Proposal(proposal) => Message::Proposal(self.proposal(proposal)),
            Message::Ack { zxid } => Message::Ack { zxid: *zxid },
            Message::Commit { zxid } => Message::Commit { zxid: *zxid },
            Message::Ping { zxid, sessions } => Message::Ping {
                zxid: *zxid,
                sessions: sessions.map(|sessions| self.of(sessions)),
            },
            Message::Revalidate { session } => Message::Revalidate {
                session: self.of(*session),
            },
            Message::Sync => Message::Sync,
            Message::Inform(proposal) => Message::Inform(self.proposal(proposal)),
            Message::CommitAndActivate { zxid, designated } => Message::CommitAndActivate {
                zxid: *zxid,
                designated: *designated,
            },
            Message::NewLeader { epoch, config } => Message::NewLeader {
                epoch: *epoch,
                config: *config,
            },
            Message::FollowerInfo {
                accepted,
                id,
                config,
            } => Message::FollowerInfo {
                accepted: *accepted,
                id: *id,
                config: *config,
            },
            Message::UpToDate => Message::UpToDate,
            Message::Diff { zxid } => Message::Diff { zxid: *zxid },
            Message::Trunc { zxid } => Message::Trunc { zxid: *zxid },
            Message::Snap { zxid } => Message::Snap { zxid: *zxid },
            Message::ObserverInfo {
                accepted,
                id,
                config,
            } => Message::ObserverInfo {
                accepted: *accepted,
                id: *id,
                config: *config,
            },
            Message::LeaderInfo { epoch } => Message::LeaderInfo { epoch: *epoch },
            Message::AckEpoch { zxid, current } => Message::AckEpoch {
                zxid: *zxid,
                current: *current,
            },
            Message::InformAndActivate {
                proposal,
                designated,
            } => Message::InformAndActivate {
                proposal: self.proposal(proposal),
                designated: *designated,
            },
        }
    }
}
