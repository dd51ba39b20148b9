//! Generators of records for property tests: of this crate, and of those that take its records.
//!
//! Values keep to what a record can hold: paths start with a slash, lists that the wire cannot tell apart are not
//! both made. Borrowed data is leaked; tests end soon.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;
use quickcheck::{Arbitrary, Gen};

use crate::acl::{Acl, Acls, Id, Perms};
use crate::jute::Strings;
use crate::mode::CreateMode;
use crate::multi::{MultiOp, MultiResult, Ops};
use crate::op::OpCode;
use crate::quorum::{
    ForwardedRequest, Hello, LearnerInfo, Notification, Packet, ServerState, Touch,
};
use crate::request::{Auth, Create, ReadPath, Reconfig, Request, SetData, Versioned, WatchOp};
use crate::response::{ClientInfo, Response};
use crate::snapshot::{Node, Piece};
use crate::stat::{Stat, StatPersisted};
use crate::txn::{CreateKind, CreateTxn, Txn, TxnDigest, TxnHeader, TxnRecord};
use crate::watch::SetWatches;

fn pick<T: Clone>(g: &mut Gen, choices: &[T]) -> T {
    g.choose(choices)
        .cloned()
        .unwrap_or_else(|| unreachable!("no choices"))
}

fn path(g: &mut Gen) -> String {
    format!("/{}", String::arbitrary(g))
}

fn cow(g: &mut Gen) -> Cow<'static, str> {
    Cow::Owned(path(g))
}

/// Without characters above U+FFFF, which an echoing encoder writes in a way that no decoder reads. spec: CP-JUT-12
fn plain(g: &mut Gen) -> String {
    String::arbitrary(g)
        .chars()
        .filter(|c| c.len_utf8() < 4)
        .collect()
}

fn leaked(g: &mut Gen) -> Option<&'static [u8]> {
    Option::<Vec<u8>>::arbitrary(g).map(|bytes| &*bytes.leak())
}

fn shared(g: &mut Gen) -> Bytes {
    Vec::<u8>::arbitrary(g).into()
}

fn data(g: &mut Gen) -> Option<Bytes> {
    Option::<Vec<u8>>::arbitrary(g).map(Bytes::from)
}

fn few<T>(g: &mut Gen, make: impl Fn(&mut Gen) -> T) -> Vec<T> {
    let count = usize::arbitrary(g) % 4;
    (0..count).map(|_| make(g)).collect()
}

fn strings(g: &mut Gen) -> Strings<'static> {
    few(g, path).into_iter().collect()
}

fn acls(g: &mut Gen) -> Acls<'static> {
    few(g, Acl::arbitrary).iter().collect()
}

impl Arbitrary for Id {
    fn arbitrary(g: &mut Gen) -> Self {
        Self {
            scheme: plain(g),
            id: plain(g),
        }
    }
}

impl Arbitrary for Acl {
    fn arbitrary(g: &mut Gen) -> Self {
        Self {
            perms: Perms(i32::arbitrary(g)),
            id: Id::arbitrary(g),
        }
    }
}

impl Arbitrary for Stat {
    fn arbitrary(g: &mut Gen) -> Self {
        Self {
            czxid: i64::arbitrary(g),
            mzxid: i64::arbitrary(g),
            ctime: i64::arbitrary(g),
            mtime: i64::arbitrary(g),
            version: i32::arbitrary(g),
            cversion: i32::arbitrary(g),
            aversion: i32::arbitrary(g),
            ephemeral_owner: i64::arbitrary(g),
            data_length: i32::arbitrary(g),
            num_children: i32::arbitrary(g),
            pzxid: i64::arbitrary(g),
        }
    }
}

impl Arbitrary for StatPersisted {
    fn arbitrary(g: &mut Gen) -> Self {
        Self {
            czxid: i64::arbitrary(g),
            mzxid: i64::arbitrary(g),
            ctime: i64::arbitrary(g),
            mtime: i64::arbitrary(g),
            version: i32::arbitrary(g),
            cversion: i32::arbitrary(g),
            aversion: i32::arbitrary(g),
            ephemeral_owner: i64::arbitrary(g),
            pzxid: i64::arbitrary(g),
        }
    }
}

