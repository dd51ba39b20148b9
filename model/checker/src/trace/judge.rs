//! What the steps of all servers show (`zab_properties::observed`), judged as they come.

use zab::trace::Digest;
use zab::{Config, Durable, Effect, Event, Peer, ServerId, WriteId, Zxid};
use zab_properties::observed::{Found, Observed};
use zab_properties::{IdSet, Txn};

use super::history::{Value, txn};

pub(super) struct Judge {
    pub(super) observed: Observed<Value>,
    /// An election that the oracle would not hold.
    pub(super) beyond_oracle: Option<ServerId>,
    /// Steps since the last look at the state.
    unseen: usize,
}

impl Judge {
    /// `judges`: else histories are kept, and nothing is judged.
    pub(super) fn new(
        config: &Config,
        servers: impl Iterator<Item = ServerId>,
        judges: bool,
    ) -> Self {
        // An ensemble of one promises nothing to others (DF-EPO-06).
        let judges = judges && !config.standalone;
        Self {
            observed: Observed::new(config.quorums.clone(), servers, judges),
            beyond_oracle: None,
            unseen: 0,
        }
    }

    /// The properties that were broken first since the last question.
    pub(super) fn take_broken(&mut self) -> Option<String> {
        let (broken, why) = self.observed.take_broken().into_iter().next()?;
        let names = self
            .observed
            .named(broken)
            .map(|it| format!("{} {}: {}", it.id, it.name, it.statement));
        let why: String = why.chars().take(300).collect();
        Some(format!("{} [{why}]", names.collect::<Vec<_>>().join("; ")))
    }

    pub(super) fn decided(&self) -> usize {
        self.observed.ghosts.decided.len()
    }

    pub(super) fn proposed(&self) -> usize {
        let primaries = self.observed.ghosts.primaries.iter();
        primaries.map(|it| it.txns.len()).sum()
    }

    pub(super) fn established(&self) -> usize {
        self.observed.ghosts.established.len()
    }

    /// Judges the state if a step may have broken it. Judging costs the length of the history, so of steps that only
    /// log and deliver not each is followed by it.
    fn judge(&mut self) {
        let longest = self.observed.servers.iter().map(|it| it.issued.len()).max();
        self.unseen += 1;
        if self.observed.take_dirty() || self.unseen > longest.unwrap_or(0) / 64 {
            self.judge_now();
        }
    }

    pub(super) fn judge_now(&mut self) {
        self.unseen = 0;
        self.observed.judge(IdSet::default());
    }

    pub(super) fn stopped(&mut self, server: usize) {
        self.observed.stopped(server);
        self.judge();
    }

    /// A start found what was durable and the first `kept` of the writes that were on their way.
    pub(super) fn restarted(
        &mut self,
        server: usize,
        found: &Durable<Value>,
        kept: usize,
        base: Zxid,
    ) {
        let found = Found {
            current: found.current,
            last: found.last(),
            base,
        };
        self.observed.restarted(server, kept, found);
        self.judge();
    }

    /// Where the trace begins with a history, and nothing is judged.
    pub(super) fn seed(&mut self, server: usize, found: &Durable<Value>) {
        let it = &mut self.observed.servers[server];
        (it.accepted, it.current) = (found.accepted, found.current);
        it.durable = found.log.iter().map(txn).collect();
    }

    /// Before the step: what the disk has completed.
    pub(super) fn persisted(&mut self, server: usize, through: WriteId) {
        self.observed.persisted(server, through);
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
        let observed = &mut self.observed;
        observed.stepped(server, event, effects, peer, |txn| *txn);
        for effect in effects {
            match effect {
                // spec: zab-model section 12.
                Effect::Report(report) if !observed.oracle_allows(server, report) => {
                    self.beyond_oracle = Some(observed.servers[server].id);
                }
                Effect::Disconnect { why, .. } if why.is_fault() => observed.fault(),
                _ => {}
            }
            let content = |_: &_| std::mem::take(&mut streamed);
            observed.effect(server, effect, |txn| *txn, content);
        }
        observed.ended(server, peer);
        self.judge();
    }
}

#[cfg(test)]
mod tests {
    use zab::{Epoch, LinkId, Message, Misbehaviour, Proposal, Write};

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
