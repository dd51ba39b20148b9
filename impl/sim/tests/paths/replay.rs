//! A path of the checker, step by step in its model and on production servers, and what is compared after each.

use super::host::{Host, HostBug, Told, TracedCall, unraise};
use super::payload::Payloads;
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use zab::{Effect, Event, LinkId, Message, Peer, Production, Report, ServerId, SyncMode};
use zab_checker::ensemble::{Action, Call, Ensemble, Given, State, id_of_server};
use zab_checker::run::Subject;
use zab_checker::setup::Setup;
use zk_node::{Bugs, Input, Output};
use zk_proto::quorum::{Notification, Packet, next_frame};
use zk_sim::net::Frame;

/// One end of a link, with what is on its way to it.
struct End {
    server: usize,
    open: bool,
    inbox: VecDeque<Frame>,
}

struct Link {
    ends: [End; 2],
    /// The learner has acknowledged NEWLEADER on it.
    adopted: bool,
}

pub struct Replay {
    pub model: Ensemble<Production>,
    pub state: State<Production>,
    hosts: Vec<Host>,
    /// The model's cores, with the servers' payload.
    twins: Vec<Option<Peer<Bytes>>>,
    links: BTreeMap<LinkId, Link>,
    /// The newest notification of each pair, as on the wire.
    mail: BTreeMap<(usize, usize), VecDeque<Vec<u8>>>,
    payloads: Payloads,
    /// What a server did of its own accord when its core asked for an opening txn; the model's next call.
    opened: Option<(usize, Told)>,
    bug: Option<HostBug>,
    pub done: Counts,
}

/// What was compared.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    actions: usize,
    calls: usize,
    recoveries: usize,
    crashes: usize,
    established: usize,
    diffs: usize,
    truncs: usize,
    snaps: usize,
    delivered: usize,
}

impl Counts {
    fn all(&mut self) -> [&mut usize; 9] {
        [
            &mut self.actions,
            &mut self.calls,
            &mut self.recoveries,
            &mut self.crashes,
            &mut self.established,
            &mut self.diffs,
            &mut self.truncs,
            &mut self.snaps,
            &mut self.delivered,
        ]
    }

    pub fn add(&mut self, other: &Self) {
        let mut other = *other;
        for (total, more) in self.all().into_iter().zip(other.all()) {
            *total += *more;
        }
    }

    pub fn are_all_reached(mut self) -> bool {
        self.all().into_iter().all(|count| *count > 0)
    }

    fn effect(&mut self, effect: &Effect<Bytes>) {
        match effect {
            Effect::Deliver { .. } => self.delivered += 1,
            Effect::Report(Report::Established { .. }) => self.established += 1,
            Effect::Report(Report::Synchronising { mode, .. }) => match mode {
                SyncMode::Diff => self.diffs += 1,
                SyncMode::Trunc(_) => self.truncs += 1,
                SyncMode::Snap(_) => self.snaps += 1,
            },
            _ => {}
        }
    }
}

impl Replay {
    /// Servers that have just started.
    pub fn begin(setup: &Setup, bugs: Bugs, bug: Option<HostBug>) -> Result<Self> {
        let model = Ensemble::new(setup.clone(), Production);
        let (state, calls) = model.recorded_start();
        let count = usize::from(setup.servers);
        let mut replay = Self {
            hosts: (0..count)
                .map(|server| Host::new(server, model.config_of(server), bugs, bug))
                .collect(),
            twins: vec![None; count],
            links: BTreeMap::new(),
            mail: BTreeMap::new(),
            payloads: Payloads::default(),
            opened: None,
            bug,
            done: Counts::default(),
            model,
            state,
        };
        let starting = replay.state.clone();
        replay.follow(&calls, &starting)?;
        Ok(replay)
    }

    /// Whether the model and the host allow the action now.
    pub fn allows(&self, action: &Action) -> bool {
        let mut enabled = Vec::new();
        self.model.enabled(&self.state, &mut enabled);
        enabled.contains(action) && self.has_client(action)
    }

    /// Whether a client could cause the action. In the model a leader that is not open may be asked by its followers'
    /// clients; here all clients are the leader's own, and none of them asks for a sync.
    // spec: QP-INT-02
    pub fn has_client(&self, action: &Action) -> bool {
        match action {
            Action::Propose { leader } => self.hosts[usize::from(*leader)].serves(),
            Action::Ask { .. } => false,
            _ => true,
        }
    }

