//! `replay` tells a stored counterexample; `explore` serves one, or a configuration, to a browser.

use std::path::Path;

use stateright::Model;

use super::{Verdict, check};
use crate::catalogue::{self, Job};
use crate::counterexample::Counterexample;
use crate::run::{Leash, Subject, Violation};

pub(super) fn replay(path: &Path) -> Verdict {
    let counterexample = load(path)?;
    let setup = counterexample.setup.clone();
    catalogue::with(
        &setup,
        Tell {
            counterexample: &counterexample,
        },
    )?
}

fn load(path: &Path) -> anyhow::Result<Counterexample> {
    Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
}

struct Tell<'a> {
    counterexample: &'a Counterexample,
}

impl Job for Tell<'_> {
    type Output = Verdict;

    fn run<S: Subject>(self, subject: S) -> Verdict {
        let replay = self.counterexample.replay(&subject)?;
        let found = Violation {
            start: self.counterexample.start,
            actions: replay.actions,
            properties: replay.violated,
        };
        check::tell(&subject, &found);
        println!("violates {}", found.properties.join(" "));
        Ok(self.counterexample.still_violates(&found.properties))
    }
}

pub(super) fn explore(path: &Path, name: &str, addr: &str) -> Verdict {
    let counterexample = path.exists().then(|| load(path)).transpose()?;
    let setup = match &counterexample {
        Some(counterexample) => counterexample.setup.clone(),
        None => check::setup_of(name)?,
    };
    let serve = Serve {
        addr,
        counterexample: counterexample.as_ref(),
    };
    catalogue::with(&setup, serve)?
}

struct Serve<'a> {
    addr: &'a str,
    counterexample: Option<&'a Counterexample>,
}

impl Job for Serve<'_> {
    type Output = Verdict;

    fn run<S: Subject>(self, subject: S) -> Verdict {
        let path = match self.counterexample {
            Some(counterexample) => counterexample.explorer_path(&subject)?,
            None => String::new(),
        };
        eprintln!("Explorer at http://{}/{path}", self.addr);
        Leash::new(subject).checker().serve(self.addr);
        Ok(true)
    }
}
