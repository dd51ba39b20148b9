//! A reference tree: what each committed request must have done and answered, and each znode's past. It shares no code
//! with the servers' tree and is built from what clients asked for; only what no client asked for (sessions' beginnings,
//! and the ends that a leader decides) is taken from the txn itself.
// spec: faults.md 2.2, model(z)

use crate::history::{Body, Call, Commit, Op};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use zk_proto::{Stat, Txn, TxnHeader, TxnRecord};

pub(super) const NO_NODE: i32 = -101;
pub(super) const BAD_VERSION: i32 = -103;
pub(super) const NO_CHILDREN_FOR_EPHEMERALS: i32 = -108;
pub(super) const NODE_EXISTS: i32 = -110;
pub(super) const NOT_EMPTY: i32 = -111;
pub(super) const SESSION_EXPIRED: i32 = -112;
pub(super) const SESSION_MOVED: i32 = -118;
pub(super) const RUNTIME_INCONSISTENCY: i32 = -2;

/// A znode at some zxid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) data: Arc<[u8]>,
    pub(super) children: Arc<BTreeSet<String>>,
    stat: Stat,
    /// Children ever made: the number that the next sequential one gets.
    made: i32,
}

impl Node {
    // spec: CP-TREE-10. cversion counts what was made and what was deleted.
    #[must_use]
    pub(super) fn stat(&self) -> Stat {
        let children = self.children.len() as i32;
        Stat {
            cversion: 2 * self.made - children,
            num_children: children,
            data_length: self.data.len() as i32,
            ..self.stat
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Created,
    Deleted,
    Changed,
}

/// A change that watches may wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) zxid: i64,
    pub(super) path: String,
    pub(super) what: What,
}

/// What a committed request must be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ok(Body),
    Err(i32),
}

/// All states, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// By path: from which zxid on, what.
    past: BTreeMap<String, Vec<(i64, Option<Node>)>>,
    /// In zxid order.
    pub(super) changes: Vec<Change>,
    pub(super) answers: BTreeMap<i64, Answer>,
    /// Where a txn is not what its request asks for.
    pub(super) wrong: Vec<(i64, String)>,
    /// Sessions that live, with their timeouts in ms.
    pub(super) sessions: BTreeMap<i64, i32>,
    ended: BTreeSet<i64>,
    /// What the current txn changes.
    open: BTreeMap<String, Option<Node>>,
    open_changes: Vec<Change>,
}

