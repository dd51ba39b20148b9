//! One start of one server: its core, taken through the recorded events, and what its host may tell it now.

use std::collections::{BTreeMap, BTreeSet};

use zab::trace::{Digest, Fingerprint, Line, LinkUp, Post, Start, fingerprint};
use zab::{Effect, Effects, Event, LinkId, Peer, ReadId, Reader, ServerId, Timer, Zxid};

use super::problem::{Kind, Place, Problem};

/// What the core may be told of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The host has it, the core has not heard of it.
    Up,
    /// The core knows it.
    Open,
    /// The core closed it. What was in the inbox by then still comes, and means nothing.
    Closed,
    /// The host said that it is gone.
    Gone,
}

#[derive(Debug)]
pub(super) struct Core {
    pub(super) peer: Peer<Digest>,
    h: Fingerprint,
    timers: BTreeSet<Timer>,
    links: BTreeMap<LinkId, (Standing, bool)>,
    dialled: BTreeSet<ServerId>,
    reads: BTreeSet<ReadId>,
}

/// What an event must not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It came in time.
    Fresh,
    /// It came late, and changes nothing.
    Stale,
}

impl Core {
    pub(super) fn begin(
        place: &Place,
        line: &Line<Digest>,
        start: Start<Digest>,
    ) -> Result<Self, Problem> {
        let peer = Peer::restore(start.config, start.durable)
            .map_err(|error| Problem::new(Kind::Restart, place, error.to_string()))?;
        let core = Self {
            h: fingerprint(&peer),
            peer,
            timers: BTreeSet::new(),
            links: BTreeMap::new(),
            dialled: BTreeSet::new(),
            reads: BTreeSet::new(),
        };
        core.compare_state(place, line)?;
        Ok(core)
    }

    /// The zxid up to which the tree is loaded.
    pub(super) fn base(&self) -> Zxid {
        self.peer.log().0
    }

    pub(super) fn up(&mut self, up: &LinkUp) -> bool {
        let known = self.links.insert(up.id, (Standing::Up, up.dialled));
        known.is_none()
    }

    /// Whether the environment may cause this now (zab-model section 4). What concerns other servers or the disk is
    /// not judged here.
    pub(super) fn admit(&mut self, event: &Event<Digest>) -> Result<Meaning, (Kind, String)> {
        let refuse = |kind, what: &str| Err((kind, what.to_owned()));
        match event {
            Event::Connected { link, peer } => match self.links.get_mut(link) {
                Some((standing @ Standing::Up, dialled)) => {
                    if *dialled && !self.dialled.contains(peer) {
                        return refuse(Kind::Link, "the core never dialled that leader");
                    }
                    *standing = Standing::Open;
                    Ok(Meaning::Fresh)
                }
                Some(_) => refuse(Kind::Link, "the link was connected before"),
                None => refuse(Kind::Link, "the link was never up"),
            },
            Event::Received { link, .. } => match self.standing(*link) {
                Some(Standing::Open) => Ok(Meaning::Fresh),
                Some(Standing::Closed) => Ok(Meaning::Stale),
                Some(Standing::Gone) => refuse(Kind::Link, "it comes after the link's end"),
                Some(Standing::Up) | None => refuse(Kind::Link, "the link is not connected"),
            },
            Event::Disconnected { link } => match self.standing(*link) {
                Some(standing @ (Standing::Open | Standing::Closed)) => {
                    self.set(*link, Standing::Gone);
                    Ok(match standing {
                        Standing::Open => Meaning::Fresh,
                        _ => Meaning::Stale,
                    })
                }
                Some(Standing::Gone) => refuse(Kind::Link, "the link ends twice"),
                Some(Standing::Up) | None => refuse(Kind::Link, "the link is not connected"),
            },
            Event::Unreachable { leader } if !self.dialled.contains(leader) => {
                refuse(Kind::Link, "the core never dialled that leader")
            }
            Event::Expired { timer } if !self.timers.remove(timer) => {
                refuse(Kind::Timer, "the timer is not armed")
            }
            Event::Asked {
                by: Reader::Host(read),
            } if !self.reads.insert(*read) => {
                refuse(Kind::Input, "the question's number was used before")
            }
            // spec: zab-model S24. A txn prepared for a leadership that has ended.
            Event::Proposed { zxid, .. } if self.peer.next_zxid() != Some(*zxid) => {
                Ok(Meaning::Stale)
            }
            Event::Started
            | Event::Notified { .. }
            | Event::Unreachable { .. }
            | Event::Expired { .. }
            | Event::Asked { .. }
            | Event::Proposed { .. }
            | Event::Forwarded { .. }
            | Event::Queried { .. }
            | Event::Answered { .. }
            | Event::Persisted { .. } => Ok(Meaning::Fresh),
        }
    }

