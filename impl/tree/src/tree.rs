//! The tree itself: finding znodes, their numbers, and the few ways to change them that everything else is made of.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use zk_proto::{Acl, Stat, StatPersisted, TxnDigest};

use crate::digest::{self, History};
use crate::mutant::Mutant;
use crate::owner;
use crate::path;
use crate::quota::Quotas;
use crate::settings::Settings;
use crate::store::acls::{AclRef, Acls, OPEN};
use crate::store::index::Index;
use crate::store::node::{Node, NodeId};
use crate::store::owners::Owners;
use crate::store::slab::Slab;

/// The root's id in every tree: it is made first and never deleted.
pub(crate) const ROOT_ID: NodeId = 0;

/// All znodes, sessions and quotas of a server. Changed by [`Tree::apply`] (and, locally, by
/// [`Tree::set_config`]);
/// everything that takes `&self` only reads, so any number of threads may do so at once.
#[derive(Debug)]
pub struct Tree {
    pub(crate) slab: Slab,
    index: Index,
    pub(crate) owners: Owners,
    pub(crate) acls: Acls,
    /// Timeout of each global session, ms.
    pub(crate) sessions: BTreeMap<i64, i32>,
    pub(crate) quotas: Quotas,
    pub(crate) settings: Settings,
    pub(crate) digest: u64,
    pub(crate) history: History,
    pub(crate) last_zxid: i64,
    exact: bool,
    data_size: usize,
}

/// What a new znode starts with.
pub(crate) struct NewNode<'a> {
    pub(crate) path: &'a str,
    pub(crate) name: &'a str,
    pub(crate) data: Option<&'a [u8]>,
    /// A slot that the caller acquired.
    pub(crate) acl: u32,
    pub(crate) stat: StatPersisted,
}

impl Tree {
    /// A fresh tree: the root and the server's own three znodes.
    // spec: CP-TREE-01, CP-TREE-02
    pub fn new(settings: Settings) -> Self {
        let mut tree = Self::bare(settings);
        tree.add_root(Some(b""), OPEN, &StatPersisted::default());
        tree.add_reserved();
        tree.exact = true;
        tree
    }

    /// A tree without any znode, for a snapshot to fill.
    pub(crate) fn bare(settings: Settings) -> Self {
        Self {
            slab: Slab::default(),
            index: Index::default(),
            owners: Owners::default(),
            acls: Acls::default(),
            sessions: BTreeMap::new(),
            quotas: Quotas::default(),
            settings,
            digest: 0,
            history: History::default(),
            last_zxid: 0,
            exact: false,
            data_size: 0,
        }
    }

    /// The switches that the tree was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Zxid of the newest txn applied.
    // spec: DF-REC-19
    pub fn last_zxid(&self) -> i64 {
        self.last_zxid
    }

    /// Moves the newest zxid without a txn: a snapshot's name, or the start of an epoch.
    // spec: DF-REC-02, DF-ALG-12
    pub fn set_last_zxid(&mut self, zxid: i64) {
        self.last_zxid = zxid;
    }

    /// Whether the tree is known to show the txns up to its zxid and none beyond. Of one that was loaded it is not: a
    /// snapshot that was streamed while its tree went on may be ahead, until as many txns have been applied again.
    // spec: DF-ALG-11
    pub fn is_exact(&self) -> bool {
        self.exact
    }

    /// Says that the tree shows just what its zxid says: it has the digest that was recorded for that zxid.
    // spec: DF-REC-21
    pub fn confirm(&mut self) {
        self.exact = true;
    }

    /// The digest of all znodes.
    // spec: DF-DIG-04
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The digest as txns carry it; `None` while digests are off.
    pub fn txn_digest(&self) -> Option<TxnDigest> {
        self.settings.digest.then(|| txn_digest(self.digest))
    }

    /// The digests kept for operators, oldest first: zxid and digest.
    pub fn digest_history(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        self.history.iter()
    }

    /// Number of znodes as ZooKeeper counts them: the root twice.
    // spec: CP-TREE-03
    pub fn node_count(&self) -> usize {
        self.slab.len() + 1
    }

    /// Sum of the lengths of paths (UTF-16 units) and data (bytes).
    // spec: CP-TREE-05
    pub fn approximate_data_size(&self) -> usize {
        self.data_size
    }

    /// Number of znodes that go with a session.
    pub fn ephemeral_count(&self) -> usize {
        self.ephemeral_owners().map(|(_, count)| count).sum()
    }

