//! The run controller: stateright searches, and we decide what the search means.
//!
//! Stateright stops at limits without saying so, ignores its timeout with one thread, keeps the last violation instead of
//! the shortest, and loses the path when a thread panics. Here a model is wrapped in a [`Leash`]: the controller pulls it
//! when a limit is hit, the model then has no more actions, and the run is marked as cut. Complete means that the leash
//! was never pulled.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use stateright::{Checker, HasDiscoveries, Model, Path, Property};
use zab_properties::IdSet;

/// Picks one state for all that differ only in the names of equal servers.
pub type Canon<S> = fn(&S) -> S;

/// A model that can be run by the controller.
pub trait Subject: Clone + Send + Sync + 'static {
    type State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static;
    type Action: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static;

    fn starts(&self) -> Vec<Self::State>;
    /// Enabled actions only, in an order that depends on the state alone.
    fn enabled(&self, state: &Self::State, actions: &mut Vec<Self::Action>);
    fn step(&self, state: &Self::State, action: &Self::Action) -> Self::State;
    /// The ids of the properties that this state (or the step into it) violates.
    fn violations(&self, state: &Self::State) -> Vec<&'static str>;
    /// Cheaper than [`Self::violations`]: whether there are none.
    fn holds(&self, state: &Self::State) -> bool {
        self.violations(state).is_empty()
    }
    /// Properties of where a state leads that are violated: too dear to be asked of every state.
    fn violations_at_end(&self, _: &Self::State) -> Vec<&'static str> {
        Vec::new()
    }
    /// One state for all that differ only in the names of equal servers. None where ids break ties.
    fn canon(&self) -> Option<Canon<Self::State>> {
        None
    }
    /// The ids of the properties that judge here.
    fn judged(&self) -> Vec<&'static str>;
    /// The situations seen since the model was made, by any thread.
    fn reached(&self) -> IdSet;
    /// The situations that a complete run must have reached.
    fn expected(&self) -> IdSet;
    /// What else a run found out, for its report.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }
    /// Whether an action is a fault; simulation picks these rarely.
    fn is_fault(&self, action: &Self::Action) -> bool;
    fn say_action(&self, action: &Self::Action) -> String;
    /// What a step changes, for a reader.
    fn say_step(&self, before: &Self::State, action: &Self::Action, after: &Self::State) -> String;
    /// A space-time diagram of a path.
    fn draw(&self, steps: &[(Self::State, Option<Self::Action>)]) -> Option<String>;
}

/// When to give up.
#[derive(Clone, Debug)]
pub struct Limits {
    pub time: Duration,
    /// Generated states, counted with repetition.
    pub states: usize,
    pub threads: usize,
    pub symmetry: bool,
    pub memory: Option<MemoryLimit>,
}

/// How much memory the process may have. Measuring is the caller's, since nothing here does I/O.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimit {
    pub mib: u64,
    pub used_mib: fn() -> Option<u64>,
}

impl MemoryLimit {
    fn is_hit(&self) -> bool {
        (self.used_mib)().is_some_and(|used| used >= self.mib)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(24 * 3600),
            states: usize::MAX,
            threads: 1,
            symmetry: true,
            memory: None,
        }
    }
}

impl Limits {
    fn hit(&self, elapsed: Duration, states: usize) -> Extent {
        if elapsed >= self.time {
            Extent::CutByTime
        } else if states >= self.states {
            Extent::CutByStates
        } else if self.memory.is_some_and(|it| it.is_hit()) {
            Extent::CutByMemory
        } else {
            Extent::Complete
        }
    }
}

/// Whether the search saw everything within the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    Complete,
    /// Stopped at a violation.
    Stopped,
    CutByTime,
    CutByStates,
    CutByMemory,
}

/// A path to a state that violates properties.
#[derive(Clone, Debug)]
pub struct Violation<A> {
    pub start: usize,
    pub actions: Vec<A>,
    pub properties: Vec<&'static str>,
}

