//! Checks of the four creates.

use alloc::format;
use alloc::string::String;

use bytes::Bytes;
use zk_proto::{
    CreateKind, CreateMode, CreateTxn, ErrorCode, OpCode, Perms, StatPersisted, Txn, request,
};

use super::pending::{PendingNode, path_cost};
use super::{Checked, Context, Prep, valid};
use crate::apply::kind_of;
use crate::mutant::Mutant;
use crate::owner::{Kind, MAX_TTL_MS};
use crate::path;
use crate::quota;
use crate::store::acls;

/// A create as its op code and body ask for it.
pub(super) struct Create<'a> {
    op: OpCode,
    body: &'a request::Create<'a>,
    /// Milliseconds; `None` where the op has no such field.
    ttl_ms: Option<i64>,
}

impl<'a> Create<'a> {
    pub(super) fn new(op: OpCode, body: &'a request::Create<'a>, ttl_ms: Option<i64>) -> Self {
        Self { op, body, ttl_ms }
    }

    /// In a multi the flags decide as well. A create2 becomes a create: ZooKeeper 3.8.0 passes over a whole logged multi
    /// that holds one when it replays its log, and all that it did would be lost.
    // spec: CP-MUL-06, QP-TXN-05
    pub(super) fn in_multi(op: OpCode, body: &'a request::Create<'a>, ttl_ms: Option<i64>) -> Self {
        let mode = CreateMode::from_flags(body.flags);
        if mode.is_some_and(CreateMode::is_container)
            && !Mutant::MultiContainersArePersistent.acts()
        {
            Self::new(OpCode::CreateContainer, body, None)
        } else if op == OpCode::Create2
            || op == OpCode::CreateTtl && !mode.is_some_and(CreateMode::is_ttl)
        {
            Self::new(OpCode::Create, body, None)
        } else {
            Self::new(op, body, ttl_ms)
        }
    }

    // spec: CP-OP-20, CP-OP-21, CP-OP-22, CP-PRE-10
    fn mode(&self, context: &Context<'_>) -> Checked<CreateMode> {
        let mode = match CreateMode::from_flags(self.body.flags) {
            None if Mutant::UnknownFlagsArePersistent.acts() => CreateMode::Persistent,
            known => known.ok_or(ErrorCode::BadArguments)?,
        };
        if mode.is_ttl() {
            if !context.tree.settings.extended_types {
                return Err(ErrorCode::Unimplemented);
            }
            // spec: CP-EPH-11
            return match self.ttl_ms {
                Some(1..=MAX_TTL_MS) => Ok(mode),
                Some(0) if Mutant::TtlOfZero.acts() => Ok(mode),
                Some(_) if Mutant::TtlOfAnyLength.acts() => Ok(mode),
                None if Mutant::TtlFlagsNeedNoTtl.acts() => Ok(CreateMode::Persistent),
                Some(_) | None => Err(ErrorCode::BadArguments),
            };
        }
        // A createTTL without a TTL's flags stops Apache's server when it is applied, or fails like this.
        if self.ttl_ms.is_some() && !Mutant::TtlNeedsNoFlags.acts() {
            Err(ErrorCode::BadArguments)
        } else {
            Ok(mode)
        }
    }

    fn kind(&self, mode: CreateMode) -> CreateKind {
        let ephemeral = mode.is_ephemeral();
        match (self.op, self.ttl_ms) {
            (OpCode::CreateContainer, _) => CreateKind::Container,
            (OpCode::CreateTtl, Some(ttl_ms)) => CreateKind::Ttl { ttl_ms },
            (OpCode::Create2, _) => CreateKind::Create2 { ephemeral },
            (_, _) => CreateKind::Create { ephemeral },
        }
    }
}

