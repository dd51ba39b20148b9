//! One step: an action fed to the cores that it concerns, and all their effects carried out.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use zab::{
    Config, Effect, Effects, Event, Message, Misbehaviour, Peer, Policy, Proposal, ReadId, Reader,
    Report, RoleKind, SyncMode, Timer, Write, Zxid,
};
use zab_properties::sometimes::{self, Situation};
use zab_properties::tree::covered;
use zab_properties::{Fact, Removal, Txn};

use super::disk::{Disk, Queued, txn};
use super::link::{Frame, Link, parts};
use super::record::{Call, Given};
use super::server::{Server, id_of, index_of};
use super::state::{Action, Asked, End, State};
use super::subject::Ensemble;

/// The content of an opening txn: this, and its epoch. Those of clients count from 1.
const OPENING: u8 = 0x80;

/// A step being made.
pub(super) struct Step<'a, P> {
    pub(super) model: &'a Ensemble<P>,
    pub(super) state: State<P>,
    /// Events that follow at once: writes of an atomic disk, closes that both ends see together.
    queue: VecDeque<(usize, Event<u8>)>,
    /// The calls of cores, if anyone wants to know them.
    calls: Option<Vec<Call>>,
}

impl<P: Policy + Send + Sync + 'static> Step<'_, P> {
    pub(super) fn make(model: &Ensemble<P>, state: &State<P>, action: &Action) -> State<P> {
        let step = Step {
            model,
            state: state.clone(),
            queue: VecDeque::new(),
            calls: None,
        };
        step.made(state, action).0
    }

    pub(super) fn recorded(
        model: &Ensemble<P>,
        state: &State<P>,
        action: &Action,
    ) -> (State<P>, Vec<Call>) {
        let step = Step {
            model,
            state: state.clone(),
            queue: VecDeque::new(),
            calls: Some(Vec::new()),
        };
        step.made(state, action)
    }

    fn made(self, state: &State<P>, action: &Action) -> (State<P>, Vec<Call>) {
        let mut step = self;
        step.act(action);
        step.settle();
        for server in 0..step.state.servers.len() {
            if !Arc::ptr_eq(&step.state.servers[server], &state.servers[server]) {
                step.state.hashes[server] = Arc::default();
            }
        }
        step.state.canonical = None;
        step.model.note_state(&step.state);
        (step.state, step.calls.unwrap_or_default())
    }

    pub(super) fn start(model: &Ensemble<P>, state: State<P>) -> State<P> {
        Self::recorded_start(model, state).0
    }

    pub(super) fn recorded_start(model: &Ensemble<P>, state: State<P>) -> (State<P>, Vec<Call>) {
        let mut step = Step {
            model,
            state,
            queue: VecDeque::new(),
            calls: Some(Vec::new()),
        };
        for server in 0..step.state.servers.len() {
            step.boot(server);
        }
        step.settle();
        (step.state, step.calls.unwrap_or_default())
    }

    fn act(&mut self, action: &Action) {
        match action {
            Action::Elect { leader, followers } => self.elect(usize::from(*leader), followers),
            Action::Join { follower, leader } => {
                self.elect_one(usize::from(*follower), usize::from(*leader));
                self.fuse(usize::from(*leader), &[*follower]);
            }
            Action::Establish { leader } => self.establish(usize::from(*leader)),
            Action::Connect { learner, leader } => {
                self.connect(usize::from(*learner), usize::from(*leader))
            }
            Action::Deliver { link, at } => self.deliver(*link, *at),
            Action::Notice { from, to } => self.notice(usize::from(*from), usize::from(*to)),
            Action::Break { link, at } => self.break_link(*link, *at),
            Action::NoticeClose { link, at } => self.notice_close(*link, *at),
            Action::DiskStep { server } => self.disk_step(usize::from(*server)),
            Action::Crash { server, kept } => self.crash(usize::from(*server), usize::from(*kept)),
            Action::Restart { server } => self.boot(usize::from(*server)),
            Action::Wipe { server } => self.wipe(usize::from(*server)),
            Action::Propose { leader } => self.propose(usize::from(*leader)),
            Action::Ask { server } => self.ask(usize::from(*server)),
            Action::Expire { server, timer } => {
                self.state.spent.timeouts += u8::from(!is_routine(*timer));
                self.server(usize::from(*server)).timers.remove(timer);
                self.feed(usize::from(*server), Event::Expired { timer: *timer });
            }
        }
    }

