//! Learner packets: everything on the quorum port but the snapshot stream.

use alloc::vec::Vec;

use bytes::Bytes;

use crate::error::DecodeError;
use crate::jute::{Put, Reader, frame};
use crate::quorum::requests::skip_request;

/// The learner protocol's version, in LearnerInfo and LEADERINFO.
pub const PROTOCOL_VERSION: i32 = 0x10000;

/// A packet's type number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // ZooKeeper's names; quorum-protocol 4 has a line for each
#[repr(i32)]
pub enum PacketType {
    Request = 1,
    Proposal = 2,
    Ack = 3,
    Commit = 4,
    Ping = 5,
    Revalidate = 6,
    Sync = 7,
    Inform = 8,
    CommitAndActivate = 9,
    NewLeader = 10,
    FollowerInfo = 11,
    UpToDate = 12,
    Diff = 13,
    Trunc = 14,
    Snap = 15,
    ObserverInfo = 16,
    LeaderInfo = 17,
    AckEpoch = 18,
    InformAndActivate = 19,
}

impl PacketType {
    /// The type with this number, if there is one.
    pub const fn from_code(code: i32) -> Option<Self> {
        Some(match code {
            1 => Self::Request,
            2 => Self::Proposal,
            3 => Self::Ack,
            4 => Self::Commit,
            5 => Self::Ping,
            6 => Self::Revalidate,
            7 => Self::Sync,
            8 => Self::Inform,
            9 => Self::CommitAndActivate,
            10 => Self::NewLeader,
            11 => Self::FollowerInfo,
            12 => Self::UpToDate,
            13 => Self::Diff,
            14 => Self::Trunc,
            15 => Self::Snap,
            16 => Self::ObserverInfo,
            17 => Self::LeaderInfo,
            18 => Self::AckEpoch,
            19 => Self::InformAndActivate,
            _ => return None,
        })
    }
}

/// Who a learner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LearnerInfo {
    /// Its id.
    pub sid: i64,
    /// [`PROTOCOL_VERSION`]; 1 where an old peer leaves it out.
    pub protocol_version: i32,
    /// Version of its configuration; absent from old peers.
    pub config_version: Option<i64>,
}

/// A packet. Transactions stay the bytes that they are in the log.
// spec: QP-GEN-03
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // ZooKeeper's names; every zxid is the packet's own field
pub enum Packet {
    /// A learner's client wants a write, or a sync: data and authinfo as [`ForwardedRequest`] has them.
    ///
    /// [`ForwardedRequest`]: super::ForwardedRequest
    Request {
        request: Bytes,
    },
    Proposal {
        zxid: i64,
        txn: Bytes,
    },
    Ack {
        zxid: i64,
    },
    Commit {
        zxid: i64,
    },
    /// `sessions` is `None` from a leader; a learner's answer holds a [`Touch`](super::Touch) for each session heard
    /// of, and may be empty but not `None`. spec: QP-BC-13
    Ping {
        zxid: i64,
        sessions: Option<Bytes>,
    },
    /// A learner asks whether a session lives, and the leader answers: a [`Touch`](super::Touch) one way, a
    /// [`Validity`](super::Validity) the other. spec: QP-BC-14
    Revalidate {
        session: Bytes,
    },
    Sync,
    Inform {
        zxid: i64,
        txn: Bytes,
    },
    /// Commit of a new configuration; `leader` is who leads under it.
    CommitAndActivate {
        zxid: i64,
        leader: i64,
    },
    /// `config` is the text of the leader's last-seen configuration.
    NewLeader {
        zxid: i64,
        config: Option<Bytes>,
    },
    /// `zxid` is the accepted epoch's first.
    FollowerInfo {
        zxid: i64,
        info: Option<LearnerInfo>,
    },
    UpToDate,
    Diff {
        zxid: i64,
    },
    Trunc {
        zxid: i64,
    },
    /// A snapshot stream follows.
    Snap {
        zxid: i64,
    },
    /// `zxid` is the accepted epoch's first.
    ObserverInfo {
        zxid: i64,
        info: Option<LearnerInfo>,
    },
    /// `zxid` is the new epoch's first.
    LeaderInfo {
        zxid: i64,
        protocol_version: i32,
    },
    /// `zxid` is the last one logged; `current_epoch` is -1 for "do not count me". spec: QP-ZAB-06
    AckEpoch {
        zxid: i64,
        current_epoch: i32,
    },
    /// As commit and activate, with the transaction, for observers.
    InformAndActivate {
        zxid: i64,
        leader: i64,
        txn: Bytes,
    },
}

