//! Random requests over few names, so that they meet.

use quickcheck::{Arbitrary, Gen};
use zk_proto::acl::Acls;
use zk_proto::multi::Ops;
use zk_proto::request::{self, ReadPath, SetData, Versioned};
use zk_proto::{Acl, MultiOp, OpCode, Perms, Request};

/// One test: how the server is set, and what it is asked.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) extended: bool,
    pub(crate) enforce_quota: bool,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// 0, 1 or 2.
    pub(crate) session: usize,
    /// What the session check says to any request, and to creates of ephemerals.
    pub(crate) standing: i32,
    pub(crate) global_standing: i32,
    /// Time since the step before, ms.
    pub(crate) elapsed: i64,
    /// How many proposed txns may stay unapplied after this step.
    pub(crate) lag: usize,
    pub(crate) op: Op,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Create {
        op: OpCode,
        path: &'static str,
        data: Option<&'static [u8]>,
        acl: usize,
        flags: i32,
        ttl: i64,
    },
    Delete {
        path: &'static str,
        version: i32,
    },
    DeleteContainer {
        path: &'static str,
    },
    SetData {
        path: &'static str,
        data: Option<&'static [u8]>,
        version: i32,
    },
    SetAcl {
        path: &'static str,
        acl: usize,
        version: i32,
    },
    Check {
        path: &'static str,
        version: i32,
    },
    Multi(Vec<Op>),
    Reconfig,
    CreateSession,
    CloseSession,
    Read {
        op: OpCode,
        path: &'static str,
        watch: bool,
    },
    MultiRead(Vec<Op>),
    GetEphemerals {
        prefix: Option<&'static str>,
    },
    WhoAmI,
    Auth {
        scheme: &'static str,
        credential: Option<&'static str>,
    },
    AddWatch {
        path: &'static str,
        mode: i32,
    },
    CheckWatches {
        path: &'static str,
        kind: i32,
    },
    RemoveWatches {
        path: &'static str,
        kind: i32,
    },
    SetWatches {
        since: i64,
        lists: [Vec<&'static str>; 5],
    },
    CloseConnection,
}

const PATHS: [&str; 12] = [
    "/a",
    "/a",
    "/a/x",
    "/a/x",
    "/a/y",
    "/a/x/k",
    "/b",
    "/b/x",
    "/a/s0000000000",
    "/s0000000001",
    "/a/s0000000002",
    "/zookeeper/config",
];
const QUOTA_PATHS: [&str; 4] = [
    "/zookeeper/quota/a",
    "/zookeeper/quota/a/zookeeper_limits",
    "/zookeeper/quota/a/zookeeper_stats",
    "/zookeeper/quota/a/zookeeper_limits",
];
const ODD_PATHS: [&str; 14] = [
    "/",
    "",
    "a",
    "/a/",
    "/a//x",
    "/b/.",
    "/..",
    "/a\0",
    "\0/",
    "/a/\u{7f}",
    "/\u{e000}",
    "/zookeeper",
    "/zookeeper/quota",
    "//",
];
const SEQUENTIAL_PATHS: [&str; 4] = ["/a/s", "/s", "/", "/a/"];
const DATA: [Option<&[u8]>; 5] = [
    None,
    Some(b""),
    Some(b"x"),
    Some(b"four"),
    Some(b"something longer"),
];
const LIMITS: [Option<&[u8]>; 5] = [
    Some(b"count=2,bytes=3"),
    Some(b"count=1,bytes=1=;byteHardLimit=4;countHardLimit=3"),
    Some(b"countHardLimit=2"),
    Some(b"byteHardLimit=3;count="),
    Some(b"nothing"),
];

/// ACLs by number; the last few are refused.
pub(crate) fn acl(number: usize) -> Option<Vec<Acl>> {
    let all = Perms::ALL;
    let user = "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=";
    Some(match number {
        0..=7 => vec![Acl::open()],
        8 => vec![Acl::new(Perms(1), "world", "anyone")],
        9 => vec![Acl::new(Perms(30), "world", "anyone")],
        10 => vec![
            Acl::new(all, "auth", ""),
            Acl::new(Perms(4), "world", "anyone"),
        ],
        11 => vec![
            Acl::new(all, "digest", user),
            Acl::new(Perms(1), "world", "anyone"),
        ],
        12 => vec![
            Acl::new(all, "ip", "10.0.0.0/8"),
            Acl::new(all, "ip", "10.0.0.0/8"),
        ],
        13 => vec![
            Acl::new(all, "digest", "a:b"),
            Acl::new(Perms(16), "ip", "127.0.0.1"),
        ],
        14 => vec![Acl::new(Perms(12), "world", "anyone")],
        15 => vec![Acl::new(all, "world", "nobody")],
        16 => vec![Acl::new(all, "digest", "a:b:c")],
        17 => vec![Acl::new(all, "sasl", "u")],
        18 => vec![],
        _ => return None,
    })
}
const ACLS: usize = 20;