    /// Events that follow at once, and dead links that nobody knows any more.
    fn settle(&mut self) {
        while let Some((server, event)) = self.queue.pop_front() {
            self.feed(server, event);
        }
        self.state
            .links
            .retain(|link| link.at_learner.open || link.at_leader.open);
    }

    pub(super) fn server(&mut self, index: usize) -> &mut Server<P> {
        Arc::make_mut(&mut self.state.servers[index])
    }

    // ---- election by the oracle

    fn elect(&mut self, leader: usize, followers: &[u8]) {
        self.state.spent.elections += 1;
        self.elect_one(leader, leader);
        for follower in followers {
            self.elect_one(usize::from(*follower), leader);
        }
        self.fuse(leader, followers);
    }

    fn elect_one(&mut self, server: usize, leader: usize) {
        let leader = id_of(leader);
        let given = self.records().then_some(Given::Elected(leader));
        self.call(server, given, |peer, effects| peer.elect(leader, effects));
    }

    /// G0: runs discovery between a leader and these followers until nothing of it is left to do.
    fn fuse(&mut self, leader: usize, followers: &[u8]) {
        if !self.model.setup.is_fused() {
            return;
        }
        self.settle();
        for follower in followers.iter().map(|it| usize::from(*it)) {
            if self.model.may_connect(&self.state, follower, leader) {
                self.connect(follower, leader);
            }
        }
        let members: Vec<usize> = followers
            .iter()
            .map(|it| usize::from(*it))
            .chain([leader])
            .collect();
        while self.discover(&members) {
            self.settle();
        }
    }

    /// Does one thing that discovery waits for. False if there is none.
    fn discover(&mut self, members: &[usize]) -> bool {
        for place in 0..self.state.links.len() {
            let link = &self.state.links[place];
            for (at, server) in [(End::Learner, link.learner), (End::Leader, link.leader)] {
                let next = link.half(server).inbox.front();
                if link.half(server).open
                    && members.contains(&server)
                    && next.is_some_and(|it| discovers(&it.message))
                {
                    let id = link.id.0;
                    self.deliver(id, at);
                    return true;
                }
            }
        }
        let waits = |server: &&usize| {
            matches!(
                self.state.servers[**server]
                    .disk
                    .queue
                    .front()
                    .map(|it| &it.write),
                Some(Write::AcceptedEpoch(_))
            )
        };
        let Some(server) = members.iter().find(waits).copied() else {
            return false;
        };
        self.disk_step(server);
        true
    }

    /// G2: connects all who have settled for a leader, and lets them synchronise.
    fn establish(&mut self, leader: usize) {
        for learner in 0..self.state.servers.len() {
            if self.model.may_connect(&self.state, learner, leader) {
                self.connect(learner, leader);
            }
        }
        while self.do_anything() {
            self.settle();
        }
    }

    /// Delivers a frame or does a write. False if there is nothing to do.
    fn do_anything(&mut self) -> bool {
        for place in 0..self.state.links.len() {
            let link = &self.state.links[place];
            for (at, server) in [(End::Learner, link.learner), (End::Leader, link.leader)] {
                if link.half(server).open && !link.half(server).inbox.is_empty() {
                    let id = link.id.0;
                    self.deliver(id, at);
                    return true;
                }
            }
        }
        let busy =
            (0..self.state.servers.len()).find(|it| !self.state.servers[*it].disk.queue.is_empty());
        let Some(server) = busy else { return false };
        self.disk_step(server);
        true
    }

    // ---- links

