//! Hand-written histories: for each rule some that must fail, and some that look odd and must pass.
// spec: faults.md 8

use super::*;
use crate::history::{Attach, Body, Commit, Event, Heard, Regime, Reply};
use crate::plan::{Fault, MS, Plan, SECOND, Us};
use zk_proto::watch::EventKind;
use zk_proto::{CreateKind, CreateTxn, Stat, TxnHeader};

const A: i64 = 0x0100_0000_0000_0001;
const B: i64 = 0x0200_0000_0000_0001;
const NO_NODE: i32 = -101;
const BAD_VERSION: i32 = -103;
const EXISTS: i32 = -110;
const EXPIRED: i32 = -112;
const MOVED: i32 = -118;

/// A history that grows. Sessions A and B live from zxids 1 and 2 on, and there are `/d`, `/e` and `/r0` (data `0`), made
/// by nobody that is asked, at 3, 4 and 5.
#[derive(Clone)]
struct Story {
    history: History,
    commits: BTreeMap<i64, Commit>,
    expiries: Vec<(Us, usize, i64)>,
    plan: Plan,
    conns: BTreeMap<i64, u64>,
    xids: i32,
    order: u64,
}

fn story() -> Story {
    let mut plan = Plan::draw(1);
    plan.faults.clear();
    plan.delay_us = (50, 200);
    let story = Story {
        history: History::default(),
        commits: BTreeMap::new(),
        expiries: Vec::new(),
        plan,
        conns: BTreeMap::from([(A, 1), (B, 2)]),
        xids: 0,
        order: 0,
    };
    story
        .begins(1, A)
        .begins(2, B)
        .commit(3, 0, 0, made("/d", false))
        .commit(4, 0, 0, made("/e", false))
        .commit(5, 0, 0, made("/r0", false))
}

fn made(path: &str, ephemeral: bool) -> Txn {
    Txn::Create(CreateTxn {
        path: path.to_owned(),
        data: Some(b"0".to_vec().into()),
        acl: Vec::new(),
        kind: CreateKind::Create2 { ephemeral },
        parent_cversion: -1,
    })
}

fn removed(path: &str) -> Txn {
    Txn::Delete {
        path: path.to_owned(),
    }
}

fn written(path: &str, version: i32) -> Txn {
    Txn::SetData {
        path: path.to_owned(),
        data: Some(b"1".to_vec().into()),
        version,
    }
}

fn error(err: i32) -> Txn {
    Txn::Error { err }
}

fn create(path: &str) -> Op {
    Op::Create {
        path: path.to_owned(),
        data: b"0".to_vec(),
        ephemeral: false,
        sequential: false,
    }
}

fn delete(path: &str) -> Op {
    Op::Delete {
        path: path.to_owned(),
        version: -1,
    }
}

fn set(path: &str, version: i32) -> Op {
    Op::SetData {
        path: path.to_owned(),
        data: b"1".to_vec(),
        version,
    }
}

fn get(path: &str) -> Op {
    Op::GetData {
        path: path.to_owned(),
        watch: false,
    }
}

fn watch(path: &str) -> Op {
    Op::GetData {
        path: path.to_owned(),
        watch: true,
    }
}

fn children(path: &str) -> Op {
    Op::Children {
        path: path.to_owned(),
        watch: false,
    }
}

fn sync() -> Op {
    Op::Sync { path: "/".into() }
}

/// A znode without children.
fn stat(czxid: i64, mzxid: i64, version: i32) -> Stat {
    Stat {
        czxid,
        mzxid,
        pzxid: czxid,
        ctime: czxid,
        mtime: mzxid,
        version,
        data_length: 1,
        ..Stat::default()
    }
}

/// `/r0` as `zxid` left it, which wrote it for the first time or not at all.
fn r0(zxid: i64) -> Body {
    let version = i32::from(zxid > 5);
    let data: &[u8] = if zxid > 5 { b"1" } else { b"0" };
    Body::Data(data.to_vec(), stat(5, zxid, version))
}

impl Story {
    fn begins(self, zxid: i64, session: i64) -> Self {
        self.commit(zxid, session, 0, Txn::CreateSession { timeout: 4000 })
    }

    fn ends(self, zxid: i64, session: i64) -> Self {
        self.commit(zxid, session, 0, Txn::CloseSession { paths: None })
    }

