//! JUnit XML, as CI servers read it.

use std::fmt::Write as _;

use super::escape;
use crate::outcome::{CaseResult, Outcome, RunResult};

pub fn render(run: &RunResult) -> String {
    let failures = run
        .results
        .iter()
        .filter(|result| result.is_against() && result.outcome != Outcome::Error);
    let skipped = run
        .results
        .iter()
        .filter(|result| !result.is_against() && result.outcome != Outcome::Pass);
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let head = format!(
        "<testsuite name=\"zk-conformance {} {}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{}\">\n",
        run.profile,
        escape(&run.name),
        run.results.len(),
        failures.count(),
        run.count(Outcome::Error),
        skipped.count(),
        seconds(run.duration_ms),
    );
    xml.push_str(&head);
    for result in &run.results {
        case(result, &mut xml);
    }
    xml.push_str("</testsuite>\n");
    xml
}

fn case(result: &CaseResult, xml: &mut String) {
    let (class, name) = result.id.rsplit_once('/').unwrap_or(("", &result.id));
    let class = class.replace('/', ".");
    let time = seconds(result.ms);
    let open = format!("  <testcase classname=\"{class}\" name=\"{name}\" time=\"{time}\"");
    if result.outcome == Outcome::Pass {
        xml.push_str(&open);
        xml.push_str("/>\n");
        return;
    }
    let tag = match (result.is_against(), result.outcome) {
        (true, Outcome::Error) => "error",
        (true, _) => "failure",
        (false, _) => "skipped",
    };
    let message = escape(&format!("{}: {}", result.outcome.name(), result.why));
    let detail = escape(&format!(
        "{}\n{}",
        result.text,
        result.transcript.join("\n")
    ));
    let text =
        format!("{open}>\n    <{tag} message=\"{message}\">{detail}</{tag}>\n  </testcase>\n");
    xml.push_str(&text);
}

fn seconds(ms: u64) -> String {
    let mut text = String::new();
    if write!(text, "{}.{:03}", ms / 1000, ms % 1000).is_err() {
        // Writing to a String does not fail.
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    #[test]
    fn counts_and_escapes() {
        let xml = render(&sample());
        assert!(
            xml.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"1\""),
            "{xml}"
        );
        assert!(xml.contains("&lt;b&gt;"), "{xml}");
        assert!(!xml.contains("<b>"), "{xml}");
    }
}
