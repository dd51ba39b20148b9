//! A host that does what a test says.

use zab::{
    Config, Durable, Effect, Effects, Epoch, Event, LinkId, Message, Misbehaviour, Notification,
    Peer, Proposal, Report, ServerId, ServerState, Timer, Vote, Write, WriteId, Zxid,
};

pub(crate) const L1: LinkId = LinkId(1);
pub(crate) const L2: LinkId = LinkId(2);
pub(crate) const L4: LinkId = LinkId(4);

pub(crate) struct Host {
    pub(crate) peer: Peer<u8>,
    written: Option<WriteId>,
}

/// What one event, or several, made the core do.
pub(crate) struct Done(pub(crate) Vec<Effect<u8>>);

pub(crate) fn id(number: i64) -> ServerId {
    ServerId(number)
}

pub(crate) fn zxid(epoch: i64, counter: u32) -> Zxid {
    Zxid::new(Epoch(epoch), counter)
}

pub(crate) fn txn(epoch: i64, counter: u32) -> Proposal<u8> {
    Proposal {
        zxid: zxid(epoch, counter),
        txn: u8::try_from(counter % 256).expect("small"),
    }
}

pub(crate) fn proposal(epoch: i64, counter: u32) -> Message<u8> {
    Message::Proposal(txn(epoch, counter))
}

pub(crate) fn commit(epoch: i64, counter: u32) -> Message<u8> {
    Message::Commit {
        zxid: zxid(epoch, counter),
    }
}

pub(crate) fn ack(epoch: i64, counter: u32) -> Message<u8> {
    Message::Ack {
        zxid: zxid(epoch, counter),
    }
}

/// A directory with these epochs and txns 1 to `count` of epoch 1.
pub(crate) fn directory(accepted: i64, current: i64, count: u32) -> Durable<u8> {
    let log = (1..=count).map(|counter| txn(1, counter)).collect();
    Durable {
        accepted: Epoch(accepted),
        current: Epoch(current),
        log,
        ..Durable::empty()
    }
}

pub(crate) fn three(own: i64) -> Config {
    Config::new(id(own), [1, 2, 3].map(ServerId))
}

impl Host {
    pub(crate) fn start(config: Config, durable: Durable<u8>) -> (Self, Done) {
        let peer = Peer::restore(config, durable).expect("a directory that can be");
        let mut host = Self {
            peer,
            written: None,
        };
        let done = host.feed(Event::Started);
        (host, done)
    }

    /// Looking, its election up to the test's oracle.
    pub(crate) fn ready(own: i64, durable: Durable<u8>) -> Self {
        Self::with(
            Config {
                oracle: true,
                ..three(own)
            },
            durable,
        )
    }

    pub(crate) fn with(config: Config, durable: Durable<u8>) -> Self {
        let (mut host, _) = Self::start(
            Config {
                oracle: true,
                ..config
            },
            durable,
        );
        host.sync();
        host
    }

    /// Server 3, established in epoch `current + 1` with server 1 on `L1`.
    pub(crate) fn leader(durable: Durable<u8>) -> Self {
        let mut host = Self::ready(3, durable);
        host.establish();
        host
    }

    pub(crate) fn establish(&mut self) -> Done {
        self.elect(3);
        self.connect(L1, 1, Epoch::ZERO);
        self.sync();
        let status = self.peer.status();
        let reply = Message::AckEpoch {
            zxid: Zxid::ZERO,
            current: Some(Epoch::ZERO),
        };
        let mut done = self.receive(L1, reply);
        done.0.extend(self.sync().0);
        let epoch = status.epoch.expect("a chosen epoch");
        done.0.extend(
            self.receive(
                L1,
                Message::Ack {
                    zxid: epoch.start(),
                },
            )
            .0,
        );
        done
    }

    /// Server 1, up to date with leader 3 in epoch 2 on `L1`.
    pub(crate) fn follower(durable: Durable<u8>) -> Self {
        let mut host = Self::ready(1, durable);
        host.follow();
        host.receive(L1, Message::Diff { zxid: Zxid::ZERO });
        host.receive(L1, new_leader(2));
        host.sync();
        host.receive(L1, Message::UpToDate);
        host
    }

    /// Follows 3 on `L1` and has promised epoch 2.
    pub(crate) fn follow(&mut self) -> Done {
        self.elect(3);
        self.feed(Event::Connected {
            link: L1,
            peer: id(3),
        });
        self.receive(L1, Message::LeaderInfo { epoch: Epoch(2) });
        self.sync()
    }

    pub(crate) fn elect(&mut self, leader: i64) -> Done {
        let mut effects = Effects::new();
        self.peer
            .elect(id(leader), &mut effects)
            .expect("no invariant broken");
        self.note(effects)
    }

    pub(crate) fn feed(&mut self, event: Event<u8>) -> Done {
        let mut effects = Effects::new();
        self.peer
            .handle(event, &mut effects)
            .expect("no invariant broken");
        self.note(effects)
    }

