//! Oracle mode: the same random requests go to two servers, and what they
//! answer must be the same once times, session ids and zxids have names.

pub mod canon;
pub mod generate;
pub mod shrink;

use std::net::SocketAddr;
use std::time::Instant;

use crate::control::Control;
use crate::engine::Stop;
use crate::engine::run::{Run, Target};
use crate::script::eval::wall_clock_ms;
use crate::script::parse;
use generate::{Random, episode};

/// Requests of one episode; each has its own znode and sessions.
const EPISODE: usize = 60;

#[derive(Debug, Clone)]
pub struct Setup {
    pub left: SocketAddr,
    pub right: SocketAddr,
    pub seed: u64,
    pub ops: usize,
    /// Leave out what the two servers are known to do differently.
    pub skip: Vec<String>,
    /// The left server is of 3.8, the right one as 3.9.
    pub left_is_3_8: bool,
}

impl Setup {
    /// True if one answer to `line` is the other, but for what 3.8 is known to do differently.
    fn alike(&self, line: &str, left: &str, right: &str) -> bool {
        if !self.left_is_3_8 {
            return left == right;
        }
        let op = line.split_whitespace().nth(1);
        // spec: CP-WAT-31. Every event of 3.8 carries -1, so that nothing else passes for it.
        left == canon::events_without_zxid(right)
            // spec: CP-PRE-15. Debian's 3.8.0 shows the stat to whoever asks.
            || op == Some("exists") && right == "NoAuth" && left.starts_with("ok czxid=")
            // spec: CP-WAT-54. 3.8 finds the watches of other connections too, and refuses what is no path.
            || op == Some("checkWatches")
                && right == "NoWatcher"
                && matches!(left, "ok" | "MarshallingError")
    }
}

/// A sequence after which the servers differ, as short as it could be made.
#[derive(Debug)]
pub struct Difference {
    pub lines: Vec<String>,
    /// The line that differs, and what each server answered.
    pub at: String,
    pub left: String,
    pub right: String,
    /// Episode in which it was found.
    pub episode: usize,
}

/// Runs until `ops` requests have been compared; the first difference ends it.
/// `progress` is told the number of requests compared so far.
pub fn diff(setup: &Setup, progress: impl Fn(usize)) -> Result<Option<Difference>, Stop> {
    let mut random = Random::new(setup.seed);
    let mut done = 0;
    let mut number = 0;
    while done < setup.ops {
        let lines = episode(&mut random, EPISODE.min(setup.ops - done), &setup.skip);
        if let Some(found) = compare(setup, &lines)? {
            let lines = shrink::shrink(lines, |lines| {
                compare(setup, lines).is_ok_and(|found| found.is_some())
            });
            let found = compare(setup, &lines)?.unwrap_or(found);
            return Ok(Some(Difference {
                at: found.at,
                left: found.left,
                right: found.right,
                lines,
                episode: number,
            }));
        }
        done += lines.len();
        number += 1;
        progress(done);
    }
    Ok(None)
}

struct Found {
    at: String,
    left: String,
    right: String,
}

/// Runs `lines` on both servers at a time.
fn compare(setup: &Setup, lines: &[String]) -> Result<Option<Found>, Stop> {
    let root = format!("/zkd-{:x}{:x}", wall_clock_ms(), std::process::id());
    let (left, right) = std::thread::scope(|scope| {
        let left = scope.spawn(|| observe(setup.left, &root, lines));
        let right = observe(setup.right, &root, lines);
        (left.join(), right)
    });
    let left = left.map_err(|_| Stop::Harness("a thread panicked".into()))??;
    let right = right?;
    let pairs = lines.iter().zip(left.into_iter().zip(right));
    Ok(pairs
        .into_iter()
        .find(|(line, (left, right))| !setup.alike(line, left, right))
        .map(|(line, (left, right))| Found {
            at: line.clone(),
            left,
            right,
        }))
}

/// What one server does, a text for each line.
fn observe(address: SocketAddr, root: &str, lines: &[String]) -> Result<Vec<String>, Stop> {
    let target = Target {
        servers: vec![address],
        cluster: None,
    };
    let mut control = Control::open(address)?;
    control.create(root)?;
    let mut run = Run::new(&target, address, root.to_owned());
    let mut names = canon::Names::new(root);
    let mut seen = Vec::with_capacity(lines.len());
    for line in lines {
        let steps = parse::script(line)?;
        for step in &steps {
            seen.push(canon::step(&mut run, &mut names, step)?);
        }
    }
    run.finish();
    control.remove(root)?;
    control.close();
    Ok(seen)
}

/// Requests a second, for the summary.
pub fn rate(ops: usize, since: Instant) -> u64 {
    let ms = since.elapsed().as_millis().max(1);
    u64::try_from(ops as u128 * 1000 / ms).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(left_is_3_8: bool) -> Setup {
        Setup {
            left: SocketAddr::from(([127, 0, 0, 1], 1)),
            right: SocketAddr::from(([127, 0, 0, 1], 2)),
            seed: 1,
            ops: 1,
            skip: Vec::new(),
            left_is_3_8,
        }
    }

    #[test]
    fn only_what_3_8_does_otherwise_is_alike_and_only_on_the_left() {
        let (old, new) = (
            "ok zxid=#1; a: [X ~/a zxid -1]",
            "ok zxid=#1; a: [X ~/a zxid a txn]",
        );
        let (line, strict, lenient) = ("b: create ~/a", setup(false), setup(true));
        assert!(!strict.alike(line, old, new) && strict.alike(line, new, new));
        assert!(lenient.alike(line, old, new) && lenient.alike(line, old, old));
        assert!(!lenient.alike(line, new, old) && !lenient.alike(line, new, new));
        assert!(!lenient.alike(line, "ok zxid=#1", new));
        assert!(!lenient.alike(line, "ok zxid=#2; a: [X ~/a zxid -1]", new));
        assert!(lenient.alike("a: exists ~", "ok czxid=#0", "NoAuth"));
        assert!(!lenient.alike("a: exists ~", "NoNode", "NoAuth"));
        assert!(!lenient.alike("a: exists ~", "NoAuth", "ok czxid=#0"));
        assert!(!lenient.alike("a: getData ~", "ok czxid=#0", "NoAuth"));
        assert!(lenient.alike("a: checkWatches ~ type=1", "ok", "NoWatcher"));
        assert!(!lenient.alike("a: checkWatches ~ type=1", "NoWatcher", "ok"));
        assert!(!lenient.alike("a: removeWatches ~ type=1", "ok", "NoWatcher"));
        assert!(!strict.alike("a: exists ~", "ok czxid=#0", "NoAuth"));
    }
}
