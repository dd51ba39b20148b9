//! `mutants`: the kill table.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use comfy_table::Table;
use serde::Serialize;

use super::{Verdict, progress};
use crate::catalogue::{self, Job, Mutated};
use crate::counterexample::Counterexample;
use crate::run::{Limits, Subject, search, search_shortest, shrink};

/// One line of the kill table.
#[derive(Clone, Debug, Serialize)]
struct Kill {
    id: &'static str,
    killed: bool,
    property: &'static str,
    /// Steps of the counterexample.
    depth: Option<usize>,
    /// Unique states until it was found; none for a replay.
    states: Option<usize>,
    seconds: f64,
    shortest: bool,
    about: &'static str,
}

pub(super) fn mutants(
    ids: &[String],
    json: bool,
    replay: Option<&Path>,
    store: Option<&Path>,
) -> Verdict {
    let chosen = choose(ids)?;
    let mut kills = Vec::new();
    for mutant in &chosen {
        kills.push(kill(mutant, replay, store)?);
        if let Some(kill) = kills.last() {
            eprintln!(
                "{} {} {}",
                kill.id,
                kill.property,
                if kill.killed { "killed" } else { "SURVIVES" }
            );
        }
    }
    if json {
        println!("{}", serde_json::to_string(&kills)?);
    } else {
        println!("{}", table(&kills));
    }
    Ok(kills.iter().all(|kill| kill.killed))
}

fn choose(ids: &[String]) -> anyhow::Result<Vec<Mutated>> {
    let all = catalogue::mutants();
    for id in ids {
        all.iter()
            .find(|it| it.id.eq_ignore_ascii_case(id))
            .with_context(|| format!("{id}: no such mutant"))?;
    }
    Ok(all
        .into_iter()
        .filter(|it| ids.is_empty() || ids.iter().any(|id| it.id.eq_ignore_ascii_case(id)))
        .collect())
}

fn kill(mutant: &Mutated, replay: Option<&Path>, store: Option<&Path>) -> anyhow::Result<Kill> {
    let stored = replay
        .map(|folder| folder.join(format!("{}.json", mutant.id)))
        .filter(|path| path.exists());
    let found = match &stored {
        Some(path) => {
            let counterexample: Counterexample =
                serde_json::from_str(&std::fs::read_to_string(path)?)?;
            let setup = counterexample.setup.clone();
            catalogue::with(
                &setup,
                Again {
                    counterexample: &counterexample,
                },
            )??
        }
        None => catalogue::with(&mutant.setup, Hunt { mutant, store })??,
    };
    Ok(Kill {
        id: mutant.id,
        property: mutant.property,
        about: mutant.about,
        ..found
    })
}

struct Again<'a> {
    counterexample: &'a Counterexample,
}

impl Job for Again<'_> {
    type Output = anyhow::Result<Kill>;

    fn run<S: Subject>(self, subject: S) -> Self::Output {
        let begin = Instant::now();
        let replay = self.counterexample.replay(&subject)?;
        Ok(Kill {
            id: "",
            property: "",
            about: "",
            killed: self.counterexample.still_violates(&replay.violated),
            depth: Some(replay.actions.len()),
            states: None,
            seconds: begin.elapsed().as_secs_f64(),
            shortest: false,
        })
    }
}

struct Hunt<'a> {
    mutant: &'a Mutated,
    store: Option<&'a Path>,
}

/// How many states the search for a shortest counterexample may generate before depth first takes over.
const BREADTH: usize = 1_500_000;

impl Job for Hunt<'_> {
    type Output = anyhow::Result<Kill>;

    fn run<S: Subject>(self, subject: S) -> Self::Output {
        let begin = Instant::now();
        let bar = progress::line(self.mutant.id);
        let show = |unique, depth| progress::show(&bar, unique, depth);
        let broad = Limits {
            states: BREADTH,
            time: Duration::from_secs(120),
            ..Limits::default()
        };
        let first = search_shortest(&subject, &broad, &show);
        let shortest = first.violation.is_some();
        let outcome = if shortest {
            first
        } else {
            search(&subject, &Limits::default(), &show)
        };
        bar.finish_and_clear();
        let seconds = begin.elapsed().as_secs_f64();
        let violation = outcome.violation.map(|found| shrink(&subject, found));
        if let (Some(folder), Some(found)) = (self.store, &violation) {
            let stored = Counterexample::new(self.mutant.setup.clone(), found)?;
            let path = folder.join(format!("{}.json", self.mutant.id));
            std::fs::write(path, serde_json::to_string_pretty(&stored)? + "\n")?;
        }
        Ok(Kill {
            id: self.mutant.id,
            property: self.mutant.property,
            about: self.mutant.about,
            killed: violation.is_some(),
            depth: violation.as_ref().map(|it| it.actions.len()),
            states: Some(outcome.unique),
            seconds,
            shortest,
        })
    }
}

fn table(kills: &[Kill]) -> Table {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "id", "property", "verdict", "steps", "states", "seconds", "mutation",
    ]);
    for kill in kills {
        let steps = kill.depth.map_or(String::new(), |it| it.to_string());
        table.add_row([
            kill.id.to_owned(),
            kill.property.to_owned(),
            if kill.killed { "killed" } else { "SURVIVES" }.to_owned(),
            if kill.shortest {
                format!("{steps} (shortest)")
            } else {
                steps
            },
            kill.states
                .map_or("replayed".to_owned(), |it| it.to_string()),
            format!("{:.1}", kill.seconds),
            kill.about.to_owned(),
        ]);
    }
    table
}
