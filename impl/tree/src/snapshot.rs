//! Taking and loading snapshots.
//!
//! A snapshot is taken in slices while the tree goes on changing: each znode is copied at one moment, and what lies
//! between the moments is repaired by replaying the log from where the snapshot began. Znodes created after that are
//! left out, since the replay makes them; that is why nothing in the tree has to know of a running snapshot.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::ControlFlow;

use zk_proto::snapshot::{Node, Piece};
use zk_proto::{Acl, Perms, StatPersisted};

use crate::path;
use crate::quota;
use crate::settings::Settings;
use crate::store::node::NodeId;
use crate::tree::{NewNode, ROOT_ID, Tree};

/// A snapshot that is being taken.
#[derive(Debug)]
pub struct Cursor {
    zxid: i64,
    sessions: Vec<(i64, i32)>,
    acls: Vec<(i64, Arc<[Acl]>)>,
    /// Ids from here on were given after the snapshot began; this one stands for them in it.
    unlisted_acl: i64,
    next: NodeId,
    /// One bit for each id: the znode is written.
    written: Vec<u64>,
    path: Vec<u8>,
}

impl Tree {
    /// Begins a snapshot: copies sessions and ACLs.
    // spec: DF-BODY-10, DF-ALG-11. One taken under a single lock is the special case DF-ALG-10.
    pub fn snapshot(&self) -> Cursor {
        let unlisted_acl = self.acls.next_id();
        let mut acls: Vec<_> = self
            .acls
            .iter()
            .map(|(id, list)| (id, list.clone()))
            .collect();
        acls.push((
            unlisted_acl,
            Arc::from([Acl::new(Perms(0), "world", "anyone")]),
        ));
        Cursor {
            zxid: self.last_zxid,
            sessions: self.sessions().collect(),
            acls,
            unlisted_acl,
            next: 0,
            written: alloc::vec![0; self.slab.end() as usize / 64 + 1],
            path: Vec::new(),
        }
    }

    /// Number of ids in the tree that stand for no known ACL. After a whole replay there must be none.
    // spec: DF-REC-20
    pub fn unknown_acls(&self) -> usize {
        self.acls.unknown()
    }
}

impl Cursor {
    /// Zxid of the last txn that the snapshot surely holds: its name.
    // spec: DF-ALG-11
    pub fn zxid(&self) -> i64 {
        self.zxid
    }

    /// Sessions with timeouts in ms.
    // spec: DF-BODY-01
    pub fn sessions(&self) -> &[(i64, i32)] {
        &self.sessions
    }

    /// ACLs with ids. The last is for znodes whose ACL is newer than the snapshot's start: it grants nothing, until the
    /// replay of the setACL that made it says what it grants.
    // spec: DF-BODY-02, DF-REC-20
    pub fn acls(&self) -> &[(i64, Arc<[Acl]>)] {
        &self.acls
    }

    /// Hands out znodes, parents before children, until there are no more or `each` breaks off. The tree may have changed
    /// since the last call, but only by txns.
    ///
    /// Returns true when there are no more.
    // spec: DF-BODY-03, DF-BODY-04, DF-BODY-10
    pub fn slice(
        &mut self,
        tree: &Tree,
        mut each: impl FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> bool {
        let mut line = Vec::new();
        // What lies beyond the bits was created later.
        let end = tree.slab.end().min((self.written.len() * 64) as NodeId);
        while self.next < end {
            let id = self.next;
            let node = tree.slab.node(id);
            if !node.is_vacant() && (node.czxid <= self.zxid || id == ROOT_ID) {
                self.unwritten_line(tree, id, &mut line);
                while let Some(id) = line.pop() {
                    if self.write(tree, id, &mut each).is_break() {
                        return false;
                    }
                }
            }
            self.next += 1;
        }
        true
    }

    /// `id` and those above it that are not written, the topmost last.
    fn unwritten_line(&self, tree: &Tree, mut id: NodeId, line: &mut Vec<NodeId>) {
        line.clear();
        while !self.is_written(id) {
            line.push(id);
            if id == ROOT_ID {
                break;
            }
            id = tree.slab.node(id).parent;
        }
    }

    fn write(
        &mut self,
        tree: &Tree,
        id: NodeId,
        each: &mut impl FnMut(Node<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        if let Some(bits) = self.written.get_mut(id as usize / 64) {
            *bits |= 1 << (id % 64);
        }
        self.path.clear();
        tree.append_path(id, &mut self.path);
        let node = tree.slab.node(id);
        let acl = tree.acls.id(node.acl);
        each(Node {
            path: String::from_utf8_lossy(&self.path),
            data: node.data(),
            acl: acl.min(self.unlisted_acl),
            stat: tree.persisted(id),
        })
    }

    fn is_written(&self, id: NodeId) -> bool {
        self.written
            .get(id as usize / 64)
            .is_some_and(|bits| bits & (1 << (id % 64)) != 0)
    }
}

/// Why a snapshot is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum LoadError {
    #[error("the first znode is {0:?} and not the root")]
    NoRoot(String),
    #[error("znode {0:?} stands twice")]
    DuplicatePath(String),
    #[error("znode {0:?} stands before its parent, or without one")]
    MissingParent(String),
    #[error("{0:?} is no path of a znode")]
    BadPath(String),
    #[error("ACL id {0} stands twice, or is one that no snapshot may list")]
    BadAclId(i64),
    #[error("session {0:#x} stands twice")]
    DuplicateSession(i64),
}

/// A tree that is being loaded from a snapshot. Every attempt needs a new one.
// spec: DF-REC-01
#[derive(Debug)]
pub struct Loader {
    tree: Tree,
}

impl Loader {
    /// Nothing is loaded.
    pub fn new(settings: Settings) -> Self {
        Self {
            tree: Tree::bare(settings),
        }
    }

