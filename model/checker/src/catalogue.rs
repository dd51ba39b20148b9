//! Mutants, and the step from a [`Setup`] to a model.

use zab::Production;

use crate::clients::{self, Clients, Scripts};
use crate::ensemble::{Ensemble, FLAWS, Flaw, Mutant};
use crate::run::Subject;
use crate::runs::clients as clients_setup;
use crate::setup::{Bounds, Granularity, Setup};

/// Something that is done with a model of whatever kind.
pub trait Job {
    type Output;
    fn run<S: Subject>(self, subject: S) -> Self::Output;
}

/// Builds the model of a setup and hands it to the job.
pub fn with<J: Job>(setup: &Setup, job: J) -> anyhow::Result<J::Output> {
    match setup.granularity {
        Granularity::GC => Ok(job.run(client_model(setup)?)),
        Granularity::G0 | Granularity::G1 | Granularity::G2 | Granularity::G3 => {
            if setup.mutant.is_none() && !setup.java {
                return Ok(job.run(Ensemble::new(setup.clone(), Production)));
            }
            let mutant = Mutant {
                flaw: flaw_of(setup)?,
                java: setup.java,
            };
            Ok(job.run(Ensemble::new(setup.clone(), mutant)))
        }
    }
}

fn flaw_of(setup: &Setup) -> anyhow::Result<Flaw> {
    let Some(mutant) = &setup.mutant else {
        return Ok(Flaw::None);
    };
    let known = FLAWS.iter().find(|(id, ..)| id == mutant);
    known
        .map(|(_, flaw, ..)| *flaw)
        .ok_or_else(|| anyhow::anyhow!("{mutant} is no mutant of the core"))
}

fn client_model(setup: &Setup) -> anyhow::Result<Clients> {
    let scripts = if setup.all_scripts {
        Scripts::all()
    } else {
        Scripts::quick()
    };
    let model = Clients::new(scripts, setup.bounds.breaks, setup.bounds.crashes);
    let Some(mutant) = &setup.mutant else {
        return Ok(model);
    };
    let known = clients::MUTANTS.iter().find(|(id, ..)| id == mutant);
    let (_, flaw, property, _) =
        known.ok_or_else(|| anyhow::anyhow!("{mutant} is no mutant of the client model"))?;
    Ok(model.flawed(*flaw, property))
}

/// A mutant with the bound that finds it.
pub struct Mutated {
    pub id: &'static str,
    pub property: &'static str,
    pub about: &'static str,
    pub setup: Setup,
}

/// All mutants in the order of their numbers.
pub fn mutants() -> Vec<Mutated> {
    let of_clients = clients::MUTANTS
        .iter()
        .map(|(id, _, property, about)| (*id, *property, *about, clients_setup()));
    let of_core = FLAWS
        .iter()
        .filter_map(|(id, _, property, about)| Some((*id, *property, *about, bound_of(id)?)));
    let mut all: Vec<Mutated> = of_core
        .chain(of_clients)
        .map(|(id, property, about, setup)| Mutated {
            id,
            property,
            about,
            setup: setup.mutated(id, property),
        })
        .collect();
    all.sort_by_key(|it| it.id[1..].parse::<u32>().unwrap_or(u32::MAX));
    all
}

/// The bounds that find a mutant of the core (elections, txns, crashes, breaks), and what else it needs.
fn bound_of(id: &str) -> Option<Setup> {
    let g1 = |e, t, c, b| Setup::new(Granularity::G1, Bounds::new(e, t, c, b));
    let java = |setup| Setup {
        java: true,
        ..setup
    };
    let snap = |setup| Setup { window: 0, ..setup };
    let g0 = |e, t, c, b| Setup::new(Granularity::G0, Bounds::new(e, t, c, b));
    Some(match id {
        "M1" | "M16" => g0(3, 1, 1, 1),
        "M2" | "M3" => g0(2, 1, 0, 1),
        "M4" => g0(3, 1, 1, 1),
        "M5" | "M13" | "M20" | "M22" => g1(2, 1, 0, 1),
        "M6" => java(g1(1, 1, 0, 1)),
        "M7" | "M17" | "M19" => g1(1, 2, 0, 1),
        "M8" | "M18" => java(g1(1, 2, 0, 1)),
        "M9" => snap(g0(3, 1, 1, 1)),
        "M10" | "M12" => g0(3, 2, 1, 1),
        "M11" => g0(3, 2, 0, 2),
        "M14" => g1(2, 0, 1, 1),
        "M15" => g1(2, 0, 1, 0),
        "M21" => g0(4, 2, 0, 3),
        "M23" => g1(3, 1, 0, 3),
        "M24" => g1(1, 2, 0, 1),
        "M25" => g0(3, 2, 1, 2),
        "M26" => Setup {
            counter_limit: 1,
            ..g1(2, 3, 0, 0)
        },
        "M27" => g1(1, 2, 1, 1),
        "M28" => snap(g0(2, 1, 1, 1)),
        "M29" | "M30" | "M31" => Setup {
            half_open: false,
            ..Setup::new(Granularity::G2, Bounds::new(0, 0, 1, 0))
        },
        "M36" => g1(2, 1, 2, 0),
        _ => return None,
    })
}
