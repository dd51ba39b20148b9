//! The watches in memory: one entry for each connection and path, on two lists. About 100 bytes for each.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hash::{BuildHasher, Hasher};

use hashbrown::DefaultHashBuilder;

use super::{ConnectionId, Counts};
use crate::mutant::Mutant;
use crate::store::table::Table as Slots;

const NONE: u32 = u32::MAX;
/// Entries.
const WORTH_RELEASING: usize = 1024;

/// The kinds of watch that a connection has on a path.
// spec: CP-WAT-07. Each kind comes and goes by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bits(u8);

impl Bits {
    pub(super) const DATA: Self = Self(1);
    pub(super) const CHILD: Self = Self(2);
    pub(super) const PERSISTENT: Self = Self(4);
    pub(super) const RECURSIVE: Self = Self(8);
    pub(super) const ALL: Self = Self(15);
    /// What a trigger uses up.
    pub(super) const ONCE: Self = Self(3);
    /// What ZooKeeper keeps in its data table.
    // spec: CP-WAT-02
    const DATA_TABLE: Self = Self(13);
    const CHILD_TABLE: Self = Self(6);

    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(super) fn common(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

#[derive(Debug)]
struct Entry {
    path: u32,
    connection: u32,
    /// Previous and next watch on the same path.
    on_path: (u32, u32),
    /// Previous and next watch of the same connection.
    of_connection: (u32, u32),
    bits: Bits,
}

/// A watched path or a watching connection.
#[derive(Debug)]
struct Head<K> {
    key: K,
    first: u32,
    /// Watches that are in the data table.
    data: u32,
    /// Recursive ones.
    recursive: u32,
}

#[derive(Debug, Default)]
pub(super) struct Table {
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Entries by connection and path.
    by_both: Slots,
    paths: Heads<Box<str>>,
    path_slots: Slots,
    connections: Heads<ConnectionId>,
    connection_slots: Slots,
    counts: Counts,
    recursive: usize,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Heads<K> {
    slots: Vec<Head<K>>,
    free: Vec<u32>,
}

impl<K> Default for Heads<K> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<K> Heads<K> {
    fn open(&mut self, key: K) -> u32 {
        let head = Head {
            key,
            first: NONE,
            data: 0,
            recursive: 0,
        };
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = head;
            return slot;
        }
        self.slots.push(head);
        (self.slots.len() - 1) as u32
    }
}

impl Table {
    pub(super) fn is_empty(&self) -> bool {
        self.by_both.len() == 0
    }

    pub(super) fn has_recursive(&self) -> bool {
        self.recursive > 0
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    pub(super) fn add(&mut self, connection: ConnectionId, path: &str, bits: Bits) {
        let path = self.find_path(path).unwrap_or_else(|| self.open_path(path));
        let connection = self
            .find_connection(connection)
            .unwrap_or_else(|| self.open_connection(connection));
        let entry = self
            .find(connection, path)
            .unwrap_or_else(|| self.link(connection, path));
        let bits = self.entries[entry as usize].bits.with(bits);
        self.set_bits(entry, bits);
    }

    pub(super) fn get(&self, connection: ConnectionId, path: &str) -> Bits {
        self.locate(connection, path)
            .map_or(Bits::default(), |entry| self.entries[entry as usize].bits)
    }

    /// False if none of `bits` was set.
    pub(super) fn remove(&mut self, connection: ConnectionId, path: &str, bits: Bits) -> bool {
        let Some(entry) = self.locate(connection, path) else {
            return false;
        };
        let had = self.entries[entry as usize].bits;
        self.set_bits(entry, had.without(bits));
        had.intersects(bits)
    }

    pub(super) fn remove_connection(&mut self, connection: ConnectionId) {
        while let Some(slot) = self.find_connection(connection) {
            let first = self.connections.slots[slot as usize].first;
            self.set_bits(first, Bits::default());
        }
    }

    /// Appends the connections that have any of `matching` on `path`, and uses up those that serve once.
    pub(super) fn fire(&mut self, path: &str, matching: Bits, found: &mut Vec<ConnectionId>) {
        let Some(slot) = self.find_path(path) else {
            return;
        };
        let head = &self.paths.slots[slot as usize];
        if matching == Bits::RECURSIVE && head.recursive == 0 {
            return;
        }
        let mut next = head.first;
        while next != NONE {
            let entry = &self.entries[next as usize];
            let (this, bits) = (next, entry.bits);
            next = entry.on_path.1;
            if bits.intersects(matching) {
                found.push(self.connections.slots[entry.connection as usize].key);
                let once = if Mutant::WatchStays.acts() {
                    Bits::default()
                } else if Mutant::PersistentOnce.acts() {
                    Bits::ALL
                } else {
                    Bits::ONCE
                };
                let used = matching.common(once);
                if bits.intersects(used) {
                    self.set_bits(this, bits.without(used));
                }
            }
        }
    }

    pub(super) fn by_connection(
        &self,
    ) -> impl Iterator<Item = (ConnectionId, impl Iterator<Item = &str>)> {
        let mut watching: Vec<&Head<ConnectionId>> = self
            .connection_slots
            .iter()
            .map(|slot| &self.connections.slots[slot as usize])
            .filter(|head| head.data > 0)
            .collect();
        watching.sort_unstable_by_key(|head| head.key);
        watching.into_iter().map(|head| {
            let entries = self.list(head.first, |entry| entry.of_connection.1);
            let paths = entries.map(|entry| &*self.paths.slots[entry.path as usize].key);
            (head.key, paths)
        })
    }

    pub(super) fn by_path(
        &self,
    ) -> impl Iterator<Item = (&str, impl Iterator<Item = ConnectionId>)> {
        self.paths
            .slots
            .iter()
            .filter(|head| head.data > 0)
            .map(|head| {
                let entries = self.list(head.first, |entry| entry.on_path.1);
                (
                    &*head.key,
                    entries.map(|entry| self.connections.slots[entry.connection as usize].key),
                )
            })
    }

    /// The entries of a list that are in the data table.
    fn list(&self, first: u32, next: impl Fn(&Entry) -> u32) -> impl Iterator<Item = &Entry> {
        let entry = |slot: u32| self.entries.get(slot as usize);
        let all = core::iter::successors(entry(first), move |this| entry(next(this)));
        all.filter(|entry| entry.bits.intersects(Bits::DATA_TABLE))
    }

    fn locate(&self, connection: ConnectionId, path: &str) -> Option<u32> {
        self.find(self.find_connection(connection)?, self.find_path(path)?)
    }

    fn find(&self, connection: u32, path: u32) -> Option<u32> {
        self.by_both
            .find(hash_both(&self.hasher, connection, path), |slot| {
                let entry = &self.entries[slot as usize];
                entry.connection == connection && entry.path == path
            })
    }

    fn find_path(&self, path: &str) -> Option<u32> {
        let is = |slot: u32| *self.paths.slots[slot as usize].key == *path;
        self.path_slots.find(self.hasher.hash_one(path), is)
    }

    fn find_connection(&self, connection: ConnectionId) -> Option<u32> {
        let is = |slot: u32| self.connections.slots[slot as usize].key == connection;
        self.connection_slots
            .find(self.hasher.hash_one(connection), is)
    }

    fn open_path(&mut self, path: &str) -> u32 {
        let slot = self.paths.open(path.into());
        self.path_slots.insert(self.hasher.hash_one(path), slot);
        slot
    }

    fn open_connection(&mut self, connection: ConnectionId) -> u32 {
        let slot = self.connections.open(connection);
        self.connection_slots
            .insert(self.hasher.hash_one(connection), slot);
        slot
    }

    /// Puts a new entry, without any bit yet, at the head of its two lists.
    fn link(&mut self, connection: u32, path: u32) -> u32 {
        let on_path = &mut self.paths.slots[path as usize].first;
        let of_connection = &mut self.connections.slots[connection as usize].first;
        let entry = Entry {
            path,
            connection,
            on_path: (NONE, *on_path),
            of_connection: (NONE, *of_connection),
            bits: Bits::default(),
        };
        let slot = self.free.pop().unwrap_or(self.entries.len() as u32);
        (*on_path, *of_connection) = (slot, slot);
        let (next_on_path, next_of_connection) = (entry.on_path.1, entry.of_connection.1);
        if slot as usize == self.entries.len() {
            self.entries.push(entry);
        } else {
            self.entries[slot as usize] = entry;
        }
        if let Some(next) = self.entries.get_mut(next_on_path as usize) {
            next.on_path.0 = slot;
        }
        if let Some(next) = self.entries.get_mut(next_of_connection as usize) {
            next.of_connection.0 = slot;
        }
        self.by_both
            .insert(hash_both(&self.hasher, connection, path), slot);
        slot
    }

    /// Changes an entry's bits and every count that depends on them; without bits the entry goes.
    fn set_bits(&mut self, slot: u32, bits: Bits) {
        let entry = &mut self.entries[slot as usize];
        let old = core::mem::replace(&mut entry.bits, bits);
        let (path, connection) = (entry.path as usize, entry.connection as usize);
        let path = &mut self.paths.slots[path];
        let connection = &mut self.connections.slots[connection];
        match (
            old.intersects(Bits::RECURSIVE),
            bits.intersects(Bits::RECURSIVE),
        ) {
            (false, true) => {
                (path.recursive, self.recursive) = (path.recursive + 1, self.recursive + 1)
            }
            (true, false) => {
                (path.recursive, self.recursive) = (path.recursive - 1, self.recursive - 1)
            }
            (false, false) | (true, true) => {}
        }
        match (
            old.intersects(Bits::CHILD_TABLE),
            bits.intersects(Bits::CHILD_TABLE),
        ) {
            (false, true) => self.counts.watches += 1,
            (true, false) => self.counts.watches -= 1,
            (false, false) | (true, true) => {}
        }
        match (
            old.intersects(Bits::DATA_TABLE),
            bits.intersects(Bits::DATA_TABLE),
        ) {
            (false, true) => {
                self.counts.watches += 1;
                self.counts.data_watches += 1;
                (path.data, connection.data) = (path.data + 1, connection.data + 1);
                self.counts.data_paths += usize::from(path.data == 1);
                self.counts.data_connections += usize::from(connection.data == 1);
            }
            (true, false) => {
                self.counts.watches -= 1;
                self.counts.data_watches -= 1;
                (path.data, connection.data) = (path.data - 1, connection.data - 1);
                self.counts.data_paths -= usize::from(path.data == 0);
                self.counts.data_connections -= usize::from(connection.data == 0);
            }
            (false, false) | (true, true) => {}
        }
        if bits == Bits::default() {
            self.unlink(slot);
        }
    }

    /// Takes an entry off its lists, and a path or connection without entries out of the tables.
    // spec: CP-GAP-18
    fn unlink(&mut self, slot: u32) {
        let entry = &self.entries[slot as usize];
        let (path, connection) = (entry.path, entry.connection);
        let (on_path, of_connection) = (entry.on_path, entry.of_connection);
        let hash = hash_both(&self.hasher, connection, path);
        self.by_both.remove(hash, slot);
        match self.entries.get_mut(on_path.0 as usize) {
            Some(previous) => previous.on_path.1 = on_path.1,
            None => self.paths.slots[path as usize].first = on_path.1,
        }
        if let Some(next) = self.entries.get_mut(on_path.1 as usize) {
            next.on_path.0 = on_path.0;
        }
        match self.entries.get_mut(of_connection.0 as usize) {
            Some(previous) => previous.of_connection.1 = of_connection.1,
            None => self.connections.slots[connection as usize].first = of_connection.1,
        }
        if let Some(next) = self.entries.get_mut(of_connection.1 as usize) {
            next.of_connection.0 = of_connection.0;
        }
        self.free.push(slot);
        self.close_path(path);
        self.close_connection(connection);
        self.release_memory();
    }

    /// Gives back what a flood of watches took, once there is none.
    fn release_memory(&mut self) {
        if self.is_empty() && self.entries.len() > WORTH_RELEASING {
            (self.entries, self.free) = (Vec::new(), Vec::new());
            (self.paths, self.connections) = (Heads::default(), Heads::default());
        }
    }

    fn close_path(&mut self, slot: u32) {
        let head = &mut self.paths.slots[slot as usize];
        if head.first != NONE {
            return;
        }
        let key = core::mem::take(&mut head.key);
        let hash = self.hasher.hash_one(&*key);
        self.path_slots.remove(hash, slot);
        self.paths.free.push(slot);
    }

    fn close_connection(&mut self, slot: u32) {
        let head = &self.connections.slots[slot as usize];
        if head.first == NONE {
            self.connection_slots
                .remove(self.hasher.hash_one(head.key), slot);
            self.connections.free.push(slot);
        }
    }
}

fn hash_both(hasher: &DefaultHashBuilder, connection: u32, path: u32) -> u64 {
    let mut state = hasher.build_hasher();
    state.write_u32(connection);
    state.write_u32(path);
    state.finish()
}
