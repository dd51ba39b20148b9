//! What a server writes before the power goes: transactions of every kind over the real tree, snapshots, rolls, a purge.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::ControlFlow;
use std::sync::Arc;

use zk_node::disk::{SnapshotJob, restore};
use zk_node::{Now, Settings, Shared};
use zk_proto::request::{Create, SetData, Versioned};
use zk_proto::{Acl, CreateMode, Id, MultiOp, Perms, Request, Txn, TxnHeader, TxnRecord};
use zk_storage::sim::SimDisk;
use zk_storage::{Compression, Config, Error, Purger, Store};
use zk_tree::{Ask, Prep, Schemes, Tree};

pub(crate) const TXNS: i64 = 560;
/// The first txn of a new epoch.
const NEW_EPOCH: i64 = 300;
const NOW: Now = Now {
    mono_ms: 0,
    wall_ms: 0,
};

/// What a client can tell of a tree, in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    /// Apache's digest of the tree.
    digest: u64,
    /// Sessions with their timeouts in ms.
    sessions: Vec<(i64, i32)>,
    /// Of every znode's path, data, ACL and stat: the digest leaves ACLs out.
    content: u64,
}

impl State {
    pub(crate) fn of(tree: &Tree) -> Self {
        let mut hasher = DefaultHasher::new();
        let mut cursor = tree.snapshot();
        // Ids of ACLs are a server's own.
        let acls: BTreeMap<i64, Vec<Acl>> = cursor
            .acls()
            .iter()
            .map(|(id, list)| (*id, list.to_vec()))
            .collect();
        let mut nodes = BTreeMap::new();
        cursor.slice(tree, |node| {
            let acl = format!("{:?}", acls.get(&node.acl));
            let rest = (
                node.data.map(<[u8]>::to_vec),
                acl,
                format!("{:?}", node.stat),
            );
            nodes.insert(node.path.to_string(), rest);
            ControlFlow::Continue(())
        });
        nodes.hash(&mut hasher);
        Self {
            digest: tree.digest(),
            sessions: tree.sessions().collect(),
            content: hasher.finish(),
        }
    }
}

/// The transactions, made once by the production checks, and the tree after each.
pub(crate) struct Plan {
    records: Vec<(TxnRecord, Vec<u8>)>,
    /// By zxid.
    pub(crate) states: BTreeMap<i64, State>,
}

struct Client {
    sessions: VecDeque<i64>,
    opened: i64,
}

fn create<'a>(path: &str, data: &'a [u8], mode: CreateMode, acl: &[Acl]) -> Create<'a> {
    Create {
        path: path.to_owned().into(),
        data: Some(data),
        acl: Some(acl.iter().collect()),
        flags: mode.flags(),
    }
}

fn versioned<'a>(path: &str) -> Versioned<'a> {
    Versioned {
        path: path.to_owned().into(),
        version: -1,
    }
}

fn set<'a>(path: &str, data: &'a [u8]) -> SetData<'a> {
    SetData {
        path: path.to_owned().into(),
        data: Some(data),
        version: -1,
    }
}

