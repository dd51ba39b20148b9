//! `simulate`: one long random walk, reproducible from its seed.

use std::path::Path;

use serde_json::json;

use super::{Verdict, check};
use crate::catalogue::{self, Job};
use crate::counterexample::Counterexample;
use crate::run::{Subject, Violation};
use crate::setup::{Bounds, Setup};
use crate::walk;

pub(super) fn simulate(
    name: &str,
    seed: u64,
    steps: usize,
    (bounds, servers): (Option<Bounds>, Option<u8>),
    json: bool,
    out: Option<&Path>,
) -> Verdict {
    let mut setup = check::setup_of(name)?;
    setup.bounds = bounds.unwrap_or(setup.bounds);
    setup.servers = servers.unwrap_or(setup.servers);
    let job = Simulate {
        setup: &setup,
        seed,
        steps,
        json,
        out,
    };
    catalogue::with(&setup, job)?
}

struct Simulate<'a> {
    setup: &'a Setup,
    seed: u64,
    steps: usize,
    json: bool,
    /// A file for the counterexample.
    out: Option<&'a Path>,
}

impl Job for Simulate<'_> {
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
        if let (Some(path), Some(found)) = (self.out, &walk.violation) {
            let stored = Counterexample::new(self.setup.clone(), found)?;
            std::fs::write(path, serde_json::to_string_pretty(&stored)?)?;
        }
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
