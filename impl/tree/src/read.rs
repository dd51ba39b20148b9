//! Reads: each appends a reply's body. They change nothing, so any number may run at once.

use alloc::vec::Vec;

use zk_proto::multi::Ops;
use zk_proto::{ErrorCode, Id, MultiOp, MultiResult, Perms, Put, Request};

use crate::auth::{self, Schemes};
use crate::mutant::Mutant;
use crate::store::acls::AclRef;
use crate::store::node::NodeId;
use crate::tree::{ROOT_ID, Tree};

/// No further op of a multiRead is begun behind so much of its reply.
const MULTI_READ_BYTES: usize = 16 << 20;

/// Who reads.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The schemes that the server knows.
    pub schemes: &'a Schemes,
    /// The connection's ids.
    pub ids: &'a [Id],
    /// The connection's session.
    pub session: i64,
}

impl Tree {
    /// Answers a read by appending its body to `out`. Watches are the caller's affair: [`wanted`](crate::watch::wanted) says which one.
    ///
    /// # Errors
    /// As CP-PRE-15 and CP-PRE-16 list them; `out` is then as it was. A request that is no read is Unimplemented.
    pub fn read(
        &self,
        request: &Request<'_>,
        reader: &Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the reads are named; nothing else may be answered here"
        )]
        match request {
            Request::Exists(read) => self.exists(&read.path, reader, out),
            Request::GetData(read) => self.get_data(&read.path, reader, out),
            Request::GetAcl { path } => self.get_acl(path, reader, out),
            Request::GetChildren(read) => self.get_children(&read.path, reader, out),
            Request::GetChildren2(read) => self.get_children2(&read.path, reader, out),
            Request::MultiRead(ops)
                if Mutant::EmptyMultiRefused.acts() && ops.iter().next().is_none() =>
            {
                Err(ErrorCode::MarshallingError)
            }
            Request::MultiRead(ops) => self.multi_read(ops, reader, out),
            Request::GetEphemerals { prefix } => {
                self.get_ephemerals(prefix.as_deref(), reader, out);
                Ok(())
            }
            Request::GetAllChildrenNumber { path } => {
                self.get_all_children_number(path, reader, out)
            }
            Request::WhoAmI => {
                who_am_i(reader, out);
                Ok(())
            }
            _ => Err(ErrorCode::Unimplemented),
        }
    }

    /// exists: the Stat.
    // spec: CP-OP-24, CP-PRE-15
    pub fn exists(
        &self,
        path: &str,
        reader: &Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        if path.contains('\0') && !Mutant::ExistsTakesNul.acts() {
            return Err(ErrorCode::BadArguments);
        }
        let id = if Mutant::ExistsNeedsNoPermission.acts() {
            self.lookup(path).ok_or(ErrorCode::NoNode)?
        } else {
            self.readable(path, reader)?
        };
        let mut stat = self.shown(id);
        if Mutant::ExistsHidesLength.acts() {
            stat.data_length = 0;
        }
        stat.write(out);
        Ok(())
    }

    /// getData: data and Stat.
    pub fn get_data(
        &self,
        path: &str,
        reader: &Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let id = self.readable(path, reader)?;
        let data = self.slab.node(id).data();
        if Mutant::NullReadsAsEmpty.acts() {
            out.put_buffer(Some(data.unwrap_or_default()));
        } else if Mutant::EmptyReadsAsNull.acts() {
            out.put_buffer(data.filter(|data| !data.is_empty()));
        } else {
            out.put_buffer(data);
        }
        self.shown(id).write(out);
        Ok(())
    }

    /// getChildren: bare names, in no order.
    // spec: CP-OP-25
    pub fn get_children(
        &self,
        path: &str,
        reader: &Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let id = self.readable(path, reader)?;
        self.put_children(id, out);
        Ok(())
    }

    /// getChildren2: names and Stat.
    pub fn get_children2(
        &self,
        path: &str,
        reader: &Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let id = self.readable(path, reader)?;
        self.put_children(id, out);
        self.shown(id).write(out);
        Ok(())
    }

    /// getACL: grants and Stat. Without ADMIN the hashes stay hidden.
    // spec: CP-OP-26, CP-ACL-12
    pub fn get_acl(
        &self,
        path: &str,
        reader: &Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let id = self.known(path)?;
        let acl = self.acl_of(id);
        let needed = if Mutant::GetAclNeedsAdmin.acts() {
            Perms::ADMIN
        } else {
            Perms(Perms::READ.0 | Perms::ADMIN.0)
        };
        if !self.permits(acl, needed, reader.schemes, reader.ids) {
            return Err(ErrorCode::NoAuth);
        }
        put_acl(
            acl,
            self.permits(acl, Perms::ADMIN, reader.schemes, reader.ids)
                && !Mutant::HashesHiddenFromAll.acts()
                || Mutant::HashesShown.acts(),
            out,
        );
        self.shown(id).write(out);
        Ok(())
    }

    /// getAllChildrenNumber: how many znodes are below. Walks them all.
    // spec: CP-OP-29
    pub fn get_all_children_number(
        &self,
        path: &str,
        reader: &Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let id = self.readable(path, reader)?;
        let count = if Mutant::OneLevelCounted.acts() {
            self.slab.node(id).children().len()
        } else if id == ROOT_ID {
            self.slab.len() - 1
        } else {
            self.count_below(id)
        };
        out.put_int(i32::try_from(count).unwrap_or(i32::MAX));
        Ok(())
    }

    /// getEphemerals: paths of the session's own, below a plain prefix.
    // spec: CP-OP-28
    pub fn get_ephemerals(&self, prefix: Option<&str>, reader: &Reader<'_>, out: &mut Vec<u8>) {
        if Mutant::EphemeralsOfAll.acts() {
            let owners = self.ephemeral_owners().map(|(owner, _)| owner);
            out.put_strings(owners.flat_map(|owner| self.ephemerals(owner)));
            return;
        }
        if Mutant::EphemeralsNeedPrefix.acts()
            && prefix.is_none_or(|prefix| matches!(prefix.trim(), "" | "/"))
        {
            out.put_count(0);
            return;
        }
        let prefix = prefix
            .filter(|prefix| !matches!(prefix.trim(), "" | "/"))
            .unwrap_or_default();
        out.put_strings(
            self.ephemerals(reader.session)
                .filter(|path| path.starts_with(prefix) || Mutant::PrefixIgnored.acts()),
        );
    }

    /// multiRead: each op's answer or error, independent of the others.
    ///
    /// # Errors
    /// `MarshallingError` for a reply that nobody can want: ops behind its first 16 MiB.
    // spec: CP-MUL-12, CP-MUL-02
    pub fn multi_read(
        &self,
        ops: &Ops<'_>,
        reader: &Reader<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), ErrorCode> {
        let begin = out.len();
        let mut stopped = false;
        for op in ops.iter() {
            let start = out.len();
            // spec: CP-MUL-14, P-BOUND. A frame of 1 MB has room for 65,000 getData of 1 MB each.
            if start - begin > MULTI_READ_BYTES {
                out.truncate(begin);
                return Err(ErrorCode::MarshallingError);
            }
            // Type, not done, no error.
            out.put_int(op.op().code());
            out.put_bool(false);
            out.put_int(0);
            #[expect(
                clippy::wildcard_enum_match_arm,
                reason = "a multiRead with a write in it does not decode"
            )]
            let answer = match &op {
                _ if stopped => Err(ErrorCode::RuntimeInconsistency),
                MultiOp::GetChildren(read) => self.get_children(&read.path, reader, out),
                MultiOp::GetData(read) => self.get_data(&read.path, reader, out),
                _ => Err(ErrorCode::MarshallingError),
            };
            if let Err(error) = answer {
                stopped = Mutant::MultiReadStops.acts();
                out.truncate(start);
                MultiResult::Error(error.code()).write(out);
            }
        }
        MultiResult::write_end(out);
        Ok(())
    }

    /// Does an ACL grant any of `perms`? Each znode answers for itself: nothing is inherited.
    // spec: CP-ACL-01, CP-ACL-02, CP-ACL-03, CP-ACL-15
    pub fn permits(&self, acl: &AclRef, perms: Perms, schemes: &Schemes, ids: &[Id]) -> bool {
        self.settings.skip_acl || schemes.permit(acl, perms, ids)
    }

    fn known(&self, path: &str) -> Result<NodeId, ErrorCode> {
        let hidden = Mutant::EmptyPathIsMissing.acts() && path.is_empty();
        self.lookup(path).filter(|_| !hidden).ok_or(
            if Mutant::ReadsOfMissingAreBadArguments.acts() {
                ErrorCode::BadArguments
            } else {
                ErrorCode::NoNode
            },
        )
    }

    // spec: CP-PRE-16
    fn readable(&self, path: &str, reader: &Reader<'_>) -> Result<NodeId, ErrorCode> {
        let id = self.known(path)?;
        if self.permits(self.acl_of(id), Perms::READ, reader.schemes, reader.ids) {
            Ok(id)
        } else if Mutant::HiddenLooksMissing.acts() {
            Err(ErrorCode::NoNode)
        } else {
            Err(ErrorCode::NoAuth)
        }
    }

    fn put_children(&self, id: NodeId, out: &mut Vec<u8>) {
        let children = self.slab.node(id).children();
        if Mutant::LeavesHaveNoList.acts() && children.is_empty() {
            return out.put_int(-1);
        }
        out.put_count(children.len());
        for child in children {
            if Mutant::ChildrenWithPaths.acts() {
                out.put_string(&self.path_of(*child));
                continue;
            }
            out.put_buffer(Some(self.slab.node(*child).name()));
        }
    }

    fn count_below(&self, id: NodeId) -> usize {
        let mut open = alloc::vec![id];
        let mut count = 0;
        while let Some(id) = open.pop() {
            let children = self.slab.node(id).children();
            count += children.len();
            open.extend(children);
        }
        count
    }
}