/// Length in bytes of the packet at the start of `input`, or `None` if it goes on past the end of `input`.
/// Strings and buffers above `limit` are an error, so no peer can make a reader keep more than the limit and a few
/// identities.
// spec: QP-GEN-01
pub fn packet_len(input: &[u8], limit: usize) -> Result<Option<usize>, DecodeError> {
    let reader = &mut Reader::with_limit(input, limit);
    match skip(reader) {
        Ok(()) => Ok(Some(input.len().saturating_sub(reader.remaining()))),
        Err(DecodeError::Truncated) => Ok(None),
        Err(error) => Err(error),
    }
}

fn skip(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    packet_type(reader.int()?)?;
    reader.long()?;
    skip_request(reader)
}

fn packet_type(code: i32) -> Result<PacketType, DecodeError> {
    PacketType::from_code(code).ok_or(DecodeError::Value {
        field: "packet type",
        value: code.into(),
    })
}

impl Packet {
    /// Reads one whole packet, cut to size by [`packet_len`]. What the packet carries shares its memory.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        let reader = &mut Reader::with_limit(bytes, bytes.len());
        let (kind, zxid) = (packet_type(reader.int()?)?, reader.long()?);
        let share = |part: &[u8]| bytes.slice_ref(part);
        if kind == PacketType::Request {
            let (request, ()) = reader.measured(skip_request)?;
            return Ok(Self::Request {
                request: share(request),
            });
        }
        let data = reader.buffer()?;
        let body = &mut Reader::with_limit(data.unwrap_or_default(), bytes.len());
        Ok(match kind {
            PacketType::Request => return Err(DecodeError::Null("packet data")),
            PacketType::Proposal => Self::Proposal {
                zxid,
                txn: share(required(data)?),
            },
            PacketType::Ack => Self::Ack { zxid },
            PacketType::Commit => Self::Commit { zxid },
            PacketType::Ping => Self::Ping {
                zxid,
                sessions: data.map(share),
            },
            PacketType::Revalidate => Self::Revalidate {
                session: share(required(data)?),
            },
            PacketType::Sync => Self::Sync,
            PacketType::Inform => Self::Inform {
                zxid,
                txn: share(required(data)?),
            },
            PacketType::CommitAndActivate => Self::CommitAndActivate {
                zxid,
                leader: body.long()?,
            },
            PacketType::NewLeader => Self::NewLeader {
                zxid,
                config: data.map(share),
            },
            PacketType::FollowerInfo => Self::FollowerInfo {
                zxid,
                info: read_info(data)?,
            },
            PacketType::UpToDate => Self::UpToDate,
            PacketType::Diff => Self::Diff { zxid },
            PacketType::Trunc => Self::Trunc { zxid },
            PacketType::Snap => Self::Snap { zxid },
            PacketType::ObserverInfo => Self::ObserverInfo {
                zxid,
                info: read_info(data)?,
            },
            PacketType::LeaderInfo => Self::LeaderInfo {
                zxid,
                protocol_version: body.int()?,
            },
            PacketType::AckEpoch => Self::AckEpoch {
                zxid,
                current_epoch: body.int()?,
            },
            PacketType::InformAndActivate => Self::InformAndActivate {
                zxid,
                leader: body.long()?,
                txn: share(body.rest()),
            },
        })
    }

    /// The type number in front.
    pub fn kind(&self) -> PacketType {
        match self {
            Self::Request { .. } => PacketType::Request,
            Self::Proposal { .. } => PacketType::Proposal,
            Self::Ack { .. } => PacketType::Ack,
            Self::Commit { .. } => PacketType::Commit,
            Self::Ping { .. } => PacketType::Ping,
            Self::Revalidate { .. } => PacketType::Revalidate,
            Self::Sync => PacketType::Sync,
            Self::Inform { .. } => PacketType::Inform,
            Self::CommitAndActivate { .. } => PacketType::CommitAndActivate,
            Self::NewLeader { .. } => PacketType::NewLeader,
            Self::FollowerInfo { .. } => PacketType::FollowerInfo,
            Self::UpToDate => PacketType::UpToDate,
            Self::Diff { .. } => PacketType::Diff,
            Self::Trunc { .. } => PacketType::Trunc,
            Self::Snap { .. } => PacketType::Snap,
            Self::ObserverInfo { .. } => PacketType::ObserverInfo,
            Self::LeaderInfo { .. } => PacketType::LeaderInfo,
            Self::AckEpoch { .. } => PacketType::AckEpoch,
            Self::InformAndActivate { .. } => PacketType::InformAndActivate,
        }
    }

    /// The zxid field; types that have none carry -1, SYNC 0.
    pub fn zxid(&self) -> i64 {
        match self {
            Self::Proposal { zxid, .. }
            | Self::Ack { zxid }
            | Self::Commit { zxid }
            | Self::Ping { zxid, .. }
            | Self::Inform { zxid, .. }
            | Self::CommitAndActivate { zxid, .. }
            | Self::NewLeader { zxid, .. }
            | Self::FollowerInfo { zxid, .. }
            | Self::Diff { zxid }
            | Self::Trunc { zxid }
            | Self::Snap { zxid }
            | Self::ObserverInfo { zxid, .. }
            | Self::LeaderInfo { zxid, .. }
            | Self::AckEpoch { zxid, .. }
            | Self::InformAndActivate { zxid, .. } => *zxid,
            Self::Sync => 0,
            Self::Request { .. } | Self::Revalidate { .. } | Self::UpToDate => -1,
        }
    }

    /// Appends the packet.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_int(self.kind() as i32);
        out.put_long(self.zxid());
        if let Self::Request { request } = self {
            return out.put_raw(request);
        }
        self.encode_data(out);
        out.put_int(-1);
    }

    fn encode_data(&self, out: &mut Vec<u8>) {
        match self {
            // Its bytes hold more than data: the caller has written them.
            Self::Request { .. } => {}
            Self::Ack { .. }
            | Self::Commit { .. }
            | Self::Sync
            | Self::UpToDate
            | Self::Diff { .. }
            | Self::Trunc { .. }
            | Self::Snap { .. } => out.put_buffer(None),
            Self::Proposal { txn: data, .. }
            | Self::Inform { txn: data, .. }
            | Self::Revalidate { session: data } => out.put_buffer(Some(data)),
            Self::Ping { sessions: data, .. } | Self::NewLeader { config: data, .. } => {
                out.put_buffer(data.as_deref());
            }
            Self::CommitAndActivate { leader, .. } => out.put_buffer(Some(&leader.to_be_bytes())),
            Self::FollowerInfo { info, .. } | Self::ObserverInfo { info, .. } => match info {
                None => out.put_buffer(None),
                Some(info) => frame(out, |out| info.write(out)),
            },
            Self::LeaderInfo {
                protocol_version: number,
                ..
            }
            | Self::AckEpoch {
                current_epoch: number,
                ..
            } => out.put_buffer(Some(&number.to_be_bytes())),
            Self::InformAndActivate { leader, txn, .. } => frame(out, |out| {
                out.put_long(*leader);
                out.put_raw(txn);
            }),
        }
    }
}

impl LearnerInfo {
    fn write(&self, out: &mut Vec<u8>) {
        out.put_long(self.sid);
        out.put_int(self.protocol_version);
        if let Some(version) = self.config_version {
            out.put_long(version);
        }
    }
}

fn required(data: Option<&[u8]>) -> Result<&[u8], DecodeError> {
    data.ok_or(DecodeError::Null("packet data"))
}

/// Old peers send 12 or 8 bytes; a peer without an id sends none at all.
fn read_info(data: Option<&[u8]>) -> Result<Option<LearnerInfo>, DecodeError> {
    let Some(data) = data else { return Ok(None) };
    let reader = &mut Reader::new(data);
    Ok(Some(LearnerInfo {
        sid: reader.long()?,
        protocol_version: reader.int().unwrap_or(1),
        config_version: reader.long().ok(),
    }))
}
