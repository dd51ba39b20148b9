//! Changes that are proposed but not applied: what the next request is checked against lies over the tree.

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;
use hashbrown::HashMap;
use zk_proto::StatPersisted;

use crate::digest;
use crate::owner::Kind;
use crate::path;
use crate::store::acls::AclRef;
use crate::tree::Tree;

/// Proposed changes by path, pruned as their txns are applied.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    by_path: HashMap<Arc<str>, Change>,
    /// One entry for each change, in zxid order.
    queue: VecDeque<Queued>,
    /// What the changes since [`Pending::begin`] replaced, in order.
    undo: Vec<Option<Change>>,
    /// Digest of the tree as it will be; `None` while nothing is proposed.
    digest: Option<u64>,
    digest_before: Option<u64>,
    /// Ephemerals that are being created, by session and path, with the txn.
    ephemerals: BTreeMap<(i64, Arc<str>), i64>,
    /// Change of [`path_cost`]s of each session's ephemerals.
    costs: BTreeMap<i64, i64>,
}

#[derive(Clone, Debug)]
struct Change {
    zxid: i64,
    /// `None` is deleted.
    node: Option<PendingNode>,
}

#[derive(Debug)]
struct Queued {
    zxid: i64,
    path: Arc<str>,
    /// The session whose ephemerals the change adds to or takes from.
    session: i64,
    cost: i64,
}

/// A znode as it will be.
#[derive(Clone, Debug)]
pub(crate) struct PendingNode {
    pub(crate) stat: StatPersisted,
    pub(crate) children: usize,
    pub(crate) acl: AclRef,
    pub(crate) data: PendingData,
    /// Its part of the tree's digest.
    digest: u32,
}

#[derive(Clone, Debug)]
pub(crate) enum PendingData {
    /// As the tree has them: so many bytes.
    Applied(usize),
    New(Option<Bytes>),
}

impl PendingNode {
    pub(crate) fn new(stat: StatPersisted, acl: AclRef, data: Option<Bytes>) -> Self {
        Self {
            stat,
            children: 0,
            acl,
            data: PendingData::New(data),
            digest: 0,
        }
    }

    /// Length of the data, bytes.
    pub(crate) fn data_len(&self) -> usize {
        match &self.data {
            PendingData::Applied(len) => *len,
            PendingData::New(data) => data.as_ref().map_or(0, Bytes::len),
        }
    }

    fn data<'a>(&'a self, tree: &'a Tree, path: &str) -> Option<&'a [u8]> {
        match &self.data {
            PendingData::Applied(_) => tree.data(path).flatten(),
            PendingData::New(data) => data.as_deref(),
        }
    }
}

impl Pending {
    /// The znode as it will be when everything proposed is applied.
    // spec: CP-PRE-01
    pub(crate) fn find(&self, tree: &Tree, path: &str) -> Option<PendingNode> {
        match self.by_path.get(path::canonical(path)) {
            Some(change) => change.node.clone(),
            None => applied(tree, path),
        }
    }

    pub(crate) fn exists(&self, tree: &Tree, path: &str) -> bool {
        match self.by_path.get(path::canonical(path)) {
            Some(change) => change.node.is_some(),
            None => tree.lookup(path).is_some(),
        }
    }

    /// The tree's digest after everything proposed.
    // spec: QP-TXN-10
    pub(crate) fn digest(&self, tree: &Tree) -> u64 {
        self.digest.unwrap_or(tree.digest)
    }

    /// From here on, until the next call, changes may be taken back together.
    pub(crate) fn begin(&mut self) {
        self.undo.clear();
        self.digest_before = self.digest;
    }

    /// Takes back every change since [`Pending::begin`].
    // spec: CP-MUL-08
    pub(crate) fn rollback(&mut self) {
        while let Some(replaced) = self.undo.pop() {
            let Some(queued) = self.queue.pop_back() else {
                break;
            };
            self.settle(&queued);
            match replaced {
                Some(change) => drop(self.by_path.insert(queued.path, change)),
                None => drop(self.by_path.remove(&queued.path)),
            }
        }
        self.digest = self.digest_before;
    }

    /// Changes a znode: `node` is what [`Pending::find`] gave, with its new values.
    pub(crate) fn put(&mut self, tree: &Tree, zxid: i64, path: &str, mut node: PendingNode) {
        let before = node.digest;
        if tree.settings.digest {
            node.digest = digest::of_node(path, node.data(tree, path), &node.stat);
        }
        self.digest = Some(digest::exchange(self.digest(tree), before, node.digest));
        self.record(zxid, path, Some(node), 0, 0);
    }

