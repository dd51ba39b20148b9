//! A second tree, written from the rules for reading and not for speed: one map from path to znode, everything else is
//! searched for. It answers a write at once, checks and effect in one.

use std::collections::BTreeMap;

use zk_proto::request::{self, SetData, Versioned};
use zk_proto::watch::EventKind;
use zk_proto::{
    Acl, CreateMode, Id, MultiOp, MultiResult, OpCode, Perms, Request, Response, Stat, Strings,
};

use crate::naive_acl::{allows, fix_acl, mask, user};

pub(crate) type Answer = Result<Response<'static>, i32>;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Znode {
    pub(crate) data: Option<Vec<u8>>,
    pub(crate) acl: Vec<Acl>,
    pub(crate) czxid: i64,
    pub(crate) mzxid: i64,
    pub(crate) pzxid: i64,
    pub(crate) ctime: i64,
    pub(crate) mtime: i64,
    pub(crate) version: i32,
    /// Children ever created.
    pub(crate) created: i32,
    pub(crate) aversion: i32,
    pub(crate) owner: i64,
}

/// A change that watches may wait for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) kind: EventKind,
    pub(crate) path: String,
    /// ACL of the znode, and of the parent whose children changed.
    pub(crate) acl: Vec<Acl>,
    pub(crate) parent_acl: Option<Vec<Acl>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Who<'a> {
    pub(crate) session: i64,
    pub(crate) zxid: i64,
    pub(crate) time: i64,
    pub(crate) ids: &'a [Id],
    pub(crate) standing: i32,
    pub(crate) global_standing: i32,
}

#[derive(Clone, Debug)]
pub(crate) struct Naive {
    pub(crate) nodes: BTreeMap<String, Znode>,
    pub(crate) sessions: BTreeMap<i64, i32>,
    pub(crate) extended: bool,
    pub(crate) enforce_quota: bool,
    /// What quotas are checked against: the tree as it was applied last.
    pub(crate) committed: BTreeMap<String, Znode>,
    pub(crate) changes: Vec<Change>,
}

fn fresh(zxid: i64, time: i64) -> Znode {
    Znode {
        data: Some(Vec::new()),
        acl: vec![Acl::open()],
        czxid: zxid,
        mzxid: zxid,
        pzxid: zxid,
        ctime: time,
        mtime: time,
        version: 0,
        created: 0,
        aversion: 0,
        owner: 0,
    }
}

/// `/` for what is directly below the root.
fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(slash) => &path[..slash],
        None => "",
    }
}

fn valid(path: &str) -> bool {
    if path == "/" {
        return true;
    }
    let Some(rest) = path.strip_prefix('/') else {
        return false;
    };
    let name = |name: &str| !name.is_empty() && name != "." && name != "..";
    let unit = |unit: u16| {
        !(unit <= 0x1f
            || (0x7f..=0x9f).contains(&unit)
            || (0xd800..=0xf8ff).contains(&unit)
            || unit >= 0xfff0)
    };
    rest.split('/').all(name) && path.encode_utf16().all(unit)
}

fn reserved(path: &str) -> bool {
    ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"].contains(&path)
}

const CONTAINER: i64 = i64::MIN;
const TTL: i64 = 0xff << 56;

impl Naive {
    // spec: CP-TREE-01, CP-TREE-02
    pub(crate) fn new(extended: bool, enforce_quota: bool) -> Self {
        let mut nodes = BTreeMap::new();
        for path in ["/", "/zookeeper", "/zookeeper/quota", "/zookeeper/config"] {
            nodes.insert(path.to_string(), fresh(0, 0));
        }
        let config = nodes.get_mut("/zookeeper/config").unwrap();
        (config.aversion, config.acl) = (-1, vec![Acl::new(Perms::READ, "world", "anyone")]);
        let committed = nodes.clone();
        Self {
            nodes,
            sessions: BTreeMap::new(),
            extended,
            enforce_quota,
            committed,
            changes: Vec::new(),
        }
    }

