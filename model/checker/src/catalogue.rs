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
    if let Some(problem) = setup.problem() {
        anyhow::bail!(problem);
    }
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

/// The ids of the properties that a granularity judges. L3 is a test of its own: it asks where a start leads.
pub fn properties_of(granularity: Granularity) -> Vec<&'static str> {
    let safety = || {
        zab_properties::safety::all::<u8>()
            .into_iter()
            .map(|it| it.id)
    };
    let votes = || zab_properties::election::all().into_iter().map(|it| it.id);
    match granularity {
        Granularity::GC => zab_properties::client::all()
            .into_iter()
            .map(|it| it.id)
            .collect(),
        Granularity::G0 | Granularity::G1 => safety().chain(["L1", "L2", "L4", "L5"]).collect(),
        Granularity::G2 => safety().chain(votes()).collect(),
        // F6 asks where a state of G2 leads; here L2 asks it of whole servers.
        Granularity::G3 => safety()
            .chain(votes().filter(|id| *id != "F6"))
            .chain(["L2", "L4", "L5"])
            .collect(),
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
    let scripts = match (setup.bounds.txns, setup.all_scripts) {
        (1, _) => Scripts::single(),
        (_, false) => Scripts::quick(),
        (_, true) => Scripts::all(),
    };
    let model =
        Clients::new(scripts, setup.bounds.breaks, setup.bounds.crashes).judged_by(&setup.judged);
    let Some(mutant) = &setup.mutant else {
        return Ok(model);
    };
    let known = clients::MUTANTS.iter().find(|(id, ..)| id == mutant);
    let (_, flaw, ..) =
        known.ok_or_else(|| anyhow::anyhow!("{mutant} is no mutant of the client model"))?;
    Ok(model.flawed(*flaw))
}