/// What a search found, and all that zab-model section 13 wants printed.
#[derive(Clone, Debug)]
pub struct Outcome<A> {
    pub extent: Extent,
    pub unique: usize,
    pub generated: usize,
    pub depth: usize,
    pub seconds: f64,
    pub peak_memory_mb: Option<u64>,
    pub violation: Option<Violation<A>>,
    pub reached: IdSet,
    /// The situations that a complete run must reach.
    pub demanded: IdSet,
    pub missing: IdSet,
}

impl<A> Outcome<A> {
    /// Complete, nothing violated, nothing missing.
    pub fn is_clean(&self) -> bool {
        self.extent == Extent::Complete && self.violation.is_none() && self.missing.is_empty()
    }

    /// Whether "verified" may be said. A run of which no situation is demanded may have seen nothing.
    pub fn is_verified(&self) -> bool {
        self.is_clean() && !self.demanded.is_empty()
    }

    /// The chance that some state was missed because its 64-bit fingerprint equalled another's.
    pub fn collision_probability(&self) -> f64 {
        let unique = self.unique as f64;
        unique * unique / 2f64.powi(65)
    }
}

/// A subject with a rein that stops any search over it.
#[derive(Clone)]
pub struct Leash<S> {
    pub subject: S,
    pulled: Arc<AtomicBool>,
}

impl<S: Subject> Leash<S> {
    pub fn new(subject: S) -> Self {
        Self {
            subject,
            pulled: Arc::default(),
        }
    }
}

impl<S: Subject> Model for Leash<S> {
    type State = S::State;
    type Action = S::Action;

    fn init_states(&self) -> Vec<S::State> {
        self.subject.starts()
    }

    fn actions(&self, state: &S::State, actions: &mut Vec<S::Action>) {
        if !self.pulled.load(Ordering::Relaxed) {
            self.subject.enabled(state, actions);
        }
    }

