//! Ensembles as a subject of the controller.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use zab::{Config, Message, Policy, Quorums, ServerSet, Timing, Verifier};
use zab_properties::election::{self, ElectionInvariant};
use zab_properties::sometimes::Situation;
use zab_properties::{Ghosts, IdSet, Invariant, safety};

use super::act::Step;
use super::arms::Arms;
use super::disk::{Disk, first_disks, first_ghosts};
use super::hashing::{IDENTITY, Permutation, Renaming, hash_link, server_hash};
use super::heal;
use super::server::{Server, id_of};
use super::state::{Action, Spent, State};
use super::votes::{JOINER_ENDS, Polling};
use crate::run::{Canon, Subject};
use crate::setup::{Granularity, Setup};

/// Whole servers under a setup. `P` is `Production`, or a mutant's policy.
#[derive(Clone)]
pub struct Ensemble<P> {
    pub setup: Setup,
    pub(super) policy: P,
    pub(super) invariants: Vec<Invariant<u8>>,
    pub(super) step_invariants: Vec<Invariant<u8>>,
    all_safety: Vec<Invariant<u8>>,
    pub(super) judged: IdSet,
    pub(super) votes: Vec<ElectionInvariant>,
    pub(super) judged_votes: IdSet,
    /// A bit for each of the liveness checks that are judged.
    pub(super) judged_liveness: u8,
    configs: Vec<Config>,
    quorums: Quorums,
    reached: Arc<AtomicU64>,
    pub(super) arms: Arc<Arms>,
    pub(super) longest: Arc<AtomicUsize>,
}

