//! The tree against a second one that is written for reading: the same replies, numbers, events and digests, and every
//! error that can be reached is.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod naive;
mod naive_acl;
mod naive_watch;
mod steps;

use std::collections::{BTreeMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::thread;

use quickcheck::{Gen, QuickCheck, TestResult};
use zk_proto::watch::{EventKind, SetWatches};
use zk_proto::{Id, MultiResult, OpCode, Request, Response, Strings, TxnHeader, TxnRecord};
use zk_tree::auth::Digest;
use zk_tree::{
    Ask, PathOnly, Prep, Reader, Schemes, Settings, Tree, WatchKind, WatcherType, Watches,
    snapshot, watch,
};

use naive::{Answer, Naive, Who};
use naive_watch::NaiveWatches;
use steps::{Op, Sequence, Step};

const SEQUENCES: u64 = 100_000;
const ADDRESSES: [&str; 3] = ["10.0.0.1", "127.0.0.1", "192.168.7.7"];
const SESSIONS: [i64; 3] = [
    0x0100_0000_0000_0001,
    0x0100_0000_0000_0002,
    0x0200_0000_0000_0003,
];
/// What deletes unused znodes for the server itself.
const NEVER_USED_MS: i64 = 30;

/// How often an op was answered with a code.
type Counts = BTreeMap<(String, i32), u64>;

/// A txn that is proposed, with what must come of it.
struct Proposed {
    record: TxnRecord,
    name: &'static str,
    /// The ops of a multi.
    parts: Vec<&'static str>,
    path_only: PathOnly,
    answer: Answer,
    events: Vec<Vec<(u64, EventKind, String)>>,
    digest: u64,
    naive: BTreeMap<String, naive::Znode>,
}

struct Run {
    tree: Tree,
    prep: Prep,
    schemes: Schemes,
    watches: Watches,
    naive: Naive,
    naive_watches: NaiveWatches,
    ids: [Vec<Id>; 3],
    /// The tracker's view: closing sessions get no further than their checks.
    open: [bool; 3],
    proposed: VecDeque<Proposed>,
    log: Vec<TxnRecord>,
    zxid: i64,
    time: i64,
    counts: Counts,
}

impl Run {
    fn new(sequence: &Sequence) -> Self {
        let settings = Settings {
            extended_types: sequence.extended,
            enforce_quota: sequence.enforce_quota,
            ..Settings::default()
        };
        let super_digest = Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".to_string());
        let mut this = Self {
            tree: Tree::new(settings),
            prep: Prep::new(),
            schemes: Schemes::new(Some(Digest {
                super_digest,
                ..Digest::default()
            })),
            watches: Watches::new(),
            naive: Naive::new(sequence.extended, sequence.enforce_quota),
            naive_watches: NaiveWatches::default(),
            ids: ADDRESSES.map(|address| vec![Id::new("ip", address)]),
            open: [true; 3],
            proposed: VecDeque::new(),
            log: Vec::new(),
            zxid: 0x5_0000_0000,
            time: 1_700_000_000_000,
            counts: Counts::new(),
        };
        for session in 0..3 {
            this.write(&Step {
                op: Op::CreateSession,
                ..idle(session)
            });
        }
        this.catch_up(0);
        this
    }

    fn step(&mut self, step: &Step) {
        self.time += step.elapsed;
        match &step.op {
            Op::Reconfig => self.reconfig(step),
            Op::Read { .. } | Op::MultiRead(_) | Op::GetEphemerals { .. } | Op::WhoAmI => {
                self.read(step)
            }
            Op::Auth { scheme, credential } => self.auth(step.session, scheme, *credential),
            Op::AddWatch { path, mode } => {
                let kind = WatchKind::from_mode(*mode).unwrap();
                self.catch_up(0);
                self.watches.add(step.session as u64, path, kind);
                self.naive_watches.add(step.session as u64, path, kind);
                self.count("addWatch", 0);
            }
            Op::CheckWatches { path, kind } => {
                let (which, connection) =
                    (WatcherType::from_code(*kind).unwrap(), step.session as u64);
                self.catch_up(0);
                let found = self.watches.contains(connection, path, which);
                assert_eq!(found, self.naive_watches.contains(connection, path, which));
                self.count("checkWatches", if found { 0 } else { -121 });
            }
            Op::RemoveWatches { path, kind } => {
                let (which, connection) =
                    (WatcherType::from_code(*kind).unwrap(), step.session as u64);
                self.catch_up(0);
                let found = self.watches.remove(connection, path, which);
                assert_eq!(found, self.naive_watches.remove(connection, path, which));
                self.count("removeWatches", if found { 0 } else { -121 });
            }
            Op::SetWatches { since, lists } => self.set_watches(step.session as u64, *since, lists),
            Op::CloseConnection => {
                self.catch_up(0);
                let connection = step.session as u64;
                self.watches.remove_connection(connection);
                self.naive_watches
                    .list
                    .retain(|watch| watch.0 != connection);
                self.ids[step.session].truncate(1);
            }
            Op::Create { .. }
            | Op::Delete { .. }
            | Op::DeleteContainer { .. }
            | Op::SetData { .. }
            | Op::SetAcl { .. }
            | Op::Check { .. }
            | Op::Multi(_)
            | Op::CreateSession
            | Op::CloseSession => self.write(step),
        }
        self.catch_up(step.lag);
    }

    fn write(&mut self, step: &Step) {
        let request = step.op.request().unwrap();
        if matches!(step.op, Op::DeleteContainer { .. }) {
            self.catch_up(0);
            let mut unused = self.tree.unused(self.time, NEVER_USED_MS, usize::MAX);
            unused.sort();
            assert_eq!(unused, self.naive.unused(self.time, NEVER_USED_MS));
        }
        let session = step.session;
        let record = self.prepare(step, |prep, tree, schemes, ask| {
            prep.prepare(tree, schemes, ask, &request)
        });
        let answer = {
            let ids = self.ids[session].clone();
            let who = self.who(step, &ids);
            self.naive.write(who, &request)
        };
        match step.op {
            Op::CreateSession => self.open[session] = true,
            Op::CloseSession => self.open[session] = false,
            _ => {}
        }
        let parts = match &request {
            Request::Multi(ops) => ops.iter().map(|op| name(op.op())).collect(),
            _ => Vec::new(),
        };
        self.propose(record, name(request.op()), parts, answer);
        if let (Request::Multi(ops), Some(proposed)) = (&request, self.proposed.back_mut()) {
            proposed.path_only = PathOnly::of(ops);
        }
    }

    fn reconfig(&mut self, step: &Step) {
        let text = b"server.1=a:1:2:participant\nversion=5";
        let record = self.prepare(step, |prep, tree, schemes, ask| {
            prep.reconfig(tree, schemes, ask, text)
        });
        let ids = self.ids[step.session].clone();
        let who = self.who(step, &ids);
        let answer = self
            .naive
            .reconfig(who, text)
            .map(|stat| Response::Data(Some(text), stat));
        self.propose(record, "reconfig", Vec::new(), answer);
    }

    fn prepare(
        &mut self,
        step: &Step,
        prepare: impl FnOnce(&mut Prep, &Tree, &Schemes, &Ask<'_>) -> TxnRecord,
    ) -> TxnRecord {
        self.zxid += 1;
        let ids = self.ids[step.session].clone();
        let who = self.who(step, &ids);
        let standing = |code: i32| {
            zk_proto::ErrorCode::from_code(code)
                .filter(|_| code != 0)
                .map_or(Ok(()), Err)
        };
        let ask = Ask {
            header: TxnHeader {
                session_id: who.session,
                cxid: 7,
                zxid: who.zxid,
                time: who.time,
            },
            ids: &ids,
            session: standing(who.standing),
            global_session: standing(who.global_standing),
        };
        prepare(&mut self.prep, &self.tree, &self.schemes, &ask)
    }

    fn who<'a>(&self, step: &Step, ids: &'a [Id]) -> Who<'a> {
        let open = self.open[step.session];
        let (standing, global_standing) = if open {
            (step.standing, step.global_standing)
        } else {
            (-112, -112)
        };
        Who {
            session: SESSIONS[step.session],
            zxid: self.zxid,
            time: self.time,
            ids,
            standing,
            global_standing,
        }
    }

    fn propose(
        &mut self,
        record: TxnRecord,
        name: &'static str,
        parts: Vec<&'static str>,
        answer: Answer,
    ) {
        let changes = std::mem::take(&mut self.naive.changes);
        let events = changes
            .iter()
            .map(|change| self.naive_watches.fire(change))
            .collect();
        let naive = if self.naive.enforce_quota {
            self.naive.nodes.clone()
        } else {
            BTreeMap::new()
        };
        let digest = self.naive.digest();
        self.proposed.push_back(Proposed {
            record,
            name,
            parts,
            path_only: PathOnly::default(),
            answer,
            events,
            digest,
            naive,
        });
    }

    /// Applies proposed txns until `lag` are left.
    fn catch_up(&mut self, lag: usize) {
        while self.proposed.len() > lag {
            let proposed = self.proposed.pop_front().unwrap();
            self.apply(proposed);
        }
    }

    fn apply(&mut self, mut expected: Proposed) {
        let record = expected.record;
        let mut triggers = Vec::new();
        let mut answer = self.tree.apply(&record.header, &record.txn, &mut triggers);
        if let Ok(response) = &mut answer {
            expected.path_only.narrow(response);
        }
        assert_eq!(
            bytes(&answer),
            bytes(&expected.answer),
            "{record:?}\n{answer:?}\n{:?}",
            expected.answer
        );
        count_answer(&mut self.counts, expected.name, &expected.parts, &answer);
        let mut events = Vec::new();
        for trigger in &triggers {
            let mut found = Vec::new();
            self.watches.trigger(trigger, |event, connections| {
                found.extend(
                    connections
                        .iter()
                        .map(|id| (*id, event.kind, event.path.to_string())),
                );
            });
            events.push(found);
        }
        for (_, kind, _) in events.iter().flatten() {
            *self
                .counts
                .entry((format!("event/{kind:?}"), 0))
                .or_default() += 1;
        }
        for list in events.iter_mut().chain(&mut expected.events) {
            // What counts is the order of one connection's events.
            list.sort_by_key(|event| event.0);
        }
        // The ephemerals of a closed session go in any order.
        if expected.name == "closeSession" {
            events = vec![sorted(events.concat())];
            expected.events = vec![sorted(expected.events.concat())];
        }
        assert_eq!(events, expected.events, "{record:?}");
        assert_eq!(self.tree.digest(), expected.digest, "{record:?}");
        if let Some(digest) = record.digest {
            assert_eq!(digest.tree.cast_unsigned(), expected.digest, "{record:?}");
        }
        assert_eq!(self.tree.last_zxid(), record.header.zxid);
        self.prep.applied(record.header.zxid);
        self.naive.committed = expected.naive;
        self.log.push(record);
    }

    fn read(&mut self, step: &Step) {
        self.catch_up(0);
        let request = step.op.request().unwrap();
        let ids = self.ids[step.session].clone();
        let reader = Reader {
            schemes: &self.schemes,
            ids: &ids,
            session: SESSIONS[step.session],
        };
        let mut body = Vec::new();
        let answer = self.tree.read(&request, &reader, &mut body);
        let expected = self.naive.read(self.who(step, &ids), &request);
        if let Some((path, kind)) = watch::wanted(&request, answer) {
            self.watches.add(step.session as u64, path, kind);
        }
        self.watch_as_read(step, &expected);
        let op = request.op();
        let code = answer.map_or_else(|error| error.code(), |()| 0);
        assert_eq!(
            code,
            expected.as_ref().err().copied().unwrap_or(0),
            "{request:?}"
        );
        match &expected {
            Err(_) => assert!(body.is_empty()),
            Ok(expected) => {
                let answer = sort(Response::decode(op, &body).unwrap());
                assert_eq!(
                    bytes(&Ok(answer)),
                    bytes(&Ok(expected.clone())),
                    "{request:?}"
                );
                if let (Request::MultiRead(ops), Response::Multi(results)) = (&request, expected) {
                    for (op, result) in ops.iter().zip(results.iter()) {
                        self.count(&format!("multiRead/{}", name(op.op())), code_of(result));
                    }
                }
            }
        }
        self.count(name(op), code);
    }

    /// spec: CP-WAT-05
    fn watch_as_read(&mut self, step: &Step, answer: &Answer) {
        let Op::Read {
            op,
            path,
            watch: true,
        } = &step.op
        else {
            return;
        };
        let kind = match op {
            OpCode::Exists if matches!(answer, Ok(_) | Err(-101)) => WatchKind::Data,
            OpCode::GetData if answer.is_ok() => WatchKind::Data,
            OpCode::GetChildren | OpCode::GetChildren2 if answer.is_ok() => WatchKind::Child,
            _ => return,
        };
        self.naive_watches.add(step.session as u64, path, kind);
    }

    fn auth(&mut self, session: usize, scheme: &str, credential: Option<&str>) {
        let answer = self
            .schemes
            .authenticate(scheme, credential.map(str::as_bytes));
        let expected: Option<Vec<Id>> = match (scheme, credential) {
            ("digest", Some("user:password")) => {
                Some(vec![Id::new("digest", "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=")])
            }
            ("digest", Some("super:test")) => Some(vec![
                Id::new("digest", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
                Id::new("super", ""),
            ]),
            ("digest", Some(_)) => Some(answer.clone().unwrap()),
            ("ip", _) => Some(vec![]),
            _ => None,
        };
        assert_eq!(answer.clone().ok(), expected);
        self.count("auth", if answer.is_ok() { 0 } else { -115 });
        for id in answer.into_iter().flatten() {
            if !self.ids[session].contains(&id) {
                self.ids[session].push(id);
            }
        }
    }

    fn set_watches(&mut self, connection: u64, since: i64, lists: &[Vec<&'static str>; 5]) {
        self.catch_up(0);
        let since = 0x5_0000_0000 + since;
        let [data, exist, child, persistent, recursive] = lists
            .each_ref()
            .map(|list| list.iter().collect::<Strings<'_>>());
        let asked = SetWatches {
            relative_zxid: since,
            data,
            exist,
            child,
            persistent,
            recursive,
        };
        let mut events = Vec::new();
        self.watches
            .restore(&self.tree, connection, &asked, |kind, path| {
                events.push((kind, path.to_string()))
            });
        assert_eq!(
            events,
            self.naive_watches
                .restore(&self.naive, connection, since, lists)
        );
        self.count("setWatches", 0);
    }

    fn count(&mut self, name: &str, code: i32) {
        *self.counts.entry((name.to_string(), code)).or_default() += 1;
    }

    /// Everything that is in the tree, against the other.
    fn compare_all(&mut self) {
        self.catch_up(0);
        assert_eq!(self.tree.node_count(), self.naive.nodes.len() + 1);
        let sizes = self
            .naive
            .nodes
            .iter()
            .map(|(path, node)| path.len() + node.data.as_ref().map_or(0, Vec::len));
        assert_eq!(self.tree.approximate_data_size(), sizes.sum::<usize>());
        assert!(
            self.tree.sessions().eq(self
                .naive
                .sessions
                .iter()
                .map(|(id, timeout)| (*id, *timeout)))
        );
        assert_eq!(
            self.watches.counts().data_watches,
            self.naive_data_watches()
        );
        let dumped = dump(&self.tree);
        assert_eq!(dumped.len(), self.naive.nodes.len());
        for (path, node) in &self.naive.nodes {
            let (data, acl, stat) = &dumped[if path == "/" { "" } else { path }];
            assert_eq!((data, acl), (&node.data, &node.acl), "{path}");
            assert_eq!(self.tree.stat(path), Some(self.naive.stat(path)), "{path}");
            assert_eq!(
                (stat.cversion, stat.ephemeral_owner),
                (node.created, node.owner),
                "{path}"
            );
        }
    }

    fn naive_data_watches(&self) -> usize {
        let in_data = self
            .naive_watches
            .list
            .iter()
            .filter(|watch| watch.2 != WatchKind::Child);
        in_data
            .map(|watch| (watch.0, &watch.1))
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    }
}

/// A step that does nothing in particular.
fn idle(session: usize) -> Step {
    Step {
        session,
        standing: 0,
        global_standing: 0,
        elapsed: 0,
        lag: 0,
        op: Op::WhoAmI,
    }
}

type Dump = BTreeMap<String, (Option<Vec<u8>>, Vec<zk_proto::Acl>, zk_proto::StatPersisted)>;

/// Every znode of a tree, by path.
fn dump(tree: &Tree) -> Dump {
    let mut cursor = tree.snapshot();
    let acls: BTreeMap<i64, Vec<zk_proto::Acl>> = cursor
        .acls()
        .iter()
        .map(|(id, list)| (*id, list.to_vec()))
        .collect();
    let mut all = Dump::new();
    let done = cursor.slice(tree, |node| {
        let acl = acls
            .get(&node.acl)
            .cloned()
            .unwrap_or_else(|| vec![zk_proto::Acl::open()]);
        all.insert(
            node.path.to_string(),
            (node.data.map(<[u8]>::to_vec), acl, node.stat),
        );
        ControlFlow::Continue(())
    });
    assert!(done);
    all
}

/// As [`dump`], without what quotas' accounts say. A replayed create of an account counts what is there by then, and no
/// later txn repairs that where there is no limit.
// spec: DF-DIG-05
fn without_accounts(tree: &Tree) -> Dump {
    let mut all = dump(tree);
    for (path, node) in &mut all {
        if path.ends_with("/zookeeper_stats") {
            node.0 = None;
        }
    }
    all
}

fn sorted<T: Ord, K>(mut items: Vec<(T, K, String)>) -> Vec<(T, K, String)> {
    items.sort_by(|a, b| (&a.0, &a.2).cmp(&(&b.0, &b.2)));
    items
}

/// An answer as the wire has it: code and body.
fn bytes(answer: &Result<Response<'_>, i32>) -> (i32, Vec<u8>) {
    let mut body = Vec::new();
    match answer {
        Ok(response) => {
            response.encode(&mut body);
            (0, body)
        }
        Err(code) => (*code, body),
    }
}

/// Lists that have no order are put into one.
fn sort(response: Response<'_>) -> Response<'_> {
    let sorted = |names: Strings<'_>| {
        let mut names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
        names.sort();
        names.iter().collect::<Strings<'static>>()
    };
    match response {
        Response::Children(names) => Response::Children(sorted(names)),
        Response::ChildrenStat(names, stat) => Response::ChildrenStat(sorted(names), stat),
        Response::Multi(results) => {
            let one = |result: &MultiResult<'_>| match result.clone() {
                MultiResult::Children(names) => bytes_of(&MultiResult::Children(sorted(names))),
                other => bytes_of(&other),
            };
            // Encoded parts are compared as they are.
            let encoded: Vec<Vec<u8>> = results.iter().map(one).collect();
            let leaked: &'static [u8] = encoded.concat().leak();
            let mut results = Vec::new();
            let mut reader = zk_proto::Reader::new(leaked);
            while let Ok(Some(result)) = MultiResult::read(&mut reader) {
                results.push(result);
            }
            Response::Multi(results.into())
        }
        other => other,
    }
}

fn bytes_of(result: &MultiResult<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    result.write(&mut out);
    out
}

fn code_of(result: &MultiResult<'_>) -> i32 {
    match result {
        MultiResult::Error(code) => *code,
        _ => 0,
    }
}

fn count_answer(
    counts: &mut Counts,
    name: &str,
    parts: &[&str],
    answer: &Result<Response<'_>, i32>,
) {
    let code = answer.as_ref().err().copied().unwrap_or(0);
    *counts.entry((name.to_string(), code)).or_default() += 1;
    if let Ok(Response::Multi(results)) = answer {
        assert_eq!(parts.len(), results.len());
        for (part, result) in parts.iter().zip(results.iter()) {
            *counts
                .entry((format!("multi/{part}"), code_of(result)))
                .or_default() += 1;
        }
    }
}

fn name(op: OpCode) -> &'static str {
    match op {
        OpCode::Create => "create",
        OpCode::Create2 => "create2",
        OpCode::CreateContainer => "createContainer",
        OpCode::CreateTtl => "createTTL",
        OpCode::Delete => "delete",
        OpCode::DeleteContainer => "deleteContainer",
        OpCode::Check => "check",
        OpCode::SetData => "setData",
        OpCode::SetAcl => "setACL",
        OpCode::Multi => "multi",
        OpCode::MultiRead => "multiRead",
        OpCode::CreateSession => "createSession",
        OpCode::CloseSession => "closeSession",
        OpCode::Exists => "exists",
        OpCode::GetData => "getData",
        OpCode::GetAcl => "getACL",
        OpCode::GetChildren => "getChildren",
        OpCode::GetChildren2 => "getChildren2",
        OpCode::GetAllChildrenNumber => "getAllChildrenNumber",
        OpCode::GetEphemerals => "getEphemerals",
        OpCode::WhoAmI => "whoAmI",
        other => panic!("{other:?}"),
    }
}

/// What each op may be answered with. Every pair must come up.
const REACHABLE: [(&str, &[i32]); 39] = [
    (
        "create",
        &[
            0, -6, -8, -101, -102, -108, -110, -112, -114, -118, -120, -125,
        ],
    ),
    (
        "create2",
        &[
            0, -6, -8, -101, -102, -108, -110, -112, -114, -118, -120, -125,
        ],
    ),
    (
        "createContainer",
        &[
            0, -6, -8, -101, -102, -108, -110, -112, -114, -118, -120, -125,
        ],
    ),
    (
        "createTTL",
        &[0, -6, -8, -101, -102, -108, -110, -112, -114, -118, -125],
    ),
    ("delete", &[0, -8, -101, -102, -103, -111, -112, -118]),
    ("deleteContainer", &[0, -8, -101, -103, -111]),
    ("setData", &[0, -8, -101, -102, -103, -112, -118, -125]),
    ("setACL", &[0, -8, -101, -102, -103, -112, -114, -118]),
    ("multi", &[0]),
    (
        "multi/create",
        &[
            0, -2, -8, -101, -102, -108, -110, -112, -114, -118, -120, -125,
        ],
    ),
    (
        "multi/create2",
        &[
            0, -2, -8, -101, -102, -108, -110, -112, -114, -118, -120, -125,
        ],
    ),
    (
        "multi/createContainer",
        &[
            0, -2, -8, -101, -102, -108, -110, -112, -114, -118, -120, -125,
        ],
    ),
    (
        "multi/createTTL",
        &[
            0, -2, -6, -8, -101, -102, -108, -110, -112, -114, -118, -120, -125,
        ],
    ),
    (
        "multi/delete",
        &[0, -2, -8, -101, -102, -103, -111, -112, -118],
    ),
    (
        "multi/setData",
        &[0, -2, -8, -101, -102, -103, -112, -118, -125],
    ),
    ("multi/check", &[0, -2, -8, -101, -102, -103, -112, -118]),
    ("reconfig", &[0, -102]),
    ("createSession", &[0]),
    ("closeSession", &[0]),
    ("exists", &[0, -8, -101, -102]),
    ("getData", &[0, -101, -102]),
    ("getACL", &[0, -101, -102]),
    ("getChildren", &[0, -101, -102]),
    ("getChildren2", &[0, -101, -102]),
    ("getAllChildrenNumber", &[0, -101, -102]),
    ("getEphemerals", &[0]),
    ("whoAmI", &[0]),
    ("multiRead", &[0]),
    ("multiRead/getData", &[0, -101, -102]),
    ("multiRead/getChildren", &[0, -101, -102]),
    ("event/NodeCreated", &[0]),
    ("event/NodeDeleted", &[0]),
    ("event/NodeDataChanged", &[0]),
    ("event/NodeChildrenChanged", &[0]),
    ("auth", &[0, -115]),
    ("addWatch", &[0]),
    ("setWatches", &[0]),
    ("checkWatches", &[0, -121]),
    ("removeWatches", &[0, -121]),
];

static COUNTS: Mutex<Counts> = Mutex::new(Counts::new());

fn same_as_naive(sequence: Sequence) -> TestResult {
    let mut run = Run::new(&sequence);
    for step in &sequence.steps {
        run.step(step);
    }
    run.compare_all();
    let mut counts = COUNTS.lock().unwrap();
    for (key, count) in run.counts {
        *counts.entry(key).or_default() += count;
    }
    TestResult::passed()
}

fn quickcheck(tests: u64, seed: u64, property: fn(Sequence) -> TestResult) {
    let gen_ = Gen::from_size_and_seed(64, seed);
    QuickCheck::new()
        .rng(gen_)
        .tests(tests)
        .max_tests(tests)
        .quickcheck(property);
}

// spec: CP-PRE-01, CP-PRE-02, CP-PRE-10, CP-PRE-11, CP-PRE-12, CP-PRE-13, CP-PRE-14, CP-PRE-15, CP-PRE-16, CP-PRE-17
// spec: CP-MUL-04, CP-MUL-05, CP-MUL-06, CP-MUL-07, CP-MUL-08, CP-MUL-10, CP-MUL-12, CP-TREE-10, CP-TREE-11, CP-TREE-12
// spec: CP-TREE-20, CP-TREE-21, CP-TREE-22, CP-TREE-23, CP-TREE-24, CP-TREE-25, CP-TREE-26, CP-TREE-27, CP-QUO-07
#[test]
fn same_replies_numbers_events_and_digests() {
    let threads = 2;
    let seed = std::env::var("TREE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    println!("seed {seed} (set TREE_SEED for another)");
    thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                quickcheck(SEQUENCES / threads, seed * 1000 + thread, same_as_naive)
            });
        }
    });
    let counts = COUNTS.lock().unwrap();
    let mut missing = Vec::new();
    for (op, codes) in REACHABLE {
        let line: Vec<String> = codes
            .iter()
            .map(|code| {
                let count = counts.get(&(op.to_string(), *code)).copied().unwrap_or(0);
                if count == 0 {
                    missing.push((op, *code));
                }
                format!("{code}: {count}")
            })
            .collect();
        println!("{op:<24} {}", line.join("  "));
    }
    let unlisted: Vec<_> = counts
        .keys()
        .filter(|(op, code)| {
            REACHABLE
                .iter()
                .any(|(listed, codes)| listed == op && !codes.contains(code))
        })
        .collect();
    assert!(missing.is_empty(), "never reached: {missing:?}");
    assert!(unlisted.is_empty(), "not listed as reachable: {unlisted:?}");
}

