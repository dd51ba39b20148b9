//! What a seed means: the ensemble, its clients, and every fault with its virtual time.
// spec: FT-MIX-01

use crate::rng::Rng;
use crate::watch::hash_bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Virtual time in microseconds since the start of the run.
pub type Us = u64;

pub const MS: Us = 1_000;
pub const SECOND: Us = 1_000_000;

/// tickTime of every simulated ensemble.
pub const TICK_MS: u64 = 2000;
/// initLimit and syncLimit, in ticks.
pub const INIT_LIMIT: u64 = 10;
pub const SYNC_LIMIT: u64 = 5;

/// No fault begins after this; everything is healed.
pub const HEAL_AT: Us = 480 * SECOND;
/// Clients ask nothing new after this.
pub const QUIET_AT: Us = 560 * SECOND;
pub const END_AT: Us = 600 * SECOND;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub seed: u64,
    pub voters: usize,
    pub observers: usize,
    pub clients: usize,
    /// Each server starts with an `initialize` file, as `vivarium ensemble` writes it.
    pub initialize: bool,
    pub snap_count: u32,
    pub window: u32,
    /// Leaders serve only after a first txn of their own (`zab::Config::opening_txn`). No seed draws it.
    // spec: QP-INT-02
    #[serde(default)]
    pub opening_txn: bool,
    /// One way, each message.
    pub delay_us: (Us, Us),
    pub fsync_us: (Us, Us),
    /// Between two requests of a client, on average.
    pub think_us: Us,
    pub faults: Vec<(Us, Fault)>,
    /// A server that stays dead after healing.
    pub lost: Option<usize>,
    /// Clients that never come.
    pub absent: BTreeSet<usize>,
    /// Turns, by client and number, in which the client draws what to ask and asks nothing.
    pub passed: BTreeSet<(usize, u32)>,
}

/// Servers are indices, not ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    /// The process ends; what it wrote stays in the page cache.
    Kill {
        server: usize,
    },
    /// The machine loses power: unsynced writes are kept, lost or torn one by one.
    PowerCut {
        server: usize,
    },
    PowerCutAll,
    /// If it is down.
    Start {
        server: usize,
    },
    /// The data directory is moved away; then the server starts.
    Wipe {
        server: usize,
    },
    /// Nothing goes from one to the other.
    Cut {
        from: usize,
        to: usize,
    },
    Mend {
        from: usize,
        to: usize,
    },
    CutClients {
        server: usize,
    },
    MendClients {
        server: usize,
    },
    /// Every message takes this much longer.
    Slow {
        from: usize,
        to: usize,
        us: Us,
    },
    /// Each sync takes this long; 0 ends it.
    Limp {
        server: usize,
        us: Us,
    },
    /// The next sync fails.
    FailSync {
        server: usize,
    },
    /// The disk is full, or no longer.
    Full {
        server: usize,
        full: bool,
    },
    /// The wall clock jumps.
    Jump {
        server: usize,
        ms: i64,
    },
    /// The process gets no time.
    Pause {
        server: usize,
        us: Us,
    },
    /// Whoever leads then is cut from all its peers, and clients still reach it. The others end and start again
    /// (if not 0), so that they elect while it does not know yet.
    Depose {
        us: Us,
        restart_us: Us,
    },
}

/// A kind of fault, as seeds mix them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Kill,
    PowerCut,
    // spec: FT-DISK-02
    PowerCutAll,
    // spec: FT-DISK-25
    Wipe,
    Cut,
    // spec: FT-NET-04, FT-NET-05
    CutOneWay,
    // spec: FT-NET-01
    Isolate,
    CutClients,
    // spec: FT-NET-10
    Slow,
    Limp,
    FailSync,
    // spec: FT-DISK-08
    Full,
    // spec: FT-CLK-01
    Jump,
    Pause,
    KillLeaderless,
}

const KINDS: [Kind; 15] = [
    Kind::Kill,
    Kind::PowerCut,
    Kind::PowerCutAll,
    Kind::Wipe,
    Kind::Cut,
    Kind::CutOneWay,
    Kind::Isolate,
    Kind::CutClients,
    Kind::Slow,
    Kind::Limp,
    Kind::FailSync,
    Kind::Full,
    Kind::Jump,
    Kind::Pause,
    Kind::KillLeaderless,
];

