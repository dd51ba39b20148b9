//! The command line.

use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::{Args, Parser, Subcommand};

use crate::case::{self, Case, Need};
use crate::claim::{self, Claim};
use crate::control::probe;
use crate::diff::{self, Setup};
use crate::engine::cluster::Cluster;
use crate::engine::links;
use crate::engine::run::Target;
use crate::outcome::{Outcome, RunResult};
use crate::profile::Version;
use crate::report::{self, terminal};
use crate::runner::{self, Plan};
use crate::script::eval::wall_clock_ms;

/// Tests whether a server behaves as Apache ZooKeeper does.
#[derive(Debug, Parser)]
#[command(name = "zk-conformance", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the cases
    List(ListArgs),
    /// Run cases against a server or an ensemble
    Run(RunArgs),
    /// Put JSON reports side by side
    Compare(CompareArgs),
    /// Make a claim of runs, or the compatibility page of claims
    Claim(ClaimArgs),
    /// Send the same random requests to two servers and compare the answers
    Diff(DiffArgs),
    /// Forward the links between the servers of an ensemble (for driver scripts)
    Links(LinksArgs),
}

#[derive(Debug, Args)]
struct ListArgs {
    /// Only cases of this ZooKeeper version
    #[arg(long)]
    profile: Option<Version>,
    /// IDs or their beginnings
    ids: Vec<String>,
    /// Count cases by area instead
    #[arg(long)]
    count: bool,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Client addresses, HOST:PORT[,HOST:PORT...]; not needed with --driver
    #[arg(long, value_delimiter = ',')]
    servers: Vec<String>,
    /// ZooKeeper version that the server claims: 3.8.0, 3.8, 3.9.5, 3.9
    #[arg(long)]
    profile: Version,
    /// IDs or their beginnings; all if none is given
    ids: Vec<String>,
    /// json=FILE, junit=FILE, tap=FILE, html=FILE; may be repeated
    #[arg(long = "report")]
    reports: Vec<String>,
    /// Commands that start, stop and disturb the servers
    #[arg(long)]
    driver: Option<PathBuf>,
    /// Include cases that can hurt a server that is not robust
    #[arg(long)]
    hazardous: bool,
    /// Cases at a time
    #[arg(long, default_value_t = 16)]
    parallel: usize,
    /// What the target is set up with; without this the suite finds out, and spares a server that does not act like it
    #[arg(long = "set-up", value_delimiter = ',')]
    set_up: Vec<Need>,
    /// How often a case that fails runs again, to tell FAIL from FLAKY
    #[arg(long, default_value_t = 2)]
    retries: usize,
    /// Run in another order
    #[arg(long)]
    shuffle: Option<u64>,
    /// What reports call the target
    #[arg(long)]
    name: Option<String>,
    /// Print the wire transcript of every case that does not pass
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Debug, Args)]
struct CompareArgs {
    /// JSON reports of `run`
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write the matrix as one HTML page
    #[arg(long)]
    html: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ClaimArgs {
    #[command(subcommand)]
    what: ClaimCommand,
}

#[derive(Debug, Subcommand)]
enum ClaimCommand {
    /// Make a claim of JSON reports of one server
    Make {
        /// Reports of `run`, standalone and of an ensemble
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        /// What the server is called
        #[arg(long)]
        name: String,
        /// Commit that the server was built of, if its version does not name it
        #[arg(long)]
        commit: Option<String>,
        /// Case that does not count, ID=REASON; may be repeated
        #[arg(long = "exclude")]
        exclusions: Vec<String>,
        /// Where the claim goes
        #[arg(long)]
        out: PathBuf,
        /// Also draw a badge
        #[arg(long)]
        badge: Option<PathBuf>,
    },
    /// Write the compatibility page
    Page {
        /// Claims, in the order of the page's columns
        #[arg(required = true)]
        claims: Vec<PathBuf>,
        /// What the suite makes of Apache's test classes
        #[arg(long)]
        manifest: PathBuf,
        /// Where the page goes
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// Client address of one server, HOST:PORT
    #[arg(long)]
    left: String,
    /// Client address of the other
    #[arg(long)]
    right: String,
    /// The same seed gives the same requests
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Requests to compare
    #[arg(long, default_value_t = 5000)]
    ops: usize,
    /// Requests to leave out, because the servers are known to differ: words, or names of arguments; several
    /// words in quotes leave out requests that have all of them
    #[arg(long, value_delimiter = ',')]
    skip: Vec<String>,
    /// The left server is of 3.8, the right one as 3.9: three things that they answer otherwise count as alike
    /// (events carry no zxid; exists asks for no permission; checkWatches finds other connections' watches too)
    #[arg(long)]
    left_is_3_8: bool,
}

#[derive(Debug, Args)]
struct LinksArgs {
    /// Lines `FROM TO LISTEN TARGET`: two server numbers, two ports on loopback
    file: PathBuf,
    /// Folder in which a file named after a server cuts it off
    #[arg(long)]
    cut: PathBuf,
}

impl Cli {
    /// `true` if everything that was asked for holds.
    pub fn execute(self) -> Result<bool> {
        match self.command {
            Command::List(args) => list(&args),
            Command::Run(args) => run(&args),
            Command::Compare(args) => compare(&args),
            Command::Claim(args) => claims(args.what),
            Command::Diff(args) => compare_servers(&args),
            Command::Links(args) => {
                let text = fs::read_to_string(&args.file)
                    .with_context(|| format!("reading {}", args.file.display()))?;
                links::forward(&text, &args.cut).map(|()| true)
            }
        }
    }
}

fn list(args: &ListArgs) -> Result<bool> {
    let mut cases = case::all().map_err(|why| anyhow!(why))?;
    cases.retain(|case| selected(case, args.profile, &args.ids));
    if args.count {
        let mut areas: Vec<(&str, usize)> = Vec::new();
        for case in &cases {
            match areas.iter_mut().find(|(area, _)| *area == case.area()) {
                Some((_, count)) => *count += 1,
                None => areas.push((case.area(), 1)),
            }
        }
        for (area, count) in &areas {
            println!("{count:>5} {area}");
        }
        println!("{:>5} all", cases.len());
        return Ok(true);
    }
    for case in &cases {
        println!(
            "{:<28} {:<6} {}",
            case.id,
            format!("{:?}", case.level).to_uppercase(),
            case.text
        );
    }
    Ok(true)
}

fn selected(case: &Case, profile: Option<Version>, ids: &[String]) -> bool {
    profile.is_none_or(|profile| profile.within(case.since, case.until))
        && (ids.is_empty() || ids.iter().any(|id| matches_id(&case.id, id)))
}

/// `acl` and `acl/world` select whole areas and sections.
fn matches_id(id: &str, wanted: &str) -> bool {
    id == wanted
        || id
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with('/'))
}

fn run(args: &RunArgs) -> Result<bool> {
    let result = run_target(args)?;
    for item in &result.results {
        if item.outcome.is_against() && (args.verbose || args.ids.contains(&item.id)) {
            println!("{}", terminal::transcript(item));
        }
    }
    print!("{}", terminal::summary(&result));
    for report in &args.reports {
        let (format, path) = report.split_once('=').context("--report FORMAT=FILE")?;
        report::write(format, Path::new(path), &result)?;
    }
    Ok(result.is_green())
}

fn run_target(args: &RunArgs) -> Result<RunResult> {
    let cluster = match &args.driver {
        Some(path) => Some(Cluster::load(path)?),
        None => None,
    };
    if let Some(cluster) = &cluster {
        cluster.setup()?;
    }
    let servers = match &cluster {
        Some(cluster) if args.servers.is_empty() => cluster.servers(),
        _ => resolve(&args.servers)?,
    };
    let target = Target {
        servers,
        cluster: cluster.map(Mutex::new),
    };
    let result = settle(&target).and_then(|()| run_cases(args, &target));
    if let Some(cluster) = &target.cluster
        && let Ok(cluster) = cluster.lock()
    {
        cluster.teardown()?;
    }
    result
}

fn settle(target: &Target) -> Result<()> {
    if let Some(cluster) = &target.cluster
        && let Ok(cluster) = cluster.lock()
    {
        cluster.settle()?;
    }
    Ok(())
}

fn run_cases(args: &RunArgs, target: &Target) -> Result<RunResult> {
    let first = *target
        .servers
        .first()
        .context("no server given (--servers HOST:PORT)")?;
    let tag = format!("{:x}{:x}", wall_clock_ms(), std::process::id());
    let mut facts =
        probe(first, &format!("/zkc-{tag}-probe")).with_context(|| format!("asking {first}"))?;
    args.set_up.iter().for_each(|need| facts.assume(*need));
    let mut cases = case::all().map_err(|why| anyhow!(why))?;
    cases.retain(|case| {
        selected(case, Some(args.profile), &args.ids) && (args.hazardous || !case.hazardous)
    });
    if cases.is_empty() {
        bail!("no case of profile {} matches", args.profile);
    }
    if let Some(seed) = args.shuffle {
        shuffle(&mut cases, seed);
    }
    let started = Instant::now();
    let mut results = runner::run(&Plan {
        target,
        facts: &facts,
        cases,
        workers: args.parallel.max(1),
        retries: args.retries,
        progress: &terminal::progress,
        tag,
    });
    results.sort_by(|left, right| left.id.cmp(&right.id));
    Ok(RunResult {
        suite_version: env!("CARGO_PKG_VERSION").to_owned(),
        suite_hash: case::suite_hash(),
        profile: args.profile,
        name: args.name.clone().unwrap_or_else(|| first.to_string()),
        server_version: facts.version,
        mode: facts.mode,
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        results,
    })
}

fn resolve(names: &[String]) -> Result<Vec<SocketAddr>> {
    names
        .iter()
        .map(|name| {
            let mut found = name
                .to_socket_addrs()
                .with_context(|| format!("address {name}"))?;
            found.next().with_context(|| format!("address {name}"))
        })
        .collect()
}

/// Fisher and Yates with a small linear congruential generator.
fn shuffle(cases: &mut [Case], seed: u64) {
    let mut state = seed;
    for last in (1..cases.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pick = usize::try_from(state >> 33).unwrap_or_default() % (last + 1);
        cases.swap(last, pick);
    }
}

fn compare_servers(args: &DiffArgs) -> Result<bool> {
    let address = |name: &String| {
        let found = resolve(std::slice::from_ref(name))?;
        found.first().copied().context("no address")
    };
    let setup = Setup {
        left: address(&args.left)?,
        right: address(&args.right)?,
        seed: args.seed,
        ops: args.ops,
        skip: args.skip.clone(),
        left_is_3_8: args.left_is_3_8,
    };
    let started = Instant::now();
    let found = diff::diff(&setup, |done| terminal::counter(done, args.ops))?;
    let Some(found) = found else {
        let rate = diff::rate(args.ops, started);
        println!(
            "{} requests of seed {} answered alike ({rate}/s)",
            args.ops, args.seed
        );
        return Ok(true);
    };
    println!(
        "seed {}, episode {}: the servers differ after",
        args.seed, found.episode
    );
    for line in &found.lines {
        println!("  {line}");
    }
    println!(
        "at    {}\nleft  {}\nright {}",
        found.at, found.left, found.right
    );
    Ok(false)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| path.display().to_string())
}

