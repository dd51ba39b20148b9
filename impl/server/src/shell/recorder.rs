//! A trace of the protocol core (zab-model section 12): each step is a line, in the kernel's hands before anything
//! that the step asks for is done. So a killed process leaves at most one torn line, at the end, and nothing of it
//! has happened. Off, it costs nothing.

use super::clock::wall_ms;
use bytes::Bytes;
use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use zab::trace::{Digest, Line, LinkUp, Post, Start, VERSION, fingerprint};
use zab::{Broken, Durable, Effect, Event, LinkId, Peer, ServerId};
use zk_node::trace::Tracer;

/// The file of one start. A file that cannot be written ends the trace, not the server: its reader then misses what
/// others received.
#[derive(Debug)]
pub(crate) struct Recorder {
    node: ServerId,
    start: u64,
    file: Mutex<Option<Lines>>,
}

#[derive(Debug)]
struct Lines {
    file: File,
    next: u64,
    line: Vec<u8>,
}

/// Which end of a link this server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Learner,
    Leader,
}

impl Recorder {
    /// Begins a file `trace-ID-START.ndjson` in `dir`, which must exist.
    ///
    /// # Errors
    /// When it cannot be created or written.
    pub(crate) fn begin(
        dir: &Path,
        peer: &Peer<Bytes>,
        durable: Durable<Bytes>,
    ) -> io::Result<Self> {
        let node = peer.config().id;
        let start = starts(dir, node)? + 1;
        let file = File::create_new(dir.join(name(node, start)))?;
        let mut lines = Lines {
            file,
            next: 0,
            line: Vec::new(),
        };
        let mut line = Line::new(0, node, start, now_ms());
        line.start = Some(Start {
            version: VERSION.to_owned(),
            config: peer.config().clone(),
            durable,
        });
        line.h = Some(fingerprint(peer));
        lines.write(&line)?;
        Ok(Self {
            node,
            start,
            file: Mutex::new(Some(lines)),
        })
    }

    /// Two servers are connected; before the core hears of it.
    pub(crate) fn link(
        &self,
        id: LinkId,
        side: Side,
        local: io::Result<SocketAddr>,
        remote: io::Result<SocketAddr>,
    ) {
        // A connection that broke already has no addresses, and nothing will come over it.
        let text = |address: io::Result<SocketAddr>| {
            address.map_or_else(
                |_| String::new(),
                |it| SocketAddr::new(it.ip().to_canonical(), it.port()).to_string(),
            )
        };
        let up = LinkUp {
            id,
            dialled: side == Side::Learner,
            local: text(local),
            remote: text(remote),
        };
        self.write(|line| line.link = Some(up));
    }

    fn write(&self, fill: impl FnOnce(&mut Line<Bytes>)) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lines) = &mut *file else { return };
        let mut line = Line::new(lines.next, self.node, self.start, now_ms());
        fill(&mut line);
        if let Err(error) = lines.write(&line) {
            tracing::error!(%error, "the trace ends here");
            *file = None;
        }
    }
}

impl Lines {
    /// One call for a whole line.
    fn write(&mut self, line: &Line<Bytes>) -> io::Result<()> {
        self.line.clear();
        let mut json = serde_json::Serializer::with_formatter(&mut self.line, Digests);
        serde::Serialize::serialize(line, &mut json)?;
        self.line.push(b'\n');
        self.next += 1;
        self.file.write_all(&self.line)
    }
}

/// Listens to the core.
pub(crate) struct Steps(pub(crate) std::sync::Arc<Recorder>);

impl Tracer for Steps {
    fn step(&mut self, event: &Event<Bytes>, effects: &[Effect<Bytes>], peer: &Peer<Bytes>) {
        self.0.write(|line| {
            line.event = Some(event.clone());
            line.effects = Some(effects.to_vec());
            line.post = Some(Post::from(&peer.status()));
            line.h = Some(fingerprint(peer));
        });
    }

    fn broken(&mut self, event: &Event<Bytes>, broken: &Broken) {
        self.0.write(|line| {
            line.event = Some(event.clone());
            line.broken = Some(*broken);
        });
    }
}

/// Payloads as digests.
struct Digests;

impl serde_json::ser::Formatter for Digests {
    fn write_byte_array<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        value: &[u8],
    ) -> io::Result<()> {
        write!(writer, "\"{}\"", Digest::of(value))
    }
}

fn name(node: ServerId, start: u64) -> String {
    format!("trace-{node}-{start:04}.ndjson")
}

/// How often this server was started with a trace here.
fn starts(dir: &Path, node: ServerId) -> io::Result<u64> {
    let prefix = format!("trace-{node}-");
    let mut newest = 0;
    for entry in std::fs::read_dir(dir)? {
        let file = entry?.file_name();
        let number = file
            .to_str()
            .and_then(|file| file.strip_prefix(&prefix)?.strip_suffix(".ndjson"))
            .and_then(|number| number.parse().ok());
        newest = newest.max(number.unwrap_or(0));
    }
    Ok(newest)
}

fn now_ms() -> u64 {
    u64::try_from(wall_ms()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zab::{Config, Effects, Zxid};

    fn leader() -> Peer<Bytes> {
        let id = ServerId(4);
        let config = Config {
            standalone: true,
            ..Config::new(id, [id])
        };
        Peer::restore(config, Durable::empty()).unwrap()
    }

    fn lines(dir: &Path, start: u64) -> Vec<Line<Digest>> {
        let text = std::fs::read_to_string(dir.join(name(ServerId(4), start))).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    // spec: zab-model section 12
    #[test]
    fn each_step_is_a_line_that_is_in_the_file_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut peer = leader();
        let recorder = Recorder::begin(dir.path(), &peer, Durable::empty()).unwrap();
        let mut steps = Steps(std::sync::Arc::new(recorder));
        let mut effects = Effects::new();
        peer.handle(Event::Started, &mut effects).unwrap();
        steps.step(&Event::Started, effects.as_slice(), &peer);
        let payload = Bytes::from_static(b"a txn");
        let proposed = Event::Proposed {
            zxid: Zxid(1),
            txn: payload.clone(),
        };
        effects = Effects::new();
        peer.handle(proposed.clone(), &mut effects).unwrap();
        steps.step(&proposed, effects.as_slice(), &peer);
        let lines = lines(dir.path(), 1);
        let sequence: Vec<_> = lines.iter().map(|line| (line.seq, line.inc)).collect();
        assert_eq!(sequence, [(0, 1), (1, 1), (2, 1)]);
        let txn = Digest::of(&payload);
        let zxid = Zxid(1);
        assert_eq!(lines[2].event, Some(Event::Proposed { zxid, txn }));
        assert_eq!(lines[2].h, Some(fingerprint(&peer)));
    }

    #[test]
    fn each_start_has_a_file_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        for start in 1..=3 {
            Recorder::begin(dir.path(), &leader(), Durable::empty()).unwrap();
            assert_eq!(lines(dir.path(), start)[0].inc, start);
        }
    }
}
