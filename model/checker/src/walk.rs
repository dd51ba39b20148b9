//! Random walks for what is too deep to exhaust: weighted, so that faults are rare and the budgets last, and driven by a
//! generator of our own, so that a seed means the same walk for ever.

use crate::run::{Subject, Violation};

/// What walks found.
#[derive(Clone, Debug)]
pub struct Walk<A> {
    /// Steps made.
    pub steps: usize,
    /// Walks begun: one ends where nothing is enabled, or after 1,000 steps.
    pub walks: usize,
    pub violation: Option<Violation<A>>,
}

/// One step in so many is a fault, where both are possible.
const FAULT_ONE_IN: u64 = 30;

/// Steps of one walk: enough to use the budgets, few enough that the next walk uses them anew.
const LONGEST: usize = 1000;

/// Walks from the starts until `steps` steps are made or a property is violated.
pub fn walk<S: Subject>(subject: &S, seed: u64, steps: usize) -> Walk<S::Action> {
    let mut random = Random(seed);
    let starts = subject.starts();
    let mut done = Walk {
        steps: 0,
        walks: 0,
        violation: None,
    };
    while done.steps < steps && done.violation.is_none() {
        let start = random.below(starts.len());
        done.walks += 1;
        let before = done.steps;
        one_walk(
            subject,
            &mut random,
            (start, starts[start].clone()),
            steps,
            &mut done,
        );
        if done.steps == before {
            break;
        }
    }
    done
}

fn one_walk<S: Subject>(
    subject: &S,
    random: &mut Random,
    (start, mut state): (usize, S::State),
    steps: usize,
    done: &mut Walk<S::Action>,
) {
    let mut actions = Vec::new();
    let mut path = Vec::new();
    while done.steps < steps && path.len() < LONGEST {
        actions.clear();
        subject.enabled(&state, &mut actions);
        let Some(action) = choose(subject, random, &actions) else {
            break;
        };
        state = subject.step(&state, &action);
        path.push(action);
        done.steps += 1;
        if !subject.holds(&state) {
            done.violation = Some(Violation {
                start,
                actions: path,
                properties: subject.violations(&state),
            });
            return;
        }
    }
    let properties = subject.violations_at_end(&state);
    if !properties.is_empty() {
        done.violation = Some(Violation {
            start,
            actions: path,
            properties,
        });
    }
}

fn choose<S: Subject>(
    subject: &S,
    random: &mut Random,
    actions: &[S::Action],
) -> Option<S::Action> {
    let (faults, progress): (Vec<&S::Action>, Vec<&S::Action>) =
        actions.iter().partition(|it| subject.is_fault(it));
    let fault =
        progress.is_empty() || (!faults.is_empty() && random.next().is_multiple_of(FAULT_ONE_IN));
    let from = if fault { faults } else { progress };
    (!from.is_empty()).then(|| from[random.below(from.len())].clone())
}

/// The choices of one walk, for whoever makes the steps himself.
pub struct Chooser(Random);

impl Chooser {
    /// The same seed chooses alike for ever.
    pub fn new(seed: u64) -> Self {
        Self(Random(seed))
    }

    /// The next action; none if nothing is enabled.
    pub fn next<S: Subject>(&mut self, subject: &S, state: &S::State) -> Option<S::Action> {
        let mut actions = Vec::new();
        subject.enabled(state, &mut actions);
        choose(subject, &mut self.0, &actions)
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}