    fn connect(&mut self, learner: usize, leader: usize) {
        let same = self
            .state
            .links
            .iter()
            .filter(|link| link.learner == learner && link.leader == leader);
        let remembered = self.state.asked_on.and_then(|link| parts(link.0));
        let remembered = remembered.filter(|(of, to, _)| (*of, *to) == (learner, leader));
        let counts = same.map(|link| link.count());
        let last = counts.chain(remembered.map(|(.., count)| count)).max();
        let count = last.unwrap_or(0) + 1;
        let link = Link::new(learner, leader, count);
        let id = link.id;
        self.state.links.push(Arc::new(link));
        self.server(learner).dialling = None;
        self.feed(
            learner,
            Event::Connected {
                link: id,
                peer: id_of(leader),
            },
        );
        self.feed(
            leader,
            Event::Connected {
                link: id,
                peer: id_of(learner),
            },
        );
    }

    pub(super) fn link(&mut self, place: usize) -> &mut Link {
        Arc::make_mut(&mut self.state.links[place])
    }

    fn place(&self, link: u64) -> Option<usize> {
        self.state.links.iter().position(|it| it.id.0 == link)
    }

    fn end(&self, link: u64, at: End) -> Option<(usize, usize)> {
        let place = self.place(link)?;
        let link = &self.state.links[place];
        Some((
            place,
            if at == End::Learner {
                link.learner
            } else {
                link.leader
            },
        ))
    }

    fn deliver(&mut self, link: u64, at: End) {
        let Some((place, server)) = self.end(link, at) else {
            return;
        };
        let Some(frame) = self.link(place).half_mut(server).inbox.pop_front() else {
            return;
        };
        self.note_delivery(place, server, &frame.message);
        if let Some(stream) = frame.stream {
            self.server(server).received = Some((zab::LinkId(link), stream));
        }
        self.feed(
            server,
            Event::Received {
                link: zab::LinkId(link),
                message: frame.message,
            },
        );
    }

    fn break_link(&mut self, link: u64, at: End) {
        self.state.spent.breaks += 1;
        self.notice_close(link, at);
    }

    fn notice_close(&mut self, link: u64, at: End) {
        let Some((place, server)) = self.end(link, at) else {
            return;
        };
        self.close_end(place, server);
        self.close_other(place, server);
        self.feed(
            server,
            Event::Disconnected {
                link: zab::LinkId(link),
            },
        );
    }

    /// Without half-open links the other end learns at once, and what was on its way is lost.
    fn close_other(&mut self, place: usize, server: usize) {
        let other = self.state.links[place].other(server);
        if !self.model.setup.half_open && self.state.links[place].half(other).open {
            let link = self.state.links[place].id;
            self.close_end(place, other);
            self.queue.push_back((other, Event::Disconnected { link }));
        }
    }

    /// This end is closed: what is still on its way to it reaches a server that no longer knows the link.
    fn close_end(&mut self, place: usize, server: usize) {
        let half = self.link(place).half_mut(server);
        half.open = false;
        half.inbox.clear();
        let id = self.state.links[place].id;
        if self
            .server(server)
            .received
            .as_ref()
            .is_some_and(|(link, _)| *link == id)
        {
            self.server(server).received = None;
        }
    }

    /// The core hangs up. Late frames must change nothing (spec: S24); the others are told, or will notice.
    fn hang_up(&mut self, server: usize, link: zab::LinkId) {
        let Some(place) = self.place(link.0) else {
            return;
        };
        if !self.state.links[place].half(server).open {
            return;
        }
        let late: Vec<Message<u8>> = self.state.links[place]
            .half(server)
            .inbox
            .iter()
            .map(|frame| frame.message.clone())
            .collect();
        self.close_end(place, server);
        if !late.is_empty() {
            self.probe(server, link, late);
        }
        self.close_other(place, server);
    }

    /// Feeds late frames to a copy of the core.
    fn probe(&mut self, server: usize, link: zab::LinkId, late: Vec<Message<u8>>) {
        let Some(peer) = &self.state.servers[server].peer else {
            return;
        };
        let stale = late.into_iter().any(|message| {
            let mut copy = peer.clone();
            let mut effects = Effects::new();
            let outcome = copy.handle(Event::Received { link, message }, &mut effects);
            outcome.is_err()
                || copy != *peer
                || !effects
                    .as_slice()
                    .iter()
                    .all(|it| matches!(it, Effect::Report(_)))
        });
        self.model.mark(Situation::StaleFrame);
        if stale {
            self.fact(&Fact::StaleInput {
                server: id_of(server),
            });
        }
    }

