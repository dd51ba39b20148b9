//! What the steps of real cores and disks show: each server's histories, the facts, the ghosts, and which properties
//! break. For hosts that do not own their servers' state: the trace validator and the simulator. What makes a txn's
//! payload comparable (`V`) is theirs.

mod history;
mod steps;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use zab::{Quorums, Report, ServerId, ServerSet, Write, WriteId};

use crate::coarsening::Electors;
use crate::tree::beyond;
use crate::{
    Fact, Ghosts, IdSet, Invariant, Removal, Txn, Value, View, broken_by, safety, sometimes,
};

pub use history::{Found, History, Queued, apply};

/// All servers of an ensemble, observed.
pub struct Observed<V: 'static> {
    pub servers: Vec<History<V>>,
    pub ghosts: Ghosts<V>,
    quorums: Quorums,
    electors: Electors,
    invariants: Vec<Invariant<V>>,
    /// Properties broken since the last question, and by what.
    broken: Vec<(IdSet, String)>,
    /// Situations that the run has reached.
    pub reached: IdSet,
    /// False: histories are kept, and nothing is judged.
    judges: bool,
    /// A step may have broken the state.
    dirty: bool,
}

impl<V: Value> Observed<V> {
    pub fn new(quorums: Quorums, servers: impl Iterator<Item = ServerId>, judges: bool) -> Self {
        Self {
            servers: servers.map(History::new).collect(),
            ghosts: Ghosts::default(),
            quorums,
            electors: Electors::default(),
            invariants: safety::all(),
            broken: Vec::new(),
            reached: IdSet::default(),
            judges,
            dirty: false,
        }
    }

    /// The properties that were broken since the last question, each time with what broke them.
    pub fn take_broken(&mut self) -> Vec<(IdSet, String)> {
        core::mem::take(&mut self.broken)
    }

    /// These properties.
    pub fn named(&self, numbers: IdSet) -> impl Iterator<Item = &Invariant<V>> {
        self.invariants
            .iter()
            .filter(move |it| numbers.contains(it.number))
    }

    /// Whether the oracle of the exhaustive runs could elect whom this report says is elected.
    // spec: zab-model section 12.
    pub fn oracle_allows(&self, server: usize, report: &Report) -> bool {
        let it = &self.servers[server];
        !self.judges
            || it
                .status
                .as_ref()
                .is_none_or(|status| self.electors.allow(it.id, status, report, &self.quorums))
    }

    fn look<R>(&self, look: impl FnOnce(&View<'_, V>) -> R) -> R {
        let views: Vec<_> = self.servers.iter().map(History::view).collect();
        let quorum = |mask: u32| {
            let ids = self.servers.iter().enumerate();
            let held = ids.filter(|(index, _)| mask & (1 << index) != 0);
            self.quorums
                .is_quorum(&held.map(|(_, it)| it.id).collect::<ServerSet>())
        };
        look(&View {
            servers: &views,
            ghosts: &self.ghosts,
            quorum: &quorum,
        })
    }

    fn fact(&mut self, fact: &Fact<'_, V>) {
        if !self.judges {
            return;
        }
        let (broken, reached) = self.look(|view| {
            (
                broken_by(&self.invariants, view, fact),
                sometimes::in_fact(view, fact),
            )
        });
        self.ghosts.record(fact, broken);
        self.reached = self.reached.union(reached);
        if !broken.is_empty() {
            self.broken.push((broken, format!("{fact:?}")));
        }
    }

    /// Whether a step since the last call may have broken the state.
    pub fn take_dirty(&mut self) -> bool {
        core::mem::take(&mut self.dirty)
    }

    /// Judges the state by all properties but these.
    pub fn judge(&mut self, but: IdSet) {
        if !self.judges {
            return;
        }
        let (broken, reached) = self.look(|view| {
            let broken = self
                .invariants
                .iter()
                .filter(|it| !but.contains(it.number))
                .filter(|it| it.state.is_some_and(|holds| !holds(view)));
            let broken: IdSet = broken.map(|it| it.number).collect();
            (broken, sometimes::in_state(view))
        });
        self.reached = self.reached.union(reached);
        if !broken.is_empty() {
            self.broken.push((broken, "state".into()));
        }
    }

    // ---- starts and ends

    pub fn stopped(&mut self, server: usize) {
        self.servers[server].stop();
        self.dirty = true;
    }

    pub fn wiped(&mut self, server: usize) {
        let id = self.servers[server].id;
        self.servers[server] = History {
            wiped: true,
            ..History::new(id)
        };
        self.fact(&Fact::Wiped { server: id });
    }

    /// A start found what was durable and the first `kept` of the writes that were on their way.
    pub fn restarted(&mut self, server: usize, kept: usize, found: Found) {
        let before = self.servers[server].issued.clone();
        for _ in 0..kept {
            self.written(server);
        }
        self.servers[server].start(found);
        self.removed(server, &before, Removal::Crashed);
        self.dirty = true;
    }

    // ---- the disk

    /// This write and all before it are durable.
    pub fn persisted(&mut self, server: usize, through: WriteId) {
        while self.servers[server]
            .queue
            .front()
            .is_some_and(|queued| queued.id <= through)
        {
            self.written(server);
        }
    }

    /// The oldest write of the queue is on the disk.
    fn written(&mut self, server: usize) {
        let it = &mut self.servers[server];
        let Some(queued) = it.queue.pop_front() else {
            return;
        };
        let (id, accepted_before, current_before) = (it.id, it.accepted, it.current);
        let why = match &queued.write {
            Write::Append(_) => return apply(&mut it.durable, &queued),
            Write::AcceptedEpoch(epoch) => {
                it.accepted = *epoch;
                None
            }
            Write::CurrentEpoch(epoch) => {
                it.current = *epoch;
                it.wiped = false;
                None
            }
            Write::Truncate { .. } => Some(Removal::Truncated),
            Write::Install { snapshot } => {
                it.beyond = beyond(*snapshot, &queued.content);
                Some(Removal::Replaced)
            }
        };
        self.dirty = true;
        let (accepted, current) = (it.accepted, it.current);
        let Some(why) = why else {
            return self.fact(&Fact::EpochsWritten {
                server: id,
                accepted_before,
                current_before,
                accepted,
                current,
            });
        };
        let before = it.durable.clone();
        apply(&mut it.durable, &queued);
        self.removed(server, &before, why);
    }

    fn removed(&mut self, server: usize, before: &[Txn<V>], why: Removal) {
        let after = &self.servers[server].durable;
        let gone = before
            .iter()
            .filter(|txn| after.binary_search(txn).is_err());
        let gone: Vec<Txn<V>> = gone.cloned().collect();
        self.fact(&Fact::Removed {
            server: self.servers[server].id,
            txns: &gone,
            why,
        });
    }

    /// What a stream of a server's tree holds.
    pub fn image(&self, server: usize) -> Vec<Txn<V>> {
        let it = &self.servers[server];
        it.tree.image(&it.issued)
    }
}
