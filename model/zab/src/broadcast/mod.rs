//! Phase 3, and the frame of all phases after the election: what a leader and
//! a learner keep, and which leaf handles which message.

pub(crate) mod commit;
pub(crate) mod leader;
pub(crate) mod learner;
pub(crate) mod reads;
