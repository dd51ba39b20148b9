//! Transactions: what a leader decides and every server applies, logs and replays.
//!
//! The same bytes stand in proposals and in the log: header, body, and (when digests are on) the tree's digest
//! after this transaction.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::acl::Acl;
use crate::error::DecodeError;
use crate::jute::{Put, Reader};
use crate::op::OpCode;

/// Who asked, and when and where in the order the answer stands. The type is the body's.
// spec: QP-TXN-01
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TxnHeader {
    /// The session.
    pub session_id: i64,
    /// The client's number for the request.
    pub cxid: i32,
    /// Place in the order.
    pub zxid: i64,
    /// Leader's clock, milliseconds since 1970.
    pub time: i64,
}

/// What a create makes, with what only that kind has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CreateKind {
    /// Type 1.
    Create {
        /// Owned by the header's session.
        ephemeral: bool,
    },
    /// Type 15; differs from 1 in the reply only.
    Create2 {
        /// Owned by the header's session.
        ephemeral: bool,
    },
    /// Type 19.
    Container,
    /// Type 21.
    Ttl {
        /// Time to live in milliseconds.
        ttl_ms: i64,
    },
}

/// A create's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTxn {
    /// Final path.
    pub path: String,
    /// Data; null and empty differ.
    pub data: Option<Bytes>,
    /// Final grants.
    pub acl: Vec<Acl>,
    /// Kind of znode.
    pub kind: CreateKind,
    /// The parent's cversion after this create; -1 means "one more than it is". spec: QP-TXN-09
    pub parent_cversion: i32,
}

/// A body.
// spec: QP-TXN-01, QP-TXN-06. In a failed multi the failing part and those behind it are errors: QP-TXN-04.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // ZooKeeper's names
pub enum Txn {
    /// Milliseconds.
    CreateSession {
        timeout: i32,
    },
    /// Ephemerals to delete; `None` when the writer does not list them.
    CloseSession {
        paths: Option<Vec<String>>,
    },
    /// A request that failed its checks.
    Error {
        err: i32,
    },
    Create(CreateTxn),
    Delete {
        path: String,
    },
    DeleteContainer {
        path: String,
    },
    /// `version` is the new one.
    SetData {
        path: String,
        data: Option<Bytes>,
        version: i32,
    },
    Reconfig {
        path: String,
        data: Option<Bytes>,
        version: i32,
    },
    /// `version` is the new one.
    SetAcl {
        path: String,
        acl: Vec<Acl>,
        version: i32,
    },
    /// `version` is the znode's, plus 1. At top level it changes nothing. spec: QP-DEF-42
    Check {
        path: String,
        version: i32,
    },
    Multi(Vec<Txn>),
}

/// The tree's digest after a transaction.
// spec: QP-TXN-10
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TxnDigest {
    /// Digest algorithm, 2 in every release since 3.6.
    pub version: i32,
    /// Digest.
    pub tree: i64,
}

/// A whole transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxnRecord {
    /// Who, when and where.
    pub header: TxnHeader,
    /// What.
    pub txn: Txn,
    /// Absent for errors, and where digests are off. spec: QP-TXN-03
    pub digest: Option<TxnDigest>,
}

impl TxnRecord {
    /// Reads a payload, whatever its length. Bytes after the digest are ignored.
    // spec: DF-LOG-06, DF-LOG-07
    pub fn decode(payload: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_with_limit(payload, usize::MAX)
    }

    /// As [`TxnRecord::decode`]; a string or buffer longer than `limit` bytes is refused.
    pub fn decode_with_limit(payload: &[u8], limit: usize) -> Result<Self, DecodeError> {
        let reader = &mut Reader::with_limit(payload, limit);
        let (header, kind) = TxnHeader::read(reader)?;
        if kind == OpCode::CloseSession.code() {
            let (paths, digest) = read_close_session(reader);
            return Ok(Self {
                header,
                txn: Txn::CloseSession { paths },
                digest,
            });
        }
        let txn = Txn::read(kind, reader)?;
        Ok(Self {
            header,
            txn,
            digest: TxnDigest::read(reader),
        })
    }

    /// Appends the payload.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.header.write(self.txn.op(), out);
        self.txn.write(out);
        if let Some(digest) = self.digest {
            digest.write(out);
        }
    }
}

impl TxnHeader {
    /// Encoded size in bytes, type included.
    pub const LEN: usize = 32;

