//! Cases: metadata and steps, from the embedded TOML files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::code;
use crate::engine::Stop;
use crate::engine::run::Run;
use crate::profile::Version;
use crate::script::parse;
use crate::script::step::Script;

/// Every case file, by name, in name order.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/case_files.rs"));

/// How much a case matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Clients rely on it.
    Must,
    /// Apache does it and a client can tell, but few would notice.
    Compat,
    /// Told, never held against a server: what differs between versions.
    Info,
}

/// What a target must have for a case to mean anything.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// `super:test` is the super user.
    Super,
    /// `extendedTypesEnabled=true`.
    Ttl,
    /// `extendedTypesEnabled` is off.
    NoTtl,
    /// `enforceQuota=true`.
    Quota,
    /// Containers and TTL znodes are looked at within seconds.
    Container,
    /// Sessions of two seconds are allowed.
    ShortSessions,
    #[value(skip)]
    Standalone,
    #[value(skip)]
    Ensemble,
    /// A driver file was given.
    #[value(skip)]
    Driver,
}

/// What a case does.
#[derive(Clone)]
pub enum Body {
    Script(Script),
    Code(fn(&mut Run<'_>) -> Result<(), Stop>),
}

#[derive(Clone)]
pub struct Case {
    pub id: String,
    pub level: Level,
    /// One sentence: what the server must do.
    pub text: String,
    /// Rule IDs, Java classes, JIRA numbers.
    pub source: Vec<String>,
    pub since: Option<Version>,
    pub until: Option<Version>,
    pub needs: Vec<Need>,
    /// Lines of zoo.cfg, `key=value`, with which a driver restarts all servers for this case.
    pub settings: Vec<String>,
    /// Can hurt a server that is not robust; runs only with `--hazardous`.
    pub hazardous: bool,
    /// Runs once through each server of the target, so through each role of an ensemble.
    pub everywhere: bool,
    /// The steps, without comments, or the name of the code: all of a case that its outcome depends on, but for what
    /// it needs.
    pub asks: String,
    pub body: Body,
}

impl Case {
    /// First part of the ID.
    pub fn area(&self) -> &str {
        self.id.split('/').next().unwrap_or_default()
    }

    /// Changes the ensemble, may hurt it or needs it undisturbed: runs alone.
    pub fn is_exclusive(&self) -> bool {
        self.hazardous || self.needs.contains(&Need::Driver) || !self.settings.is_empty()
    }

    /// The case's name as one path component.
    pub fn slug(&self) -> String {
        self.id.replace('/', "-")
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    level: Level,
    text: String,
    source: Vec<String>,
    since: Option<Version>,
    until: Option<Version>,
    #[serde(default)]
    needs: Vec<Need>,
    #[serde(default)]
    settings: Vec<String>,
    #[serde(default)]
    hazardous: bool,
    #[serde(default)]
    everywhere: bool,
    steps: Option<String>,
    code: Option<String>,
    /// One case for each row; `<key>` stands for the row's value everywhere.
    rows: Option<Vec<BTreeMap<String, String>>>,
}

/// All cases, in file order. An error names the file and the case.
pub fn all() -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for (name, text) in FILES {
        let file: File = toml::from_str(text).map_err(|error| format!("{name}: {error}"))?;
        for entry in file.case {
            let rows = entry.rows.clone().unwrap_or_else(|| vec![BTreeMap::new()]);
            for row in &rows {
                let case = entry
                    .expand(row)
                    .map_err(|why| format!("{name}: {}: {why}", entry.id))?;
                cases.push(case);
            }
        }
    }
    Ok(cases)
}

/// The file of the hazardous cases. No claim is made of them, so they are no part of a suite's hash.
const HAZARDOUS: &str = "robustness.toml";

/// Hex SHA-256 over the case files: which questions a claim answers.
pub fn suite_hash() -> String {
    let mut hash = Sha256::new();
    for (name, text) in FILES.iter().filter(|(name, _)| *name != HAZARDOUS) {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(text.as_bytes());
        hash.update([0]);
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

impl Entry {
    fn expand(&self, row: &BTreeMap<String, String>) -> Result<Case, String> {
        let fill = |text: &str| {
            row.iter().fold(text.to_owned(), |text, (key, value)| {
                text.replace(&format!("<{key}>"), value)
            })
        };
        let (asks, body) = match (&self.steps, &self.code) {
            (Some(steps), None) => {
                let script = parse::script(&fill(steps))?;
                let lines: Vec<&str> = script.iter().map(|step| step.text.as_str()).collect();
                (lines.join("\n"), Body::Script(script))
            }
            (None, Some(name)) => {
                let name = fill(name);
                let body = code::find(&name).ok_or_else(|| format!("no code {name}"))?;
                (name, Body::Code(body))
            }
            _ => return Err("needs either steps or code".into()),
        };
        Ok(Case {
            id: fill(&self.id),
            level: self.level,
            text: fill(&self.text),
            source: self.source.iter().map(|source| fill(source)).collect(),
            since: self.since,
            until: self.until,
            needs: self.needs.clone(),
            settings: self.settings.iter().map(|line| fill(line)).collect(),
            hazardous: self.hazardous,
            everywhere: self.everywhere,
            asks,
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hazardous_cases_have_a_file_of_their_own() {
        for case in all().expect("all files parse") {
            assert_eq!(case.hazardous, case.area() == "robustness", "{}", case.id);
        }
        let (_, text) = FILES
            .iter()
            .find(|(name, _)| *name == HAZARDOUS)
            .expect("the file is there");
        assert_eq!(
            text.matches("\nid = ").count(),
            text.matches("\nhazardous = true").count()
        );
    }

    #[test]
    fn every_case_parses_and_ids_are_unique() {
        let cases = all().expect("all files parse");
        let mut ids: Vec<&str> = cases.iter().map(|case| case.id.as_str()).collect();
        ids.sort_unstable();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "two cases share an ID");
        for case in &cases {
            assert_eq!(
                case.id.split('/').count(),
                3,
                "{} is not area/section/nn",
                case.id
            );
            assert!(!case.source.is_empty(), "{} has no source", case.id);
            // Only a driver can change what servers are set up with.
            assert!(
                case.settings.is_empty() || case.needs.contains(&Need::Driver),
                "{} asks for settings and not for a driver",
                case.id
            );
            assert!(
                case.settings.iter().all(|line| line.contains('=')),
                "{}: settings are key=value",
                case.id
            );
            assert!(
                case.text.ends_with('.'),
                "{}: one sentence with a period",
                case.id
            );
        }
    }
}
