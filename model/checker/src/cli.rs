//! The command line. JSON goes to standard output and is alone there; progress and tables for people go to standard error
//! with `--json`, else tables go to standard output.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, Subcommand};

use crate::run::MemoryLimit;
use crate::runs::Tier;
use crate::setup::{Bounds, Setup};

mod check;
mod mutants;
mod progress;
mod replay;
mod simulate;
mod table;
mod trace;

/// Explores the ZAB core exhaustively and proves that the exploration would notice a bug.
#[derive(Debug, Parser)]
#[command(name = "zab-checker", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Names the configurations, mutants and properties.
    List {
        /// Only the names of the configurations that are run then, one a line.
        #[arg(long)]
        tier: Option<Tier>,
    },
    /// Explores a configuration completely, or says where it was cut.
    Check {
        name: String,
        /// elections,txns,crashes,breaks (GC: 0, operations of a client, expiries, breaks; G2: 0,0,crashes,0)
        #[arg(long)]
        bounds: Option<Bounds>,
        #[arg(long)]
        servers: Option<u8>,
        /// Make it a mutant.
        #[arg(long)]
        mutant: Option<String>,
        /// Judge by these properties alone: S14,L2.
        #[arg(long, value_delimiter = ',')]
        judged: Vec<String>,
        /// Follow one state in so many to where it leads, for L2 to L5.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
        followed_one_in: Option<u64>,
        /// How many data directories of dead servers may be wiped.
        #[arg(long)]
        wipes: Option<u8>,
        /// Wiped directories get an `initialize` file.
        #[arg(long)]
        initialize: bool,
        /// Leaders do as Java's: COMMITs between NEWLEADER and UPTODATE, strict first ACKs.
        #[arg(long)]
        java: bool,
        #[arg(long)]
        json: bool,
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// Give up after so many seconds.
        #[arg(long)]
        seconds: Option<u64>,
        /// Give up after so many generated states.
        #[arg(long)]
        states: Option<usize>,
        /// Give up when the process has so many MiB.
        #[arg(long)]
        memory: Option<u64>,
        /// Without symmetry reduction.
        #[arg(long)]
        no_symmetry: bool,
        /// Where to write a counterexample.
        #[arg(long)]
        out: Option<PathBuf>,
        /// Store what the run found in this folder, for `table`.
        #[arg(long)]
        store: Option<PathBuf>,
        /// What names the sources, for the record.
        #[arg(long)]
        source: Option<String>,
    },
    /// Makes the results table of stored runs.
    Table {
        folder: PathBuf,
        /// Put it between the markers of this page instead of printing it.
        #[arg(long)]
        write: Option<PathBuf>,
    },
    /// Searches each mutant until a violation of its property; fails when one survives.
    Mutants {
        ids: Vec<String>,
        #[arg(long)]
        json: bool,
        /// Replay the stored counterexamples in this folder instead of searching, where there is one.
        #[arg(long)]
        replay: Option<PathBuf>,
        /// Store counterexamples in this folder.
        #[arg(long)]
        store: Option<PathBuf>,
        /// Search within these bounds instead of those at which each is known to be found.
        #[arg(long)]
        bounds: Option<Bounds>,
    },
    /// Walks at random with rare faults, beyond the bounds that can be exhausted.
    Simulate {
        name: String,
        #[arg(long)]
        seed: u64,
        #[arg(long)]
        steps: usize,
        #[arg(long)]
        bounds: Option<Bounds>,
        #[arg(long)]
        servers: Option<u8>,
        #[arg(long)]
        json: bool,
        /// Where to write a counterexample.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Replays a stored counterexample and tells it step by step.
    Replay { counterexample: PathBuf },
    /// Validates recorded traces of real servers: all files of all members of an ensemble.
    Trace {
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Do not judge the properties; the trace may then begin with a history.
        #[arg(long)]
        no_properties: bool,
        #[arg(long)]
        json: bool,
    },
    /// Serves stateright's Explorer: a configuration, or a stored counterexample.
    Explore {
        name: String,
        #[arg(long, default_value = "127.0.0.1:3000")]
        addr: String,
    },
}

