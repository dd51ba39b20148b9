//! One server, as the steps of its core and of its disk show it.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use zab::{Epoch, LinkId, RoleKind, ServerId, Status, Write, WriteId, Zxid};

use crate::tree::{Tree, covered};
use crate::{Phase, Role, ServerView, Txn, Value};

/// A write on its way to the disk.
#[derive(Clone, Debug)]
pub struct Queued<V> {
    pub id: WriteId,
    pub write: Write<V>,
    /// What an installed snapshot shows.
    pub content: Vec<Txn<V>>,
}

/// What a start found on its disk.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub current: Epoch,
    /// The log's end.
    pub last: Zxid,
    /// What the tree is loaded with as a whole.
    pub base: Zxid,
}

/// All histories start at the first txn ever.
#[derive(Debug)]
pub struct History<V> {
    pub id: ServerId,
    pub up: bool,
    pub status: Option<Status>,
    pub issued: Vec<Txn<V>>,
    pub durable: Vec<Txn<V>>,
    pub delivered: Vec<Txn<V>>,
    /// What its tree shows.
    pub tree: Tree<V>,
    /// What the newest snapshot on its disk shows beyond its zxid.
    pub beyond: Vec<Txn<V>>,
    /// So many of `issued` came with a snapshot, or were in the tree at the start.
    pub loaded: usize,
    pub accepted: Epoch,
    pub current: Epoch,
    pub queue: VecDeque<Queued<V>>,
    pub wiped: bool,
    pub cache_is_whole: bool,
    /// It acknowledged NEWLEADER on this link.
    pub adopted: Option<LinkId>,
}

impl<V: Value> History<V> {
    /// An empty directory that no process has used.
    pub fn new(id: ServerId) -> Self {
        Self {
            id,
            up: false,
            status: None,
            issued: Vec::new(),
            durable: Vec::new(),
            delivered: Vec::new(),
            tree: Tree::default(),
            beyond: Vec::new(),
            loaded: 0,
            accepted: Epoch::ZERO,
            current: Epoch::ZERO,
            queue: VecDeque::new(),
            wiped: false,
            cache_is_whole: true,
            adopted: None,
        }
    }

    pub(super) fn view(&self) -> ServerView<'_, V> {
        let status = self.status;
        ServerView {
            id: self.id,
            up: self.up,
            role: status.map_or(Role::Looking, role),
            phase: status.map_or(Phase::Election, |it| match it.phase {
                zab::Phase::Election => Phase::Election,
                zab::Phase::Discovery => Phase::Discovery,
                zab::Phase::Synchronisation => Phase::Synchronization,
                zab::Phase::Broadcast => Phase::Broadcast,
            }),
            epoch: status.and_then(|it| it.epoch),
            accepted: self.accepted,
            current: self.current,
            issued: &self.issued,
            durable: &self.durable,
            delivered: &self.delivered,
            beyond: self.tree.beyond(),
            cache_is_whole: self.cache_is_whole,
            wiped: self.wiped,
        }
    }

    /// The process is gone.
    pub(super) fn stop(&mut self) {
        self.up = false;
        self.status = None;
        self.delivered.clear();
        self.tree = Tree::default();
        self.loaded = 0;
        self.cache_is_whole = true;
        self.adopted = None;
    }

    /// The process starts from what is durable.
    pub(super) fn start(&mut self, found: Found) {
        self.current = found.current;
        self.queue.clear();
        self.durable.retain(|txn| txn.zxid <= found.last);
        self.issued = self.durable.clone();
        self.loaded = self.issued.partition_point(|txn| txn.zxid <= found.base);
        self.tree = Tree::started(found.last, self.beyond.clone());
        self.delivered.clear();
        self.up = true;
    }
}

fn role(status: Status) -> Role {
    match (status.role, status.leader) {
        (RoleKind::Leading, _) => Role::Leading,
        (RoleKind::Following, Some(leader)) => Role::Following(leader),
        (RoleKind::Observing, Some(leader)) => Role::Observing(leader),
        (RoleKind::Looking | RoleKind::Following | RoleKind::Observing, _) => Role::Looking,
    }
}

/// What a write does to a history.
pub fn apply<V: Value>(history: &mut Vec<Txn<V>>, queued: &Queued<V>) {
    match &queued.write {
        Write::AcceptedEpoch(_) | Write::CurrentEpoch(_) => {}
        Write::Append(proposal) => history.push(Txn {
            zxid: proposal.zxid,
            value: proposal.txn.clone(),
        }),
        Write::Truncate { after } => history.retain(|txn| txn.zxid <= *after),
        Write::Install { snapshot } => *history = covered(*snapshot, &queued.content),
    }
}