impl Model {
    /// Replays the commits.
    #[must_use]
    pub(super) fn build<'a>(
        commits: impl Iterator<Item = &'a Commit>,
        calls: impl Iterator<Item = &'a Call>,
    ) -> Self {
        let asked: BTreeMap<(i64, i32), &Op> = calls
            .filter(|call| call.op.is_write())
            .map(|call| ((call.session, call.xid), &call.op))
            .collect();
        let mut model = Self::default();
        let root = Node {
            children: Arc::new(BTreeSet::from(["zookeeper".to_owned()])),
            ..Node::default()
        };
        model.past.insert("/".to_owned(), vec![(0, Some(root))]);
        for record in commits.filter_map(|commit| TxnRecord::decode(&commit.txn).ok()) {
            let key = (record.header.session_id, record.header.cxid);
            let asked = asked.get(&key).copied().filter(|_| key.1 > 0);
            model.one(&record.header, &record.txn, asked);
        }
        model
    }

    fn one(&mut self, header: &TxnHeader, txn: &Txn, asked: Option<&Op>) {
        let session = header.session_id;
        match (asked, txn) {
            (_, Txn::CreateSession { timeout }) => {
                self.sessions.insert(session, *timeout);
                self.ended.remove(&session);
            }
            (_, Txn::CloseSession { .. }) => {
                self.close(header);
                self.answers.insert(header.zxid, Answer::Ok(Body::Empty));
            }
            (Some(op), _) => {
                let answer = self.answer(header, txn, op);
                self.compare(header, txn, &answer);
                self.answers.insert(header.zxid, answer);
            }
            // Nobody asked: hand-written histories only.
            (None, _) => self.as_logged(header, txn),
        }
        self.finish(header.zxid);
    }

    fn answer(&mut self, header: &TxnHeader, txn: &Txn, op: &Op) -> Answer {
        if let Some(refused) = self.refused(header, txn) {
            return match (op, txn) {
                (Op::Multi(_), Txn::Multi(parts)) => {
                    let failed = parts.iter().position(is_refusal).unwrap_or(0);
                    Answer::Ok(failure(parts.len(), failed, refused))
                }
                _ => Answer::Err(refused),
            };
        }
        if let Op::Multi(parts) = op {
            return Answer::Ok(self.multi(header, parts));
        }
        match self.request(header, op) {
            Ok(body) => Answer::Ok(body),
            Err(error) => Answer::Err(error),
        }
    }

    /// A refusal because of the session's standing, where there is a reason for one.
    // spec: CP-SES-20
    fn refused(&mut self, header: &TxnHeader, txn: &Txn) -> Option<i32> {
        let parts = match txn {
            Txn::Multi(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        let refusal = parts.iter().find(|part| is_refusal(part))?;
        let Txn::Error { err } = refusal else {
            return None;
        };
        if *err == SESSION_EXPIRED && !self.ended.contains(&header.session_id) {
            let what = format!("session {:#x} had not ended", header.session_id);
            self.wrong.push((header.zxid, what));
        }
        Some(*err)
    }

    // spec: CP-MUL-04, CP-MUL-05, CP-MUL-07, CP-MUL-08, INV-10
    fn multi(&mut self, header: &TxnHeader, parts: &[Op]) -> Body {
        let mut done = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            match self.request(header, part) {
                Ok(body) => done.push(Ok(body)),
                Err(error) => {
                    self.open.clear();
                    self.open_changes.clear();
                    return failure(parts.len(), index, error);
                }
            }
        }
        Body::Multi(done)
    }

    fn request(&mut self, header: &TxnHeader, op: &Op) -> Result<Body, i32> {
        match op {
            Op::Create {
                path,
                data,
                ephemeral,
                sequential,
            } => self.create(header, path, data, *ephemeral, *sequential),
            Op::Delete { path, version } => self.delete(header, path, *version),
            Op::SetData {
                path,
                data,
                version,
            } => self.set_data(header, path, data, *version),
            Op::Check { path, version } => {
                let node = self.now(path).ok_or(NO_NODE)?;
                fits(*version, &node)?;
                Ok(Body::Empty)
            }
            Op::Multi(_)
            | Op::GetData { .. }
            | Op::Exists { .. }
            | Op::Children { .. }
            | Op::Sync { .. }
            | Op::AddWatch { .. }
            | Op::SetWatches { .. }
            | Op::CloseSession => Ok(Body::Empty),
        }
    }

    // spec: CP-PRE-10, CP-TREE-20, CP-PATH-10
    fn create(
        &mut self,
        header: &TxnHeader,
        path: &str,
        data: &[u8],
        ephemeral: bool,
        sequential: bool,
    ) -> Result<Body, i32> {
        let mut parent = self.now(parent_of(path)).ok_or(NO_NODE)?;
        let mut path = path.to_owned();
        if sequential {
            path.push_str(&format!("{:010}", parent.made));
        }
        if self.now(&path).is_some() {
            return Err(NODE_EXISTS);
        }
        if parent.stat.ephemeral_owner != 0 {
            return Err(NO_CHILDREN_FOR_EPHEMERALS);
        }
        let (zxid, time) = (header.zxid, header.time);
        let node = Node {
            data: data.into(),
            stat: Stat {
                czxid: zxid,
                mzxid: zxid,
                pzxid: zxid,
                ctime: time,
                mtime: time,
                ephemeral_owner: if ephemeral { header.session_id } else { 0 },
                ..Stat::default()
            },
            ..Node::default()
        };
        parent.made += 1;
        parent.stat.pzxid = zxid;
        Arc::make_mut(&mut parent.children).insert(name_of(&path).to_owned());
        let stat = node.stat();
        self.put(zxid, parent_of(&path), Some(parent), None);
        self.put(zxid, &path, Some(node), Some(What::Created));
        Ok(Body::Created(path, stat))
    }

    fn delete(&mut self, header: &TxnHeader, path: &str, version: i32) -> Result<Body, i32> {
        let node = self.now(path).ok_or(NO_NODE)?;
        fits(version, &node)?;
        if !node.children.is_empty() {
            return Err(NOT_EMPTY);
        }
        self.remove(header.zxid, path);
        Ok(Body::Empty)
    }

    fn set_data(
        &mut self,
        header: &TxnHeader,
        path: &str,
        data: &[u8],
        version: i32,
    ) -> Result<Body, i32> {
        let mut node = self.now(path).ok_or(NO_NODE)?;
        fits(version, &node)?;
        node.data = data.into();
        node.stat.version += 1;
        (node.stat.mzxid, node.stat.mtime) = (header.zxid, header.time);
        let stat = node.stat();
        self.put(header.zxid, path, Some(node), Some(What::Changed));
        Ok(Body::Stat(stat))
    }

    // spec: INV-07. All of a session's znodes go at one zxid.
    fn close(&mut self, header: &TxnHeader) {
        let session = header.session_id;
        self.sessions.remove(&session);
        self.ended.insert(session);
        let owned: Vec<String> = self.owned_by(session).map(str::to_owned).collect();
        for path in owned {
            self.remove(header.zxid, &path);
        }
    }

    fn owned_by(&self, session: i64) -> impl Iterator<Item = &str> {
        self.past.iter().filter_map(move |(path, past)| {
            let node = past.last()?.1.as_ref()?;
            (node.stat.ephemeral_owner == session).then_some(path.as_str())
        })
    }

    fn remove(&mut self, zxid: i64, path: &str) {
        if let Some(mut parent) = self.now(parent_of(path)) {
            parent.stat.pzxid = zxid;
            Arc::make_mut(&mut parent.children).remove(name_of(path));
            self.put(zxid, parent_of(path), Some(parent), None);
        }
        self.put(zxid, path, None, Some(What::Deleted));
    }

    fn as_logged(&mut self, header: &TxnHeader, txn: &Txn) {
        let parts = match txn {
            Txn::Multi(parts) => parts.as_slice(),
            other => std::slice::from_ref(other),
        };
        if parts.iter().any(|part| matches!(part, Txn::Error { .. })) {
            return;
        }
        for part in parts {
            let op = match part {
                Txn::Create(create) => Op::Create {
                    path: create.path.clone(),
                    data: create.data.as_deref().unwrap_or_default().to_vec(),
                    ephemeral: matches!(
                        create.kind,
                        zk_proto::CreateKind::Create { ephemeral: true }
                            | zk_proto::CreateKind::Create2 { ephemeral: true }
                    ),
                    sequential: false,
                },
                Txn::Delete { path } => Op::Delete {
                    path: path.clone(),
                    version: -1,
                },
                Txn::SetData { path, data, .. } => Op::SetData {
                    path: path.clone(),
                    data: data.as_deref().unwrap_or_default().to_vec(),
                    version: -1,
                },
                _ => continue,
            };
            if let Err(error) = self.request(header, &op) {
                self.wrong
                    .push((header.zxid, format!("{op:?} fails with {error}")));
            }
        }
    }

    fn compare(&mut self, header: &TxnHeader, txn: &Txn, answer: &Answer) {
        let logged = logged(txn);
        let modelled = match answer {
            Answer::Err(error) => vec![Err(*error)],
            Answer::Ok(Body::Multi(parts)) => parts.iter().map(outcome).collect(),
            Answer::Ok(body) => vec![outcome(&Ok(body.clone()))],
        };
        let failed = |parts: &[Result<Option<String>, i32>]| parts.iter().any(Result::is_err);
        let same = if failed(&logged) || failed(&modelled) {
            // spec: CP-MUL-04. The log says where a multi failed, replies say more.
            first_error(&logged) == first_error(&modelled)
        } else {
            logged == modelled
        };
        if !same {
            let what = format!("logged as {logged:?}, and it is {modelled:?}");
            self.wrong.push((header.zxid, what));
        }
    }

    // ---- states

    /// The znode as the current txn leaves it so far.
    fn now(&self, path: &str) -> Option<Node> {
        match self.open.get(path) {
            Some(node) => node.clone(),
            None => self.past.get(path)?.last()?.1.clone(),
        }
    }

    fn put(&mut self, zxid: i64, path: &str, node: Option<Node>, what: Option<What>) {
        self.open.insert(path.to_owned(), node);
        if let Some(what) = what {
            self.open_changes.push(Change {
                zxid,
                path: path.to_owned(),
                what,
            });
        }
    }

    fn finish(&mut self, zxid: i64) {
        for (path, node) in std::mem::take(&mut self.open) {
            self.past.entry(path).or_default().push((zxid, node));
        }
        self.changes.append(&mut self.open_changes);
    }

    /// The states of a znode that were the newest at some zxid in [from, to], oldest first, with the zxid of each.
    pub(super) fn states(
        &self,
        path: &str,
        from: i64,
        to: i64,
    ) -> impl Iterator<Item = (i64, Option<&Node>)> {
        let past = self.past.get(path).map_or(&[][..], Vec::as_slice);
        let first = past.partition_point(|(zxid, _)| *zxid <= from);
        let last = past.partition_point(|(zxid, _)| *zxid <= to);
        let before = (first == 0).then_some((0, None));
        let there = past[first.saturating_sub(1).min(last)..last].iter();
        before
            .into_iter()
            .chain(there.map(|(zxid, node)| (*zxid, node.as_ref())))
    }

    /// The znode at a zxid.
    #[must_use]
    pub(super) fn at(&self, path: &str, zxid: i64) -> Option<&Node> {
        self.states(path, zxid, zxid).last()?.1
    }

    /// Znodes at the end whose session has ended.
    pub(super) fn orphans(&self) -> impl Iterator<Item = &str> {
        self.past.iter().filter_map(|(path, past)| {
            let owner = past.last()?.1.as_ref()?.stat.ephemeral_owner;
            (owner != 0 && !self.sessions.contains_key(&owner)).then_some(path.as_str())
        })
    }
}

