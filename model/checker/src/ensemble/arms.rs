//! Which arms of the core's `match` over phase and message the deliveries of a run have taken. An arm that no run takes is
//! dead, or out of reach of the bounds.

use std::sync::atomic::{AtomicU64, Ordering};

use zab::{Message, Phase, ServerState};

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

/// Who hears votes, and from whom.
const STATES: [&str; 3] = ["looking", "following", "leading"];

/// A bit for each arm that was taken.
#[derive(Debug, Default)]
pub(super) struct Arms {
    messages: AtomicU64,
    votes: AtomicU64,
}

impl Arms {
    pub(super) fn note(&self, phase: Phase, message: &Message<u8>) {
        if let (Some(phase), Some(message)) = (place_of(phase), kind_of(message)) {
            let bit = 1 << (phase * MESSAGES.len() + message);
            set(&self.messages, bit);
        }
    }

    /// R22: whether each kind of message has been delivered, in whatever phase. SNAP and TRUNC have situations of their
    /// own, R6 and R5.
    pub(super) fn every_message(&self) -> bool {
        let taken = self.messages.load(Ordering::Relaxed);
        let delivered = |message: usize| {
            (0..PHASES.len()).any(|phase| taken & 1 << (phase * MESSAGES.len() + message) != 0)
        };
        (0..MESSAGES.len())
            .filter(|it| !["TRUNC", "SNAP"].contains(&MESSAGES[*it]))
            .all(delivered)
    }

    /// A server in one state hears the vote of a server in another.
    pub(super) fn note_vote(&self, hearer: ServerState, speaker: ServerState) {
        if let (Some(hearer), Some(speaker)) = (state_of(hearer), state_of(speaker)) {
            set(&self.votes, 1 << (hearer * STATES.len() + speaker));
        }
    }

    /// The votes that were never heard.
    pub(super) fn unheard(&self) -> String {
        let taken = self.votes.load(Ordering::Relaxed);
        let pairs =
            (0..STATES.len()).flat_map(|hearer| (0..STATES.len()).map(move |it| (hearer, it)));
        let never =
            pairs.filter(|(hearer, speaker)| taken & 1 << (hearer * STATES.len() + speaker) == 0);
        let never: Vec<String> = never
            .map(|(hearer, speaker)| format!("{} by {}", STATES[speaker], STATES[hearer]))
            .collect();
        if never.is_empty() {
            "none".to_owned()
        } else {
            never.join(", ")
        }
    }

    /// Those that were never taken.
    pub(super) fn untaken(&self) -> String {
        let taken = self.messages.load(Ordering::Relaxed);
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

fn set(bits: &AtomicU64, bit: u64) {
    if bits.load(Ordering::Relaxed) & bit == 0 {
        bits.fetch_or(bit, Ordering::Relaxed);
    }
}

fn state_of(state: ServerState) -> Option<usize> {
    match state {
        ServerState::Looking => Some(0),
        ServerState::Following => Some(1),
        ServerState::Leading => Some(2),
        ServerState::Observing => None,
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