fn acls(number: usize) -> Option<Acls<'static>> {
    acl(number).map(|list| list.iter().collect())
}

fn pick<T: Copy>(g: &mut Gen, items: &[T]) -> T {
    *g.choose(items).unwrap()
}

fn below(g: &mut Gen, end: u32) -> u32 {
    u32::arbitrary(g) % end
}

fn path(g: &mut Gen) -> &'static str {
    match below(g, 16) {
        0 => pick(g, &ODD_PATHS),
        1 | 2 => pick(g, &QUOTA_PATHS),
        _ => pick(g, &PATHS),
    }
}

fn data(g: &mut Gen, path: &str) -> Option<&'static [u8]> {
    if path.ends_with("limits") {
        pick(g, &LIMITS)
    } else {
        pick(g, &DATA)
    }
}

fn version(g: &mut Gen) -> i32 {
    pick(g, &[-1, -1, -1, 0, 0, 1, 2, -2])
}

fn acl_number(g: &mut Gen) -> usize {
    if below(g, 3) > 0 {
        0
    } else {
        below(g, ACLS as u32) as usize
    }
}

fn create(g: &mut Gen) -> Op {
    let op = pick(
        g,
        &[
            OpCode::Create,
            OpCode::Create,
            OpCode::Create2,
            OpCode::CreateContainer,
            OpCode::CreateTtl,
        ],
    );
    let flags = match op {
        OpCode::CreateTtl => pick(g, &[5, 5, 5, 6, 0, 1, 4, 7]),
        OpCode::CreateContainer => pick(g, &[4, 4, 4, 4, 0, 1, 2, 5, -1]),
        _ => pick(g, &[0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 9]),
    };
    let sequential = matches!(flags, 2 | 3 | 6);
    let path = if sequential && below(g, 8) > 0 {
        pick(g, &SEQUENTIAL_PATHS)
    } else {
        path(g)
    };
    let ttl = pick(g, &[1, 5, 5, 40, 40, 0, -1, 1 << 40]);
    Op::Create {
        op,
        path,
        data: data(g, path),
        acl: acl_number(g),
        flags,
        ttl,
    }
}

fn write(g: &mut Gen) -> Op {
    let path = path(g);
    match below(g, 16) {
        0..=5 => create(g),
        6 | 7 => Op::Delete {
            path,
            version: version(g),
        },
        8..=10 => Op::SetData {
            path,
            data: data(g, path),
            version: version(g),
        },
        11 => Op::SetAcl {
            path,
            acl: acl_number(g),
            version: version(g),
        },
        12 => Op::DeleteContainer { path },
        13 => pick_session_op(g),
        14 => Op::Reconfig,
        _ => {
            let len = below(g, 5);
            Op::Multi((0..len).map(|_| part(g)).collect())
        }
    }
}

fn pick_session_op(g: &mut Gen) -> Op {
    if bool::arbitrary(g) {
        Op::CreateSession
    } else {
        Op::CloseSession
    }
}

/// An op that a multi may hold.
fn part(g: &mut Gen) -> Op {
    let path = path(g);
    match below(g, 8) {
        0..=3 => match create(g) {
            // What does not decode in a multi is the codec's affair.
            Op::Create {
                op,
                path,
                data,
                acl,
                flags,
                ttl,
            } => {
                let flags = if op == OpCode::CreateTtl {
                    flags
                } else {
                    pick(g, &[0, 0, 1, 2, 3, 4])
                };
                let flags = if (0..=6).contains(&flags) { flags } else { 0 };
                Op::Create {
                    op,
                    path,
                    data,
                    acl: acl.min(ACLS - 2),
                    flags,
                    ttl,
                }
            }
            other => other,
        },
        4 => Op::Delete {
            path,
            version: version(g),
        },
        5 | 6 => Op::SetData {
            path,
            data: data(g, path),
            version: version(g),
        },
        _ => Op::Check {
            path,
            version: version(g),
        },
    }
}

