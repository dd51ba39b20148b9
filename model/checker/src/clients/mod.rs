//! GC: sessions, sync, watches and retries over an abstract atomic log with lagging replicas.
//!
//! The ensemble is reduced to what its own models establish: one order of writes, made by a leader, that each replica
//! applies from the front at its own pace. Around it everything is the server's client side: a session is attached to one
//! replica, whose commit stage answers in order; writes, syncs and closes travel to the leader over a FIFO link; the
//! leader checks session and owner, decides the verdict against all that is already in its pipeline, and commits in
//! order. Clients lose connections, come back to either replica, ask again, and sessions expire.
//!
//! The mutants of this model change the abstract server, not shipped code: they show that the K properties bite.

mod diagram;
mod linearizable;
mod model;
mod mutants;
mod scripts;
mod state;
mod subject;

pub use mutants::{Flaw, MUTANTS};
pub use scripts::Scripts;
pub use state::{Action, State};
pub use subject::Clients;
