//! What a run of seeds adds up to.

use crate::plan::{END_AT, Plan};
use crate::shrink::Tried;
use crate::world::World;
use comfy_table::Table;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;

/// One seed's outcome.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub seed: u64,
    pub hash: u64,
    pub failures: Vec<String>,
    /// The rules that failed, in the order of the failures, and the turns that each client had: for `shrink`.
    pub tried: Tried,
    pub columns: Columns,
}

/// The columns of the summary, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Columns {
    pub elections: u64,
    pub crashes: u64,
    pub diffs: u64,
    pub truncs: u64,
    pub snaps: u64,
    pub acked: u64,
    pub lost: u64,
    pub sessions_expired: u64,
    pub sessions_moved: u64,
    pub seeds: u64,
    /// Registers whose operations were searched for an order (INV-02), and those where it was given up.
    pub searched: u64,
    pub unknown: u64,
}

impl Columns {
    fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("elections", self.elections),
            ("crashes", self.crashes),
            ("DIFF", self.diffs),
            ("TRUNC", self.truncs),
            ("SNAP", self.snaps),
            ("acked writes", self.acked),
            ("lost writes", self.lost),
            ("sessions expired", self.sessions_expired),
            ("sessions moved", self.sessions_moved),
            ("INV-02 paths", self.searched),
        ]
    }

    pub fn add(&mut self, other: &Self) {
        self.elections += other.elections;
        self.crashes += other.crashes;
        self.diffs += other.diffs;
        self.truncs += other.truncs;
        self.snaps += other.snaps;
        self.acked += other.acked;
        self.lost += other.lost;
        self.sessions_expired += other.sessions_expired;
        self.sessions_moved += other.sessions_moved;
        self.seeds += other.seeds;
        self.searched += other.searched;
        self.unknown += other.unknown;
    }

    /// What never happened, though over so many seeds it should have.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        if self.seeds < 100 {
            return Vec::new();
        }
        let zero = self.named().into_iter().filter(|(_, count)| *count == 0);
        zero.map(|(name, _)| name).collect()
    }

    #[must_use]
    pub fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(UTF8_HORIZONTAL_ONLY);
        let named = self.named();
        let hours = self.seeds * END_AT / 3_600_000_000;
        let mut head = vec!["seeds".to_owned(), "virtual hours".to_owned()];
        head.extend(named.iter().map(|(name, _)| (*name).to_owned()));
        table.set_header(head);
        let mut row = vec![self.seeds.to_string(), hours.to_string()];
        row.extend(named.iter().map(|(_, count)| count.to_string()));
        table.add_row(row);
        table.to_string()
    }
}

impl World {
    /// The outcome of a run that has been judged.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let recorder = self.recorder(0);
        let watch = recorder.lock();
        let writes = || self.history.calls.iter().filter(|call| call.op.is_write());
        let acked = writes().filter(|call| call.reply.is_some()).count() as u64;
        let lost = writes().filter(|call| call.reply.is_none()).count() as u64;
        let seed = self.plan.seed;
        let opening = if self.plan.opening_txn {
            " --opening-txn"
        } else {
            ""
        };
        // spec: faults.md 7
        let failures = watch.failures.iter().map(|failure| {
            format!(
                "FAIL inv={} seed={seed:#x} at={:.6}s zxid={:#x} plan={:016x} replay=\"zk-sim replay {seed}{opening}\" {}",
                failure.rule,
                failure.at as f64 / 1e6,
                failure.zxid,
                self.plan.hash(),
                failure.what,
            )
        });
        let tried = Tried {
            rules: watch.failures.iter().map(|it| it.rule.clone()).collect(),
            turns: self.clients.iter().map(|client| client.turns).collect(),
        };
        Outcome {
            seed,
            hash: watch.hash,
            failures: failures.collect(),
            tried,
            columns: Columns {
                elections: watch.counts.elections,
                crashes: watch.counts.crashes,
                diffs: watch.counts.diffs,
                truncs: watch.counts.truncs,
                snaps: watch.counts.snaps,
                acked,
                lost,
                sessions_expired: watch.expiries.len() as u64,
                sessions_moved: self.totals.sessions_moved,
                seeds: 1,
                searched: self.totals.verdicts.searched,
                unknown: self.totals.verdicts.unknown,
            },
        }
    }
}

/// Runs and judges one seed.
#[must_use]
pub fn run_seed(seed: u64, trace: bool) -> Outcome {
    run_plan(Plan::draw(seed), trace)
}

/// Runs and judges a plan, drawn from a seed or made smaller.
#[must_use]
pub fn run_plan(plan: Plan, trace: bool) -> Outcome {
    let mut world = World::new(plan);
    world.trace = trace;
    judge(world)
}

pub(crate) fn judge(mut world: World) -> Outcome {
    world.run();
    world.finish();
    world.outcome()
}