impl<P: Policy + Send + Sync + 'static> Ensemble<P> {
    pub fn new(setup: Setup, policy: P) -> Self {
        let all = safety::all::<u8>();
        let judged = if setup.judged.is_empty() {
            IdSet::ALL
        } else {
            all.iter()
                .filter(|it| setup.judged.iter().any(|id| id == it.id))
                .map(|it| it.number)
                .collect()
        };
        let votes = election::all();
        let judged_votes = if setup.judged.is_empty() {
            IdSet::ALL
        } else {
            votes
                .iter()
                .filter(|it| setup.judged.iter().any(|id| id == it.id))
                .map(|it| it.number)
                .collect()
        };
        let judged_liveness = (0..heal::LIVENESS.len())
            .filter(|it| {
                setup.judged.is_empty() || setup.judged.iter().any(|id| id == heal::LIVENESS[*it].0)
            })
            .fold(0, |mask, number| mask | 1 << number);
        let chosen: Vec<_> = all
            .into_iter()
            .filter(|it| judged.contains(it.number))
            .collect();
        let quorums = quorums_of(&setup);
        let config = |index| Config {
            oracle: setup.has_oracle(),
            opening_txn: setup.opening_txn,
            window: setup.window,
            counter_limit: setup.counter_limit,
            // The wait between notifications must not count up in the state.
            timing: Timing {
                notify_max: Timing::default().notify_min,
                ..Timing::default()
            },
            quorums: quorums.clone(),
            ..Config::new(id_of(index), quorums.voters().iter())
        };
        let configs: Vec<Config> = (0..usize::from(setup.servers)).map(config).collect();
        let step_invariants = chosen
            .iter()
            .copied()
            .filter(|it| it.step.is_some())
            .collect();
        let invariants = chosen.into_iter().filter(|it| it.state.is_some()).collect();
        Self {
            setup,
            policy,
            invariants,
            step_invariants,
            all_safety: safety::all(),
            judged,
            votes,
            judged_votes,
            judged_liveness,
            configs,
            quorums,
            reached: Arc::default(),
            arms: Arc::default(),
            longest: Arc::default(),
        }
    }

    pub(super) fn config(&self, server: usize) -> Config {
        self.configs[server].clone()
    }

    pub(super) fn observes(&self, server: usize) -> bool {
        self.configs[server].observer
    }

    /// Whether these servers, a bit for each, are a quorum: the core's own answer, without its policy.
    pub(super) fn is_quorum(&self, servers: u32) -> bool {
        let set: ServerSet = (0..self.configs.len())
            .filter(|index| servers & 1 << index != 0)
            .map(id_of)
            .collect();
        self.quorums.is_quorum(&set)
    }

    pub(super) fn mark(&self, situation: Situation) {
        self.mark_all([situation.number()].into_iter().collect());
    }

    pub(super) fn mark_all(&self, situations: IdSet) {
        let bits = situations.bits();
        if self.reached.load(Ordering::Relaxed) & bits != bits {
            self.reached.fetch_or(bits, Ordering::Relaxed);
        }
    }

    /// The same model, whose steps count for no situation.
    pub(super) fn unobserved(&self) -> Self {
        Self {
            reached: Arc::default(),
            arms: Arc::default(),
            ..self.clone()
        }
    }

    /// Whether every situation that a state shows by itself has been seen.
    pub(super) fn all_states_noted(&self) -> bool {
        let reached = IdSet::from_bits(self.reached.load(Ordering::Relaxed));
        BY_STATE.iter().all(|it| reached.contains(it.number()))
    }

    /// R22, and the arms that a delivery takes.
    pub(super) fn note_message(&self, phase: zab::Phase, message: &Message<u8>) {
        self.arms.note(phase, message);
        let seen = IdSet::from_bits(self.reached.load(Ordering::Relaxed));
        if !seen.contains(Situation::EveryMessage.number()) && self.arms.every_message() {
            self.mark(Situation::EveryMessage);
        }
    }

    /// A fair schedule costs many steps, so one state in sixteen is asked where it leads.
    fn judges_joiners(&self, state: &State<P>) -> bool {
        self.setup.granularity == Granularity::G2
            && self.judged_votes.contains(JOINER_ENDS)
            && fingerprint(state, &IDENTITY).is_multiple_of(16)
    }

    /// Servers that start with these disks; with empty ones if none are given.
    fn start(&self, disks: &[Disk]) -> State<P> {
        let mut state = self.empty();
        for (server, disk) in state.servers.iter_mut().zip(disks) {
            let server = Arc::make_mut(server);
            server.issued.clone_from(&disk.history);
            server.disk = disk.clone();
        }
        if !disks.is_empty() {
            state.ghosts = Arc::new(first_ghosts());
        }
        Step::start(self, state)
    }

    /// Servers that nobody has started.
    pub(super) fn empty(&self) -> State<P> {
        let count = usize::from(self.setup.servers);
        State {
            servers: (0..count)
                .map(|index| Arc::new(Server::new(self.observes(index))))
                .collect(),
            hashes: (0..count).map(|_| Arc::default()).collect(),
            links: Vec::new(),
            mail: vec![
                None;
                if self.setup.has_oracle() {
                    0
                } else {
                    count * count
                }
            ],
            ghosts: Arc::new(Ghosts::default()),
            polling: Polling {
                heard: vec![
                    None;
                    if self.setup.has_oracle() {
                        0
                    } else {
                        count * count
                    }
                ],
                outdated: vec![
                    None;
                    if self.setup.has_oracle() {
                        0
                    } else {
                        count * count
                    }
                ],
                first: vec![None; if self.setup.has_oracle() { 0 } else { count }],
                supporters: vec![0; if self.setup.has_oracle() { 0 } else { count }],
                changed: vec![false; if self.setup.has_oracle() { 0 } else { count }],
                ..Polling::default()
            },
            spent: Spent::default(),
            asks: 0,
            asked: None,
            asked_on: None,
            canonical: None,
        }
    }
}

/// What is a quorum of these servers. The last ones observe.
fn quorums_of(setup: &Setup) -> Quorums {
    let mut voters = (0..usize::from(setup.servers - setup.observers)).map(id_of);
    if setup.groups.is_empty() {
        return Quorums::of(Verifier::majority(voters));
    }
    let groups = setup.groups.iter().map(|size| {
        let members = voters.by_ref().take(usize::from(*size));
        members.map(|id| (id, 1)).collect::<Vec<_>>()
    });
    Quorums::weighted(groups.collect::<Vec<_>>())
}

const BY_STATE: [Situation; 6] = [
    Situation::EstablishedLeader,
    Situation::TwoLeaders,
    Situation::DeliveredByAll,
    Situation::TwoEpochsDelivered,
    Situation::EpochSkipped,
    Situation::BudgetsUsed,
];

