//! `simulate`: one long random walk, reproducible from its seed.

use serde_json::json;

use super::{Verdict, check};
use crate::catalogue::{self, Job};
use crate::run::{Subject, Violation};
use crate::setup::Bounds;
use crate::walk;

pub(super) fn simulate(
    name: &str,
    seed: u64,
    steps: usize,
    bounds: Option<Bounds>,
    json: bool,
) -> Verdict {
    let mut setup = check::setup_of(name)?;
    setup.bounds = bounds.unwrap_or(setup.bounds);
    catalogue::with(&setup, Simulate { seed, steps, json })?
}

struct Simulate {
    seed: u64,
    steps: usize,
    json: bool,
}

impl Job for Simulate {
    type Output = Verdict;

    fn run<S: Subject>(self, subject: S) -> Verdict {
        let walk = walk::walk(&subject, self.seed, self.steps);
        let reached: Vec<String> = subject
            .reached()
            .iter()
            .map(|it| format!("R{it}"))
            .collect();
        let violated = walk
            .violation
            .as_ref()
            .map(|it: &Violation<S::Action>| it.properties.clone());
        if self.json {
            println!(
                "{}",
                json!({ "seed": self.seed, "steps": walk.steps, "walks": walk.walks, "reached": reached, "violated": violated })
            );
        } else {
            println!(
                "seed {}: {} steps in {} walks; reached {}",
                self.seed,
                walk.steps,
                walk.walks,
                reached.join(" ")
            );
            if let Some(found) = &walk.violation {
                check::tell(&subject, found);
                println!("VIOLATED {}", found.properties.join(" "));
            }
        }
        Ok(walk.violation.is_none())
    }
}
