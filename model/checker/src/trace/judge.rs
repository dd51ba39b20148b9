//! The histories of all servers, the ghosts, and the properties of zab-properties over them.

use zab::trace::Digest;
use zab::{
    Config, Durable, Effect, Epoch, Event, LinkId, Message, Misbehaviour, Peer, Proposal, Quorums,
    Report, RoleKind, ServerId, ServerSet, Status, Write, WriteId, Zxid,
};
use zab_properties::coarsening::Electors;
use zab_properties::tree::{Tree, beyond, covered};
use zab_properties::{
    Fact, Ghosts, IdSet, Invariant, Removal, Txn, View, broken_by, safety, sometimes,
};

use super::history::{History, Queued, Value, apply, txn};

pub(super) struct Judge {
    pub(super) servers: Vec<History>,
    quorums: Quorums,
    ghosts: Ghosts<Value>,
    electors: Electors,
    /// An election that the oracle would not hold.
    pub(super) beyond_oracle: Option<ServerId>,
    invariants: Vec<Invariant<Value>>,
    /// Properties broken since the last question, and by what.
    broken: Option<(IdSet, String)>,
    /// Situations that the run has reached.
    pub(super) reached: IdSet,
    /// False: histories are kept, and nothing is judged.
    judges: bool,
    dirty: bool,
    /// Steps since the last look at the state.
    unseen: usize,
}

impl Judge {
    pub(super) fn new(
        config: &Config,
        servers: impl Iterator<Item = ServerId>,
        judges: bool,
    ) -> Self {
        Self {
            servers: servers.map(History::new).collect(),
            quorums: config.quorums.clone(),
            ghosts: Ghosts::default(),
            electors: Electors::default(),
            beyond_oracle: None,
            invariants: safety::all(),
            broken: None,
            reached: IdSet::default(),
            // An ensemble of one promises nothing to others (DF-EPO-06).
            judges: judges && !config.standalone,
            dirty: false,
            unseen: 0,
        }
    }

    /// The properties that were broken since the last question.
    pub(super) fn take_broken(&mut self) -> Option<String> {
        let (broken, why) = self.broken.take()?;
        let names = self
            .invariants
            .iter()
            .filter(|it| broken.contains(it.number))
            .map(|it| format!("{} {}: {}", it.id, it.name, it.statement));
        Some(format!("{} [{why}]", names.collect::<Vec<_>>().join("; ")))
    }

    pub(super) fn decided(&self) -> usize {
        self.ghosts.decided.len()
    }

    pub(super) fn proposed(&self) -> usize {
        self.ghosts.primaries.iter().map(|it| it.txns.len()).sum()
    }

    pub(super) fn established(&self) -> usize {
        self.ghosts.established.len()
    }

