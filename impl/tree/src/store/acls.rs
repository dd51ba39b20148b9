//! ACLs, each distinct list once, with the ids that snapshots give them.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};
use zk_proto::{Acl, Perms};

/// What a znode's ACL says. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclRef {
    /// Everything to everyone; never listed in a snapshot.
    Open,
    /// The snapshot named an ACL that it does not hold: nobody may do anything.
    // spec: DF-REC-20. Reading it as open would publish data that a later txn of the log protects.
    Unknown,
    /// As stored.
    List(Arc<[Acl]>),
}

/// Slot of the open ACL.
pub(crate) const OPEN: u32 = 0;
/// The open ACL's id in snapshots.
// spec: DF-BODY-02
pub(crate) const OPEN_ID: i64 = -1;

#[derive(Debug)]
pub(crate) struct Acls {
    entries: Vec<Entry>,
    by_list: HashTable<u32>,
    by_id: BTreeMap<i64, u32>,
    free: Vec<u32>,
    /// Ids are given once and never again, so that one that lies below a snapshot's greatest was there when it began.
    next_id: i64,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Entry {
    id: i64,
    /// Znodes that have this ACL.
    uses: u32,
    acl: AclRef,
}

impl Default for Acls {
    fn default() -> Self {
        Self {
            entries: alloc::vec![Entry {
                id: OPEN_ID,
                uses: 0,
                acl: AclRef::Open
            }],
            by_list: HashTable::new(),
            by_id: BTreeMap::new(),
            free: Vec::new(),
            next_id: 1,
            hasher: DefaultHashBuilder::default(),
        }
    }
}

impl Acls {
    pub(crate) fn get(&self, slot: u32) -> &AclRef {
        &self.entries[slot as usize].acl
    }

    pub(crate) fn id(&self, slot: u32) -> i64 {
        self.entries[slot as usize].id
    }

    /// The slot of a list, used once more.
    // spec: CP-ACL-30
    pub(crate) fn acquire(&mut self, list: &[Acl]) -> u32 {
        if is_open(list) {
            return OPEN;
        }
        let hash = self.hasher.hash_one(list);
        let entries = &self.entries;
        let known = self
            .by_list
            .find(hash, |slot| holds(&entries[*slot as usize], list))
            .copied();
        let slot = known.unwrap_or_else(|| {
            let id = self.next_id;
            self.open(id, AclRef::List(list.into()))
        });
        self.entries[slot as usize].uses += 1;
        slot
    }

    /// The slot of an id that a snapshot's znode names, used once more.
    // spec: DF-REC-20
    pub(crate) fn acquire_id(&mut self, id: i64) -> u32 {
        if id == OPEN_ID {
            return OPEN;
        }
        let known = self.by_id.get(&id).copied();
        let slot = known.unwrap_or_else(|| self.open(id, AclRef::Unknown));
        self.entries[slot as usize].uses += 1;
        slot
    }

    /// One use less; the last one frees the slot.
    pub(crate) fn release(&mut self, slot: u32) {
        if slot == OPEN {
            return;
        }
        let entry = &mut self.entries[slot as usize];
        entry.uses -= 1;
        if entry.uses == 0 {
            self.close(slot);
        }
    }

    /// Takes one entry of a snapshot's map. False if the id is taken. A list that stands under two ids stays two entries.
    pub(crate) fn load(&mut self, id: i64, list: &[Acl]) -> bool {
        if id == OPEN_ID || self.by_id.contains_key(&id) {
            return false;
        }
        self.open(id, AclRef::List(list.into()));
        true
    }

    /// Drops the entries of a snapshot's map that no znode uses.
    pub(crate) fn purge_unused(&mut self) {
        let mut unused: Vec<u32> = self.by_id.values().copied().collect();
        unused.retain(|slot| self.entries[*slot as usize].uses == 0);
        for slot in unused {
            self.close(slot);
        }
    }

    /// Every list with its id, by id. Ids that stand for no known list are left out.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Arc<[Acl]>)> + '_ {
        self.by_id
            .iter()
            .filter_map(|(id, slot)| match &self.entries[*slot as usize].acl {
                AclRef::List(list) => Some((*id, list)),
                AclRef::Open | AclRef::Unknown => None,
            })
    }

    /// Number of ids that znodes name and that stand for no known list.
    pub(crate) fn unknown(&self) -> usize {
        self.by_id
            .values()
            .filter(|slot| self.entries[**slot as usize].acl == AclRef::Unknown)
            .count()
    }

    /// The id that the next new list gets.
    pub(crate) fn next_id(&self) -> i64 {
        self.next_id
    }

    fn open(&mut self, id: i64, acl: AclRef) -> u32 {
        // spec: DF-REC-20. Above everything that the snapshot names, or a new list would take over foreign znodes.
        self.next_id = self.next_id.max(id.saturating_add(1));
        let slot = self.free.pop().unwrap_or(self.entries.len() as u32);
        let entry = Entry { id, uses: 0, acl };
        if slot as usize == self.entries.len() {
            self.entries.push(entry);
        } else {
            self.entries[slot as usize] = entry;
        }
        self.by_id.insert(id, slot);
        self.index(slot);
        slot
    }

    fn index(&mut self, slot: u32) {
        let Self {
            entries,
            by_list,
            hasher,
            ..
        } = self;
        let AclRef::List(list) = &entries[slot as usize].acl else {
            return;
        };
        let hash = hasher.hash_one(&list[..]);
        by_list.insert_unique(hash, slot, |slot| match &entries[*slot as usize].acl {
            AclRef::List(list) => hasher.hash_one(&list[..]),
            AclRef::Open | AclRef::Unknown => 0,
        });
    }

    fn close(&mut self, slot: u32) {
        let entry = &mut self.entries[slot as usize];
        self.by_id.remove(&entry.id);
        if let AclRef::List(list) = &entry.acl {
            let hash = self.hasher.hash_one(&list[..]);
            if let Ok(found) = self.by_list.find_entry(hash, |other| *other == slot) {
                found.remove();
            }
        }
        entry.acl = AclRef::Unknown;
        self.free.push(slot);
    }
}

fn holds(entry: &Entry, wanted: &[Acl]) -> bool {
    matches!(&entry.acl, AclRef::List(list) if list[..] == *wanted)
}

fn is_open(list: &[Acl]) -> bool {
    match list {
        [only] => only.perms == Perms::ALL && only.id.scheme == "world" && only.id.id == "anyone",
        [] | [_, ..] => false,
    }
}

/// A list as a znode would have it.
pub(crate) fn as_ref(list: &[Acl]) -> AclRef {
    if is_open(list) {
        AclRef::Open
    } else {
        AclRef::List(list.into())
    }
}
