//! Fair schedules without faults: where does a state lead when nothing more goes wrong? (zab-model section 9)

use zab::{Policy, Timer};

use super::act::Step;
use super::state::{Action, State};
use super::subject::Ensemble;
use crate::run::Subject;

/// Rounds of a fair schedule: in each, whatever is on its way arrives, and then one election ends or all patience does.
///
/// Each server ends the election that it is in, one a round; then patience ends, and who led or followed in vain looks
/// again and hears a quorum that has settled, or ends one more election that begins with what it had heard before.
fn rounds(servers: usize) -> usize {
    2 * (servers + 1)
}

impl<P: Policy + Send + Sync + 'static> Ensemble<P> {
    /// G2: lets all notifications arrive, all votes settle, and those give up who wait for a leader that does not lead.
    pub(super) fn fair_votes(&self, state: &State<P>) -> State<P> {
        let mut now = state.clone();
        for _ in 0..rounds(state.servers.len()) {
            while let Some(next) = self.first_of(&now, is_message) {
                now = next;
            }
            match self.first_of(&now, is_finalize) {
                Some(next) => now = next,
                None => now = self.give_up(&self.repeat_votes(&now)),
            }
        }
        now
    }

    /// Takes the first enabled action of a kind.
    fn first_of(&self, state: &State<P>, wanted: fn(&Action) -> bool) -> Option<State<P>> {
        let mut actions = Vec::new();
        self.enabled(state, &mut actions);
        actions
            .into_iter()
            .find(wanted)
            .map(|action| Step::make(self, state, &action))
    }

    fn repeat_votes(&self, state: &State<P>) -> State<P> {
        self.expire_all(state, Timer::Notify)
    }

    /// Discovery has a time limit: who leads without a quorum looks again, and so does whoever dials it or a server that
    /// does not lead. Those whom a leader could take on have been taken on by now.
    // spec: QP-DEF-33. A leader whose voters changed their minds knows by its patience alone.
    fn give_up(&self, state: &State<P>) -> State<P> {
        self.expire_all(state, Timer::Init)
    }

    fn expire_all(&self, state: &State<P>, timer: Timer) -> State<P> {
        let mut now = state.clone();
        for server in 0..now.servers.len() {
            if now.servers[server].timers.contains(&timer) {
                now = Step::make(
                    self,
                    &now,
                    &Action::Expire {
                        server: server as u8,
                        timer,
                    },
                );
            }
        }
        now
    }
}

fn is_finalize(action: &Action) -> bool {
    matches!(
        action,
        Action::Expire {
            timer: Timer::Finalize,
            ..
        }
    )
}

fn is_message(action: &Action) -> bool {
    matches!(
        action,
        Action::Notice { .. } | Action::Establish { .. } | Action::Restart { .. }
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use zab::{Peer, Production, RoleKind};

    use crate::counterexample::Counterexample;
    use crate::ensemble::Ensemble;

    // spec: F6, QP-DEF-33. One of five has a quorum of followers; another has won the same election by the votes of some
    // of them, and a last one follows it. Neither hears anything more: both end with the leader that serves.
    #[test]
    fn a_second_leader_and_its_follower_end_with_the_first() {
        let stored = include_str!("../../tests/paths/two_leaders_of_five.json");
        let stored: Counterexample = serde_json::from_str(stored).unwrap();
        let ensemble = Ensemble::new(stored.setup.clone(), Production);
        let replay = stored.replay(&ensemble).unwrap();
        let state = replay.states.last().unwrap();
        let servers = state.servers.iter();
        let peers = servers.filter_map(|it| it.peer.as_ref().map(Peer::status));
        assert_eq!(peers.filter(|it| it.role == RoleKind::Leading).count(), 2);
        assert!(ensemble.joiners_end(state));
    }
}
