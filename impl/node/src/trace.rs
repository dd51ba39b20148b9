//! Where the core is called, whoever wants to know may listen: recorded traces in
//! production, the properties' history in the simulator. Nothing can be missed in between.

use bytes::Bytes;
use std::fmt;
use zab::{Broken, Effect, Event, Peer, ServerId};

/// Told of every step of the core, after it.
pub trait Tracer: Send {
    /// `event` went in, `effects` came out, `peer` is the state after it.
    fn step(&mut self, event: &Event<Bytes>, effects: &[Effect<Bytes>], peer: &Peer<Bytes>);

    /// An oracle elected `leader` (`zab::Peer::elect`); `effects` came out. No server has an oracle.
    fn elected(&mut self, _leader: ServerId, _effects: &[Effect<Bytes>], _peer: &Peer<Bytes>) {}

    /// `event` went in and the core stopped; so does the server, and nothing of this step is done.
    fn broken(&mut self, _event: &Event<Bytes>, _broken: &Broken) {}
}

/// Nobody, unless the host says otherwise.
#[derive(Default)]
pub(crate) struct Listener(Option<Box<dyn Tracer>>);

impl Listener {
    pub(crate) fn new(tracer: Box<dyn Tracer>) -> Self {
        Self(Some(tracer))
    }

    /// What `told` will need of an event that the core is about to consume.
    pub(crate) fn keep(&self, event: &Event<Bytes>) -> Option<Event<Bytes>> {
        self.0.as_ref().map(|_| event.clone())
    }

    pub(crate) fn told(
        &mut self,
        event: Option<&Event<Bytes>>,
        effects: &[Effect<Bytes>],
        peer: &Peer<Bytes>,
    ) {
        if let (Some(tracer), Some(event)) = (&mut self.0, event) {
            tracer.step(event, effects, peer);
        }
    }

    pub(crate) fn told_election(
        &mut self,
        leader: ServerId,
        effects: &[Effect<Bytes>],
        peer: &Peer<Bytes>,
    ) {
        if let Some(tracer) = &mut self.0 {
            tracer.elected(leader, effects, peer);
        }
    }

    pub(crate) fn told_broken(&mut self, event: Option<&Event<Bytes>>, broken: &Broken) {
        if let (Some(tracer), Some(event)) = (&mut self.0, event) {
            tracer.broken(event, broken);
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Listener({})", self.0.is_some())
    }
}
