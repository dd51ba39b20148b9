//! What a run found, as it is stored, and the table that is made of all of them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use zab_properties::IdSet;

use crate::run::{Extent, Outcome};
use crate::setup::{Granularity, Setup};

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub name: String,
    pub setup: Setup,
    pub extent: Extent,
    pub verified: bool,
    pub unique: usize,
    pub generated: usize,
    pub depth: usize,
    pub seconds: f64,
    pub states_per_second: f64,
    pub peak_memory_mb: Option<u64>,
    pub collision_probability: f64,
    /// Situations, as `R1`.
    pub reached: Vec<String>,
    /// Situations that a complete run must have reached and has not.
    pub missing: Vec<String>,
    pub violated: Option<Vec<String>>,
    /// What names the sources that were run.
    pub source: Option<String>,
}

impl Record {
    pub fn new<A>(name: &str, setup: &Setup, outcome: &Outcome<A>, source: Option<&str>) -> Self {
        let violated = outcome.violation.as_ref().map(|it| &it.properties);
        Self {
            name: name.to_owned(),
            setup: setup.clone(),
            extent: outcome.extent,
            verified: is_verified(setup, outcome),
            unique: outcome.unique,
            generated: outcome.generated,
            depth: outcome.depth,
            seconds: outcome.seconds,
            states_per_second: outcome.unique as f64 / outcome.seconds.max(0.001),
            peak_memory_mb: outcome.peak_memory_mb,
            collision_probability: outcome.collision_probability(),
            reached: ids(outcome.reached),
            missing: ids(outcome.missing),
            violated: violated.map(|it| it.iter().map(|id| (*id).to_owned()).collect()),
            source: source.map(str::to_owned),
        }
    }

    fn row(&self) -> String {
        let setup = &self.setup;
        let client = setup.granularity == Granularity::GC;
        let (disk, links) = if client {
            ("-", "-")
        } else {
            (setup.disk_name(), setup.links_name())
        };
        format!(
            "| {} | {:?} | {} | {} | {disk} | {links} | {} | {} | {:.0} | {} | {:.1e} | {} | {} |",
            self.name,
            setup.granularity,
            setup.servers,
            setup.bounds,
            grouped(self.unique),
            self.depth,
            self.seconds,
            self.peak_memory_mb
                .map_or("?".to_owned(), |it| format!("{it} MiB")),
            self.collision_probability,
            self.verdict(),
            self.source.as_deref().unwrap_or("?"),
        )
    }

    fn verdict(&self) -> String {
        if let Some(violated) = &self.violated {
            return format!("VIOLATED {}", violated.join(" "));
        }
        match self.extent {
            Extent::Complete if self.verified => "complete".to_owned(),
            Extent::Complete if self.missing.is_empty() => "complete, little asked".to_owned(),
            Extent::Complete => format!("complete, never reached {}", self.missing.join(" ")),
            Extent::Stopped => "stopped".to_owned(),
            Extent::CutByTime => "cut by time".to_owned(),
            Extent::CutByStates => "cut by states".to_owned(),
            Extent::CutByMemory => "cut by memory".to_owned(),
        }
    }
}

/// Whether "verified" may be said of a run: of no mutant, and with situations that had to be reached.
pub fn is_verified<A>(setup: &Setup, outcome: &Outcome<A>) -> bool {
    outcome.is_verified() && setup.mutant.is_none()
}

/// Situations as a reader wants them.
pub fn ids(set: IdSet) -> Vec<String> {
    set.iter().map(|number| format!("R{number}")).collect()
}

/// Digits in groups of three.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The table, in the order given.
pub fn table(records: &[Record]) -> String {
    let mut text = String::from(
        "| run | granularity | servers | bounds | disk | links | unique states | depth | seconds | memory | P(collision) \
         | extent | source |\n|---|---|---:|---|---|---|---:|---:|---:|---:|---:|---|---|\n",
    );
    for record in records {
        // Writing to a string cannot fail.
        writeln!(text, "{}", record.row()).unwrap_or_default();
    }
    text
}

const BEGIN: &str = "<!-- results: begin -->\n";
const END: &str = "<!-- results: end -->\n";

/// The page with the table between its markers replaced. None if it has no markers.
pub fn placed(page: &str, table: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}{table}{END}{after}"))
}
