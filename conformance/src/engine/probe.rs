//! Other clients of the target: is it there for them while a case misbehaves?

use super::Stop;
use super::run::Run;
use crate::wire::value::Value;

const ROUND: &str = "probe";

impl Run<'_> {
    /// A session on each server, none of them the case's own, writes a znode of its own; then each reads, after
    /// a sync, what all have written. The sessions stay: a server that ended in between has lost its one.
    pub(super) fn probe(&mut self) -> Result<(), Stop> {
        let count = self.target.servers.len();
        let round = self.vars.values.get(ROUND).and_then(Value::int);
        let next = round.map_or(0, |round| round + 1);
        for server in 1..=count {
            if round.is_none() {
                self.script(&format!(
                    "probe{server}: connect on={server} timeout=60000\nprobe{server}: create ~/probe{server}"
                ))?;
            }
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