    // ---- election by votes

    fn notice(&mut self, from: usize, to: usize) {
        let pair = from * self.state.servers.len() + to;
        if let Some(notification) = self.state.mail[pair].take() {
            self.note_heard(from, to, &notification);
            let from_id = id_of(from);
            self.feed(
                to,
                Event::Notified {
                    from: from_id,
                    notification,
                },
            );
            self.note_support(from, to);
        }
    }

    // ---- disk, crash, restart

    fn disk_step(&mut self, server: usize) {
        if let Some(done) = self.write(server) {
            self.stale_write(server, &done);
            self.feed(server, Event::Persisted { through: done.id });
        }
    }

    /// A completion for a role that is gone, while another role is on, is an old write in a new epoch.
    fn stale_write(&mut self, server: usize, done: &Queued) {
        let role = self.state.servers[server]
            .peer
            .as_ref()
            .map(|peer| peer.status());
        if done.stale
            && role.is_some_and(|status| status.role != RoleKind::Looking || status.electing)
        {
            self.fact(&Fact::StaleInput {
                server: id_of(server),
            });
        }
    }

    /// The oldest write reaches the disk. Who waits for it is not told yet.
    fn write(&mut self, server: usize) -> Option<Queued> {
        let before = self.state.servers[server].disk.clone();
        let done = self.server(server).disk.write_one()?;
        self.disk_facts(server, &before, &done);
        if matches!(done.write, Write::CurrentEpoch(_)) {
            self.server(server).wiped = false;
        }
        Some(done)
    }

    fn disk_facts(&mut self, server: usize, before: &Disk, done: &Queued) {
        let disk = &self.state.servers[server].disk;
        let (accepted, current) = (disk.accepted, disk.current);
        if (accepted, current) != (before.accepted, before.current)
            || matches!(done.write, Write::AcceptedEpoch(_) | Write::CurrentEpoch(_))
        {
            self.fact(&Fact::EpochsWritten {
                server: id_of(server),
                accepted_before: before.accepted,
                current_before: before.current,
                accepted,
                current,
            });
        }
        let why = match done.write {
            Write::Truncate { .. } => Removal::Truncated,
            Write::Install { .. } => Removal::Replaced,
            Write::AcceptedEpoch(_) | Write::CurrentEpoch(_) | Write::Append(_) => return,
        };
        let after = self.state.servers[server].disk.history.clone();
        let gone: Vec<Txn<u8>> = before
            .history
            .iter()
            .filter(|txn| !after.contains(txn))
            .cloned()
            .collect();
        if gone.is_empty() {
            return;
        }
        self.fact(&Fact::Removed {
            server: id_of(server),
            txns: &gone,
            why,
        });
    }

    fn crash(&mut self, server: usize, kept: usize) {
        self.state.spent.crashes += 1;
        self.note_crash(server, kept);
        for _ in 0..kept {
            self.write(server);
        }
        let kept = self.state.servers[server].disk.history.clone();
        let lost: Vec<Txn<u8>> = self.state.servers[server]
            .issued
            .iter()
            .filter(|txn| !kept.contains(txn))
            .cloned()
            .collect();
        if !lost.is_empty() {
            let (server, why) = (id_of(server), Removal::Crashed);
            self.fact(&Fact::Removed {
                server,
                txns: &lost,
                why,
            });
        }
        self.server(server).lose_memory();
        self.state.asked.take_if(|it| it.server == server);
        if !self.model.setup.has_oracle() {
            self.forget_heard(server);
        }
        self.drop_links(server);
        self.state.spent.outage |= self.state.servers.iter().all(|it| it.peer.is_none());
        if !self.model.setup.stays_down() {
            self.boot(server);
        }
    }