    pub(crate) fn children(&self, path: &str) -> Vec<String> {
        let below = self
            .nodes
            .keys()
            .filter(|key| *key != "/" && parent(key) == path);
        below
            .map(|key| key.rsplit('/').next().unwrap().to_string())
            .collect()
    }

    // spec: CP-EPH-10, CP-TREE-12
    fn session_of(&self, owner: i64) -> Option<i64> {
        let ttl = self.extended && owner.cast_unsigned() >> 56 == 0xff;
        (owner != 0 && owner != CONTAINER && !ttl).then_some(owner)
    }

    // spec: CP-TREE-10, CP-TREE-11, CP-TREE-12
    pub(crate) fn stat(&self, path: &str) -> Stat {
        let node = &self.nodes[path];
        let children = self.children(path).len() as i32;
        Stat {
            czxid: node.czxid,
            mzxid: node.mzxid,
            ctime: node.ctime,
            mtime: node.mtime,
            version: node.version,
            cversion: 2 * node.created - children,
            aversion: node.aversion,
            ephemeral_owner: self.session_of(node.owner).unwrap_or(0),
            data_length: node.data.as_ref().map_or(0, |data| data.len() as i32),
            num_children: children,
            pzxid: node.pzxid,
        }
    }

    // spec: DF-DIG-02, DF-DIG-03, DF-DIG-04
    pub(crate) fn digest(&self) -> u64 {
        let counted = self
            .nodes
            .iter()
            .filter(|(path, _)| !path.starts_with("/zookeeper/"));
        let digests = counted.map(|(path, node)| {
            let mut bytes = if path == "/" {
                Vec::new()
            } else {
                path.clone().into_bytes()
            };
            bytes.extend(node.data.iter().flatten());
            for long in [node.czxid, node.mzxid, node.pzxid, node.ctime, node.mtime] {
                bytes.extend(long.to_be_bytes());
            }
            for int in [node.version, node.created, node.aversion] {
                bytes.extend(int.to_be_bytes());
            }
            bytes.extend(node.owner.to_be_bytes());
            u64::from(crc32fast::hash(&bytes))
        });
        digests.fold(0, u64::wrapping_add)
    }

    pub(crate) fn ephemerals(&self, session: i64) -> Vec<String> {
        let own = self
            .nodes
            .iter()
            .filter(|(_, node)| self.session_of(node.owner) == Some(session));
        own.map(|(path, _)| path.clone()).collect()
    }

    // spec: CP-EPH-21, CP-EPH-22
    pub(crate) fn unused(&self, now: i64, max_never_used: i64) -> Vec<String> {
        let unused = |(path, node): &(&String, &Znode)| {
            let age = now - node.mtime;
            self.children(path).is_empty()
                && if node.owner == CONTAINER {
                    node.created > 0 || (max_never_used != 0 && age > max_never_used)
                } else {
                    node.owner != 0
                        && self.session_of(node.owner).is_none()
                        && age > node.owner & 0xff_ffff_ffff
                }
        };
        self.nodes
            .iter()
            .filter(unused)
            .map(|(path, _)| path.clone())
            .collect()
    }

