//! Validates recorded traces of real servers (zab-model section 12).
//!
//! Each server's events are fed to a core again, whose effects and state must be as recorded. All servers' lines are
//! merged into one order in which nothing is received before it was sent, and in that order judged: whether the
//! environment may do what it did (section 4), and whether the properties of `zab-properties` hold.
//!
//! A linear extension of happens-before is enough: the properties' ghosts only grow, so every extension gives the same
//! verdict. Where nothing orders two lines, the wall clock does.

mod history;
mod judge;
mod problem;
mod read;
mod replay;
mod wires;

use std::collections::VecDeque;
use std::path::PathBuf;

use serde::Serialize;
use zab::trace::{Digest, Line, LinkUp, Start};
use zab::{Config, Effect, Event, ServerId, Write};
use zab_properties::sometimes::Situation;

use self::history::{is_wiped, recovered};
use self::judge::Judge;
pub use self::problem::{Kind, Place, Problem};
use self::read::Reader;
use self::replay::{Core, Meaning};
use self::wires::Wires;

/// What a clean trace holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    pub servers: usize,
    pub starts: usize,
    /// Starts of servers that had run before.
    pub restarts: usize,
    pub wipes: usize,
    /// Last lines that a killed process left unfinished.
    pub torn: usize,
    /// Events fed to cores.
    pub steps: u64,
    pub links: usize,
    /// Messages that links delivered.
    pub messages: u64,
    pub notifications: u64,
    pub proposed: usize,
    pub decided: usize,
    /// Leaders that a quorum acknowledged.
    pub established: usize,
    /// Events that came too late and changed nothing.
    pub stale: u64,
    /// Whether zab-properties were judged.
    pub judged: bool,
    /// Situations of zab-properties that the run reached.
    pub reached: Vec<&'static str>,
}

/// One server: its files, and the core of the start that is being read.
struct Server {
    id: ServerId,
    runs: VecDeque<Reader>,
    core: Option<Core>,
    inc: u64,
    started: bool,
}

/// Validates the files, which must be those of all members of an ensemble, from their first starts on. With `judges`
/// false a trace may begin with a history, and the properties are not judged.
///
/// # Errors
/// The first problem.
pub fn validate(files: &[PathBuf], judges: bool) -> Result<Summary, Problem> {
    Merge::new(files, judges)?.run()
}

struct Merge {
    servers: Vec<Server>,
    wires: Wires,
    judge: Judge,
    judges: bool,
    summary: Summary,
}

impl Merge {
    fn new(files: &[PathBuf], judges: bool) -> Result<Self, Problem> {
        let servers: Vec<Server> = read::by_server(files)?
            .into_iter()
            .map(|(id, runs)| Server {
                id,
                runs,
                core: None,
                inc: 0,
                started: false,
            })
            .collect();
        let config = one_configuration(&servers)?;
        let ids = servers.iter().map(|server| server.id);
        Ok(Self {
            judge: Judge::new(&config, ids, judges),
            summary: Summary {
                servers: servers.len(),
                judged: judges && !config.standalone,
                ..Summary::default()
            },
            servers,
            wires: Wires::default(),
            judges,
        })
    }

    fn run(mut self) -> Result<Summary, Problem> {
        loop {
            for server in 0..self.servers.len() {
                self.end(server);
            }
            let Some(server) = self.next()? else { break };
            let Some(run) = self.servers[server].runs.front_mut() else {
                break;
            };
            let Some((place, line)) = run.take()? else {
                break;
            };
            self.line(server, &place, line)?;
            if let Some(leader) = self.judge.beyond_oracle {
                let what = format!("no quorum was electing in the round that {leader} won");
                return Err(Problem::new(Kind::Coarsening, &place, what));
            }
            if let Some(broken) = self.judge.take_broken() {
                return Err(Problem::new(Kind::Property, &place, broken));
            }
        }
        self.judge.judge_now();
        if let Some(broken) = self.judge.take_broken() {
            return Err(Problem::new(Kind::Property, &Place::default(), broken));
        }
        let reached = self.judge.observed.reached;
        Ok(Summary {
            proposed: self.judge.proposed(),
            decided: self.judge.decided(),
            established: self.judge.established(),
            reached: Situation::ALL
                .iter()
                .filter(|it| reached.contains(it.number()))
                .map(|it| it.name())
                .collect(),
            ..self.summary
        })
    }

    /// A start whose lines are all read has ended.
    fn end(&mut self, server: usize) {
        let it = &mut self.servers[server];
        while let Some(run) = it.runs.front().filter(|run| run.head.is_none()) {
            self.summary.torn += usize::from(run.torn);
            it.runs.pop_front();
            it.core = None;
            self.judge.stopped(server);
        }
    }