    fn note(&mut self, mut effects: Effects<u8>) -> Done {
        let done: Vec<_> = effects.drain().collect();
        for effect in &done {
            if let Effect::Persist { id, .. } = effect {
                self.written = Some(*id);
            }
        }
        Done(done)
    }

    pub(crate) fn receive(&mut self, link: LinkId, message: Message<u8>) -> Done {
        self.feed(Event::Received { link, message })
    }

    /// A follower connects and says what it accepted.
    pub(crate) fn connect(&mut self, link: LinkId, from: i64, accepted: Epoch) -> Done {
        self.feed(Event::Connected {
            link,
            peer: id(from),
        });
        self.receive(
            link,
            Message::FollowerInfo {
                accepted,
                id: id(from),
                config: 0,
            },
        )
    }

    /// An observer connects and says what it accepted.
    pub(crate) fn observe(&mut self, link: LinkId, from: i64, accepted: Epoch) -> Done {
        self.feed(Event::Connected {
            link,
            peer: id(from),
        });
        self.receive(
            link,
            Message::ObserverInfo {
                accepted,
                id: id(from),
                config: 0,
            },
        )
    }

    /// Brings a follower of the established leader up to date.
    pub(crate) fn join(&mut self, link: LinkId, from: i64, last: Zxid) -> Done {
        self.connect(link, from, Epoch::ZERO);
        let mut done = self.receive(
            link,
            Message::AckEpoch {
                zxid: last,
                current: None,
            },
        );
        let epoch = self.peer.status().epoch.expect("an epoch");
        done.0.extend(
            self.receive(
                link,
                Message::Ack {
                    zxid: epoch.start(),
                },
            )
            .0,
        );
        done
    }

    /// Everything written so far is durable.
    pub(crate) fn sync(&mut self) -> Done {
        let mut done = Vec::new();
        while let Some(through) = self.written.take() {
            done.extend(self.feed(Event::Persisted { through }).0);
        }
        Done(done)
    }

    pub(crate) fn expire(&mut self, timer: Timer) -> Done {
        self.feed(Event::Expired { timer })
    }

    pub(crate) fn propose(&mut self) -> Done {
        let zxid = self.peer.next_zxid().expect("leads");
        self.feed(Event::Proposed { zxid, txn: 0 })
    }

    /// A notification: state, round, and the vote as leader, epoch, zxid.
    pub(crate) fn hear(
        &mut self,
        from: i64,
        state: ServerState,
        round: i64,
        vote: (i64, i64, Zxid),
    ) -> Done {
        let (leader, epoch, zxid) = vote;
        let vote = Vote {
            epoch: Epoch(epoch),
            zxid,
            leader: id(leader),
        };
        let notification = Notification {
            state,
            vote,
            round: zab::Round(round),
            version: 2,
            config: 0,
        };
        self.feed(Event::Notified {
            from: id(from),
            notification,
        })
    }
}

pub(crate) fn new_leader(epoch: i64) -> Message<u8> {
    Message::NewLeader {
        epoch: Epoch(epoch),
        config: 0,
    }
}

impl Done {
    /// What was sent on a link.
    pub(crate) fn sent(&self, on: LinkId) -> Vec<Message<u8>> {
        let sent = self.0.iter().filter_map(|effect| match effect {
            Effect::Send { link, message } if *link == on => Some(message.clone()),
            _ => None,
        });
        sent.collect()
    }

    pub(crate) fn notified(&self) -> Vec<(i64, Notification)> {
        let sent = self.0.iter().filter_map(|effect| match effect {
            Effect::Notify { to, notification } => Some((to.0, *notification)),
            _ => None,
        });
        sent.collect()
    }

    /// The leaders voted for in what was notified.
    pub(crate) fn votes(&self) -> Vec<(i64, i64)> {
        self.notified()
            .iter()
            .map(|(to, n)| (*to, n.vote.leader.0))
            .collect()
    }

    pub(crate) fn closed(&self) -> Vec<(LinkId, Misbehaviour)> {
        let closed = self.0.iter().filter_map(|effect| match effect {
            Effect::Disconnect { link, why } => Some((*link, *why)),
            _ => None,
        });
        closed.collect()
    }

    pub(crate) fn writes(&self) -> Vec<Write<u8>> {
        let writes = self.0.iter().filter_map(|effect| match effect {
            Effect::Persist { write, .. } => Some(write.clone()),
            _ => None,
        });
        writes.collect()
    }

    pub(crate) fn delivered(&self) -> Vec<Zxid> {
        let delivered = self.0.iter().filter_map(|effect| match effect {
            Effect::Deliver { proposal } => Some(proposal.zxid),
            _ => None,
        });
        delivered.collect()
    }

    pub(crate) fn reports(&self, report: Report) -> bool {
        self.0.contains(&Effect::Report(report))
    }

    pub(crate) fn armed(&self, wanted: Timer) -> bool {
        self.0
            .iter()
            .any(|effect| matches!(effect, Effect::Arm { timer, .. } if *timer == wanted))
    }

    /// Whether it went back to looking.
    pub(crate) fn looks(&self) -> bool {
        self.reports(Report::Looking)
    }
}
