//! Whether elections by votes are elections that the oracle of G0 and G1 may hold (zab-model sections 6 and 12.4): what
//! is checked exhaustively below an oracle says something about real elections only if the oracle allows them all.

use alloc::collections::BTreeMap;

use zab::{Quorums, Report, Round, ServerId, ServerSet, Status};

/// Which servers were electing in which round, as their states show. Rounds begin anew when all servers do, so an old
/// round of the same number may add to what is seen.
#[derive(Clone, Debug, Default)]
pub struct Electors {
    rounds: BTreeMap<Round, ServerSet>,
}

impl Electors {
    /// A server's state after a step.
    pub fn see(&mut self, server: ServerId, status: &Status) {
        if status.electing && !status.abstains {
            self.rounds.entry(status.round).or_default().insert(server);
        }
    }

    /// Whether what a server reports is something that the oracle may bring about. It elects a server that gives votes,
    /// with a quorum of such servers, all of them electing; who finds them later joins.
    pub fn allow(
        &self,
        server: ServerId,
        status: &Status,
        report: &Report,
        quorums: &Quorums,
    ) -> bool {
        if !matches!(report, Report::Leading) {
            return true;
        }
        let mut electors = self.rounds.get(&status.round).copied().unwrap_or_default();
        electors.insert(server);
        !status.abstains && quorums.is_quorum(&electors)
    }
}

#[cfg(test)]
mod tests {
    use zab::{Config, Durable, Effects, Event, Peer};

    use super::*;

    fn electing(id: ServerId, durable: Durable<u8>) -> Status {
        let config = Config::new(id, [1, 2, 3].map(ServerId));
        let mut peer: Peer<u8> = Peer::restore(config, durable).unwrap();
        peer.handle(Event::Started, &mut Effects::new()).unwrap();
        peer.status()
    }

    fn allows(electors: &Electors, leader: &Status) -> bool {
        let quorums = Config::new(ServerId(1), [1, 2, 3].map(ServerId)).quorums;
        electors.allow(ServerId(1), leader, &Report::Leading, &quorums)
    }

    // spec: zab-model section 12
    #[test]
    fn a_leader_needs_a_quorum_that_was_electing_in_its_round() {
        let leader = electing(ServerId(1), Durable::empty());
        let mut electors = Electors::default();
        assert!(!allows(&electors, &leader));
        electors.see(ServerId(2), &electing(ServerId(2), Durable::wiped()));
        assert!(!allows(&electors, &leader), "an abstainer does not count");
        let mut late = electing(ServerId(2), Durable::empty());
        late.round = late.round.next();
        electors.see(ServerId(2), &late);
        assert!(!allows(&electors, &leader), "another round does not count");
        electors.see(ServerId(2), &electing(ServerId(2), Durable::empty()));
        assert!(allows(&electors, &leader));
        let wiped = electing(ServerId(1), Durable::wiped());
        assert!(!allows(&electors, &wiped), "an abstainer cannot lead");
    }
}
