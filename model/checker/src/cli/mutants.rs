//! `mutants`: the kill table.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use comfy_table::Table;
use serde::Serialize;

use super::{Verdict, progress};
use crate::catalogue::{self, Job};
use crate::counterexample::Counterexample;
use crate::guided::Guided;
use crate::mutated::{self, Mutated};
use crate::run::{Extent, Limits, Subject, Violation, search, search_shortest, shrink};
use crate::setup::Bounds;
use crate::walk::walk;

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
    how: How,
    /// Granularity and bounds.
    bounds: String,
    about: &'static str,
}

pub(super) fn mutants(
    ids: &[String],
    bounds: Option<Bounds>,
    json: bool,
    replay: Option<&Path>,
    store: Option<&Path>,
) -> Verdict {
    let mut chosen = choose(ids)?;
    if let Some(bounds) = bounds {
        for mutant in &mut chosen {
            mutant.setup.bounds = bounds;
        }
    }
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
    let all = mutated::mutants();
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
    let mut bounds = format!("{:?} {}", mutant.setup.granularity, mutant.setup.bounds);
    if let (Some(guide), None) = (&mutant.guide, &stored) {
        write!(bounds, " after {} given steps", guide.steps)?;
    }
    Ok(Kill {
        id: mutant.id,
        property: mutant.property,
        about: mutant.about,
        bounds,
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
            how: How::Replay,
            bounds: String::new(),
        })
    }
}

struct Hunt<'a> {
    mutant: &'a Mutated,
    store: Option<&'a Path>,
}

/// How many states the search for a shortest counterexample may generate before random walks take over.
const BREADTH: usize = 1_000_000;
/// Steps of random walks before the exhaustive search takes over.
const WALK: usize = 6_000_000;

/// A violation, and how it was found.
struct Found<A> {
    violation: Option<Violation<A>>,
    states: usize,
    how: How,
}

/// How a counterexample was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum How {
    /// Breadth first: there is no shorter one.
    Shortest,
    /// After given steps, and shortened as a whole.
    Guided,
    /// By random walks, and shortened.
    Walk,
    /// Depth first, and shortened.
    Depth,
    /// It was stored.
    Replay,
}

fn hunt<S: Subject>(subject: &S, show: &dyn Fn(usize, usize)) -> Found<S::Action> {
    let broad = Limits {
        states: BREADTH,
        ..Limits::default()
    };
    let first = search_shortest(subject, &broad, show);
    if first.violation.is_some() || first.extent == Extent::Complete {
        return Found {
            violation: first.violation,
            states: first.unique,
            how: How::Shortest,
        };
    }
    let walked = walk(subject, SEED, WALK);
    if walked.violation.is_some() {
        return Found {
            violation: walked.violation,
            states: first.unique + walked.steps,
            how: How::Walk,
        };
    }
    let deep = search(subject, &Limits::default(), show);
    Found {
        violation: deep.violation,
        states: first.unique + walked.steps + deep.unique,
        how: How::Depth,
    }
}

/// The search after given steps.
fn hunt_on<S: Subject>(guided: &Guided<S>, show: &dyn Fn(usize, usize)) -> Found<S::Action> {
    let found = hunt(guided, show);
    Found {
        violation: found.violation.map(|it| guided.whole(it)),
        how: How::Guided,
        ..found
    }
}

const SEED: u64 = 1;

impl Job for Hunt<'_> {
    type Output = anyhow::Result<Kill>;

    fn run<S: Subject>(self, subject: S) -> Self::Output {
        let begin = Instant::now();
        let bar = progress::line(self.mutant.id);
        let show = |unique, depth| progress::show(&bar, unique, depth);
        let found = match &self.mutant.guide {
            Some(guide) => {
                let counterexample = guide.counterexample()?;
                hunt_on(
                    &Guided::new(subject.clone(), &counterexample, guide.steps)?,
                    &show,
                )
            }
            None => hunt(&subject, &show),
        };
        bar.finish_and_clear();
        let seconds = begin.elapsed().as_secs_f64();
        let violation = found.violation.map(|it| shrink(&subject, it));
        if let (Some(folder), Some(violation)) = (self.store, &violation) {
            let stored = Counterexample::new(self.mutant.setup.clone(), violation)?;
            let path = folder.join(format!("{}.json", self.mutant.id));
            std::fs::write(path, serde_json::to_string_pretty(&stored)? + "\n")?;
        }
        Ok(Kill {
            id: self.mutant.id,
            property: self.mutant.property,
            about: self.mutant.about,
            bounds: String::new(),
            killed: violation.is_some(),
            depth: violation.as_ref().map(|it| it.actions.len()),
            states: Some(found.states),
            seconds,
            how: found.how,
        })
    }
}

fn table(kills: &[Kill]) -> Table {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "id", "property", "verdict", "bounds", "steps", "found", "states", "seconds", "mutation",
    ]);
    for kill in kills {
        table.add_row([
            kill.id.to_owned(),
            kill.property.to_owned(),
            if kill.killed { "killed" } else { "SURVIVES" }.to_owned(),
            kill.bounds.clone(),
            kill.depth.map_or(String::new(), |it| it.to_string()),
            format!("{:?}", kill.how).to_lowercase(),
            kill.states.map_or(String::new(), |it| it.to_string()),
            format!("{:.1}", kill.seconds),
            kill.about.to_owned(),
        ]);
    }
    table
}
