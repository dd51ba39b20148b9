//! Phase 3, and the frame of all phases after the election: what a leader and
//! a learner keep, and which leaf handles which message.

mod commit;
pub(crate) mod leader;
pub(crate) mod learner;
mod liveness;
pub(crate) mod reads;