    /// Whose line comes next: the earliest of those that have all that they need. None at the end.
    fn next(&self) -> Result<Option<usize>, Problem> {
        let heads = self.servers.iter().enumerate().filter_map(|(index, it)| {
            let run = it.runs.front()?;
            Some((run.head.as_ref()?.ms, index, run))
        });
        let mut heads: Vec<_> = heads.collect();
        heads.sort_by_key(|(ms, index, _)| (*ms, *index));
        let ready = heads.iter().find(|(_, index, run)| {
            run.head
                .as_ref()
                .is_some_and(|line| self.is_ready(&self.servers[*index], line))
        });
        match (ready, heads.first()) {
            (Some((_, index, _)), _) => Ok(Some(*index)),
            (None, None) => Ok(None),
            (None, Some((_, _, run))) => Err(unsent(run)),
        }
    }

    /// Whether all that a line takes from other servers is there.
    fn is_ready(&self, server: &Server, line: &Line<Digest>) -> bool {
        if let Some(up) = &line.link {
            return self.wires.may_be_up(up);
        }
        match &line.event {
            // What comes over a link that is gone waits for nobody.
            Some(Event::Received { link, .. }) => {
                let expected = (server.core.as_ref()).is_some_and(|core| core.expects(*link));
                !expected || self.wires.has_sent_to(&(server.id, server.inc, *link))
            }
            Some(Event::Notified { from, notification }) => {
                self.wires.has_notified(*from, server.id, notification)
            }
            _ => true,
        }
    }

    fn line(
        &mut self,
        server: usize,
        place: &Place,
        mut line: Line<Digest>,
    ) -> Result<(), Problem> {
        if let Some(start) = line.start.take() {
            return self.start(server, place, &line, start);
        }
        let event = line.event.take();
        match (&line.link, event) {
            (Some(up), None) => self.link(server, place, up),
            (None, Some(event)) => self.step(server, place, &line, event),
            _ => {
                let what = "the line is neither a link nor a step";
                Err(Problem::new(Kind::Format, place, what))
            }
        }
    }

    // ---- starts

    fn start(
        &mut self,
        server: usize,
        place: &Place,
        line: &Line<Digest>,
        start: Start<Digest>,
    ) -> Result<(), Problem> {
        self.summary.starts += 1;
        let kept = self
            .recovered(server, &start)
            .map_err(|what| Problem::new(Kind::Restart, place, what))?;
        let found = start.durable.clone();
        let core = Core::begin(place, line, start)?;
        self.judge.restarted(server, &found, kept, core.base());
        let it = &mut self.servers[server];
        it.core = Some(core);
        it.inc = line.inc;
        it.started = true;
        Ok(())
    }

    /// How many of the writes that were on their way a start has found.
    fn recovered(&mut self, server: usize, start: &Start<Digest>) -> Result<usize, String> {
        let (found, standalone) = (&start.durable, start.config.standalone);
        if !self.servers[server].started {
            if !self.judges {
                self.judge.seed(server, found);
            }
        } else {
            self.summary.restarts += 1;
        }
        if is_wiped(&self.judge.observed.servers[server], found) {
            self.summary.wipes += 1;
            self.judge.observed.wiped(server);
        }
        let history = &self.judge.observed.servers[server];
        recovered(history, found, standalone).ok_or_else(|| {
            let end = history.durable.last().map(|txn| txn.zxid);
            format!(
                "the start found log end {}, epochs {} and {}; durable were {}, {} and {}, with {} writes on their way",
                found.last(),
                found.accepted,
                found.current,
                end.unwrap_or_default(),
                history.accepted,
                history.current,
                history.queue.len()
            )
        })
    }

    // ---- links

    fn link(&mut self, server: usize, place: &Place, up: &LinkUp) -> Result<(), Problem> {
        let it = &mut self.servers[server];
        let end = (it.id, it.inc, up.id);
        let fresh = it.core.as_mut().is_some_and(|core| core.up(up));
        if !fresh || !self.wires.up(end, up) {
            let what = format!("link {} was up before", up.id);
            return Err(Problem::new(Kind::Link, place, what));
        }
        self.summary.links += usize::from(!up.dialled);
        Ok(())
    }

    // ---- steps

    fn step(
        &mut self,
        server: usize,
        place: &Place,
        line: &Line<Digest>,
        event: Event<Digest>,
    ) -> Result<(), Problem> {
        let meaning = self
            .admit(server, &event)
            .map_err(|(kind, what)| Problem::new(kind, place, format!("{event:?}: {what}")))?;
        self.summary.steps += 1;
        if let Event::Persisted { through } = &event {
            self.judge.persisted(server, *through);
        }
        let it = &mut self.servers[server];
        let Some(core) = &mut it.core else {
            return Err(Problem::new(Kind::Gap, place, "a step before the start"));
        };
        let changed = core.replay(place, line, event.clone())?;
        if line.broken.is_some() {
            self.judge.observed.fault();
        }
        if meaning == Meaning::Stale {
            self.summary.stale += 1;
            if changed {
                self.judge.observed.stale(server);
            }
        }
        let effects = line.effects.as_deref().unwrap_or_default();
        let streamed = self.send(server, effects);
        if let Some(core) = &self.servers[server].core {
            self.judge
                .stepped(server, &event, effects, &core.peer, streamed);
        }
        Ok(())
    }

