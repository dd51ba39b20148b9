//! A txn's effect on the tree. The same code runs on a leader, on a follower and when a log is replayed over a
//! snapshot that already shows some of it, so that a txn which finds its work done does no harm.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use zk_proto::{
    CreateKind, CreateTxn, ErrorCode, MultiResult, Response, StatPersisted, Txn, TxnHeader,
};

use crate::mutant::Mutant;
use crate::owner::Kind;
use crate::path;
use crate::quota;
use crate::store::acls::AclRef;
use crate::store::node::NodeId;
use crate::tree::{NewNode, Tree};

/// A change that watches may wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger<'t> {
    /// What happened.
    pub change: Change,
    /// To which znode.
    pub path: Cow<'t, str>,
    /// Who may know of it: the znode's ACL, when deleted its last one.
    // spec: CP-WAT-20
    pub acl: AclRef,
    /// Who may know that the parent's children changed. `None` where they did not.
    pub parent_acl: Option<AclRef>,
}

/// What happened to a znode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Change {
    /// It is new.
    Created,
    /// It is gone.
    Deleted,
    /// Its data were set.
    DataChanged,
}

/// The reply's body, or the error code of a reply without one.
pub type Outcome<'t> = Result<Response<'t>, i32>;

const NO_NODE: i32 = ErrorCode::NoNode.code();
const NODE_EXISTS: i32 = ErrorCode::NodeExists.code();
const RUNTIME_INCONSISTENCY: i32 = ErrorCode::RuntimeInconsistency.code();

