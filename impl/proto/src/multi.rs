//! multi and multiRead: several ops, or their results, in one body.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::jute::{Encoded, Put, Reader, Strings};
use crate::mode::CreateMode;
use crate::op::OpCode;
use crate::request::{Create, ReadPath, SetData, Versioned};
use crate::stat::Stat;

/// One op of a multi (the first seven) or of a multiRead (the last two).
// spec: CP-MUL-06, CP-MUL-12
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // ZooKeeper's names
pub enum MultiOp<'a> {
    Create(Create<'a>),
    Create2(Create<'a>),
    CreateContainer(Create<'a>),
    /// Time to live in milliseconds.
    CreateTtl(Create<'a>, i64),
    Delete(Versioned<'a>),
    SetData(SetData<'a>),
    Check(Versioned<'a>),
    GetChildren(ReadPath<'a>),
    GetData(ReadPath<'a>),
}

impl<'a> MultiOp<'a> {
    /// The op code in front of the record.
    pub fn op(&self) -> OpCode {
        match self {
            Self::Create(_) => OpCode::Create,
            Self::Create2(_) => OpCode::Create2,
            Self::CreateContainer(_) => OpCode::CreateContainer,
            Self::CreateTtl(..) => OpCode::CreateTtl,
            Self::Delete(_) => OpCode::Delete,
            Self::SetData(_) => OpCode::SetData,
            Self::Check(_) => OpCode::Check,
            Self::GetChildren(_) => OpCode::GetChildren,
            Self::GetData(_) => OpCode::GetData,
        }
    }

    /// True for what a multi may hold, false for what a multiRead may hold.
    pub fn is_write(&self) -> bool {
        !matches!(self, Self::GetChildren(_) | Self::GetData(_))
    }

    /// Reads a header and its record; `None` is the end mark.
    fn read(reader: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        let header = MultiHeader::read(reader)?;
        if header.done {
            return Ok(None);
        }
        let unknown = DecodeError::Value {
            field: "multi op type",
            value: header.kind.into(),
        };
        // spec: CP-MUL-06. Any other type makes the whole multi undecodable.
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the nine that a multi may hold are named"
        )]
        Ok(Some(
            match OpCode::from_code(header.kind).ok_or(unknown)? {
                OpCode::Create => create_in_multi(reader, Self::Create)?,
                OpCode::Create2 => create_in_multi(reader, Self::Create2)?,
                OpCode::CreateContainer => create_in_multi(reader, Self::CreateContainer)?,
                OpCode::CreateTtl => {
                    let create = Create::read(reader)?;
                    let ttl = reader.long()?;
                    check_create(&create)?;
                    Self::CreateTtl(create, ttl)
                }
                OpCode::Delete => Self::Delete(Versioned::read(reader)?),
                OpCode::SetData => Self::SetData(SetData::read(reader)?),
                OpCode::Check => Self::Check(Versioned::read(reader)?),
                OpCode::GetChildren => Self::GetChildren(ReadPath::read(reader)?),
                OpCode::GetData => Self::GetData(ReadPath::read(reader)?),
                _ => return Err(unknown),
            },
        ))
    }

    fn write(&self, out: &mut Vec<u8>) {
        MultiHeader {
            kind: self.op().code(),
            done: false,
            err: -1,
        }
        .write(out);
        match self {
            Self::Create(create) | Self::Create2(create) | Self::CreateContainer(create) => {
                create.write(out)
            }
            Self::CreateTtl(create, ttl) => {
                create.write(out);
                out.put_long(*ttl);
            }
            Self::Delete(body) | Self::Check(body) => body.write(out),
            Self::SetData(body) => body.write(out),
            Self::GetChildren(read) | Self::GetData(read) => read.write(out),
        }
    }
}

/// spec: CP-MUL-06. Flags without a mode, flags that need a time to live, and a null ACL refuse the whole multi.
fn create_in_multi<'a>(
    reader: &mut Reader<'a>,
    make: impl FnOnce(Create<'a>) -> MultiOp<'a>,
) -> Result<MultiOp<'a>, DecodeError> {
    let create = Create::read(reader)?;
    if check_create(&create)?.is_ttl() {
        return Err(DecodeError::Value {
            field: "flags",
            value: create.flags.into(),
        });
    }
    Ok(make(create))
}

fn check_create(create: &Create<'_>) -> Result<CreateMode, DecodeError> {
    if create.acl.is_none() {
        return Err(DecodeError::Null("acl"));
    }
    CreateMode::from_flags(create.flags).ok_or(DecodeError::Value {
        field: "flags",
        value: create.flags.into(),
    })
}

/// The ops of a multi or multiRead, still encoded but known to decode.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ops<'a>(Encoded<'a>);

impl<'a> Ops<'a> {
    /// Reads ops through the end mark; each must satisfy `allowed`.
    // spec: CP-MUL-01, CP-MUL-06, CP-MUL-10. The list may be empty; reads and writes do not mix.
    pub(crate) fn read(
        reader: &mut Reader<'a>,
        allowed: impl Fn(&MultiOp<'a>) -> bool,
    ) -> Result<Self, DecodeError> {
        let mut count = 0u32;
        let (bytes, ()) = reader.measured(|reader| {
            while let Some(op) = MultiOp::read(reader)? {
                if !allowed(&op) {
                    return Err(DecodeError::Value {
                        field: "multi op type",
                        value: op.op().code().into(),
                    });
                }
                count = count.saturating_add(1);
            }
            Ok(())
        })?;
        Ok(Self(Encoded {
            count,
            bytes: Cow::Borrowed(bytes),
        }))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if self.0.bytes.is_empty() {
            return MultiHeader::END.write(out);
        }
        out.put_raw(&self.0.bytes);
    }

    /// Number of ops.
    pub fn len(&self) -> usize {
        self.0.count as usize
    }

    /// True without ops.
    pub fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// The ops in order.
    pub fn iter(&self) -> impl Iterator<Item = MultiOp<'_>> {
        let mut reader = self.0.reader();
        (0..self.0.count).map_while(move |_| MultiOp::read(&mut reader).ok().flatten())
    }
}

impl<'b> FromIterator<MultiOp<'b>> for Ops<'static> {
    fn from_iter<I: IntoIterator<Item = MultiOp<'b>>>(items: I) -> Self {
        let (mut bytes, mut count) = (Vec::new(), 0u32);
        for op in items {
            op.write(&mut bytes);
            count = count.saturating_add(1);
        }
        MultiHeader::END.write(&mut bytes);
        Self(Encoded {
            count,
            bytes: Cow::Owned(bytes),
        })
    }
}

/// One op's outcome.
// spec: CP-MUL-02, CP-MUL-04, CP-MUL-05, CP-MUL-12
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // ZooKeeper's names
pub enum MultiResult<'a> {
    Create {
        path: Cow<'a, str>,
    },
    /// Also for createContainer and createTTL.
    Create2 {
        path: Cow<'a, str>,
        stat: Stat,
    },
    Delete,
    SetData(Stat),
    Check,
    Children(Strings<'a>),
    Data {
        data: Option<&'a [u8]>,
        stat: Stat,
    },
    /// An error code, or 0 for an op in front of the one that failed.
    Error(i32),
}

impl<'a> MultiResult<'a> {
    /// Appends one result with its header.
    pub fn write(&self, out: &mut Vec<u8>) {
        let (op, err) = match self {
            Self::Create { .. } => (OpCode::Create, 0),
            Self::Create2 { .. } => (OpCode::Create2, 0),
            Self::Delete => (OpCode::Delete, 0),
            Self::SetData(_) => (OpCode::SetData, 0),
            Self::Check => (OpCode::Check, 0),
            Self::Children(_) => (OpCode::GetChildren, 0),
            Self::Data { .. } => (OpCode::GetData, 0),
            Self::Error(err) => (OpCode::Error, *err),
        };
        MultiHeader {
            kind: op.code(),
            done: false,
            err,
        }
        .write(out);
        match self {
            Self::Create { path } => out.put_string(path),
            Self::Create2 { path, stat } => {
                out.put_string(path);
                stat.write(out);
            }
            Self::Delete | Self::Check => {}
            Self::SetData(stat) => stat.write(out),
            Self::Children(children) => children.write(out),
            Self::Data { data, stat } => {
                out.put_buffer(*data);
                stat.write(out);
            }
            Self::Error(err) => out.put_int(*err),
        }
    }

    /// Appends what stands after the last result.
    pub fn write_end(out: &mut Vec<u8>) {
        MultiHeader::END.write(out);
    }

    /// Reads one result; `None` is the end mark.
    pub fn read(reader: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        let header = MultiHeader::read(reader)?;
        if header.done {
            return Ok(None);
        }
        let unknown = DecodeError::Value {
            field: "multi result type",
            value: header.kind.into(),
        };
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the eight that a result may be are named"
        )]
        Ok(Some(
            match OpCode::from_code(header.kind).ok_or(unknown)? {
                OpCode::Create => Self::Create {
                    path: reader.string("path")?,
                },
                OpCode::Create2 => Self::Create2 {
                    path: reader.string("path")?,
                    stat: Stat::read(reader)?,
                },
                OpCode::Delete => Self::Delete,
                OpCode::SetData => Self::SetData(Stat::read(reader)?),
                OpCode::Check => Self::Check,
                OpCode::GetChildren => Self::Children(Strings::read(reader)?),
                OpCode::GetData => Self::Data {
                    data: reader.buffer()?,
                    stat: Stat::read(reader)?,
                },
                OpCode::Error => Self::Error(reader.int()?),
                _ => return Err(unknown),
            },
        ))
    }
}

/// Stands in front of each op and result, and (with `done`) at the end.
struct MultiHeader {
    kind: i32,
    done: bool,
    err: i32,
}

impl MultiHeader {
    const END: Self = Self {
        kind: -1,
        done: true,
        err: -1,
    };

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            kind: reader.int()?,
            done: reader.bool()?,
            err: reader.int()?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.put_int(self.kind);
        out.put_bool(self.done);
        out.put_int(self.err);
    }
}
