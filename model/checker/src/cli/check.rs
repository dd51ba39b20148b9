//! `check`: one configuration, and everything that a run must print (zab-model section 13).

use std::path::Path;

use anyhow::Context;
use serde_json::json;
use zab_properties::sometimes::Situation;

use super::{Verdict, progress};
use crate::catalogue::{self, Job};
use crate::counterexample::Counterexample;
use crate::results::{Record, ids, is_verified};
use crate::run::{Limits, Outcome, Subject, Violation, search, shrink};
use crate::setup::{Granularity, Setup};

pub(super) fn setup_of(name: &str) -> anyhow::Result<Setup> {
    let named = crate::runs::named()
        .into_iter()
        .find(|it| it.name.eq_ignore_ascii_case(name));
    named
        .map(|it| it.setup)
        .with_context(|| format!("{name}: no such configuration; see `zab-checker list`"))
}

/// Where the findings go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output<'a> {
    pub(super) json: bool,
    /// A file for the counterexample.
    pub(super) out: Option<&'a Path>,
    /// A folder for the record of the run.
    pub(super) store: Option<&'a Path>,
    pub(super) source: Option<&'a str>,
}

pub(super) fn check(name: &str, setup: Setup, limits: &Limits, output: Output<'_>) -> Verdict {
    let job = Check {
        name,
        setup: &setup,
        limits,
        output,
    };
    catalogue::with(&setup, job)?
}

struct Check<'a> {
    name: &'a str,
    setup: &'a Setup,
    limits: &'a Limits,
    output: Output<'a>,
}

impl Job for Check<'_> {
    type Output = Verdict;

    fn run<S: Subject>(self, subject: S) -> Verdict {
        let bar = progress::line(self.name);
        let mut outcome = search(&subject, self.limits, &|unique, depth| {
            progress::show(&bar, unique, depth)
        });
        bar.finish_and_clear();
        outcome.peak_memory_mb = progress::peak_memory_mb();
        outcome.violation = outcome.violation.map(|found| shrink(&subject, found));
        let stored = outcome
            .violation
            .as_ref()
            .map(|it| Counterexample::new(self.setup.clone(), it))
            .transpose()?;
        let output = self.output;
        if let (Some(path), Some(stored)) = (output.out, &stored) {
            std::fs::write(path, serde_json::to_string_pretty(stored)?)?;
        }
        let record = Record::new(self.name, self.setup, &outcome, output.source);
        if let Some(folder) = output.store {
            let path = folder.join(format!("{}.json", self.name));
            std::fs::write(path, serde_json::to_string_pretty(&record)? + "\n")?;
        }
        if output.json {
            let mut found = serde_json::to_value(&record)?;
            found["judged"] = json!(subject.judged());
            found["remarks"] = json!(subject.remarks());
            found["counterexample"] = json!(stored);
            println!("{found}");
        } else {
            if let (Some(path), Some(_)) = (output.out, &stored) {
                println!("counterexample: {}", path.display());
            }
            let symmetry = self.limits.symmetry && subject.canon().is_some();
            print_setup(self.name, self.setup, symmetry, &subject.judged());
            print_outcome(&outcome);
            println!(
                "  {}",
                verdict(self.setup, &outcome, subject.judged().len())
            );
            for remark in subject.remarks() {
                println!("  {remark}");
            }
            if let Some(found) = &outcome.violation {
                tell(&subject, found);
            }
        }
        Ok(outcome.is_clean())
    }
}

fn print_setup(name: &str, setup: &Setup, symmetry: bool, judged: &[&str]) {
    let yes = |flag: bool| if flag { "yes" } else { "no" };
    if setup.granularity == Granularity::GC {
        println!(
            "{name}: GC, 2 replicas, 2 clients of {} operations, expiries {}, breaks {}, all scripts {}",
            setup.bounds.txns,
            setup.bounds.crashes,
            setup.bounds.breaks,
            yes(setup.all_scripts)
        );
    } else {
        println!(
            "{name}: {:?}, {} servers, bounds {} (elections,txns,crashes,breaks), timeouts {}, wipes {}, initialize {}",
            setup.granularity,
            setup.servers,
            setup.bounds,
            setup.timeouts,
            setup.wipes,
            yes(setup.initialize)
        );
        println!(
            "  observers {}, groups {:?}, disk {}, links {}, oracle {}, first histories {}, window {}, counter limit {}, Java leaders {}",
            setup.observers,
            setup.groups,
            setup.disk_name(),
            setup.links_name(),
            match (setup.granularity, setup.any_leader) {
                (Granularity::G0 | Granularity::G1, true) => "any",
                (Granularity::G0 | Granularity::G1, false) => "best",
                _ => "none",
            },
            if setup.histories { "differ" } else { "empty" },
            setup.window,
            setup.counter_limit,
            yes(setup.java),
        );
        println!(
            "  reductions {}, states followed 1 in {}",
            yes(setup.reduced),
            if setup.follows() {
                setup.followed_one_in.to_string()
            } else {
                "-".to_owned()
            }
        );
    }
    println!(
        "  symmetry {}, mutant {}, judged: {}",
        yes(symmetry),
        setup.mutant.as_deref().unwrap_or("none"),
        judged.join(" ")
    );
}

/// The last word on a run, which says no more than it showed.
fn verdict<A>(setup: &Setup, outcome: &Outcome<A>, judged: usize) -> String {
    if let Some(found) = &outcome.violation {
        return format!(
            "VIOLATED {} after {} steps",
            found.properties.join(" "),
            found.actions.len()
        );
    }
    if !outcome.is_clean() {
        return "nothing violated; not verified".to_owned();
    }
    let demanded = outcome.demanded.iter().count();
    if is_verified(setup, outcome) {
        return format!(
            "verified within these bounds: {judged} properties judged, {demanded} situations demanded and reached"
        );
    }
    let demanded = match demanded {
        0 => "no situations demanded".to_owned(),
        some => format!("{some} situations demanded and reached"),
    };
    let survives = match &setup.mutant {
        Some(mutant) => format!("; {mutant} survives"),
        None => String::new(),
    };
    format!("nothing violated: {judged} properties judged, {demanded}{survives}")
}

fn print_outcome<A>(outcome: &Outcome<A>) {
    println!(
        "  {:?}: {} generated, {} unique, depth {}, {:.1} s, {:.0} unique/s, {} MiB, P(collision) {:.1e}",
        outcome.extent,
        outcome.generated,
        outcome.unique,
        outcome.depth,
        outcome.seconds,
        outcome.unique as f64 / outcome.seconds.max(0.001),
        outcome
            .peak_memory_mb
            .map_or("?".to_owned(), |it| it.to_string()),
        outcome.collision_probability(),
    );
    println!("  reached: {}", ids(outcome.reached).join(" "));
    for situation in Situation::ALL
        .iter()
        .filter(|it| outcome.missing.contains(it.number()))
    {
        println!(
            "  NEVER REACHED R{}: {}",
            situation.number(),
            situation.name()
        );
    }
}

/// Tells a path, one step after the other.
pub(super) fn tell<S: Subject>(subject: &S, found: &Violation<S::Action>) {
    let states = crate::run::follow(subject, found.start, &found.actions).unwrap_or_default();
    for (number, (pair, action)) in states.windows(2).zip(&found.actions).enumerate() {
        println!(
            "{:>4}  {}",
            number + 1,
            subject
                .say_step(&pair[0], action, &pair[1])
                .replace('\n', "\n      ")
        );
    }
}
