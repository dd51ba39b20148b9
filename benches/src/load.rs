//! One run: C sessions with P requests in flight on each, for so many seconds.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use tokio::net::TcpStream;
use zk_proto::request::{Create, ReadPath, SetData};
use zk_proto::{CreateMode, Request, xid};

use crate::cpu;
use crate::wire::{self, Replies, Template};

/// What each request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Op {
    /// getData of one of the run's nodes
    Get,
    /// setData of one of the run's nodes
    Set,
    /// create of a new sequential node
    Create,
}

/// A run's shape.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Sessions go to these in turn.
    pub servers: Vec<String>,
    pub op: Op,
    pub clients: usize,
    pub depth: usize,
    pub warm_up: Duration,
    pub duration: Duration,
    /// Nodes that get and set work on.
    pub nodes: usize,
    pub data_bytes: usize,
    /// Server processes whose processor time is measured.
    pub pids: Vec<u32>,
}

/// What a run showed.
pub struct Outcome {
    pub requests: u64,
    pub errors: u64,
    pub elapsed: Duration,
    /// Microseconds from a request's write to its reply.
    pub latency_us: Histogram<u64>,
    /// Of the server processes together; none without pids.
    pub server_cpu: Option<Duration>,
    pub server_resident_bytes: Option<u64>,
}

impl Outcome {
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// Microseconds of server processor time for a request.
    pub fn cpu_us_per_request(&self) -> Option<f64> {
        let cpu = self.server_cpu?.as_secs_f64() * 1e6;
        Some(cpu / self.requests.max(1) as f64)
    }
}

const PARENT: &str = "/zk-bench";
const SESSION_TIMEOUT_MS: i32 = 30_000;

/// Prepares the tree and runs `plan`.
pub async fn run(plan: &Plan) -> Result<Outcome> {
    let templates = prepare(plan).await?;
    let mut clients = Vec::new();
    for index in 0..plan.clients {
        let server = plan.servers.get(index % plan.servers.len().max(1));
        let server = server.context("no server given")?;
        let stream = wire::connect(server, SESSION_TIMEOUT_MS).await?;
        clients.push(Client::new(index, stream));
    }
    let begin = Instant::now() + plan.warm_up;
    let end = begin + plan.duration;
    let templates = std::sync::Arc::new(templates);
    let tasks: Vec<_> = clients
        .into_iter()
        .map(|client| {
            let templates = std::sync::Arc::clone(&templates);
            tokio::spawn(client.run(templates, plan.depth, begin, end))
        })
        .collect();
    tokio::time::sleep_until(begin.into()).await;
    let cpu_before = cpu::used(&plan.pids)?;
    let started = Instant::now();
    tokio::time::sleep_until(end.into()).await;
    let elapsed = started.elapsed();
    let cpu_after = cpu::used(&plan.pids)?;
    let resident = cpu::resident_bytes(&plan.pids)?;
    let mut outcome = Outcome {
        requests: 0,
        errors: 0,
        elapsed,
        latency_us: Histogram::new(3)?,
        server_cpu: (!plan.pids.is_empty()).then(|| cpu_after.saturating_sub(cpu_before)),
        server_resident_bytes: (!plan.pids.is_empty()).then_some(resident),
    };
    for task in tasks {
        let tally = task.await??;
        outcome.requests += tally.requests;
        outcome.errors += tally.errors;
        outcome.latency_us.add(&tally.latency_us)?;
    }
    Ok(outcome)
}

/// Makes the run's nodes and the requests on them.
async fn prepare(plan: &Plan) -> Result<Vec<Template>> {
    let server = plan.servers.first().context("no server given")?;
    let mut stream = wire::connect(server, SESSION_TIMEOUT_MS).await?;
    let data = vec![b'x'; plan.data_bytes];
    make(&mut stream, PARENT, &[]).await?;
    let mut templates = Vec::new();
    match plan.op {
        Op::Create => {
            let parent = format!("{PARENT}/new");
            make(&mut stream, &parent, &[]).await?;
            templates.push(Template::new(&Request::Create(Create {
                path: format!("{parent}/n").into(),
                data: Some(&data),
                acl: Some(wire::open_acl()),
                flags: CreateMode::PersistentSequential.flags(),
            })));
        }
        Op::Get | Op::Set => {
            for node in 0..plan.nodes.max(1) {
                let path = format!("{PARENT}/n{node:07}");
                make(&mut stream, &path, &data).await?;
                let path = path.into();
                templates.push(Template::new(&if plan.op == Op::Get {
                    Request::GetData(ReadPath { path, watch: false })
                } else {
                    let data = Some(data.as_slice());
                    Request::SetData(SetData {
                        path,
                        data,
                        version: -1,
                    })
                }));
            }
        }
    }
    wire::call(&mut stream, &Request::CloseSession).await?;
    Ok(templates)
}

