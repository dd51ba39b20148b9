//! Which kinds of records the recordings must hold: matches without a wildcard, so that a new kind does not compile
//! until somebody says where Apache ZooKeeper's bytes of it are, or why there can be none.
#![allow(dead_code)] // each test file that includes this one uses a part

use zk_proto::OpCode;
use zk_proto::quorum::{Hello, PacketType, ServerState};
use zk_proto::watch::EventKind;

/// Where a record of an op code stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// A client's request.
    Request,
    /// The reply to it, with its body.
    Reply,
    /// A part of a client's multi.
    MultiOp,
    /// Its result.
    MultiResult,
    /// A part of a client's multiRead, and its result.
    MultiRead,
    /// A transaction of a log.
    Txn,
    /// A part of a multi transaction of a log.
    TxnPart,
    /// A request that a learner sends on to its leader.
    Forwarded,
    /// A transaction of a PROPOSAL.
    Proposal,
}

/// Where the recordings must hold `op`.
pub(crate) fn places(op: OpCode) -> &'static [Place] {
    use Place::*;
    match op {
        // The number stands in no header: a watch event is told by its xid.
        OpCode::Notification => &[],
        // Refusals of whole requests have no body.
        OpCode::Error => &[MultiResult, Txn, TxnPart, Proposal],
        OpCode::Create => &[
            Request,
            Reply,
            MultiOp,
            MultiResult,
            Txn,
            TxnPart,
            Forwarded,
            Proposal,
        ],
        OpCode::Create2 => &[
            Request,
            Reply,
            MultiOp,
            MultiResult,
            Txn,
            TxnPart,
            Forwarded,
            Proposal,
        ],
        // spec: CP-MUL-05. Their results in a multi are create2's.
        OpCode::CreateContainer | OpCode::CreateTtl => {
            &[Request, Reply, MultiOp, Txn, TxnPart, Forwarded, Proposal]
        }
        OpCode::Delete | OpCode::SetData => &[
            Request,
            Reply,
            MultiOp,
            MultiResult,
            Txn,
            TxnPart,
            Forwarded,
            Proposal,
        ],
        OpCode::SetAcl => &[Request, Reply, Txn, Forwarded, Proposal],
        OpCode::Multi => &[Request, Reply, Txn, Forwarded, Proposal],
        OpCode::Reconfig => &[Request, Reply, Txn, Forwarded, Proposal],
        // No client of Apache's asks it outside of a multi.
        OpCode::Check => &[MultiOp, MultiResult, TxnPart],
        OpCode::GetData | OpCode::GetChildren => &[Request, Reply, MultiRead],
        OpCode::Sync => &[Request, Reply, Forwarded],
        OpCode::Exists
        | OpCode::GetAcl
        | OpCode::Ping
        | OpCode::GetChildren2
        | OpCode::CheckWatches
        | OpCode::RemoveWatches
        | OpCode::MultiRead
        | OpCode::Auth
        | OpCode::SetWatches
        | OpCode::Sasl
        | OpCode::GetEphemerals
        | OpCode::GetAllChildrenNumber
        | OpCode::SetWatches2
        | OpCode::AddWatch
        | OpCode::WhoAmI => &[Request, Reply],
        // A server asks them of itself, or its leader.
        OpCode::DeleteContainer => &[Txn, Proposal],
        OpCode::CreateSession => &[Txn, Forwarded, Proposal],
        OpCode::CloseSession => &[Request, Reply, Txn, Forwarded, Proposal],
    }
}

/// Every op code that must stand at one of `wanted`, with that place.
pub(crate) fn ops_at(wanted: &[Place]) -> impl Iterator<Item = (OpCode, Place)> {
    OpCode::ALL.into_iter().flat_map(move |op| {
        let here = places(op).iter().filter(|place| wanted.contains(place));
        here.map(move |place| (op, *place))
    })
}

/// True if servers send such events.
pub(crate) fn sent(event: EventKind) -> bool {
    match event {
        EventKind::NodeCreated
        | EventKind::NodeDeleted
        | EventKind::NodeDataChanged
        | EventKind::NodeChildrenChanged => true,
        // Clients make them for their own callers.
        EventKind::None
        | EventKind::DataWatchRemoved
        | EventKind::ChildWatchRemoved
        | EventKind::PersistentWatchRemoved => false,
    }
}

/// The types of packets that recordings of an ensemble hold: false for those of a reconfiguration.
pub(crate) fn in_every_ensemble(packet: PacketType) -> bool {
    match packet {
        PacketType::Request
        | PacketType::Proposal
        | PacketType::Ack
        | PacketType::Commit
        | PacketType::Ping
        | PacketType::Revalidate
        | PacketType::Sync
        | PacketType::Inform
        | PacketType::NewLeader
        | PacketType::FollowerInfo
        | PacketType::UpToDate
        | PacketType::Diff
        | PacketType::Trunc
        | PacketType::Snap
        | PacketType::ObserverInfo
        | PacketType::LeaderInfo
        | PacketType::AckEpoch => true,
        PacketType::CommitAndActivate | PacketType::InformAndActivate => false,
    }
}

/// Every type of packet.
pub(crate) fn packet_types() -> impl Iterator<Item = PacketType> {
    (i32::from(i8::MIN)..=i32::from(i8::MAX)).filter_map(PacketType::from_code)
}

/// The states of senders that recordings hold.
pub(crate) const STATES: [&str; 3] = ["Looking", "Following", "Leading"];

/// A state's name among [`STATES`].
pub(crate) fn state(state: ServerState) -> &'static str {
    match state {
        ServerState::Looking => "Looking",
        ServerState::Following => "Following",
        ServerState::Leading => "Leading",
        // An observer answers only those who look, and voters that look do not ask it.
        ServerState::Observing => "Observing",
    }
}

/// A greeting's name.
pub(crate) fn greeting(hello: &Hello) -> &'static str {
    match hello {
        // Only servers before 3.5 send it.
        Hello::Legacy { .. } => "hello Legacy",
        Hello::V1 { .. } => "hello V1",
        Hello::V2 { .. } => "hello V2",
    }
}
