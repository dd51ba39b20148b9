//! One seed's run: the queue of virtual events, and what each does to servers and network.

use crate::check::Verdicts;
use crate::client::Client;
use crate::conns::Connection;
use crate::history::History;
use crate::net::Net;
use crate::plan::{END_AT, Fault, HEAL_AT, MS, Plan, QUIET_AT, SECOND, Us};
use crate::process::{Identity, Process, clocks};
use crate::rng::Rng;
use crate::watch::{Recorder, Watch};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use zab::LinkId;
use zk_node::Now;
use zk_storage::sim::SimDisk;

/// What happens at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Happening {
    /// The driver of a process runs.
    Step {
        server: usize,
        incarnation: u64,
    },
    /// A batch of the log is written and synced.
    LogDone {
        server: usize,
        incarnation: u64,
    },
    /// Some more of a server's next log file is filled with zeros.
    FillStep {
        server: usize,
        incarnation: u64,
    },
    SnapshotStep {
        server: usize,
        incarnation: u64,
    },
    /// A leader copies the next slice of its tree for a learner.
    StreamStep {
        server: usize,
        incarnation: u64,
        link: LinkId,
    },
    Dial {
        server: usize,
        incarnation: u64,
        number: u64,
    },
    Vote {
        from: usize,
        to: usize,
    },
    /// Something may have come to an end of a link.
    LinkMail {
        link: LinkId,
        end: usize,
    },
    /// Something may have come to the server's end of a client's connection.
    ToServer {
        conn: u64,
    },
    ToClient {
        conn: u64,
    },
    ConnDeadline {
        conn: u64,
    },
    Client {
        client: usize,
    },
    Fault {
        number: usize,
    },
    Start {
        server: usize,
    },
    Heal,
}

/// A server's place: what outlives its processes.
pub struct Slot {
    pub identity: Identity,
    pub disk: SimDisk,
    pub process: Option<Process>,
    pub incarnation: u64,
    pub wall_offset_ms: i64,
    pub rng: Rng,
    pub limp_us: Us,
    pub full: bool,
    /// It was told to start; a start that fails is tried again.
    pub wanted: bool,
    pub stopped_why: String,
}

pub struct World {
    pub plan: Plan,
    pub now: Us,
    queue: BinaryHeap<Reverse<(Us, u64, Happening)>>,
    next: u64,
    pub slots: Vec<Slot>,
    pub net: Net,
    pub clients: Vec<Client>,
    pub conns: BTreeMap<u64, Connection>,
    pub next_conn: u64,
    pub history: History,
    pub watch: Arc<Mutex<Watch>>,
    pub healed: bool,
    pub trace: bool,
    pub happened: u64,
    pub totals: Totals,
}

/// What the summary adds to the counts of the watch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub sessions_moved: u64,
    pub snapshots: u64,
    pub restarts: u64,
    /// Of the search for an order of each register's operations.
    pub verdicts: Verdicts,
}

