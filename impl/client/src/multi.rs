//! Several ops in one request.

use zk_proto::request::{Create, ReadPath, SetData, Versioned};
use zk_proto::{Acl, Acls, CreateMode, MultiOp, MultiResult, Stat};

use crate::chroot::Chroot;
use crate::error::{Error, check};

/// One op of a multi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    Create {
        path: String,
        data: Vec<u8>,
        acl: Vec<Acl>,
        mode: CreateMode,
    },
    CreateTtl {
        path: String,
        data: Vec<u8>,
        acl: Vec<Acl>,
        mode: CreateMode,
        ttl_ms: i64,
    },
    /// Version -1 is any.
    Delete {
        path: String,
        version: i32,
    },
    SetData {
        path: String,
        data: Vec<u8>,
        version: i32,
    },
    Check {
        path: String,
        version: i32,
    },
}

impl Op {
    /// A create that is open to everyone.
    pub fn create(path: &str, data: &[u8], mode: CreateMode) -> Self {
        Self::Create {
            path: path.to_owned(),
            data: data.to_vec(),
            acl: vec![Acl::open()],
            mode,
        }
    }

    pub fn delete(path: &str, version: i32) -> Self {
        let path = path.to_owned();
        Self::Delete { path, version }
    }

    pub fn set_data(path: &str, data: &[u8], version: i32) -> Self {
        Self::SetData {
            path: path.to_owned(),
            data: data.to_vec(),
            version,
        }
    }

    pub fn check(path: &str, version: i32) -> Self {
        let path = path.to_owned();
        Self::Check { path, version }
    }

    pub(crate) fn encode<'a>(&'a self, chroot: &Chroot) -> Result<MultiOp<'a>, Error> {
        Ok(match self {
            Self::Create {
                path,
                data,
                acl,
                mode,
            } => {
                let create = create(chroot, path, data, acl, *mode)?;
                if mode.is_container() {
                    MultiOp::CreateContainer(create)
                } else {
                    MultiOp::Create2(create)
                }
            }
            Self::CreateTtl {
                path,
                data,
                acl,
                mode,
                ttl_ms,
            } => MultiOp::CreateTtl(create(chroot, path, data, acl, *mode)?, *ttl_ms),
            Self::Delete { path, version } => MultiOp::Delete(versioned(chroot, path, *version)?),
            Self::SetData {
                path,
                data,
                version,
            } => MultiOp::SetData(SetData {
                path: chroot.out(path)?,
                data: Some(data),
                version: *version,
            }),
            Self::Check { path, version } => MultiOp::Check(versioned(chroot, path, *version)?),
        })
    }
}

fn create<'a>(
    chroot: &Chroot,
    path: &'a str,
    data: &'a [u8],
    acl: &[Acl],
    mode: CreateMode,
) -> Result<Create<'a>, Error> {
    Ok(Create {
        path: chroot.out(path)?,
        data: Some(data),
        acl: Some(acl.iter().collect::<Acls<'static>>()),
        flags: mode.flags(),
    })
}

fn versioned<'a>(chroot: &Chroot, path: &'a str, version: i32) -> Result<Versioned<'a>, Error> {
    let path = chroot.out(path)?;
    Ok(Versioned { path, version })
}

/// What one op of a successful multi did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpResult {
    Created { path: String, stat: Option<Stat> },
    Deleted,
    Set(Stat),
    Checked,
}

/// The results of a multi, or the first op that failed.
// spec: CP-MUL-03, CP-MUL-04
pub(crate) fn results(
    found: &[MultiResult<'_>],
    chroot: &Chroot,
) -> Result<Result<Vec<OpResult>, (usize, Error)>, Error> {
    let failed =
        |result: &MultiResult<'_>| matches!(result, MultiResult::Error(code) if *code != 0);
    if let Some(index) = found.iter().position(failed) {
        let Some(MultiResult::Error(code)) = found.get(index) else {
            return Err(Error::Protocol("a multi's failure vanished".to_owned()));
        };
        let error = check(*code).err().unwrap_or(Error::UnknownCode(*code));
        return Ok(Err((index, error)));
    }
    let results = found.iter().map(|result| match result {
        MultiResult::Create { path } => Ok(OpResult::Created {
            path: chroot.back(path),
            stat: None,
        }),
        MultiResult::Create2 { path, stat } => Ok(OpResult::Created {
            path: chroot.back(path),
            stat: Some(*stat),
        }),
        MultiResult::Delete => Ok(OpResult::Deleted),
        MultiResult::SetData(stat) => Ok(OpResult::Set(*stat)),
        MultiResult::Check => Ok(OpResult::Checked),
        MultiResult::Children(_) | MultiResult::Data { .. } | MultiResult::Error(_) => {
            Err(Error::Protocol("a read's result in a multi".to_owned()))
        }
    });
    results.collect::<Result<_, _>>().map(Ok)
}

/// One op of a multi-read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    Data(String),
    Children(String),
}

impl Read {
    pub(crate) fn encode<'a>(&'a self, chroot: &Chroot) -> Result<MultiOp<'a>, Error> {
        let read = |path: &'a str| {
            let path = chroot.out(path)?;
            Ok::<_, Error>(ReadPath { path, watch: false })
        };
        Ok(match self {
            Self::Data(path) => MultiOp::GetData(read(path)?),
            Self::Children(path) => MultiOp::GetChildren(read(path)?),
        })
    }
}

/// What one op of a multi-read found; each stands for itself.
// spec: CP-MUL-12
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadResult {
    Data(Vec<u8>, Stat),
    Children(Vec<String>),
    Failed(Error),
}

pub(crate) fn read_result(found: &MultiResult<'_>) -> Result<ReadResult, Error> {
    match found {
        MultiResult::Data { data, stat } => {
            Ok(ReadResult::Data(data.unwrap_or_default().to_vec(), *stat))
        }
        MultiResult::Children(children) => {
            let children = children.iter().map(|name| name.into_owned());
            Ok(ReadResult::Children(children.collect()))
        }
        MultiResult::Error(code) => {
            let error = check(*code).err().unwrap_or(Error::UnknownCode(*code));
            Ok(ReadResult::Failed(error))
        }
        MultiResult::Create { .. }
        | MultiResult::Create2 { .. }
        | MultiResult::Delete
        | MultiResult::SetData(_)
        | MultiResult::Check => Err(Error::Protocol(
            "a write's result in a multi-read".to_owned(),
        )),
    }
}