    /// One action, in the model and on the servers.
    ///
    /// An error says what differs.
    pub fn step(&mut self, action: &Action) -> Result<()> {
        let (after, calls) = self.model.recorded_step(&self.state, action);
        match action {
            Action::Crash { server, kept } => {
                self.crash(usize::from(*server), usize::from(*kept))?;
            }
            Action::Wipe { server } => {
                let initialize = self.model.setup.initialize;
                self.hosts[usize::from(*server)].wipe(initialize);
            }
            Action::Elect { .. }
            | Action::Join { .. }
            | Action::Establish { .. }
            | Action::Connect { .. }
            | Action::Deliver { .. }
            | Action::Notice { .. }
            | Action::Break { .. }
            | Action::NoticeClose { .. }
            | Action::DiskStep { .. }
            | Action::Restart { .. }
            | Action::Propose { .. }
            | Action::Ask { .. }
            | Action::Expire { .. } => {}
        }
        self.follow(&calls, &after)?;
        self.compare(&after, &calls)?;
        self.state = after;
        self.done.actions += 1;
        Ok(())
    }

    fn follow(&mut self, calls: &[Call], after: &State<Production>) -> Result<()> {
        for call in calls {
            self.call(call, after).with_context(|| {
                format!(
                    "server {}, {:?}",
                    id_of_server(call.server),
                    shown(&call.given)
                )
            })?;
        }
        Ok(())
    }

    /// Makes the server's core take what the model's core took, by way of the host.
    fn call(&mut self, call: &Call, after: &State<Production>) -> Result<()> {
        let server = call.server;
        if let Some((opened, told)) = self.opened.take() {
            ensure!(server == opened, "server {opened} proposed before that");
            self.learn(call, &told);
            self.done.calls += 1;
            return self.agree(call, &told);
        }
        let outputs = match &call.given {
            Given::Elected(leader) => self.hosts[server].elect(*leader)?,
            Given::Event(event) => self.cause(server, event, after)?,
        };
        let mut told = self.hosts[server].take_told();
        let opens = |it: &Told| {
            it.effects
                .iter()
                .any(|it| matches!(it, Effect::Open { .. }))
        };
        if told.len() == 2 && opens(&told[0]) {
            self.opened = told.pop().map(|told| (server, told));
        }
        ensure!(
            told.len() == 1,
            "the server's core was called {} times",
            told.len()
        );
        for told in &told {
            self.agree(call, told)?;
            self.hosts[server].hear_clients(&told.effects)?;
            told.effects.iter().for_each(|it| self.done.effect(it));
        }
        self.carry_out(server, outputs)?;
        self.done.calls += 1;
        Ok(())
    }

    /// The bytes that stand for the model's value of a txn.
    fn learn(&mut self, call: &Call, told: &Told) {
        if let Given::Event(Event::Proposed { txn, .. }) = &call.given
            && let TracedCall::Event(Event::Proposed { txn: bytes, .. }) = &told.given
        {
            self.payloads.learn(*txn, bytes.clone());
        }
    }

    /// What the environment does so that the core hears of this event.
    fn cause(
        &mut self,
        server: usize,
        event: &Event<u8>,
        after: &State<Production>,
    ) -> Result<Vec<Output>> {
        match event {
            Event::Started => self.boot(server, after),
            Event::Notified { from, .. } => self.notify(server, *from),
            Event::Connected { link, peer } => {
                self.open(server, *link, *peer);
                let (link, peer) = (*link, *peer);
                self.hosts[server].step(vec![Input::Connected { link, peer }])
            }
            Event::Disconnected { link } => {
                self.close_end(server, *link);
                self.hosts[server].step(vec![Input::Disconnected { link: *link }])
            }
            Event::Received { link, .. } => self.receive(server, *link),
            Event::Proposed { txn, .. } => {
                let outputs = self.hosts[server].write()?;
                if let Some(bytes) = self.hosts[server].newest_txn() {
                    self.payloads.learn(*txn, bytes);
                }
                Ok(outputs)
            }
            Event::Persisted { through } => self.hosts[server].disk_step(*through),
            Event::Expired { timer } => self.hosts[server].expire(*timer),
            Event::Unreachable { .. }
            | Event::Forwarded { .. }
            | Event::Queried { .. }
            | Event::Answered { .. }
            | Event::Asked { .. } => bail!("the model has no such event"),
        }
    }

