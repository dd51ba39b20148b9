//! A small ensemble in memory for scripted scenarios: links, disks and timers
//! move only when the script says so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use zab::{
    Config, Durable, Effect, Effects, Event, LinkId, Message, Notification, Peer, Phase, Proposal,
    RoleKind, ServerId, Timer, Write, WriteId, Zxid,
};

mod script;
mod text;
mod walk;

pub(crate) use script::run;

type Txn = String;

/// What a server's disk holds.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    durable: Durable<Txn>,
    /// Effects of what the snapshot covers, in order.
    snapshot: Vec<Proposal<Txn>>,
}

impl Disk {
    /// The tree that a start, or a cut, loads: the snapshot and the log to its end.
    fn tree(&self) -> Vec<Proposal<Txn>> {
        let last = self.snapshot.last().map_or(Zxid::ZERO, |entry| entry.zxid);
        let log = self.durable.log.iter().filter(|entry| entry.zxid > last);
        self.snapshot.iter().chain(log).cloned().collect()
    }
}

#[derive(Debug)]
pub(crate) struct Node {
    peer: Option<Peer<Txn>>,
    disk: Disk,
    writes: VecDeque<(WriteId, Write<Txn>)>,
    timers: BTreeSet<Timer>,
    dialling: Option<ServerId>,
    stream: Vec<Proposal<Txn>>,
    /// What the tree shows, in order; while nobody is served, perhaps more than is committed.
    tree: Vec<Proposal<Txn>>,
    config: Config,
}

#[derive(Debug)]
struct Frame {
    message: Message<Txn>,
    stream: Vec<Proposal<Txn>>,
}

#[derive(Debug)]
struct Link {
    learner: ServerId,
    leader: ServerId,
    to_leader: VecDeque<Frame>,
    to_learner: VecDeque<Frame>,
    learner_open: bool,
    leader_open: bool,
}

pub(crate) struct World {
    pub nodes: BTreeMap<ServerId, Node>,
    links: BTreeMap<LinkId, Link>,
    notes: VecDeque<(ServerId, ServerId, Notification)>,
    apart: BTreeSet<(ServerId, ServerId)>,
    next_link: u64,
    out: text::Out,
}

impl Node {
    pub(crate) fn is_serving(&self) -> bool {
        self.peer
            .as_ref()
            .is_some_and(|peer| peer.status().phase == Phase::Broadcast)
    }
}

impl World {
    pub(crate) fn new(
        voters: &[ServerId],
        observers: &[ServerId],
        edit: impl Fn(&mut Config),
    ) -> Self {
        let node = |id: &ServerId| {
            let mut config = Config::new(*id, voters.iter().copied());
            edit(&mut config);
            let disk = Disk {
                durable: Durable::empty(),
                snapshot: Vec::new(),
            };
            let node = Node {
                peer: None,
                disk,
                writes: VecDeque::new(),
                timers: BTreeSet::new(),
                dialling: None,
                stream: Vec::new(),
                tree: Vec::new(),
                config,
            };
            (*id, node)
        };
        Self {
            nodes: voters.iter().chain(observers).map(node).collect(),
            links: BTreeMap::new(),
            notes: VecDeque::new(),
            apart: BTreeSet::new(),
            next_link: 1,
            out: text::Out::default(),
        }
    }

    fn node(&mut self, id: ServerId) -> &mut Node {
        self.nodes.get_mut(&id).expect("a server of the ensemble")
    }

    fn is_up(&self, id: ServerId) -> bool {
        self.nodes[&id].peer.is_some()
    }

    pub(crate) fn is_leading(&self, id: ServerId) -> bool {
        self.nodes[&id]
            .peer
            .as_ref()
            .is_some_and(|peer| peer.status().role == RoleKind::Leading)
    }

    /// Whether it leads an established epoch.
    pub(crate) fn serves(&self, id: ServerId) -> bool {
        self.nodes[&id]
            .peer
            .as_ref()
            .is_some_and(|peer| peer.next_zxid().is_some())
    }

    fn reach(&self, a: ServerId, b: ServerId) -> bool {
        self.is_up(a) && self.is_up(b) && !self.apart.contains(&(a.min(b), a.max(b)))
    }

    pub(crate) fn start(&mut self, id: ServerId) {
        let node = self.node(id);
        node.tree = node.disk.tree();
        node.peer = Some(
            Peer::restore(node.config.clone(), node.disk.durable.clone())
                .expect("a directory that can be"),
        );
        self.feed(id, Event::Started);
    }

