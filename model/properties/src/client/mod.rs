//! K1-K10: what clients are owed (zab-model section 7), judged on the history that they and the servers wrote.
//!
//! A [`History`] holds what was asked, what was told in which order to whom, the order in which writes took effect, and
//! what each replica shows now. Real time enters only as "was answered before this was asked".

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

mod k01_linearizable_writes;
mod k02_fifo_order;
mod k03_monotone_reads;
mod k04_read_your_writes;
mod k05_sync_read;
mod k06_single_owner;
mod k07_expiry;
mod k08_ephemerals;
mod k09_watches;
mod k10_multi;

/// Names that the host gives: sessions, nodes, servers, and zxids as they count up from 1.
pub type Session = u8;
pub type Key = u8;
pub type Server = u8;
pub type Order = u32;

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Request {
    Set {
        key: Key,
        value: u8,
        version: Option<u32>,
    },
    Create {
        key: Key,
        value: u8,
        ephemeral: bool,
    },
    Delete {
        key: Key,
    },
    Multi(Vec<(Key, u8)>),
    Read {
        key: Key,
        watch: bool,
    },
    Sync,
    Close,
}

impl Request {
    /// Whether it takes a place in the order of writes.
    pub fn writes(&self) -> bool {
        match self {
            Self::Set { .. }
            | Self::Create { .. }
            | Self::Delete { .. }
            | Self::Multi(_)
            | Self::Close => true,
            Self::Read { .. } | Self::Sync => false,
        }
    }
}

/// Whether a write succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    Done,
    BadVersion,
    NoNode,
    NodeExists,
}

/// One node of the tree, as far as the properties look.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node {
    pub value: u8,
    pub version: u32,
    /// The write that changed it last.
    pub changed: Order,
    pub owner: Option<Session>,
}

pub type Tree = BTreeMap<Key, Node>;

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Answer {
    Wrote {
        at: Order,
        verdict: Verdict,
    },
    Saw {
        at: Order,
        node: Option<Node>,
    },
    Synced {
        at: Order,
    },
    /// The session has moved to another server, or is over: nothing was done.
    Refused,
}

impl Answer {
    /// The zxid that its reader has seen with it.
    pub fn seen(&self) -> Option<Order> {
        match self {
            Self::Wrote { at, .. } | Self::Saw { at, .. } | Self::Synced { at } => Some(*at),
            Self::Refused => None,
        }
    }
}

/// One request of one session, in the order of issue within the session.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Call {
    pub session: Session,
    pub xid: u8,
    pub request: Request,
    /// The calls (by index in [`History::calls`]) that anyone had been answered before this one was issued.
    pub after: u64,
    pub answer: Option<Answer>,
}

/// A write that took effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    pub session: Session,
    /// The call that it serves; none for an expiry, which the leader issues itself.
    pub xid: Option<u8>,
    pub request: Request,
    pub verdict: Verdict,
    /// The server that it came through.
    pub via: Server,
    /// The server that owned the session when the leader took the request.
    pub owner: Server,
    /// For an expiry: whether the leader had heard of the session within the timeout.
    pub touched: bool,
}

/// What a session is told, in the order in which it is told.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Told {
    Reply { call: usize },
    Changed { key: Key, at: Order },
}

/// A replica: how far it has applied the order, and what it shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Replica {
    pub applied: Order,
    pub tree: Tree,
}

/// All that client properties look at.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct History {
    pub initial: Tree,
    pub calls: Vec<Call>,
    /// The order of writes; the first has zxid 1.
    pub log: Vec<Entry>,
    pub told: BTreeMap<Session, Vec<Told>>,
    pub replicas: Vec<Replica>,
}

impl History {
    /// The log with its zxids.
    pub fn entries(&self) -> impl Iterator<Item = (Order, &Entry)> {
        (1..).zip(&self.log)
    }

    /// The answers that a session has had, in their order.
    pub fn answers(&self, session: Session) -> impl Iterator<Item = (&Call, &Answer)> {
        self.told
            .get(&session)
            .into_iter()
            .flatten()
            .filter_map(|told| match told {
                Told::Reply { call } => {
                    let call = self.calls.get(*call)?;
                    Some((call, call.answer.as_ref()?))
                }
                Told::Changed { .. } => None,
            })
    }

    pub fn sessions(&self) -> impl Iterator<Item = Session> {
        self.told.keys().copied()
    }
}

/// Applies one request at `at`: what a server that executes writes one after the other would do.
pub fn apply(tree: &mut Tree, request: &Request, session: Session, at: Order) -> Verdict {
    match request {
        Request::Set {
            key,
            value,
            version,
        } => match tree.get_mut(key) {
            None => Verdict::NoNode,
            Some(node) if version.is_some_and(|expected| expected != node.version) => {
                Verdict::BadVersion
            }
            Some(node) => {
                *node = Node {
                    value: *value,
                    version: node.version + 1,
                    changed: at,
                    owner: node.owner,
                };
                Verdict::Done
            }
        },
        Request::Create {
            key,
            value,
            ephemeral,
        } => {
            if tree.contains_key(key) {
                return Verdict::NodeExists;
            }
            let owner = ephemeral.then_some(session);
            tree.insert(
                *key,
                Node {
                    value: *value,
                    version: 0,
                    changed: at,
                    owner,
                },
            );
            Verdict::Done
        }
        Request::Delete { key } => match tree.remove(key) {
            Some(_) => Verdict::Done,
            None => Verdict::NoNode,
        },
        Request::Multi(sets) => {
            if !sets.iter().all(|(key, _)| tree.contains_key(key)) {
                return Verdict::NoNode;
            }
            for (key, value) in sets {
                if let Some(node) = tree.get_mut(key) {
                    *node = Node {
                        value: *value,
                        version: node.version + 1,
                        changed: at,
                        owner: node.owner,
                    };
                }
            }
            Verdict::Done
        }
        Request::Close => {
            tree.retain(|_, node| node.owner != Some(session));
            Verdict::Done
        }
        Request::Read { .. } | Request::Sync => Verdict::Done,
    }
}

/// The keys that a request changes when it is applied to `tree`.
pub fn touches(tree: &Tree, request: &Request, session: Session) -> Vec<Key> {
    match request {
        Request::Set { key, .. } | Request::Create { key, .. } | Request::Delete { key } => {
            alloc::vec![*key]
        }
        Request::Multi(sets) => sets.iter().map(|(key, _)| *key).collect(),
        Request::Close => tree
            .iter()
            .filter(|(_, node)| node.owner == Some(session))
            .map(|(key, _)| *key)
            .collect(),
        Request::Read { .. } | Request::Sync => Vec::new(),
    }
}

/// A named property of client histories.
#[derive(Clone, Copy)]
pub struct ClientInvariant {
    pub number: u8,
    pub id: &'static str,
    pub name: &'static str,
    pub statement: &'static str,
    pub holds: fn(&History) -> bool,
}

/// All client properties, in the order of their numbers.
pub fn all() -> Vec<ClientInvariant> {
    alloc::vec![
        k01_linearizable_writes::invariant(),
        k02_fifo_order::invariant(),
        k03_monotone_reads::invariant(),
        k04_read_your_writes::invariant(),
        k05_sync_read::invariant(),
        k06_single_owner::invariant(),
        k07_expiry::invariant(),
        k08_ephemerals::invariant(),
        k09_watches::invariant(),
        k10_multi::invariant(),
    ]
}

#[cfg(test)]
mod tests;
