//! From request to txn: the checks, in ZooKeeper's order, against the tree and everything proposed since.
//!
//! Runs on a leader or a standalone server, request by request. The verdict is final: what is returned applies.

mod create;
pub(crate) mod pending;
mod session;

use alloc::vec::Vec;

use bytes::Bytes;
use zk_proto::acl::Acls;
use zk_proto::multi::Ops;
use zk_proto::request::{SetData, Versioned};
use zk_proto::{
    ErrorCode, Id, MultiOp, OpCode, Perms, Request, Txn, TxnDigest, TxnHeader, TxnRecord,
};

use crate::auth::Schemes;
use crate::mutant::Mutant;
use crate::path;
use crate::quota;
use crate::tree::{Tree, txn_digest};
use create::Create;
use pending::{Pending, PendingData, PendingNode};

/// A request's surroundings.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    /// Who asks, the client's number for it, the zxid that the answer gets (one more than the last) and the wall clock.
    pub header: TxnHeader,
    /// The connection's ids when the request arrived.
    // spec: CP-ACL-16
    pub ids: &'a [Id],
    /// The session's standing: SessionExpired or SessionMoved stop a request where its checks say so.
    // spec: CP-SES-20, CP-SES-22
    pub session: Result<(), ErrorCode>,
    /// The same for a create of an ephemeral, which needs a global session.
    // spec: CP-CON-33
    pub global_session: Result<(), ErrorCode>,
}

/// Turns requests into txns and keeps track of what is proposed.
#[derive(Debug, Default)]
pub struct Prep {
    pending: Pending,
}

/// What every check looks at.
#[derive(Clone, Copy)]
struct Context<'a> {
    tree: &'a Tree,
    schemes: &'a Schemes,
    ask: &'a Ask<'a>,
}

type Checked<T> = Result<T, ErrorCode>;

impl Prep {
    /// Nothing is proposed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks a write. The txn that comes back must be proposed, and applied in zxid order; a request that fails gives an
    /// error txn (a multi: a multi with its errors), which takes its zxid all the same.
    // spec: CP-PRE-01, CP-PRE-02, QP-TXN-03, QP-TXN-04
    pub fn prepare(
        &mut self,
        tree: &Tree,
        schemes: &Schemes,
        ask: &Ask<'_>,
        request: &Request<'_>,
    ) -> TxnRecord {
        let context = Context { tree, schemes, ask };
        self.pending.begin();
        if let Request::Multi(ops) = request {
            if Mutant::EmptyMultiRefused.acts() && ops.iter().next().is_none() {
                return self.finish(&context, Err(ErrorCode::MarshallingError));
            }
            let txn = Txn::Multi(self.multi(&context, ops));
            return self.finish(&context, Ok(txn));
        }
        let checked = self.check(&context, request);
        self.finish(&context, checked)
    }

    /// An error txn, for a refusal that the caller found itself.
    // spec: CP-PRE-02
    pub fn refuse(ask: &Ask<'_>, error: ErrorCode) -> TxnRecord {
        TxnRecord {
            header: ask.header,
            txn: Txn::Error { err: error.code() },
            digest: None,
        }
    }

    /// The txn of a reconfiguration whose text the caller has checked and made.
    // spec: CP-PRE-17, CP-TREE-24, CP-CFG-42
    pub fn reconfig(
        &mut self,
        tree: &Tree,
        schemes: &Schemes,
        ask: &Ask<'_>,
        text: &[u8],
    ) -> TxnRecord {
        let context = Context { tree, schemes, ask };
        self.pending.begin();
        let checked = self.check_reconfig(&context, text);
        self.finish(&context, checked)
    }

    /// A txn up to `zxid` has been applied to the tree that the next [`Prep::prepare`] sees.
    pub fn applied(&mut self, zxid: i64) {
        self.pending.applied(zxid);
    }

    /// Paths of the ephemerals that a session has when everything proposed is applied.
    pub fn ephemerals(&self, tree: &Tree, session: i64) -> Vec<alloc::string::String> {
        self.pending.ephemerals(tree, session)
    }

