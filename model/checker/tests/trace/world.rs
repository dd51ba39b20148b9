//! A small ensemble whose cores are recorded: links in order, disks that write at once, timers that fire on demand.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};

use zab::trace::{Digest, Line, LinkUp, Post, Start, VERSION, fingerprint};
use zab::{
    Config, Durable, Effect, Effects, Epoch, Event, LinkId, Message, Peer, Proposal, ServerId,
    Timer, Write, Zxid,
};

/// One start of a server and what it recorded.
pub(crate) struct Run {
    pub(crate) node: ServerId,
    pub(crate) inc: u64,
    pub(crate) lines: Vec<Line<Digest>>,
}

#[derive(Default)]
struct Server {
    peer: Option<Peer<Digest>>,
    inbox: VecDeque<Event<Digest>>,
    /// Place of the current start in `runs`.
    run: usize,
    starts: u64,
    links: u64,
    /// Own link, to the other end's server and link.
    wires: BTreeMap<LinkId, (usize, LinkId)>,
    dialling: Option<usize>,
    accepted: Epoch,
    current: Epoch,
    log: Vec<Proposal<Digest>>,
    timers: Vec<Timer>,
}

pub(crate) struct World {
    servers: Vec<Server>,
    pub(crate) runs: Vec<Run>,
    clock: u64,
    connections: u64,
}

fn id(server: usize) -> ServerId {
    ServerId(server as i64 + 1)
}

impl World {
    /// Three servers that have elected a leader.
    pub(crate) fn elected() -> Self {
        let mut world = Self {
            servers: (0..3).map(|_| Server::default()).collect(),
            runs: Vec::new(),
            clock: 0,
            connections: 0,
        };
        for server in 0..3 {
            world.start(server);
        }
        world.settle();
        assert!(world.leader().is_some());
        world
    }

    /// Who leads and serves.
    pub(crate) fn leader(&self) -> Option<usize> {
        self.servers.iter().position(|server| {
            let peer = server.peer.as_ref();
            peer.is_some_and(|peer| peer.next_zxid().is_some())
        })
    }

    pub(crate) fn start(&mut self, server: usize) {
        let it = &mut self.servers[server];
        it.starts += 1;
        (it.run, it.links) = (self.runs.len(), 0);
        let durable = Durable {
            accepted: it.accepted,
            current: it.current,
            log: it.log.clone(),
            ..Durable::empty()
        };
        let config = Config::new(id(server), (0..3).map(id));
        let peer = Peer::restore(config.clone(), durable.clone()).unwrap();
        self.runs.push(Run {
            node: id(server),
            inc: it.starts,
            lines: Vec::new(),
        });
        let h = fingerprint(&peer);
        it.peer = Some(peer);
        it.inbox.push_back(Event::Started);
        self.record(server, |line| {
            line.start = Some(Start {
                version: VERSION.to_owned(),
                config,
                durable,
            });
            line.h = Some(h);
        });
    }

    /// The process ends; others notice.
    pub(crate) fn kill(&mut self, server: usize) {
        let it = &mut self.servers[server];
        it.peer = None;
        it.inbox.clear();
        it.timers.clear();
        it.dialling = None;
        for (_, (other, link)) in std::mem::take(&mut it.wires) {
            self.servers[other].wires.remove(&link);
            self.servers[other]
                .inbox
                .push_back(Event::Disconnected { link });
        }
    }

    /// What a lying disk loses.
    pub(crate) fn lose_last_txn(&mut self, server: usize) {
        self.servers[server].log.pop().unwrap();
    }

    /// Lets all happen that can, elections included.
    pub(crate) fn settle(&mut self) {
        loop {
            while self.one_event() {}
            let due = (0..self.servers.len()).find_map(|server| {
                let timers = &self.servers[server].timers;
                let due = timers.iter().position(|it| *it == Timer::Finalize)?;
                Some((server, due))
            });
            let Some((server, due)) = due else { return };
            let timer = self.servers[server].timers.remove(due);
            self.feed(server, Event::Expired { timer });
        }
    }

    fn one_event(&mut self) -> bool {
        for server in 0..self.servers.len() {
            if let Some(leader) = self.servers[server].dialling
                && (self.servers[leader].peer.as_ref())
                    .is_some_and(|peer| peer.status().role == zab::RoleKind::Leading)
            {
                self.connect(server, leader);
                return true;
            }
            if let Some(event) = self.servers[server].inbox.pop_front() {
                self.feed(server, event);
                return true;
            }
        }
        false
    }

    fn connect(&mut self, learner: usize, leader: usize) {
        self.servers[learner].dialling = None;
        self.connections += 1;
        let (from, to) = (format!("a:{}", self.connections), "b:2888".to_owned());
        let mut links = [learner, leader].map(|server| {
            self.servers[server].links += 1;
            (server, LinkId(self.servers[server].links))
        });
        for _ in 0..2 {
            let [(server, link), (other, far)] = links;
            let dialled = server == learner;
            let (local, remote) = if dialled { (&from, &to) } else { (&to, &from) };
            let up = LinkUp {
                id: link,
                dialled,
                local: local.clone(),
                remote: remote.clone(),
            };
            self.record(server, |line| line.link = Some(up));
            self.servers[server].wires.insert(link, (other, far));
            let peer = id(other);
            let connected = Event::Connected { link, peer };
            self.servers[server].inbox.push_back(connected);
            links.reverse();
        }
    }