    /// Checks and applies a write.
    pub(crate) fn write(&mut self, who: Who<'_>, request: &Request<'_>) -> Answer {
        self.changes.clear();
        match request {
            Request::Create(create) => self.create(who, OpCode::Create, create, -1),
            Request::Create2(create) => self.create(who, OpCode::Create2, create, -1),
            Request::CreateContainer(create) => {
                self.create(who, OpCode::CreateContainer, create, -1)
            }
            Request::CreateTtl(create, ttl) => {
                // spec: CP-OP-22
                let ttl_flags = matches!(create.flags, 5 | 6);
                let ttl = if !ttl_flags && *ttl < 0 { 1 } else { *ttl };
                self.create(who, OpCode::CreateTtl, create, ttl)
            }
            Request::Delete(delete) => self.delete(who, delete).map(|()| Response::Empty),
            Request::DeleteContainer { path } => {
                self.delete_container(who, path).map(|()| Response::Empty)
            }
            Request::SetData(set) => self.set_data(who, set).map(Response::Stat),
            Request::SetAcl { path, acl, version } => self
                .set_acl(who, path, acl.as_ref().map(|acl| acl.to_vec()), *version)
                .map(Response::Stat),
            Request::CreateSession { timeout } => {
                self.sessions.insert(who.session, *timeout);
                Ok(Response::Empty)
            }
            Request::CloseSession => {
                self.sessions.remove(&who.session);
                for path in self.ephemerals(who.session) {
                    self.remove(&path, who.zxid);
                }
                Ok(Response::Empty)
            }
            Request::Multi(ops) => {
                let ops: Vec<_> = ops.iter().collect();
                Ok(Response::Multi(self.multi(who, &ops).into()))
            }
            other => panic!("{other:?} is no write"),
        }
    }

    /// spec: CP-PRE-17 (its last check), CP-TREE-24
    pub(crate) fn reconfig(&mut self, who: Who<'_>, text: &[u8]) -> Result<Stat, i32> {
        self.changes.clear();
        let path = "/zookeeper/config";
        self.allow(who, path, Perms::WRITE)?;
        let node = self.nodes.get_mut(path).unwrap();
        (node.data, node.version, node.mzxid, node.mtime) =
            (Some(text.to_vec()), -1, who.zxid, who.time);
        let acl = node.acl.clone();
        self.changes.push(Change {
            kind: EventKind::NodeDataChanged,
            path: path.into(),
            acl,
            parent_acl: None,
        });
        Ok(self.stat(path))
    }

    fn allow(&self, who: Who<'_>, path: &str, perms: Perms) -> Result<(), i32> {
        if allows(&self.nodes[path].acl, perms, who.ids) {
            Ok(())
        } else {
            Err(-102)
        }
    }

    // spec: CP-PRE-10
    fn create(
        &mut self,
        who: Who<'_>,
        op: OpCode,
        create: &request::Create<'_>,
        ttl: i64,
    ) -> Answer {
        let mode = CreateMode::from_flags(create.flags).ok_or(-8)?;
        if mode.is_ttl() && !self.extended {
            return Err(-6);
        }
        if mode.is_ttl() != (1..1 << 40).contains(&ttl) || (!mode.is_ttl() && ttl >= 0) {
            return Err(-8);
        }
        let standing = if mode.is_ephemeral() {
            who.global_standing
        } else {
            who.standing
        };
        if standing != 0 {
            return Err(standing);
        }
        if !create.path.contains('/') || create.path.contains('\0') {
            return Err(-8);
        }
        let acl = fix_acl(create.acl.as_ref().map(|acl| acl.to_vec()), who.ids)?;
        let parent_of_given = parent(&create.path).to_string();
        if !self.nodes.contains_key(&parent_of_given) {
            return Err(-101);
        }
        self.allow(who, &parent_of_given, Perms::CREATE)?;
        let parent_node = &self.nodes[&parent_of_given];
        let mut path = create.path.to_string();
        if mode.is_sequential() {
            path.push_str(&format!("{:010}", parent_node.created));
        }
        if !valid(&path) {
            return Err(-8);
        }
        if self.nodes.contains_key(&path) {
            return Err(-110);
        }
        if self.session_of(parent_node.owner).is_some() {
            return Err(-108);
        }
        self.check_quota(&path, create.data.map_or(0, |data| data.len() as i64), 1)?;
        let parent_node = self.nodes.get_mut(&parent_of_given).unwrap();
        parent_node.created += 1;
        parent_node.pzxid = who.zxid;
        let parent_acl = Some(parent_node.acl.clone());
        let owner = match op {
            OpCode::CreateContainer => CONTAINER,
            OpCode::CreateTtl => TTL | ttl,
            _ if mode.is_ephemeral() => who.session,
            _ => 0,
        };
        let data = create.data.map(<[u8]>::to_vec);
        let node = Znode {
            data,
            acl: acl.clone(),
            owner,
            ..fresh(who.zxid, who.time)
        };
        self.nodes.insert(path.clone(), node);
        let stat = self.stat(&path);
        self.changes.push(Change {
            kind: EventKind::NodeCreated,
            path: path.clone(),
            acl,
            parent_acl,
        });
        if let Some(subject) = quota_subject(&path, "zookeeper_stats") {
            self.recount(&subject);
        }
        self.account(&path, create.data.map_or(0, |data| data.len() as i64), 1);
        Ok(if op == OpCode::Create {
            Response::Path(path.into())
        } else {
            Response::PathStat(path.into(), stat)
        })
    }

