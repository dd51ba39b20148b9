//! Claims: what a server was shown to do, in a form that can be kept and
//! compared, and the page made from them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::case::{Case, Level, Need};
use crate::outcome::{Outcome, RunResult};
use crate::profile::Version;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Claim {
    pub suite_version: String,
    pub suite_hash: String,
    pub profile: Version,
    pub name: String,
    pub server_version: String,
    /// The commit that the server was built of, where its version does not name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Modes that were run: `standalone`, `ensemble`.
    pub modes: Vec<String>,
    pub tier: Tier,
    /// Outcome of every case, the best over the runs: a case that needs an
    /// ensemble passes there and is a PRECONDITION on a standalone server.
    pub results: BTreeMap<String, Outcome>,
    /// Cases that do not count, with the reason.
    pub exclusions: BTreeMap<String, String>,
}

/// What a claim is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Not even the core holds.
    None,
    /// Sessions, operations, one-shot watches, ACLs, multi: what clients of any
    /// age use.
    Core,
    /// Also containers, TTLs, persistent and recursive watches: what Curator's
    /// recipes and caches use.
    CuratorReady,
    /// Every MUST and COMPAT case of profile 3.9.
    #[serde(rename = "full-3.9")]
    Full,
}

impl Tier {
    pub fn name(self) -> &'static str {
        match self {
            Tier::None => "none",
            Tier::Core => "core",
            Tier::CuratorReady => "curator-ready",
            Tier::Full => "full-3.9",
        }
    }
}

/// Sections that the core leaves out and Curator needs.
const CURATOR: &[&str] = &[
    "container",
    "ttl",
    "watches/persistent",
    "watches/recursive",
    "watches/add",
    "multi/read",
    "sessions/password",
];
/// Areas that no client's data path needs.
const BEYOND: &[&str] = &["words", "config", "quota", "cluster", "robustness"];

fn is_in(id: &str, sections: &[&str]) -> bool {
    let below = |section: &&str| {
        id.strip_prefix(*section)
            .is_some_and(|rest| rest.starts_with('/'))
    };
    sections.iter().any(below)
}

/// Makes a claim of one or more runs of the same suite and profile.
pub fn claim(
    runs: &[RunResult],
    cases: &[Case],
    exclusions: BTreeMap<String, String>,
) -> Result<Claim> {
    let Some(first) = runs.first() else {
        bail!("no run to claim from");
    };
    let mut results: BTreeMap<String, Outcome> = BTreeMap::new();
    let mut modes = Vec::new();
    for run in runs {
        if run.suite_hash != first.suite_hash || run.profile != first.profile {
            bail!(
                "{} and {} are runs of different suites or profiles",
                first.name,
                run.name
            );
        }
        let mode = if run.mode == "standalone" {
            "standalone"
        } else {
            "ensemble"
        };
        if !modes.iter().any(|known| known == mode) {
            modes.push(mode.to_owned());
        }
        // What hazardous cases show is not published.
        let hazardous = |id: &str| cases.iter().any(|case| case.hazardous && case.id == id);
        for result in run.results.iter().filter(|result| !hazardous(&result.id)) {
            let slot = results.entry(result.id.clone()).or_insert(result.outcome);
            *slot = combine(*slot, result.outcome);
        }
    }
    let mut claim = Claim {
        suite_version: first.suite_version.clone(),
        suite_hash: first.suite_hash.clone(),
        profile: first.profile,
        name: first.name.clone(),
        server_version: first.server_version.clone(),
        commit: None,
        modes,
        tier: Tier::None,
        results,
        exclusions,
    };
    claim.tier = claim.judge(cases);
    Ok(claim)
}

/// A failure anywhere stays; a PRECONDITION gives way to what another run found.
fn combine(left: Outcome, right: Outcome) -> Outcome {
    match (left, right) {
        (Outcome::Precondition, other) | (other, Outcome::Precondition) => other,
        (Outcome::Pass, other) | (other, Outcome::Pass) => other,
        (left, _) => left,
    }
}