    /// Whether a message may come over this link.
    pub(super) fn expects(&self, link: LinkId) -> bool {
        matches!(self.standing(link), Some(Standing::Open | Standing::Closed))
    }

    fn standing(&self, link: LinkId) -> Option<Standing> {
        self.links.get(&link).map(|(standing, _)| *standing)
    }

    fn set(&mut self, link: LinkId, standing: Standing) {
        if let Some((known, _)) = self.links.get_mut(&link) {
            *known = standing;
        }
    }

    /// Feeds the event; effects and state must be as recorded. True if the state changed.
    pub(super) fn replay(
        &mut self,
        place: &Place,
        line: &Line<Digest>,
        event: Event<Digest>,
    ) -> Result<bool, Problem> {
        let mut effects = Effects::new();
        let outcome = self.peer.handle(event, &mut effects);
        if outcome.err() != line.broken {
            let what = format!("the core says {outcome:?}, recorded is {:?}", line.broken);
            return Err(Problem::new(Kind::Output, place, what));
        }
        if outcome.is_err() {
            return Ok(true);
        }
        let recorded = line.effects.as_deref().unwrap_or_default();
        if let Some(what) = difference(effects.as_slice(), recorded) {
            return Err(Problem::new(Kind::Output, place, what));
        }
        let before = std::mem::replace(&mut self.h, fingerprint(&self.peer));
        self.compare_state(place, line)?;
        for effect in recorded {
            self.carry_out(effect);
        }
        Ok(before != self.h)
    }

    fn compare_state(&self, place: &Place, line: &Line<Digest>) -> Result<(), Problem> {
        let post = Post::from(&self.peer.status());
        if line.post.is_some_and(|recorded| recorded != post) {
            let what = format!("the core is at {post:?}, recorded is {:?}", line.post);
            return Err(Problem::new(Kind::State, place, what));
        }
        if line.h != Some(self.h) {
            let recorded = line.h.map(|h| h.to_string()).unwrap_or_default();
            let what = format!("the core's state is {}, recorded is {recorded}", self.h);
            return Err(Problem::new(Kind::State, place, what));
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: &Effect<Digest>) {
        match effect {
            Effect::Arm { timer, .. } => {
                self.timers.insert(*timer);
            }
            Effect::Disarm { timer } => {
                self.timers.remove(timer);
            }
            Effect::Dial { leader } => {
                self.dialled.insert(*leader);
            }
            Effect::Disconnect { link, .. } => {
                if self.standing(*link) == Some(Standing::Open) {
                    self.set(*link, Standing::Closed);
                }
            }
            Effect::Notify { .. }
            | Effect::HangUp
            | Effect::Send { .. }
            | Effect::SendSnapshot { .. }
            | Effect::Persist { .. }
            | Effect::Deliver { .. }
            | Effect::Confirmed { .. }
            | Effect::Request { .. }
            | Effect::Revalidate { .. }
            | Effect::Touch { .. }
            | Effect::Revalidated { .. }
            | Effect::Open { .. }
            | Effect::Synced
            | Effect::Report(_) => {}
        }
    }
}

/// The first effect that differs.
fn difference(core: &[Effect<Digest>], recorded: &[Effect<Digest>]) -> Option<String> {
    let place =
        (0..core.len().max(recorded.len())).find(|at| core.get(*at) != recorded.get(*at))?;
    let say = |effect: Option<&Effect<Digest>>| match effect {
        Some(effect) => format!("{effect:?}"),
        None => "nothing more".to_owned(),
    };
    Some(format!(
        "effect {}: the core says {}, recorded is {}",
        place + 1,
        say(core.get(place)),
        say(recorded.get(place))
    ))
}