fn create(g: &mut Gen) -> Create<'static> {
    let acl = bool::arbitrary(g).then(|| acls(g));
    Create {
        path: cow(g),
        data: leaked(g),
        acl,
        flags: i32::arbitrary(g),
    }
}

fn set_data(g: &mut Gen) -> SetData<'static> {
    SetData {
        path: cow(g),
        data: leaked(g),
        version: i32::arbitrary(g),
    }
}

fn versioned(g: &mut Gen) -> Versioned<'static> {
    Versioned {
        path: cow(g),
        version: i32::arbitrary(g),
    }
}

fn read(g: &mut Gen) -> ReadPath<'static> {
    ReadPath {
        path: cow(g),
        watch: bool::arbitrary(g),
    }
}

fn watch_op(g: &mut Gen) -> WatchOp<'static> {
    WatchOp {
        path: cow(g),
        kind: i32::arbitrary(g),
    }
}

/// A create that a multi can hold: with an ACL, and flags that fit the op. spec: CP-MUL-06
fn create_in_multi(g: &mut Gen, ttl: bool) -> Create<'static> {
    let modes: Vec<CreateMode> = CreateMode::ALL
        .into_iter()
        .filter(|mode| mode.is_ttl() == ttl)
        .collect();
    Create {
        acl: Some(acls(g)),
        flags: pick(g, &modes).flags(),
        ..create(g)
    }
}

fn write_op(g: &mut Gen) -> MultiOp<'static> {
    match u8::arbitrary(g) % 7 {
        0 => MultiOp::Create(create_in_multi(g, false)),
        1 => MultiOp::Create2(create_in_multi(g, false)),
        2 => MultiOp::CreateContainer(create_in_multi(g, false)),
        3 => MultiOp::CreateTtl(create_in_multi(g, true), i64::arbitrary(g)),
        4 => MultiOp::Delete(versioned(g)),
        5 => MultiOp::SetData(set_data(g)),
        _ => MultiOp::Check(versioned(g)),
    }
}

fn read_op(g: &mut Gen) -> MultiOp<'static> {
    if bool::arbitrary(g) {
        MultiOp::GetChildren(read(g))
    } else {
        MultiOp::GetData(read(g))
    }
}

fn set_watches(g: &mut Gen, persistent: bool) -> SetWatches<'static> {
    let mut this = SetWatches {
        relative_zxid: i64::arbitrary(g),
        data: strings(g),
        exist: strings(g),
        child: strings(g),
        ..SetWatches::default()
    };
    if persistent {
        (this.persistent, this.recursive) = (strings(g), strings(g));
    }
    this
}

impl Arbitrary for OpCode {
    fn arbitrary(g: &mut Gen) -> Self {
        pick(g, &Self::ALL)
    }
}

