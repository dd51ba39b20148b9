//! One server: its core, its disk, and what its host keeps for it.

use std::collections::BTreeSet;

use zab::{LinkId, Peer, Policy, ServerId, Timer};
use zab_properties::Txn;
use zab_properties::tree::Tree;

use super::disk::Disk;

/// Server ids start above all epochs and rounds within any bounds, so that a hasher can tell them apart.
pub(super) const FIRST_ID: i64 = 11;

pub(super) fn id_of(index: usize) -> ServerId {
    ServerId(FIRST_ID + index as i64)
}

pub(super) fn index_of(id: ServerId) -> usize {
    usize::try_from(id.0 - FIRST_ID).unwrap_or(usize::MAX)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Server<P> {
    /// It has no vote, by its configuration.
    pub(super) observes: bool,
    /// None while it is down.
    pub(super) peer: Option<Peer<u8, P>>,
    pub(super) disk: Disk,
    /// The disk's history once its queue is done; follows from `disk`.
    pub(super) issued: Vec<Txn<u8>>,
    /// What this incarnation has applied and may show.
    pub(super) delivered: Vec<Txn<u8>>,
    /// What its tree shows to who gets a stream of it.
    pub(super) tree: Tree<u8>,
    /// How many transactions came with a snapshot, and are never delivered one by one.
    pub(super) loaded: usize,
    /// The leader that it dials.
    pub(super) dialling: Option<usize>,
    pub(super) timers: BTreeSet<Timer>,
    /// A snapshot stream that has arrived and is not installed.
    pub(super) received: Option<(LinkId, Vec<Txn<u8>>)>,
    /// Its directory was wiped, and no leader has brought it level since.
    pub(super) wiped: bool,
}

impl<P: Policy> Server<P> {
    pub(super) fn new(observes: bool) -> Self {
        Self {
            observes,
            peer: None,
            disk: Disk::empty(),
            issued: Vec::new(),
            delivered: Vec::new(),
            tree: Tree::default(),
            loaded: 0,
            dialling: None,
            timers: BTreeSet::new(),
            received: None,
            wiped: false,
        }
    }

    /// All that a crash takes.
    pub(super) fn lose_memory(&mut self) {
        self.peer = None;
        self.delivered.clear();
        self.tree = Tree::default();
        self.loaded = 0;
        self.dialling = None;
        self.timers.clear();
        self.received = None;
        self.disk.queue.clear();
        self.issued.clone_from(&self.disk.history);
    }
}