    /// Proposes at the leader; nothing else happens yet.
    pub(crate) fn propose(&mut self, text: &str) {
        let leader = self.leader().unwrap();
        let zxid = self.servers[leader].peer.as_ref().and_then(Peer::next_zxid);
        let txn = Digest::of(text.as_bytes());
        let proposed = Event::Proposed {
            zxid: zxid.unwrap(),
            txn,
        };
        self.feed(leader, proposed);
    }

    /// An event that nobody caused.
    pub(crate) fn forge(&mut self, server: usize, event: Event<Digest>) {
        self.feed(server, event);
    }

    /// A server's link to another.
    pub(crate) fn link(&self, server: usize, other: usize) -> LinkId {
        let wires = &self.servers[server].wires;
        let found = wires.iter().find(|(_, (to, _))| *to == other);
        *found.unwrap().0
    }

    pub(crate) fn last(&self, server: usize) -> Zxid {
        self.servers[server]
            .peer
            .as_ref()
            .unwrap()
            .status()
            .last_logged
    }

    fn feed(&mut self, server: usize, event: Event<Digest>) {
        let mut effects = Effects::new();
        let Some(peer) = &mut self.servers[server].peer else {
            return;
        };
        peer.handle(event.clone(), &mut effects).unwrap();
        let (post, h) = (Post::from(&peer.status()), fingerprint(peer));
        let effects: Vec<_> = effects.drain().collect();
        self.record(server, |line| {
            line.event = Some(event);
            line.effects = Some(effects.clone());
            line.post = Some(post);
            line.h = Some(h);
        });
        for effect in effects {
            self.carry_out(server, effect);
        }
    }

    fn carry_out(&mut self, server: usize, effect: Effect<Digest>) {
        let it = &mut self.servers[server];
        match effect {
            Effect::Notify { to, notification } => {
                let from = id(server);
                let to = &mut self.servers[to.0 as usize - 1];
                if to.peer.is_some() {
                    to.inbox.push_back(Event::Notified { from, notification });
                }
            }
            Effect::Dial { leader } => it.dialling = Some(leader.0 as usize - 1),
            Effect::HangUp => it.dialling = None,
            Effect::Send { link, message } => {
                if let Some((other, link)) = it.wires.get(&link).copied() {
                    let received = Event::Received { link, message };
                    self.servers[other].inbox.push_back(received);
                }
            }
            Effect::Persist { id, write } => {
                it.write(write);
                it.inbox.push_back(Event::Persisted { through: id });
            }
            Effect::Arm { timer, .. } => it.timers.push(timer),
            Effect::Disarm { timer } => it.timers.retain(|armed| *armed != timer),
            Effect::Disconnect { link, .. } => {
                if let Some((other, link)) = it.wires.remove(&link) {
                    self.servers[other].wires.remove(&link);
                    self.servers[other]
                        .inbox
                        .push_back(Event::Disconnected { link });
                }
            }
            _ => {}
        }
    }

    fn record(&mut self, server: usize, fill: impl FnOnce(&mut Line<Digest>)) {
        self.clock += 1;
        let run = &mut self.runs[self.servers[server].run];
        let seq = run.lines.len() as u64;
        let mut line = Line::new(seq, run.node, run.inc, self.clock);
        fill(&mut line);
        run.lines.push(line);
    }

    /// The lines that a server's first start has received over links: places and messages.
    pub(crate) fn received(&self, server: usize) -> Vec<(usize, Message<Digest>)> {
        let lines = self.runs[server].lines.iter().enumerate();
        lines
            .filter_map(|(place, line)| match &line.event {
                Some(Event::Received { message, .. }) => Some((place, message.clone())),
                _ => None,
            })
            .collect()
    }

    pub(crate) fn files(&self, folder: &Path) -> Vec<PathBuf> {
        let write = |run: &Run| {
            let path = folder.join(format!("trace-{}-{:04}.ndjson", run.node, run.inc));
            let lines = run.lines.iter();
            let text: String = lines
                .map(|line| serde_json::to_string(line).unwrap() + "\n")
                .collect();
            std::fs::write(&path, text).unwrap();
            path
        };
        self.runs.iter().map(write).collect()
    }
}

impl Server {
    fn write(&mut self, write: Write<Digest>) {
        match write {
            Write::AcceptedEpoch(epoch) => self.accepted = epoch,
            Write::CurrentEpoch(epoch) => self.current = epoch,
            Write::Append(proposal) => self.log.push(proposal),
            Write::Truncate { after } => self.log.retain(|entry| entry.zxid <= after),
            Write::Install { .. } => self.log.clear(),
        }
    }
}