impl Arbitrary for Request<'static> {
    fn arbitrary(g: &mut Gen) -> Self {
        let list = |g: &mut Gen| Option::<String>::arbitrary(g).map(Cow::Owned);
        match OpCode::arbitrary(g) {
            OpCode::Create => Self::Create(create(g)),
            OpCode::Create2 => Self::Create2(create(g)),
            OpCode::CreateContainer => Self::CreateContainer(create(g)),
            OpCode::CreateTtl => Self::CreateTtl(create(g), i64::arbitrary(g)),
            OpCode::Delete => Self::Delete(versioned(g)),
            OpCode::DeleteContainer => Self::DeleteContainer { path: cow(g) },
            OpCode::Exists => Self::Exists(read(g)),
            OpCode::GetData => Self::GetData(read(g)),
            OpCode::SetData => Self::SetData(set_data(g)),
            OpCode::GetAcl => Self::GetAcl { path: cow(g) },
            OpCode::SetAcl => {
                let acl = bool::arbitrary(g).then(|| acls(g));
                Self::SetAcl {
                    path: cow(g),
                    acl,
                    version: i32::arbitrary(g),
                }
            }
            OpCode::GetChildren => Self::GetChildren(read(g)),
            OpCode::GetChildren2 => Self::GetChildren2(read(g)),
            OpCode::Sync => Self::Sync { path: cow(g) },
            OpCode::Check => Self::Check(versioned(g)),
            OpCode::Multi => Self::Multi(few(g, write_op).into_iter().collect::<Ops<'_>>()),
            OpCode::MultiRead => Self::MultiRead(few(g, read_op).into_iter().collect::<Ops<'_>>()),
            OpCode::Reconfig => Self::Reconfig(Reconfig {
                joining: list(g),
                leaving: list(g),
                members: list(g),
                config_version: i64::arbitrary(g),
            }),
            OpCode::CheckWatches => Self::CheckWatches(watch_op(g)),
            OpCode::RemoveWatches => Self::RemoveWatches(watch_op(g)),
            OpCode::AddWatch => Self::AddWatch(watch_op(g)),
            OpCode::Auth => Self::Auth(Auth {
                kind: i32::arbitrary(g),
                scheme: cow(g),
                auth: leaked(g),
            }),
            OpCode::Sasl => Self::Sasl { token: leaked(g) },
            OpCode::SetWatches => Self::SetWatches(set_watches(g, false)),
            OpCode::SetWatches2 => Self::SetWatches2(set_watches(g, true)),
            OpCode::GetEphemerals => Self::GetEphemerals { prefix: list(g) },
            OpCode::GetAllChildrenNumber => Self::GetAllChildrenNumber { path: cow(g) },
            OpCode::WhoAmI => Self::WhoAmI,
            OpCode::CreateSession => Self::CreateSession {
                timeout: i32::arbitrary(g),
            },
            OpCode::CloseSession => Self::CloseSession,
            OpCode::Ping | OpCode::Notification | OpCode::Error => Self::Ping,
        }
    }
}

fn result(g: &mut Gen) -> MultiResult<'static> {
    match u8::arbitrary(g) % 8 {
        0 => MultiResult::Create { path: cow(g) },
        1 => MultiResult::Create2 {
            path: cow(g),
            stat: Stat::arbitrary(g),
        },
        2 => MultiResult::Delete,
        3 => MultiResult::SetData(Stat::arbitrary(g)),
        4 => MultiResult::Check,
        5 => MultiResult::Children(strings(g)),
        6 => MultiResult::Data {
            data: leaked(g),
            stat: Stat::arbitrary(g),
        },
        _ => MultiResult::Error(i32::arbitrary(g)),
    }
}

/// A reply and the op that it answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The op.
    pub op: OpCode,
    /// Its answer.
    pub response: Response<'static>,
}

impl Arbitrary for Answer {
    fn arbitrary(g: &mut Gen) -> Self {
        let op = OpCode::arbitrary(g);
        let infos = |g: &mut Gen| ClientInfo {
            scheme: plain(g).into(),
            user: plain(g).into(),
        };
        let response = match op {
            OpCode::Create => Response::Path(cow(g)),
            OpCode::Sync => Response::Sync(plain(g).into()),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Response::PathStat(cow(g), Stat::arbitrary(g))
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => Response::Stat(Stat::arbitrary(g)),
            OpCode::GetData | OpCode::Reconfig => Response::Data(leaked(g), Stat::arbitrary(g)),
            OpCode::GetAcl => Response::Acl(Cow::Owned(few(g, Acl::arbitrary)), Stat::arbitrary(g)),
            OpCode::GetChildren | OpCode::GetEphemerals => Response::Children(strings(g)),
            OpCode::GetChildren2 => Response::ChildrenStat(strings(g), Stat::arbitrary(g)),
            OpCode::Multi | OpCode::MultiRead => Response::Multi(Cow::Owned(few(g, result))),
            OpCode::Sasl => Response::Token(leaked(g)),
            OpCode::GetAllChildrenNumber => Response::Count(i32::arbitrary(g)),
            OpCode::AddWatch => Response::Err(i32::arbitrary(g)),
            OpCode::WhoAmI => Response::ClientInfo(Cow::Owned(few(g, infos))),
            OpCode::Notification
            | OpCode::Delete
            | OpCode::Ping
            | OpCode::Check
            | OpCode::CheckWatches
            | OpCode::RemoveWatches
            | OpCode::DeleteContainer
            | OpCode::Auth
            | OpCode::SetWatches
            | OpCode::SetWatches2
            | OpCode::CreateSession
            | OpCode::CloseSession
            | OpCode::Error => Response::Empty,
        };
        Self { op, response }
    }
}