async fn make(stream: &mut TcpStream, path: &str, data: &[u8]) -> Result<()> {
    const NODE_EXISTS: i32 = -110;
    let request = Request::Create(Create {
        path: path.into(),
        data: Some(data),
        acl: Some(wire::open_acl()),
        flags: CreateMode::Persistent.flags(),
    });
    match wire::call(stream, &request).await?.0.err {
        0 | NODE_EXISTS => Ok(()),
        err => bail!("create {path}: error {err}"),
    }
}

/// One session under load.
struct Client {
    stream: TcpStream,
    replies: Replies,
    out: Vec<u8>,
    /// When each request in flight was written.
    sent: VecDeque<Instant>,
    next_xid: i32,
    expected_xid: i32,
    random: u64,
}

struct Tally {
    requests: u64,
    errors: u64,
    latency_us: Histogram<u64>,
}

impl Client {
    fn new(index: usize, stream: TcpStream) -> Self {
        Self {
            stream,
            replies: Replies::default(),
            out: Vec::with_capacity(16 << 10),
            sent: VecDeque::new(),
            next_xid: 1,
            expected_xid: 1,
            random: (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15),
        }
    }

    /// Keeps `depth` requests in flight until `end`; counts replies from `begin` on.
    async fn run(
        mut self,
        templates: std::sync::Arc<Vec<Template>>,
        depth: usize,
        begin: Instant,
        end: Instant,
    ) -> Result<Tally> {
        let mut tally = Tally {
            requests: 0,
            errors: 0,
            latency_us: Histogram::new(3)?,
        };
        loop {
            let now = Instant::now();
            if now >= end {
                return Ok(tally);
            }
            self.fill(&templates, depth, now);
            self.flush().await?;
            // Otherwise a session whose replies are there at once would go on alone for as long as
            // the runtime lets it, and the others' replies would wait unread.
            tokio::task::yield_now().await;
            self.receive().await?;
            let now = Instant::now();
            while let Some(header) = self.replies.next_header()? {
                if header.xid == xid::EVENT || header.xid == xid::PING {
                    continue;
                }
                self.check_order(header.xid)?;
                let sent = self.sent.pop_front().context("a reply to no request")?;
                if sent >= begin && now < end {
                    tally.requests += 1;
                    tally.errors += u64::from(header.err != 0);
                    let us = now.duration_since(sent).as_micros();
                    tally.latency_us.record(u64::try_from(us)?)?;
                }
            }
        }
    }

    fn fill(&mut self, templates: &[Template], depth: usize, now: Instant) {
        while self.sent.len() < depth {
            // A linear congruential step is enough to spread over the nodes.
            self.random = self
                .random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let choice = (self.random >> 33) as usize % templates.len().max(1);
            let Some(template) = templates.get(choice) else {
                return;
            };
            template.put(self.next_xid, &mut self.out);
            self.next_xid = self.next_xid.checked_add(1).unwrap_or(1);
            self.sent.push_back(now);
        }
    }

    async fn flush(&mut self) -> Result<()> {
        let mut written = 0;
        while let Some(rest) = self.out.get(written..).filter(|rest| !rest.is_empty()) {
            match self.stream.try_write(rest) {
                Ok(more) => written += more,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    self.stream.writable().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        self.out.clear();
        Ok(())
    }

    async fn receive(&mut self) -> Result<()> {
        loop {
            self.stream.readable().await?;
            match self.stream.try_read_buf(self.replies.buffer()) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    // spec: CP-OP-04. A reply out of order would be counted for another request.
    fn check_order(&mut self, xid: i32) -> Result<()> {
        if xid != self.expected_xid {
            bail!("reply {xid} where {} was due", self.expected_xid);
        }
        self.expected_xid = xid.checked_add(1).unwrap_or(1);
        Ok(())
    }
}