    pub(super) fn drop_links(&mut self, server: usize) {
        let count = self.state.servers.len();
        for other in 0..count {
            if let Some(mail) = self.state.mail.get_mut(other * count + server) {
                *mail = None;
            }
        }
        for place in 0..self.state.links.len() {
            if !self.state.links[place].touches(server) {
                continue;
            }
            self.close_end(place, server);
            self.close_other(place, server);
        }
    }

    fn wipe(&mut self, server: usize) {
        self.state.spent.wipes += 1;
        let initialize = self.model.setup.initialize;
        let it = self.server(server);
        it.disk = Disk {
            trusted: initialize,
            ..Disk::empty()
        };
        it.issued.clear();
        it.wiped = true;
        self.fact(&Fact::Wiped {
            server: id_of(server),
        });
    }

    fn boot(&mut self, server: usize) {
        let durable = self.state.servers[server].disk.recover();
        let config: Config = self.model.config(server);
        let it = self.server(server);
        it.loaded = it.disk.snapshot;
        it.tree = it.disk.tree();
        if durable.current < durable.accepted {
            self.model.mark(Situation::RestartBetweenEpochs);
        }
        match Peer::restore_with(config, durable, self.model.policy.clone()) {
            Ok(peer) => {
                self.server(server).peer = Some(peer);
                self.feed(server, Event::Started);
            }
            Err(_) => self.fact(&Fact::Fault),
        }
    }

    // ---- clients

    fn propose(&mut self, leader: usize) {
        let Some(zxid) = self.state.servers[leader]
            .peer
            .as_ref()
            .and_then(Peer::next_zxid)
        else {
            return;
        };
        self.state.spent.txns += 1;
        let value = self.state.spent.txns;
        self.created(leader, &Txn { zxid, value });
        self.feed(leader, Event::Proposed { zxid, txn: value });
    }

    /// The core asks for the txn that opens it. The host proposes it before it does anything else.
    fn open(&mut self, leader: usize, zxid: Zxid) {
        let value = OPENING | zxid.epoch().0 as u8;
        self.created(leader, &Txn { zxid, value });
        let proposed = Event::Proposed { zxid, txn: value };
        self.queue.push_front((leader, proposed));
    }

    fn created(&mut self, leader: usize, txn: &Txn<u8>) {
        let peer = self.state.servers[leader].peer.as_ref();
        if let Some(epoch) = peer.and_then(|peer| peer.status().epoch) {
            let delivered = self.state.servers[leader].delivered.clone();
            self.fact(&Fact::Created {
                server: id_of(leader),
                epoch,
                txn,
                delivered: &delivered,
            });
        }
    }

    /// A client asks for a sync: a leader asks its own core, a learner forwards it.
    // spec: QP-BC-15.
    fn ask(&mut self, server: usize) {
        let ghosts = &self.state.ghosts;
        let established = ghosts
            .established
            .last()
            .map_or(zab::Epoch::NONE, |it| it.epoch);
        self.state.asked = Some(Asked {
            server,
            established,
            acked: ghosts.acked.clone(),
        });
        self.state.asks += 1;
        let status = self.state.servers[server].peer.as_ref().map(Peer::status);
        self.state.asked_on = status.and_then(|it| it.link);
        let event = if status.is_some_and(|it| it.role == RoleKind::Leading) {
            Event::Asked {
                by: Reader::Host(ReadId(1)),
            }
        } else {
            Event::Forwarded { request: 0 }
        };
        self.feed(server, event);
    }

    /// The client that waits at this server is answered.
    fn answered(&mut self, server: usize) {
        if let Some(asked) = self.state.asked.take_if(|it| it.server == server) {
            self.fact(&Fact::Confirmed {
                server: id_of(server),
                established: asked.established,
                acked: &asked.acked,
            });
        }
    }

    // ---- the core and its effects

    fn feed(&mut self, server: usize, event: Event<u8>) {
        let given = self.records().then(|| Given::Event(event.clone()));
        self.call(server, given, |peer, effects| peer.handle(event, effects));
    }

    fn records(&self) -> bool {
        self.calls.is_some()
    }

