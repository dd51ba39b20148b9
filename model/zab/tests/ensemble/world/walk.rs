//! Random schedules: anything that may happen next does, faults included; then
//! the faults stop and the ensemble must agree and go on.

use zab::{Event, LinkId, ServerId, Timer};

use super::World;

#[derive(Clone, Copy, Debug)]
enum Action {
    Notify(usize),
    Deliver(LinkId, ServerId),
    Notice(LinkId),
    Dial(ServerId),
    Refuse(ServerId),
    Sync(ServerId),
    Fire(ServerId, Timer),
    Propose(ServerId),
    Lose(LinkId, ServerId),
    Crash(ServerId, usize),
    Start(ServerId),
    Wipe(ServerId),
}

impl World {
    /// Takes one choice for each number; one in sixteen is a fault.
    pub(crate) fn walk(&mut self, choices: &[u16]) {
        for choice in choices {
            let fault = choice % 16 == 0;
            let actions = if fault {
                self.faults()
            } else {
                self.ordinary()
            };
            if actions.is_empty() {
                continue;
            }
            self.act(actions[usize::from(choice / 16) % actions.len()]);
            self.check();
        }
    }

    /// Stops all faults, restarts everybody, and waits for agreement.
    pub(crate) fn heal(&mut self) {
        let ids: Vec<_> = self.nodes.keys().copied().collect();
        for id in &ids {
            if !self.is_up(*id) {
                self.start(*id);
            }
        }
        for round in 0..60 {
            self.run();
            self.check();
            let leader = ids.iter().find(|id| self.serves(**id)).copied();
            if let Some(leader) = leader
                && self.nodes.values().all(|node| node.is_serving())
            {
                self.propose(leader, &format!("healed{round}"));
                self.run();
                let trees: Vec<_> = self.nodes.values().map(|node| &node.tree).collect();
                assert!(
                    trees.windows(2).all(|pair| pair[0] == pair[1]),
                    "trees differ: {trees:?}"
                );
                return;
            }
            self.next_timer(round);
        }
        panic!(
            "does not heal: {:#?}",
            self.nodes
                .values()
                .map(|n| n.peer.as_ref().map(|p| p.status()))
                .collect::<Vec<_>>()
        );
    }

    /// Fires what would fire next: final waits, then notifications, and only
    /// when those lead nowhere what means that something took too long.
    fn next_timer(&mut self, round: usize) {
        let armed = |world: &Self, timer| -> Vec<ServerId> {
            world
                .nodes
                .keys()
                .filter(|id| world.is_armed(**id, timer))
                .copied()
                .collect()
        };
        let late = round % 8 == 7;
        let order: &[Timer] = if late {
            &[Timer::Init, Timer::Leader]
        } else {
            &[Timer::Finalize, Timer::Notify]
        };
        for timer in order {
            let ids = armed(self, *timer);
            for id in &ids {
                if self.is_armed(*id, *timer) {
                    self.fire(*id, *timer);
                }
            }
            if !ids.is_empty() {
                return;
            }
        }
        let stuck: Vec<_> = self
            .nodes
            .iter()
            .filter(|(_, n)| n.dialling.is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in stuck {
            self.refuse(id);
        }
    }

    fn refuse(&mut self, id: ServerId) {
        if let Some(leader) = self.node(id).dialling.take() {
            self.feed(id, Event::Unreachable { leader });
        }
    }

    fn ordinary(&self) -> Vec<Action> {
        let mut actions: Vec<_> = (0..self.notes.len()).map(Action::Notify).collect();
        for (link, entry) in &self.links {
            if entry.leader_open && !entry.to_leader.is_empty() {
                actions.push(Action::Deliver(*link, entry.leader));
            }
            if entry.learner_open && !entry.to_learner.is_empty() {
                actions.push(Action::Deliver(*link, entry.learner));
            }
            if entry.learner_open != entry.leader_open {
                actions.push(Action::Notice(*link));
            }
        }
        for (id, node) in &self.nodes {
            if !node.writes.is_empty() {
                actions.push(Action::Sync(*id));
            }
            if let Some(leader) = node.dialling {
                let leads = self.is_up(leader) && self.is_leading(leader);
                actions.push(if leads {
                    Action::Dial(*id)
                } else {
                    Action::Refuse(*id)
                });
            }
            if self.is_armed(*id, Timer::Finalize) {
                actions.push(Action::Fire(*id, Timer::Finalize));
            }
            if self.serves(*id) && node.tree.len() < 8 {
                actions.push(Action::Propose(*id));
            }
            if node.peer.is_none() {
                actions.push(Action::Start(*id));
            }
        }
        if actions.is_empty() {
            let waiting = self
                .nodes
                .keys()
                .filter(|id| self.is_armed(**id, Timer::Notify));
            actions.extend(waiting.map(|id| Action::Fire(*id, Timer::Notify)));
        }
        actions
    }

    fn faults(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for (id, node) in &self.nodes {
            if node.peer.is_some() {
                actions.extend((0..=node.writes.len()).map(|kept| Action::Crash(*id, kept)));
            }
            let slow = [Timer::Init, Timer::Leader, Timer::Ping];
            actions.extend(
                slow.into_iter()
                    .filter(|t| self.is_armed(*id, *t))
                    .map(|t| Action::Fire(*id, t)),
            );
        }
        // One at a time: what a majority of directories holds must survive.
        if self.nodes.values().all(|node| node.disk.durable.trusted) {
            let down = self.nodes.iter().filter(|(_, node)| node.peer.is_none());
            actions.extend(down.map(|(id, _)| Action::Wipe(*id)));
        }
        for (link, entry) in &self.links {
            actions.push(Action::Lose(*link, entry.learner));
            actions.push(Action::Lose(*link, entry.leader));
        }
        actions
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Notify(at) => {
                if let Some((from, to, notification)) = self.notes.remove(at) {
                    self.feed(to, Event::Notified { from, notification });
                }
            }
            Action::Deliver(link, to) => {
                self.deliver_on(link, to);
            }
            Action::Notice(link) => self.break_link(link),
            Action::Dial(id) => {
                self.dial(id);
            }
            Action::Refuse(id) => self.refuse(id),
            Action::Sync(id) => self.sync(id),
            Action::Fire(id, timer) => self.fire(id, timer),
            Action::Propose(id) => {
                let text = format!(
                    "t{}",
                    self.next_link * 100 + self.nodes[&id].tree.len() as u64
                );
                self.propose(id, &text);
            }
            Action::Lose(link, id) => {
                let open = self.links.get(&link).is_some_and(|entry| {
                    if entry.learner == id {
                        entry.learner_open
                    } else {
                        entry.leader_open
                    }
                });
                if open {
                    self.close(id, link);
                    self.feed(id, Event::Disconnected { link });
                }
            }
            Action::Crash(id, kept) => {
                self.write_some(id, kept);
                self.crash(id);
            }
            Action::Start(id) => self.start(id),
            Action::Wipe(id) => self.wipe(id),
        }
    }

    /// What no schedule may break.
    fn check(&self) {
        let trees: Vec<_> = self
            .nodes
            .iter()
            .filter(|(_, n)| n.is_serving())
            .map(|(id, n)| (id, &n.tree))
            .collect();
        for (a, left) in &trees {
            for (b, right) in &trees {
                let common = left.len().min(right.len());
                assert_eq!(left[..common], right[..common], "the trees of {a} and {b}");
            }
        }
    }
}