    fn commit(mut self, zxid: i64, session_id: i64, cxid: i32, txn: Txn) -> Self {
        let header = TxnHeader {
            session_id,
            cxid,
            zxid,
            time: zxid,
        };
        let record = TxnRecord {
            header,
            txn,
            digest: None,
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let commit = Commit {
            zxid,
            txn: bytes.into(),
            at: zxid as Us,
        };
        assert!(self.commits.insert(zxid, commit).is_none());
        self
    }

    /// A request from `from` on; without a reply.
    fn lost(mut self, session: i64, op: Op, from: Us) -> Self {
        self.xids += 1;
        let conn = self.conns[&session];
        self.history.calls.push(Call {
            client: 0,
            session,
            conn,
            server: 0,
            xid: self.xids,
            op,
            invoked: from,
            reply: None,
        });
        self
    }

    fn told(
        mut self,
        session: i64,
        op: Op,
        (from, to): (Us, Us),
        zxid: i64,
        err: i32,
        body: Body,
    ) -> Self {
        self = self.lost(session, op, from);
        self.order += 1;
        let order = self.order;
        if let Some(call) = self.history.calls.last_mut() {
            call.reply = Some(Reply {
                at: to,
                order,
                zxid,
                err,
                body,
            });
        }
        self
    }

    /// A write that was committed and answered.
    fn wrote(self, session: i64, op: Op, times: (Us, Us), zxid: i64, txn: Txn, body: Body) -> Self {
        let err = match &txn {
            Txn::Error { err } => *err,
            _ => 0,
        };
        let xid = self.xids + 1;
        self.commit(zxid, session, xid, txn)
            .told(session, op, times, zxid, err, body)
    }

    /// The first write of `/r0`, by anyone.
    fn sets(self, session: i64, times: (Us, Us), zxid: i64) -> Self {
        let body = Body::Stat(stat(5, zxid, 1));
        self.wrote(
            session,
            set("/r0", -1),
            times,
            zxid,
            written("/r0", 1),
            body,
        )
    }

    fn reads(self, session: i64, times: (Us, Us), zxid: i64, body: Body) -> Self {
        self.told(session, get("/r0"), times, zxid, 0, body)
    }

    fn event(mut self, session: i64, zxid: i64, kind: EventKind, path: &str) -> Self {
        self.order += 1;
        self.history.events.push(Event {
            conn: self.conns[&session],
            session,
            at: 0,
            order: self.order,
            zxid,
            kind,
            path: path.to_owned(),
        });
        self
    }

    /// From here on the session has another connection.
    fn moves(mut self, session: i64) -> Self {
        self.conns.insert(session, 10 + self.xids as u64);
        self
    }

    fn attached(mut self, forged: bool) -> Self {
        self.history.attaches.push(Attach {
            conn: 1,
            session: A,
            client: 0,
            server: 0,
            at: 0,
            timeout_ms: 4000,
            seen: 0,
            resumed: true,
            forged,
        });
        self
    }

    fn led(mut self, at: Us) -> Self {
        self.history.regimes = [0, 1]
            .map(|server| Regime {
                at,
                server,
                leader: Some(0),
            })
            .into();
        self
    }

    fn heard(mut self, at: Us, server: usize) -> Self {
        self.history.heard.push(Heard {
            at,
            server,
            session: A,
            attached: true,
        });
        self
    }

    /// Session A expires at zxid 9, and B is closed by its client, so that it need not expire.
    fn expires(mut self, at: Us) -> Self {
        self.expiries.push((at, 0, A));
        self.ends(9, A).ends(10, B)
    }

    fn rules(&self) -> Vec<&'static str> {
        let times = Times {
            plan: &self.plan,
            expiries: &self.expiries,
            commits: &self.commits,
        };
        let (broken, _) = check(&self.history, &times, false);
        broken.into_iter().map(|(rule, ..)| rule).collect()
    }
}

fn bad(rule: &str, stories: [Story; 3]) {
    for (number, story) in stories.iter().enumerate() {
        let rules = story.rules();
        assert!(rules.contains(&rule), "{rule}, story {number}: {rules:?}");
    }
}

fn good(stories: [Story; 3]) {
    for (number, story) in stories.iter().enumerate() {
        assert!(
            story.rules().is_empty(),
            "story {number}: {:?}",
            story.rules()
        );
    }
}