/// whoAmI: scheme and user of each of the connection's ids.
// spec: CP-OP-33
pub fn who_am_i(reader: &Reader<'_>, out: &mut Vec<u8>) {
    out.put_count(reader.ids.len());
    for id in reader.ids {
        out.put_echo(&id.scheme);
        if Mutant::WhoAmIShowsHashes.acts() {
            out.put_echo(&id.id);
        } else {
            out.put_echo(reader.schemes.user(id));
        }
    }
}

fn put_acl(acl: &AclRef, unmasked: bool, out: &mut Vec<u8>) {
    let open = [zk_proto::Acl::open()];
    let list = match acl {
        AclRef::Open => &open[..],
        AclRef::Unknown => &[],
        AclRef::List(list) => &list[..],
    };
    out.put_count(list.len());
    let backwards: Vec<zk_proto::Acl>;
    let list = if Mutant::AclBackwards.acts() {
        backwards = list.iter().rev().cloned().collect();
        &backwards
    } else {
        list
    };
    for grant in list {
        out.put_int(grant.perms.0);
        out.put_echo(&grant.id.scheme);
        match auth::masked(&grant.id).filter(|_| !unmasked) {
            Some(masked) => out.put_echo(&masked),
            None => out.put_echo(&grant.id.id),
        }
    }
}
