//! Everything that a client may ask, borrowed from its frame.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::acl::Acls;
use crate::error::DecodeError;
use crate::header::RequestHeader;
use crate::jute::{Put, Reader, frame};
use crate::multi::{MultiOp, Ops};
use crate::op::OpCode;
use crate::watch::SetWatches;

/// Body of create, create2, createContainer and (with a time to live) createTTL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create<'a> {
    /// The path wished for; a sequential create appends to it.
    pub path: Cow<'a, str>,
    /// Data; null and empty differ.
    pub data: Option<&'a [u8]>,
    /// Grants; `None` is the null vector.
    pub acl: Option<Acls<'a>>,
    /// See [`crate::CreateMode`].
    pub flags: i32,
}

impl<'a> Create<'a> {
    /// `path:ustring, data:buffer, acl:vector<ACL>, flags:i32`
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            path: reader.string("path")?,
            data: reader.buffer()?,
            acl: Acls::read(reader)?,
            flags: reader.int()?,
        })
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_string(&self.path);
        out.put_buffer(self.data);
        Acls::write(&self.acl, out);
        out.put_int(self.flags);
    }
}

/// Body of setData.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetData<'a> {
    /// The znode.
    pub path: Cow<'a, str>,
    /// Data; null and empty differ.
    pub data: Option<&'a [u8]>,
    /// Version that the znode must have, or -1.
    pub version: i32,
}

impl<'a> SetData<'a> {
    /// `path:ustring, data:buffer, version:i32`
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            path: reader.string("path")?,
            data: reader.buffer()?,
            version: reader.int()?,
        })
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_string(&self.path);
        out.put_buffer(self.data);
        out.put_int(self.version);
    }
}

/// A path with the version that its znode must have (or -1): delete and check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versioned<'a> {
    /// The znode.
    pub path: Cow<'a, str>,
    /// Version that the znode must have, or -1.
    pub version: i32,
}

impl<'a> Versioned<'a> {
    /// `path:ustring, version:i32`
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            path: reader.string("path")?,
            version: reader.int()?,
        })
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_string(&self.path);
        out.put_int(self.version);
    }
}

/// A path to read, and whether to watch it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadPath<'a> {
    /// The znode.
    pub path: Cow<'a, str>,
    /// Leave a one-time watch.
    pub watch: bool,
}

impl<'a> ReadPath<'a> {
    /// `path:ustring, watch:boolean`
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            path: reader.string("path")?,
            watch: reader.bool()?,
        })
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_string(&self.path);
        out.put_bool(self.watch);
    }
}

/// A path with a number whose meaning is the op's: addWatch's mode, checkWatches' and removeWatches' watcher type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOp<'a> {
    /// The znode.
    pub path: Cow<'a, str>,
    /// Not yet known to be valid.
    pub kind: i32,
}

impl<'a> WatchOp<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self {
            path: reader.string("path")?,
            kind: reader.int()?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_string(&self.path);
        out.put_int(self.kind);
    }
}