    fn call(
        &mut self,
        server: usize,
        given: Option<Given>,
        act: impl FnOnce(&mut Peer<u8, P>, &mut Effects<u8>) -> Result<(), zab::Broken>,
    ) {
        let mut effects = Effects::new();
        if self.state.servers[server].peer.is_none() {
            return;
        }
        let uncommitted = self.holds_uncommitted(server);
        let before = (!self.model.setup.has_oracle())
            .then(|| self.state.servers[server].peer.as_ref().map(Peer::status))
            .flatten();
        let Some(peer) = &mut self.server(server).peer else {
            return;
        };
        // A panic is a finding like any other: stateright would lose the path to it.
        let outcome = catch_unwind(AssertUnwindSafe(|| act(peer, &mut effects)));
        if uncommitted
            && effects
                .as_slice()
                .contains(&Effect::Report(Report::Looking))
        {
            self.model.mark(Situation::LeaderLeavesUncommitted);
        }
        if let (Some(calls), Some(given)) = (&mut self.calls, given) {
            let effects = effects.as_slice().to_vec();
            calls.push(Call {
                server,
                given,
                effects,
            });
        }
        for effect in effects.drain() {
            self.effect(server, effect);
        }
        if before.is_some() {
            self.note_turn(server, before);
        }
        if !matches!(outcome, Ok(Ok(()))) {
            self.fact(&Fact::Fault);
        }
    }

    /// Whether this is a serving leader with a transaction that nobody has committed.
    fn holds_uncommitted(&self, server: usize) -> bool {
        let it = &self.state.servers[server];
        it.issued.len() > self.state.ghosts.decided.len()
            && it
                .peer
                .as_ref()
                .is_some_and(|peer| peer.next_zxid().is_some())
            && self.model.look(&self.state, |view| {
                sometimes::leaves_uncommitted(view, server)
            })
    }

    fn effect(&mut self, server: usize, effect: Effect<u8>) {
        match effect {
            Effect::Notify { to, notification } => {
                let pair = server * self.state.servers.len() + index_of(to);
                if let Some(mail) = self.state.mail.get_mut(pair) {
                    *mail = Some(notification);
                }
            }
            Effect::Dial { leader } => self.server(server).dialling = Some(index_of(leader)),
            Effect::HangUp => self.server(server).dialling = None,
            Effect::Send { link, message } => self.send(server, link, message),
            Effect::SendSnapshot { link, .. } => self.stream(server, link),
            Effect::Persist { id, write } => self.persist(server, id, write),
            Effect::Deliver { proposal } => self.delivered(server, &proposal),
            Effect::Arm { timer, .. } => {
                if self.model.setup.has_timers() {
                    self.server(server).timers.insert(timer);
                }
            }
            Effect::Disarm { timer } => {
                self.server(server).timers.remove(&timer);
            }
            Effect::Disconnect { link, why } => {
                if accuses(why) {
                    self.fact(&Fact::Fault);
                }
                self.hang_up(server, link);
            }
            Effect::Report(report) => self.report(server, report),
            Effect::Open { zxid } => self.open(server, zxid),
            // The only request that learners forward in this model is a sync.
            Effect::Request { link, .. } => self.queue.push_back((
                server,
                Event::Asked {
                    by: Reader::Learner(link),
                },
            )),
            Effect::Confirmed { .. } | Effect::Synced => self.answered(server),
            // Sessions are the host's, and no part of this model.
            Effect::Revalidate { .. } | Effect::Touch { .. } | Effect::Revalidated { .. } => {}
        }
    }

    fn send(&mut self, server: usize, link: zab::LinkId, message: Message<u8>) {
        let Some(place) = self.place(link.0) else {
            return;
        };
        let first = self.judge_send(place, server, &message);
        if !first && self.model.setup.reduced {
            return;
        }
        let link = self.link(place);
        let other = link.other(server);
        if link.half(other).open {
            link.half_mut(other).inbox.push_back(Frame {
                message,
                stream: None,
            });
        }
    }

