//! What the clients of the model ask: each pair of scripts is one initial state.

use zab_properties::client::{Key, Node, Request, Tree};

pub(super) const X: Key = 0;
pub(super) const Y: Key = 1;
pub(super) const E: Key = 2;

/// An operation of a script. Values are made unique by client and place when it is issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Set X if it still has version 0.
    SetIfNew,
    /// Set X and Y together.
    SetBoth,
    CreateEphemeral,
    ReadWatched,
    ReadEphemeral,
    Sync,
    Close,
}

impl Op {
    pub(super) const ALL: [Self; 7] = [
        Self::SetIfNew,
        Self::SetBoth,
        Self::CreateEphemeral,
        Self::ReadWatched,
        Self::ReadEphemeral,
        Self::Sync,
        Self::Close,
    ];

    pub(super) fn request(self, client: u8, place: u8) -> Request {
        let value = 10 * (client + 1) + place;
        match self {
            Self::SetIfNew => Request::Set {
                key: X,
                value,
                version: Some(0),
            },
            Self::SetBoth => Request::Multi(vec![(X, value), (Y, value)]),
            Self::CreateEphemeral => Request::Create {
                key: E,
                value,
                ephemeral: true,
            },
            Self::ReadWatched => Request::Read {
                key: X,
                watch: true,
            },
            Self::ReadEphemeral => Request::Read {
                key: E,
                watch: false,
            },
            Self::Sync => Request::Sync,
            Self::Close => Request::Close,
        }
    }
}

/// The scripts of a run: for each client the operations that it issues, in order.
#[derive(Clone, Debug)]
pub struct Scripts {
    pub(super) pairs: Vec<[Vec<Op>; 2]>,
}

impl Scripts {
    /// Pairs that between them bring every operation against every other, for each push.
    pub fn quick() -> Self {
        use Op::{Close, CreateEphemeral, ReadEphemeral, ReadWatched, SetBoth, SetIfNew, Sync};
        let pairs = [
            [[SetIfNew, ReadWatched], [SetIfNew, ReadWatched]],
            [[ReadWatched, ReadWatched], [SetIfNew, SetBoth]],
            [[SetIfNew, SetBoth], [Sync, ReadWatched]],
            [[CreateEphemeral, Close], [ReadEphemeral, ReadEphemeral]],
            [[CreateEphemeral, SetBoth], [CreateEphemeral, Sync]],
            [[ReadWatched, Sync], [SetBoth, Close]],
        ];
        Self {
            pairs: pairs
                .iter()
                .map(|pair| [pair[0].to_vec(), pair[1].to_vec()])
                .collect(),
        }
    }

    /// Every pair of scripts of two operations, but for the names of the clients.
    pub fn all() -> Self {
        let mut scripts = Vec::new();
        for first in Op::ALL {
            scripts.extend(Op::ALL.map(|second| vec![first, second]));
        }
        let mut pairs = Vec::new();
        for (index, a) in scripts.iter().enumerate() {
            pairs.extend(scripts[index..].iter().map(|b| [a.clone(), b.clone()]));
        }
        Self { pairs }
    }
}

pub(super) fn initial_tree() -> Tree {
    let node = Node {
        value: 0,
        version: 0,
        changed: 0,
        owner: None,
    };
    [(X, node.clone()), (Y, node)].into_iter().collect()
}
