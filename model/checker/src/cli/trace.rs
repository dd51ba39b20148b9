//! `trace` validates recorded traces.

use std::path::PathBuf;

use super::Verdict;
use crate::trace::{Summary, validate};

pub(super) fn trace(files: &[PathBuf], judges: bool, json: bool) -> Verdict {
    let outcome = validate(files, judges);
    if json {
        let said = match &outcome {
            Ok(summary) => serde_json::json!({ "clean": true, "summary": summary }),
            Err(problem) => serde_json::json!({ "clean": false, "problem": problem }),
        };
        println!("{said}");
    } else {
        match &outcome {
            Ok(summary) => tell(summary),
            Err(problem) => println!("{problem}"),
        }
    }
    Ok(outcome.is_ok())
}

fn tell(it: &Summary) {
    println!(
        "clean: {} servers, {} starts ({} restarts, {} wiped, {} torn last lines)",
        it.servers, it.starts, it.restarts, it.wipes, it.torn
    );
    println!(
        "{} steps replayed ({} of them late and without effect), {} links, {} messages, {} notifications",
        it.steps, it.stale, it.links, it.messages, it.notifications
    );
    if it.judged {
        println!(
            "{} txns proposed, {} decided, {} epochs established; S1-S28 hold",
            it.proposed, it.decided, it.established
        );
        println!("reached: {}", it.reached.join(", "));
    } else {
        println!("the properties were not judged");
    }
}