impl Claim {
    fn judge(&self, cases: &[Case]) -> Tier {
        let holds = |wanted: &dyn Fn(&Case) -> bool| {
            cases
                .iter()
                .filter(|case| {
                    wanted(case) && !case.hazardous && !self.exclusions.contains_key(&case.id)
                })
                .filter(|case| self.profile.within(case.since, case.until))
                // What was not run is not shown: a PRECONDITION gives no tier.
                .all(|case| self.results.get(&case.id) == Some(&Outcome::Pass))
        };
        let core = |case: &Case| {
            case.level == Level::Must
                && !is_in(&case.id, CURATOR)
                && !is_in(&case.id, BEYOND)
                && !case.needs.contains(&Need::Driver)
        };
        let curator = |case: &Case| case.level == Level::Must && is_in(&case.id, CURATOR);
        let full = |case: &Case| case.level != Level::Info;
        if !holds(&core) {
            return Tier::None;
        }
        if !holds(&curator) {
            return Tier::Core;
        }
        let is_39 = self.profile.to_string().starts_with("3.9");
        if is_39 && self.modes.len() == 2 && holds(&full) {
            return Tier::Full;
        }
        Tier::CuratorReady
    }

    pub fn count(&self, outcome: Outcome) -> usize {
        self.results
            .values()
            .filter(|found| **found == outcome)
            .count()
    }
}

/// A small SVG: `ZooKeeper 3.9.5 | curator-ready`.
pub fn badge(claim: &Claim) -> String {
    let (left, right) = (format!("ZooKeeper {}", claim.profile), claim.tier.name());
    let width = |text: &str| text.len() * 7 + 12;
    let (one, two) = (width(&left), width(right));
    let color = match claim.tier {
        Tier::None => "#b3261e",
        Tier::Core => "#96690a",
        Tier::CuratorReady => "#3a7d44",
        Tier::Full => "#1a7f47",
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{total}\" height=\"20\" role=\"img\" aria-label=\"{left}: {right}\">\
         <rect width=\"{one}\" height=\"20\" fill=\"#444b55\"/><rect x=\"{one}\" width=\"{two}\" height=\"20\" fill=\"{color}\"/>\
         <g fill=\"#fff\" font-family=\"Verdana,sans-serif\" font-size=\"11\"><text x=\"6\" y=\"14\">{left}</text>\
         <text x=\"{start}\" y=\"14\">{right}</text></g></svg>\n",
        total = one + two,
        start = one + 6,
    )
}

/// `conformance/manifest.toml`: what the suite makes of Apache's own test classes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub class: Vec<TestClass>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestClass {
    pub name: String,
    pub status: Status,
    /// Areas or sections with the class's subject; empty if out of scope.
    #[serde(default)]
    pub cases: Vec<String>,
    #[serde(default)]
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Replayed,
    Partial,
    OutOfScope,
}

impl Status {
    pub fn name(self) -> &'static str {
        match self {
            Status::Replayed => "replayed",
            Status::Partial => "partial",
            Status::OutOfScope => "out of scope",
        }
    }
}

/// `docs/compatibility.md`.
pub fn page(claims: &[Claim], cases: &[Case], manifest: &Manifest) -> Result<String> {
    let mut page = String::from(HEAD);
    servers(&mut page, claims)?;
    areas(&mut page, claims, cases)?;
    against(&mut page, claims, cases)?;
    differences(&mut page, cases)?;
    classes(&mut page, manifest)?;
    Ok(page)
}

const HEAD: &str = "# Compatibility with Apache ZooKeeper\n\n\
<!-- Made by `zk-conformance claim page` from conformance/claims and conformance/manifest.toml. Do not edit. -->\n\n\
Every figure below is a run of the conformance suite ([how to run it, how to read it](conformance.md)). A claim names the\n\
suite's version and hash, so that it can be repeated. There is no claim for Apache 3.8.4: what differs between it and\n\
3.8.0 is marked in the cases as from source, not run. Apache 3.8.0 is Debian's package, which carries later security\n\
fixes. Without cases so far, so no part of any tier: reconfiguration of an ensemble, TLS, SASL, the AdminServer and metrics.\n";