    fn crash(&mut self, id: ServerId) {
        let node = self.node(id);
        node.peer = None;
        node.writes.clear();
        node.timers.clear();
        node.dialling = None;
        let links: Vec<_> = self
            .links
            .iter()
            .filter(|(_, l)| l.learner == id || l.leader == id)
            .map(|(k, _)| *k)
            .collect();
        self.notes.retain(|(_, to, _)| *to != id);
        for link in links {
            self.break_link(link);
        }
    }

    fn wipe(&mut self, id: ServerId) {
        self.node(id).disk = Disk {
            durable: Durable::wiped(),
            snapshot: Vec::new(),
        };
    }

    fn feed(&mut self, id: ServerId, event: Event<Txn>) {
        let mut effects = Effects::new();
        let Some(peer) = self.node(id).peer.as_mut() else {
            return;
        };
        peer.handle(event, &mut effects)
            .expect("no invariant broken");
        let effects: Vec<_> = effects.drain().collect();
        self.out.effects(id, &effects, |link| {
            self.links
                .get(&link)
                .map(|l| if l.learner == id { l.leader } else { l.learner })
        });
        for effect in effects {
            self.carry_out(id, effect);
        }
    }

    fn carry_out(&mut self, id: ServerId, effect: Effect<Txn>) {
        match effect {
            Effect::Notify { to, notification } => {
                if self.reach(id, to) {
                    self.notes.push_back((id, to, notification));
                }
            }
            Effect::Dial { leader } => self.node(id).dialling = Some(leader),
            Effect::HangUp => self.node(id).dialling = None,
            Effect::Send { link, message } => self.queue(
                id,
                link,
                Frame {
                    message,
                    stream: Vec::new(),
                },
            ),
            Effect::SendSnapshot { link, .. } => {
                let tree = self.node(id).tree.clone();
                let frames = self.links.get_mut(&link).map(|entry| &mut entry.to_learner);
                if let Some(frame) = frames.and_then(VecDeque::back_mut) {
                    frame.stream = tree;
                }
            }
            Effect::Persist {
                id: write,
                write: what,
            } => self.node(id).writes.push_back((write, what)),
            Effect::Deliver { proposal } => {
                let tree = &mut self.node(id).tree;
                if tree.last().is_none_or(|last| last.zxid < proposal.zxid) {
                    tree.push(proposal);
                }
            }
            Effect::Arm { timer, .. } => {
                self.node(id).timers.insert(timer);
            }
            Effect::Disarm { timer } => {
                self.node(id).timers.remove(&timer);
            }
            Effect::Disconnect { link, why } => {
                assert!(!why.is_fault(), "{id} blames its peer: {why:?}");
                self.close(id, link);
            }
            Effect::Open { .. } => {
                self.propose(id, "opening");
            }
            Effect::Confirmed { .. }
            | Effect::Request { .. }
            | Effect::Revalidate { .. }
            | Effect::Touch { .. }
            | Effect::Revalidated { .. }
            | Effect::Synced
            | Effect::Report(_) => {}
        }
    }

    fn queue(&mut self, from: ServerId, link: LinkId, frame: Frame) {
        if let Some(link) = self.links.get_mut(&link) {
            if link.learner == from && link.leader_open {
                link.to_leader.push_back(frame);
            } else if link.leader == from && link.learner_open {
                link.to_learner.push_back(frame);
            }
        }
    }

    /// One end closes; the other will notice when the script lets it.
    fn close(&mut self, id: ServerId, link: LinkId) {
        if let Some(entry) = self.links.get_mut(&link) {
            if entry.learner == id {
                entry.learner_open = false;
                entry.to_learner.clear();
            } else {
                entry.leader_open = false;
                entry.to_leader.clear();
            }
        }
    }

    /// Both ends notice.
    fn break_link(&mut self, link: LinkId) {
        let Some(entry) = self.links.remove(&link) else {
            return;
        };
        for (open, id) in [
            (entry.learner_open, entry.learner),
            (entry.leader_open, entry.leader),
        ] {
            if open && self.is_up(id) {
                self.feed(id, Event::Disconnected { link });
            }
        }
    }