// spec: INV-01
#[test]
fn writes_stand_where_their_replies_say() {
    let gone = Body::Empty;
    bad(
        "INV-01",
        [
            story().sets(A, (1, 2), 9).wrote(
                B,
                create("/a"),
                (3, 4),
                8,
                made("/a", false),
                Body::Empty,
            ),
            story().commit(9, A, 1, removed("/d")).told(
                A,
                delete("/d"),
                (1, 2),
                8,
                0,
                gone.clone(),
            ),
            story().wrote(
                A,
                create("/r0"),
                (1, 2),
                9,
                error(BAD_VERSION),
                gone.clone(),
            ),
        ],
    );
    good([
        // At once, so either may be first.
        story()
            .sets(A, (1, 3), 9)
            .wrote(B, delete("/d"), (2, 4), 8, removed("/d"), gone.clone()),
        // A lost write commits late, behind one that was asked for later.
        story()
            .lost(A, delete("/e"), 1)
            .wrote(B, delete("/d"), (2, 3), 8, removed("/d"), gone.clone())
            .commit(9, A, 1, removed("/e")),
        // What fails has its zxid, too.
        story()
            .wrote(
                A,
                set("/r0", 7),
                (1, 2),
                8,
                error(BAD_VERSION),
                gone.clone(),
            )
            .wrote(A, create("/r0"), (3, 4), 9, error(EXISTS), gone),
    ]);
}

// spec: INV-02
#[test]
fn registers_are_linearizable() {
    let synced = |story: Story, times: (Us, Us), body: Body, err: i32| {
        story
            .told(B, sync(), times, 9, 0, Body::Empty)
            .told(B, get("/r0"), times, 9, err, body)
    };
    let first = |story: Story| {
        let body = Body::Created("/r0".into(), stat(5, 5, 0));
        story.told(A, create("/r0"), (1, 2), 5, 0, body)
    };
    let next = |story: Story, times: (Us, Us)| {
        story.told(A, set("/r0", 0), times, 9, 0, Body::Stat(stat(5, 9, 1)))
    };
    let verdict = |story: &Story| {
        let mut broken = Vec::new();
        let verdicts = linear(&story.history, &mut broken);
        assert_eq!((verdicts.searched, verdicts.unknown), (1, 0));
        broken.is_empty()
    };
    for (number, story) in [
        synced(next(first(story()), (3, 4)), (5, 6), r0(5), 0),
        first(first(story())),
        next(next(first(story()), (3, 4)), (5, 6)),
        synced(first(story()), (3, 4), Body::Empty, NO_NODE),
    ]
    .iter()
    .enumerate()
    {
        assert!(!verdict(story), "bad story {number}");
    }
    for (number, story) in [
        // A lost write that is seen later, one that never is, and reads while a write is on its way.
        synced(first(story()).lost(A, set("/r0", -1), 3), (8, 9), r0(9), 0),
        synced(first(story()).lost(A, set("/r0", -1), 3), (8, 9), r0(5), 0),
        synced(
            synced(next(first(story()), (3, 9)), (4, 5), r0(5), 0),
            (6, 7),
            r0(9),
            0,
        ),
    ]
    .iter()
    .enumerate()
    {
        assert!(verdict(story), "good story {number}");
    }
}

// spec: INV-03
#[test]
fn a_session_is_served_in_order() {
    bad(
        "INV-03",
        [
            story().sets(A, (1, 5), 9).wrote(
                A,
                delete("/d"),
                (2, 6),
                8,
                removed("/d"),
                Body::Empty,
            ),
            story()
                .sets(A, (1, 5), 9)
                .told(A, delete("/d"), (2, 6), 9, 0, Body::Empty),
            story().sets(A, (1, 2), 9).reads(A, (3, 4), 9, r0(5)),
        ],
    );
    good([
        story().sets(A, (1, 2), 9).reads(A, (3, 4), 9, r0(9)),
        // Pipelined, and another session's write in between.
        story()
            .wrote(A, delete("/e"), (1, 5), 7, removed("/e"), Body::Empty)
            .sets(B, (1, 5), 8)
            .wrote(A, delete("/d"), (1, 5), 9, removed("/d"), Body::Empty),
        story().reads(A, (1, 2), 5, r0(5)).sets(A, (1, 3), 9),
    ]);
}

