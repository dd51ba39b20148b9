//! Results of cases and of a whole run; what reports and claims are made from.

use serde::{Deserialize, Serialize};

use crate::case::{Case, Level};
use crate::profile::Version;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    #[serde(rename = "PASS")]
    Pass,
    #[serde(rename = "FAIL")]
    Fail,
    /// Right for clients, but not what Apache does.
    #[serde(rename = "NON-STRICT")]
    NonStrict,
    /// The server refuses the operation as unknown.
    #[serde(rename = "UNIMPLEMENTED")]
    Unimplemented,
    /// The target is not set up for the case; says nothing about the server.
    #[serde(rename = "PRECONDITION")]
    Precondition,
    /// Failed, then passed; counts as FAIL.
    #[serde(rename = "FLAKY")]
    Flaky,
    /// The suite, the driver or the network failed.
    #[serde(rename = "ERROR")]
    Error,
}

impl Outcome {
    pub const ALL: &[Outcome] = &[
        Outcome::Pass,
        Outcome::Fail,
        Outcome::NonStrict,
        Outcome::Unimplemented,
        Outcome::Precondition,
        Outcome::Flaky,
        Outcome::Error,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Outcome::Pass => "PASS",
            Outcome::Fail => "FAIL",
            Outcome::NonStrict => "NON-STRICT",
            Outcome::Unimplemented => "UNIMPLEMENTED",
            Outcome::Precondition => "PRECONDITION",
            Outcome::Flaky => "FLAKY",
            Outcome::Error => "ERROR",
        }
    }

    /// Keeps a MUST or COMPAT case from being held to.
    pub fn is_against(self) -> bool {
        !matches!(self, Outcome::Pass | Outcome::Precondition)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CaseResult {
    pub id: String,
    pub level: Level,
    pub outcome: Outcome,
    pub ms: u64,
    pub text: String,
    pub source: Vec<String>,
    /// Why it is not PASS; empty if it is.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Decoded frames and steps of a case that did not pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transcript: Vec<String>,
}

impl CaseResult {
    pub fn new(case: &Case, outcome: Outcome, why: String) -> CaseResult {
        CaseResult {
            id: case.id.clone(),
            level: case.level,
            outcome,
            ms: 0,
            text: case.text.clone(),
            source: case.source.clone(),
            why,
            transcript: Vec::new(),
        }
    }

    pub fn area(&self) -> &str {
        self.id.split('/').next().unwrap_or_default()
    }

    /// Does this result keep the run from being green?
    pub fn is_against(&self) -> bool {
        self.level != Level::Info && self.outcome.is_against()
    }
}

/// A whole run against one target.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunResult {
    pub suite_version: String,
    pub suite_hash: String,
    pub profile: Version,
    /// What the user calls the target.
    pub name: String,
    /// First line of `srvr`, and its mode.
    pub server_version: String,
    pub mode: String,
    pub duration_ms: u64,
    pub results: Vec<CaseResult>,
}

impl RunResult {
    pub fn count(&self, outcome: Outcome) -> usize {
        self.results
            .iter()
            .filter(|result| result.outcome == outcome)
            .count()
    }

    pub fn is_green(&self) -> bool {
        !self.results.iter().any(CaseResult::is_against)
    }
}
