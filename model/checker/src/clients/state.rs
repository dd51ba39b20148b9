//! The state of the client model and its actions.

use serde::{Deserialize, Serialize};
use zab_properties::client::{Entry, History, Key, Order, Session};

/// What a call waits for at its server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Wait {
    /// Nothing but its turn.
    Turn,
    /// The write with this zxid, once the leader has given it one.
    Applied(Option<Order>),
    /// The leader said no.
    Refused,
}

/// A call in the commit stage of the server that its client is attached to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Waiting {
    pub call: usize,
    pub wait: Wait,
}

/// What the leader has accepted and not yet committed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Proposed {
    Write {
        entry: Entry,
        /// The ephemerals that a close names (QP-TXN-06).
        named: Vec<Key>,
        call: Option<usize>,
    },
    /// A sync is answered when all that was proposed before it has been committed.
    Sync { call: usize },
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Client {
    pub server: Option<u8>,
    /// The greatest zxid that it has seen.
    pub seen: Order,
    /// Operations issued; its script goes on from here.
    pub issued: u8,
    /// Calls that it has made, retries included.
    pub calls: u8,
    /// The last call was lost with its connection and may be asked again.
    pub may_retry: bool,
    pub expired: bool,
    /// Watches that it believes set, with the zxid up to which it knows the node.
    pub watches: Vec<(Key, Order)>,
    pub waiting: Vec<Waiting>,
}

/// A replica beside its tree: calls on their way to the leader, watches, events not yet sent (a flaw).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Server {
    pub forward: Vec<usize>,
    pub watches: Vec<(Session, Key)>,
    pub late_events: Vec<(Session, Key, Order)>,
    /// The first half of a multi has been applied (a flaw).
    pub half: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub script: u16,
    pub history: History,
    /// The ephemerals that each committed close names, in the order of the log.
    pub named: Vec<Vec<Key>>,
    pub pipeline: Vec<Proposed>,
    pub owners: Vec<u8>,
    pub clients: Vec<Client>,
    pub servers: Vec<Server>,
    pub breaks: u8,
    pub expiries: u8,
}

/// A step of the client model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// The client asks the next operation of its script.
    Issue {
        client: u8,
    },
    /// The client asks again what it has had no answer for.
    Retry {
        client: u8,
    },
    /// The leader takes a forwarded call of this server: the first, or with a flaw a later one.
    Take {
        server: u8,
        place: u8,
    },
    /// The leader's oldest proposal is committed.
    Commit,
    /// A replica applies the next write.
    Apply {
        server: u8,
    },
    /// A server answers a waiting call of this client: the first, or with a flaw a later one.
    Answer {
        client: u8,
        place: u8,
    },
    /// A late watch event reaches its client (a flaw).
    Notify {
        server: u8,
    },
    Break {
        client: u8,
    },
    Connect {
        client: u8,
        server: u8,
    },
    /// The leader ends a session that it has not heard of.
    Expire {
        client: u8,
    },
}