impl Plan {
    #[must_use]
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::stream(seed, "plan", 0);
        let voters = match rng.below(100) {
            0..5 => 1,
            5..15 => 5,
            _ => 3,
        };
        let observers = if voters > 1 && rng.chance(150) { 1 } else { 0 };
        let clients = rng.between(3, 12) as usize;
        let slow_network = rng.chance(150);
        let mut plan = Self {
            seed,
            voters,
            observers,
            clients,
            initialize: rng.chance(800),
            snap_count: rng.between(40, 600) as u32,
            window: *rng.pick(&[5, 50, 50, 500]).unwrap_or(&500),
            opening_txn: false,
            delay_us: if slow_network {
                (MS, 120 * MS)
            } else {
                (50, rng.between(200, 3000))
            },
            fsync_us: (100, rng.between(500, 8000)),
            think_us: QUIET_AT * clients as u64 / 2000,
            faults: Vec::new(),
            lost: None,
            absent: BTreeSet::new(),
            passed: BTreeSet::new(),
        };
        plan.draw_faults(seed);
        let down_allowed = (voters - 1) / 2;
        if down_allowed > 0 && rng.chance(150) {
            plan.lost = Some(rng.index(voters));
        }
        plan
    }

    /// Names the plan: another generator draws another plan from the same seed.
    #[must_use]
    pub fn hash(&self) -> u64 {
        hash_bytes(format!("{self:?}").as_bytes())
    }

    #[must_use]
    pub fn servers(&self) -> usize {
        self.voters + self.observers
    }

    fn draw_faults(&mut self, seed: u64) {
        let mut rng = Rng::stream(seed, "faults", 0);
        let mut kinds: Vec<Kind> = Vec::new();
        for _ in 0..rng.between(1, 4) {
            let kind = KINDS[rng.index(KINDS.len())];
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        for (number, kind) in kinds.into_iter().enumerate() {
            let mut rng = Rng::stream(seed, "fault kind", number as u64);
            let gap = rng.between(8, 70) * SECOND;
            let mut at = 15 * SECOND + rng.below(gap);
            while at < HEAL_AT - 10 * SECOND {
                self.add(kind, at, &mut rng);
                if kind == Kind::Wipe {
                    // spec: FT-MIX. At most one disk is emptied, and never a majority's.
                    break;
                }
                at += rng.around(gap);
            }
        }
        self.draw_depositions(seed);
        self.faults.sort_by_key(|(at, _)| *at);
    }

    /// Aimed at the leader, which a fault of a server drawn beforehand often misses. From a stream of its own.
    // spec: FT-NET-02, FT-MIX
    fn draw_depositions(&mut self, seed: u64) {
        let mut rng = Rng::stream(seed, "depositions", 0);
        if self.voters == 1 || !rng.chance(150) {
            return;
        }
        let gap = rng.between(20, 50) * SECOND;
        let mut at = 15 * SECOND + rng.below(gap);
        while at < HEAL_AT - 30 * SECOND {
            let us = rng.between(9_000, 20_000) * MS;
            let restart_us = if rng.chance(500) {
                rng.between(200, 2000) * MS
            } else {
                0
            };
            self.faults.push((at, Fault::Depose { us, restart_us }));
            at += us + rng.around(gap);
        }
    }

    fn add(&mut self, kind: Kind, at: Us, rng: &mut Rng) {
        let servers = self.servers();
        let server = rng.index(servers);
        let other = (server + 1 + rng.index(servers.max(2) - 1)) % servers;
        let after = at + rng.between(500, 25_000) * MS;
        let mut put = |at: Us, fault: Fault| self.faults.push((at, fault));
        match kind {
            Kind::Kill => {
                put(at, Fault::Kill { server });
                put(after, Fault::Start { server });
            }
            Kind::PowerCut => {
                put(at, Fault::PowerCut { server });
                put(after, Fault::Start { server });
            }
            Kind::PowerCutAll => {
                put(at, Fault::PowerCutAll);
                for server in 0..servers {
                    let start = at + rng.between(100, 12_000) * MS;
                    put(start, Fault::Start { server });
                }
            }
            Kind::Wipe => {
                if self.voters >= 3 {
                    put(at, Fault::Wipe { server });
                }
            }
            Kind::Cut => {
                for (from, to) in [(server, other), (other, server)] {
                    put(at, Fault::Cut { from, to });
                    put(after, Fault::Mend { from, to });
                }
            }
            Kind::CutOneWay => {
                put(
                    at,
                    Fault::Cut {
                        from: server,
                        to: other,
                    },
                );
                put(
                    after,
                    Fault::Mend {
                        from: server,
                        to: other,
                    },
                );
            }
            Kind::Isolate => {
                for peer in (0..servers).filter(|peer| *peer != server) {
                    for (from, to) in [(server, peer), (peer, server)] {
                        put(at, Fault::Cut { from, to });
                        put(after, Fault::Mend { from, to });
                    }
                }
            }
            Kind::CutClients => {
                put(at, Fault::CutClients { server });
                put(after, Fault::MendClients { server });
            }
            Kind::Slow => {
                let us = rng.between(1, 500) * MS;
                let (from, to) = (server, other);
                put(at, Fault::Slow { from, to, us });
                put(after, Fault::Slow { from, to, us: 0 });
            }
            Kind::Limp => {
                let us = rng.between(200, 6000) * MS;
                put(at, Fault::Limp { server, us });
                put(after, Fault::Limp { server, us: 0 });
            }
            Kind::FailSync => {
                put(at, Fault::FailSync { server });
                put(after, Fault::Start { server });
            }
            Kind::Full => {
                put(at, Fault::Full { server, full: true });
                put(
                    after,
                    Fault::Full {
                        server,
                        full: false,
                    },
                );
                put(after + SECOND, Fault::Start { server });
            }
            Kind::Jump => {
                let days = rng.between(0, 7300) as i64 - 3650;
                let ms = if rng.chance(500) {
                    days * 86_400_000
                } else {
                    days * 1000
                };
                put(at, Fault::Jump { server, ms });
            }
            Kind::Pause => {
                let us = rng.between(100, 25_000) * MS;
                put(at, Fault::Pause { server, us });
            }
            Kind::KillLeaderless => {
                // A kill and a second one close behind, while the others elect.
                put(at, Fault::Kill { server });
                put(at + rng.between(1, 400) * MS, Fault::Kill { server: other });
                put(after, Fault::Start { server });
                let second = at + rng.between(500, 9000) * MS;
                put(second, Fault::Start { server: other });
            }
        }
    }
}
