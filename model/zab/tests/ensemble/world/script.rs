//! Runs the `>` lines of a transcript and writes what happened below each.
//!
//! ```text
//! > ensemble 3 [observers 1] [window N] [counters N] [opening]
//! > start 1 2 3      > crash 3        > restart 3     > wipe 3
//! > elect            everybody's election runs to its end
//! > run              links, disks and dialling run until nothing is left
//! > quietly COMMAND  without telling
//! > notify 3 1       the oldest notification from 3 to 1
//! > dial 1           > deliver 3 2 [N]                > sync 2    > write 2 N
//! > propose 3 "x"    > request 1 "x"  > read 3 7      > fire 3 ping|init|finalize|notify|leader
//! > cut 1 2          > apart 1 2      > together 1 2  > lose 1 2 (only 1 notices)
//! > hide 1 2 (apart, and nobody notices)              > refuse 1 (its dialling fails)
//! > show
//! ```

use zab::{Event, ReadId, Reader, ServerId, Timer};

use super::{Link, World, text};

pub(crate) fn run(transcript: &str) -> String {
    let mut world = None;
    let mut text = String::new();
    for line in transcript.lines() {
        match line.strip_prefix("> ") {
            Some(command) => {
                text.push_str(line);
                text.push('\n');
                let words: Vec<&str> = command.split_whitespace().collect();
                if words[0] == "ensemble" {
                    world = Some(ensemble(&words));
                    continue;
                }
                let world: &mut World = world.as_mut().expect("an ensemble first");
                world.command(&words);
                text.push_str(&std::mem::take(&mut world.out.text));
            }
            None if line.is_empty() || line.starts_with('#') => {
                text.push_str(line);
                text.push('\n');
            }
            None => {}
        }
    }
    text
}

fn number(words: &[&str], key: &str) -> Option<i64> {
    let at = words.iter().position(|word| *word == key)?;
    words.get(at + 1)?.parse().ok()
}

fn ensemble(words: &[&str]) -> World {
    let voters = number(words, "ensemble").expect("how many");
    let observers = number(words, "observers").unwrap_or(0);
    let ids: Vec<_> = (1..=voters + observers).map(ServerId).collect();
    let (voters, observers) = ids.split_at(usize::try_from(voters).expect("few"));
    World::new(voters, observers, |config| {
        config.opening_txn = words.contains(&"opening");
        if let Some(window) = number(words, "window") {
            config.window = usize::try_from(window).expect("few");
        }
        if let Some(counters) = number(words, "counters") {
            config.counter_limit = u32::try_from(counters).expect("few");
        }
    })
}

fn id(word: &str) -> ServerId {
    ServerId(word.parse().expect("a server id"))
}

impl World {
    fn command(&mut self, words: &[&str]) {
        let (command, rest) = (words[0], &words[1..]);
        let ids = || rest.iter().map(|word| id(word)).collect::<Vec<_>>();
        match command {
            "quietly" => {
                self.out.quiet = true;
                self.command(rest);
                self.out.quiet = false;
            }
            "start" | "restart" => ids().into_iter().for_each(|id| self.start(id)),
            "crash" => ids().into_iter().for_each(|id| self.crash(id)),
            "wipe" => ids().into_iter().for_each(|id| self.wipe(id)),
            "run" => self.run(),
            "elect" => self.elect(),
            "notify" => self.deliver_notification(id(rest[0]), id(rest[1])),
            "dial" => assert!(self.dial(id(rest[0])), "nobody to dial"),
            "deliver" => {
                let count = rest.get(2).map_or(1, |word| word.parse().expect("a count"));
                (0..count).for_each(|_| self.deliver(id(rest[0]), id(rest[1])));
            }
            "sync" => ids().into_iter().for_each(|id| self.sync(id)),
            "write" => self.write_some(id(rest[0]), rest[1].parse().expect("a count")),
            "propose" => {
                let zxid = self.propose(id(rest[0]), rest[1].trim_matches('"'));
                assert!(zxid.is_some(), "cannot propose");
            }
            "request" => self.feed(
                id(rest[0]),
                Event::Forwarded {
                    request: rest[1].trim_matches('"').into(),
                },
            ),
            "read" => self.feed(
                id(rest[0]),
                Event::Asked {
                    by: Reader::Host(ReadId(rest[1].parse().expect("a number"))),
                },
            ),
            "fire" => self.fire(id(rest[0]), timer(rest[1])),
            "cut" => self.cut(id(rest[0]), id(rest[1])),
            "lose" => self.lose(id(rest[0]), id(rest[1])),
            "apart" => {
                self.hide(id(rest[0]), id(rest[1]));
                self.cut(id(rest[0]), id(rest[1]));
            }
            "hide" => self.hide(id(rest[0]), id(rest[1])),
            "refuse" => {
                let dialling = &mut self.node(id(rest[0])).dialling;
                let leader = dialling.take().expect("dialling");
                self.feed(id(rest[0]), Event::Unreachable { leader });
            }
            "together" => {
                let (a, b) = (id(rest[0]), id(rest[1]));
                self.apart.remove(&(a.min(b), a.max(b)));
            }
            "show" => self.show(),
            other => panic!("no command {other}"),
        }
    }