/// What a command reports: whether all is well.
type Verdict = anyhow::Result<bool>;

/// Runs the command line; the answer decides the exit status.
pub fn run() -> Verdict {
    match Cli::parse().command {
        Command::List { tier: None } => list(),
        Command::List { tier: Some(tier) } => names(tier),
        Command::Check {
            name,
            bounds,
            servers,
            mutant,
            judged,
            followed_one_in,
            wipes,
            initialize,
            java,
            json,
            threads,
            seconds,
            states,
            memory,
            no_symmetry,
            out,
            store,
            source,
        } => {
            let named = check::setup_of(&name)?;
            let mut setup = Setup {
                bounds: bounds.unwrap_or(named.bounds),
                servers: servers.unwrap_or(named.servers),
                wipes: wipes.unwrap_or(named.wipes),
                initialize: initialize || named.initialize,
                java: java || named.java,
                judged: if judged.is_empty() {
                    named.judged.clone()
                } else {
                    judged
                },
                ..named.clone()
            };
            if setup != named {
                // What must be reached was said of the configuration as it is named.
                setup.expected.clear();
            }
            setup.mutant = mutant.or(setup.mutant);
            if let Some(one_in) = followed_one_in {
                anyhow::ensure!(
                    setup.follows(),
                    "--followed-one-in: {:?} follows no states",
                    setup.granularity
                );
                setup.followed_one_in = one_in;
            }
            let limits = crate::run::Limits {
                time: seconds.map_or(Duration::from_secs(7 * 24 * 3600), Duration::from_secs),
                states: states.unwrap_or(usize::MAX),
                threads,
                symmetry: !no_symmetry,
                memory: memory.map(|mib| MemoryLimit {
                    mib,
                    used_mib: progress::memory_mb,
                }),
            };
            let output = check::Output {
                json,
                out: out.as_deref(),
                store: store.as_deref(),
                source: source.as_deref(),
            };
            check::check(&name, setup, &limits, output)
        }
        Command::Table { folder, write } => table::table(&folder, write.as_deref()),
        Command::Mutants {
            ids,
            json,
            replay,
            store,
            bounds,
        } => mutants::mutants(&ids, bounds, json, replay.as_deref(), store.as_deref()),
        Command::Simulate {
            name,
            seed,
            steps,
            bounds,
            servers,
            json,
            out,
        } => simulate::simulate(&name, seed, steps, (bounds, servers), json, out.as_deref()),
        Command::Replay { counterexample } => replay::replay(&counterexample),
        Command::Trace {
            files,
            no_properties,
            json,
        } => trace::trace(&files, !no_properties, json),
        Command::Explore { name, addr } => replay::explore(Path::new(&name), &name, &addr),
    }
}

fn list() -> Verdict {
    println!("Configurations:");
    for named in crate::runs::named() {
        println!(
            "  {:<12} {} [{}]",
            named.name, named.about, named.setup.bounds
        );
    }
    println!("Mutants:");
    for mutant in crate::mutated::mutants() {
        println!(
            "  {:<4} violates {:<4} {}",
            mutant.id, mutant.property, mutant.about
        );
    }
    println!("Properties:");
    for (id, statement) in properties() {
        println!("  {id:<4} {statement}");
    }
    Ok(true)
}

fn names(tier: Tier) -> Verdict {
    for named in crate::runs::named().iter().filter(|it| it.tier == tier) {
        println!("{}", named.name);
    }
    Ok(true)
}

/// All properties with their statements.
pub(crate) fn properties() -> Vec<(&'static str, &'static str)> {
    let safety = zab_properties::safety::all::<u8>()
        .into_iter()
        .map(|it| (it.id, it.statement));
    let election = zab_properties::election::all()
        .into_iter()
        .map(|it| (it.id, it.statement));
    let client = zab_properties::client::all()
        .into_iter()
        .map(|it| (it.id, it.statement));
    safety
        .chain(election)
        .chain(client)
        .chain(crate::ensemble::LIVENESS)
        .collect()
}
