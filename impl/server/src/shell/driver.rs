//! The driver thread: what happened goes into the node, what it asks for comes out.

use super::clock::Clock;
use super::fatal::die;
use super::inbox::Inbox;
use super::snapshots::SnapshotSignal;
use std::sync::Arc;
use zk_node::disk::Command;
use zk_node::{Input, Node, Output};

/// Where the node's wishes go.
pub(crate) struct Hands {
    pub(crate) log: Arc<Inbox<Command>>,
    pub(crate) snapshots: Arc<SnapshotSignal>,
}

/// Runs until the inbox is closed and empty.
pub(crate) fn drive(mut node: Node, inbox: &Inbox<Input>, clock: Clock, hands: &Hands) {
    let mut inputs = vec![Input::Started];
    let mut outputs = Vec::new();
    loop {
        if let Err(error) = node.step(clock.now(), inputs.drain(..), &mut outputs) {
            die(&error);
        }
        hands.carry_out(outputs.drain(..));
        let deadline = node.next_ms().map(|at| clock.instant(at));
        if !inbox.take(&mut inputs, deadline) {
            return;
        }
    }
}

impl Hands {
    fn carry_out(&self, outputs: impl Iterator<Item = Output>) {
        let mut writes = Vec::new();
        for output in outputs {
            match output {
                Output::Persist { id, write } => writes.push(Command::Write { id, write }),
                Output::SnapshotDue => {
                    writes.push(Command::Roll);
                    self.snapshots.due();
                }
                Output::Report(report) => tracing::info!(?report, "protocol"),
                Output::Notify { .. }
                | Output::Dial { .. }
                | Output::HangUp
                | Output::Send { .. }
                | Output::SendSnapshot { .. }
                | Output::Disconnect { .. } => {}
            }
        }
        if !writes.is_empty() {
            self.log.extend(writes);
        }
    }
}
