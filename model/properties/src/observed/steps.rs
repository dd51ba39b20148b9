//! What a step of a core shows: its event, its effects in their order, and the state after it.

use alloc::vec::Vec;

use zab::{
    Effect, Epoch, Event, LinkId, Message, Payload, Peer, Proposal, Report, RoleKind, ServerId,
    Status, Write, Zxid,
};

use super::{History, Observed, Queued, apply};
use crate::tree::covered;
use crate::{Fact, Txn, Value};

impl<V: Value> Observed<V> {
    /// A step: its event, before its effects. `value` makes a payload comparable.
    pub fn stepped<T: Payload>(
        &mut self,
        server: usize,
        event: &Event<T>,
        effects: &[Effect<T>],
        peer: &Peer<T>,
        value: impl Fn(&T) -> V,
    ) {
        let (id, status) = (self.servers[server].id, peer.status());
        self.servers[server].status = Some(status);
        self.electors.see(id, &status);
        if let Event::Proposed { zxid, txn } = event {
            self.created(server, *zxid, value(txn), effects);
        }
    }

    /// One of its effects, in their order. `streamed`: what a snapshot holds that the step installs.
    pub fn effect<T: Payload>(
        &mut self,
        server: usize,
        effect: &Effect<T>,
        value: impl Fn(&T) -> V,
        streamed: impl FnOnce(&History<V>) -> Vec<Txn<V>>,
    ) {
        match effect {
            Effect::Send { link, message } => self.sent(server, *link, message),
            Effect::Persist { id, write } => {
                let content = match write {
                    Write::Install { .. } => streamed(&self.servers[server]),
                    Write::AcceptedEpoch(_)
                    | Write::CurrentEpoch(_)
                    | Write::Append(_)
                    | Write::Truncate { .. } => Vec::new(),
                };
                let write = compared(write, value);
                self.asked(
                    server,
                    Queued {
                        id: *id,
                        write,
                        content,
                    },
                );
            }
            Effect::Deliver { proposal } => {
                self.show_loaded(server);
                self.servers[server].tree.deliver(proposal.zxid);
                let txn = Txn {
                    zxid: proposal.zxid,
                    value: value(&proposal.txn),
                };
                self.delivered(server, txn);
            }
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
            | Effect::Disconnect { .. }
            | Effect::Arm { .. }
            | Effect::Disarm { .. } => {}
        }
    }

    /// The step's end.
    pub fn ended<T: Payload>(&mut self, server: usize, peer: &Peer<T>) {
        if self.dirty {
            let it = &mut self.servers[server];
            it.cache_is_whole = cache_is_whole(peer, &it.issued);
        }
    }

    /// Something came that must not have changed anything, and did.
    // spec: S24
    pub fn stale(&mut self, server: usize) {
        let server = self.servers[server].id;
        self.fact(&Fact::StaleInput { server });
    }

    // spec: S25
    pub fn fault(&mut self) {
        self.fact(&Fact::Fault);
    }

    fn created<T>(&mut self, server: usize, zxid: Zxid, value: V, effects: &[Effect<T>]) {
        let made = effects.iter().any(|effect| {
            matches!(effect, Effect::Persist { write: Write::Append(it), .. } if it.zxid == zxid)
        });
        let epoch = self.servers[server].status.and_then(|status| status.epoch);
        let (true, Some(epoch)) = (made, epoch) else {
            return;
        };
        let delivered = core::mem::take(&mut self.servers[server].delivered);
        self.fact(&Fact::Created {
            server: self.servers[server].id,
            epoch,
            txn: &Txn { zxid, value },
            delivered: &delivered,
        });
        self.servers[server].delivered = delivered;
    }

    fn sent<T>(&mut self, server: usize, link: LinkId, message: &Message<T>) {
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

    fn asked(&mut self, server: usize, queued: Queued<V>) {
        let it = &self.servers[server];
        let (id, role) = (it.id, it.status.map(|status| status.role));
        // A restart may also repair the epoch to that of its log (QP-DEF-03), which adopts nothing.
        if let (Write::CurrentEpoch(epoch), Some(RoleKind::Following | RoleKind::Leading)) =
            (&queued.write, role)
        {
            self.fact(&Fact::Adopted {
                server: id,
                epoch: *epoch,
            });
        }
        if let Write::Truncate { after } = queued.write {
            self.fact(&Fact::SyncStarts { server: id, after });
        }
        self.dirty |= !matches!(queued.write, Write::Append(_));
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

    fn delivered(&mut self, server: usize, txn: Txn<V>) {
        let it = &self.servers[server];
        // The leader answers the client whose txn it was.
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

    fn report(&mut self, server: usize, report: &Report) {
        self.dirty = true;
        match report {
            Report::Established { .. } | Report::Opened { .. } => {
                self.show_loaded(server);
                let id = self.servers[server].id;
                let delivered = core::mem::take(&mut self.servers[server].delivered);
                self.fact(&match report {
                    Report::Established { epoch } => Fact::Established {
                        server: id,
                        epoch: *epoch,
                        initial: &delivered,
                    },
                    _ => Fact::Opened {
                        server: id,
                        delivered: &delivered,
                    },
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

/// The write, its payload made comparable.
fn compared<T, V>(write: &Write<T>, value: impl Fn(&T) -> V) -> Write<V> {
    match write {
        Write::AcceptedEpoch(epoch) => Write::AcceptedEpoch(*epoch),
        Write::CurrentEpoch(epoch) => Write::CurrentEpoch(*epoch),
        Write::Append(proposal) => Write::Append(Proposal {
            zxid: proposal.zxid,
            txn: value(&proposal.txn),
        }),
        Write::Truncate { after } => Write::Truncate { after: *after },
        Write::Install { snapshot } => Write::Install {
            snapshot: *snapshot,
        },
    }
}

/// Whether what the core keeps in memory is the end of the history.
// spec: S23
fn cache_is_whole<T: Payload, V>(peer: &Peer<T>, issued: &[Txn<V>]) -> bool {
    let (_, log) = peer.log();
    let start = issued.len().checked_sub(log.len());
    start.is_some_and(|start| {
        log.zip(&issued[start..])
            .all(|(kept, txn)| kept.zxid == txn.zxid)
    })
}
