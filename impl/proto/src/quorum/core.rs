//! Between the wire's packets and the protocol core's messages.
//!
//! The core knows a configuration by its version and zxids by their type; the wire carries the configuration's text
//! and plain numbers. Everything else is the same bytes on both sides.

use bytes::Bytes;
use zab::{Epoch, Message, Proposal, Round, ServerId, Vote, Zxid};

use super::{LearnerInfo, Notification, PROTOCOL_VERSION, Packet, ServerState};
use crate::error::DecodeError;

/// The version that a configuration's text names in its line `version=<hex>`; 0 without one.
// spec: QP-CFG-08
pub fn config_version(text: &str) -> i64 {
    let version = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("version="));
    version
        .and_then(|hex| i64::from_str_radix(hex.trim(), 16).ok())
        .unwrap_or(0)
}

impl Notification {
    /// As the core has it.
    pub fn to_core(&self) -> zab::Notification {
        zab::Notification {
            state: match self.state {
                ServerState::Looking => zab::ServerState::Looking,
                ServerState::Following => zab::ServerState::Following,
                ServerState::Leading => zab::ServerState::Leading,
                ServerState::Observing => zab::ServerState::Observing,
            },
            vote: Vote {
                epoch: Epoch(self.peer_epoch),
                zxid: Zxid(self.zxid),
                leader: ServerId(self.leader),
            },
            round: Round(self.round),
            version: self.version,
            config: self.config.as_deref().map_or(0, config_version),
        }
    }

    /// As the wire has it, with the text of the sender's configuration.
    pub fn from_core(core: &zab::Notification, config: &str) -> Self {
        Self {
            state: match core.state {
                zab::ServerState::Looking => ServerState::Looking,
                zab::ServerState::Following => ServerState::Following,
                zab::ServerState::Leading => ServerState::Leading,
                zab::ServerState::Observing => ServerState::Observing,
            },
            leader: core.vote.leader.0,
            zxid: core.vote.zxid.0,
            round: core.round.0,
            peer_epoch: core.vote.epoch.0,
            version: core.version,
            config: Some(config.into()),
        }
    }
}

impl Packet {
    /// As the core has it. A packet of a learner without an id is an error: the leader's host gives it one first.
    pub fn into_core(self) -> Result<Message<Bytes>, DecodeError> {
        Ok(match self {
            Self::Request { request } => Message::Request { request },
            Self::Proposal { zxid, txn } => Message::Proposal(Proposal {
                zxid: Zxid(zxid),
                txn,
            }),
            Self::Ack { zxid } => Message::Ack { zxid: Zxid(zxid) },
            Self::Commit { zxid } => Message::Commit { zxid: Zxid(zxid) },
            Self::Ping { zxid, sessions } => Message::Ping {
                zxid: Zxid(zxid),
                sessions,
            },
            Self::Revalidate { session } => Message::Revalidate { session },
            Self::Sync => Message::Sync,
            Self::Inform { zxid, txn } => Message::Inform(Proposal {
                zxid: Zxid(zxid),
                txn,
            }),
            Self::CommitAndActivate { zxid, leader } => Message::CommitAndActivate {
                zxid: Zxid(zxid),
                designated: ServerId(leader),
            },
            Self::NewLeader { zxid, config } => {
                let text = config.as_deref().and_then(|text| str::from_utf8(text).ok());
                Message::NewLeader {
                    epoch: Zxid(zxid).epoch(),
                    config: text.map_or(0, config_version),
                }
            }
            Self::FollowerInfo { zxid, info } => {
                let info = info.ok_or(DecodeError::Null("learner info"))?;
                Message::FollowerInfo {
                    accepted: Zxid(zxid).epoch(),
                    id: ServerId(info.sid),
                    config: info.config_version.unwrap_or(0),
                }
            }
            Self::UpToDate => Message::UpToDate,
            Self::Diff { zxid } => Message::Diff { zxid: Zxid(zxid) },
            Self::Trunc { zxid } => Message::Trunc { zxid: Zxid(zxid) },
            Self::Snap { zxid } => Message::Snap { zxid: Zxid(zxid) },
            Self::ObserverInfo { zxid, info } => {
                let info = info.ok_or(DecodeError::Null("learner info"))?;
                Message::ObserverInfo {
                    accepted: Zxid(zxid).epoch(),
                    id: ServerId(info.sid),
                    config: info.config_version.unwrap_or(0),
                }
            }
            Self::LeaderInfo { zxid, .. } => Message::LeaderInfo {
                epoch: Zxid(zxid).epoch(),
            },
            Self::AckEpoch {
                zxid,
                current_epoch,
            } => Message::AckEpoch {
                zxid: Zxid(zxid),
                current: (current_epoch != -1).then(|| Epoch(current_epoch.into())),
            },
            Self::InformAndActivate { zxid, leader, txn } => Message::InformAndActivate {
                proposal: Proposal {
                    zxid: Zxid(zxid),
                    txn,
                },
                designated: ServerId(leader),
            },
        })
    }

    /// As the wire has it. `config` is the text of this server's last-seen configuration, for NEWLEADER.
    pub fn from_core(message: Message<Bytes>, config: &str) -> Self {
        let info = |id: ServerId, config: i64| {
            Some(LearnerInfo {
                sid: id.0,
                protocol_version: PROTOCOL_VERSION,
                config_version: Some(config),
            })
        };
        match message {
            Message::Request { request } => Self::Request { request },
            Message::Proposal(Proposal { zxid, txn }) => Self::Proposal { zxid: zxid.0, txn },
            Message::Ack { zxid } => Self::Ack { zxid: zxid.0 },
            Message::Commit { zxid } => Self::Commit { zxid: zxid.0 },
            Message::Ping { zxid, sessions } => Self::Ping {
                zxid: zxid.0,
                sessions,
            },
            Message::Revalidate { session } => Self::Revalidate { session },
            Message::Sync => Self::Sync,
            Message::Inform(Proposal { zxid, txn }) => Self::Inform { zxid: zxid.0, txn },
            Message::CommitAndActivate { zxid, designated } => Self::CommitAndActivate {
                zxid: zxid.0,
                leader: designated.0,
            },
            Message::NewLeader { epoch, .. } => {
                let config = Some(Bytes::copy_from_slice(config.as_bytes()));
                Self::NewLeader {
                    zxid: epoch.start().0,
                    config,
                }
            }
            Message::FollowerInfo {
                accepted,
                id,
                config,
            } => Self::FollowerInfo {
                zxid: accepted.start().0,
                info: info(id, config),
            },
            Message::UpToDate => Self::UpToDate,
            Message::Diff { zxid } => Self::Diff { zxid: zxid.0 },
            Message::Trunc { zxid } => Self::Trunc { zxid: zxid.0 },
            Message::Snap { zxid } => Self::Snap { zxid: zxid.0 },
            Message::ObserverInfo {
                accepted,
                id,
                config,
            } => Self::ObserverInfo {
                zxid: accepted.start().0,
                info: info(id, config),
            },
            Message::LeaderInfo { epoch } => Self::LeaderInfo {
                zxid: epoch.start().0,
                protocol_version: PROTOCOL_VERSION,
            },
            // spec: QP-ZAB-06. The low 32 bits.
            Message::AckEpoch { zxid, current } => Self::AckEpoch {
                zxid: zxid.0,
                current_epoch: current.map_or(-1, |epoch| epoch.0 as i32),
            },
            Message::InformAndActivate {
                proposal,
                designated,
            } => Self::InformAndActivate {
                zxid: proposal.zxid.0,
                leader: designated.0,
                txn: proposal.txn,
            },
        }
    }
}