    /// The model's core and the server's: what they took, what they asked for, what they have become.
    fn agree(&mut self, call: &Call, told: &Told) -> Result<()> {
        let wanted = match &call.given {
            Given::Elected(leader) => TracedCall::Elected(*leader),
            Given::Event(event) => TracedCall::Event(self.payloads.event(event)),
        };
        // The table of a PING is the host's (QP-BC-13), and so is what it leads to.
        let pings = is_ping(&told.given);
        ensure!(
            wanted == told.given || (pings && is_ping(&wanted)),
            "the model's core was given {wanted:?}, the server's {:?}",
            told.given
        );
        let ours = told
            .effects
            .iter()
            .filter(|it| !(pings && matches!(it, Effect::Touch { .. })));
        let theirs: Vec<Effect<Bytes>> = call
            .effects
            .iter()
            .map(|it| self.payloads.effect(it))
            .collect();
        ensure!(
            ours.clone().eq(&theirs),
            "the model's core asks for {theirs:?}, the server's for {:?}",
            told.effects
        );
        let twin = self.twins[call.server].as_mut().context("it is down")?;
        let mut effects = zab::Effects::new();
        match &told.given {
            TracedCall::Event(event) => twin.handle(event.clone(), &mut effects)?,
            TracedCall::Elected(leader) => twin.elect(*leader, &mut effects)?,
        }
        ensure!(
            *twin == told.peer,
            "the state of the core should be {twin:?}, and is {:?}",
            told.peer
        );
        Ok(())
    }

    // ---- begin and end of a process

    fn boot(&mut self, server: usize, after: &State<Production>) -> Result<Vec<Output>> {
        // No step starts a server and writes to its disk.
        let wanted = self.payloads.durable(&after.durable(server));
        let (found, outputs) = self.hosts[server].boot(&wanted)?;
        ensure!(
            found == wanted,
            "the disk should hold {wanted:?}, and a start finds {found:?}"
        );
        let config = self.model.config_of(server);
        self.twins[server] = Some(Peer::restore(config, wanted)?);
        Ok(outputs)
    }

    fn crash(&mut self, server: usize, kept: usize) -> Result<()> {
        self.hosts[server].crash(kept)?;
        self.done.crashes += 1;
        self.twins[server] = None;
        for link in self.links.keys().copied().collect::<Vec<_>>() {
            self.close_end(server, link);
        }
        self.mail.retain(|(_, to), _| *to != server);
        Ok(())
    }

    // ---- links

    /// The learner hears first.
    fn open(&mut self, server: usize, link: LinkId, peer: ServerId) {
        if self.end_of(server, link).is_some() {
            return;
        }
        let other = (0..self.hosts.len()).find(|it| id_of_server(*it) == peer);
        let end = |server| End {
            server,
            open: true,
            inbox: VecDeque::new(),
        };
        let link_now = Link {
            ends: [end(server), end(other.unwrap_or(server))],
            adopted: false,
        };
        self.links.insert(link, link_now);
    }

    /// Which end of an open link the server holds.
    fn end_of(&self, server: usize, link: LinkId) -> Option<usize> {
        let ends = &self.links.get(&link)?.ends;
        ends.iter().position(|it| it.server == server && it.open)
    }

    fn close_end(&mut self, server: usize, link: LinkId) {
        let Some(place) = self.end_of(server, link) else {
            return;
        };
        let Some(it) = self.links.get_mut(&link) else {
            return;
        };
        it.ends[place].open = false;
        it.ends[place].inbox.clear();
        if it.ends.iter().all(|end| !end.open) {
            self.links.remove(&link);
        }
    }

    fn send(&mut self, server: usize, link: LinkId, frame: Frame) {
        let Some(it) = self.links.get_mut(&link) else {
            return;
        };
        for end in it.ends.iter_mut().filter(|end| end.server != server) {
            if !end.open {
                continue;
            }
            end.inbox.push_back(frame.clone());
            match self.bug {
                Some(HostBug::LosesFrame) if end.inbox.len() == 3 => {
                    end.inbox.pop_back();
                }
                Some(HostBug::Overtakes) if end.inbox.len() == 3 => end.inbox.swap(1, 2),
                _ => {}
            }
        }
    }

    fn receive(&mut self, server: usize, link: LinkId) -> Result<Vec<Output>> {
        let place = self.end_of(server, link).context("the link is closed")?;
        let it = self.links.get_mut(&link).context("there is no such link")?;
        let inbox = &mut it.ends[place].inbox;
        let frame = inbox.pop_front().context("nothing is on its way")?;
        let Frame::Packet(bytes) = frame else {
            bail!("a piece of a stream is on its way, not a packet");
        };
        let message = Packet::decode(&bytes)?.into_core()?;
        if let Message::Snap { zxid } = message {
            let mut chunks = Vec::new();
            while let Some(Frame::Chunk(_)) = inbox.front()
                && let Some(Frame::Chunk(chunk)) = inbox.pop_front()
            {
                chunks.push(chunk);
            }
            self.hosts[server].receive_stream(link, zxid, chunks)?;
        }
        self.hosts[server].step(vec![Input::Received { link, message }])
    }

    // ---- votes