fn servers(page: &mut String, claims: &[Claim]) -> Result<()> {
    writeln!(
        page,
        "\n## Servers\n\n| Server | Version | Profile | Modes | Tier | PASS | Not PASS | PRECONDITION | Suite |"
    )?;
    writeln!(page, "|---|---|---|---|---|---|---|---|---|")?;
    for claim in claims {
        let not = claim
            .results
            .values()
            .filter(|outcome| outcome.is_against())
            .count();
        let commit = claim.commit.as_deref().map(|hex| format!(" of {hex}"));
        writeln!(
            page,
            "| {} | {}{} | {} | {} | {} | {} | {not} | {} | {} {} |",
            claim.name,
            claim.server_version.split(',').next().unwrap_or_default(),
            commit.unwrap_or_default(),
            claim.profile,
            claim.modes.join(", "),
            claim.tier.name(),
            claim.count(Outcome::Pass),
            claim.count(Outcome::Precondition),
            claim.suite_version,
            claim.suite_hash.get(..12).unwrap_or_default(),
        )?;
    }
    writeln!(
        page,
        "\nTiers: *core* is every MUST case of sessions, operations, one-shot watches, ACLs and multi; *curator-ready* adds\n\
         containers, TTLs, persistent and recursive watches and multiRead; *full-3.9* is every MUST and COMPAT case of profile\n\
         3.9, standalone and on an ensemble."
    )?;
    Ok(())
}

