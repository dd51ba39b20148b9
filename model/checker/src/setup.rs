//! Everything that decides what a run explores: granularity, bounds, environment, mutant, and which properties judge it.
//! Stored beside each counterexample, so that it replays.

use serde::{Deserialize, Serialize};

use crate::catalogue;
use crate::ensemble::MAX_SERVERS;

/// The granularities of zab-model section 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Granularity {
    /// Oracle election fused with discovery.
    G0,
    /// Oracle election, real discovery, synchronisation and broadcast.
    G1,
    /// Real election alone.
    G2,
    /// All real; for simulation.
    G3,
    /// The client model.
    GC,
}

/// How often the environment may do what it does. For GC: operations of a client as `txns`, expiries as `crashes`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    pub elections: u8,
    pub txns: u8,
    pub crashes: u8,
    pub breaks: u8,
}

impl Bounds {
    pub const fn new(elections: u8, txns: u8, crashes: u8, breaks: u8) -> Self {
        Self {
            elections,
            txns,
            crashes,
            breaks,
        }
    }
}

/// `2,1,1,1`: elections, txns, crashes, breaks.
impl std::str::FromStr for Bounds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Result<Vec<u8>, _> = text.split(',').map(|part| part.trim().parse()).collect();
        match numbers.as_deref() {
            Ok([elections, txns, crashes, breaks]) => {
                Ok(Self::new(*elections, *txns, *crashes, *breaks))
            }
            _ => Err(format!(
                "{text}: four numbers wanted: elections,txns,crashes,breaks"
            )),
        }
    }
}

impl std::fmt::Display for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{},{},{},{}",
            self.elections, self.txns, self.crashes, self.breaks
        )
    }
}