    /// Whether the environment may cause this event now.
    fn admit(&mut self, server: usize, event: &Event<Digest>) -> Result<Meaning, (Kind, String)> {
        let it = &mut self.servers[server];
        let meaning = match &mut it.core {
            Some(core) => core.admit(event)?,
            None => Meaning::Fresh,
        };
        let (id, inc) = (it.id, it.inc);
        let refuse = |kind, what: &str| Err((kind, what.to_owned()));
        match event {
            Event::Received { link, message } => {
                let received = self.wires.receive(&(id, inc, *link), message);
                received.map_err(|what| (Kind::Link, what))?;
                self.summary.messages += 1;
            }
            Event::Disconnected { link } => self.wires.gone(&(id, inc, *link)),
            Event::Connected { link, peer } => {
                // The leader may not have taken the connection yet.
                let other = self.wires.other(&(id, inc, *link));
                if other.is_some_and(|other| other != *peer) {
                    return refuse(Kind::Link, "another server is at the other end");
                }
            }
            Event::Notified { from, notification } => {
                if !self.wires.take_notification(*from, id, notification) {
                    return refuse(
                        Kind::Notification,
                        "it was not sent, or a later one came before",
                    );
                }
                self.summary.notifications += 1;
            }
            Event::Persisted { through } => {
                let queue = &self.judge.observed.servers[server].queue;
                if !queue.iter().any(|queued| queued.id == *through) {
                    return refuse(Kind::Disk, "no such write is on its way");
                }
            }
            _ => {}
        }
        Ok(meaning)
    }

    /// Puts on the wires what a step sends. What an installed snapshot holds is the answer.
    fn send(
        &mut self,
        server: usize,
        effects: &[Effect<Digest>],
    ) -> Vec<zab_properties::Txn<Digest>> {
        let it = &self.servers[server];
        let (id, inc) = (it.id, it.inc);
        let mut streamed = Vec::new();
        for effect in effects {
            match effect {
                Effect::Send { link, message } => {
                    self.wires.send(&(id, inc, *link), message.clone());
                }
                Effect::SendSnapshot { link, .. } => {
                    let content = self.judge.observed.image(server);
                    self.wires.stream(&(id, inc, *link), content);
                }
                Effect::Notify { to, notification } => {
                    self.wires.notify(id, *to, *notification);
                }
                Effect::Persist {
                    write: Write::Install { .. },
                    ..
                } => {
                    let link = self.servers[server]
                        .core
                        .as_ref()
                        .and_then(|core| core.peer.status().link);
                    if let Some(link) = link {
                        streamed = self.wires.streamed(&(id, inc, link));
                    }
                }
                _ => {}
            }
        }
        streamed
    }
}

/// Nothing can go on: this line takes what nobody sent.
fn unsent(run: &Reader) -> Problem {
    let line = run.head.as_ref();
    let event = line.and_then(|line| line.event.as_ref());
    let (kind, what) = match (event, line.and_then(|line| line.link.as_ref())) {
        (Some(Event::Notified { .. }), _) => (Kind::Notification, "it was never sent"),
        (_, Some(_)) => (Kind::Link, "nobody dialled this connection"),
        _ => (Kind::Link, "the other end never sent it"),
    };
    let said = event.map_or_else(String::new, |event| format!("{event:?}: "));
    Problem::new(kind, &run.place, format!("{said}{what}"))
}

/// All servers must know the same ensemble, and each of its members must be here.
fn one_configuration(servers: &[Server]) -> Result<Config, Problem> {
    let mut first: Option<&Config> = None;
    for run in servers.iter().flat_map(|server| &server.runs) {
        let start = run.head.as_ref().and_then(|line| line.start.as_ref());
        let Some(start) = start else { continue };
        let known = first.get_or_insert(&start.config);
        if known.quorums != start.config.quorums {
            let what = "another ensemble than that of the first file";
            return Err(Problem::new(Kind::Format, &run.place, what));
        }
    }
    let Some(config) = first else {
        let what = "no trace holds a whole line";
        return Err(Problem::new(Kind::Format, &Place::default(), what));
    };
    let absent = config
        .quorums
        .voters()
        .iter()
        .find(|voter| servers.iter().all(|server| server.id != *voter));
    match absent {
        None => Ok(config.clone()),
        Some(voter) => {
            let what = format!("server {voter} is a member, and its trace is not here");
            Err(Problem::new(Kind::Format, &Place::default(), what))
        }
    }
}
