//! What servers say to each other: election messages and learner packets, as ZooKeeper writes them.
//!
//! The election port frames its messages with a length after one [`Hello`]; the quorum port carries bare
//! [`Packet`]s back to back, and one whole snapshot behind a [`Packet::Snap`]. Packets carry transactions, requests
//! and sessions as bytes that the protocol core passes on unread; their types are here, too.

mod core;
mod election;
mod hello;
mod packet;
mod requests;
mod snap;

pub use self::core::config_version;
pub use election::{MAX_NOTIFICATION_LEN, Notification, ServerState, next_frame};
pub use hello::{ANONYMOUS_OBSERVER, Hello};
pub use packet::{LearnerInfo, PROTOCOL_VERSION, Packet, PacketType, packet_len};
pub use requests::{ForwardedRequest, Touch, Validity};
pub use snap::{SNAP_END, put_snap_end, read_snap_end};