    fn check(&mut self, context: &Context<'_>, request: &Request<'_>) -> Checked<Txn> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the writes are named; nothing else becomes a txn"
        )]
        match request {
            Request::Create(body) => self.create(context, Create::new(OpCode::Create, body, None)),
            Request::Create2(body) => {
                self.create(context, Create::new(OpCode::Create2, body, None))
            }
            Request::CreateContainer(body) => {
                self.create(context, Create::new(OpCode::CreateContainer, body, None))
            }
            Request::CreateTtl(body, ttl) => {
                self.create(context, Create::new(OpCode::CreateTtl, body, Some(*ttl)))
            }
            Request::Delete(body) => self.delete(context, body),
            Request::DeleteContainer { path } => self.delete_container(context, path),
            Request::SetData(body) => self.set_data(context, body),
            Request::SetAcl { path, acl, version } => {
                self.set_acl(context, path, acl.as_ref(), *version)
            }
            Request::CreateSession { timeout } => Ok(Txn::CreateSession { timeout: *timeout }),
            Request::CloseSession => Ok(self.close_session(context)),
            // spec: CP-OP-30. check stands in multis only.
            _ => Err(ErrorCode::Unimplemented),
        }
    }

    // spec: CP-MUL-07, CP-MUL-08, QP-TXN-04
    fn multi(&mut self, context: &Context<'_>, ops: &Ops<'_>) -> Vec<Txn> {
        let mut parts = Vec::new();
        let mut failed = false;
        for op in ops.iter() {
            let part = if failed {
                Err(ErrorCode::RuntimeInconsistency)
            } else {
                self.check_part(context, &op)
            };
            if part.is_err() && !failed {
                failed = true;
                self.pending.rollback();
                self.pending.begin();
            }
            parts.push(part.unwrap_or_else(|error| Txn::Error { err: error.code() }));
        }
        parts
    }

    // spec: CP-MUL-06, CP-MUL-13
    fn check_part(&mut self, context: &Context<'_>, op: &MultiOp<'_>) -> Checked<Txn> {
        match op {
            MultiOp::Create(body) => {
                self.create(context, Create::in_multi(OpCode::Create, body, None))
            }
            MultiOp::Create2(body) => {
                self.create(context, Create::in_multi(OpCode::Create2, body, None))
            }
            MultiOp::CreateContainer(body) => self.create(
                context,
                Create::in_multi(OpCode::CreateContainer, body, None),
            ),
            MultiOp::CreateTtl(body, ttl) => self.create(
                context,
                Create::in_multi(OpCode::CreateTtl, body, Some(*ttl)),
            ),
            MultiOp::Delete(body) => self.delete(context, body),
            MultiOp::SetData(body) => self.set_data(context, body),
            MultiOp::Check(body) => self.check_version(context, body),
            MultiOp::GetChildren(_) | MultiOp::GetData(_) => Err(ErrorCode::MarshallingError),
        }
    }

    /// Makes the record: header, txn or error, digest.
    fn finish(&mut self, context: &Context<'_>, checked: Checked<Txn>) -> TxnRecord {
        let limit = context.tree.settings.max_txn_bytes;
        let checked = checked.and_then(|txn| {
            if size_of_txn(&txn) > limit {
                Err(ErrorCode::MarshallingError)
            } else {
                Ok(txn)
            }
        });
        let header = context.ask.header;
        match checked {
            Ok(txn) => TxnRecord {
                header,
                txn,
                digest: self.digest(context.tree),
            },
            Err(error) => {
                self.pending.rollback();
                Self::refuse(context.ask, error)
            }
        }
    }

    // spec: QP-TXN-10, DF-DIG-07
    fn digest(&self, tree: &Tree) -> Option<TxnDigest> {
        tree.settings
            .digest
            .then(|| txn_digest(self.pending.digest(tree)))
    }

    // spec: CP-PRE-11, CP-PRE-24, CP-EPH-02
    fn delete(&mut self, context: &Context<'_>, body: &Versioned<'_>) -> Checked<Txn> {
        context.ask.session?;
        let path = &*body.path;
        let parent_path = deletable_parent(path)?;
        let parent = self.node(context, parent_path)?;
        if Mutant::DeleteAsksTheZnode.acts() {
            context.allow(&self.node(context, path)?, Perms::DELETE)?;
        } else {
            context.allow(&parent, Perms::DELETE)?;
        }
        let node = self.node(context, path)?;
        if Mutant::ChildrenBeforeVersion.acts() && node.children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        if Mutant::DeleteWantsNextVersion.acts() && body.version != -1 {
            next_version(node.stat.version.wrapping_add(1), body.version)?;
        } else if !Mutant::DeleteIgnoresVersion.acts() {
            next_version(node.stat.version, body.version)?;
        }
        if node.children > 0 && !Mutant::DeleteTakesChildren.acts() {
            return Err(ErrorCode::NotEmpty);
        }
        self.remove(context, path, parent_path, parent);
        Ok(Txn::Delete { path: path.into() })
    }

    // spec: CP-PRE-12, CP-PRE-25, CP-PRE-26, CP-EPH-03
    fn set_data(&mut self, context: &Context<'_>, body: &SetData<'_>) -> Checked<Txn> {
        context.ask.session?;
        let path = &*body.path;
        if !Mutant::SetDataOfNoPathIsNoNode.acts() {
            valid(path)?;
        }
        let mut node = self.node(context, path)?;
        if Mutant::VersionBeforePermission.acts() {
            next_version(node.stat.version, body.version)?;
        }
        if !Mutant::SetDataNeedsNoPermission.acts() {
            context.allow(&node, Perms::WRITE)?;
        }
        let growth = body.data.map_or(0, <[u8]>::len) as i64 - node.data_len() as i64;
        quota::check(context.tree, path, growth, 0)?;
        let expected = if Mutant::SetDataIgnoresVersion.acts() {
            -1
        } else {
            body.version
        };
        let version = next_version(node.stat.version, expected)?;
        let data = body.data.map(Bytes::copy_from_slice);
        let header = &context.ask.header;
        (node.stat.version, node.stat.mzxid, node.stat.mtime) = (version, header.zxid, header.time);
        node.data = PendingData::New(data.clone());
        self.pending.put(context.tree, header.zxid, path, node);
        Ok(Txn::SetData {
            path: path.into(),
            data,
            version,
        })
    }

    // spec: CP-PRE-13
    fn set_acl(
        &mut self,
        context: &Context<'_>,
        path: &str,
        acl: Option<&Acls<'_>>,
        version: i32,
    ) -> Checked<Txn> {
        context.ask.session?;
        if Mutant::AclBeforePath.acts() {
            context.schemes.normalise(acl, context.ask.ids)?;
        }
        valid(path)?;
        let acl = context.schemes.normalise(acl, context.ask.ids)?;
        let mut node = self.node(context, path)?;
        if !Mutant::SetAclNeedsNoPermission.acts() {
            context.allow(&node, Perms::ADMIN)?;
        }
        let expected = if Mutant::SetAclIgnoresVersion.acts() {
            -1
        } else {
            version
        };
        let version = next_version(node.stat.aversion, expected)?;
        node.stat.aversion = version;
        node.acl = crate::store::acls::as_ref(&acl);
        self.pending
            .put(context.tree, context.ask.header.zxid, path, node);
        Ok(Txn::SetAcl {
            path: path.into(),
            acl,
            version,
        })
    }

    // spec: CP-PRE-14
    fn check_version(&mut self, context: &Context<'_>, body: &Versioned<'_>) -> Checked<Txn> {
        context.ask.session?;
        let path = &*body.path;
        valid(path)?;
        let node = self.node(context, path)?;
        context.allow(&node, Perms::READ)?;
        let expected = if Mutant::CheckIgnoresVersion.acts() {
            -1
        } else {
            body.version
        };
        let version = next_version(node.stat.version, expected)?;
        Ok(Txn::Check {
            path: path.into(),
            version,
        })
    }

    fn check_reconfig(&mut self, context: &Context<'_>, text: &[u8]) -> Checked<Txn> {
        let mut node = self.node(context, path::CONFIG)?;
        context.allow(&node, Perms::WRITE)?;
        let data = Some(Bytes::copy_from_slice(text));
        let header = &context.ask.header;
        (node.stat.version, node.stat.mzxid, node.stat.mtime) = (-1, header.zxid, header.time);
        node.data = PendingData::New(data.clone());
        self.pending
            .put(context.tree, header.zxid, path::CONFIG, node);
        Ok(Txn::Reconfig {
            path: path::CONFIG.into(),
            data,
            version: -1,
        })
    }

    fn node(&self, context: &Context<'_>, path: &str) -> Checked<PendingNode> {
        self.pending
            .find(context.tree, path)
            .ok_or(if Mutant::MissingIsBadArguments.acts() {
                ErrorCode::BadArguments
            } else {
                ErrorCode::NoNode
            })
    }

    /// Records that a znode without children goes.
    // spec: CP-TREE-21
    fn remove(
        &mut self,
        context: &Context<'_>,
        path: &str,
        parent_path: &str,
        mut parent: PendingNode,
    ) {
        let zxid = context.ask.header.zxid;
        parent.children = parent.children.saturating_sub(1);
        parent.stat.pzxid = zxid;
        self.pending.put(context.tree, zxid, parent_path, parent);
        self.pending.delete(context.tree, zxid, path);
    }
}

