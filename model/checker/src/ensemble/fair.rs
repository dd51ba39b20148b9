//! Fair schedules without faults: where does a state lead when nothing more goes wrong? (zab-model section 9)

use zab::{Policy, RoleKind, Timer};

use super::act::Step;
use super::state::{Action, State};
use super::subject::Ensemble;
use crate::run::Subject;

/// Rounds of a fair schedule: in each, everything that is enabled at its beginning is done if it still can be.
const ROUNDS: usize = 12;

impl<P: Policy + Send + Sync + 'static> Ensemble<P> {
    /// G2: lets all notifications arrive, all votes settle, and those give up who wait for a leader that does not lead.
    pub(super) fn fair_votes(&self, state: &State<P>) -> State<P> {
        let mut now = state.clone();
        for _ in 0..ROUNDS {
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
        self.expire_all(state, Timer::Notify, |_, _| true)
    }

    /// Discovery has a time limit: whoever dials a server that does not lead looks again.
    fn give_up(&self, state: &State<P>) -> State<P> {
        self.expire_all(state, Timer::Init, |state, server| {
            let leader = state.servers[server]
                .dialling
                .and_then(|leader| state.servers[leader].peer.as_ref());
            leader.is_some_and(|peer| peer.status().role != RoleKind::Leading)
        })
    }

    fn expire_all(
        &self,
        state: &State<P>,
        timer: Timer,
        wanted: fn(&State<P>, usize) -> bool,
    ) -> State<P> {
        let mut now = state.clone();
        for server in 0..now.servers.len() {
            if now.servers[server].timers.contains(&timer) && wanted(&now, server) {
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