fn claims(what: ClaimCommand) -> Result<bool> {
    let cases = case::all().map_err(|why| anyhow!(why))?;
    match what {
        ClaimCommand::Make {
            runs,
            name,
            commit,
            exclusions,
            out,
            badge,
        } => {
            let mut runs = read_all(&runs)?;
            runs.iter_mut()
                .for_each(|run: &mut RunResult| run.name.clone_from(&name));
            let exclusions = exclusions
                .iter()
                .map(|text| text.split_once('=').context("--exclude ID=REASON"))
                .map(|pair| pair.map(|(id, reason)| (id.to_owned(), reason.to_owned())))
                .collect::<Result<_>>()?;
            let mut claim = claim::claim(&runs, &cases, exclusions)?;
            claim.commit = commit;
            fs::write(&out, format!("{}\n", serde_json::to_string_pretty(&claim)?))?;
            if let Some(path) = badge {
                fs::write(path, claim::badge(&claim))?;
            }
            println!("{}: {}", claim.name, claim.tier.name());
        }
        ClaimCommand::Page {
            claims,
            manifest,
            out,
        } => {
            let claims: Vec<Claim> = read_all(&claims)?;
            let manifest = toml::from_str(&fs::read_to_string(&manifest)?)?;
            fs::write(&out, claim::page(&claims, &cases, &manifest)?)?;
        }
    }
    Ok(true)
}