// spec: INV-04
#[test]
fn a_session_never_goes_back() {
    bad(
        "INV-04",
        [
            story()
                .sets(B, (1, 2), 9)
                .reads(A, (3, 4), 9, r0(9))
                .reads(A, (5, 6), 8, r0(5)),
            story()
                .sets(B, (1, 2), 9)
                .reads(A, (3, 4), 9, r0(9))
                .reads(A, (5, 6), 10, r0(5)),
            story()
                .sets(B, (1, 2), 9)
                .reads(A, (3, 4), 9, r0(9))
                .moves(A)
                .reads(A, (5, 6), 5, r0(5)),
        ],
    );
    good([
        story().sets(B, (1, 2), 9).reads(A, (3, 4), 8, r0(5)),
        // On a server that lags, but not behind what the session has seen.
        story()
            .wrote(B, delete("/d"), (1, 2), 8, removed("/d"), Body::Empty)
            .sets(B, (3, 4), 9)
            .reads(A, (5, 6), 7, r0(5))
            .moves(A)
            .reads(A, (7, 8), 8, r0(5)),
        story()
            .sets(B, (1, 2), 9)
            .reads(A, (3, 4), 9, r0(9))
            .reads(A, (5, 6), 9, r0(9)),
    ]);
}

// spec: INV-05
#[test]
fn a_read_after_a_sync_is_fresh() {
    let syncs = |story: Story, times| story.told(A, sync(), times, 5, 0, Body::Empty);
    let list = |zxid| {
        let listed = Stat {
            pzxid: 3,
            ..stat(3, 3, 0)
        };
        move |story: Story| {
            story.told(
                A,
                children("/d"),
                (5, 6),
                zxid,
                0,
                Body::Children(Vec::new(), listed),
            )
        }
    };
    let child = |story: Story| {
        let body = Body::Created("/d/x".into(), stat(9, 9, 0));
        story.wrote(B, create("/d/x"), (1, 2), 9, made("/d/x", false), body)
    };
    bad(
        "INV-05",
        [
            syncs(story().sets(B, (1, 2), 9), (3, 4)).reads(A, (5, 6), 8, r0(5)),
            syncs(story().sets(B, (1, 2), 9), (3, 4)).reads(A, (5, 6), 10, r0(5)),
            list(9)(syncs(child(story()), (3, 4))),
        ],
    );
    good([
        story().sets(B, (1, 2), 9).reads(A, (3, 4), 8, r0(5)),
        syncs(story().sets(B, (1, 5), 9), (2, 6)).reads(A, (7, 8), 8, r0(5)),
        list(8)(syncs(
            story()
                .lost(B, create("/d/x"), 1)
                .commit(9, B, 1, made("/d/x", false)),
            (3, 4),
        )),
    ]);
}

// spec: INV-07
#[test]
fn ephemerals_live_and_die_with_their_session() {
    let alone = || story().led(0);
    let cut = |mut story: Story| {
        let (from, to) = (1, 0);
        story
            .plan
            .faults
            .push((10 * SECOND, Fault::Cut { from, to }));
        story
            .plan
            .faults
            .push((30 * SECOND, Fault::Mend { from, to }));
        story
    };
    bad(
        "INV-07",
        [
            story().ends(8, A).commit(9, A, 1, made("/e/x", true)),
            // A byte was heard in good time.
            alone().heard(18 * SECOND, 1).expires(20 * SECOND),
            // Nobody closed it for too long.
            alone().heard(5 * SECOND, 0).expires(20 * SECOND),
        ],
    );
    bad(
        "INV-07",
        [
            // A znode of a session that never began.
            story().commit(9, 77, 1, made("/e/x", true)),
            alone()
                .heard(19 * SECOND, 0)
                .heard(18 * SECOND, 0)
                .expires(20 * SECOND),
            // It never ends.
            alone().heard(5 * SECOND, 0).ends(10, B),
        ],
    );
    good([
        alone().heard(14 * SECOND, 1).expires(20 * SECOND),
        // The report was on its way, or could not get through.
        alone()
            .heard(20 * SECOND - 500 * MS, 1)
            .expires(20 * SECOND),
        cut(alone()).heard(18 * SECOND, 1).expires(20 * SECOND),
    ]);
    good([
        // A new leader times every session afresh.
        story()
            .led(15 * SECOND)
            .heard(5 * SECOND, 0)
            .expires(20 * SECOND),
        alone().heard(14 * SECOND, 0).expires(20 * SECOND),
        story()
            .commit(8, A, 1, made("/e/x", true))
            .ends(9, A)
            .commit(10, B, 2, made("/e/x", true)),
    ]);
}

