//! Rule IDs: where they are defined, where they are cited, which are excused.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use regex::Regex;

use crate::tree::{Source, sources, top};

/// IDs that name one rule each. Mutants (`MU-`) are no rules: they show that tests bite.
const OWED: [&str; 6] = ["CP-", "QP-", "DF-", "P-", "INV-", "FT-"];
/// What a whole history or a whole server shows: a test owes it, and no one place in the code keeps it.
const SHOWN: [&str; 2] = ["INV-", "FT-"];
/// Areas that describe rather than demand: known gaps of others, test classes, examples, Apache's defects.
const INFORMATIVE: [&str; 6] = [
    "CP-GAP-", "CP-TST-", "CP-VEC-", "DF-EX-", "QP-DEF-", "DF-FAIL-",
];

/// The choices where Apache's releases differ. It names rules and defines none.
const RELEASES: &str = "specs/releases.md";

/// A row of `specs/releases.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub id: String,
    /// What 3.8, 3.9.5 and ours do.
    pub behaviours: [String; 3],
    /// The file that shows ours, or the list of exceptions.
    pub test: String,
}

/// One line of `specs/exceptions.toml`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exception {
    /// An ID, or a prefix followed by `*`.
    pub id: String,
    /// Which citation is missing: `code`, `test` or `both`.
    pub missing: Missing,
    pub reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    Code,
    Test,
    Both,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    except: Vec<Exception>,
}

impl Exception {
    pub fn covers(&self, id: &str) -> bool {
        match self.id.strip_suffix('*') {
            Some(prefix) => id.starts_with(prefix),
            None => self.id == id,
        }
    }
}

/// Where a rule is cited from.
#[derive(Debug, Default)]
pub struct Citations {
    pub code: BTreeSet<String>,
    pub test: BTreeSet<String>,
}

fn id_pattern() -> Result<Regex> {
    Ok(Regex::new(
        r"\b(?:CP|QP|DF|FT|INV|MU|P)-[A-Z0-9]+(?:-[0-9]{2})?\b",
    )?)
}

/// Every ID that the pages under `specs/` define: at the head of a list item, a table row or a heading, or in
/// brackets behind the name of what it rules.
pub fn defined() -> Result<BTreeSet<String>> {
    let head = Regex::new(
        r"(?m)^\s*(?:[-|#]+\s*)?\*{0,2}\s*((?:CP|QP|DF|FT|INV|MU|P)-[A-Z0-9]+(?:-[0-9]{2})?)\b",
    )?;
    let bracketed = Regex::new(r"\(((?:CP|QP|DF|FT)-[A-Z0-9]+(?:-[0-9]{2})?)\)")?;
    let mut ids = BTreeSet::new();
    for page in sources(&[".md"])?
        .iter()
        .filter(|s| s.path.starts_with("specs/") && s.path != RELEASES)
    {
        for pattern in [&head, &bracketed] {
            ids.extend(
                pattern
                    .captures_iter(&page.text)
                    .filter_map(|c| c.get(1))
                    .map(|m| m.as_str().to_owned()),
            );
        }
    }
    if ids.is_empty() {
        bail!("specs/ defines no rule");
    }
    Ok(ids)
}

/// True if code must cite the rule, and not a test alone.
pub fn owes_code(id: &str) -> bool {
    !SHOWN.iter().any(|area| id.starts_with(area))
}

/// Rules that a test must cite, and code too where [`owes_code`] says so.
pub fn owed() -> Result<BTreeSet<String>> {
    Ok(defined()?
        .into_iter()
        .filter(|id| {
            // The name of a table of fault rows heads it.
            let is_table = id.starts_with("FT-") && id.matches('-').count() == 1;
            OWED.iter().any(|p| id.starts_with(p))
                && !INFORMATIVE.iter().any(|p| id.starts_with(p))
                && !is_table
        })
        .collect())
}