fn read(g: &mut Gen) -> Op {
    let path = path(g);
    let ops = [
        OpCode::Exists,
        OpCode::GetData,
        OpCode::GetAcl,
        OpCode::GetChildren,
        OpCode::GetChildren2,
        OpCode::GetAllChildrenNumber,
    ];
    match below(g, 8) {
        0..=5 => Op::Read {
            op: pick(g, &ops),
            path,
            watch: bool::arbitrary(g),
        },
        6 => {
            let part = |g: &mut Gen| Op::Read {
                op: pick(g, &[OpCode::GetData, OpCode::GetChildren]),
                path: self::path(g),
                watch: true,
            };
            let len = below(g, 4);
            Op::MultiRead((0..len).map(|_| part(g)).collect())
        }
        _ if bool::arbitrary(g) => Op::GetEphemerals {
            prefix: pick(
                g,
                &[
                    None,
                    Some(""),
                    Some(" / "),
                    Some("/a"),
                    Some("/a/"),
                    Some("/b"),
                ],
            ),
        },
        _ => Op::WhoAmI,
    }
}

fn local(g: &mut Gen) -> Op {
    let path = path(g);
    match below(g, 8) {
        0 | 1 => {
            let (scheme, credential) = pick(
                g,
                &[
                    ("digest", Some("user:password")),
                    ("digest", Some("a:b")),
                    ("digest", Some("super:test")),
                    ("digest", None),
                    ("ip", Some("")),
                    ("world", Some("anyone")),
                ],
            );
            Op::Auth { scheme, credential }
        }
        2 | 3 => Op::AddWatch {
            path,
            mode: pick(g, &[0, 1]),
        },
        4 => Op::CheckWatches {
            path,
            kind: pick(g, &[1, 2, 3, 4, 5]),
        },
        5 => Op::RemoveWatches {
            path,
            kind: pick(g, &[1, 2, 3, 4, 5]),
        },
        6 => {
            let lists = core::array::from_fn(|_| (0..below(g, 3)).map(|_| self::path(g)).collect());
            Op::SetWatches {
                since: below(g, 40).into(),
                lists,
            }
        }
        _ => Op::CloseConnection,
    }
}

impl Arbitrary for Step {
    fn arbitrary(g: &mut Gen) -> Self {
        let odd = below(g, 30) == 0;
        let op = match below(g, 16) {
            0..=9 => write(g),
            10..=13 => read(g),
            _ => local(g),
        };
        Self {
            session: below(g, 3) as usize,
            standing: if odd { pick(g, &[-112, -118]) } else { 0 },
            global_standing: if below(g, 30) == 0 {
                pick(g, &[-112, -118, -120])
            } else {
                0
            },
            elapsed: below(g, 20).into(),
            lag: if bool::arbitrary(g) {
                0
            } else {
                below(g, 8) as usize
            },
            op,
        }
    }
}

/// Znodes to begin with, so that less is missing.
fn scenery(g: &mut Gen) -> Vec<Op> {
    let mut paths = Vec::new();
    if below(g, 4) > 0 {
        paths.extend(["/a", "/a/x", "/b"]);
    }
    if below(g, 3) == 0 {
        paths.extend(&QUOTA_PATHS[..3]);
    }
    paths
        .into_iter()
        .map(|path| Op::Create {
            op: OpCode::Create,
            path,
            data: data(g, path),
            acl: pick(g, &[0, 0, 0, 0, 8, 9, 10, 11, 14]),
            flags: 0,
            ttl: 0,
        })
        .collect()
}