impl Prep {
    // spec: CP-PRE-10, CP-PRE-20, CP-PRE-21, CP-PRE-22, CP-PRE-23, CP-PRE-27
    pub(super) fn create(&mut self, context: &Context<'_>, create: Create<'_>) -> Checked<Txn> {
        let mode = create.mode(context)?;
        if Mutant::AclBeforePath.acts() {
            context
                .schemes
                .normalise(create.body.acl.as_ref(), context.ask.ids)?;
        }
        if mode.is_ephemeral() {
            context.ask.global_session
        } else {
            context.ask.session
        }?;
        let parent_path = creatable_parent(&create.body.path)?;
        if Mutant::PathBeforeParent.acts() {
            valid(&create.body.path)?;
        }
        if Mutant::ParentBeforeAcl.acts() {
            self.node(context, parent_path)?;
        }
        let mut acl = context
            .schemes
            .normalise(create.body.acl.as_ref(), context.ask.ids)?;
        let parent = self.node(context, parent_path)?;
        if Mutant::AclOfParent.acts() {
            acl = match &parent.acl {
                acls::AclRef::List(list) => list.to_vec(),
                acls::AclRef::Open | acls::AclRef::Unknown => alloc::vec![zk_proto::Acl::open()],
            };
        }
        if Mutant::ExistsBeforePermission.acts()
            && self.pending.exists(context.tree, &create.body.path)
        {
            return Err(ErrorCode::NodeExists);
        }
        if !Mutant::CreateNeedsNoPermission.acts() {
            context.allow(&parent, Perms::CREATE)?;
        }
        let path = final_path(&create.body.path, mode, &parent);
        valid(&path)?;
        if self.pending.exists(context.tree, &path) {
            return Err(if Mutant::ExistingIsNotEmpty.acts() {
                ErrorCode::NotEmpty
            } else {
                ErrorCode::NodeExists
            });
        }
        if Mutant::NoEphemeralsInContainers.acts()
            && mode.is_ephemeral()
            && Kind::of(parent.stat.ephemeral_owner, &context.tree.settings) == Kind::Container
        {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        // spec: CP-EPH-01
        if let Kind::Ephemeral(_) = Kind::of(parent.stat.ephemeral_owner, &context.tree.settings)
            && !Mutant::EphemeralsHaveChildren.acts()
        {
            return Err(ErrorCode::NoChildrenForEphemerals);
        }
        quota::check(
            context.tree,
            &path,
            create.body.data.map_or(0, <[u8]>::len) as i64,
            1,
        )?;
        let txn = CreateTxn {
            path,
            data: create.body.data.map(|data| {
                if Mutant::DataIsText.acts() {
                    Bytes::from(String::from_utf8_lossy(data).into_owned())
                } else {
                    Bytes::copy_from_slice(data)
                }
            }),
            acl,
            kind: create.kind(mode),
            parent_cversion: parent.stat.cversion.wrapping_add(1),
        };
        self.check_close_size(context, &txn)?;
        self.add(context, parent, &txn);
        Ok(Txn::Create(txn))
    }

    // spec: CP-TREE-20, CP-TREE-28
    fn add(&mut self, context: &Context<'_>, mut parent: PendingNode, txn: &CreateTxn) {
        let header = &context.ask.header;
        let Some((parent_path, _)) = path::split(&txn.path) else {
            return;
        };
        parent.children += 1;
        if txn.parent_cversion > parent.stat.cversion {
            (parent.stat.cversion, parent.stat.pzxid) = (txn.parent_cversion, header.zxid);
        }
        self.pending
            .put(context.tree, header.zxid, parent_path, parent);
        let stat = StatPersisted {
            czxid: header.zxid,
            mzxid: header.zxid,
            pzxid: header.zxid,
            ctime: header.time,
            mtime: header.time,
            ephemeral_owner: kind_of(txn, header).owner(),
            ..StatPersisted::default()
        };
        let node = PendingNode::new(stat, acls::as_ref(&txn.acl), txn.data.clone());
        self.pending
            .create(context.tree, header.zxid, &txn.path, node);
    }

    /// Refuses an ephemeral with which the session could no longer be closed by one txn.
    // spec: QP-DEF-21. Apache's server writes that txn and can then never read its log again.
    fn check_close_size(&self, context: &Context<'_>, txn: &CreateTxn) -> Checked<()> {
        const REST_OF_TXN: i64 = 64;
        let Kind::Ephemeral(session) = kind_of(txn, &context.ask.header) else {
            return Ok(());
        };
        let cost = self.pending.ephemerals_cost(context.tree, session)
            + path_cost(&txn.path)
            + REST_OF_TXN;
        if cost > context.tree.settings.max_txn_bytes as i64 {
            Err(ErrorCode::QuotaExceeded)
        } else {
            Ok(())
        }
    }
}

// spec: CP-PRE-10, CP-PATH-12
fn creatable_parent(path: &str) -> Checked<&str> {
    match path::split(path) {
        Some((parent, _)) if !path.contains('\0') => Ok(parent),
        Some(_) | None if Mutant::CreateOfNoPathIsNoNode.acts() => Err(ErrorCode::NoNode),
        Some(_) | None => Err(ErrorCode::BadArguments),
    }
}

/// The path with its number, if it gets one.
// spec: CP-PATH-10, CP-PATH-11, CP-PATH-13, CP-PATH-14
fn final_path(path: &str, mode: CreateMode, parent: &PendingNode) -> String {
    if mode.is_sequential() && Mutant::SequenceReusesNumbers.acts() {
        format!("{path}{:010}", parent.children)
    } else if mode.is_sequential() && Mutant::SequenceOfNineDigits.acts() {
        format!("{path}{:09}", parent.stat.cversion)
    } else if mode.is_sequential() {
        format!("{path}{:010}", parent.stat.cversion)
    } else {
        path.into()
    }
}
