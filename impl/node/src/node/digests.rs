//! Whether this server's tree is the leader's: each txn carries the digest of the tree that it left
//! at the leader.

use zk_proto::TxnDigest;

/// Compares as txns are applied.
#[derive(Debug, Default)]
pub(super) struct Digests {
    /// A txn left what it carries. Before that the two may begin apart: a tree loaded without a digest.
    agreed: bool,
    /// This server's operator knows.
    told: bool,
}

/// What one comparison shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Nothing,
    /// They were alike and no longer are.
    Differs {
        first: bool,
    },
}

impl Digests {
    /// `carried` by the txn that left the tree with `ours`; None: not computed, or not there.
    // spec: QP-BC-12, DF-DIG-01, DF-DIG-08
    pub(super) fn compare(
        &mut self,
        carried: Option<TxnDigest>,
        ours: Option<TxnDigest>,
    ) -> Verdict {
        let (Some(carried), Some(ours)) = (carried, ours) else {
            return Verdict::Nothing;
        };
        if carried.version != ours.version {
            return Verdict::Nothing;
        }
        if carried == ours {
            self.agreed = true;
            return Verdict::Nothing;
        }
        if !self.agreed {
            return Verdict::Nothing;
        }
        Verdict::Differs {
            first: !std::mem::replace(&mut self.told, true),
        }
    }

    /// Another tree takes the place of this one.
    pub(super) fn reload(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: QP-BC-12, DF-DIG-08
    #[test]
    fn a_difference_counts_once_the_trees_were_alike() {
        let digest = |version, tree| Some(TxnDigest { version, tree });
        let mut digests = Digests::default();
        for (carried, ours, expected) in [
            (digest(2, 1), digest(2, 9), Verdict::Nothing),
            (digest(2, 7), digest(2, 7), Verdict::Nothing),
            (None, digest(2, 7), Verdict::Nothing),
            (digest(2, 8), None, Verdict::Nothing),
            (digest(3, 8), digest(2, 7), Verdict::Nothing),
            (digest(2, 8), digest(2, 7), Verdict::Differs { first: true }),
            (
                digest(2, 9),
                digest(2, 7),
                Verdict::Differs { first: false },
            ),
        ] {
            assert_eq!(digests.compare(carried, ours), expected);
        }
        digests.reload();
        assert_eq!(
            digests.compare(digest(2, 8), digest(2, 7)),
            Verdict::Nothing
        );
    }
}
