//! A snapshot's body piece by piece: sessions, ACLs, znodes. The same stream feeds a learner and fills a file.
//!
//! ```text
//! count (session)*  count (acl entry)*  (znode)*  "/"
//! ```
//! Files put a [`crate::log::FileHeader`] in front and seals behind; the quorum port puts a last string behind.
// spec: DF-SNAP-02, DF-SNAP-04, DF-BODY-01

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::acl::Acl;
use crate::error::DecodeError;
use crate::jute::{Put, Reader};
use crate::stat::StatPersisted;

/// ACL id of world:anyone with every permission, which no map lists. spec: DF-BODY-02
pub const OPEN_ACL_ID: i64 = -1;

/// Stands where a path would: no more znodes, and behind each seal's checksum.
pub const END: &str = "/";

/// The most bytes that one piece may take, as a multiple of the length limit: an ACL entry may hold many strings.
const PIECE_LIMITS: usize = 4;

/// A znode as snapshots have it. The root's path is the empty string.
// spec: DF-BODY-03, DF-BODY-04
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    /// Full path; empty for the root.
    pub path: Cow<'a, str>,
    /// Data; null and empty differ. spec: DF-BODY-06
    pub data: Option<&'a [u8]>,
    /// Key in the snapshot's ACL map, or [`OPEN_ACL_ID`].
    pub acl: i64,
    /// Numbers.
    pub stat: StatPersisted,
}

/// One piece of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// How many sessions follow.
    Sessions(u32),
    /// One of them.
    Session {
        /// Id.
        id: i64,
        /// Milliseconds.
        timeout: i32,
    },
    /// How many ACL entries follow.
    Acls(u32),
    /// One of them.
    Acl {
        /// What znodes refer to.
        id: i64,
        /// The grants.
        acl: Vec<Acl>,
    },
    /// A znode.
    Node(Node<'a>),
    /// No more znodes.
    End,
}

impl Piece<'_> {
    /// Appends the piece.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Sessions(count) | Self::Acls(count) => out.put_count(*count as usize),
            Self::Session { id, timeout } => {
                out.put_long(*id);
                out.put_int(*timeout);
            }
            Self::Acl { id, acl } => put_acl_entry(out, *id, acl),
            Self::Node(node) => node.write(out),
            Self::End => out.put_string(END),
        }
    }
}

/// Appends one entry of the ACL map.
pub fn put_acl_entry(out: &mut Vec<u8>, id: i64, acl: &[Acl]) {
    out.put_long(id);
    Acl::write_vector(acl, out);
}

impl Node<'_> {
    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_string(&self.path);
        out.put_buffer(self.data);
        out.put_long(self.acl);
        self.stat.write(out);
    }
}

/// Where in the stream a decoder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    SessionCount,
    Session { left: u32 },
    AclCount,
    Acl { left: u32 },
    Node,
    Ended,
}

/// Reads the stream from a buffer that its owner refills.
#[derive(Clone, Debug)]
pub struct Decoder {
    place: Place,
    limit: usize,
}

impl Decoder {
    /// A decoder at the first byte of the body that refuses strings and buffers longer than `limit` bytes.
    // spec: DF-ALG-09
    pub fn new(limit: usize) -> Self {
        Self {
            place: Place::SessionCount,
            limit,
        }
    }

    /// The most bytes that [`Decoder::next`] may need at once; a buffer of this size is never too small.
    pub fn max_piece_len(&self) -> usize {
        self.limit.saturating_mul(PIECE_LIMITS)
    }

    /// True after [`Piece::End`].
    pub fn is_done(&self) -> bool {
        self.place == Place::Ended
    }