    /// Reads header and type.
    pub fn read(reader: &mut Reader<'_>) -> Result<(Self, i32), DecodeError> {
        let header = Self {
            session_id: reader.long()?,
            cxid: reader.int()?,
            zxid: reader.long()?,
            time: reader.long()?,
        };
        Ok((header, reader.int()?))
    }

    fn write(&self, op: OpCode, out: &mut Vec<u8>) {
        out.put_long(self.session_id);
        out.put_int(self.cxid);
        out.put_long(self.zxid);
        out.put_long(self.time);
        out.put_int(op.code());
    }
}

impl TxnDigest {
    /// Encoded size in bytes.
    pub const LEN: usize = 12;

    /// Fewer than twelve bytes are no digest and no error.
    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let mut reader = Reader::new(reader.bytes(Self::LEN).ok()?);
        Some(Self {
            version: reader.int().ok()?,
            tree: reader.long().ok()?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_int(self.version);
        out.put_long(self.tree);
    }
}

/// A closeSession may lack its list, its digest, or both, and says nowhere which.
// spec: DF-LOG-06. A digest alone would pass for a list of two strings, so the reading that fits exactly wins.
fn read_close_session(reader: &mut Reader<'_>) -> (Option<Vec<String>>, Option<TxnDigest>) {
    let with_list = || {
        let mut reader = reader.clone();
        let paths = read_paths(&mut reader).ok()?;
        let digest = TxnDigest::read(&mut reader);
        Some((paths, digest, reader.is_empty()))
    };
    let listed = with_list();
    if let Some((paths, digest, true)) = listed {
        return (Some(paths), digest);
    }
    if reader.remaining() == TxnDigest::LEN {
        return (None, TxnDigest::read(reader));
    }
    match listed {
        Some((paths, digest, _)) => (Some(paths), digest),
        None => (None, None),
    }
}

/// Paths of ephemerals; each starts with a slash, which tells a list from a digest.
fn read_paths(reader: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let mut paths = Vec::new();
    for _ in 0..reader.count()?.unwrap_or(0) {
        let path = reader.string("path")?;
        if !path.starts_with('/') {
            return Err(DecodeError::Value {
                field: "path2Delete",
                value: 0,
            });
        }
        paths.push(path.into_owned());
    }
    Ok(paths)
}

impl Txn {
    /// The type in the header, or in front of a multi's part.
    pub fn op(&self) -> OpCode {
        match self {
            Self::CreateSession { .. } => OpCode::CreateSession,
            Self::CloseSession { .. } => OpCode::CloseSession,
            Self::Error { .. } => OpCode::Error,
            Self::Create(create) => match create.kind {
                CreateKind::Create { .. } => OpCode::Create,
                CreateKind::Create2 { .. } => OpCode::Create2,
                CreateKind::Container => OpCode::CreateContainer,
                CreateKind::Ttl { .. } => OpCode::CreateTtl,
            },
            Self::Delete { .. } => OpCode::Delete,
            Self::DeleteContainer { .. } => OpCode::DeleteContainer,
            Self::SetData { .. } => OpCode::SetData,
            Self::Reconfig { .. } => OpCode::Reconfig,
            Self::SetAcl { .. } => OpCode::SetAcl,
            Self::Check { .. } => OpCode::Check,
            Self::Multi(_) => OpCode::Multi,
        }
    }

    // spec: QP-TXN-02. A type that is not listed is a fatal error.
    fn read(kind: i32, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let unknown = DecodeError::Value {
            field: "txn type",
            value: kind.into(),
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "every op that is a txn is named"
        )]
        Ok(match OpCode::from_code(kind).ok_or(unknown)? {
            OpCode::CreateSession => Self::CreateSession {
                timeout: reader.int()?,
            },
            OpCode::Error => Self::Error { err: reader.int()? },
            OpCode::Multi => Self::Multi(read_multi(reader)?),
            OpCode::SetAcl => Self::SetAcl {
                path: path(reader)?,
                acl: Acl::read_vector(reader)?.unwrap_or_default(),
                version: reader.int()?,
            },
            _ => Self::read_part(kind, reader)?,
        })
    }