impl World {
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let watch = Arc::new(Mutex::new(Watch::new(&plan)));
        let mut rng = Rng::stream(plan.seed, "servers", 0);
        let slots = (0..plan.servers())
            .map(|index| Slot {
                identity: Identity::new(&plan, index, rng.below(1 << 40)),
                disk: SimDisk::new(),
                process: None,
                incarnation: 0,
                wall_offset_ms: rng.between(0, 4000) as i64 - 2000,
                rng: Rng::stream(plan.seed, "server", index as u64),
                limp_us: 0,
                full: false,
                wanted: true,
                stopped_why: String::new(),
            })
            .collect();
        let clients = (0..plan.clients)
            .map(|index| Client::new(&plan, index))
            .collect();
        Self {
            net: Net::new(&plan),
            now: 0,
            queue: BinaryHeap::new(),
            next: 0,
            slots,
            clients,
            conns: BTreeMap::new(),
            next_conn: 1,
            history: History::default(),
            watch,
            healed: false,
            trace: false,
            happened: 0,
            totals: Totals::default(),
            plan,
        }
    }

    pub fn at(&mut self, at: Us, happening: Happening) {
        self.next += 1;
        self.queue
            .push(Reverse((at.max(self.now), self.next, happening)));
    }

    /// Runs to the end of the plan.
    pub fn run(&mut self) {
        for server in 0..self.slots.len() {
            if self.plan.initialize {
                self.slots[server]
                    .disk
                    .put_file(Path::new("/data/initialize"), b"");
            }
            let at = self.slots[server].rng.below(2 * SECOND);
            self.at(at, Happening::Start { server });
        }
        for client in 0..self.clients.len() {
            let at = SECOND + self.clients[client].rng.below(3 * SECOND);
            if !self.plan.absent.contains(&client) {
                self.at(at, Happening::Client { client });
            }
        }
        for number in 0..self.plan.faults.len() {
            self.at(self.plan.faults[number].0, Happening::Fault { number });
        }
        self.at(HEAL_AT, Happening::Heal);
        while let Some(Reverse((at, _, happening))) = self.queue.pop() {
            if at > END_AT {
                break;
            }
            self.now = at;
            self.happened += 1;
            self.recorder(0).lock().now = at;
            self.happen(happening);
        }
        self.now = END_AT;
    }

    #[must_use]
    pub fn recorder(&self, server: usize) -> Recorder {
        Recorder {
            watch: Arc::clone(&self.watch),
            server,
        }
    }

    pub fn fail(&self, rule: &str, what: String, zxid: i64) {
        self.recorder(0).lock().fail(rule, what, zxid);
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>12.6} {}", self.now as f64 / 1e6, what());
        }
    }

    #[must_use]
    pub fn clocks(&self, server: usize) -> Now {
        let slot = &self.slots[server];
        clocks(&slot.identity, slot.wall_offset_ms, self.now)
    }

    /// The process of a server, if it is this one.
    pub fn process(&mut self, server: usize, incarnation: u64) -> Option<&mut Process> {
        self.slots[server]
            .process
            .as_mut()
            .filter(|process| process.incarnation == incarnation)
    }

    /// When a paused server goes on, if it is paused.
    fn paused(&self, server: usize) -> Option<Us> {
        let process = self.slots[server].process.as_ref()?;
        (process.paused_until > self.now).then_some(process.paused_until)
    }

    fn happen(&mut self, happening: Happening) {
        if let Some(until) = self.owner(happening).and_then(|server| self.paused(server)) {
            return self.at(until, happening);
        }
        match happening {
            Happening::Step {
                server,
                incarnation,
            } => self.step(server, incarnation),
            Happening::LogDone {
                server,
                incarnation,
            } => self.log_done(server, incarnation),
            Happening::FillStep {
                server,
                incarnation,
            } => self.fill_step(server, incarnation),
            Happening::SnapshotStep {
                server,
                incarnation,
            } => self.snapshot_step(server, incarnation),
            Happening::StreamStep {
                server,
                incarnation,
                link,
            } => self.stream_step(server, incarnation, link),
            Happening::Dial {
                server,
                incarnation,
                number,
            } => self.dial(server, incarnation, number),
            Happening::Vote { from, to } => self.vote(from, to),
            Happening::LinkMail { link, end } => self.link_mail(link, end),
            Happening::ToServer { conn } => self.server_mail(conn),
            Happening::ToClient { conn } => self.client_mail(conn),
            Happening::ConnDeadline { conn } => self.conn_deadline(conn),
            Happening::Client { client } => self.client_wakes(client),
            Happening::Fault { number } => self.fault(self.plan.faults[number].1),
            Happening::Start { server } => self.start(server),
            Happening::Heal => self.heal(),
        }
    }

    /// The server whose process does it.
    fn owner(&self, happening: Happening) -> Option<usize> {
        match happening {
            Happening::Step { server, .. }
            | Happening::LogDone { server, .. }
            | Happening::FillStep { server, .. }
            | Happening::SnapshotStep { server, .. }
            | Happening::StreamStep { server, .. }
            | Happening::Dial { server, .. } => Some(server),
            Happening::Vote { to, .. } => Some(to),
            Happening::LinkMail { link, end } => {
                self.net.links.get(&link).map(|link| link.ends[end].server)
            }
            Happening::ToServer { conn } | Happening::ConnDeadline { conn } => {
                self.conns.get(&conn).map(|conn| conn.server)
            }
            Happening::ToClient { .. }
            | Happening::Client { .. }
            | Happening::Fault { .. }
            | Happening::Start { .. }
            | Happening::Heal => None,
        }
    }

    // ---- faults

    fn fault(&mut self, fault: Fault) {
        if self.healed {
            return;
        }
        self.say(|| format!("fault {fault:?}"));
        match fault {
            Fault::Kill { server } => self.kill(server, "killed"),
            Fault::PowerCut { server } => self.power_cut(server),
            Fault::PowerCutAll => {
                for server in 0..self.slots.len() {
                    self.power_cut(server);
                }
            }
            Fault::Start { server } => {
                self.slots[server].wanted = true;
                self.start(server);
            }
            Fault::Wipe { server } => {
                self.kill(server, "wiped");
                self.slots[server].disk = SimDisk::new();
                self.recorder(server).lock().wiped(server);
                self.at(self.now + SECOND, Happening::Start { server });
                self.slots[server].wanted = true;
            }
            Fault::Cut { from, to } => self.net.cut(from, to),
            Fault::Mend { from, to } => {
                self.net.mend(from, to);
                self.deliver_held();
            }
            Fault::CutClients { server } => self.net.cut_clients(server),
            Fault::MendClients { server } => {
                self.net.mend_clients(server);
                self.deliver_held();
            }
            Fault::Slow { from, to, us } => self.net.slow(from, to, us),
            Fault::Limp { server, us } => self.slots[server].limp_us = us,
            Fault::FailSync { server } => self.fail_next_sync(server),
            Fault::Full { server, full } => {
                self.slots[server].full = full;
                self.set_hook(server);
            }
            Fault::Jump { server, ms } => self.slots[server].wall_offset_ms += ms,
            Fault::Depose { us, restart_us } => self.depose(us, restart_us),
            Fault::Pause { server, us } => {
                let until = self.now + us;
                if let Some(process) = &mut self.slots[server].process {
                    process.paused_until = process.paused_until.max(until);
                }
            }
        }
    }

    // spec: FT-NET-02
    fn depose(&mut self, us: Us, restart_us: Us) {
        let leads = |slot: &Slot| {
            let status = slot.process.as_ref().map(|process| process.node.status());
            status.is_some_and(|status| status.role == zab::RoleKind::Leading)
        };
        let Some(leader) = self.slots.iter().position(leads) else {
            return;
        };
        let until = self.now + us;
        for peer in (0..self.slots.len()).filter(|peer| *peer != leader) {
            for (from, to) in [(leader, peer), (peer, leader)] {
                // As if the plan had said so: what judges the run reads it there.
                let number = self.plan.faults.len();
                self.plan.faults.push((self.now, Fault::Cut { from, to }));
                self.plan.faults.push((until, Fault::Mend { from, to }));
                self.fault(Fault::Cut { from, to });
                self.at(until, Happening::Fault { number: number + 1 });
            }
            if restart_us > 0 {
                self.kill(peer, "killed");
                self.slots[peer].wanted = true;
                self.at(self.now + restart_us, Happening::Start { server: peer });
            }
        }
    }

    // spec: INV-16
    fn heal(&mut self) {
        self.say(|| "healed".into());
        self.healed = true;
        self.net.heal();
        for server in 0..self.slots.len() {
            self.slots[server].limp_us = 0;
            self.slots[server].full = false;
            self.set_hook(server);
            if self.plan.lost == Some(server) {
                self.kill(server, "lost");
                continue;
            }
            self.slots[server].wanted = true;
            if let Some(process) = &mut self.slots[server].process {
                process.paused_until = 0;
            }
            self.start(server);
        }
        self.deliver_held();
    }

    /// What cuts held back is on its way again.
    fn deliver_held(&mut self) {
        let links: Vec<LinkId> = self.net.links.keys().copied().collect();
        for link in links {
            for end in 0..2 {
                self.at(self.now, Happening::LinkMail { link, end });
            }
        }
        let conns: Vec<u64> = self.conns.keys().copied().collect();
        for conn in conns {
            self.at(self.now, Happening::ToServer { conn });
            self.at(self.now, Happening::ToClient { conn });
        }
        let servers = self.slots.len();
        for from in 0..servers {
            for to in 0..servers {
                if self.net.votes[from][to].is_some() {
                    let at = self.now + self.net.delay(from, to);
                    self.at(at, Happening::Vote { from, to });
                }
            }
        }
    }

    /// Whether clients may still ask something new.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.now >= QUIET_AT
    }

    /// A start that failed is tried again, as a supervisor does it.
    pub fn retry_start(&mut self, server: usize) {
        if self.slots[server].wanted {
            let at = self.now + 3 * SECOND + self.slots[server].rng.below(500 * MS);
            self.at(at, Happening::Start { server });
        }
    }
}