    fn next_state(&self, state: &S::State, action: S::Action) -> Option<S::State> {
        Some(self.subject.step(state, &action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // Stateright asks each property about each state through a hash table, so all of ours are one to it. The second
        // always holds: with a violated property alone, stateright would not look behind a violation.
        vec![
            Property::always("invariants", |model, state| model.subject.holds(state)),
            Property::always("explored", |_, _| true),
        ]
    }

    fn format_action(&self, action: &S::Action) -> String {
        self.subject.say_action(action)
    }

    fn format_step(&self, state: &S::State, action: S::Action) -> Option<String> {
        let after = self.subject.step(state, &action);
        Some(self.subject.say_step(state, &action, &after))
    }

    fn as_svg(&self, path: Path<S::State, S::Action>) -> Option<String> {
        self.subject.draw(&path.into_vec())
    }
}

/// Searches depth first, the work-horse: least memory, and the only search that uses symmetry.
pub fn search<S: Subject>(
    subject: &S,
    limits: &Limits,
    progress: &dyn Fn(usize, usize),
) -> Outcome<S::Action> {
    let leash = Leash::new(subject.clone());
    let mut builder = leash
        .clone()
        .checker()
        .threads(limits.threads)
        .finish_when(HasDiscoveries::AnyFailures);
    if let (true, Some(canon)) = (limits.symmetry, subject.canon()) {
        builder = builder.symmetry_fn(canon);
    }
    conclude(&leash, builder.spawn_dfs(), limits, progress)
}

/// Searches breadth first: a violation that it finds has the shortest path there is. No symmetry, and ten times the memory.
pub fn search_shortest<S: Subject>(
    subject: &S,
    limits: &Limits,
    progress: &dyn Fn(usize, usize),
) -> Outcome<S::Action> {
    let leash = Leash::new(subject.clone());
    let builder = leash
        .clone()
        .checker()
        .threads(1)
        .finish_when(HasDiscoveries::AnyFailures);
    conclude(&leash, builder.spawn_bfs(), limits, progress)
}

fn conclude<S: Subject>(
    leash: &Leash<S>,
    checker: impl Checker<Leash<S>>,
    limits: &Limits,
    progress: &dyn Fn(usize, usize),
) -> Outcome<S::Action> {
    let begin = Instant::now();
    let mut extent = Extent::Complete;
    while !checker.is_done() {
        if extent == Extent::Complete {
            extent = limits.hit(begin.elapsed(), checker.state_count());
        }
        leash
            .pulled
            .store(extent != Extent::Complete, Ordering::Relaxed);
        progress(checker.unique_state_count(), checker.max_depth());
        std::thread::sleep(if begin.elapsed().as_secs() < 2 {
            POLL
        } else {
            POLL * 10
        });
    }
    let checker = checker.join();
    let seconds = begin.elapsed().as_secs_f64();
    // A violation found while the limit struck: its path is rebuilt from the actions of each state.
    leash.pulled.store(false, Ordering::Relaxed);
    let violation = checker
        .discovery("invariants")
        .map(|path| violation(leash, path));
    if violation.is_some() {
        extent = Extent::Stopped;
    }
    let reached = leash.subject.reached();
    let demanded = leash.subject.expected();
    let expected = if extent == Extent::Complete {
        demanded
    } else {
        IdSet::default()
    };
    Outcome {
        extent,
        unique: checker.unique_state_count(),
        generated: checker.state_count(),
        depth: checker.max_depth(),
        seconds,
        peak_memory_mb: None,
        violation,
        reached,
        demanded,
        missing: expected
            .iter()
            .filter(|number| !reached.contains(*number))
            .collect(),
    }
}

const POLL: Duration = Duration::from_millis(10);

fn violation<S: Subject>(
    leash: &Leash<S>,
    path: Path<S::State, S::Action>,
) -> Violation<S::Action> {
    let properties = leash.subject.violations(path.last_state());
    let steps = path.into_vec();
    let starts = leash.subject.starts();
    let start = steps
        .first()
        .and_then(|(first, _)| starts.iter().position(|it| it == first))
        .unwrap_or(0);
    Violation {
        start,
        actions: steps.into_iter().filter_map(|(_, action)| action).collect(),
        properties,
    }
}

/// Applies actions from a start. None if one of them is not enabled where it stands.
pub fn follow<S: Subject>(
    subject: &S,
    start: usize,
    actions: &[S::Action],
) -> Option<Vec<S::State>> {
    let mut states = vec![subject.starts().into_iter().nth(start)?];
    let mut enabled = Vec::new();
    for action in actions {
        let last = states.last()?;
        enabled.clear();
        subject.enabled(last, &mut enabled);
        if !enabled.contains(action) {
            return None;
        }
        let next = subject.step(last, action);
        states.push(next);
    }
    Some(states)
}

/// Shortens a counterexample: leaves out runs of actions as long as the rest still leads to a violation of the same
/// property. The result is minimal in the sense that no single action can go, not always the shortest.
pub fn shrink<S: Subject>(subject: &S, mut found: Violation<S::Action>) -> Violation<S::Action> {
    let Some(property) = found.properties.first().copied() else {
        return found;
    };
    let mut size = (found.actions.len() / 2).max(1);
    loop {
        let mut shortened = false;
        let mut at = 0;
        while at < found.actions.len() {
            let mut fewer = found.actions.clone();
            fewer.drain(at..(at + size).min(fewer.len()));
            match violates(subject, found.start, &fewer, property) {
                Some((length, properties)) => {
                    fewer.truncate(length);
                    found = Violation {
                        start: found.start,
                        actions: fewer,
                        properties,
                    };
                    shortened = true;
                }
                None => at += size,
            }
        }
        if !shortened && size == 1 {
            return found;
        }
        size = if shortened { size } else { size / 2 }.max(1);
    }
}

/// The number of actions after which the property is first violated, and all that is violated there.
fn violates<S: Subject>(
    subject: &S,
    start: usize,
    actions: &[S::Action],
    property: &'static str,
) -> Option<(usize, Vec<&'static str>)> {
    let states = follow(subject, start, actions)?;
    states.iter().enumerate().find_map(|(length, state)| {
        let properties = subject.violations(state);
        properties
            .contains(&property)
            .then_some((length, properties))
    })
}
