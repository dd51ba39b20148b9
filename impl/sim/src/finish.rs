//! What must hold once the faults are over and everything is quiet.

use crate::check::Times;
use crate::plan::{HEAL_AT, INIT_LIMIT, MS, SECOND, SYNC_LIMIT, TICK_MS, Us};
use crate::process::{DATA_DIR, Process};
use crate::world::World;
use std::sync::Arc;
use zk_node::disk::restore;
use zk_storage::Store;

/// From healing to the first acknowledged write. spec: P-LIVE (L2) plus a client's way back.
const FIRST_WRITE: Us = SYNC_LIMIT * TICK_MS * MS + 3 * SECOND + 5 * SECOND;
/// The same when healing takes a server away: its leader may be in discovery and waits initLimit for it.
const FIRST_WRITE_WITH_LOSS: Us = INIT_LIMIT * TICK_MS * MS + 3 * SECOND + 5 * SECOND;

impl World {
    /// Judges the end of the run.
    pub fn finish(&mut self) {
        let watch = self.recorder(0);
        watch.lock().now = self.now;
        watch.lock().judge_all(true);
        let (commits, expiries) = {
            let mut watch = watch.lock();
            self.history.regimes = std::mem::take(&mut watch.regimes);
            (watch.commits.clone(), watch.expiries.clone())
        };
        let times = Times {
            plan: &self.plan,
            expiries: &expiries,
            commits: &commits,
        };
        // spec: INV-02. On 5 % of seeds.
        let search = self.plan.seed.is_multiple_of(20);
        let (broken, verdicts) = crate::check::check(&self.history, &times, search);
        for (rule, what, zxid) in broken {
            self.fail(rule, what, zxid);
        }
        self.totals.verdicts = verdicts;
        self.check_progress();
        self.check_replicas();
        self.check_disks();
    }

    // spec: INV-16
    fn check_progress(&self) {
        let limit = if self.plan.lost.is_some() {
            FIRST_WRITE_WITH_LOSS
        } else {
            FIRST_WRITE
        };
        let written = self.history.calls.iter().any(|call| {
            call.op.is_write()
                && call.reply.as_ref().is_some_and(|reply| {
                    reply.err == 0 && reply.at > HEAL_AT && reply.at < HEAL_AT + limit
                })
        });
        if !written {
            let what = "no write succeeded in time after healing".to_owned();
            self.fail("INV-16", what, 0);
        }
        for (index, client) in self.clients.iter().enumerate() {
            if !client.open.is_empty() {
                let what = format!(
                    "client {index} still waits for {} replies",
                    client.open.len()
                );
                self.fail("INV-16", what, 0);
            }
        }
        for (server, slot) in self.slots.iter().enumerate() {
            let serves = slot
                .process
                .as_ref()
                .is_some_and(|process| process.shared.serves(false));
            if self.plan.lost != Some(server) && !serves {
                let what = format!("server {} does not serve: {}", server + 1, slot.stopped_why);
                self.fail("INV-16", what, 0);
            }
        }
    }

    fn live(&self) -> impl Iterator<Item = (usize, &Process)> {
        self.slots
            .iter()
            .enumerate()
            .filter_map(|(server, slot)| Some((server, slot.process.as_ref()?)))
    }

    // spec: INV-12
    fn check_replicas(&self) {
        let states: Vec<_> = self
            .live()
            .filter_map(|(server, process)| {
                let tree = process.shared.tree.read().ok()?;
                let mut sessions: Vec<_> = tree.sessions().collect();
                sessions.sort_unstable();
                Some((server, (tree.last_zxid(), tree.digest(), sessions)))
            })
            .collect();
        for pair in states.windows(2) {
            if pair[0].1 != pair[1].1 {
                let what = format!(
                    "servers {} and {} differ: zxid {:#x} digest {:x} {} sessions, zxid {:#x} digest {:x} {} sessions",
                    pair[0].0 + 1,
                    pair[1].0 + 1,
                    pair[0].1.0,
                    pair[0].1.1,
                    pair[0].1.2.len(),
                    pair[1].1.0,
                    pair[1].1.1,
                    pair[1].1.2.len(),
                );
                self.fail("INV-12", what, pair[0].1.0);
            }
        }
    }

    /// Each server restarted from its disk is what it was.
    // spec: INV-12, INV-11
    fn check_disks(&self) {
        for (server, process) in self.live() {
            let slot = &self.slots[server];
            let disk = slot.disk.fork();
            let again = Store::open(Arc::new(disk), slot.identity.storage())
                .and_then(|store| restore(&store, &slot.identity.settings.tree(), 0));
            let restored = match again {
                Ok(restored) => restored,
                Err(error) => {
                    let what = format!("server {} would not start again: {error}", server + 1);
                    self.fail("INV-12", what, 0);
                    continue;
                }
            };
            let Ok(tree) = process.shared.tree.read() else {
                continue;
            };
            if restored.tree.digest() != tree.digest() {
                let what = format!(
                    "server {} restarts as another: zxid {:#x} digest {:x}, was {:#x} {:x} ({DATA_DIR})",
                    server + 1,
                    restored.tree.last_zxid(),
                    restored.tree.digest(),
                    tree.last_zxid(),
                    tree.digest(),
                );
                self.fail("INV-12", what, tree.last_zxid());
            }
        }
    }
}