    /// One step of anything that needs no timer; false if nothing is left.
    fn step(&mut self) -> bool {
        if let Some((from, to, notification)) = self.notes.pop_front() {
            self.feed(to, Event::Notified { from, notification });
            return true;
        }
        let ids: Vec<_> = self.nodes.keys().copied().collect();
        for id in &ids {
            if !self.node(*id).writes.is_empty() {
                self.sync(*id);
                return true;
            }
        }
        for id in &ids {
            if self.dial(*id) {
                return true;
            }
        }
        let links: Vec<_> = self.links.keys().copied().collect();
        for link in links {
            let entry = &self.links[&link];
            let (learner, leader) = (entry.learner, entry.leader);
            let half_open = entry.learner_open != entry.leader_open;
            let quiet = entry.to_leader.is_empty() && entry.to_learner.is_empty();
            if half_open && quiet && self.reach(learner, leader) {
                self.break_link(link);
                return true;
            }
            if self.deliver_on(link, leader) || self.deliver_on(link, learner) {
                return true;
            }
        }
        false
    }

    /// Delivers the oldest frame to one end of a link.
    fn deliver_on(&mut self, link: LinkId, to: ServerId) -> bool {
        let Some(entry) = self.links.get_mut(&link) else {
            return false;
        };
        let (open, queue) = if entry.leader == to {
            (entry.leader_open, &mut entry.to_leader)
        } else {
            (entry.learner_open, &mut entry.to_learner)
        };
        if !open {
            return false;
        }
        let Some(frame) = queue.pop_front() else {
            return false;
        };
        if matches!(frame.message, Message::Snap { .. }) {
            self.node(to).stream = frame.stream;
        }
        self.feed(
            to,
            Event::Received {
                link,
                message: frame.message,
            },
        );
        true
    }

    fn dial(&mut self, id: ServerId) -> bool {
        let Some(leader) = self.nodes[&id].dialling else {
            return false;
        };
        if !self.reach(id, leader) || !self.is_leading(leader) {
            return false;
        }
        self.node(id).dialling = None;
        let link = LinkId(self.next_link);
        self.next_link += 1;
        self.links.insert(
            link,
            Link {
                learner: id,
                leader,
                to_leader: VecDeque::new(),
                to_learner: VecDeque::new(),
                learner_open: true,
                leader_open: true,
            },
        );
        self.feed(leader, Event::Connected { link, peer: id });
        self.feed(id, Event::Connected { link, peer: leader });
        true
    }

    fn sync(&mut self, id: ServerId) {
        let Some((through, _)) = self.node(id).writes.back().cloned() else {
            return;
        };
        while let Some((_, write)) = self.node(id).writes.pop_front() {
            self.write(id, write);
        }
        self.feed(id, Event::Persisted { through });
    }

    /// Puts the oldest `count` writes on disk without a word to the core.
    fn write_some(&mut self, id: ServerId, count: usize) {
        for _ in 0..count {
            if let Some((_, write)) = self.node(id).writes.pop_front() {
                self.write(id, write);
            }
        }
    }

    fn write(&mut self, id: ServerId, write: Write<Txn>) {
        let node = self.node(id);
        let disk = &mut node.disk;
        match write {
            Write::AcceptedEpoch(epoch) => disk.durable.accepted = epoch,
            Write::CurrentEpoch(epoch) => disk.durable.current = epoch,
            Write::Append(proposal) => disk.durable.log.push(proposal),
            Write::Truncate { after } => {
                assert!(after >= disk.durable.floor, "truncated below the snapshot");
                disk.durable.log.retain(|entry| entry.zxid <= after);
                node.tree = disk.tree();
            }
            Write::Install { snapshot } => {
                let stream = core::mem::take(&mut node.stream);
                disk.snapshot.clone_from(&stream);
                disk.durable.log.clear();
                disk.durable.base = snapshot;
                disk.durable.floor = snapshot;
                disk.durable.trusted = true;
                node.tree = stream;
            }
        }
    }

    pub(crate) fn run(&mut self) {
        for _ in 0..10_000 {
            if !self.step() {
                return;
            }
        }
        panic!("does not come to rest");
    }

    pub(crate) fn fire(&mut self, id: ServerId, timer: Timer) {
        assert!(
            self.node(id).timers.remove(&timer),
            "{timer:?} is not armed at {id}"
        );
        self.feed(id, Event::Expired { timer });
    }

    pub(crate) fn is_armed(&self, id: ServerId, timer: Timer) -> bool {
        self.nodes[&id].timers.contains(&timer)
    }

    pub(crate) fn propose(&mut self, id: ServerId, txn: &str) -> Option<Zxid> {
        let zxid = self.node(id).peer.as_ref()?.next_zxid()?;
        self.feed(
            id,
            Event::Proposed {
                zxid,
                txn: txn.into(),
            },
        );
        Some(zxid)
    }
}