fn read_all<T: serde::de::DeserializeOwned>(paths: &[PathBuf]) -> Result<Vec<T>> {
    paths.iter().map(|path| read_json(path)).collect()
}

fn compare(args: &CompareArgs) -> Result<bool> {
    let runs: Vec<RunResult> = read_all(&args.files)?;
    print!("{}", matrix(&runs));
    if let Some(path) = &args.html {
        fs::write(path, report::html::render(&runs)?)
            .with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(runs.iter().all(RunResult::is_green))
}

/// Cases on which the runs differ, one line each.
fn matrix(runs: &[RunResult]) -> String {
    let mut ids: Vec<&str> = runs
        .iter()
        .flat_map(|run| &run.results)
        .map(|result| result.id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let mut text = String::new();
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    text.push_str(&format!("{:<28} {}\n", "case", names.join(" | ")));
    let mut same = 0;
    for id in &ids {
        let outcome = |run: &RunResult| {
            let found = run.results.iter().find(|result| result.id == *id);
            found.map(|result| result.outcome)
        };
        let outcomes: Vec<Option<Outcome>> = runs.iter().map(outcome).collect();
        if outcomes
            .iter()
            .all(|outcome| *outcome == Some(Outcome::Pass))
        {
            same += 1;
            continue;
        }
        let shown: Vec<&str> = outcomes
            .iter()
            .map(|outcome| outcome.map_or("-", Outcome::name))
            .collect();
        text.push_str(&format!("{id:<28} {}\n", shown.join(" | ")));
    }
    text.push_str(&format!("{same} of {} cases pass everywhere\n", ids.len()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_selects_itself_and_what_is_below() {
        assert!(matches_id("acl/world/01", "acl"));
        assert!(matches_id("acl/world/01", "acl/world/01"));
        assert!(!matches_id("acl/world/01", "ac"));
    }

    #[test]
    fn shuffling_keeps_every_case_and_follows_the_seed() {
        let cases = case::all().expect("cases parse");
        let ids = |seed| {
            let mut cases = cases.clone();
            shuffle(&mut cases, seed);
            cases.into_iter().map(|case| case.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(1), ids(1));
        let (mut left, mut right) = (ids(1), ids(2));
        left.sort();
        right.sort();
        assert_eq!(left, right);
    }
}