    /// Lets every election end: notifications, then the final wait of those
    /// that have a quorum, and again.
    fn elect(&mut self) {
        for _ in 0..20 {
            while let Some((from, to, notification)) = self.notes.pop_front() {
                self.feed(to, Event::Notified { from, notification });
            }
            let ids: Vec<_> = self.nodes.keys().copied().collect();
            for id in ids
                .iter()
                .filter(|id| !self.nodes[id].writes.is_empty())
                .copied()
                .collect::<Vec<_>>()
            {
                self.sync(id);
            }
            let waiting: Vec<_> = ids
                .into_iter()
                .filter(|id| self.is_armed(*id, Timer::Finalize))
                .collect();
            if self.notes.is_empty() && waiting.is_empty() {
                return;
            }
            for id in waiting {
                if self.is_armed(id, Timer::Finalize) {
                    self.fire(id, Timer::Finalize);
                }
            }
        }
        panic!("no end to the election");
    }

    fn deliver_notification(&mut self, from: ServerId, to: ServerId) {
        let at = self
            .notes
            .iter()
            .position(|(f, t, _)| (*f, *t) == (from, to))
            .expect("a notification on its way");
        let (from, to, notification) = self.notes.remove(at).expect("just found");
        self.feed(to, Event::Notified { from, notification });
    }

    fn deliver(&mut self, from: ServerId, to: ServerId) {
        let between =
            |l: &Link| (l.learner, l.leader) == (from, to) || (l.learner, l.leader) == (to, from);
        let links: Vec<_> = self
            .links
            .iter()
            .filter(|(_, l)| between(l))
            .map(|(k, _)| *k)
            .collect();
        assert!(
            links.into_iter().any(|link| self.deliver_on(link, to)),
            "nothing from {from} to {to}"
        );
    }

    fn links_between(&self, a: ServerId, b: ServerId) -> Vec<zab::LinkId> {
        let between = |l: &Link| (l.learner, l.leader) == (a, b) || (l.learner, l.leader) == (b, a);
        self.links
            .iter()
            .filter(|(_, l)| between(l))
            .map(|(k, _)| *k)
            .collect()
    }

    fn cut(&mut self, a: ServerId, b: ServerId) {
        for link in self.links_between(a, b) {
            self.break_link(link);
        }
    }

    fn hide(&mut self, a: ServerId, b: ServerId) {
        self.apart.insert((a.min(b), a.max(b)));
        self.notes
            .retain(|(from, to, _)| (*from, *to) != (a, b) && (*from, *to) != (b, a));
    }

    /// The link is gone, and only `a` notices.
    fn lose(&mut self, a: ServerId, b: ServerId) {
        for link in self.links_between(a, b) {
            self.close(a, link);
            if let Some(entry) = self.links.get_mut(&link) {
                entry.to_leader.clear();
                entry.to_learner.clear();
            }
            self.feed(a, Event::Disconnected { link });
        }
    }

    fn show(&mut self) {
        let lines: Vec<_> = self
            .nodes
            .iter()
            .map(|(id, node)| {
                let tree = node
                    .tree
                    .iter()
                    .map(|entry| entry.txn.as_str())
                    .collect::<Vec<_>>()
                    .join(" ");
                let Some(peer) = &node.peer else {
                    return format!("  {id}: down");
                };
                let status = peer.status();
                let role = format!("{:?}", status.role).to_lowercase();
                let last = text::describe_zxid(status.last_logged);
                let epochs = format!("accepted {} current {}", status.accepted, status.current);
                format!("  {id}: {role}, {epochs}, log to {last}, tree [{tree}]")
            })
            .collect();
        for line in lines {
            self.out.line(&line);
        }
    }
}

fn timer(name: &str) -> Timer {
    match name {
        "ping" => Timer::Ping,
        "init" => Timer::Init,
        "finalize" => Timer::Finalize,
        "notify" => Timer::Notify,
        "leader" => Timer::Leader,
        other => panic!("no timer {other}"),
    }
}