/// One configuration of the checker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    pub granularity: Granularity,
    pub servers: u8,
    pub bounds: Bounds,
    /// Timers that may fire although nothing is lost.
    pub timeouts: u8,
    /// Data directories that may be wiped.
    pub wipes: u8,
    /// Writes wait in the disk's queue, and crashes fall between them; else each is done when it is asked for.
    pub queued_disk: bool,
    /// The two ends of a broken link learn of it one after the other.
    pub half_open: bool,
    /// The oracle elects any member of a quorum; else one of the most recent.
    pub any_leader: bool,
    /// The last so many servers observe.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub observers: u8,
    /// The sizes of the groups that the voters form, in order, each voter with weight 1; none: a majority decides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<u8>,
    /// Syncs that clients may ask for, one after the other.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub asks: u8,
    /// Voters start with histories that differ in epoch and zxid: one start for each way to hand them out.
    #[serde(default, skip_serializing_if = "is_not")]
    pub histories: bool,
    /// How many committed transactions stay in memory for DIFF; small makes SNAP frequent.
    pub window: usize,
    /// The last counter of an epoch.
    pub counter_limit: u32,
    /// Peers behave as Java's where that is legal and less careful.
    #[serde(default)]
    pub java: bool,
    /// Followers acknowledge NEWLEADER before they have written what it ends, as those of Apache ZooKeeper 3.8.0.
    #[serde(default)]
    pub acks_unwritten: bool,
    /// Leaders serve only once a first txn of their epoch is committed (spec: QP-INT-02).
    #[serde(default)]
    pub opening_txn: bool,
    /// Leaves out interleavings that cannot matter; off to show that they do not.
    #[serde(default)]
    pub reduced: bool,
    /// One state in so many is followed to where it leads (L2 to L5).
    #[serde(default = "one_in")]
    pub followed_one_in: u64,
    /// A wiped directory is taken for that of a first start, as an `initialize` file in it says (spec: DF-REC-05).
    #[serde(default)]
    pub initialize: bool,
    /// All scripts of the client model instead of the quick ones.
    pub all_scripts: bool,
    /// Numbers of the situations that a complete run must have reached.
    #[serde(default)]
    pub expected: Vec<u8>,
    pub mutant: Option<String>,
    /// The only properties that judge; all if none is named.
    pub judged: Vec<String>,
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_not(flag: &bool) -> bool {
    !*flag
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(count: &u8) -> bool {
    *count == 0
}

fn one_in() -> u64 {
    1024
}

impl Setup {
    pub fn new(granularity: Granularity, bounds: Bounds) -> Self {
        Self {
            granularity,
            servers: 3,
            bounds,
            timeouts: 0,
            wipes: 0,
            queued_disk: true,
            half_open: true,
            any_leader: true,
            observers: 0,
            groups: Vec::new(),
            asks: 0,
            histories: false,
            window: 500,
            counter_limit: u32::MAX,
            java: false,
            acks_unwritten: false,
            opening_txn: false,
            reduced: true,
            followed_one_in: one_in(),
            initialize: false,
            all_scripts: false,
            expected: Vec::new(),
            mutant: None,
            judged: Vec::new(),
        }
    }

    pub fn disk_name(&self) -> &'static str {
        if self.queued_disk { "queued" } else { "atomic" }
    }

    pub fn links_name(&self) -> &'static str {
        if self.half_open {
            "half-open"
        } else {
            "closed at once"
        }
    }

    /// Whether states are followed to where they lead (L2 to L5).
    pub fn follows(&self) -> bool {
        !matches!(self.granularity, Granularity::G2 | Granularity::GC)
    }

    /// Why this cannot be run, if it cannot. What a granularity does not do must not be asked of it.
    pub fn problem(&self) -> Option<String> {
        let Bounds {
            elections,
            txns,
            breaks,
            ..
        } = self.bounds;
        let granularity = self.granularity;
        let problem = match granularity {
            Granularity::GC if self.servers != 2 => {
                "GC has two replicas, so --servers is 2".to_owned()
            }
            Granularity::GC if elections != 0 || !(1..=2).contains(&txns) => format!(
                "bounds {}: GC has no elections, and scripts of one or two operations: 0,1 or 0,2, then expiries and breaks",
                self.bounds
            ),
            Granularity::GC if self.wipes > 0 || self.java || self.timeouts > 0 => {
                "GC has no servers whose directories are wiped, timers fire or leaders are Java's"
                    .to_owned()
            }
            Granularity::GC => return self.unjudged(),
            _ if !(1..=MAX_SERVERS).contains(&usize::from(self.servers)) => format!(
                "{} servers: this model has room for 1 to {MAX_SERVERS}",
                self.servers
            ),
            _ if self.asks > 1 => "one sync at most: the model remembers one".to_owned(),
            _ if self.observers >= self.servers => "nobody votes".to_owned(),
            _ if !self.groups.is_empty()
                && self.groups.iter().sum::<u8>() != self.servers - self.observers =>
            {
                format!("groups {:?} are not all voters", self.groups)
            }
            Granularity::G2 if (elections, txns, breaks) != (0, 0, 0) => format!(
                "bounds {}: G2 ends with the election, and knows crashes alone: 0,0,crashes,0",
                self.bounds
            ),
            Granularity::G3 if elections != 0 => format!(
                "bounds {}: servers of G3 elect as often as they like, so the first is 0",
                self.bounds
            ),
            // Ids begin above all epochs, so that a hasher tells one from the other.
            Granularity::G0 | Granularity::G1 if elections > 9 => {
                format!("bounds {}: at most 9 elections", self.bounds)
            }
            _ if self.initialize && self.wipes == 0 => {
                "an `initialize` file is put into wiped directories alone: say how many, by --wipes"
                    .to_owned()
            }
            _ => return self.unjudged(),
        };
        Some(problem)
    }

    /// An id among [`Self::judged`] that names nothing that this granularity judges.
    fn unjudged(&self) -> Option<String> {
        let known = catalogue::properties_of(self.granularity);
        let stranger = self
            .judged
            .iter()
            .find(|id| !known.iter().any(|it| it == id))?;
        Some(format!(
            "{stranger}: {:?} judges no such property, but {}",
            self.granularity,
            known.join(" ")
        ))
    }

    /// The same with a mutant, judged by the property that it must violate.
    #[must_use]
    pub fn mutated(mut self, mutant: &str, property: &str) -> Self {
        self.mutant = Some(mutant.to_owned());
        self.judged = vec![property.to_owned()];
        self
    }
}
