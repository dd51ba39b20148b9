//! What the core's changes of role mean for clients.

use super::write::Waiter;
use super::{Committed, Node, NodeError, Output};
use crate::conn::lane::End;
use crate::stats::Mode;
use crate::sync::{lock, read, write};
use crate::time::Now;
use std::sync::Arc;
use zab::{Epoch, Report};
use zk_tree::Prep;

impl Node {
    /// Whether the global sessions are timed here.
    // spec: CP-SES-01
    pub(super) fn times_sessions(&self) -> bool {
        matches!(self.shared.mode(), Mode::Standalone | Mode::Leader)
    }

    pub(super) fn report(
        &mut self,
        now: Now,
        report: Report,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        out.push(Output::Report(report));
        match report {
            Report::Established { epoch } => {
                self.apply_all(now, out)?;
                self.begin_epoch(now, epoch);
            }
            Report::Opened { .. } => {
                self.apply_all(now, out)?;
                let standalone = self.peer.config().standalone;
                self.serve(
                    now,
                    if standalone {
                        Mode::Standalone
                    } else {
                        Mode::Leader
                    },
                );
                for (link, question) in std::mem::take(&mut self.questions) {
                    self.revalidate(now, link, question);
                }
            }
            Report::UpToDate { epoch } => {
                self.apply_all(now, out)?;
                self.begin_epoch(now, epoch);
                let observer = self.peer.config().observer;
                self.serve(
                    now,
                    if observer {
                        Mode::Observer
                    } else {
                        Mode::Follower
                    },
                );
            }
            Report::Looking => {
                self.shared.totals.elections.add(1);
                self.apply_all(now, out)?;
                self.stop_serving();
                self.await_read_only(now);
            }
            Report::Leading | Report::Following { .. } | Report::Observing { .. } => {
                self.end_read_only();
            }
            Report::Electing { .. }
            | Report::EpochChosen { .. }
            | Report::Synchronising { .. }
            | Report::Joined { .. }
            | Report::MoreRecent { .. }
            | Report::QuorumLost
            | Report::CounterExhausted
            | Report::FirstStart
            | Report::LaterPromise { .. }
            | Report::TooSlow => {}
            Report::Ignored { why } => self.blame(why),
        }
        Ok(())
    }

    /// The history before the epoch is in the tree.
    fn begin_epoch(&mut self, now: Now, epoch: Epoch) {
        if self.peer.config().standalone {
            return;
        }
        // spec: QP-ZAB-20. The whole history before the epoch is here, so its start is what
        // clients may be shown; a client that saw it elsewhere is not turned away.
        let mut tree = write(&self.shared.tree);
        // spec: CP-TREE-02, QP-CFG-13. Local to each server, and anew after each synchronisation.
        if let Some((text, version)) = &self.configuration {
            tree.set_config(text.as_bytes(), *version, now.wall_ms);
        }
        if tree.last_zxid() < epoch.start().0 {
            tree.set_last_zxid(epoch.start().0);
            self.shared.set_applied(epoch.start().0);
        }
    }

    fn serve(&mut self, now: Now, mode: Mode) {
        self.shared.set_mode(mode);
        if self.times_sessions() {
            self.time_sessions(now);
        }
    }

    /// Times every known session afresh.
    // spec: CP-SES-06
    fn time_sessions(&mut self, now: Now) {
        let tree = read(&self.shared.tree);
        let mut sessions = lock(&self.shared.sessions);
        sessions.clear_global();
        for (id, timeout) in tree.sessions() {
            sessions.start(now.mono_ms, id, u32::try_from(timeout).unwrap_or(0), false);
        }
        // Ephemerals whose session no record tells of: a session that ends at once takes them away
        // through the log, on every server alike.
        // spec: DF-REC-22
        for (owner, _) in tree.ephemeral_owners() {
            sessions.start(now.mono_ms, owner, 0, false);
        }
    }

    /// Drops every client: what they asked may or may not become history.
    // spec: P-STOP, QP-BC-19, CP-FRM-11
    pub(super) fn stop_serving(&mut self) {
        self.shared.set_mode(Mode::NotServing);
        let lanes: Vec<_> = lock(&self.shared.lanes)
            .by_id
            .values()
            .map(Arc::clone)
            .collect();
        for lane in lanes {
            lane.lock().end = End::Now;
            self.rings.push(lane);
        }
        self.behind.clear();
        for own in self.own.drain(..) {
            if let Waiter::Connect(lane, _) = own.waiter {
                lane.lock().end = End::Now;
                self.rings.push(lane);
            }
        }
        self.prep = Prep::default();
        // A leader answers syncs in their order: one that is never answered would take the next one's answer.
        let syncs = std::mem::take(&mut self.syncs).into_values();
        for sync in syncs.chain(std::mem::take(&mut self.learner_syncs)) {
            self.give_up_sync(&sync);
        }
        self.owners.clear();
        self.upgrading.clear();
        self.opening = None;
        self.questions.clear();
        self.revalidating.clear();
        self.waiting.clear();
        self.committed
            .retain(|committed| matches!(committed, Committed::Txn(_)));
        lock(&self.shared.sessions).clear_global();
    }
}
