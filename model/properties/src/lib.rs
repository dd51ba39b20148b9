//! Properties of ZAB as pure functions over a view of the ensemble.
//!
//! A host (the checker, the simulator, the trace validator) builds a [`View`] of its servers and keeps [`Ghosts`],
//! the history that no server keeps itself. A property is one file and says one thing about them:
//! - [`safety`]: S1-S28, over views and over the [`Fact`]s of a step;
//! - [`election`]: F1-F6, over the votes of fast leader election;
//! - [`client`]: K1-K10, over what clients asked and were told;
//! - [`observed`]: histories, facts and ghosts from the steps of real cores, for the last two hosts;
//! - [`coarsening`]: elections that the model's oracle must allow;
//! - [`sometimes`]: R1-R29, the situations that must be reached for the rest to mean anything.
//!
//! Nothing here knows how the states are produced: no search, no clock, no I/O.
#![no_std]

extern crate alloc;

pub mod client;
pub mod coarsening;
pub mod election;
mod ghosts;
mod invariant;
pub mod observed;
pub mod safety;
pub mod sometimes;
pub mod tree;
mod view;

pub use ghosts::{Established, Ghosts, Primary, broken_by};
pub use invariant::{Fact, IdSet, Invariant, Removal, StateCheck, StepCheck};
pub use view::{Phase, Role, ServerView, Txn, Value, View, is_prefix, related};