fn areas(page: &mut String, claims: &[Claim], cases: &[Case]) -> Result<()> {
    let names: Vec<&str> = claims.iter().map(|claim| claim.name.as_str()).collect();
    writeln!(
        page,
        "\n## Cases by area\n\nPASS of the cases that apply to the profile.\n\n| Area | {} |",
        names.join(" | ")
    )?;
    writeln!(page, "|---|{}", "---|".repeat(claims.len()))?;
    let published = cases.iter().filter(|case| !case.hazardous);
    let mut areas: Vec<&str> = published.map(Case::area).collect();
    areas.sort_unstable();
    areas.dedup();
    for area in areas {
        let cell = |claim: &Claim| {
            let of_area = || claim.results.iter().filter(|(id, _)| is_in(id, &[area]));
            let passed = of_area()
                .filter(|(_, outcome)| **outcome == Outcome::Pass)
                .count();
            format!("{passed} of {}", of_area().count())
        };
        let cells: Vec<String> = claims.iter().map(cell).collect();
        writeln!(page, "| {area} | {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn against(page: &mut String, claims: &[Claim], cases: &[Case]) -> Result<()> {
    writeln!(
        page,
        "\n## Cases that do not pass\n\nA PRECONDITION is not listed: the target was not set up for the case, most often because it is standalone.\n"
    )?;
    let mut none = true;
    for claim in claims {
        for (id, outcome) in claim
            .results
            .iter()
            .filter(|(_, outcome)| outcome.is_against())
        {
            let case = cases.iter().find(|case| case.id == *id);
            let text = case.map_or("", |case| case.text.as_str());
            let reason = claim
                .exclusions
                .get(id)
                .map(|reason| format!(" ({reason})"))
                .unwrap_or_default();
            writeln!(
                page,
                "- {}: {} `{id}`: {text}{reason}",
                claim.name,
                outcome.name()
            )?;
            none = false;
        }
    }
    if none {
        writeln!(page, "None.")?;
    }
    Ok(())
}

fn differences(page: &mut String, cases: &[Case]) -> Result<()> {
    writeln!(
        page,
        "\n## What differs between releases of Apache ZooKeeper\n\n| Case | Releases | The server | Source |\n|---|---|---|---|"
    )?;
    for case in cases
        .iter()
        .filter(|case| case.since.is_some() || case.until.is_some())
    {
        let bound = |version: Option<Version>| {
            version.map_or_else(String::new, |version| version.to_string())
        };
        let releases = format!("{} to {}", bound(case.since), bound(case.until));
        let releases = releases.trim_start_matches(" to ").trim_end_matches(" to ");
        let prefix = if case.since.is_none() {
            "until "
        } else if case.until.is_none() {
            "since "
        } else {
            ""
        };
        writeln!(
            page,
            "| `{}` | {prefix}{releases} | {} | {} |",
            case.id,
            case.text,
            case.source.join(", ")
        )?;
    }
    Ok(())
}

fn classes(page: &mut String, manifest: &Manifest) -> Result<()> {
    writeln!(page, "\n## Apache's own test classes\n")?;
    for status in [Status::Replayed, Status::Partial, Status::OutOfScope] {
        let count = manifest
            .class
            .iter()
            .filter(|class| class.status == status)
            .count();
        writeln!(page, "- {count} {}", status.name())?;
    }
    writeln!(
        page,
        "\n*Replayed*: what the class asserts about the wire is asserted by the cases named. *Partial*: some of it is.\n\n| Class | Status | Cases or reason |\n|---|---|---|"
    )?;
    for class in &manifest.class {
        let cases: Vec<String> = class.cases.iter().map(|case| format!("`{case}`")).collect();
        let detail = [cases.join(", "), class.reason.clone()];
        let detail: Vec<String> = detail.into_iter().filter(|part| !part.is_empty()).collect();
        writeln!(
            page,
            "| {} | {} | {} |",
            class.name,
            class.status.name(),
            detail.join(": ")
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case;
    use crate::report::tests::sample;

    #[test]
    fn a_failure_in_one_run_is_not_hidden_by_another() {
        assert_eq!(combine(Outcome::Precondition, Outcome::Pass), Outcome::Pass);
        assert_eq!(combine(Outcome::Pass, Outcome::Fail), Outcome::Fail);
        assert_eq!(combine(Outcome::Fail, Outcome::Precondition), Outcome::Fail);
    }

    #[test]
    fn runs_of_different_profiles_do_not_mix() {
        let mut other = sample();
        other.profile = "3.8.0".parse().expect("a version");
        assert!(claim(&[sample(), other], &[], BTreeMap::new()).is_err());
    }

    #[test]
    fn hazardous_results_stay_out_of_claims_and_pages() {
        let cases = case::all().expect("cases parse");
        let mut run = sample();
        run.results = cases
            .iter()
            .map(|case| crate::outcome::CaseResult::new(case, Outcome::Fail, String::new()))
            .collect();
        let claim = claim(&[run], &cases, BTreeMap::new()).expect("claims");
        let is_hazardous = |id: &str| id.starts_with("robustness/");
        assert!(!claim.results.is_empty() && !claim.results.keys().any(|id| is_hazardous(id)));
        let page = page(&[claim], &cases, &Manifest { class: Vec::new() }).expect("a page");
        assert!(!page.contains("robustness"));
    }

    #[test]
    fn a_tier_needs_every_case_of_it() {
        let cases = case::all().expect("cases parse");
        let mut run = sample();
        run.results = cases
            .iter()
            .map(|case| crate::outcome::CaseResult::new(case, Outcome::Pass, String::new()))
            .collect();
        let mut ensemble = run.clone();
        ensemble.mode = "leader".into();
        let tier = |runs: &[RunResult]| claim(runs, &cases, BTreeMap::new()).expect("claims").tier;
        assert_eq!(tier(std::slice::from_ref(&run)), Tier::CuratorReady);
        assert_eq!(tier(&[run.clone(), ensemble]), Tier::Full);
        for (id, expected) in [("ttl/use/01", Tier::Core), ("create/answer/01", Tier::None)] {
            let mut worse = run.clone();
            for outcome in [Outcome::Fail, Outcome::Precondition] {
                for result in worse.results.iter_mut().filter(|result| result.id == id) {
                    result.outcome = outcome;
                }
                assert_eq!(tier(std::slice::from_ref(&worse)), expected, "{id}");
            }
        }
    }
}