// spec: INV-08
#[test]
fn watches_fire_once_and_in_time() {
    use EventKind::{NodeChildrenChanged, NodeCreated, NodeDataChanged, NodeDeleted};
    let watched = |story: Story| story.told(A, watch("/r0"), (1, 2), 5, 0, r0(5));
    let persistent = |story: Story| {
        let op = Op::AddWatch {
            path: "/d".into(),
            recursive: false,
        };
        story.told(A, op, (1, 2), 5, 0, Body::Empty)
    };
    let restored = |story: Story, zxid: i64| {
        let op = Op::SetWatches {
            relative_zxid: 5,
            data: vec!["/r0".into()],
            exist: vec!["/x".into()],
            child: vec!["/d".into()],
            persistent: Vec::new(),
            recursive: Vec::new(),
        };
        story.told(A, op, (5, 6), zxid, 0, Body::Empty)
    };
    let set_at = |story: Story, zxid: i64| {
        let version = zxid as i32 - 8;
        story.commit(zxid, 0, 0, written("/r0", version))
    };
    bad(
        "INV-08",
        [
            // Lost; unasked; after the reply that shows the change.
            set_at(watched(story()), 9).reads(A, (5, 6), 9, r0(9)),
            set_at(story(), 9).event(A, 9, NodeDataChanged, "/r0"),
            set_at(watched(story()), 9)
                .reads(A, (5, 6), 9, r0(9))
                .event(A, 9, NodeDataChanged, "/r0"),
        ],
    );
    bad(
        "INV-08",
        [
            // Twice; of another kind; not caught up with.
            set_at(set_at(watched(story()), 9), 10)
                .event(A, 9, NodeDataChanged, "/r0")
                .event(A, 10, NodeDataChanged, "/r0"),
            set_at(watched(story()), 9).event(A, 9, NodeDeleted, "/r0"),
            restored(set_at(story(), 9), 9),
        ],
    );
    let twice = |story: Story| {
        story
            .commit(9, 0, 0, made("/d/x", false))
            .commit(10, 0, 0, removed("/d/x"))
    };
    good([
        // A one-shot watch is used up.
        set_at(set_at(watched(story()), 9), 10)
            .event(A, 9, NodeDataChanged, "/r0")
            .told(A, sync(), (5, 6), 10, 0, Body::Empty),
        // A persistent one is not, but misses what happened while nobody was connected.
        twice(persistent(story()))
            .event(A, 9, NodeChildrenChanged, "/d")
            .event(A, 10, NodeChildrenChanged, "/d")
            .told(A, sync(), (5, 6), 10, 0, Body::Empty),
        twice(persistent(story()))
            .moves(A)
            .told(A, sync(), (5, 6), 10, 0, Body::Empty),
    ]);
    good([
        // Made and removed again: nothing to catch up with but the parent's children.
        restored(
            story()
                .commit(9, 0, 0, made("/x", false))
                .commit(10, 0, 0, removed("/x")),
            10,
        ),
        restored(
            set_at(story().commit(8, 0, 0, made("/x", false)), 9)
                .event(A, -1, NodeDataChanged, "/r0")
                .event(A, -1, NodeCreated, "/x"),
            9,
        ),
        // Still on its way when the connection ends.
        set_at(watched(story()), 9),
    ]);
}

// spec: INV-09
#[test]
fn sequential_names_rise() {
    let names = |names: &[&str]| {
        let numbered = (9..).zip(names);
        numbered.fold(story(), |story, (zxid, name)| {
            story.commit(zxid, 0, 0, made(&format!("/d/{name}"), false))
        })
    };
    bad(
        "INV-09",
        [
            names(&["s-0000000001", "s-0000000000"]),
            names(&["s-1"]),
            names(&["s-0000000001"])
                .commit(20, 0, 0, removed("/d/s-0000000001"))
                .commit(21, 0, 0, made("/d/s-0000000001", false)),
        ],
    );
    good([
        names(&["s-0000000000", "s-0000000001"]),
        names(&["s-0000000000", "s-0000000007"]),
        names(&["s-0000000001", "other", "s-0000000002"]),
    ]);
}