    // spec: CP-PRE-11
    fn delete(&mut self, who: Who<'_>, delete: &Versioned<'_>) -> Result<(), i32> {
        let path = &*delete.path;
        if who.standing != 0 {
            return Err(who.standing);
        }
        if !path.contains('/') || path.contains('\0') || reserved(path) {
            return Err(-8);
        }
        if !self.nodes.contains_key(parent(path)) {
            return Err(-101);
        }
        self.allow(who, parent(path), Perms::DELETE)?;
        let node = self.nodes.get(path).ok_or(-101)?;
        next(node.version, delete.version)?;
        if !self.children(path).is_empty() {
            return Err(-111);
        }
        self.remove(path, who.zxid);
        Ok(())
    }

    // spec: CP-EPH-23, and CP-EPH-22 again, since the znode may be in use by now
    fn delete_container(&mut self, who: Who<'_>, path: &str) -> Result<(), i32> {
        if !path.contains('/') || path.contains('\0') || reserved(path) {
            return Err(-8);
        }
        let node = self.nodes.get(path).ok_or(-101)?;
        if !self.children(path).is_empty() {
            return Err(-111);
        }
        let ttl_over = node.owner != 0
            && self.session_of(node.owner).is_none()
            && who.time - node.mtime > node.owner & 0xff_ffff_ffff;
        if node.owner != CONTAINER && !ttl_over {
            return Err(-103);
        }
        self.remove(path, who.zxid);
        Ok(())
    }

    // spec: CP-TREE-21
    fn remove(&mut self, path: &str, zxid: i64) {
        let node = self.nodes.remove(path).unwrap();
        let above = self.nodes.get_mut(parent(path)).unwrap();
        above.pzxid = zxid;
        let parent_acl = Some(above.acl.clone());
        self.changes.push(Change {
            kind: EventKind::NodeDeleted,
            path: path.into(),
            acl: node.acl,
            parent_acl,
        });
        self.account(path, -node.data.map_or(0, |data| data.len() as i64), -1);
    }

    // spec: CP-PRE-12
    fn set_data(&mut self, who: Who<'_>, set: &SetData<'_>) -> Result<Stat, i32> {
        let path = &*set.path;
        if who.standing != 0 {
            return Err(who.standing);
        }
        if !valid(path) {
            return Err(-8);
        }
        let node = self.nodes.get(path).ok_or(-101)?;
        self.allow(who, path, Perms::WRITE)?;
        let old = node.data.as_ref().map_or(0, |data| data.len() as i64);
        let growth = set.data.map_or(0, |data| data.len() as i64) - old;
        self.check_quota(path, growth, 0)?;
        let version = next(node.version, set.version)?;
        let node = self.nodes.get_mut(path).unwrap();
        node.data = set.data.map(<[u8]>::to_vec);
        (node.version, node.mzxid, node.mtime) = (version, who.zxid, who.time);
        let acl = node.acl.clone();
        self.account(path, growth, 0);
        self.changes.push(Change {
            kind: EventKind::NodeDataChanged,
            path: path.into(),
            acl,
            parent_acl: None,
        });
        Ok(self.stat(path))
    }

