//! Named configurations, mutants, and the step from a [`Setup`] to a model.

use crate::clients::{self, Clients, Scripts};
use crate::run::Subject;
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
            anyhow::bail!("{:?} is not built", setup.granularity)
        }
    }
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

/// A configuration that `check` knows by name.
pub struct Named {
    pub name: &'static str,
    pub setup: Setup,
    pub about: &'static str,
}

/// All named configurations.
pub fn named() -> Vec<Named> {
    let deep = Setup {
        all_scripts: true,
        ..gc()
    };
    vec![
        Named {
            name: "GC",
            setup: gc(),
            about: "clients: sessions, sync, watches, retries; scripts that meet pairwise",
        },
        Named {
            name: "GC-all",
            setup: deep,
            about: "clients: every pair of scripts of two operations",
        },
    ]
}

fn gc() -> Setup {
    Setup {
        servers: 2,
        ..Setup::new(Granularity::GC, Bounds::new(0, 2, 1, 1))
    }
}

/// A mutant with the bound that finds it.
pub struct Mutant {
    pub id: &'static str,
    pub property: &'static str,
    pub about: &'static str,
    pub setup: Setup,
}

/// All mutants in the order of their numbers.
pub fn mutants() -> Vec<Mutant> {
    let of_clients = clients::MUTANTS
        .iter()
        .map(|(id, _, property, about)| Mutant {
            id,
            property,
            about,
            setup: gc().mutated(id, property),
        });
    of_clients.collect()
}