impl Arbitrary for TxnHeader {
    fn arbitrary(g: &mut Gen) -> Self {
        Self {
            session_id: i64::arbitrary(g),
            cxid: i32::arbitrary(g),
            zxid: i64::arbitrary(g),
            time: i64::arbitrary(g),
        }
    }
}

impl Arbitrary for CreateTxn {
    fn arbitrary(g: &mut Gen) -> Self {
        let kinds = [
            CreateKind::Create {
                ephemeral: bool::arbitrary(g),
            },
            CreateKind::Create2 {
                ephemeral: bool::arbitrary(g),
            },
            CreateKind::Container,
            CreateKind::Ttl {
                ttl_ms: i64::arbitrary(g),
            },
        ];
        Self {
            path: path(g),
            data: data(g),
            acl: few(g, Acl::arbitrary),
            kind: pick(g, &kinds),
            parent_cversion: i32::arbitrary(g),
        }
    }
}

/// What may stand in a multi.
fn part(g: &mut Gen) -> Txn {
    match u8::arbitrary(g) % 7 {
        0 => Txn::Create(CreateTxn::arbitrary(g)),
        1 => Txn::Delete { path: path(g) },
        2 => Txn::DeleteContainer { path: path(g) },
        3 => Txn::SetData {
            path: path(g),
            data: data(g),
            version: i32::arbitrary(g),
        },
        4 => Txn::Reconfig {
            path: path(g),
            data: data(g),
            version: i32::arbitrary(g),
        },
        5 => Txn::Check {
            path: path(g),
            version: i32::arbitrary(g),
        },
        _ => Txn::Error {
            err: i32::arbitrary(g),
        },
    }
}

impl Arbitrary for Txn {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 8 {
            0 => Self::CreateSession {
                timeout: i32::arbitrary(g),
            },
            1 => Self::CloseSession {
                paths: bool::arbitrary(g).then(|| few(g, path)),
            },
            2 => Self::SetAcl {
                path: path(g),
                acl: few(g, Acl::arbitrary),
                version: i32::arbitrary(g),
            },
            3 => Self::Multi(few(g, part)),
            _ => part(g),
        }
    }

    /// A multi shrinks by its parts.
    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let Self::Multi(parts) = self else {
            return quickcheck::empty_shrinker();
        };
        let parts = parts.clone();
        let without = move |index: usize| {
            let kept = parts.iter().enumerate().filter(|(at, _)| *at != index);
            Self::Multi(kept.map(|(_, part)| part.clone()).collect())
        };
        let count = if let Self::Multi(parts) = self {
            parts.len()
        } else {
            0
        };
        Box::new((0..count).map(without))
    }
}