impl Context<'_> {
    fn allow(&self, node: &PendingNode, perms: Perms) -> Checked<()> {
        if self
            .tree
            .permits(&node.acl, perms, self.schemes, self.ask.ids)
        {
            Ok(())
        } else {
            Err(ErrorCode::NoAuth)
        }
    }
}

fn valid(path: &str) -> Checked<()> {
    let path = if Mutant::LastSlashIgnored.acts() {
        path.strip_suffix('/').unwrap_or(path)
    } else {
        path
    };
    if path::is_valid(path) {
        Ok(())
    } else {
        Err(ErrorCode::BadArguments)
    }
}

/// The parent of a path that may be deleted: a weaker test than [`valid`].
// spec: CP-PRE-11, CP-PATH-07, CP-TREE-04
fn deletable_parent(path: &str) -> Checked<&str> {
    let reserved = path::is_reserved(path) && !Mutant::ReservedMayGo.acts();
    match path::split(path) {
        Some((parent, _)) if !path.contains('\0') && !reserved => Ok(parent),
        Some(_) | None if Mutant::DeleteOfNoPathIsNoNode.acts() && !reserved => {
            Err(ErrorCode::NoNode)
        }
        Some(_) | None => Err(ErrorCode::BadArguments),
    }
}

/// The version after a change that expects `expected`.
// spec: CP-PRE-29
fn next_version(current: i32, expected: i32) -> Checked<i32> {
    if expected == -1 || expected == current {
        Ok(current.wrapping_add(1))
    } else {
        Err(ErrorCode::BadVersion)
    }
}

/// Bytes that a txn takes in the log, nearly: names of ids count, fixed parts are rounded up.
fn size_of_txn(txn: &Txn) -> usize {
    const FIXED: usize = 64;
    let grants = |acl: &[zk_proto::Acl]| {
        acl.iter()
            .map(|acl| 12 + acl.id.scheme.len() + acl.id.id.len())
            .sum::<usize>()
    };
    let data = |data: &Option<Bytes>| data.as_ref().map_or(0, Bytes::len);
    FIXED
        + match txn {
            Txn::CreateSession { .. } | Txn::Error { .. } => 0,
            Txn::CloseSession { paths } => paths.iter().flatten().map(|path| 4 + path.len()).sum(),
            Txn::Create(txn) => txn.path.len() + data(&txn.data) + grants(&txn.acl),
            Txn::Delete { path } | Txn::DeleteContainer { path } | Txn::Check { path, .. } => {
                path.len()
            }
            Txn::SetData {
                path, data: new, ..
            }
            | Txn::Reconfig {
                path, data: new, ..
            } => path.len() + data(new),
            Txn::SetAcl { path, acl, .. } => path.len() + grants(acl),
            Txn::Multi(parts) => parts.iter().map(size_of_txn).sum(),
        }
}
