//! The two ports between servers: election connections and learner links.

pub(crate) mod door;
pub(crate) mod election;
pub(crate) mod links;
pub(crate) mod members;
pub(crate) mod queue;
mod reader;
pub(crate) mod syncs;
mod told;
