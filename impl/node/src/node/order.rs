//! Steps that come from neither the clock nor the votes: for hosts that give the order of things themselves, as the
//! replay of the checker's paths does (`zk-sim`). No server takes them.

use super::{Node, NodeError, Output};
use crate::time::Now;
use zab::{Event, ServerId, Timer};

impl Node {
    /// The oracle's word on who leads (`zab::Config::oracle`).
    ///
    /// # Errors
    /// As `step`.
    pub fn elect(
        &mut self,
        now: Now,
        leader: ServerId,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        let mut effects = std::mem::take(&mut self.effects);
        self.peer.elect(leader, &mut effects)?;
        self.listener
            .told_election(leader, effects.as_slice(), &self.peer);
        self.carry_out(now, effects, out)?;
        self.finish(now, out)
    }

    /// A timer fires, whatever the clock says. False, and nothing happens, if it is not armed.
    ///
    /// # Errors
    /// As `step`.
    pub fn expire(
        &mut self,
        now: Now,
        timer: Timer,
        out: &mut Vec<Output>,
    ) -> Result<bool, NodeError> {
        if !self.timers.disarm(timer) {
            return Ok(false);
        }
        self.drive(now, Event::Expired { timer }, out)?;
        self.finish(now, out)?;
        Ok(true)
    }

    /// The timers that would fire some day, in their order.
    pub fn armed(&self) -> impl Iterator<Item = Timer> {
        self.timers.armed()
    }
}
