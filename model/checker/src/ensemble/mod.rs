//! G0, G1 and G3: whole servers over the core that ships, in an environment that breaks links and kills servers.
//!
//! One [`State`] holds the servers (core, disk, what they delivered), the links between them, the ghosts and what is left
//! of the budgets. One [`Action`] is one step of the environment: a frame delivered, a disk write done, a link broken, a
//! crash between any two writes, a restart, an election by the oracle. All that the core does in answer happens within
//! the step.
//!
//! Partitions are not an action: a link that is broken and not dialled again is one, and any schedule may do that.

mod act;
mod arms;
mod diagram;
mod disk;
mod enabled;
mod fair;
mod hashing;
mod heal;
mod judge;
mod link;
mod mutant;
mod record;
#[cfg(test)]
mod renamed;
mod say;
mod server;
mod state;
mod subject;
mod votes;

pub(crate) use hashing::MAX_SERVERS;
pub use heal::LIVENESS;
pub use mutant::{FLAWS, Flaw, Mutant};
pub use record::{Call, Given, id_of_server};
pub use state::{Action, End, Spent, State};
pub use subject::Ensemble;