    /// The piece at the start of `input` and the number of bytes that it takes; `None` if the piece goes on past the
    /// end of `input`, and after the end. Counts are the sender's word: never allocate by them.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<Option<(Piece<'a>, usize)>, DecodeError> {
        if self.is_done() {
            return Ok(None);
        }
        let mut reader = Reader::with_limit(input, self.limit);
        match self.read(&mut reader) {
            Ok((piece, place)) => {
                self.place = place;
                Ok(Some((
                    piece,
                    input.len().saturating_sub(reader.remaining()),
                )))
            }
            Err(DecodeError::Truncated) if input.len() < self.max_piece_len() => Ok(None),
            Err(DecodeError::Truncated) => Err(DecodeError::Length {
                len: i64::try_from(input.len()).unwrap_or(i64::MAX),
                limit: self.max_piece_len(),
            }),
            Err(error) => Err(error),
        }
    }

    /// The piece at this place, and the place after it.
    fn read<'a>(&self, reader: &mut Reader<'a>) -> Result<(Piece<'a>, Place), DecodeError> {
        match self.place {
            Place::SessionCount => {
                let left = reader.count()?.unwrap_or(0);
                Ok((Piece::Sessions(left), sessions_left(left)))
            }
            Place::Session { left } => {
                let piece = Piece::Session {
                    id: reader.long()?,
                    timeout: reader.int()?,
                };
                Ok((piece, sessions_left(left.saturating_sub(1))))
            }
            Place::AclCount => {
                let left = reader.count()?.unwrap_or(0);
                Ok((Piece::Acls(left), acls_left(left)))
            }
            Place::Acl { left } => {
                let id = reader.long()?;
                // spec: DF-BODY-02. A missing vector is fatal.
                let acl = Acl::read_vector(reader)?.ok_or(DecodeError::Null("acl"))?;
                Ok((Piece::Acl { id, acl }, acls_left(left.saturating_sub(1))))
            }
            Place::Node => read_node(reader),
            Place::Ended => Err(DecodeError::Null("piece after the end")),
        }
    }
}

fn sessions_left(left: u32) -> Place {
    if left == 0 {
        Place::AclCount
    } else {
        Place::Session { left }
    }
}

fn acls_left(left: u32) -> Place {
    if left == 0 {
        Place::Node
    } else {
        Place::Acl { left }
    }
}

fn read_node<'a>(reader: &mut Reader<'a>) -> Result<(Piece<'a>, Place), DecodeError> {
    let path = reader.string("path")?;
    if path == END {
        return Ok((Piece::End, Place::Ended));
    }
    let (data, acl) = (reader.buffer()?, reader.long()?);
    let node = Node {
        path,
        data,
        acl,
        stat: StatPersisted::read(reader)?,
    };
    Ok((Piece::Node(node), Place::Node))
}

/// Checksum over everything before it, then [`END`]. 13 bytes.
// spec: DF-SNAP-03
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Adler-32; the upper half is zero.
    pub checksum: i64,
}

impl Seal {
    /// Encoded size in bytes.
    pub const LEN: usize = 13;

    /// Reads a seal; what follows the checksum must be [`END`].
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let checksum = reader.long()?;
        if reader.string("seal")? != END {
            return Err(DecodeError::Value {
                field: "seal",
                value: checksum,
            });
        }
        Ok(Self { checksum })
    }

    /// Appends the seal.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_long(self.checksum);
        out.put_string(END);
    }
}

/// What stands between seals A and B: the tree's digest when the snapshot was finished. 20 bytes.
// spec: DF-SNAP-06, DF-SNAP-07
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotDigest {
    /// Last transaction applied.
    pub zxid: i64,
    /// Digest algorithm.
    pub version: i32,
    /// Digest.
    pub tree: i64,
}

impl SnapshotDigest {
    /// Encoded size in bytes, versions 2 and up.
    pub const LEN: usize = 20;

    /// Reads the part; before version 2 the digest is hexadecimal text.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (zxid, version) = (reader.long()?, reader.int()?);
        if version >= 2 {
            return Ok(Self {
                zxid,
                version,
                tree: reader.long()?,
            });
        }
        let text = reader.string("digest")?;
        let tree = u64::from_str_radix(&text, 16).map_err(|_| DecodeError::Value {
            field: "digest",
            value: 0,
        })?;
        Ok(Self {
            zxid,
            version,
            tree: tree.cast_signed(),
        })
    }

    /// Appends the part as version 2 and up have it.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_long(self.zxid);
        out.put_int(self.version);
        out.put_long(self.tree);
    }
}
