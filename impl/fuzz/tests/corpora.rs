//! Runs every target over its corpus: the files of `corpus/TARGET`, what Apache wrote (`conformance/bytes`), and
//! mutations of both. No decoder may panic, nor allocate more than a small multiple of what it is given.
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions

use std::alloc::System;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use zk_fuzz::{TARGETS, Target};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The allocator counts for the whole process, so the tests take turns.
static TURN: Mutex<()> = Mutex::new(());

/// Inputs for each target on each run. `FUZZ_MUTATIONS` asks for more.
const MUTATIONS: usize = 4_000;

/// Xorshift: the same inputs on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

fn crate_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn unhex(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn files_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_file() {
            found.push((
                path.file_name().unwrap().to_string_lossy().into_owned(),
                fs::read(path).unwrap(),
            ));
        }
    }
    found.sort();
    found
}

/// The two directions of each recorded connection, with the line that introduces it; `framed` keeps the messages of
/// a connection apart.
fn recorded(name: &str, framed: bool) -> Vec<(String, bool, Vec<u8>)> {
    let text =
        fs::read_to_string(crate_folder().join("../../conformance/bytes").join(name)).unwrap();
    let mut found: Vec<(String, bool, Vec<u8>)> = Vec::new();
    let (mut about, mut first) = (String::new(), 0);
    for line in text.lines() {
        let (mark, rest) = line.split_once(' ').unwrap();
        match mark {
            "connection" => (about, first) = (rest.into(), found.len()),
            ">" | "<" => {
                let from_dialler = mark == ">";
                let earlier = found[first..]
                    .iter_mut()
                    .find(|(_, from, _)| !framed && *from == from_dialler);
                match earlier {
                    Some((_, _, bytes)) => bytes.extend(unhex(rest)),
                    None => found.push((about.clone(), from_dialler, unhex(rest))),
                }
            }
            _ => {}
        }
    }
    found
}

/// What Apache wrote that this target reads.
fn golden(target: &str) -> Vec<Vec<u8>> {
    let frames = || recorded("client-3.9.5.txt", true).into_iter();
    let ensembles = || {
        ["quorum-3.8.0.txt", "reconfig-3.8.0.txt"]
            .into_iter()
            .flat_map(|name| recorded(name, false))
    };
    let disk = |prefix: &str| {
        let folder = crate_folder().join("../../conformance/bytes/disk-3.9.5");
        files_in(&folder)
            .into_iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(_, bytes)| bytes)
            .collect()
    };
    match target {
        "connect" => frames()
            .map(|(.., frame)| frame[4..].to_vec())
            .filter(|frame| frame.starts_with(&[0; 4]))
            .collect(),
        "request" => frames()
            .filter(|(_, from, _)| *from)
            .map(|(.., frame)| frame[4..].to_vec())
            .collect(),
        "response" => {
            let bodies: Vec<Vec<u8>> = frames()
                .filter(|(_, from, frame)| !from && frame.len() > 20)
                .map(|(.., frame)| frame[20..].to_vec())
                .collect();
            // Which op a reply answers is not in it: try a few.
            let ops = [1, 3, 4, 6, 8, 12, 14, 15, 22, 103, 104, 106, 107];
            ops.iter()
                .flat_map(|op: &i32| {
                    bodies
                        .iter()
                        .map(|body| [&op.to_be_bytes()[..], body].concat())
                })
                .collect()
        }
        "txn" | "log" => {
            let logs: Vec<Vec<u8>> = disk("log.");
            if target == "log" {
                logs
            } else {
                logs.iter().flat_map(|log| payloads(log)).collect()
            }
        }
        "snapshot" => disk("snapshot."),
        "election" => ensembles()
            .filter(|(about, from, _)| about.contains("election") && *from)
            .map(|(.., bytes)| bytes)
            .collect(),
        "packets" => ensembles()
            .filter(|(about, ..)| about.contains("quorum"))
            .map(|(.., bytes)| bytes)
            .collect(),
        "forwarded" => {
            let streams = ensembles().filter(|(about, from, _)| about.contains("quorum") && *from);
            streams
                .map(|(.., bytes)| bytes.get(12..).unwrap_or_default().to_vec())
                .collect()
        }
        _ => panic!("{target}"),
    }
}

