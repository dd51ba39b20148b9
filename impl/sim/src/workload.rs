//! What clients ask for: registers, conditional writes, sequences, ephemerals, pairs
//! changed by multis, watches, syncs; and now and then a session's end or move.

use crate::client::Phase;
use crate::history::{Body, Op};
use crate::plan::{MS, SECOND};
use crate::rng::Rng;
use crate::world::World;
use std::collections::BTreeMap;

/// Registers that all clients fight over.
const REGISTERS: u64 = 6;

/// What a client has seen and may build on.
#[derive(Clone, Debug)]
pub struct Known {
    index: usize,
    value: u64,
    versions: BTreeMap<String, i32>,
    children: Vec<String>,
    made: bool,
}

impl Known {
    #[must_use]
    pub fn new(index: usize) -> Self {
        Self {
            index,
            value: 0,
            versions: BTreeMap::new(),
            children: Vec::new(),
            made: false,
        }
    }

    pub fn learn(&mut self, op: &Op, err: i32, body: &Body) {
        match (op, body) {
            (
                Op::GetData { path, .. } | Op::SetData { path, .. },
                Body::Data(_, stat) | Body::Stat(stat),
            ) if err == 0 => {
                self.versions.insert(path.clone(), stat.version);
            }
            (Op::Children { path, .. }, Body::Children(names, _)) if path == "/d" => {
                self.children.clone_from(names);
            }
            _ => {}
        }
    }

    fn data(&mut self) -> Vec<u8> {
        self.value += 1;
        format!("{}-{}", self.index, self.value).into_bytes()
    }

    fn version(&self, path: &str, rng: &mut Rng) -> i32 {
        if rng.chance(500) {
            return -1;
        }
        self.versions.get(path).copied().unwrap_or(0)
    }
}

fn register(rng: &mut Rng) -> String {
    format!("/r{}", rng.below(REGISTERS))
}

fn create(path: &str, data: Vec<u8>, ephemeral: bool, sequential: bool) -> Op {
    Op::Create {
        path: path.to_owned(),
        data,
        ephemeral,
        sequential,
    }
}

impl World {
    /// One turn of a client that is connected.
    pub(crate) fn act(&mut self, index: usize) {
        let now = self.now;
        if self.is_quiet() || self.clients[index].open.len() > 8 {
            self.clients[index].next_op = now + SECOND;
            return;
        }
        let passes = self
            .plan
            .passed
            .contains(&(index, self.clients[index].turns));
        let client = &mut self.clients[index];
        client.turns += 1;
        client.passes = passes;
        self.take_turn(index);
        self.clients[index].passes = false;
    }

    fn take_turn(&mut self, index: usize) {
        let now = self.now;
        let client = &mut self.clients[index];
        client.next_op = now + client.rng.around(client.think_us);
        if !std::mem::replace(&mut client.known.made, true) {
            for path in ["/d", "/e", "/m", "/m/a", "/m/b"] {
                let op = create(path, b"0".to_vec(), false, false);
                self.ask(index, op);
            }
            return;
        }
        let rng = &mut client.rng;
        match rng.below(1000) {
            0..7 => self.ask(index, Op::CloseSession),
            7..17 if client.passes => {}
            7..17 => self.hang_up(index),
            17..21 if client.passes => {}
            17..21 => {
                let timeout_ms = client.held.as_ref().map_or(4000, |held| held.timeout_ms);
                let silence = rng.between(100, u64::from(timeout_ms) * 2);
                client.silent_until = now + silence * MS;
            }
            21..60 => {
                // A burst in the pipeline: writes and reads together.
                for _ in 0..rng.between(2, 6) {
                    if self.clients[index].phase == Phase::Open {
                        let op = self.draw(index);
                        self.ask(index, op);
                    }
                }
            }
            60..110 => {
                let path = register(rng);
                self.ask(index, Op::Sync { path: path.clone() });
                self.ask(index, Op::GetData { path, watch: false });
            }
            _ => {
                let op = self.draw(index);
                self.ask(index, op);
            }
        }
    }

    fn draw(&mut self, index: usize) -> Op {
        let client = &mut self.clients[index];
        let (rng, known) = (&mut client.rng, &mut client.known);
        let path = register(rng);
        match rng.below(100) {
            0..22 => Op::GetData {
                path,
                watch: rng.chance(250),
            },
            22..30 => Op::Exists {
                path: if rng.chance(300) {
                    format!("/e/c{}", rng.below(12))
                } else {
                    path
                },
                watch: rng.chance(350),
            },
            30..38 => Op::Children {
                path: (*rng.pick(&["/d", "/e", "/"]).unwrap_or(&"/d")).to_owned(),
                watch: rng.chance(250),
            },
            38..56 => Op::SetData {
                version: known.version(&path, rng),
                data: known.data(),
                path,
            },
            56..66 => create(&path, known.data(), false, false),
            66..71 => Op::Delete {
                version: known.version(&path, rng),
                path,
            },
            71..79 => create("/d/s-", known.data(), rng.chance(300), true),
            79..84 => create(&format!("/e/c{}", rng.below(12)), known.data(), true, false),
            84..91 => match rng.pick(&known.children) {
                Some(name) => Op::Delete {
                    path: format!("/d/{name}"),
                    version: -1,
                },
                None => Op::Children {
                    path: "/d".into(),
                    watch: false,
                },
            },
            91..98 => draw_multi(rng, known),
            _ => Op::AddWatch {
                path: if rng.chance(500) { "/d".into() } else { path },
                recursive: rng.chance(500),
            },
        }
    }
}

fn draw_multi(rng: &mut Rng, known: &mut Known) -> Op {
    let data = known.data();
    let pair = |data: Vec<u8>| {
        ["/m/a", "/m/b"].map(|path| Op::SetData {
            path: path.to_owned(),
            data: data.clone(),
            version: -1,
        })
    };
    let path = register(rng);
    let mut parts: Vec<Op> = pair(data.clone()).into();
    match rng.below(4) {
        0 => {}
        1 => parts.push(Op::Check {
            version: known.version(&path, rng),
            path,
        }),
        2 => parts.insert(
            0,
            Op::SetData {
                version: known.version(&path, rng),
                path,
                data,
            },
        ),
        _ => {
            parts = vec![
                create(&path, data, false, false),
                create("/d/s-", known.data(), false, true),
                Op::Delete { path, version: -1 },
            ]
        }
    }
    Op::Multi(parts)
}