impl<P: Policy + Send + Sync + 'static> Subject for Ensemble<P> {
    type State = State<P>;
    type Action = Action;

    fn starts(&self) -> Vec<State<P>> {
        if !self.setup.histories {
            return vec![self.start(&[])];
        }
        first_disks(usize::from(self.setup.servers))
            .iter()
            .map(|disks| self.start(disks))
            .collect()
    }

    fn enabled(&self, state: &State<P>, actions: &mut Vec<Action>) {
        self.actions_of(state, actions);
    }

    fn step(&self, state: &State<P>, action: &Action) -> State<P> {
        Step::make(self, state, action)
    }

    fn violations(&self, state: &State<P>) -> Vec<&'static str> {
        let (violated, votes) = (self.violated(state), self.violated_votes(state));
        let safety = self
            .all_safety
            .iter()
            .filter(|it| violated.contains(it.number))
            .map(|it| it.id);
        let elections = self
            .votes
            .iter()
            .filter(|it| votes.contains(it.number))
            .map(|it| it.id);
        let joiners = (self.judges_joiners(state) && !self.joiners_end(state)).then_some("F6");
        safety
            .chain(elections)
            .chain(joiners)
            .chain(self.stuck(state))
            .collect()
    }

    fn holds(&self, state: &State<P>) -> bool {
        self.violated(state).is_empty()
            && self.violated_votes(state).is_empty()
            && (!self.judges_joiners(state) || self.joiners_end(state))
            && self.stuck(state).is_empty()
    }

    fn judged(&self) -> Vec<&'static str> {
        let all = crate::catalogue::properties_of(self.setup.granularity);
        let chosen = &self.setup.judged;
        all.into_iter()
            .filter(|id| chosen.is_empty() || chosen.iter().any(|it| it == id))
            .collect()
    }

    // What follows an election is one step in G2, which commits nothing.
    fn violations_at_end(&self, state: &State<P>) -> Vec<&'static str> {
        if self.setup.is_stub() {
            return Vec::new();
        }
        self.led_astray(state)
    }

    // Only the oracle treats servers alike: votes break ties by id. Members of one group are no members of another.
    fn canon(&self) -> Option<Canon<State<P>>> {
        (self.setup.has_oracle() && self.setup.groups.is_empty())
            .then_some(canonical::<P> as Canon<State<P>>)
    }

    fn reached(&self) -> IdSet {
        IdSet::from_bits(self.reached.load(Ordering::Relaxed))
    }

    fn expected(&self) -> IdSet {
        self.setup.expected.iter().copied().collect()
    }

    fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        remarks.push(format!("arms never taken: {}", self.arms.untaken()));
        if !self.setup.has_oracle() {
            remarks.push(format!("votes never heard: {}", self.arms.unheard()));
        }
        let steps = self.longest_recovery();
        if steps > 0 {
            remarks.push(format!(
                "without further faults, servers agreed and committed within {steps} steps"
            ));
        }
        remarks
    }

    fn is_fault(&self, action: &Action) -> bool {
        match action {
            Action::Break { .. } | Action::Crash { .. } | Action::Wipe { .. } => true,
            Action::Expire { timer, .. } => !super::act::is_routine(*timer),
            Action::Elect { .. }
            | Action::Join { .. }
            | Action::Establish { .. }
            | Action::Connect { .. }
            | Action::Deliver { .. }
            | Action::Notice { .. }
            | Action::NoticeClose { .. }
            | Action::DiskStep { .. }
            | Action::Restart { .. }
            | Action::Propose { .. }
            | Action::Ask { .. } => false,
        }
    }

    fn say_action(&self, action: &Action) -> String {
        super::say::action(action)
    }

    fn say_step(&self, before: &State<P>, action: &Action, after: &State<P>) -> String {
        super::say::step(before, action, after)
    }

    fn draw(&self, steps: &[(State<P>, Option<Action>)]) -> Option<String> {
        let violated = steps
            .last()
            .map_or(Vec::new(), |(state, _)| self.violations(state));
        Some(super::diagram::draw(steps, &violated))
    }
}

impl Setup {
    pub(super) fn has_oracle(&self) -> bool {
        matches!(self.granularity, Granularity::G0 | Granularity::G1)
    }

    /// Whether all that comes after the election is one step.
    pub(super) fn is_stub(&self) -> bool {
        self.granularity == Granularity::G2
    }

    pub(super) fn is_fused(&self) -> bool {
        self.granularity == Granularity::G0
    }

    /// A server that has crashed waits for its restart only where that can matter: where it may be wiped meanwhile. To
    /// the others a server that is down and one that nobody has elected yet are the same.
    pub(super) fn stays_down(&self) -> bool {
        !self.reduced || self.wipes > 0
    }