impl Arbitrary for TxnRecord {
    fn arbitrary(g: &mut Gen) -> Self {
        let digest = bool::arbitrary(g).then(|| TxnDigest {
            version: 2,
            tree: i64::arbitrary(g),
        });
        Self {
            header: TxnHeader::arbitrary(g),
            txn: Txn::arbitrary(g),
            digest,
        }
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Self>> {
        let this = self.clone();
        Box::new(self.txn.shrink().map(move |txn| Self {
            txn,
            ..this.clone()
        }))
    }
}

impl Arbitrary for Piece<'static> {
    fn arbitrary(g: &mut Gen) -> Self {
        match u8::arbitrary(g) % 3 {
            0 => Self::Session {
                id: i64::arbitrary(g),
                timeout: i32::arbitrary(g),
            },
            1 => Self::Acl {
                id: i64::arbitrary(g),
                acl: few(g, Acl::arbitrary),
            },
            // A path of one slash would end the stream.
            _ => Self::Node(Node {
                path: Cow::Owned(format!("/a{}", path(g))),
                data: leaked(g),
                acl: i64::arbitrary(g),
                stat: StatPersisted::arbitrary(g),
            }),
        }
    }
}

impl Arbitrary for Hello {
    fn arbitrary(g: &mut Gen) -> Self {
        let sid = i64::arbitrary(g);
        let address = format!("host{}:1", u16::arbitrary(g));
        match u8::arbitrary(g) % 3 {
            0 => Self::Legacy {
                sid: sid & i64::MAX,
            },
            1 => Self::V1 { sid, address },
            _ => Self::V2 {
                sid,
                addresses: format!("{address}|[::1]:2"),
            },
        }
    }
}

impl Arbitrary for Notification {
    fn arbitrary(g: &mut Gen) -> Self {
        let states = [
            ServerState::Looking,
            ServerState::Following,
            ServerState::Leading,
            ServerState::Observing,
        ];
        Self {
            state: pick(g, &states),
            leader: i64::arbitrary(g),
            zxid: i64::arbitrary(g),
            round: i64::arbitrary(g),
            peer_epoch: i64::arbitrary(g),
            version: 2,
            config: Some(String::arbitrary(g)),
        }
    }
}

impl Arbitrary for Packet {
    fn arbitrary(g: &mut Gen) -> Self {
        let zxid = i64::arbitrary(g);
        let info = |g: &mut Gen| {
            let sid = i64::arbitrary(g);
            Some(LearnerInfo {
                sid,
                protocol_version: i32::arbitrary(g),
                config_version: Option::arbitrary(g),
            })
        };
        match u8::arbitrary(g) % 19 {
            0 => {
                let request = ForwardedRequest {
                    session_id: i64::arbitrary(g),
                    cxid: i32::arbitrary(g),
                    op: i32::arbitrary(g),
                    body: shared(g),
                    auth: bool::arbitrary(g).then(|| few(g, Id::arbitrary)),
                };
                Self::Request {
                    request: request.encode(),
                }
            }
            1 => Self::Proposal {
                zxid,
                txn: shared(g),
            },
            2 => Self::Ack { zxid },
            3 => Self::Commit { zxid },
            4 => {
                let touch = |g: &mut Gen| Touch {
                    session_id: i64::arbitrary(g),
                    timeout: i32::arbitrary(g),
                };
                let sessions = bool::arbitrary(g).then(|| Touch::encode_table(few(g, touch)));
                Self::Ping { zxid, sessions }
            }
            5 => Self::Revalidate { session: shared(g) },
            6 => Self::Sync,
            7 => Self::Inform {
                zxid,
                txn: shared(g),
            },
            8 => Self::CommitAndActivate {
                zxid,
                leader: i64::arbitrary(g),
            },
            9 => Self::NewLeader {
                zxid,
                config: data(g),
            },
            10 => Self::FollowerInfo {
                zxid,
                info: info(g),
            },
            11 => Self::UpToDate,
            12 => Self::Diff { zxid },
            13 => Self::Trunc { zxid },
            14 => Self::Snap { zxid },
            15 => Self::ObserverInfo {
                zxid,
                info: info(g),
            },
            16 => Self::LeaderInfo {
                zxid,
                protocol_version: i32::arbitrary(g),
            },
            17 => Self::AckEpoch {
                zxid,
                current_epoch: i32::arbitrary(g),
            },
            _ => Self::InformAndActivate {
                zxid,
                leader: i64::arbitrary(g),
                txn: shared(g),
            },
        }
    }
}
