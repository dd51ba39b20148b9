//! The step from a [`Setup`] to a model.

use zab::Production;

use crate::clients::{self, Clients, Scripts};
use crate::ensemble::{Ensemble, FLAWS, Flaw, Mutant};
use crate::run::Subject;
use crate::setup::{Granularity, Setup};

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
            if setup.mutant.is_none() && !setup.java && !setup.acks_unwritten {
                return Ok(job.run(Ensemble::new(setup.clone(), Production)));
            }
            let mutant = Mutant {
                flaw: flaw_of(setup)?,
                java: setup.java,
                acks_unwritten: setup.acks_unwritten,
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