    /// As [`Pending::put`], for a znode that is new.
    pub(crate) fn create(&mut self, tree: &Tree, zxid: i64, path: &str, mut node: PendingNode) {
        if tree.settings.digest {
            node.digest = digest::of_node(path, node.data(tree, path), &node.stat);
        }
        self.digest = Some(digest::exchange(self.digest(tree), 0, node.digest));
        let session = session_of(tree, &node.stat);
        let path = self.record(zxid, path, Some(node), session, path_cost(path));
        if session != 0 {
            self.ephemerals.insert((session, path), zxid);
        }
    }

    /// Deletes a znode that is there.
    pub(crate) fn delete(&mut self, tree: &Tree, zxid: i64, path: &str) {
        let Some(node) = self.find(tree, path) else {
            return;
        };
        self.digest = Some(digest::exchange(self.digest(tree), node.digest, 0));
        let session = session_of(tree, &node.stat);
        self.record(zxid, path, None, session, -path_cost(path));
    }

    /// Paths of the ephemerals that the session has when everything proposed is applied, in order.
    // spec: CP-EPH-04, QP-TXN-06
    pub(crate) fn ephemerals(&self, tree: &Tree, session: i64) -> Vec<String> {
        let own = |path: &str| match self.by_path.get(path) {
            Some(change) => change
                .node
                .as_ref()
                .is_some_and(|node| session_of(tree, &node.stat) == session),
            None => true,
        };
        let from = (session, Arc::from(""));
        let proposed = self
            .ephemerals
            .range(from..)
            .map(|((owner, path), _)| (*owner, path));
        let proposed = proposed
            .take_while(|(owner, _)| *owner == session)
            .map(|(_, path)| path.to_string());
        let proposed = proposed.filter(|path| self.by_path.contains_key(path.as_str()));
        let mut paths: Vec<String> = tree
            .ephemerals(session)
            .chain(proposed)
            .filter(|path| own(path))
            .collect();
        paths.sort_unstable();
        paths.dedup();
        paths
    }

    /// Bytes that naming all of a session's ephemerals in one txn takes.
    // spec: QP-DEF-21
    pub(crate) fn ephemerals_cost(&self, tree: &Tree, session: i64) -> i64 {
        let (count, bytes) = tree.owners.totals(session);
        let applied = (bytes + count * LENGTH_BYTES) as i64;
        applied + self.costs.get(&session).copied().unwrap_or(0)
    }

    /// Forgets what the tree now shows.
    pub(crate) fn applied(&mut self, zxid: i64) {
        while self.queue.front().is_some_and(|queued| queued.zxid <= zxid) {
            let Some(queued) = self.queue.pop_front() else {
                break;
            };
            self.settle(&queued);
            if self
                .by_path
                .get(&queued.path)
                .is_some_and(|change| change.zxid <= zxid)
            {
                self.by_path.remove(&queued.path);
            }
        }
        if self.queue.is_empty() {
            self.digest = None;
        }
    }

    fn record(
        &mut self,
        zxid: i64,
        path: &str,
        node: Option<PendingNode>,
        session: i64,
        cost: i64,
    ) -> Arc<str> {
        let path = path::canonical(path);
        let key = self
            .by_path
            .get_key_value(path)
            .map_or_else(|| Arc::from(path), |(key, _)| key.clone());
        self.undo
            .push(self.by_path.insert(key.clone(), Change { zxid, node }));
        if session != 0 {
            *self.costs.entry(session).or_default() += cost;
        }
        self.queue.push_back(Queued {
            zxid,
            path: key.clone(),
            session,
            cost,
        });
        key
    }

    /// Takes a change's share out of the sums over proposed ephemerals.
    fn settle(&mut self, queued: &Queued) {
        if queued.session == 0 {
            return;
        }
        if let Some(cost) = self.costs.get_mut(&queued.session) {
            *cost -= queued.cost;
            if *cost == 0 {
                self.costs.remove(&queued.session);
            }
        }
        let key = (queued.session, queued.path.clone());
        if self.ephemerals.get(&key) == Some(&queued.zxid) {
            self.ephemerals.remove(&key);
        }
    }
}

/// Bytes in front of each path in a txn.
const LENGTH_BYTES: usize = 4;

/// Bytes that a path takes in the txn that closes its session.
pub(crate) fn path_cost(path: &str) -> i64 {
    (path.len() + LENGTH_BYTES) as i64
}

fn applied(tree: &Tree, path: &str) -> Option<PendingNode> {
    let id = tree.lookup(path)?;
    let node = tree.slab.node(id);
    Some(PendingNode {
        stat: tree.persisted(id),
        children: node.children().len(),
        acl: tree.acl_of(id).clone(),
        data: PendingData::Applied(node.data_len()),
        digest: node.digest,
    })
}

/// The session that a znode goes with, or 0.
fn session_of(tree: &Tree, stat: &StatPersisted) -> i64 {
    match Kind::of(stat.ephemeral_owner, &tree.settings) {
        Kind::Ephemeral(session) => session,
        Kind::Persistent | Kind::Container | Kind::Ttl(_) => 0,
    }
}