impl Arbitrary for Sequence {
    fn arbitrary(g: &mut Gen) -> Self {
        let len = 20 + below(g, 41) as usize;
        let mut steps: Vec<Step> = (0..len).map(|_| Step::arbitrary(g)).collect();
        for (step, op) in steps.iter_mut().zip(scenery(g)) {
            step.op = op;
        }
        Self {
            extended: below(g, 4) > 0,
            enforce_quota: bool::arbitrary(g),
            steps,
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let this = self.clone();
        Box::new(self.steps.shrink().map(move |steps| Self {
            steps,
            ..this.clone()
        }))
    }
}

impl Op {
    /// The request on the wire, where it is one that becomes a txn or is answered from the tree.
    pub(crate) fn request(&self) -> Option<Request<'static>> {
        Some(match self {
            Self::Create {
                op,
                path,
                data,
                acl,
                flags,
                ttl,
            } => {
                let body = body(path, *data, *acl, *flags);
                match op {
                    OpCode::Create => Request::Create(body),
                    OpCode::Create2 => Request::Create2(body),
                    OpCode::CreateContainer => Request::CreateContainer(body),
                    OpCode::CreateTtl => Request::CreateTtl(body, *ttl),
                    other => panic!("{other:?}"),
                }
            }
            Self::Delete { path, version } => Request::Delete(versioned(path, *version)),
            Self::DeleteContainer { path } => Request::DeleteContainer {
                path: (*path).into(),
            },
            Self::SetData {
                path,
                data,
                version,
            } => Request::SetData(SetData {
                path: (*path).into(),
                data: *data,
                version: *version,
            }),
            Self::SetAcl { path, acl, version } => Request::SetAcl {
                path: (*path).into(),
                acl: acls(*acl),
                version: *version,
            },
            Self::Multi(parts) => Request::Multi(reread(
                parts.iter().map(Self::part).collect(),
                OpCode::Multi,
            )),
            Self::MultiRead(parts) => Request::MultiRead(reread(
                parts.iter().map(Self::part).collect(),
                OpCode::MultiRead,
            )),
            Self::CreateSession => Request::CreateSession { timeout: 4000 },
            Self::CloseSession => Request::CloseSession,
            Self::Read { op, path, watch } => {
                let read = ReadPath {
                    path: (*path).into(),
                    watch: *watch,
                };
                match op {
                    OpCode::Exists => Request::Exists(read),
                    OpCode::GetData => Request::GetData(read),
                    OpCode::GetChildren => Request::GetChildren(read),
                    OpCode::GetChildren2 => Request::GetChildren2(read),
                    OpCode::GetAcl => Request::GetAcl { path: read.path },
                    OpCode::GetAllChildrenNumber => {
                        Request::GetAllChildrenNumber { path: read.path }
                    }
                    other => panic!("{other:?}"),
                }
            }
            Self::GetEphemerals { prefix } => Request::GetEphemerals {
                prefix: prefix.map(Into::into),
            },
            Self::WhoAmI => Request::WhoAmI,
            Self::Check { .. }
            | Self::Reconfig
            | Self::Auth { .. }
            | Self::AddWatch { .. }
            | Self::CheckWatches { .. }
            | Self::RemoveWatches { .. }
            | Self::SetWatches { .. }
            | Self::CloseConnection => return None,
        })
    }

    fn part(&self) -> MultiOp<'static> {
        match self {
            Self::Create {
                op,
                path,
                data,
                acl,
                flags,
                ttl,
            } => {
                let body = body(path, *data, *acl, *flags);
                match op {
                    OpCode::Create => MultiOp::Create(body),
                    OpCode::Create2 => MultiOp::Create2(body),
                    OpCode::CreateContainer => MultiOp::CreateContainer(body),
                    OpCode::CreateTtl => MultiOp::CreateTtl(body, *ttl),
                    other => panic!("{other:?}"),
                }
            }
            Self::Delete { path, version } => MultiOp::Delete(versioned(path, *version)),
            Self::SetData {
                path,
                data,
                version,
            } => MultiOp::SetData(SetData {
                path: (*path).into(),
                data: *data,
                version: *version,
            }),
            Self::Check { path, version } => MultiOp::Check(versioned(path, *version)),
            Self::Read {
                op: OpCode::GetData,
                path,
                watch,
            } => MultiOp::GetData(ReadPath {
                path: (*path).into(),
                watch: *watch,
            }),
            Self::Read { path, watch, .. } => MultiOp::GetChildren(ReadPath {
                path: (*path).into(),
                watch: *watch,
            }),
            other => panic!("{other:?} is no part of a multi"),
        }
    }
}

fn body(
    path: &'static str,
    data: Option<&'static [u8]>,
    acl: usize,
    flags: i32,
) -> request::Create<'static> {
    request::Create {
        path: path.into(),
        data,
        acl: acls(acl),
        flags,
    }
}

fn versioned(path: &'static str, version: i32) -> Versioned<'static> {
    Versioned {
        path: path.into(),
        version,
    }
}

fn reread(ops: Vec<MultiOp<'static>>, _op: OpCode) -> Ops<'static> {
    ops.into_iter().collect()
}
