//! Counterexamples as JSON: the setup and the actions, not indexes, so that they survive changes of the order of actions.

use serde::{Deserialize, Serialize};

use crate::run::{Subject, Violation, follow};
use crate::setup::Setup;

/// A stored path to a violation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Counterexample {
    pub setup: Setup,
    /// Which of the initial states.
    pub start: usize,
    pub violated: Vec<String>,
    pub actions: Vec<serde_json::Value>,
}

/// What a replay showed.
#[derive(Clone, Debug)]
pub struct Replay<S, A> {
    pub states: Vec<S>,
    pub actions: Vec<A>,
    pub violated: Vec<&'static str>,
}

impl Counterexample {
    pub fn new<A: Serialize>(setup: Setup, violation: &Violation<A>) -> serde_json::Result<Self> {
        let actions: serde_json::Result<Vec<_>> =
            violation.actions.iter().map(serde_json::to_value).collect();
        let violated = violation
            .properties
            .iter()
            .map(|it| (*it).to_owned())
            .collect();
        Ok(Self {
            setup,
            start: violation.start,
            violated,
            actions: actions?,
        })
    }

    /// Applies the actions again. An error if the model no longer allows one of them.
    pub fn replay<S: Subject>(&self, subject: &S) -> anyhow::Result<Replay<S::State, S::Action>> {
        let actions: Vec<S::Action> = self
            .actions
            .iter()
            .map(|it| serde_json::from_value(it.clone()))
            .collect::<serde_json::Result<_>>()?;
        for length in 0..=actions.len() {
            if follow(subject, self.start, &actions[..length]).is_none() {
                anyhow::bail!(
                    "step {length} is not possible any more: {:?}",
                    actions.get(length.wrapping_sub(1))
                );
            }
        }
        let states = follow(subject, self.start, &actions).unwrap_or_default();
        let violated = states
            .last()
            .map(|state| subject.violations(state))
            .unwrap_or_default();
        Ok(Replay {
            states,
            actions,
            violated,
        })
    }

    /// Where stateright's Explorer shows it: the start and the place of each action among those that are enabled. An error
    /// if the model no longer allows it.
    pub fn explorer_path<S: Subject>(&self, subject: &S) -> anyhow::Result<String> {
        let replay = self.replay(subject)?;
        let mut path = format!("#/steps/{}", self.start);
        for (state, action) in replay.states.iter().zip(&replay.actions) {
            let mut enabled = Vec::new();
            subject.enabled(state, &mut enabled);
            let place = enabled.iter().position(|it| it == action).unwrap_or(0);
            path.push_str(&format!("/{place}"));
        }
        Ok(path)
    }

    /// Whether the last state still violates what it was stored for.
    pub fn still_violates(&self, violated: &[&str]) -> bool {
        self.violated
            .iter()
            .any(|property| violated.contains(&property.as_str()))
    }
}