// spec: INV-10
#[test]
fn multis_happen_whole_or_not_at_all() {
    let parts = || Op::Multi(vec![delete("/e"), delete("/none"), delete("/d")]);
    let failed = || Txn::Multi(vec![error(0), error(NO_NODE), error(-2)]);
    let answer = |errors: [i32; 3]| Body::Multi(errors.map(Err).into());
    let flash = |story: Story| {
        let txn = Txn::Multi(vec![made("/x", false), removed("/x")]);
        let body = Body::Multi(vec![
            Ok(Body::Created("/x".into(), stat(9, 9, 0))),
            Ok(Body::Empty),
        ]);
        let op = Op::Multi(vec![create("/x"), delete("/x")]);
        story.wrote(A, op, (1, 2), 9, txn, body)
    };
    bad(
        "INV-10",
        [
            story().wrote(A, parts(), (1, 2), 9, failed(), answer([0, 0, NO_NODE])),
            story().wrote(
                A,
                parts(),
                (1, 2),
                9,
                failed(),
                answer([NO_NODE, NO_NODE, -2]),
            ),
            story().wrote(
                A,
                parts(),
                (1, 2),
                9,
                failed(),
                Body::Multi(vec![Ok(Body::Empty); 3]),
            ),
        ],
    );
    // A state in between is no state.
    let between = flash(story()).told(
        B,
        get("/x"),
        (3, 4),
        9,
        0,
        Body::Data(b"0".to_vec(), stat(9, 9, 0)),
    );
    assert_eq!(between.rules(), ["INV-17"]);
    let refused = Txn::Multi(vec![error(EXPIRED), error(-2), error(-2)]);
    good([
        story().wrote(A, parts(), (1, 2), 9, failed(), answer([0, NO_NODE, -2])),
        flash(story()).told(B, get("/x"), (3, 4), 9, NO_NODE, Body::Empty),
        story()
            .ends(8, A)
            .wrote(A, parts(), (1, 2), 9, refused, answer([EXPIRED, -2, -2])),
    ]);
}

// spec: INV-11
#[test]
fn what_was_answered_is_committed() {
    bad(
        "INV-11",
        [
            story().told(A, delete("/d"), (1, 2), 9, 0, Body::Empty),
            story().told(A, delete("/none"), (1, 2), 9, NO_NODE, Body::Empty),
            story()
                .sets(A, (1, 2), 8)
                .told(A, Op::CloseSession, (3, 4), 9, 0, Body::Empty),
        ],
    );
    good([
        story().lost(A, delete("/d"), 1),
        story()
            .lost(A, delete("/d"), 1)
            .commit(9, A, 1, removed("/d")),
        story().wrote(A, delete("/none"), (1, 2), 9, error(NO_NODE), Body::Empty),
    ]);
}

// spec: INV-14
#[test]
fn sessions_are_unique_and_in_one_place() {
    let moved = |txn: Txn| {
        story()
            .lost(A, delete("/e"), 1)
            .moves(A)
            .wrote(A, delete("/d"), (2, 3), 9, removed("/d"), Body::Empty)
            .commit(10, A, 1, txn)
    };
    bad(
        "INV-14",
        [
            story().ends(8, A).begins(9, A),
            story().attached(true),
            moved(removed("/e")),
        ],
    );
    good([
        story().ends(8, A).begins(9, A + 1),
        story().attached(false),
        moved(error(MOVED)),
    ]);
}

// spec: INV-17
#[test]
fn numbers_are_the_models() {
    let with = |change: fn(&mut Stat)| {
        let mut it = stat(5, 9, 1);
        change(&mut it);
        story().wrote(
            A,
            set("/r0", 0),
            (1, 2),
            9,
            written("/r0", 1),
            Body::Stat(it),
        )
    };
    let listed = |change: fn(&mut Stat)| {
        let mut it = Stat {
            num_children: 1,
            cversion: 1,
            pzxid: 9,
            ..stat(3, 3, 0)
        };
        change(&mut it);
        let body = Body::Children(vec!["x".into()], it);
        story()
            .commit(9, 0, 0, made("/d/x", false))
            .told(A, children("/d"), (1, 2), 9, 0, body)
    };
    bad(
        "INV-17",
        [
            with(|it| it.version = 2),
            listed(|it| it.pzxid = 3),
            listed(|it| it.cversion = 2),
        ],
    );
    good([
        with(|_| ()),
        listed(|_| ()),
        listed(|_| ()).commit(10, 0, 0, removed("/d/x")),
    ]);
}
