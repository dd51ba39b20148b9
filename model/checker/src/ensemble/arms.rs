//! Which arms of the core's `match` over phase and message the deliveries of a run have taken. An arm that no run takes is
//! dead, or out of reach of the bounds.

use std::sync::atomic::{AtomicU64, Ordering};

use zab::{Message, Phase};

/// The messages of an ensemble of voters without clients.
const MESSAGES: [&str; 11] = [
    "FOLLOWERINFO",
    "LEADERINFO",
    "ACKEPOCH",
    "DIFF",
    "TRUNC",
    "SNAP",
    "NEWLEADER",
    "ACK",
    "UPTODATE",
    "PROPOSAL",
    "COMMIT",
];

/// A looking server has no links.
const PHASES: [&str; 3] = ["discovery", "synchronisation", "broadcast"];

/// A bit for each arm that was taken.
#[derive(Debug, Default)]
pub(super) struct Arms(AtomicU64);

impl Arms {
    pub(super) fn note(&self, phase: Phase, message: &Message<u8>) {
        if let (Some(phase), Some(message)) = (place_of(phase), kind_of(message)) {
            let bit = 1 << (phase * MESSAGES.len() + message);
            if self.0.load(Ordering::Relaxed) & bit == 0 {
                self.0.fetch_or(bit, Ordering::Relaxed);
            }
        }
    }

    /// Those that were never taken.
    pub(super) fn untaken(&self) -> String {
        let taken = self.0.load(Ordering::Relaxed);
        let of = |phase: usize| {
            let messages: Vec<&str> = MESSAGES
                .iter()
                .enumerate()
                .filter(|(message, _)| taken & 1 << (phase * MESSAGES.len() + message) == 0)
                .map(|(_, name)| *name)
                .collect();
            format!("in {}: {}", PHASES[phase], messages.join(" "))
        };
        let all: Vec<String> = (0..PHASES.len()).map(of).collect();
        all.join("; ")
    }
}

fn place_of(phase: Phase) -> Option<usize> {
    match phase {
        Phase::Election => None,
        Phase::Discovery => Some(0),
        Phase::Synchronisation => Some(1),
        Phase::Broadcast => Some(2),
    }
}

fn kind_of(message: &Message<u8>) -> Option<usize> {
    match message {
        Message::FollowerInfo { .. } => Some(0),
        Message::LeaderInfo { .. } => Some(1),
        Message::AckEpoch { .. } => Some(2),
        Message::Diff { .. } => Some(3),
        Message::Trunc { .. } => Some(4),
        Message::Snap { .. } => Some(5),
        Message::NewLeader { .. } => Some(6),
        Message::Ack { .. } => Some(7),
        Message::UpToDate => Some(8),
        Message::Proposal(_) => Some(9),
        Message::Commit { .. } => Some(10),
        Message::Request { .. }
        | Message::Ping { .. }
        | Message::Revalidate { .. }
        | Message::Sync
        | Message::Inform(_)
        | Message::CommitAndActivate { .. }
        | Message::ObserverInfo { .. }
        | Message::InformAndActivate { .. } => None,
    }
}