/// One request after its header. Bodies are as client-protocol 3.2 lists them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // ZooKeeper's names; field meanings stand at the body types
pub enum Request<'a> {
    Create(Create<'a>),
    Create2(Create<'a>),
    CreateContainer(Create<'a>),
    /// Time to live in milliseconds.
    CreateTtl(Create<'a>, i64),
    Delete(Versioned<'a>),
    DeleteContainer {
        path: Cow<'a, str>,
    },
    Exists(ReadPath<'a>),
    GetData(ReadPath<'a>),
    SetData(SetData<'a>),
    GetAcl {
        path: Cow<'a, str>,
    },
    SetAcl {
        path: Cow<'a, str>,
        acl: Option<Acls<'a>>,
        version: i32,
    },
    GetChildren(ReadPath<'a>),
    GetChildren2(ReadPath<'a>),
    Sync {
        path: Cow<'a, str>,
    },
    Ping,
    Check(Versioned<'a>),
    Multi(Ops<'a>),
    MultiRead(Ops<'a>),
    Reconfig(Reconfig<'a>),
    CheckWatches(WatchOp<'a>),
    RemoveWatches(WatchOp<'a>),
    AddWatch(WatchOp<'a>),
    Auth(Auth<'a>),
    Sasl {
        token: Option<&'a [u8]>,
    },
    SetWatches(SetWatches<'a>),
    SetWatches2(SetWatches<'a>),
    GetEphemerals {
        prefix: Option<Cow<'a, str>>,
    },
    GetAllChildrenNumber {
        path: Cow<'a, str>,
    },
    WhoAmI,
    /// Between servers only. Milliseconds. spec: QP-BC-02
    CreateSession {
        timeout: i32,
    },
    CloseSession,
}

/// Body of reconfig; an absent list is null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconfig<'a> {
    /// Members to add.
    pub joining: Option<Cow<'a, str>>,
    /// Ids to remove.
    pub leaving: Option<Cow<'a, str>>,
    /// A whole new member list instead.
    pub members: Option<Cow<'a, str>>,
    /// Version that the configuration must have, or -1.
    pub config_version: i64,
}

/// Body of auth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth<'a> {
    /// Ignored by servers.
    pub kind: i32,
    /// Authentication scheme.
    pub scheme: Cow<'a, str>,
    /// The scheme's credential.
    pub auth: Option<&'a [u8]>,
}

impl<'a> Request<'a> {
    /// Reads the body of `op`. Bytes after it are ignored.
    ///
    /// `Ok(None)` is an op that no client may ask: notification, error.
    /// What the fields may be long is for whoever took the body from its sender ([`Request::decode_with_limit`]).
    // spec: CP-FRM-09, CP-FRM-10, CP-OP-10
    pub fn decode(op: OpCode, body: &'a [u8]) -> Result<Option<Self>, DecodeError> {
        Self::decode_with_limit(op, body, usize::MAX)
    }

    /// As [`Request::decode`]; a string or buffer longer than `limit` bytes is refused. spec: CP-JUT-10
    pub fn decode_with_limit(
        op: OpCode,
        body: &'a [u8],
        limit: usize,
    ) -> Result<Option<Self>, DecodeError> {
        let reader = &mut Reader::with_limit(body, limit);
        Ok(Some(match op {
            OpCode::Notification | OpCode::Error => return Ok(None),
            OpCode::Create => Self::Create(Create::read(reader)?),
            OpCode::Create2 => Self::Create2(Create::read(reader)?),
            OpCode::CreateContainer => Self::CreateContainer(Create::read(reader)?),
            OpCode::CreateTtl => Self::CreateTtl(Create::read(reader)?, reader.long()?),
            OpCode::Delete => Self::Delete(Versioned::read(reader)?),
            OpCode::DeleteContainer => Self::DeleteContainer {
                path: reader.string("path")?,
            },
            OpCode::Exists => Self::Exists(ReadPath::read(reader)?),
            OpCode::GetData => Self::GetData(ReadPath::read(reader)?),
            OpCode::SetData => Self::SetData(SetData::read(reader)?),
            OpCode::GetAcl => Self::GetAcl {
                path: reader.string("path")?,
            },
            OpCode::SetAcl => Self::SetAcl {
                path: reader.string("path")?,
                acl: Acls::read(reader)?,
                version: reader.int()?,
            },
            OpCode::GetChildren => Self::GetChildren(ReadPath::read(reader)?),
            OpCode::GetChildren2 => Self::GetChildren2(ReadPath::read(reader)?),
            OpCode::Sync => Self::Sync {
                path: reader.string("path")?,
            },
            OpCode::Ping => Self::Ping,
            OpCode::Check => Self::Check(Versioned::read(reader)?),
            OpCode::Multi => Self::Multi(Ops::read(reader, MultiOp::is_write)?),
            OpCode::MultiRead => Self::MultiRead(Ops::read(reader, |op| !op.is_write())?),
            OpCode::Reconfig => Self::Reconfig(Reconfig {
                joining: reader.string_or_null()?,
                leaving: reader.string_or_null()?,
                members: reader.string_or_null()?,
                config_version: reader.long()?,
            }),
            OpCode::CheckWatches => Self::CheckWatches(WatchOp::read(reader)?),
            OpCode::RemoveWatches => Self::RemoveWatches(WatchOp::read(reader)?),
            OpCode::AddWatch => Self::AddWatch(WatchOp::read(reader)?),
            OpCode::Auth => Self::Auth(Auth {
                kind: reader.int()?,
                scheme: reader.string("scheme")?,
                auth: reader.buffer()?,
            }),
            OpCode::Sasl => Self::Sasl {
                token: reader.buffer()?,
            },
            OpCode::SetWatches => Self::SetWatches(SetWatches::read(reader, false)?),
            OpCode::SetWatches2 => Self::SetWatches2(SetWatches::read(reader, true)?),
            OpCode::GetEphemerals => Self::GetEphemerals {
                prefix: reader.string_or_null()?,
            },
            OpCode::GetAllChildrenNumber => Self::GetAllChildrenNumber {
                path: reader.string("path")?,
            },
            OpCode::WhoAmI => Self::WhoAmI,
            OpCode::CreateSession => Self::CreateSession {
                timeout: reader.int()?,
            },
            OpCode::CloseSession => Self::CloseSession,
        }))
    }

    /// The op code that goes into the header.
    pub fn op(&self) -> OpCode {
        match self {
            Self::Create(_) => OpCode::Create,
            Self::Create2(_) => OpCode::Create2,
            Self::CreateContainer(_) => OpCode::CreateContainer,
            Self::CreateTtl(..) => OpCode::CreateTtl,
            Self::Delete(_) => OpCode::Delete,
            Self::DeleteContainer { .. } => OpCode::DeleteContainer,
            Self::Exists(_) => OpCode::Exists,
            Self::GetData(_) => OpCode::GetData,
            Self::SetData(_) => OpCode::SetData,
            Self::GetAcl { .. } => OpCode::GetAcl,
            Self::SetAcl { .. } => OpCode::SetAcl,
            Self::GetChildren(_) => OpCode::GetChildren,
            Self::GetChildren2(_) => OpCode::GetChildren2,
            Self::Sync { .. } => OpCode::Sync,
            Self::Ping => OpCode::Ping,
            Self::Check(_) => OpCode::Check,
            Self::Multi(_) => OpCode::Multi,
            Self::MultiRead(_) => OpCode::MultiRead,
            Self::Reconfig(_) => OpCode::Reconfig,
            Self::CheckWatches(_) => OpCode::CheckWatches,
            Self::RemoveWatches(_) => OpCode::RemoveWatches,
            Self::AddWatch(_) => OpCode::AddWatch,
            Self::Auth(_) => OpCode::Auth,
            Self::Sasl { .. } => OpCode::Sasl,
            Self::SetWatches(_) => OpCode::SetWatches,
            Self::SetWatches2(_) => OpCode::SetWatches2,
            Self::GetEphemerals { .. } => OpCode::GetEphemerals,
            Self::GetAllChildrenNumber { .. } => OpCode::GetAllChildrenNumber,
            Self::WhoAmI => OpCode::WhoAmI,
            Self::CreateSession { .. } => OpCode::CreateSession,
            Self::CloseSession => OpCode::CloseSession,
        }
    }

    /// Appends the body, without header.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Create(create) | Self::Create2(create) | Self::CreateContainer(create) => {
                create.write(out)
            }
            Self::CreateTtl(create, ttl) => {
                create.write(out);
                out.put_long(*ttl);
            }
            Self::Delete(body) | Self::Check(body) => body.write(out),
            Self::Exists(read)
            | Self::GetData(read)
            | Self::GetChildren(read)
            | Self::GetChildren2(read) => {
                read.write(out);
            }
            Self::SetData(body) => body.write(out),
            Self::DeleteContainer { path }
            | Self::GetAcl { path }
            | Self::Sync { path }
            | Self::GetAllChildrenNumber { path } => out.put_string(path),
            Self::SetAcl { path, acl, version } => {
                out.put_string(path);
                Acls::write(acl, out);
                out.put_int(*version);
            }
            Self::Ping | Self::WhoAmI | Self::CloseSession => {}
            Self::Multi(ops) | Self::MultiRead(ops) => ops.write(out),
            Self::Reconfig(body) => {
                for list in [&body.joining, &body.leaving, &body.members] {
                    out.put_buffer(list.as_deref().map(str::as_bytes));
                }
                out.put_long(body.config_version);
            }
            Self::CheckWatches(body) | Self::RemoveWatches(body) | Self::AddWatch(body) => {
                body.write(out)
            }
            Self::Auth(body) => {
                out.put_int(body.kind);
                out.put_string(&body.scheme);
                out.put_buffer(body.auth);
            }
            Self::Sasl { token } => out.put_buffer(*token),
            Self::SetWatches(body) => body.write(out, false),
            Self::SetWatches2(body) => body.write(out, true),
            Self::GetEphemerals { prefix } => out.put_buffer(prefix.as_deref().map(str::as_bytes)),
            Self::CreateSession { timeout } => out.put_int(*timeout),
        }
    }

    /// Appends a whole frame: length, header, body.
    // spec: CP-FRM-02
    pub fn encode_frame(&self, xid: i32, out: &mut Vec<u8>) {
        frame(out, |out| {
            RequestHeader {
                xid,
                op: self.op().code(),
            }
            .write(out);
            self.encode(out);
        });
    }
}
