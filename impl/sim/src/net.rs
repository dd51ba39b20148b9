//! The simulated network: directed cuts, delays, FIFO pipes, election queues of one message.

use crate::plan::{Plan, Us};
use crate::rng::Rng;
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use zab::{LinkId, Notification};

/// What travels on a learner's link.
#[derive(Clone, Debug)]
pub enum Frame {
    Packet(Bytes),
    /// A part of a snapshot stream.
    Chunk(Vec<u8>),
    /// The other end has closed.
    End,
}

/// One direction of a connection: nothing overtakes.
#[derive(Debug)]
pub struct Pipe<T> {
    queue: VecDeque<(Us, T)>,
    last: Us,
}

impl<T> Default for Pipe<T> {
    fn default() -> Self {
        Self {
            queue: VecDeque::new(),
            last: 0,
        }
    }
}

impl<T> Pipe<T> {
    /// When it will be there.
    pub fn push(&mut self, now: Us, delay: Us, item: T) -> Us {
        self.last = self.last.max(now + delay);
        self.queue.push_back((self.last, item));
        self.last
    }

    pub fn pop(&mut self, now: Us) -> Option<T> {
        if self.queue.front()?.0 > now {
            return None;
        }
        self.queue.pop_front().map(|(_, item)| item)
    }

    /// When the next one is there.
    pub fn next_at(&self) -> Option<Us> {
        self.queue.front().map(|(at, _)| *at)
    }

    pub fn clear(&mut self) {
        self.queue.clear();
    }
}

/// An end of a link. `pipe` brings what the other end sent.
#[derive(Debug)]
pub struct LinkEnd {
    pub server: usize,
    pub incarnation: u64,
    pub open: bool,
    pub pipe: Pipe<Frame>,
}

/// A learner's connection to a leader.
#[derive(Debug)]
pub struct Link {
    /// 0 is the learner's end, 1 the leader's.
    pub ends: [LinkEnd; 2],
    /// The leader's core knows of it: the first packet has come.
    pub announced: bool,
}

/// Indices are servers.
#[derive(Debug)]
pub struct Net {
    cut: Vec<Vec<u32>>,
    slow: Vec<Vec<Us>>,
    client_cut: Vec<u32>,
    delay_us: (Us, Us),
    rngs: Vec<Rng>,
    servers: usize,
    /// The newest notification that waits to be delivered, by sender and receiver.
    pub votes: Vec<Vec<Option<Notification>>>,
    pub links: BTreeMap<LinkId, Link>,
    next_link: u64,
}

impl Net {
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let n = plan.servers();
        Self {
            cut: vec![vec![0; n]; n],
            slow: vec![vec![0; n]; n],
            client_cut: vec![0; n],
            delay_us: plan.delay_us,
            rngs: (0..n * n + n + 1)
                .map(|index| Rng::stream(plan.seed, "link", index as u64))
                .collect(),
            servers: n,
            votes: vec![vec![None; n]; n],
            links: BTreeMap::new(),
            next_link: 1,
        }
    }

    #[must_use]
    pub fn is_cut(&self, from: usize, to: usize) -> bool {
        self.cut[from][to] > 0
    }

    /// Whether a connection can be opened.
    #[must_use]
    pub fn connects(&self, a: usize, b: usize) -> bool {
        !self.is_cut(a, b) && !self.is_cut(b, a)
    }

    #[must_use]
    pub fn clients_cut(&self, server: usize) -> bool {
        self.client_cut[server] > 0
    }

    pub fn cut(&mut self, from: usize, to: usize) {
        self.cut[from][to] += 1;
    }

    pub fn mend(&mut self, from: usize, to: usize) {
        self.cut[from][to] = self.cut[from][to].saturating_sub(1);
    }

    pub fn cut_clients(&mut self, server: usize) {
        self.client_cut[server] += 1;
    }

    pub fn mend_clients(&mut self, server: usize) {
        self.client_cut[server] = self.client_cut[server].saturating_sub(1);
    }

    pub fn slow(&mut self, from: usize, to: usize, us: Us) {
        self.slow[from][to] = us;
    }

    pub fn heal(&mut self) {
        for row in &mut self.cut {
            row.fill(0);
        }
        for row in &mut self.slow {
            row.fill(0);
        }
        self.client_cut.fill(0);
    }

    pub fn delay(&mut self, from: usize, to: usize) -> Us {
        let slow = self.slow[from][to];
        let (low, high) = self.delay_us;
        let rng = &mut self.rngs[from * self.servers + to];
        let tail = if rng.chance(5) { high * 10 } else { high };
        slow + rng.between(low, tail)
    }

    pub fn client_delay(&mut self, server: usize) -> Us {
        let (low, high) = self.delay_us;
        self.rngs[self.servers * self.servers + server].between(low, high)
    }

    /// A new link between two processes.
    pub fn open(&mut self, learner: (usize, u64), leader: (usize, u64)) -> LinkId {
        let id = LinkId(self.next_link);
        self.next_link += 1;
        let end = |(server, incarnation)| LinkEnd {
            server,
            incarnation,
            open: true,
            pipe: Pipe::default(),
        };
        self.links.insert(
            id,
            Link {
                ends: [end(learner), end(leader)],
                announced: false,
            },
        );
        id
    }
}
