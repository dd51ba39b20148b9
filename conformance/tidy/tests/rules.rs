//! Rule IDs are real, cited, or excused.

use std::collections::BTreeSet;

use anyhow::Result;
use tidy::rules::{Missing, choices, cited, defined, exceptions, owed, owes_code};

#[test]
fn every_cited_rule_exists() -> Result<()> {
    let defined = defined()?;
    let unknown: Vec<_> = cited()?
        .into_iter()
        .filter(|(id, _)| !defined.contains(id))
        .map(|(id, c)| format!("{id} in {:?}", c.code.union(&c.test).collect::<Vec<_>>()))
        .collect();
    assert!(
        unknown.is_empty(),
        "cited but not in specs/:\n{}",
        unknown.join("\n")
    );
    Ok(())
}

#[test]
fn every_rule_is_cited_by_code_and_test_or_excused() -> Result<()> {
    let (cited, exceptions) = (cited()?, exceptions()?);
    let mut wrong = Vec::new();
    for id in owed()? {
        let (code, test) = cited
            .get(&id)
            .map_or((false, false), |c| (!c.code.is_empty(), !c.test.is_empty()));
        let excused = |side: Missing| {
            exceptions
                .iter()
                .any(|e| e.covers(&id) && (e.missing == side || e.missing == Missing::Both))
        };
        if !code && owes_code(&id) && !excused(Missing::Code) {
            wrong.push(format!("{id}: no code cites it"));
        }
        if !test && !excused(Missing::Test) {
            wrong.push(format!("{id}: no test cites it"));
        }
    }
    assert!(
        wrong.is_empty(),
        "cite these, or excuse them in specs/exceptions.toml:\n{}",
        wrong.join("\n")
    );
    Ok(())
}

#[test]
fn exceptions_are_needed_and_have_reasons() -> Result<()> {
    let (cited, owed) = (cited()?, owed()?);
    let both: BTreeSet<_> = cited
        .iter()
        .filter(|(id, c)| !c.test.is_empty() && (!c.code.is_empty() || !owes_code(id)))
        .map(|(id, _)| id)
        .collect();
    for exception in exceptions()? {
        assert!(exception.reason.len() >= 15, "{}: say why", exception.id);
        let covered: Vec<_> = owed.iter().filter(|id| exception.covers(id)).collect();
        assert!(!covered.is_empty(), "{} covers no rule", exception.id);
        assert!(
            covered.iter().any(|id| !both.contains(id)),
            "{} is stale: all it covers is cited",
            exception.id
        );
    }
    Ok(())
}

#[test]
fn every_choice_between_releases_is_shown() -> Result<()> {
    let (defined, cited, exceptions) = (defined()?, cited()?, exceptions()?);
    let choices = choices()?;
    assert!(choices.len() > 20, "{} rows", choices.len());
    let mut seen = BTreeSet::new();
    for choice in choices {
        let id = &choice.id;
        assert!(defined.contains(id), "{id} is no rule");
        assert!(seen.insert(id.clone()), "{id} stands twice");
        assert!(
            !choice.behaviours.iter().any(String::is_empty),
            "{id}: say what it does"
        );
        let shown = if choice.test == "specs/exceptions.toml" {
            exceptions
                .iter()
                .any(|e| e.covers(id) && e.missing != Missing::Code)
        } else {
            cited.get(id).is_some_and(|c| c.test.contains(&choice.test))
        };
        assert!(shown, "{id}: {} does not show it", choice.test);
    }
    Ok(())
}
