//! Reports of a run.

pub mod html;
pub mod junit;
pub mod tap;
pub mod terminal;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::outcome::RunResult;

/// Writes `run` as `format` (`json`, `junit`, `tap`, `html`) to `path`.
pub fn write(format: &str, path: &Path, run: &RunResult) -> Result<()> {
    let text = match format {
        "json" => serde_json::to_string_pretty(run)?,
        "junit" => junit::render(run),
        "tap" => tap::render(run),
        "html" => html::render(std::slice::from_ref(run))?,
        _ => bail!("no report format {format} (json, junit, tap, html)"),
    };
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Escapes text for XML and HTML. Control characters that XML forbids become U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use crate::case::Level;
    use crate::outcome::{CaseResult, Outcome, RunResult};

    /// A run with a PASS, a FAIL and a PRECONDITION.
    pub(crate) fn sample() -> RunResult {
        let result = |id: &str, outcome, why: &str| CaseResult {
            id: id.into(),
            level: Level::Must,
            outcome,
            ms: 1500,
            text: "The server <b>does</b> it.".into(),
            source: vec!["CP-OP-01".into()],
            why: why.into(),
            transcript: vec!["> ping".into()],
        };
        RunResult {
            suite_version: "0.1.0".into(),
            suite_hash: "00".into(),
            profile: "3.9.5".parse().expect("a version"),
            name: "sample".into(),
            server_version: "3.9.5-x".into(),
            mode: "standalone".into(),
            duration_ms: 10,
            results: vec![
                result("a/b/01", Outcome::Pass, ""),
                result("a/b/02", Outcome::Fail, "expected <b>"),
                result("a/b/03", Outcome::Precondition, "needs a\ndriver"),
            ],
        }
    }

    #[test]
    fn escaping_covers_markup_and_controls() {
        assert_eq!(super::escape("<a&\"\u{1}>"), "&lt;a&amp;&quot;\u{fffd}&gt;");
    }
}