    /// What may stand in a multi (and at top level, too).
    // spec: QP-TXN-05
    fn read_part(kind: i32, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let unknown = DecodeError::Value {
            field: "txn type",
            value: kind.into(),
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "every op that a multi may hold is named"
        )]
        Ok(match OpCode::from_code(kind).ok_or(unknown)? {
            op @ (OpCode::Create
            | OpCode::Create2
            | OpCode::CreateContainer
            | OpCode::CreateTtl) => Self::Create(CreateTxn::read(op, reader)?),
            OpCode::Delete => Self::Delete {
                path: path(reader)?,
            },
            OpCode::DeleteContainer => Self::DeleteContainer {
                path: path(reader)?,
            },
            OpCode::SetData => Self::SetData {
                path: path(reader)?,
                data: data(reader)?,
                version: reader.int()?,
            },
            OpCode::Reconfig => Self::Reconfig {
                path: path(reader)?,
                data: data(reader)?,
                version: reader.int()?,
            },
            OpCode::Check => Self::Check {
                path: path(reader)?,
                version: reader.int()?,
            },
            OpCode::Error => Self::Error { err: reader.int()? },
            _ => return Err(unknown),
        })
    }

    /// Appends the body without its type.
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::CreateSession { timeout } => out.put_int(*timeout),
            Self::CloseSession { paths } => {
                if let Some(paths) = paths {
                    out.put_strings(paths);
                }
            }
            Self::Error { err } => out.put_int(*err),
            Self::Create(create) => create.write(out),
            Self::Delete { path } | Self::DeleteContainer { path } => out.put_string(path),
            Self::SetData {
                path,
                data,
                version,
            }
            | Self::Reconfig {
                path,
                data,
                version,
            } => {
                out.put_string(path);
                out.put_buffer(data.as_deref());
                out.put_int(*version);
            }
            Self::SetAcl { path, acl, version } => {
                out.put_string(path);
                Acl::write_vector(acl, out);
                out.put_int(*version);
            }
            Self::Check { path, version } => {
                out.put_string(path);
                out.put_int(*version);
            }
            Self::Multi(parts) => {
                out.put_count(parts.len());
                let mut body = Vec::new();
                for part in parts {
                    body.clear();
                    part.write(&mut body);
                    out.put_int(part.op().code());
                    out.put_buffer(Some(&body));
                }
            }
        }
    }
}

impl CreateTxn {
    fn read(op: OpCode, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (path, data) = (path(reader)?, data(reader)?);
        let acl = Acl::read_vector(reader)?.unwrap_or_default();
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the caller names the four creates"
        )]
        let kind = match op {
            OpCode::Create => CreateKind::Create {
                ephemeral: reader.bool()?,
            },
            OpCode::Create2 => CreateKind::Create2 {
                ephemeral: reader.bool()?,
            },
            OpCode::CreateContainer => CreateKind::Container,
            _ => {
                let parent_cversion = reader.int()?;
                let kind = CreateKind::Ttl {
                    ttl_ms: reader.long()?,
                };
                return Ok(Self {
                    path,
                    data,
                    acl,
                    kind,
                    parent_cversion,
                });
            }
        };
        // spec: QP-TXN-01. Servers before 3.4 wrote no parent version.
        let parent_cversion = if op == OpCode::Create && reader.is_empty() {
            -1
        } else {
            reader.int()?
        };
        Ok(Self {
            path,
            data,
            acl,
            kind,
            parent_cversion,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_string(&self.path);
        out.put_buffer(self.data.as_deref());
        Acl::write_vector(&self.acl, out);
        if let CreateKind::Create { ephemeral } | CreateKind::Create2 { ephemeral } = self.kind {
            out.put_bool(ephemeral);
        }
        out.put_int(self.parent_cversion);
        if let CreateKind::Ttl { ttl_ms } = self.kind {
            out.put_long(ttl_ms);
        }
    }
}

fn read_multi(reader: &mut Reader<'_>) -> Result<Vec<Txn>, DecodeError> {
    let mut parts = Vec::new();
    for _ in 0..reader.count()?.unwrap_or(0) {
        let kind = reader.int()?;
        let body = reader.buffer()?.ok_or(DecodeError::Null("multi part"))?;
        parts.push(Txn::read_part(
            kind,
            &mut Reader::with_limit(body, reader.limit()),
        )?);
    }
    Ok(parts)
}

fn path(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    reader.string("path").map(Cow::into_owned)
}

/// Copies: a znode's few bytes must not keep a whole frame alive.
fn data(reader: &mut Reader<'_>) -> Result<Option<Bytes>, DecodeError> {
    Ok(reader.buffer()?.map(Bytes::copy_from_slice))
}