    /// Sessions that own znodes, with how many, by id.
    pub fn ephemeral_owners(&self) -> impl Iterator<Item = (i64, usize)> + '_ {
        self.owners.iter().filter(|(value, _)| {
            matches!(
                owner::Kind::of(*value, &self.settings),
                owner::Kind::Ephemeral(_)
            )
        })
    }

    /// Paths of the znodes that go with `session`.
    pub fn ephemerals(&self, session: i64) -> impl Iterator<Item = String> + '_ {
        let own = owner::Kind::of(session, &self.settings) == owner::Kind::Ephemeral(session);
        self.owners
            .nodes(if own { session } else { 0 })
            .map(|id| self.path_of(id))
    }

    /// Global sessions with their timeouts in ms, by id.
    pub fn sessions(&self) -> impl Iterator<Item = (i64, i32)> + '_ {
        self.sessions.iter().map(|(id, timeout)| (*id, *timeout))
    }

    /// The timeout of a global session, ms.
    pub fn session_timeout(&self, session: i64) -> Option<i32> {
        self.sessions.get(&session).copied()
    }

    /// Number of global sessions.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    /// The numbers of a znode as clients see them; no permission is asked for.
    pub fn stat(&self, path: &str) -> Option<Stat> {
        self.lookup(path).map(|id| self.shown(id))
    }

    /// The data of a znode; the inner `None` is null. No permission is asked for.
    pub fn data(&self, path: &str) -> Option<Option<&[u8]>> {
        self.lookup(path).map(|id| self.slab.node(id).data())
    }

    /// Finds a znode. Both `""` and `/` are the root; any other path that is not valid names no znode.
    // spec: CP-PRE-28, CP-PRE-16
    pub(crate) fn lookup(&self, path: &str) -> Option<NodeId> {
        match path {
            "" | "/" => (self.slab.len() > 0).then_some(ROOT_ID),
            _ => path
                .strip_prefix('/')?
                .split('/')
                .try_fold(ROOT_ID, |parent, name| self.child(parent, name)),
        }
    }

    pub(crate) fn child(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        self.index.find(&self.slab, parent, name.as_bytes())
    }

    pub(crate) fn owner_of(&self, node: &Node) -> i64 {
        self.owners.value(node.owner)
    }

    pub(crate) fn acl_of(&self, id: NodeId) -> &AclRef {
        self.acls.get(self.slab.node(id).acl)
    }

    pub(crate) fn persisted(&self, id: NodeId) -> StatPersisted {
        let node = self.slab.node(id);
        node.stat(self.owner_of(node))
    }

    /// The numbers that clients see.
    // spec: CP-TREE-10, CP-TREE-11, CP-TREE-12
    pub(crate) fn shown(&self, id: NodeId) -> Stat {
        let node = self.slab.node(id);
        let mut children = node.children().len() as i32;
        let mut cversion = node.cversion.wrapping_mul(2).wrapping_sub(children);
        if Mutant::CversionIgnoresDeletes.acts() {
            cversion = node.cversion;
        }
        if Mutant::NumChildrenOfZero.acts() {
            children = 0;
        }
        Stat {
            czxid: node.czxid,
            mzxid: node.mzxid,
            ctime: node.ctime,
            mtime: node.mtime,
            version: node.version,
            cversion,
            aversion: node.aversion,
            ephemeral_owner: owner::shown(self.owner_of(node), &self.settings),
            data_length: node.data_len() as i32,
            num_children: children,
            pzxid: node.pzxid,
        }
    }

    /// The full path; empty for the root.
    pub(crate) fn path_of(&self, id: NodeId) -> String {
        let mut path = Vec::new();
        self.append_path(id, &mut path);
        // Names come from `&str`, so nothing is lost.
        String::from_utf8(path).unwrap_or_default()
    }

    /// Appends the full path of `id`; nothing for the root.
    pub(crate) fn append_path(&self, id: NodeId, out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.path_len(id), 0);
        let (mut end, mut id) = (out.len(), id);
        while id != ROOT_ID {
            let node = self.slab.node(id);
            let name = node.name();
            out[end - name.len()..end].copy_from_slice(name);
            end -= name.len() + 1;
            out[end] = b'/';
            id = node.parent;
        }
    }

    /// Length of the full path, bytes.
    pub(crate) fn path_len(&self, mut id: NodeId) -> usize {
        let mut len = 0;
        while id != ROOT_ID {
            let node = self.slab.node(id);
            len += 1 + node.name().len();
            id = node.parent;
        }
        len
    }

    pub(crate) fn add_root(&mut self, data: Option<&[u8]>, acl: u32, stat: &StatPersisted) {
        let mut root = Node::new(b"", data, stat);
        root.acl = acl;
        self.slab.insert(root);
        self.slab.node_mut(ROOT_ID).owner = self.owners.add(stat.ephemeral_owner, ROOT_ID, 0);
        self.refresh_digest(ROOT_ID, path::ROOT);
        self.data_size += 1 + data.map_or(0, <[u8]>::len);
    }

    /// Adds one of the server's own znodes, with empty data, unless it is there.
    pub(crate) fn add_own(&mut self, path: &str, acl: Option<&[Acl]>, stat: StatPersisted) {
        let Some((parent, name)) = path::split(path) else {
            return;
        };
        let Some(parent) = self.lookup(parent) else {
            return;
        };
        if self.child(parent, name).is_none() {
            let acl = acl.map_or(OPEN, |list| self.acls.acquire(list));
            self.add(
                parent,
                NewNode {
                    path,
                    name,
                    data: Some(b""),
                    acl,
                    stat,
                },
            );
        }
    }

    /// Writes the ensemble's configuration into its znode: locally, without a txn.
    // spec: CP-TREE-02
    pub fn set_config(&mut self, text: &[u8], config_version: i64, now_ms: i64) {
        let Some(id) = self.lookup(path::CONFIG) else {
            return;
        };
        self.change(id, path::CONFIG, |node| {
            node.set_data(Some(text));
            (node.version, node.mzxid, node.mtime) = (-1, config_version, now_ms);
        });
    }

    /// Adds a child that is not there yet. The parent's numbers stay as they are.
    pub(crate) fn add(&mut self, parent: NodeId, new: NewNode<'_>) -> NodeId {
        let mut node = Node::new(new.name.as_bytes(), new.data, &new.stat);
        node.parent = parent;
        node.acl = new.acl;
        let id = self.slab.insert(node);
        let position = self.slab.node_mut(parent).push_child(id);
        let owner = self
            .owners
            .add(new.stat.ephemeral_owner, id, new.path.len());
        let node = self.slab.node_mut(id);
        (node.position, node.owner) = (position, owner);
        self.index.insert(&self.slab, id);
        self.refresh_digest(id, new.path);
        self.data_size += path::utf16_len(new.path) + new.data.map_or(0, <[u8]>::len);
        id
    }

    /// Removes a znode that has no children. The parent's numbers stay as they are.
    pub(crate) fn remove(&mut self, id: NodeId, path: &str) -> Node {
        self.index.remove(&self.slab, id);
        let node = self.slab.remove(id);
        if let Some(moved) = self.slab.node_mut(node.parent).remove_child(node.position) {
            self.slab.node_mut(moved).position = node.position;
        }
        self.owners.remove(node.owner, id, path.len());
        self.acls.release(node.acl);
        self.digest = digest::exchange(self.digest, node.digest, 0);
        self.data_size -= path::utf16_len(path) + node.data_len();
        node
    }

    /// Changes numbers of a znode and keeps the digest true.
    pub(crate) fn change(&mut self, id: NodeId, path: &str, change: impl FnOnce(&mut Node)) {
        let node = self.slab.node_mut(id);
        let before = node.data_len();
        change(node);
        self.data_size = self.data_size + node.data_len() - before;
        self.refresh_digest(id, path);
    }

    /// Exchanges the ACL; the digest does not cover it.
    // spec: DF-DIG-05
    pub(crate) fn replace_acl(&mut self, id: NodeId, acl: &[Acl]) {
        let new = self.acls.acquire(acl);
        let old = core::mem::replace(&mut self.slab.node_mut(id).acl, new);
        self.acls.release(old);
    }

    fn refresh_digest(&mut self, id: NodeId, path: &str) {
        if !self.settings.digest {
            return;
        }
        let node = self.slab.node(id);
        let new = digest::of_node(path, node.data(), &node.stat(self.owners.value(node.owner)));
        let old = core::mem::replace(&mut self.slab.node_mut(id).digest, new);
        self.digest = digest::exchange(self.digest, old, new);
    }
}

/// A tree's digest as txns carry it.
pub(crate) fn txn_digest(tree: u64) -> TxnDigest {
    TxnDigest {
        version: digest::VERSION,
        tree: tree.cast_signed(),
    }
}
