//! Reply bodies. A reply with an error has none.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::acl::Acl;
use crate::error::DecodeError;
use crate::header::ReplyHeader;
use crate::jute::{Put, Reader, Strings, frame};
use crate::multi::MultiResult;
use crate::op::OpCode;
use crate::stat::Stat;

/// An authenticated identity as whoAmI shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo<'a> {
    /// Authentication scheme.
    pub scheme: Cow<'a, str>,
    /// User within it.
    pub user: Cow<'a, str>,
}

/// The body of a successful reply. Encoding allocates nothing but what the output needs to grow.
// spec: CP-ERR-02
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// Header only: delete, ping, auth, setWatches, checkWatches, removeWatches, closeSession.
    Empty,
    /// create.
    Path(Cow<'a, str>),
    /// sync, echoed as it came.
    Sync(Cow<'a, str>),
    /// create2, createContainer, createTTL.
    PathStat(Cow<'a, str>, Stat),
    /// exists, setData, setACL.
    Stat(Stat),
    /// getData, reconfig.
    Data(Option<&'a [u8]>, Stat),
    /// getACL.
    Acl(Cow<'a, [Acl]>, Stat),
    /// getChildren, getEphemerals.
    Children(Strings<'a>),
    /// getChildren2.
    ChildrenStat(Strings<'a>, Stat),
    /// multi, multiRead.
    Multi(Cow<'a, [MultiResult<'a>]>),
    /// sasl.
    Token(Option<&'a [u8]>),
    /// getAllChildrenNumber.
    Count(i32),
    /// addWatch: a second error code, 0. spec: CP-GAP-03
    Err(i32),
    /// whoAmI.
    ClientInfo(Cow<'a, [ClientInfo<'a>]>),
}

impl<'a> Response<'a> {
    /// Appends the body.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Empty => {}
            Self::Path(path) => out.put_string(path),
            Self::Sync(path) => out.put_echo(path),
            Self::PathStat(path, stat) => {
                out.put_string(path);
                stat.write(out);
            }
            Self::Stat(stat) => stat.write(out),
            Self::Data(data, stat) => {
                out.put_buffer(*data);
                stat.write(out);
            }
            Self::Acl(acls, stat) => {
                put_acls(acls, out);
                stat.write(out);
            }
            Self::Children(children) => children.write(out),
            Self::ChildrenStat(children, stat) => {
                children.write(out);
                stat.write(out);
            }
            Self::Multi(results) => {
                for result in results.iter() {
                    result.write(out);
                }
                MultiResult::write_end(out);
            }
            Self::Token(token) => out.put_buffer(*token),
            Self::Count(count) | Self::Err(count) => out.put_int(*count),
            Self::ClientInfo(infos) => {
                out.put_count(infos.len());
                for info in infos.iter() {
                    out.put_echo(&info.scheme);
                    out.put_echo(&info.user);
                }
            }
        }
    }

    /// Appends a whole frame: length, header, body.
    // spec: CP-FRM-02
    pub fn encode_frame(&self, header: ReplyHeader, out: &mut Vec<u8>) {
        frame(out, |out| {
            header.write(out);
            self.encode(out);
        });
    }

    /// Reads the body of a successful reply to `op`.
    pub fn decode(op: OpCode, body: &'a [u8]) -> Result<Self, DecodeError> {
        let reader = &mut Reader::with_limit(body, usize::MAX);
        Ok(match op {
            OpCode::Create => Self::Path(reader.string("path")?),
            OpCode::Sync => Self::Sync(reader.string("path")?),
            OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => {
                Self::PathStat(reader.string("path")?, Stat::read(reader)?)
            }
            OpCode::Exists | OpCode::SetData | OpCode::SetAcl => Self::Stat(Stat::read(reader)?),
            OpCode::GetData | OpCode::Reconfig => Self::Data(reader.buffer()?, Stat::read(reader)?),
            OpCode::GetAcl => {
                let acls = Acl::read_vector(reader)?.unwrap_or_default();
                Self::Acl(Cow::Owned(acls), Stat::read(reader)?)
            }
            OpCode::GetChildren | OpCode::GetEphemerals => Self::Children(Strings::read(reader)?),
            OpCode::GetChildren2 => Self::ChildrenStat(Strings::read(reader)?, Stat::read(reader)?),
            OpCode::Multi | OpCode::MultiRead => Self::Multi(Cow::Owned(read_results(reader)?)),
            OpCode::Sasl => Self::Token(reader.buffer()?),
            OpCode::GetAllChildrenNumber => Self::Count(reader.int()?),
            OpCode::AddWatch => Self::Err(reader.int()?),
            OpCode::WhoAmI => Self::ClientInfo(Cow::Owned(read_infos(reader)?)),
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
            | OpCode::Error => Self::Empty,
        })
    }
}

/// Appends a vector of grants as a client gets it: ids are echoed strings.
// spec: CP-JUT-12
pub fn put_acls(acls: &[Acl], out: &mut Vec<u8>) {
    out.put_count(acls.len());
    for acl in acls {
        out.put_int(acl.perms.0);
        out.put_echo(&acl.id.scheme);
        out.put_echo(&acl.id.id);
    }
}

fn read_results<'a>(reader: &mut Reader<'a>) -> Result<Vec<MultiResult<'a>>, DecodeError> {
    let mut results = Vec::new();
    while let Some(result) = MultiResult::read(reader)? {
        results.push(result);
    }
    Ok(results)
}

fn read_infos<'a>(reader: &mut Reader<'a>) -> Result<Vec<ClientInfo<'a>>, DecodeError> {
    let mut infos = Vec::new();
    for _ in 0..reader.count()?.unwrap_or(0) {
        infos.push(ClientInfo {
            scheme: reader.string("authScheme")?,
            user: reader.string("user")?,
        });
    }
    Ok(infos)
}
