//! What is on its way between servers: links, each way in order, and notifications.

use std::collections::{BTreeMap, VecDeque};

use zab::trace::{Digest, LinkUp};
use zab::{LinkId, Message, Notification, ServerId};
use zab_properties::Txn;

/// One end of a link: who, which start, its own name for the link.
pub(super) type End = (ServerId, u64, LinkId);

#[derive(Debug)]
struct Conn {
    learner: End,
    /// Once the leader's host has taken the connection.
    leader: Option<End>,
    to_learner: VecDeque<Message<Digest>>,
    to_leader: VecDeque<Message<Digest>>,
    /// What the snapshot stream holds that was sent last.
    stream: Vec<Txn<Digest>>,
}

impl Conn {
    fn inbox(&mut self, end: &End) -> &mut VecDeque<Message<Digest>> {
        if *end == self.learner {
            &mut self.to_learner
        } else {
            &mut self.to_leader
        }
    }

    fn outbox(&mut self, end: &End) -> &mut VecDeque<Message<Digest>> {
        if *end == self.learner {
            &mut self.to_leader
        } else {
            &mut self.to_learner
        }
    }
}

/// From one server to another.
#[derive(Debug, Default)]
struct Mail {
    sent: Vec<Notification>,
    /// The one received last, or the first. A newer one may replace an older one; on a new connection the newest is
    /// sent again (QP-CNX-08).
    at: usize,
}

#[derive(Debug, Default)]
pub(super) struct Wires {
    conns: Vec<Conn>,
    ends: BTreeMap<End, usize>,
    /// Connections that learners have dialled, by both addresses, oldest first.
    dialled: BTreeMap<(String, String), Vec<usize>>,
    mail: BTreeMap<(ServerId, ServerId), Mail>,
}

impl Wires {
    /// Whether this end may be up now: a connection is dialled before it is taken.
    pub(super) fn may_be_up(&self, up: &LinkUp) -> bool {
        up.dialled
            || self
                .dialled
                .get(&(up.remote.clone(), up.local.clone()))
                .is_some_and(|waiting| !waiting.is_empty())
    }

    /// A connection has this end. False if it has no other one.
    pub(super) fn up(&mut self, end: End, up: &LinkUp) -> bool {
        if up.dialled {
            let place = self.conns.len();
            self.conns.push(Conn {
                learner: end,
                leader: None,
                to_learner: VecDeque::new(),
                to_leader: VecDeque::new(),
                stream: Vec::new(),
            });
            self.ends.insert(end, place);
            let addresses = (up.local.clone(), up.remote.clone());
            self.dialled.entry(addresses).or_default().push(place);
            return true;
        }
        // Addresses come again after long. The newest connection is meant: older ones were never taken.
        let waiting = self
            .dialled
            .get_mut(&(up.remote.clone(), up.local.clone()))
            .and_then(Vec::pop);
        let Some(place) = waiting else {
            return false;
        };
        self.conns[place].leader = Some(end);
        self.ends.insert(end, place);
        true
    }

    /// Who is at the other end.
    pub(super) fn other(&self, end: &End) -> Option<ServerId> {
        let conn = &self.conns[*self.ends.get(end)?];
        if *end == conn.learner {
            conn.leader.map(|(server, ..)| server)
        } else {
            Some(conn.learner.0)
        }
    }

    fn conn(&mut self, end: &End) -> Option<&mut Conn> {
        let place = *self.ends.get(end)?;
        self.conns.get_mut(place)
    }

    pub(super) fn send(&mut self, end: &End, message: Message<Digest>) {
        if let Some(conn) = self.conn(end) {
            conn.outbox(end).push_back(message);
        }
    }

    pub(super) fn stream(&mut self, end: &End, content: Vec<Txn<Digest>>) {
        if let Some(conn) = self.conn(end) {
            conn.stream = content;
        }
    }

    pub(super) fn streamed(&mut self, end: &End) -> Vec<Txn<Digest>> {
        self.conn(end)
            .map(|conn| std::mem::take(&mut conn.stream))
            .unwrap_or_default()
    }

    /// Whether something is on its way to this end, as far as the servers' steps are known by now.
    pub(super) fn has_sent_to(&self, end: &End) -> bool {
        self.ends.get(end).is_none_or(|place| {
            let conn = &self.conns[*place];
            if *end == conn.learner {
                !conn.to_learner.is_empty()
            } else {
                !conn.to_leader.is_empty()
            }
        })
    }

    /// Takes the next message of a link, which must be this one.
    pub(super) fn receive(&mut self, end: &End, message: &Message<Digest>) -> Result<(), String> {
        let Some(conn) = self.conn(end) else {
            return Err("the link was never up".to_owned());
        };
        let inbox = conn.inbox(end);
        let Some(next) = inbox.pop_front() else {
            return Err("the other end never sent it".to_owned());
        };
        if same(&next, message) {
            return Ok(());
        }
        let later = inbox.iter().position(|it| same(it, message));
        Err(match later {
            Some(place) => format!("it overtook {} others; {next:?} is next", place + 1),
            None => format!("the other end sent {next:?} next"),
        })
    }

    /// Nothing more comes to this end.
    pub(super) fn gone(&mut self, end: &End) {
        if let Some(conn) = self.conn(end) {
            conn.inbox(end).clear();
        }
    }

    pub(super) fn notify(&mut self, from: ServerId, to: ServerId, notification: Notification) {
        let mail = self.mail.entry((from, to)).or_default();
        mail.sent.push(notification);
    }

    pub(super) fn has_notified(
        &self,
        from: ServerId,
        to: ServerId,
        notification: &Notification,
    ) -> bool {
        self.mail
            .get(&(from, to))
            .is_some_and(|mail| mail.sent[mail.at..].contains(notification))
    }

    /// False if nobody sent it, or one sent later was here before.
    pub(super) fn take_notification(
        &mut self,
        from: ServerId,
        to: ServerId,
        notification: &Notification,
    ) -> bool {
        let Some(mail) = self.mail.get_mut(&(from, to)) else {
            return false;
        };
        let place = mail.sent[mail.at..]
            .iter()
            .position(|it| it == notification);
        mail.at += place.unwrap_or(0);
        place.is_some()
    }
}

/// Whether the one is what the other becomes on the wire: a learner's host adds its sessions to its pings (QP-BC-13).
fn same(sent: &Message<Digest>, received: &Message<Digest>) -> bool {
    match (sent, received) {
        (
            Message::Ping {
                zxid,
                sessions: None,
            },
            Message::Ping { zxid: other, .. },
        ) => zxid == other,
        _ => sent == received,
    }
}