    // spec: CP-PRE-13, CP-TREE-23
    fn set_acl(
        &mut self,
        who: Who<'_>,
        path: &str,
        acl: Option<Vec<Acl>>,
        version: i32,
    ) -> Result<Stat, i32> {
        if who.standing != 0 {
            return Err(who.standing);
        }
        if !valid(path) {
            return Err(-8);
        }
        let acl = fix_acl(acl, who.ids)?;
        if !self.nodes.contains_key(path) {
            return Err(-101);
        }
        self.allow(who, path, Perms::ADMIN)?;
        let node = self.nodes.get_mut(path).unwrap();
        node.aversion = next(node.aversion, version)?;
        node.acl = acl;
        Ok(self.stat(path))
    }

    // spec: CP-PRE-14
    fn check(&self, who: Who<'_>, check: &Versioned<'_>) -> Result<(), i32> {
        let path = &*check.path;
        if who.standing != 0 {
            return Err(who.standing);
        }
        if !valid(path) {
            return Err(-8);
        }
        let node = self.nodes.get(path).ok_or(-101)?;
        self.allow(who, path, Perms::READ)?;
        next(node.version, check.version).map(|_| ())
    }

    // spec: CP-MUL-04, CP-MUL-05, CP-MUL-06, CP-MUL-07, CP-MUL-08
    fn multi(&mut self, who: Who<'_>, ops: &[MultiOp<'_>]) -> Vec<MultiResult<'static>> {
        let before = self.nodes.clone();
        let mut results = Vec::new();
        for op in ops {
            match self.one_of_multi(who, op) {
                Ok(result) => results.push(result),
                Err(error) => {
                    let mut failed = vec![MultiResult::Error(0); results.len()];
                    failed.push(MultiResult::Error(error));
                    failed.resize(ops.len(), MultiResult::Error(-2));
                    self.nodes = before;
                    self.changes.clear();
                    return failed;
                }
            }
        }
        results
    }

    fn one_of_multi(
        &mut self,
        who: Who<'_>,
        op: &MultiOp<'_>,
    ) -> Result<MultiResult<'static>, i32> {
        let created = |answer: Answer| {
            Ok(match answer? {
                Response::Path(path) => MultiResult::Create { path },
                Response::PathStat(path, stat) => MultiResult::Create2 { path, stat },
                other => panic!("{other:?}"),
            })
        };
        match op {
            MultiOp::Create(create) | MultiOp::Create2(create) | MultiOp::CreateTtl(create, _)
                if create.flags == 4 =>
            {
                created(self.create(who, OpCode::CreateContainer, create, -1))
            }
            MultiOp::CreateTtl(create, ttl) if matches!(create.flags, 5 | 6) => {
                created(self.create(who, OpCode::CreateTtl, create, *ttl))
            }
            MultiOp::Create(create) | MultiOp::CreateTtl(create, _) => {
                created(self.create(who, OpCode::Create, create, -1))
            }
            MultiOp::Create2(create) => created(self.create(who, OpCode::Create2, create, -1)),
            MultiOp::CreateContainer(create) => {
                created(self.create(who, OpCode::CreateContainer, create, -1))
            }
            MultiOp::Delete(delete) => self.delete(who, delete).map(|()| MultiResult::Delete),
            MultiOp::SetData(set) => self.set_data(who, set).map(MultiResult::SetData),
            MultiOp::Check(check) => self.check(who, check).map(|()| MultiResult::Check),
            MultiOp::GetChildren(_) | MultiOp::GetData(_) => panic!("a read in a multi"),
        }
    }

    /// Answers a read; lists come sorted.
    pub(crate) fn read(&self, who: Who<'_>, request: &Request<'_>) -> Answer {
        match request {
            Request::Exists(read) => {
                if read.path.contains('\0') {
                    return Err(-8);
                }
                Ok(Response::Stat(self.stat(&self.readable(
                    who,
                    &read.path,
                    Perms::READ.0,
                )?)))
            }
            Request::GetData(read) => {
                let path = self.readable(who, &read.path, Perms::READ.0)?;
                let data = self.nodes[&path].data.clone().map(|data| &*data.leak());
                Ok(Response::Data(data, self.stat(&path)))
            }
            Request::GetAcl { path } => {
                let path = self.readable(who, path, Perms::READ.0 | Perms::ADMIN.0)?;
                let node = &self.nodes[&path];
                let acl = if allows(&node.acl, Perms::ADMIN, who.ids) {
                    node.acl.clone()
                } else {
                    mask(&node.acl)
                };
                Ok(Response::Acl(acl.into(), self.stat(&path)))
            }
            Request::GetChildren(read) => {
                let path = self.readable(who, &read.path, Perms::READ.0)?;
                Ok(Response::Children(self.children(&path).iter().collect()))
            }
            Request::GetChildren2(read) => {
                let path = self.readable(who, &read.path, Perms::READ.0)?;
                Ok(Response::ChildrenStat(
                    self.children(&path).iter().collect(),
                    self.stat(&path),
                ))
            }
            Request::GetAllChildrenNumber { path } => {
                let path = self.readable(who, path, Perms::READ.0)?;
                let prefix = if path == "/" { path } else { path + "/" };
                let below = self
                    .nodes
                    .keys()
                    .filter(|key| *key != "/" && key.starts_with(&prefix));
                Ok(Response::Count(below.count() as i32))
            }
            Request::GetEphemerals { prefix } => {
                let prefix = prefix.as_deref().unwrap_or("");
                let all = prefix.trim().is_empty() || prefix.trim() == "/";
                let mut paths = self.ephemerals(who.session);
                paths.retain(|path| all || path.starts_with(prefix));
                Ok(Response::Children(paths.iter().collect::<Strings<'_>>()))
            }
            Request::WhoAmI => {
                let info = |id: &Id| zk_proto::response::ClientInfo {
                    scheme: id.scheme.clone().into(),
                    user: user(id).into(),
                };
                Ok(Response::ClientInfo(
                    who.ids.iter().map(info).collect::<Vec<_>>().into(),
                ))
            }
            Request::MultiRead(ops) => {
                let one = |op: MultiOp<'_>| {
                    let answer = match op {
                        MultiOp::GetChildren(read) => self.read(who, &Request::GetChildren(read)),
                        MultiOp::GetData(read) => self.read(who, &Request::GetData(read)),
                        other => panic!("{other:?} is no read"),
                    };
                    match answer {
                        Ok(Response::Children(children)) => MultiResult::Children(children),
                        Ok(Response::Data(data, stat)) => MultiResult::Data { data, stat },
                        Ok(other) => panic!("{other:?}"),
                        Err(error) => MultiResult::Error(error),
                    }
                };
                Ok(Response::Multi(
                    ops.iter().map(one).collect::<Vec<_>>().into(),
                ))
            }
            other => panic!("{other:?} is no read"),
        }
    }

    // spec: CP-PRE-16, CP-PRE-28
    fn readable(&self, who: Who<'_>, path: &str, perms: i32) -> Result<String, i32> {
        let path = if path.is_empty() { "/" } else { path };
        let node = self.nodes.get(path).ok_or(-101)?;
        if allows(&node.acl, Perms(perms), who.ids) {
            Ok(path.to_string())
        } else {
            Err(-102)
        }
    }

    /// The deepest path with a quota that is `path` or above it.
    fn quota_of(nodes: &BTreeMap<String, Znode>, path: &str) -> Option<String> {
        let mut above = path;
        while above != "/" {
            if nodes.contains_key(&format!("/zookeeper/quota{above}/zookeeper_limits")) {
                return Some(above.into());
            }
            above = parent(above);
        }
        None
    }

    // spec: CP-QUO-05, CP-TREE-26
    fn account(&mut self, path: &str, bytes: i64, count: i64) {
        let Some(subject) = Self::quota_of(&self.nodes, path) else {
            return;
        };
        if let Some(node) = self
            .nodes
            .get_mut(&format!("/zookeeper/quota{subject}/zookeeper_stats"))
        {
            let mut numbers = numbers(&node.data);
            *numbers.entry("count".into()).or_insert(-1) += count;
            *numbers.entry("bytes".into()).or_insert(-1) += bytes;
            node.data = Some(text(&numbers).into_bytes());
        }
    }

    // spec: CP-QUO-04
    fn recount(&mut self, subject: &str) {
        let prefix = format!("{subject}/");
        let below = self
            .nodes
            .iter()
            .filter(|(path, _)| *path == subject || path.starts_with(&prefix));
        let sizes: Vec<_> = below
            .map(|(_, node)| node.data.as_ref().map_or(0, Vec::len))
            .collect();
        let text = format!(
            "count={},bytes={}",
            sizes.len(),
            sizes.iter().sum::<usize>()
        );
        if let Some(node) = self
            .nodes
            .get_mut(&format!("/zookeeper/quota{subject}/zookeeper_stats"))
        {
            node.data = Some(text.into_bytes());
        }
    }

    // spec: CP-QUO-06, CP-QUO-07
    fn check_quota(&self, path: &str, bytes: i64, count: i64) -> Result<(), i32> {
        if !self.enforce_quota {
            return Ok(());
        }
        let Some(subject) = Self::quota_of(&self.committed, path) else {
            return Ok(());
        };
        let read = |name: &str| {
            self.committed
                .get(&format!("/zookeeper/quota{subject}/{name}"))
                .map(|node| numbers(&node.data))
        };
        let (Some(limits), Some(used)) = (read("zookeeper_limits"), read("zookeeper_stats")) else {
            return Ok(());
        };
        let get =
            |numbers: &BTreeMap<String, i64>, name: &str| numbers.get(name).copied().unwrap_or(-1);
        let over = |hard: &str, name: &str, change: i64| {
            let limit = get(&limits, hard);
            change != 0 && limit > -1 && get(&used, name) + change > limit
        };
        if over("countHardLimit", "count", count) || over("byteHardLimit", "bytes", bytes) {
            Err(-125)
        } else {
            Ok(())
        }
    }
}