/// A snapshot that is taken slice by slice between txns, with the log replayed over it, is the tree.
fn snapshot_and_log_are_the_tree(sequence: Sequence) -> TestResult {
    let mut run = Run::new(&sequence);
    let begin = sequence.steps.len() / 3;
    let mut cursor = None;
    let mut loader = snapshot::Loader::new(run.tree.settings().clone());
    let mut done = false;
    for (index, step) in sequence.steps.iter().enumerate() {
        run.step(step);
        if index == begin {
            let begun = run.tree.snapshot();
            begun
                .sessions()
                .iter()
                .for_each(|(id, timeout)| loader.session(*id, *timeout).unwrap());
            begun
                .acls()
                .iter()
                .for_each(|(id, list)| loader.acl(*id, list).unwrap());
            cursor = Some(begun);
        }
        if let Some(cursor) = &mut cursor
            && !done
        {
            done = cursor.slice(&run.tree, |node| {
                loader.node(&node).unwrap();
                // spec: DF-BODY-10
                ControlFlow::Break(())
            });
        }
    }
    run.catch_up(0);
    let Some(mut cursor) = cursor else {
        return TestResult::discard();
    };
    cursor.slice(&run.tree, |node| {
        loader.node(&node).unwrap();
        ControlFlow::Continue(())
    });
    let mut loaded = loader.finish(cursor.zxid()).unwrap();
    for record in run
        .log
        .iter()
        .filter(|record| record.header.zxid > cursor.zxid())
    {
        loaded
            .apply(&record.header, &record.txn, &mut Vec::new())
            .ok();
    }
    let [left, right] = [&loaded, &run.tree].map(without_accounts);
    assert_eq!(left, right);
    assert_eq!(loaded.digest(), run.tree.digest());
    assert_eq!(loaded.last_zxid(), run.tree.last_zxid());
    assert_eq!(loaded.unknown_acls(), 0);
    assert!(loaded.sessions().eq(run.tree.sessions()));
    for session in SESSIONS {
        let mut own: [Vec<String>; 2] =
            [&loaded, &run.tree].map(|tree| tree.ephemerals(session).collect());
        own.iter_mut().for_each(|paths| paths.sort());
        assert_eq!(own[0], own[1]);
    }
    TestResult::passed()
}

// spec: DF-BODY-04, DF-BODY-10, DF-ALG-11, DF-REC-07, DF-REC-08, DF-REC-10, DF-REC-11, DF-REC-12, DF-REC-13, DF-REC-14
// spec: DF-REC-15, DF-REC-16, DF-REC-17, DF-REC-18, DF-REC-19, DF-REC-20, DF-DIG-04
#[test]
fn fuzzy_snapshots_and_replay() {
    quickcheck(10_000, 5, snapshot_and_log_are_the_tree);
}
