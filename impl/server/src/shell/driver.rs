//! The driver thread: what happened goes into the node, what it asks for comes out.

use super::clock::Clock;
use super::fatal::die;
use super::fault::{self, Turn};
use super::inbox::Inbox;
use super::quorum::election::Election;
use super::quorum::links::{Links, Standing};
use super::quorum::queue::Sends;
use super::snapshots::SnapshotSignal;
use std::sync::Arc;
use zab::{Report, Write};
use zk_node::disk::Command;
use zk_node::{Input, Node, Output};

/// Where the node's wishes go.
pub(crate) struct Hands {
    pub(crate) log: Arc<Inbox<Command>>,
    pub(crate) snapshots: Arc<SnapshotSignal>,
    /// None when standalone.
    pub(crate) ensemble: Option<Ensemble>,
}

/// The ports between servers.
pub(crate) struct Ensemble {
    pub(crate) election: Arc<Election>,
    pub(crate) links: Arc<Links>,
}

/// Runs until the inbox is closed and empty.
pub(crate) fn drive(mut node: Node, inbox: &Inbox<Input>, clock: Clock, hands: &Hands) {
    let mut inputs = vec![Input::Started];
    let mut outputs = Vec::new();
    let mut served = false;
    loop {
        fault::pass(Turn::Driver);
        if let Err(error) = node.step(clock.now(), inputs.drain(..), &mut outputs) {
            die(&error);
        }
        hands.carry_out(outputs.drain(..));
        if !served && node.shared().serves(true) {
            served = true;
            tracing::info!(elapsed_ms = clock.now().mono_ms, "serving");
        }
        let deadline = node.next_ms().map(|at| clock.instant(at));
        if !inbox.take(&mut inputs, deadline) {
            return;
        }
    }
}

impl Hands {
    fn carry_out(&self, outputs: impl Iterator<Item = Output>) {
        let (mut writes, mut bytes) = (Vec::new(), 0);
        let mut sends = Sends::default();
        for output in outputs {
            match output {
                Output::Persist { id, write } => {
                    if let Write::Append(proposal) = &write {
                        bytes += proposal.txn.len();
                    }
                    writes.push(Command::Write { id, write });
                }
                Output::SnapshotDue => {
                    writes.push(Command::Roll);
                    self.snapshots.due();
                }
                Output::Diverged { zxid } => {
                    tracing::error!(%zxid, "this server's tree differs from its leader's");
                }
                Output::Report(report) => {
                    tracing::info!(?report, "protocol");
                    if let Some(ensemble) = &self.ensemble {
                        ensemble.reported(report);
                    }
                }
                Output::Notify { .. }
                | Output::Dial { .. }
                | Output::HangUp
                | Output::Send { .. }
                | Output::SendSnapshot { .. }
                | Output::Disconnect { .. } => {
                    if let Some(ensemble) = &self.ensemble {
                        ensemble.carry_out(output, &mut sends);
                    }
                }
            }
        }
        if let Some(ensemble) = &self.ensemble {
            ensemble.links.flush(sends);
        }
        if !writes.is_empty() {
            self.log.extend_by(writes, bytes);
        }
    }
}

impl Ensemble {
    fn reported(&self, report: Report) {
        match report {
            Report::Looking => self.links.stand(Standing::Looking),
            Report::Leading => self.links.stand(Standing::Leading),
            Report::Following { .. } | Report::Observing { .. } => {
                self.links.stand(Standing::Learning)
            }
            Report::Electing { .. }
            | Report::EpochChosen { .. }
            | Report::Synchronising { .. }
            | Report::Established { .. }
            | Report::Opened { .. }
            | Report::UpToDate { .. }
            | Report::Joined { .. }
            | Report::MoreRecent { .. }
            | Report::LaterPromise { .. }
            | Report::QuorumLost
            | Report::TooSlow
            | Report::CounterExhausted
            | Report::FirstStart
            | Report::Ignored { .. } => {}
        }
    }

    fn carry_out(&self, output: Output, sends: &mut Sends) {
        match output {
            Output::Notify { to, notification } => self.election.notify(to, &notification),
            Output::Dial { leader } => self.links.dial(leader),
            Output::HangUp => self.links.hang_up(),
            Output::Send { link, message } => self.links.send(sends, link, message),
            Output::SendSnapshot { link, zxid: _ } => sends.snapshot(link),
            Output::Disconnect { link, why } => {
                tracing::info!(?link, ?why, "link closed");
                self.links.close(sends, link);
            }
            Output::Persist { .. }
            | Output::Report(_)
            | Output::Diverged { .. }
            | Output::SnapshotDue => {}
        }
    }
}
