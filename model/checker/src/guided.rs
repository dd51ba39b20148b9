//! A subject that starts where given steps have led: a search from there on.

use anyhow::Context;
use zab_properties::IdSet;

use crate::counterexample::Counterexample;
use crate::run::{Canon, Subject, Violation};

/// What a guided search starts from, and how it got there.
#[derive(Clone)]
pub struct Guided<S: Subject> {
    subject: S,
    start: S::State,
    /// Which of the subject's own starts the given steps begin at.
    first: usize,
    given: Vec<S::Action>,
}

impl<S: Subject> Guided<S> {
    /// After the first `steps` steps of a stored counterexample.
    pub fn new(subject: S, counterexample: &Counterexample, steps: usize) -> anyhow::Result<Self> {
        let mut replay = counterexample.replay(&subject)?;
        replay.actions.truncate(steps);
        let start = replay.states.into_iter().nth(steps);
        Ok(Self {
            subject,
            start: start.context("the counterexample has fewer steps")?,
            first: counterexample.start,
            given: replay.actions,
        })
    }

    /// The same violation with the given steps before it.
    pub fn whole(&self, found: Violation<S::Action>) -> Violation<S::Action> {
        let mut actions = self.given.clone();
        actions.extend(found.actions);
        Violation {
            start: self.first,
            actions,
            properties: found.properties,
        }
    }
}

impl<S: Subject> Subject for Guided<S> {
    type State = S::State;
    type Action = S::Action;

    fn starts(&self) -> Vec<S::State> {
        vec![self.start.clone()]
    }

    fn enabled(&self, state: &S::State, actions: &mut Vec<S::Action>) {
        self.subject.enabled(state, actions);
    }

    fn step(&self, state: &S::State, action: &S::Action) -> S::State {
        self.subject.step(state, action)
    }

    fn violations(&self, state: &S::State) -> Vec<&'static str> {
        self.subject.violations(state)
    }

    fn holds(&self, state: &S::State) -> bool {
        self.subject.holds(state)
    }

    fn canon(&self) -> Option<Canon<S::State>> {
        self.subject.canon()
    }

    fn judged(&self) -> Vec<&'static str> {
        self.subject.judged()
    }

    fn reached(&self) -> IdSet {
        self.subject.reached()
    }

    fn expected(&self) -> IdSet {
        self.subject.expected()
    }

    fn is_fault(&self, action: &S::Action) -> bool {
        self.subject.is_fault(action)
    }

    fn say_action(&self, action: &S::Action) -> String {
        self.subject.say_action(action)
    }

    fn say_step(&self, before: &S::State, action: &S::Action, after: &S::State) -> String {
        self.subject.say_step(before, action, after)
    }

    fn draw(&self, steps: &[(S::State, Option<S::Action>)]) -> Option<String> {
        self.subject.draw(steps)
    }
}