/// -1 fits always.
fn fits(version: i32, node: &Node) -> Result<(), i32> {
    if version == -1 || version == node.stat.version {
        Ok(())
    } else {
        Err(BAD_VERSION)
    }
}

fn is_refusal(part: &Txn) -> bool {
    matches!(
        part,
        Txn::Error {
            err: SESSION_EXPIRED | SESSION_MOVED
        }
    )
}

fn failure(parts: usize, failed: usize, error: i32) -> Body {
    let result = |index: usize| match index.cmp(&failed) {
        std::cmp::Ordering::Less => Err(0),
        std::cmp::Ordering::Equal => Err(error),
        std::cmp::Ordering::Greater => Err(RUNTIME_INCONSISTENCY),
    };
    Body::Multi((0..parts).map(result).collect())
}

/// A created path, nothing, or an error; for each part.
fn logged(txn: &Txn) -> Vec<Result<Option<String>, i32>> {
    let part = |txn: &Txn| match txn {
        Txn::Error { err } => Err(*err),
        Txn::Create(create) => Ok(Some(create.path.clone())),
        _ => Ok(None),
    };
    match txn {
        Txn::Multi(parts) => parts.iter().map(part).collect(),
        other => vec![part(other)],
    }
}

fn outcome(part: &Result<Body, i32>) -> Result<Option<String>, i32> {
    match part {
        Ok(Body::Created(path, _)) => Ok(Some(path.clone())),
        Ok(_) => Ok(None),
        Err(error) => Err(*error),
    }
}

fn first_error(parts: &[Result<Option<String>, i32>]) -> Option<(usize, i32)> {
    let errors = parts.iter().enumerate();
    errors
        .filter_map(|(index, part)| Some((index, *part.as_ref().err()?)))
        .find(|(_, error)| *error != 0)
}

pub(super) fn parent_of(path: &str) -> &str {
    match path.rfind('/') {
        None | Some(0) => "/",
        Some(slash) => &path[..slash],
    }
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}
