//! Other clients of the target: is it there for them while a case misbehaves?

use super::Stop;
use super::run::Run;
use crate::wire::value::Value;

const ROUND: &str = "probe";

impl Run<'_> {
    /// A session on each server, none of them the case's own. The first probe of a case opens them; each later one
    /// has every session write, and then read, after a sync, what all have written. A server that ended in between
    /// has lost its session's connection.
    pub(super) fn probe(&mut self) -> Result<(), Stop> {
        let count = self.target.servers.len();
        let Some(round) = self.vars.values.get(ROUND).and_then(Value::int) else {
            for server in 1..=count {
                self.script(&format!(
                    "probe{server}: connect on={server} timeout=60000\nprobe{server}: create ~/probe{server}"
                ))?;
            }
            self.vars.values.insert(ROUND.into(), Value::Int(0));
            return Ok(());
        };
        let next = round + 1;
        for server in 1..=count {
            self.script(&format!(
                "probe{server}: setData ~/probe{server} \"{next}\""
            ))?;
        }
        for reader in 1..=count {
            self.script(&format!("probe{reader}: sync ~"))?;
            for writer in 1..=count {
                self.script(&format!(
                    "probe{reader}: getData ~/probe{writer} -> ok data=\"{next}\""
                ))?;
            }
        }
        self.vars.values.insert(ROUND.into(), Value::Int(next));
        Ok(())
    }
}