    /// What leaves a server says something about its disk (spec: S19, S20, S21). False for a message that no receiver
    /// takes notice of: the second ACK of NEWLEADER, a habit of the wire (QP-SYN-18).
    fn judge_send(&mut self, place: usize, server: usize, message: &Message<u8>) -> bool {
        let id = id_of(server);
        match message {
            Message::Ack { zxid } if zxid.counter() != 0 => self.fact(&Fact::LogAcked {
                server: id,
                zxid: *zxid,
            }),
            Message::Ack { zxid } => {
                if std::mem::replace(&mut self.link(place).adopted, true) {
                    return false;
                }
                self.fact(&Fact::NewLeaderAcked {
                    server: id,
                    epoch: zxid.epoch(),
                });
            }
            Message::LeaderInfo { epoch } => self.promise(server, server, *epoch),
            Message::AckEpoch { zxid, .. } => {
                let epoch = self.state.servers[server]
                    .peer
                    .as_ref()
                    .and_then(|peer| peer.status().epoch);
                let leader = self.state.links[place].leader;
                if let Some(epoch) = epoch {
                    self.promise(server, leader, epoch);
                }
                if !self.state.servers[server].wiped && *zxid != Zxid::UNTRUSTED {
                    self.fact(&Fact::Reported {
                        server: id,
                        last: *zxid,
                    });
                }
            }
            _ => {}
        }
        true
    }

    fn promise(&mut self, server: usize, leader: usize, epoch: zab::Epoch) {
        let on_disk = self.state.servers[server].disk.accepted;
        self.fact(&Fact::Promised {
            server: id_of(server),
            leader: id_of(leader),
            epoch,
            on_disk,
        });
    }

    /// The stream follows the last SNAP that was sent on the link: this server's tree, whatever the SNAP names.
    fn stream(&mut self, server: usize, link: zab::LinkId) {
        let it = &self.state.servers[server];
        let content = it.tree.image(&it.issued);
        let Some(place) = self.place(link.0) else {
            return;
        };
        let link = self.link(place);
        let other = link.other(server);
        let mut inbox = link.half_mut(other).inbox.iter_mut().rev();
        if let Some(frame) = inbox.find(|frame| matches!(frame.message, Message::Snap { .. })) {
            frame.stream = Some(content);
        }
    }

    fn persist(&mut self, server: usize, id: zab::WriteId, write: Write<u8>) {
        let status = self.state.servers[server].peer.as_ref().map(Peer::status);
        let role = status.map(|it| it.role);
        // Who logs what a leader proposes takes part in that leader's epoch (spec: S19).
        if let (Write::Append(_), Some(RoleKind::Following), Some(epoch)) =
            (&write, role, status.and_then(|it| it.epoch))
        {
            self.fact(&Fact::Adopted {
                server: id_of(server),
                epoch,
            });
        }
        // A restart may also repair the epoch to that of its log (QP-DEF-03), which adopts nothing.
        if let (Write::CurrentEpoch(epoch), Some(RoleKind::Following | RoleKind::Leading)) =
            (&write, role)
        {
            self.fact(&Fact::Adopted {
                server: id_of(server),
                epoch: *epoch,
            });
        }
        if let Write::Truncate { after } = write {
            self.fact(&Fact::SyncStarts {
                server: id_of(server),
                after,
            });
        }
        let it = self.server(server);
        let mut content = Vec::new();
        match write {
            Write::Install { snapshot } => {
                content = it.received.take().map_or(content, |(_, content)| content);
                it.loaded = covered(snapshot, &content).len();
                it.tree.install(snapshot, &content);
            }
            // Nobody gets a stream of it before the write is done.
            Write::Truncate { after } => it.tree.truncate(after),
            Write::AcceptedEpoch(_) | Write::CurrentEpoch(_) | Write::Append(_) => {}
        }
        it.disk.queue.push_back(Queued {
            id,
            write,
            content,
            stale: false,
        });
        it.issued = it.disk.issued();
        it.loaded = it.loaded.min(it.issued.len());
        if !self.model.setup.queued_disk {
            self.write(server);
            self.queue
                .push_back((server, Event::Persisted { through: id }));
        }
    }