/// Every ID that a source file cites. `CP-OP-01..03` and `CP-FRM-05/-08` count as each of their IDs.
pub fn cited() -> Result<BTreeMap<String, Citations>> {
    let mut all: BTreeMap<String, Citations> = BTreeMap::new();
    for source in sources(&[".rs", ".toml", ".py"])? {
        if source.path.starts_with("specs/") || source.path.starts_with("conformance/tidy/") {
            continue;
        }
        let tests_from = if is_test_file(&source.path) {
            0
        } else {
            test_module_start(&source)
        };
        for (offset, id) in ids_in(&source.text)? {
            let citations = all.entry(id).or_default();
            let side = if offset >= tests_from {
                &mut citations.test
            } else {
                &mut citations.code
            };
            side.insert(source.path.clone());
        }
    }
    Ok(all)
}

/// The exceptions, in file order.
pub fn exceptions() -> Result<Vec<Exception>> {
    let path = top()?.join("specs/exceptions.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok(toml::from_str::<Exceptions>(&text)?.except)
}

/// The choices, in file order.
pub fn choices() -> Result<Vec<Choice>> {
    let text = std::fs::read_to_string(top()?.join(RELEASES)).context(RELEASES)?;
    let rows = text
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| Rule"));
    rows.map(|row| {
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [id, old, new, ours, test] = cells[..] else {
            bail!("{RELEASES}: not five cells: {row}");
        };
        Ok(Choice {
            id: id.to_owned(),
            behaviours: [old, new, ours].map(str::to_owned),
            test: test.to_owned(),
        })
    })
    .collect()
}

fn is_test_file(path: &str) -> bool {
    let folders = [
        "/tests/",
        "/cases/",
        "/benches/",
        "model/properties/",
        "model/checker/",
        "impl/sim/",
        "impl/fuzz/",
    ];
    path.starts_with("conformance/")
        || folders.iter().any(|f| path.contains(f))
        || path.ends_with("/tests.rs")
}

/// A file's test module stands at its end; what comes before is code.
fn test_module_start(source: &Source) -> usize {
    source
        .text
        .find("#[cfg(test)]\nmod tests {")
        .unwrap_or(usize::MAX)
}

/// IDs with their offsets, ranges and slash lists written out.
fn ids_in(text: &str) -> Result<Vec<(usize, String)>> {
    let pattern = id_pattern()?;
    let tail = Regex::new(r"^(?:\.\.(?:[A-Z-]+)?([0-9]{2})|((?:/-?[0-9]{2})+))")?;
    let mut found = Vec::new();
    for m in pattern.find_iter(text) {
        let id = m.as_str();
        found.push((m.start(), id.to_owned()));
        let Some((stem, first)) = id.rsplit_once('-') else {
            continue;
        };
        let (Some(more), Ok(first)) = (tail.captures(&text[m.end()..]), first.parse::<u32>())
        else {
            continue;
        };
        if let Some(last) = more.get(1).and_then(|l| l.as_str().parse::<u32>().ok()) {
            found.extend((first + 1..=last).map(|n| (m.start(), format!("{stem}-{n:02}"))));
        }
        if let Some(list) = more.get(2) {
            let numbers = list
                .as_str()
                .split('/')
                .map(|n| n.trim_start_matches('-'))
                .filter(|n| !n.is_empty());
            found.extend(numbers.map(|n| (m.start(), format!("{stem}-{n}"))));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_lists_are_written_out() -> Result<()> {
        let ids: Vec<_> = ids_in("a CP-OP-01..03 b CP-FRM-05/-08/10 c P-DIE")?
            .into_iter()
            .map(|(_, id)| id)
            .collect();
        let expected = [
            "CP-OP-01",
            "CP-OP-02",
            "CP-OP-03",
            "CP-FRM-05",
            "CP-FRM-08",
            "CP-FRM-10",
            "P-DIE",
        ]
        .map(str::to_owned);
        assert_eq!(ids, expected);
        Ok(())
    }

    #[test]
    fn a_star_covers_an_area() {
        let exception = Exception {
            id: "CP-ADM-*".into(),
            missing: Missing::Both,
            reason: "none".into(),
        };
        assert!(exception.covers("CP-ADM-03"));
        assert!(!exception.covers("CP-ACL-03"));
    }
}
