//! Stepping of the storage: what a start finds, what the core asks to be written, and
//! snapshots of a tree that goes on changing. The host says on which thread.

mod ids;
pub mod keeper;
pub mod load;
pub mod snapshot;
pub mod stream;

pub use ids::session_ids;
pub use keeper::{Command, Done, Keeper};
pub use load::{Replayed, Restored, restore};
pub use snapshot::SnapshotJob;
pub use stream::{Incoming, Outgoing};