    fn notify(&mut self, server: usize, from: ServerId) -> Result<Vec<Output>> {
        let sender = (0..self.hosts.len()).find(|it| id_of_server(*it) == from);
        let sender = sender.context("an unknown sender")?;
        let waiting = self.mail.get_mut(&(sender, server));
        let frame = waiting.and_then(VecDeque::pop_front);
        let frame = frame.context("no notification is on its way")?;
        let (payload, _) = next_frame(&frame)?.context("the frame is not whole")?;
        let notification = Notification::decode(payload)?.to_core();
        self.hosts[server].step(vec![Input::Notified { from, notification }])
    }

    // ---- what the servers ask for

    fn carry_out(&mut self, server: usize, outputs: Vec<Output>) -> Result<()> {
        for output in outputs {
            match output {
                Output::Persist { id, write } => self.hosts[server].persist(id, write)?,
                Output::Notify { to, notification } => {
                    let mut frame = Vec::new();
                    Notification::from_core(&notification, "").encode_frame(&mut frame);
                    let to = (0..self.hosts.len()).find(|it| id_of_server(*it) == to);
                    let waiting = self
                        .mail
                        .entry((server, to.context("to nobody")?))
                        .or_default();
                    if self.bug != Some(HostBug::KeepsOldVote) {
                        waiting.clear();
                    }
                    waiting.push_back(frame);
                }
                Output::Send { link, message } => self.transmit(server, link, message),
                Output::SendSnapshot { link, zxid } => {
                    for chunk in self.hosts[server].stream(zxid)? {
                        self.send(server, link, Frame::Chunk(chunk));
                    }
                }
                Output::Disconnect { link, .. } => self.close_end(server, link),
                // Dialled when the path says so; the model's effects have been compared.
                Output::Dial { .. } | Output::HangUp | Output::Report(_) => {}
                Output::SnapshotDue => bail!("a snapshot is due"),
                Output::Diverged { zxid } => bail!("{zxid} left another tree than at the leader"),
            }
        }
        Ok(())
    }

    fn transmit(&mut self, server: usize, link: LinkId, message: Message<Bytes>) {
        // The model leaves out what no leader reads (`Setup::reduced`): the second ACK of NEWLEADER.
        if let Message::Ack { zxid } = &message
            && zxid.counter() == 0
            && let Some(it) = self.links.get_mut(&link)
            && std::mem::replace(&mut it.adopted, true)
            && self.model.setup.reduced
        {
            return;
        }
        let mut bytes = Vec::new();
        Packet::from_core(message, "").encode(&mut bytes);
        self.send(server, link, Frame::Packet(bytes.into()));
    }

    // ---- what is compared after each action

    fn compare(&mut self, after: &State<Production>, calls: &[Call]) -> Result<()> {
        for server in 0..self.hosts.len() {
            if after.is_same_server(&self.state, server) {
                continue;
            }
            let id = id_of_server(server);
            let host = &self.hosts[server];
            let (wanted, found) = (after.status(server), host.status());
            ensure!(
                wanted == found,
                "server {id} should be {wanted:?}, and is {found:?}"
            );
            if self.model.knows_timers() {
                let wanted: Vec<_> = after.timers(server).iter().copied().collect();
                let found = host.armed();
                ensure!(
                    wanted == found,
                    "timers of {id} should be {wanted:?}, and are {found:?}"
                );
            }
            let wrote = calls.iter().any(|call| {
                call.server == server && matches!(call.given, Given::Event(Event::Persisted { .. }))
            });
            if wrote {
                self.recovers(server, after)
                    .with_context(|| format!("the disk of server {id}"))?;
            }
        }
        Ok(())
    }

    /// What a restart would find is what the model's disk holds, and the tree shows just that history.
    fn recovers(&mut self, server: usize, after: &State<Production>) -> Result<()> {
        let host = &self.hosts[server];
        let mut restored = host.recover()?;
        let wanted = self.payloads.durable(&after.durable(server));
        unraise(&mut restored.durable, &wanted);
        ensure!(
            restored.durable == wanted,
            "should hold {wanted:?}, and holds {:?}",
            restored.durable
        );
        let history = after.history(server).iter();
        let wanted = host.tree_of(history.map(|txn| self.payloads.of(txn.value)))?;
        let sessions = |tree: &zk_tree::Tree| {
            let mut all: Vec<_> = tree.sessions().collect();
            all.sort_unstable();
            all
        };
        ensure!(
            restored.tree.digest() == wanted.digest()
                && sessions(&restored.tree) == sessions(&wanted),
            "the tree is not that of the history {:?}",
            after.history(server)
        );
        self.done.recoveries += 1;
        Ok(())
    }
}

fn is_ping(given: &TracedCall) -> bool {
    matches!(
        given,
        TracedCall::Event(Event::Received {
            message: Message::Ping { .. },
            ..
        })
    )
}

fn shown(given: &Given) -> String {
    match given {
        Given::Event(event) => format!("{event:?}"),
        Given::Elected(leader) => format!("elected {leader}"),
    }
}
