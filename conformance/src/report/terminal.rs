//! What a person sees: a line for each case that did not pass, then a table.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};

use comfy_table::{Cell, Color, Table, presets};

use crate::outcome::{CaseResult, Outcome, RunResult};

/// One line a result that is neither PASS nor PRECONDITION; on a terminal also a counter.
pub fn progress(done: usize, total: usize, result: &CaseResult) {
    let mut out = std::io::stderr().lock();
    let live = out.is_terminal();
    let clear = if live { "\r\x1b[K" } else { "" };
    let mut text = String::new();
    if !matches!(result.outcome, Outcome::Pass | Outcome::Precondition) {
        text = format!(
            "{clear}{:<13} {}  {}\n",
            result.outcome.name(),
            result.id,
            result.why
        );
    }
    if live {
        text = format!("{text}{clear}{done}/{total}");
        if done == total {
            text.push_str(clear);
        }
    }
    if out.write_all(text.as_bytes()).is_err() {
        // Nobody reads it.
    }
}

/// A counter on a terminal; nothing elsewhere.
pub fn counter(done: usize, total: usize) {
    let mut out = std::io::stderr().lock();
    if out.is_terminal() && write!(out, "\r\x1b[K{done}/{total}").is_err() {
        // Nobody reads it.
    }
}

/// Counts by area, then the verdict.
pub fn summary(run: &RunResult) -> String {
    let mut areas: BTreeMap<&str, Vec<&CaseResult>> = BTreeMap::new();
    for result in &run.results {
        areas.entry(result.area()).or_default().push(result);
    }
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    let mut head = vec![Cell::new("area"), Cell::new("cases")];
    head.extend(Outcome::ALL.iter().map(|outcome| Cell::new(outcome.name())));
    table.set_header(head);
    for (area, results) in &areas {
        table.add_row(row(area, results));
    }
    table.add_row(row("all", &run.results.iter().collect::<Vec<_>>()));
    let verdict = if run.is_green() {
        format!(
            "every MUST and COMPAT case of profile {} passes",
            run.profile
        )
    } else {
        let against = run
            .results
            .iter()
            .filter(|result| result.is_against())
            .count();
        format!(
            "{against} MUST or COMPAT cases of profile {} do not pass",
            run.profile
        )
    };
    format!(
        "{table}\n{}{} ({}), {}.{} s: {verdict}\n",
        not_asked(run),
        run.name,
        run.server_version,
        run.duration_ms / 1000,
        run.duration_ms % 1000 / 100
    )
}

/// What the target lacks, and how many cases that leaves out.
fn not_asked(run: &RunResult) -> String {
    let mut lacking: BTreeMap<&str, usize> = BTreeMap::new();
    for result in &run.results {
        if result.outcome == Outcome::Precondition {
            *lacking.entry(&result.why).or_default() += 1;
        }
    }
    let line = |(why, count): (&str, usize)| format!("PRECONDITION of {count} cases: {why}\n");
    lacking.into_iter().map(line).collect()
}

fn row(name: &str, results: &[&CaseResult]) -> Vec<Cell> {
    let mut cells = vec![Cell::new(name), Cell::new(results.len())];
    for outcome in Outcome::ALL {
        let count = results
            .iter()
            .filter(|result| result.outcome == *outcome)
            .count();
        let cell = Cell::new(if count == 0 {
            String::new()
        } else {
            count.to_string()
        });
        cells.push(match outcome {
            Outcome::Pass => cell.fg(Color::Green),
            Outcome::Precondition => cell.fg(Color::DarkGrey),
            Outcome::NonStrict | Outcome::Flaky => cell.fg(Color::Yellow),
            Outcome::Fail | Outcome::Unimplemented | Outcome::Error => cell.fg(Color::Red),
        });
    }
    cells
}

/// The transcript of one result, for `--verbose` and for single cases.
pub fn transcript(result: &CaseResult) -> String {
    format!(
        "\n{} {} ({:?}): {}\n  source: {}\n  why: {}\n{}\n",
        result.outcome.name(),
        result.id,
        result.level,
        result.text,
        result.source.join(", "),
        result.why,
        result.transcript.join("\n")
    )
}