    fn look<R>(&self, look: impl FnOnce(&View<'_, Value>) -> R) -> R {
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

    fn fact(&mut self, fact: &Fact<'_, Value>) {
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
        self.note(broken, || format!("{fact:?}"));
    }

    fn note(&mut self, broken: IdSet, why: impl FnOnce() -> String) {
        if !broken.is_empty() && self.broken.is_none() {
            self.broken = Some((broken, why().chars().take(300).collect()));
        }
    }

    /// Judges the state if a step may have broken it. Judging costs the length of the history, so of steps that only
    /// log and deliver not each is followed by it.
    pub(super) fn judge(&mut self) {
        let longest = self.servers.iter().map(|it| it.issued.len()).max();
        self.unseen += 1;
        if std::mem::take(&mut self.dirty) || self.unseen > longest.unwrap_or(0) / 64 {
            self.judge_now();
        }
    }

    pub(super) fn judge_now(&mut self) {
        self.unseen = 0;
        if !self.judges {
            return;
        }
        let (broken, reached) = self.look(|view| {
            let broken = self
                .invariants
                .iter()
                .filter(|it| it.state.is_some_and(|holds| !holds(view)));
            let broken: IdSet = broken.map(|it| it.number).collect();
            (broken, sometimes::in_state(view))
        });
        self.reached = self.reached.union(reached);
        self.note(broken, || "state".to_owned());
    }

    // ---- starts and ends

    pub(super) fn stopped(&mut self, server: usize) {
        self.servers[server].stop();
        self.dirty = true;
        self.judge();
    }

    pub(super) fn wiped(&mut self, server: usize) {
        let it = &mut self.servers[server];
        *it = History {
            wiped: true,
            ..History::new(it.id)
        };
        let id = it.id;
        self.fact(&Fact::Wiped { server: id });
    }

    /// A start found what was durable and the first `kept` of the writes that were on their way.
    pub(super) fn restarted(
        &mut self,
        server: usize,
        found: &Durable<Value>,
        kept: usize,
        base: Zxid,
    ) {
        let before = self.servers[server].issued.clone();
        for _ in 0..kept {
            self.written(server);
        }
        let it = &mut self.servers[server];
        it.current = found.current;
        it.queue.clear();
        it.durable.retain(|txn| txn.zxid <= found.last());
        it.issued = it.durable.clone();
        it.loaded = it.issued.partition_point(|txn| txn.zxid <= base);
        it.tree = Tree::started(found.last(), it.beyond.clone());
        it.up = true;
        let id = it.id;
        let lost = missing(&before, &it.durable);
        self.fact(&Fact::Removed {
            server: id,
            txns: &lost,
            why: Removal::Crashed,
        });
        self.dirty = true;
        self.judge();
    }

    /// Where the trace begins with a history, and nothing is judged.
    pub(super) fn seed(&mut self, server: usize, found: &Durable<Value>) {
        let it = &mut self.servers[server];
        (it.accepted, it.current) = (found.accepted, found.current);
        it.durable = found.log.iter().map(txn).collect();
    }

    // ---- steps of the core

    /// Before the step: what the disk has completed.
    pub(super) fn persisted(&mut self, server: usize, through: WriteId) {
        while self.servers[server]
            .queue
            .front()
            .is_some_and(|queued| queued.id <= through)
        {
            self.written(server);
        }
    }

    /// After the step. `streamed` is what a snapshot holds that the step installs.
    pub(super) fn stepped(
        &mut self,
        server: usize,
        event: &Event<Digest>,
        effects: &[Effect<Digest>],
        peer: &Peer<Digest>,
        mut streamed: Vec<Txn<Value>>,
    ) {
        let (id, status) = (self.servers[server].id, peer.status());
        self.servers[server].status = Some(status);
        self.electors.see(id, &status);
        if let Event::Proposed { zxid, txn } = event {
            self.created(server, *zxid, *txn, effects);
        }
        for effect in effects {
            match effect {
                Effect::Send { link, message } => self.sent(server, *link, message),
                Effect::Persist { id, write } => {
                    let content = match write {
                        Write::Install { .. } => std::mem::take(&mut streamed),
                        _ => Vec::new(),
                    };
                    self.asked(server, *id, write.clone(), content);
                }
                Effect::Deliver { proposal } => self.deliver(server, proposal),
                Effect::Disconnect { why, .. } => self.disconnected(*why),
                Effect::Report(report) => self.report(server, report),
                Effect::Notify { .. }
                | Effect::Dial { .. }
                | Effect::HangUp
                | Effect::SendSnapshot { .. }
                | Effect::Confirmed { .. }
                | Effect::Request { .. }
                | Effect::Revalidate { .. }
                | Effect::Touch { .. }
                | Effect::Revalidated { .. }
                | Effect::Open { .. }
                | Effect::Synced
                | Effect::Arm { .. }
                | Effect::Disarm { .. } => {}
            }
        }
        if self.dirty {
            let it = &mut self.servers[server];
            it.cache_is_whole = cache_is_whole(peer, &it.issued);
        }
        self.judge();
    }

    /// Something came that must not have changed anything, and did.
    // spec: S24
    pub(super) fn stale(&mut self, server: usize) {
        let server = self.servers[server].id;
        self.fact(&Fact::StaleInput { server });
    }

    pub(super) fn fault(&mut self) {
        self.fact(&Fact::Fault);
    }

    fn created(&mut self, server: usize, zxid: Zxid, value: Digest, effects: &[Effect<Digest>]) {
        let made = effects.iter().any(|effect| {
            matches!(effect, Effect::Persist { write: Write::Append(it), .. } if it.zxid == zxid)
        });
        let epoch = self.servers[server].status.and_then(|status| status.epoch);
        let (true, Some(epoch)) = (made, epoch) else {
            return;
        };
        let delivered = std::mem::take(&mut self.servers[server].delivered);
        self.fact(&Fact::Created {
            server: self.servers[server].id,
            epoch,
            txn: &Txn { zxid, value },
            delivered: &delivered,
        });
        self.servers[server].delivered = delivered;
    }

    fn sent(&mut self, server: usize, link: LinkId, message: &Message<Digest>) {
        let it = &self.servers[server];
        let (id, status) = (it.id, it.status);
        match message {
            Message::Ack { zxid } if zxid.counter() != 0 => self.fact(&Fact::LogAcked {
                server: id,
                zxid: *zxid,
            }),
            // The second ACK of NEWLEADER is a habit of the wire (QP-SYN-18).
            Message::Ack { .. } if it.adopted == Some(link) => {}
            Message::Ack { zxid } => {
                self.servers[server].adopted = Some(link);
                self.fact(&Fact::NewLeaderAcked {
                    server: id,
                    epoch: zxid.epoch(),
                });
            }
            Message::LeaderInfo { epoch } => self.promise(server, id, *epoch),
            Message::AckEpoch { zxid, .. } => {
                if let Some(Status {
                    epoch: Some(epoch),
                    leader: Some(leader),
                    ..
                }) = status
                {
                    self.promise(server, leader, epoch);
                }
                // An empty server that nobody vouches for says so, and has no vote (DF-REC-05).
                if !self.servers[server].wiped && *zxid != Zxid::UNTRUSTED {
                    self.fact(&Fact::Reported {
                        server: id,
                        last: *zxid,
                    });
                }
            }
            _ => {}
        }
    }

    fn promise(&mut self, server: usize, leader: ServerId, epoch: Epoch) {
        let it = &self.servers[server];
        let (id, on_disk) = (it.id, it.accepted);
        self.fact(&Fact::Promised {
            server: id,
            leader,
            epoch,
            on_disk,
        });
    }

    /// What a stream of a server's tree holds.
    pub(super) fn image(&self, server: usize) -> Vec<Txn<Value>> {
        let it = &self.servers[server];
        it.tree.image(&it.issued)
    }

    fn asked(&mut self, server: usize, id: WriteId, write: Write<Value>, content: Vec<Txn<Value>>) {
        let it = &self.servers[server];
        let (name, role) = (it.id, it.status.map(|status| status.role));
        // A restart may also repair the epoch to that of its log (QP-DEF-03), which adopts nothing.
        if let (Write::CurrentEpoch(epoch), Some(RoleKind::Following | RoleKind::Leading)) =
            (&write, role)
        {
            self.fact(&Fact::Adopted {
                server: name,
                epoch: *epoch,
            });
        }
        if let Write::Truncate { after } = write {
            self.fact(&Fact::SyncStarts {
                server: name,
                after,
            });
        }
        self.dirty |= !matches!(write, Write::Append(_));
        let queued = Queued { id, write, content };
        let it = &mut self.servers[server];
        apply(&mut it.issued, &queued);
        match queued.write {
            Write::Install { snapshot } => {
                it.loaded = covered(snapshot, &queued.content).len();
                it.tree.install(snapshot, &queued.content);
            }
            Write::Truncate { after } => it.tree.truncate(after),
            Write::AcceptedEpoch(_) | Write::CurrentEpoch(_) | Write::Append(_) => {}
        }
        it.loaded = it.loaded.min(it.issued.len());
        it.queue.push_back(queued);
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
        let gone = missing(&before, &it.durable);
        self.fact(&Fact::Removed {
            server: id,
            txns: &gone,
            why,
        });
    }

    fn deliver(&mut self, server: usize, proposal: &Proposal<Value>) {
        self.show_loaded(server);
        self.servers[server].tree.deliver(proposal.zxid);
        self.delivered(server, txn(proposal));
    }

    /// What was loaded as a whole is delivered as a whole, once the first delivery or UPTODATE shows it committed.
    fn show_loaded(&mut self, server: usize) {
        loop {
            let it = &self.servers[server];
            if it.delivered.len() >= it.loaded {
                return;
            }
            let Some(next) = it.issued.get(it.delivered.len()).cloned() else {
                return;
            };
            self.delivered(server, next);
        }
    }

    fn delivered(&mut self, server: usize, txn: Txn<Value>) {
        let it = &self.servers[server];
        let leads = it.status.is_some_and(|status| {
            status.role == RoleKind::Leading && status.epoch == Some(txn.zxid.epoch())
        });
        let (id, index) = (it.id, it.delivered.len());
        self.fact(&Fact::Delivered {
            server: id,
            txn: &txn,
            index,
        });
        if leads {
            self.fact(&Fact::Acked { txn: &txn });
        }
        self.servers[server].delivered.push(txn);
    }

    fn disconnected(&mut self, why: Misbehaviour) {
        if why.is_fault() {
            self.fault();
        }
    }

    fn report(&mut self, server: usize, report: &Report) {
        self.dirty = true;
        let it = &self.servers[server];
        // spec: zab-model section 12.
        if self.judges
            && let Some(status) = &it.status
            && !self.electors.allow(it.id, status, report, &self.quorums)
        {
            self.beyond_oracle = Some(it.id);
        }
        match report {
            Report::Established { epoch } => {
                self.show_loaded(server);
                let initial = std::mem::take(&mut self.servers[server].delivered);
                self.fact(&Fact::Established {
                    server: self.servers[server].id,
                    epoch: *epoch,
                    initial: &initial,
                });
                self.servers[server].delivered = initial;
            }
            Report::Opened { .. } => {
                let delivered = std::mem::take(&mut self.servers[server].delivered);
                self.fact(&Fact::Opened {
                    server: self.servers[server].id,
                    delivered: &delivered,
                });
                self.servers[server].delivered = delivered;
            }
            Report::UpToDate { .. } => self.show_loaded(server),
            Report::Looking
            | Report::Electing { .. }
            | Report::Leading
            | Report::Following { .. }
            | Report::Observing { .. }
            | Report::EpochChosen { .. }
            | Report::Synchronising { .. }
            | Report::Joined { .. }
            | Report::MoreRecent { .. }
            | Report::LaterPromise { .. }
            | Report::QuorumLost
            | Report::TooSlow
            | Report::CounterExhausted
            | Report::FirstStart
            | Report::Ignored { .. } => {}
        }
    }
}

/// What the one has and the other, in order of zxids, has not.
fn missing(before: &[Txn<Value>], after: &[Txn<Value>]) -> Vec<Txn<Value>> {
    let gone = before
        .iter()
        .filter(|txn| after.binary_search(txn).is_err());
    gone.cloned().collect()
}

/// Whether what the core keeps in memory is the end of the history.
// spec: S23
fn cache_is_whole(peer: &Peer<Digest>, issued: &[Txn<Value>]) -> bool {
    let (_, log) = peer.log();
    let start = issued.len().checked_sub(log.len());
    start.is_some_and(|start| {
        log.zip(&issued[start..])
            .all(|(kept, txn)| kept.zxid == txn.zxid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge() -> (Judge, Peer<Digest>) {
        let ids = [1, 2, 3].map(ServerId);
        let config = Config::new(ids[0], ids);
        let mut judge = Judge::new(&config, ids.into_iter(), true);
        for server in 0..3 {
            judge.restarted(server, &Durable::empty(), 0, Zxid::ZERO);
        }
        (judge, Peer::restore(config, Durable::empty()).unwrap())
    }

    fn proposal() -> Proposal<Digest> {
        Proposal {
            zxid: Zxid::new(Epoch(1), 1),
            txn: Digest::of(b"a"),
        }
    }

    // spec: S22
    #[test]
    fn a_delivery_that_no_quorum_holds_is_broken() {
        let (mut judge, peer) = judge();
        let proposal = proposal();
        let append = Effect::Persist {
            id: WriteId(0),
            write: Write::Append(proposal.clone()),
        };
        judge.stepped(0, &Event::Started, &[append], &peer, Vec::new());
        judge.persisted(0, WriteId(0));
        assert_eq!(judge.take_broken(), None);
        let deliver = Effect::Deliver { proposal };
        judge.stepped(0, &Event::Started, &[deliver], &peer, Vec::new());
        let broken = judge.take_broken().unwrap();
        assert!(broken.contains("S22"), "{broken}");
    }

    // spec: S20
    #[test]
    fn an_ack_before_the_disk_is_broken() {
        let (mut judge, peer) = judge();
        let append = Effect::Persist {
            id: WriteId(0),
            write: Write::Append(proposal()),
        };
        let ack = Effect::Send {
            link: LinkId(1),
            message: Message::Ack {
                zxid: proposal().zxid,
            },
        };
        judge.stepped(1, &Event::Started, &[append, ack], &peer, Vec::new());
        assert!(judge.take_broken().unwrap().contains("S20"));
    }

    // spec: S25
    #[test]
    fn a_core_that_accuses_a_correct_peer_is_broken() {
        let (mut judge, peer) = judge();
        let disconnect = Effect::Disconnect {
            link: LinkId(1),
            why: Misbehaviour::ZxidGap,
        };
        judge.stepped(1, &Event::Started, &[disconnect], &peer, Vec::new());
        assert!(judge.take_broken().unwrap().contains("S25"));
    }
}