    fn delivered(&mut self, server: usize, proposal: &Proposal<u8>) {
        self.show_loaded(server);
        self.server(server).tree.deliver(proposal.zxid);
        self.deliver_one(server, &txn(proposal));
    }

    /// What came with a snapshot is shown as a whole, when the first delivery or UPTODATE shows that it is committed.
    fn show_loaded(&mut self, server: usize) {
        while self.state.servers[server].delivered.len() < self.state.servers[server].loaded {
            let it = &self.state.servers[server];
            let next = it.issued[it.delivered.len()].clone();
            self.deliver_one(server, &next);
        }
    }

    fn deliver_one(&mut self, server: usize, txn: &Txn<u8>) {
        let index = self.state.servers[server].delivered.len();
        self.fact(&Fact::Delivered {
            server: id_of(server),
            txn,
            index,
        });
        self.server(server).delivered.push(txn.clone());
        let status = self.state.servers[server]
            .peer
            .as_ref()
            .map(|peer| peer.status());
        // The leader answers the client whose transaction it was.
        if status
            .is_some_and(|it| it.role == RoleKind::Leading && it.epoch == Some(txn.zxid.epoch()))
        {
            self.fact(&Fact::Acked { txn });
        }
    }

    fn report(&mut self, server: usize, report: Report) {
        match report {
            Report::Established { epoch } => {
                if self.state.spent.outage {
                    self.model.mark(Situation::AllDownThenServing);
                }
                self.show_loaded(server);
                let initial = self.state.servers[server].delivered.clone();
                self.fact(&Fact::Established {
                    server: id_of(server),
                    epoch,
                    initial: &initial,
                });
            }
            Report::Opened { .. } => {
                let delivered = self.state.servers[server].delivered.clone();
                self.fact(&Fact::Opened {
                    server: id_of(server),
                    delivered: &delivered,
                });
            }
            Report::UpToDate { .. } => self.show_loaded(server),
            Report::Looking => {
                self.state.asked.take_if(|it| it.server == server);
                for queued in &mut self.server(server).disk.queue {
                    queued.stale = true;
                }
            }
            Report::Synchronising { mode, .. } => match mode {
                SyncMode::Diff => {}
                SyncMode::Trunc(_) => {}
                SyncMode::Snap(_) => self.model.mark(Situation::Snap),
            },
            Report::MoreRecent { .. } => self.model.mark(Situation::LeaderYields),
            // Who promised a later epoch says so in FOLLOWERINFO, so the leader refuses for it (spec: QP-ZAB-05).
            Report::LaterPromise { .. } => self.model.mark(Situation::LowerEpochRefused),
            Report::Electing { .. } => self.note_election(server),
            Report::Leading
            | Report::Following { .. }
            | Report::Observing { .. }
            | Report::EpochChosen { .. }
            | Report::Joined { .. }
            | Report::QuorumLost
            | Report::CounterExhausted
            | Report::FirstStart
            | Report::TooSlow
            | Report::Ignored { .. } => {}
        }
    }
}

/// Whether a link was closed for something that a correct peer never does.
fn accuses(why: Misbehaviour) -> bool {
    match why {
        Misbehaviour::Unexpected
        | Misbehaviour::ZxidGap
        | Misbehaviour::CommitOrder
        | Misbehaviour::AckUnsent
        | Misbehaviour::BelowCommitted
        | Misbehaviour::ConfigAhead
        | Misbehaviour::Reconfiguration => true,
        Misbehaviour::RoleEnded
        | Misbehaviour::Replaced
        | Misbehaviour::NotLeading
        | Misbehaviour::Silent
        | Misbehaviour::Epoch
        | Misbehaviour::MoreRecent
        | Misbehaviour::TruncTooLow => false,
    }
}

fn discovers(message: &Message<u8>) -> bool {
    matches!(
        message,
        Message::FollowerInfo { .. } | Message::LeaderInfo { .. } | Message::AckEpoch { .. }
    )
}

/// Timers that fire in the ordinary course of things; all others mean that something took too long.
pub(super) fn is_routine(timer: Timer) -> bool {
    matches!(timer, Timer::Notify | Timer::Finalize | Timer::Ping)
}