    /// Whether any timer may ever fire.
    pub(super) fn has_timers(&self) -> bool {
        self.timeouts > 0 || !self.has_oracle()
    }
}

/// The state's fingerprint with its servers in the order of what can be said of them without names.
fn canonical<P: Policy>(state: &State<P>) -> State<P> {
    let count = state.servers.len();
    // Observers stay behind the voters: no name makes one of them the other.
    let mut keys: Vec<(bool, u64, u8)> = (0..count)
        .map(|index| {
            (
                state.servers[index].observes,
                key(state, index),
                index as u8,
            )
        })
        .collect();
    keys.sort_unstable();
    let mut to = IDENTITY;
    for (place, (_, _, index)) in keys.iter().enumerate() {
        to[usize::from(*index)] = place as u8;
    }
    State {
        servers: Vec::new(),
        hashes: Vec::new(),
        links: Vec::new(),
        mail: Vec::new(),
        ghosts: Arc::clone(&state.ghosts),
        polling: Polling::default(),
        spent: state.spent,
        asks: state.asks,
        asked: None,
        asked_on: None,
        canonical: Some(fingerprint(state, &to)),
    }
}

/// Something that says the same of a server whatever the servers are called.
fn key<P: Policy>(state: &State<P>, index: usize) -> u64 {
    let server = &state.servers[index];
    let mut hasher = Renaming::new(&IDENTITY);
    if let Some(peer) = &server.peer {
        let status = peer.status();
        (
            status.role,
            status.phase,
            status.epoch,
            status.accepted,
            status.current,
            status.last_committed,
        )
            .hash(&mut hasher);
        (status.round, status.writes, status.learners).hash(&mut hasher);
    }
    (
        &server.disk.history,
        server.delivered.len(),
        server.disk.queue.len(),
    )
        .hash(&mut hasher);
    let mut around = [0_usize; 4];
    for link in state.links.iter().filter(|link| link.touches(index)) {
        around[0] += link.half(index).inbox.len();
        around[1] += link.half(link.other(index)).inbox.len();
        around[2] += 1;
        around[3] += usize::from(link.learner == index);
    }
    around.hash(&mut hasher);
    hasher.finish()
}

pub(super) fn fingerprint<P: Policy>(state: &State<P>, to: &Permutation) -> u64 {
    let count = state.servers.len();
    let mut hasher = Renaming::new(to);
    let mut places = [0_u64; super::hashing::MAX_SERVERS];
    for (index, server) in state.servers.iter().enumerate() {
        places[usize::from(to[index])] = server_hash(server, &state.hashes[index], count, to);
    }
    for place in &places[..count] {
        hasher.mix(*place);
    }
    let mut links: Vec<u64> = state
        .links
        .iter()
        .map(|link| hash_of_link(link, to))
        .collect();
    links.sort_unstable();
    for link in links {
        hasher.mix(link);
    }
    (&state.mail, &state.polling).hash(&mut hasher);
    hasher.mix(state.polling.broken.bits());
    for won in &state.polling.won {
        hasher.mix(won.round);
    }
    let said = [&state.polling.heard, &state.polling.outdated];
    for heard in said.into_iter().flatten().flatten() {
        hasher.mix(heard.round);
    }
    // Sorted by epoch first, so the order of names does not matter while an epoch has one leader.
    state.ghosts.hash(&mut hasher);
    hasher.mix(state.ghosts.broken.bits());
    state.spent.hash(&mut hasher);
    // What most runs do not have changes no fingerprint of theirs: some properties are asked of one state in so many.
    if state.asks > 0 {
        hasher.mix(u64::from(state.asks));
    }
    if let Some(link) = state.asked_on {
        hasher.write_u64(link.0);
    }
    if let Some(asked) = &state.asked {
        hasher.place(Some(asked.server));
        hasher.mix(asked.established.0.unsigned_abs());
        asked.acked.hash(&mut hasher);
    }
    hasher.finish()
}

fn hash_of_link(link: &super::link::Link, to: &Permutation) -> u64 {
    let mut hasher = Renaming::new(to);
    hash_link(link, &mut hasher);
    hasher.finish()
}

impl<P: Policy> Hash for State<P> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(
            self.canonical
                .unwrap_or_else(|| fingerprint(self, &IDENTITY)),
        );
    }
}

impl<P: Policy> PartialEq for State<P> {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
            && fingerprint(self, &IDENTITY) == fingerprint(other, &IDENTITY)
    }
}