    /// Takes the next piece of a snapshot's body. Counts and the end mark change nothing.
    ///
    /// # Errors
    /// As the piece's own method.
    pub fn piece(&mut self, piece: &Piece<'_>) -> Result<(), LoadError> {
        match piece {
            Piece::Sessions(_) | Piece::Acls(_) | Piece::End => Ok(()),
            Piece::Session { id, timeout } => self.session(*id, *timeout),
            Piece::Acl { id, acl } => self.acl(*id, acl),
            Piece::Node(node) => self.node(node),
        }
    }

    /// Takes a session with its timeout in ms.
    ///
    /// # Errors
    /// DuplicateSession.
    // spec: DF-BODY-01
    pub fn session(&mut self, id: i64, timeout_ms: i32) -> Result<(), LoadError> {
        match self.tree.sessions.insert(id, timeout_ms) {
            None => Ok(()),
            Some(_) => Err(LoadError::DuplicateSession(id)),
        }
    }

    /// Takes an entry of the ACL map.
    ///
    /// # Errors
    /// BadAclId.
    // spec: DF-BODY-02
    pub fn acl(&mut self, id: i64, acl: &[Acl]) -> Result<(), LoadError> {
        if self.tree.acls.load(id, acl) {
            Ok(())
        } else {
            Err(LoadError::BadAclId(id))
        }
    }

    /// Takes a znode, whose parent must have come before.
    ///
    /// # Errors
    /// NoRoot, DuplicatePath, MissingParent, BadPath.
    // spec: DF-BODY-03, DF-BODY-04, DF-ALG-07, DF-ALG-08
    pub fn node(&mut self, node: &Node<'_>) -> Result<(), LoadError> {
        let path = &*node.path;
        if self.tree.slab.len() == 0 {
            return self.root(node);
        }
        if path.is_empty() {
            return Err(LoadError::DuplicatePath(path.into()));
        }
        if !may_be_loaded(path) {
            return Err(LoadError::BadPath(path.into()));
        }
        let missing = || LoadError::MissingParent(path.into());
        let (parent_path, name) = path::split(path).ok_or_else(missing)?;
        let parent = self.tree.lookup(parent_path).ok_or_else(missing)?;
        if self.tree.child(parent, name).is_some() {
            return Err(LoadError::DuplicatePath(path.into()));
        }
        let acl = self.tree.acls.acquire_id(node.acl);
        self.tree.add(
            parent,
            NewNode {
                path,
                name,
                data: node.data,
                acl,
                stat: node.stat,
            },
        );
        Ok(())
    }

    /// The loaded tree, as of the snapshot's zxid.
    ///
    /// # Errors
    /// NoRoot: there was no znode at all.
    // spec: DF-BODY-05, DF-BODY-09, DF-REC-02, DF-REC-20
    pub fn finish(mut self, zxid: i64) -> Result<Tree, LoadError> {
        if self.tree.slab.len() == 0 {
            return Err(LoadError::NoRoot(String::new()));
        }
        self.tree.add_reserved();
        self.tree.acls.purge_unused();
        quota::rebuild(&mut self.tree);
        self.tree.last_zxid = zxid;
        Ok(self.tree)
    }

    fn root(&mut self, node: &Node<'_>) -> Result<(), LoadError> {
        if !node.path.is_empty() {
            return Err(LoadError::NoRoot(Cow::clone(&node.path).into_owned()));
        }
        let acl = self.tree.acls.acquire_id(node.acl);
        self.tree.add_root(node.data, acl, &node.stat);
        Ok(())
    }
}

/// The root comes once, as the empty path. Below `/zookeeper` the server itself may have made what no client may; its parts must still be names.
fn may_be_loaded(path: &str) -> bool {
    let own = path
        .strip_prefix(path::ZOOKEEPER)
        .is_some_and(|rest| rest.starts_with('/'));
    let root = path == "/";
    !root && (path::is_valid(path) || (own && path.split('/').skip(1).all(|name| !name.is_empty())))
}

impl Tree {
    /// Adds what every tree has and an old snapshot may lack.
    pub(crate) fn add_reserved(&mut self) {
        let read_only = [Acl::new(Perms::READ, "world", "anyone")];
        for path in [path::ZOOKEEPER, path::QUOTA] {
            self.add_own(path, None, StatPersisted::default());
        }
        let stat = StatPersisted {
            aversion: -1,
            ..StatPersisted::default()
        };
        self.add_own(path::CONFIG, Some(&read_only), stat);
    }
}