impl Tree {
    /// Applies a txn; appends what watches may wait for, in the order in which events must go out.
    ///
    /// An `Err` is what the request's checks found, or (in replay only) that the snapshot is ahead of the txn. Either way
    /// the txn counts as applied. A multi's creates are all answered with their stats: see [`crate::PathOnly`].
    // spec: CP-PRE-01, CP-WAT-33, DF-REC-07, DF-REC-19, DF-ALG-14, DF-ALG-16
    pub fn apply<'t>(
        &mut self,
        header: &TxnHeader,
        txn: &'t Txn,
        triggers: &mut Vec<Trigger<'t>>,
    ) -> Outcome<'t> {
        let outcome = match txn {
            Txn::CreateSession { timeout } => {
                // spec: DF-REC-08, QP-TXN-07
                self.sessions.insert(header.session_id, *timeout);
                Ok(Response::Empty)
            }
            Txn::CloseSession { paths } => {
                self.close_session(header, paths.as_deref().unwrap_or_default(), triggers);
                Ok(Response::Empty)
            }
            Txn::Error { err } => Err(*err),
            Txn::Multi(parts)
                if Mutant::MultiErrorInHeader.acts() && first_error(parts).is_some() =>
            {
                Err(first_error(parts).unwrap_or_default())
            }
            Txn::Multi(parts) => Ok(Response::Multi(Cow::Owned(
                self.apply_multi(header, parts, triggers),
            ))),
            Txn::SetAcl { path, acl, version } => {
                let outcome = self.set_acl(path, acl, *version);
                if Mutant::AclToldToDataWatch.acts()
                    && let Some(id) = self.lookup(path)
                {
                    triggers.push(Trigger {
                        change: Change::DataChanged,
                        path: Cow::Borrowed(path),
                        acl: self.acl_of(id).clone(),
                        parent_acl: None,
                    });
                }
                outcome
            }
            // spec: QP-DEF-42, DF-REC-18, CP-TREE-25
            Txn::Check { .. } => Ok(Response::Empty),
            Txn::Reconfig {
                path,
                data,
                version,
            } => {
                // spec: CP-OP-38
                let stat = self.set_data(header, path, data.as_deref(), *version, triggers);
                stat.map(|stat| Response::Data(data.as_deref(), stat))
            }
            Txn::SetData {
                path,
                data,
                version,
            } => self
                .set_data(header, path, data.as_deref(), *version, triggers)
                .map(Response::Stat),
            Txn::Delete { path } | Txn::DeleteContainer { path } => self
                .delete(header.zxid, Cow::Borrowed(path), triggers)
                .map(|()| Response::Empty),
            Txn::Create(create) => {
                self.create(header, create, triggers)
                    .map(|stat| match create.kind {
                        _ if Mutant::CreateAnswersName.acts() => {
                            let name = path::split(&create.path).map_or("", |(_, name)| name);
                            match create.kind {
                                CreateKind::Create { .. } => Response::Path(Cow::Borrowed(name)),
                                CreateKind::Create2 { .. }
                                | CreateKind::Container
                                | CreateKind::Ttl { .. } => {
                                    Response::PathStat(Cow::Borrowed(name), stat)
                                }
                            }
                        }
                        CreateKind::Create { .. } => Response::Path(Cow::Borrowed(&create.path)),
                        // spec: CP-OP-23
                        CreateKind::Create2 { .. }
                        | CreateKind::Container
                        | CreateKind::Ttl { .. } => {
                            Response::PathStat(Cow::Borrowed(&create.path), stat)
                        }
                    })
            }
        };
        self.last_zxid = self.last_zxid.max(header.zxid);
        // spec: QP-TXN-03, CP-FLW-27. Errors carry no digest.
        if self.settings.digest && !matches!(txn, Txn::Error { .. }) {
            self.history.record(header.zxid, self.digest);
        }
        outcome
    }

    // spec: CP-MUL-04, CP-MUL-05, CP-MUL-07, CP-MUL-11, QP-TXN-04, DF-REC-17
    fn apply_multi<'t>(
        &mut self,
        header: &TxnHeader,
        parts: &'t [Txn],
        triggers: &mut Vec<Trigger<'t>>,
    ) -> Vec<MultiResult<'t>> {
        let Some(failed) = parts
            .iter()
            .position(|part| matches!(part, Txn::Error { .. }))
        else {
            let before = triggers.len();
            let results = parts
                .iter()
                .map(|part| self.apply_part(header, part, triggers))
                .collect();
            if Mutant::MultiTellsNobody.acts() {
                triggers.truncate(before);
            }
            return results;
        };
        if Mutant::MultiHalfDone.acts() {
            for part in &parts[..failed] {
                self.apply_part(header, part, triggers);
            }
        }
        let parts = if Mutant::MultiVectorShort.acts() {
            &parts[..=failed]
        } else {
            parts
        };
        if Mutant::MultiVectorUniform.acts() {
            let error = first_error(parts).unwrap_or_default();
            return parts.iter().map(|_| MultiResult::Error(error)).collect();
        }
        let error = |(index, part): (usize, &Txn)| {
            let other = if index < failed {
                0
            } else {
                RUNTIME_INCONSISTENCY
            };
            MultiResult::Error(if let Txn::Error { err } = part {
                *err
            } else {
                other
            })
        };
        parts.iter().enumerate().map(error).collect()
    }

    fn apply_part<'t>(
        &mut self,
        header: &TxnHeader,
        part: &'t Txn,
        triggers: &mut Vec<Trigger<'t>>,
    ) -> MultiResult<'t> {
        let result = match part {
            // spec: CP-MUL-05. `PathOnly` takes the stat away from who did not ask for it.
            Txn::Create(create) => self.create(header, create, triggers).map(|stat| {
                let path = Cow::Borrowed(create.path.as_str());
                MultiResult::Create2 { path, stat }
            }),
            Txn::Delete { path } | Txn::DeleteContainer { path } => self
                .delete(header.zxid, Cow::Borrowed(path), triggers)
                .map(|()| {
                    if Mutant::MultiDeleteAnswersCheck.acts() {
                        MultiResult::Check
                    } else {
                        MultiResult::Delete
                    }
                }),
            Txn::SetData {
                path,
                data,
                version,
            }
            | Txn::Reconfig {
                path,
                data,
                version,
            } => self
                .set_data(header, path, data.as_deref(), *version, triggers)
                .map(|stat| {
                    MultiResult::SetData(if Mutant::MultiSetDataWithoutStat.acts() {
                        zk_proto::Stat::default()
                    } else {
                        stat
                    })
                }),
            Txn::Check { .. } if Mutant::MultiCheckAnswersDelete.acts() => Ok(MultiResult::Delete),
            Txn::Check { .. } => Ok(MultiResult::Check),
            Txn::Error { err } => Err(*err),
            // spec: QP-TXN-05. Nothing else is decoded inside a multi or prepared for one.
            Txn::CreateSession { .. }
            | Txn::CloseSession { .. }
            | Txn::SetAcl { .. }
            | Txn::Multi(_) => Err(RUNTIME_INCONSISTENCY),
        };
        result.unwrap_or_else(MultiResult::Error)
    }

    // spec: CP-TREE-20, CP-TREE-27, CP-TREE-28, CP-TREE-29, DF-REC-10, DF-REC-11, DF-REC-12
    fn create<'t>(
        &mut self,
        header: &TxnHeader,
        txn: &'t CreateTxn,
        triggers: &mut Vec<Trigger<'t>>,
    ) -> Result<zk_proto::Stat, i32> {
        let (parent_path, name) = path::split(&txn.path).ok_or(NO_NODE)?;
        let parent = self.lookup(parent_path).ok_or(NO_NODE)?;
        if let Some(there) = self.existing(parent, &txn.path, name) {
            // The snapshot was taken after this txn: what may be missing is what the parent and the ACL table got from it.
            self.replace_acl(there, &txn.acl);
            self.count_child(parent, parent_path, txn.parent_cversion, header.zxid);
            return Err(NODE_EXISTS);
        }
        self.count_child(parent, parent_path, txn.parent_cversion, header.zxid);
        if Mutant::GrandparentCounts.acts() {
            self.touch_parent(parent_path, header.zxid);
        }
        let acl = self.acls.acquire(&txn.acl);
        let stat = StatPersisted {
            czxid: header.zxid,
            mzxid: header.zxid,
            pzxid: header.zxid,
            ctime: header.time,
            mtime: header.time,
            ephemeral_owner: kind_of(txn, header).owner(),
            ..StatPersisted::default()
        };
        let id = self.add(
            parent,
            NewNode {
                path: &txn.path,
                name,
                data: txn.data.as_deref(),
                acl,
                stat,
            },
        );
        let shown = self.shown(id);
        triggers.push(Trigger {
            change: Change::Created,
            path: Cow::Borrowed(&txn.path),
            acl: self.acl_of(id).clone(),
            parent_acl: Some(self.acl_of(parent).clone()),
        });
        quota::created(
            self,
            &txn.path,
            txn.data.as_ref().map_or(0, |data| data.len()),
        );
        Ok(shown)
    }

    /// The znode that a create would make. `/` names the root and not a child without name.
    fn existing(&self, parent: NodeId, path: &str, name: &str) -> Option<NodeId> {
        if name.is_empty() {
            self.lookup(path)
        } else {
            self.child(parent, name)
        }
    }

    /// What a create does to its parent. Guarded, since in replay the parent may be ahead.
    // spec: CP-TREE-28, QP-TXN-09
    fn count_child(&mut self, parent: NodeId, path: &str, parent_cversion: i32, zxid: i64) {
        let current = self.slab.node(parent).cversion;
        let new = if parent_cversion == -1 {
            current.wrapping_add(1)
        } else {
            parent_cversion
        };
        if new > current {
            self.change(parent, path, |node| {
                node.cversion = new;
                if !Mutant::PzxidIgnoresCreates.acts() {
                    node.pzxid = zxid;
                }
                if Mutant::ChildrenCountAsData.acts() {
                    node.mzxid = zxid;
                }
            });
        }
    }

    // spec: CP-TREE-21, DF-REC-13
    fn delete<'t>(
        &mut self,
        zxid: i64,
        path: Cow<'t, str>,
        triggers: &mut Vec<Trigger<'t>>,
    ) -> Result<(), i32> {
        if Mutant::DeleteDoesNothing.acts() {
            return Ok(());
        }
        let (parent_path, name) = path::split(&path).ok_or(NO_NODE)?;
        let parent = self.lookup(parent_path).ok_or(NO_NODE)?;
        if zxid > self.slab.node(parent).pzxid && !Mutant::PzxidIgnoresDeletes.acts() {
            self.change(parent, parent_path, |node| node.pzxid = zxid);
        }
        let id = self.child(parent, name).ok_or(NO_NODE)?;
        self.remove_subtree(id, &path);
        let acl = self.acl_of(id).clone();
        let node = self.remove(id, &path);
        quota::deleted(self, &path, node.data_len());
        let parent_acl = Some(self.acl_of(parent).clone());
        triggers.push(Trigger {
            change: Change::Deleted,
            path,
            acl,
            parent_acl,
        });
        Ok(())
    }

    /// Removes what is below `id`: nothing, but for a snapshot that shows children which the log created later than
    /// this delete. They come again with the txns that made them.
    fn remove_subtree(&mut self, id: NodeId, path: &str) {
        let mut open = alloc::vec![(id, String::from(path))];
        let mut below = Vec::new();
        while let Some((id, path)) = open.pop() {
            for child in self.slab.node(id).children() {
                let child_path = alloc::format!(
                    "{path}/{}",
                    String::from_utf8_lossy(self.slab.node(*child).name())
                );
                open.push((*child, child_path.clone()));
                below.push((*child, child_path));
            }
        }
        while let Some((id, path)) = below.pop() {
            let node = self.remove(id, &path);
            quota::deleted(self, &path, node.data_len());
        }
    }

    // spec: CP-TREE-13, CP-TREE-22, CP-TREE-24, CP-TREE-27, DF-REC-14, DF-DIG-09, DF-ALG-15
    fn set_data<'t>(
        &mut self,
        header: &TxnHeader,
        path: &'t str,
        data: Option<&[u8]>,
        version: i32,
        triggers: &mut Vec<Trigger<'t>>,
    ) -> Result<zk_proto::Stat, i32> {
        let id = self.lookup(path).ok_or(NO_NODE)?;
        if Mutant::SameDataIsNoChange.acts() && self.slab.node(id).data() == data {
            return Ok(self.shown(id));
        }
        let before = self.slab.node(id).data_len();
        self.change(id, path, |node| {
            node.set_data(data);
            (node.version, node.mzxid) = (version, header.zxid);
            if !Mutant::MtimeStays.acts() {
                node.mtime = header.time;
            }
        });
        if Mutant::ChildDataCounts.acts() {
            self.touch_parent(path, header.zxid);
        }
        let after = self.slab.node(id).data_len();
        quota::resized(self, path, after as i64 - before as i64);
        let acl = self.acl_of(id).clone();
        triggers.push(Trigger {
            change: Change::DataChanged,
            path: Cow::Borrowed(path),
            acl,
            parent_acl: None,
        });
        Ok(self.shown(id))
    }

    /// What a mutant does to the parent of a znode that it should leave alone.
    fn touch_parent(&mut self, path: &str, zxid: i64) {
        if let Some((parent_path, _)) = path::split(path)
            && let Some(parent) = self.lookup(parent_path)
        {
            self.change(parent, parent_path, |node| {
                node.cversion = node.cversion.wrapping_add(1);
                node.pzxid = zxid;
            });
        }
    }

    // spec: CP-TREE-23, DF-REC-15, CP-WAT-13. No trigger.
    fn set_acl<'t>(&mut self, path: &str, acl: &[zk_proto::Acl], version: i32) -> Outcome<'t> {
        let id = self.lookup(path).ok_or(NO_NODE)?;
        self.replace_acl(id, acl);
        if !Mutant::AversionStays.acts() {
            self.change(id, path, |node| node.aversion = version);
        }
        Ok(Response::Stat(self.shown(id)))
    }

    // spec: CP-EPH-04, CP-EPH-05, CP-EPH-06, QP-TXN-06, DF-REC-16
    fn close_session<'t>(
        &mut self,
        header: &TxnHeader,
        paths: &'t [String],
        triggers: &mut Vec<Trigger<'t>>,
    ) {
        self.sessions.remove(&header.session_id);
        for path in paths {
            // One that is gone already is no error: in replay the snapshot may be ahead.
            self.delete(header.zxid, Cow::Borrowed(path), triggers).ok();
        }
        if Mutant::EphemeralsOutliveSession.acts() {
            return;
        }
        let left: Vec<String> = self.ephemerals(header.session_id).collect();
        for path in left {
            self.delete(header.zxid, Cow::Owned(path), triggers).ok();
        }
    }
}

/// The error of the part that failed.
fn first_error(parts: &[Txn]) -> Option<i32> {
    let is_error = |part: &Txn| matches!(part, Txn::Error { .. });
    match parts.iter().find(|part| is_error(part)) {
        Some(Txn::Error { err }) => Some(*err),
        _ => None,
    }
}

/// How long a created znode lives.
// spec: CP-OP-21, QP-TXN-08
pub(crate) fn kind_of(txn: &CreateTxn, header: &TxnHeader) -> Kind {
    match txn.kind {
        CreateKind::Create { ephemeral: true } | CreateKind::Create2 { ephemeral: true } => {
            Kind::Ephemeral(header.session_id)
        }
        CreateKind::Create { ephemeral: false } | CreateKind::Create2 { ephemeral: false } => {
            Kind::Persistent
        }
        CreateKind::Container => Kind::Container,
        CreateKind::Ttl { ttl_ms } => Kind::Ttl(ttl_ms),
    }
}
