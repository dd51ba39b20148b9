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
    /// Delete X, whatever its version.
    Delete,
    Sync,
    Close,
}

impl Op {
    pub(super) const ALL: [Self; 8] = [
        Self::SetIfNew,
        Self::SetBoth,
        Self::CreateEphemeral,
        Self::ReadWatched,
        Self::ReadEphemeral,
        Self::Delete,
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
            Self::Delete => Request::Delete { key: X },
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
    /// Pairs of two operations in which most operations meet, for each push. [`Self::single`] has the pairs that are
    /// missing here, [`Self::all`] all of them.
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

    /// Every operation against every other, and against itself: one for each client.
    pub fn single() -> Self {
        let mut pairs = Vec::new();
        for (index, a) in Op::ALL.into_iter().enumerate() {
            pairs.extend(Op::ALL[index..].iter().map(|b| [vec![a], vec![*b]]));
        }
        Self { pairs }
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

#[cfg(test)]
mod tests {
    use super::{Op, Scripts};

    /// Pairs of operations, in either order, of which neither client's comes after the other's.
    fn meet(scripts: &Scripts, a: Op, b: Op) -> bool {
        scripts.pairs.iter().any(|[first, second]| {
            (first.contains(&a) && second.contains(&b))
                || (first.contains(&b) && second.contains(&a))
        })
    }

    #[test]
    fn every_operation_meets_every_other() {
        for a in Op::ALL {
            for b in Op::ALL {
                assert!(meet(&Scripts::single(), a, b), "{a:?} {b:?}");
                assert!(meet(&Scripts::all(), a, b), "{a:?} {b:?}");
            }
        }
        let missing = |it: &(Op, Op)| !meet(&Scripts::quick(), it.0, it.1);
        let pairs = Op::ALL.iter().flat_map(|a| Op::ALL.map(|b| (*a, b)));
        assert!(
            pairs.filter(missing).count() > 0,
            "GC-pairs is needed no more"
        );
    }
}