/// The payloads of a log's records.
fn payloads(log: &[u8]) -> Vec<Vec<u8>> {
    let (mut found, mut at) = (Vec::new(), 16);
    loop {
        let len = u32::from_be_bytes(log[at + 8..at + 12].try_into().unwrap()) as usize;
        if len == 0 {
            return found;
        }
        found.push(log[at + 12..at + 12 + len].to_vec());
        at += len + 13;
    }
}

/// Numbers that lengths, counts and types go wrong with.
const ODD: [i32; 12] = [
    i32::MIN,
    -3,
    -2,
    -1,
    0,
    1,
    2,
    0xff,
    0xffff,
    0xf_ffff,
    0x1f_ffff,
    i32::MAX,
];

fn mutate(random: &mut Random, inputs: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = random.pick(inputs).clone();
    for _ in 0..=random.below(3) {
        let at = random.below(bytes.len());
        match random.below(6) {
            0 if !bytes.is_empty() => bytes[at] = random.next() as u8,
            1 if !bytes.is_empty() => bytes[at] ^= 1 << random.below(8),
            2 => bytes.truncate(at),
            3 => {
                let odd = random.pick(&ODD).to_be_bytes();
                let end = bytes.len().min(at + 4);
                bytes.splice(at..end, odd);
            }
            4 => {
                let other = random.pick(inputs);
                let from = random.below(other.len());
                bytes.truncate(at);
                bytes.extend(&other[from..]);
            }
            _ => bytes.insert(at, random.next() as u8),
        }
    }
    bytes
}

/// Bytes that a target may allocate in all for an input, what it frees again included: it decodes, encodes and
/// decodes again; vectors double as they grow; and the smallest part of a multi (12 bytes) takes nearly ten times its size.
// spec: FT-CON-08, FT-QRM-02, QP-GEN-01, CP-JUT-13, DF-ALG-09
fn allowance(input: usize) -> usize {
    32 * input + 16 * 1024
}

fn run(target: Target, input: &[u8]) -> usize {
    let region = Region::new(ALLOCATOR);
    target.1(input);
    let allocated = region.change().bytes_allocated;
    assert!(
        allocated <= allowance(input.len()),
        "{} allocates {allocated} bytes for {input:02x?}",
        target.0
    );
    allocated
}

// spec: FT-CON-08, FT-QRM-01, CP-FRM-10
#[test]
fn targets_survive_their_corpora() {
    let _turn = TURN.lock();
    let wanted = std::env::var("FUZZ_MUTATIONS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(MUTATIONS);
    for target in TARGETS {
        let stored = files_in(&crate_folder().join("corpus").join(target.0));
        let inputs: Vec<Vec<u8>> = stored
            .into_iter()
            .map(|(_, bytes)| bytes)
            .chain(golden(target.0))
            .collect();
        assert!(inputs.len() > 3, "{} has no corpus", target.0);
        let mut worst = 0.0f64;
        let mut random = Random(0x5eed_0000 + target.0.len() as u64);
        let mutated = (0..wanted).map(|_| mutate(&mut random, &inputs));
        for input in inputs.iter().cloned().chain(mutated) {
            worst = worst.max(run(target, &input) as f64 / (input.len() + 128) as f64);
        }
        println!(
            "{}: {} inputs, {wanted} mutations, at most {worst:.1} bytes a byte",
            target.0,
            inputs.len()
        );
    }
}

/// Each stored input says by its name what it is, and that it is refused.
// spec: FT-CON-08, FT-QRM-02, CP-JUT-10
#[test]
fn hostile_lengths_cost_nothing() {
    let _turn = TURN.lock();
    let mut count = 0;
    for target in TARGETS {
        for (name, bytes) in files_in(&crate_folder().join("corpus").join(target.0)) {
            let region = Region::new(ALLOCATOR);
            target.1(&bytes);
            let allocated = region.change().bytes_allocated;
            assert!(
                allocated < 4096,
                "{}/{name} costs {allocated} bytes",
                target.0
            );
            count += 1;
        }
    }
    assert!(count >= 15, "{count}");
}