impl Client {
    /// The `number`-th request. `long` are bytes for all data.
    fn request<'a>(&mut self, number: i64, long: &'a [u8]) -> Request<'a> {
        use CreateMode::{
            Container, Ephemeral, Persistent, PersistentSequential, PersistentWithTtl,
        };
        let open = [Acl::open()];
        let own = [
            Acl::new(Perms(31), "digest", format!("user{}:hash", number % 7)),
            Acl::new(Perms::READ, "world", "anyone"),
        ];
        let path = |kind: &str, number: i64| format!("/{kind}{number}");
        let short = &long[..(number % 150) as usize];
        match (number, number % 20) {
            (1, _) | (_, 1) => {
                self.opened += 1;
                Request::CreateSession {
                    timeout: 10_000 + number as i32,
                }
            }
            (2, _) => Request::Create(create("/config", b"", Persistent, &open)),
            (3, _) => Request::Create(create("/q", b"", Persistent, &open)),
            (_, 0) => Request::Create(create("/q/n-", short, PersistentSequential, &open)),
            (_, 2 | 12) => Request::Create(create(&path("e", number), short, Ephemeral, &open)),
            (_, 3) => Request::Create2(create(&path("n", number), short, Persistent, &own)),
            (_, 4) => Request::SetData(set("/config", &long[..300])),
            (_, 5) => Request::CreateContainer(create(&path("c", number), b"", Container, &open)),
            (_, 6) => {
                let body = create(&path("t", number), short, PersistentWithTtl, &open);
                Request::CreateTtl(body, 100_000)
            }
            (_, 7) if number > 20 => Request::Delete(versioned(&path("n", number - 19))),
            (_, 9) => Request::SetAcl {
                path: path("n", number - 1).into(),
                acl: Some(own.iter().collect()),
                version: -1,
            },
            // Refused, and logged all the same.
            (_, 10) => Request::Create(create("/config", b"", Persistent, &open)),
            (_, 13) => Request::Multi(
                [
                    MultiOp::Check(versioned("/config")),
                    MultiOp::Create(create(&path("m", number), short, Persistent, &open)),
                    MultiOp::SetData(set("/config", short)),
                ]
                .into_iter()
                .collect(),
            ),
            (_, 14) => Request::Multi(
                [
                    MultiOp::Create(create(&path("no", number), short, Persistent, &open)),
                    MultiOp::Delete(versioned("/nothing")),
                ]
                .into_iter()
                .collect(),
            ),
            // So that snapshots take more than one slice.
            (88, _) => Request::Create(create("/huge", long, Persistent, &open)),
            // Longer than a page, so that a tear leaves part of it.
            (_, 17) if number % 100 == 17 => Request::Multi(
                (0..3)
                    .map(|part| {
                        let path = format!("/big{number}.{part}");
                        MultiOp::Create(create(&path, &long[..3000], Persistent, &open))
                    })
                    .collect(),
            ),
            (_, 19) if number > 60 => Request::CloseSession,
            _ => Request::Create(create(&path("n", number), short, Persistent, &open)),
        }
    }

    /// Who asks it.
    fn session(&mut self, request: &Request<'_>) -> i64 {
        if let Request::CreateSession { .. } = request {
            self.sessions.push_back(0x1_0000_0000 + self.opened);
            return 0x1_0000_0000 + self.opened;
        }
        let closes = matches!(request, Request::CloseSession);
        let oldest = self.sessions.front().copied();
        if closes {
            self.sessions.pop_front();
        }
        oldest.expect("a session")
    }
}

impl Plan {
    pub(crate) fn make() -> Self {
        let long: Vec<u8> = (0..140_000).map(|at| (at * 7 % 251) as u8).collect();
        let (mut tree, mut prep) = (Tree::new(settings()), Prep::new());
        let (schemes, ids) = (Schemes::default(), [Id::new("super", "")]);
        let mut client = Client {
            sessions: VecDeque::new(),
            opened: 0,
        };
        let mut plan = Self {
            records: Vec::new(),
            states: [(0, State::of(&tree))].into(),
        };
        let mut zxid = 0;
        for number in 1..=TXNS {
            zxid = match number {
                NEW_EPOCH => 0x1_0000_0001,
                _ => zxid + 1,
            };
            let request = client.request(number, &long);
            let header = TxnHeader {
                session_id: client.session(&request),
                cxid: number as i32,
                zxid,
                time: 1_700_000_000_000 + number,
            };
            let ask = Ask {
                header,
                ids: &ids,
                session: Ok(()),
                global_session: Ok(()),
            };
            let record = prep.prepare(&tree, &schemes, &ask, &request);
            tree.apply(&record.header, &record.txn, &mut Vec::new())
                .ok();
            prep.applied(zxid);
            if record.digest.is_some() {
                assert_eq!(record.digest, tree.txn_digest(), "{request:?}");
            }
            let mut payload = Vec::new();
            record.encode(&mut payload);
            plan.records.push((record, payload));
            plan.states.insert(zxid, State::of(&tree));
        }
        plan
    }