// spec: CP-PRE-29
fn next(current: i32, expected: i32) -> Result<i32, i32> {
    if expected != -1 && expected != current {
        Err(-103)
    } else {
        Ok(current + 1)
    }
}

/// The path that a quota's node is about, if its name is `name`. A quota of the root is none.
fn quota_subject(path: &str, name: &str) -> Option<String> {
    let subject = path
        .strip_prefix("/zookeeper/quota")?
        .strip_suffix(name)?
        .strip_suffix('/')?;
    subject.starts_with('/').then(|| subject.to_string())
}

// spec: CP-QUO-02
fn numbers(data: &Option<Vec<u8>>) -> BTreeMap<String, i64> {
    let text = String::from_utf8(data.clone().unwrap_or_default()).unwrap();
    let mut numbers = BTreeMap::new();
    for pair in text.replace("=;", ";").split([',', ';']) {
        if let Some((name, value)) = pair.split_once('=')
            && let Ok(value) = if value.is_empty() {
                Ok(-1)
            } else {
                value.parse()
            }
        {
            numbers.insert(name.to_string(), value);
        }
    }
    numbers
}

// spec: CP-QUO-03
fn text(numbers: &BTreeMap<String, i64>) -> String {
    let mut text = format!("count={},bytes={}", numbers["count"], numbers["bytes"]);
    let others: Vec<_> = numbers
        .iter()
        .filter(|(name, _)| !["count", "bytes"].contains(&name.as_str()))
        .map(|(name, value)| format!(";{name}={value}"))
        .collect();
    if !others.is_empty() {
        text.push('=');
    }
    text + &others.concat()
}
