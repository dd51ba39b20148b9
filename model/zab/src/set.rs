//! A set of members' ids, without allocation.

use core::fmt;

use crate::id::ServerId;

/// Server ids from 0 to 255. Ids outside never become members (spec: QP-CFG-01).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ServerSet([u64; 4]);

impl ServerSet {
    /// The empty set.
    pub const EMPTY: Self = Self([0; 4]);

    /// Adds a server; false if its id can be no member's.
    pub fn insert(&mut self, id: ServerId) -> bool {
        match Self::place(id) {
            Some((word, bit)) => {
                self.0[word] |= bit;
                true
            }
            None => false,
        }
    }

    /// Removes a server.
    pub fn remove(&mut self, id: ServerId) {
        if let Some((word, bit)) = Self::place(id) {
            self.0[word] &= !bit;
        }
    }

    /// Whether the server is in the set.
    #[must_use]
    pub fn contains(&self, id: ServerId) -> bool {
        Self::place(id).is_some_and(|(word, bit)| self.0[word] & bit != 0)
    }

    /// How many servers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether nobody is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0 == [0; 4]
    }

    /// The servers, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = ServerId> + use<> {
        let words = self.0;
        (0..4usize).flat_map(move |index| {
            let mut left = words[index];
            core::iter::from_fn(move || {
                let bit = left.trailing_zeros();
                left &= left.wrapping_sub(1);
                (bit < 64).then(|| ServerId(index as i64 * 64 + i64::from(bit)))
            })
        })
    }

    /// Members of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] & other.0[i]))
    }

    /// Members of either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(core::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    fn place(id: ServerId) -> Option<(usize, u64)> {
        let index = u8::try_from(id.0).ok()?;
        Some((usize::from(index / 64), 1 << (index % 64)))
    }
}

impl FromIterator<ServerId> for ServerSet {
    fn from_iter<I: IntoIterator<Item = ServerId>>(ids: I) -> Self {
        let mut set = Self::EMPTY;
        for id in ids {
            set.insert(id);
        }
        set
    }
}

impl fmt::Debug for ServerSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;
    use alloc::vec::Vec;

    use quickcheck::quickcheck;

    use super::*;

    quickcheck! {
        fn behaves_as_a_set_of_small_ids(added: Vec<i16>, removed: Vec<u8>) -> bool {
            let mut set = ServerSet::EMPTY;
            let mut naive = BTreeSet::new();
            for id in added.iter().map(|id| ServerId((*id).into())) {
                if set.insert(id) {
                    naive.insert(id);
                }
            }
            for id in removed.iter().map(|id| ServerId((*id).into())) {
                set.remove(id);
                naive.remove(&id);
            }
            let all: Vec<_> = set.iter().collect();
            all == naive.iter().copied().collect::<Vec<_>>()
                && set.len() == naive.len()
                && naive.iter().all(|id| set.contains(*id) && (0..256).contains(&id.0))
        }
    }
}