    /// How many txns there are of each op.
    pub(crate) fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for (record, _) in &self.records {
            *kinds.entry(format!("{:?}", record.txn.op())).or_default() += 1;
        }
        kinds
    }

    /// Bytes of the longest multi.
    pub(crate) fn longest_multi(&self) -> usize {
        let multis = self
            .records
            .iter()
            .filter(|(record, _)| matches!(record.txn, Txn::Multi(_)));
        multis
            .map(|(_, payload)| payload.len())
            .max()
            .unwrap_or_default()
    }
}

fn settings() -> zk_tree::Settings {
    zk_tree::Settings {
        extended_types: true,
        ..zk_tree::Settings::default()
    }
}

fn config() -> Config {
    Config {
        segment_bytes: 32 * 1024,
        ..Config::new("/data")
    }
}

/// A running server: the files, the log, and the tree that clients see.
pub(crate) struct Server {
    store: Store,
    log: zk_storage::Log,
    pub(crate) shared: Shared,
}

/// Starts as production does.
pub(crate) fn start(disk: &SimDisk) -> Result<(Server, Vec<String>), Error> {
    let store = Store::open(Arc::new(disk.clone()), config())?;
    let restored = restore(&store, &settings(), 500)?;
    let last = restored.durable.log.last().map(|proposal| proposal.zxid.0);
    assert!(
        last.is_none_or(|last| last == restored.tree.last_zxid()),
        "the core is told of another last txn than the tree shows"
    );
    let server = Server {
        store,
        log: restored.log,
        shared: Shared::new(Settings::default(), restored.tree, NOW),
    };
    Ok((server, restored.warnings))
}

impl Server {
    pub(crate) fn last(&self) -> i64 {
        self.shared.tree.read().unwrap().last_zxid()
    }

    pub(crate) fn state(&self) -> State {
        State::of(&self.shared.tree.read().unwrap())
    }

    fn write(&mut self, record: &TxnRecord, payload: &[u8]) -> Result<(), Error> {
        self.log.append(record.header.zxid, payload)?;
        let mut tree = self.shared.tree.write().unwrap();
        tree.apply(&record.header, &record.txn, &mut Vec::new())
            .ok();
        Ok(())
    }

    /// The next file prepared as in idle moments.
    fn fill(&mut self) -> Result<(), Error> {
        if let Some(mut filler) = self.log.take_filler()? {
            filler.step()?;
            self.log.return_filler(filler);
        }
        Ok(())
    }

    /// The plan, in batches of one to nine: four snapshots, each with a roll and with txns that are applied while it is
    /// taken; three further rolls; a purge. `acked` is the last zxid that a client was answered for.
    pub(crate) fn run(&mut self, plan: &Plan, acked: &mut i64) -> Result<(), Error> {
        let mut job = None;
        for (number, (record, payload)) in (1..).zip(&plan.records) {
            self.write(record, payload)?;
            if number * 7 % 10 < 3 || number % 9 == 0 {
                *acked = self.log.sync()?;
            }
            if number % 25 == 0 {
                self.fill()?;
            }
            match number {
                // Not right after a sync: a roll has something to make durable.
                115 | 215 | 314 | 415 => {
                    self.log.roll()?;
                    let tree = &self.shared;
                    job = Some(SnapshotJob::begin(tree, &self.store, Compression::None)?);
                }
                119 | 219 | 318 | 419 => {
                    let mut begun: SnapshotJob = job.take().expect("begun");
                    while begun.step(&self.shared)?.is_some() {}
                    *acked = self.log.sync()?;
                    assert!(begun.shows() <= *acked);
                    begun.finish(&self.shared.settings)?;
                }
                165 | 265 | 465 => self.log.roll()?,
                430 => {
                    let purged = Purger::default().purge(&self.store, 3, None)?;
                    assert!(purged.removed.len() > 2, "{purged:?}");
                }
                _ => {}
            }
        }
        *acked = self.log.sync()?;
        Ok(())
    }

    /// Goes on where the plan was left: the txns behind the last, three of them, synced.
    pub(crate) fn go_on(&mut self, plan: &Plan) -> Result<i64, Error> {
        let last = self.last();
        let rest = plan.records.iter().filter(|(r, _)| r.header.zxid > last);
        for (record, payload) in rest.take(3) {
            self.write(record, payload)?;
        }
        self.log.sync()
    }
}
