//! The suite finds what is wrong: a server with one deliberate misbehaviour is failed by the case that `mutants.toml`
//! records for it. The misbehaviours themselves are in `impl/tree/src/mutant.rs`.
#![allow(
    clippy::expect_used,
    reason = "helpers of tests: a failed expectation is a failed test"
)]

mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Condvar, Mutex, OnceLock};

use sha2::{Digest, Sha256};

use harness::{SET_UP, SUITE, start, top};
use zk_conformance::case;
use zk_conformance::outcome::{Outcome, RunResult};
use zk_conformance::profile::Version;

/// Servers at a time; they wait more than they work.
const AT_A_TIME: usize = 16;
/// The same where each is asked everything.
const AT_A_TIME_FOR_ALL_CASES: usize = 6;
/// Ensembles at a time: as many as `drivers/ensemble.sh` has ports for, at most.
const ENSEMBLES_AT_A_TIME: usize = 6;
/// What ensembles of mutants are asked by `just mutants`, beside the section of their killer: what takes seconds.
const OF_ENSEMBLES: &[&str] = &[
    "cluster/write",
    "cluster/read",
    "cluster/move",
    "cluster/watch",
    "cluster/expiry",
    "cluster/equal/01",
    "cluster/loss/03",
    "cluster/loss/04",
    "cluster/loss/07",
];

#[derive(serde::Deserialize)]
struct Table {
    mutant: Vec<Mutant>,
}

/// A line of `mutants.toml`.
#[derive(Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Mutant {
    id: String,
    what: String,
    /// The case that fails it.
    killer: String,
    /// It shows in an ensemble only.
    #[serde(default)]
    ensemble: bool,
    /// `just mutants` asks an ensemble of it as well.
    #[serde(default)]
    ensemble_too: bool,
}

fn table() -> Vec<Mutant> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants.toml");
    let text = fs::read_to_string(path).expect("the table of mutants");
    toml::from_str::<Table>(&text)
        .expect("the table parses")
        .mutant
}

/// The program that can misbehave: built here, apart from the one for use.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "-q", "--locked", "-p", "zk-server"])
            .args(["--features", "mutants", "--bin", "vivarium-mutant"])
            .current_dir(top())
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the mutants do not build");
        Path::new(SUITE).with_file_name("vivarium-mutant")
    })
}

/// Runs cases against a standalone server with the misbehaviour; none is the server as it should be.
fn standalone(mutant: Option<&str>, arguments: &[&str]) -> RunResult {
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" server \"$1\""])
        .arg(program());
    command.envs(mutant.map(|mutant| ("VIVARIUM_MUTANT", mutant)));
    let server = start(command);
    let address = server.address.to_string();
    run(mutant, &[&["--servers", &address][..], arguments].concat())
}

/// The same with an ensemble, all of whose servers have the misbehaviour.
fn ensemble(mutant: Option<&str>, arguments: &[&str]) -> RunResult {
    let slot = Slot::take();
    let dir = tempfile::tempdir().expect("a folder");
    let driver = dir.path().join("driver.toml");
    let text = fs::read_to_string(top().join("conformance/drivers/mutant.toml")).expect("a driver");
    // The driver of these ports: 24901 to 24903 stand for servers 1 to 3.
    let text = text
        .replace(
            "ensemble.sh mutant ",
            &format!("ensemble.sh mutant-{} ", slot.0),
        )
        .replace("127.0.0.1:249", &format!("127.0.0.1:24{}", slot.0 + 1));
    fs::write(&driver, text).expect("the driver is written");
    let driver = driver.display().to_string();
    run(mutant, &[&["--driver", &driver][..], arguments].concat())
}

/// Ports of one ensemble, held until it has ended.
struct Slot(usize);

static FREE: Mutex<[bool; ENSEMBLES_AT_A_TIME]> = Mutex::new([true; ENSEMBLES_AT_A_TIME]);
static FREED: Condvar = Condvar::new();

impl Slot {
    fn take() -> Self {
        let free = FREE.lock().expect("no other panicked");
        let mut free = FREED
            .wait_while(free, |free| free.iter().all(|free| !free))
            .expect("no other panicked");
        let slot = free.iter().position(|free| *free).expect("one is free");
        free[slot] = false;
        Self(slot)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        FREE.lock().expect("no other panicked")[self.0] = true;
        FREED.notify_one();
    }
}

fn run(mutant: Option<&str>, arguments: &[&str]) -> RunResult {
    let dir = tempfile::tempdir().expect("a folder");
    let report = dir.path().join("report.json");
    let output = Command::new(SUITE)
        .args(["run", "--profile", "3.9.5", "--retries", "0"])
        .args(["--set-up", SET_UP])
        .arg("--report")
        .arg(format!("json={}", report.display()))
        .args(arguments)
        .env("VIVARIUM", program())
        .envs(mutant.map(|mutant| ("VIVARIUM_MUTANT", mutant)))
        .current_dir(top())
        .output()
        .expect("the suite runs");
    let text = fs::read_to_string(&report).unwrap_or_else(|_| {
        let log = String::from_utf8_lossy(&output.stderr);
        panic!("{mutant:?}: no report: {log}")
    });
    serde_json::from_str(&text).expect("the report parses")
}

/// Does `work` for each mutant, several at a time, and collects what it finds.
fn each<T: Send>(
    mutants: &[Mutant],
    at_a_time: usize,
    work: impl Fn(&Mutant) -> T + Sync,
) -> Vec<T> {
    let (next, found) = (Mutex::new(mutants.iter()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                loop {
                    let taken = next.lock().expect("no other panicked").next();
                    let Some(mutant) = taken else { break };
                    let result = work(mutant);
                    found.lock().expect("no other panicked").push(result);
                }
            });
        }
    });
    found.into_inner().expect("no other panicked")
}

#[test]
fn the_table_lists_every_mutant() {
    let output = Command::new(program())
        .arg("list")
        .output()
        .expect("it runs");
    let listed = String::from_utf8(output.stdout).expect("text");
    let table = table();
    let lines = |mutant: &Mutant| format!("{}\t{}", mutant.id, mutant.what);
    for (here, there) in table.iter().map(lines).zip(listed.lines()) {
        assert_eq!(
            here, there,
            "the table is not in the enum's order and words"
        );
    }
    assert_eq!(table.len(), listed.lines().count());
    let cases = case::all().expect("cases parse");
    for mutant in &table {
        assert!(
            cases.iter().any(|case| case.id == mutant.killer),
            "{}: no case {}",
            mutant.id,
            mutant.killer
        );
    }
}

#[test]
fn every_mutant_fails_its_case() {
    let mut mutants = table();
    // Ensembles take their time, one after the other.
    mutants.sort_by_key(|mutant| !mutant.ensemble);
    let wrong: Vec<String> = each(&mutants, AT_A_TIME, |mutant| {
        let run = if mutant.ensemble {
            ensemble
        } else {
            standalone
        };
        let result = run(Some(&mutant.id), &[&mutant.killer]);
        let outcome = result.results.first().map(|result| result.outcome);
        (outcome != Some(Outcome::Fail))
            .then(|| format!("{}: {} is {outcome:?}", mutant.id, mutant.killer))
    })
    .into_iter()
    .flatten()
    .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn without_a_mutant_their_cases_pass() {
    let (ensembles, alone): (Vec<_>, Vec<_>) =
        table().into_iter().partition(|mutant| mutant.ensemble);
    let cases = |mutants: &[Mutant]| -> Vec<String> {
        mutants.iter().map(|mutant| mutant.killer.clone()).collect()
    };
    for (run, mutants) in [
        (standalone as fn(_, &[&str]) -> _, alone),
        (ensemble, ensembles),
    ] {
        let ids = cases(&mutants);
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let result: RunResult = run(None, &ids);
        for case in &result.results {
            assert_eq!(case.outcome, Outcome::Pass, "{}: {}", case.id, case.why);
        }
    }
}

#[test]
fn the_server_for_use_has_no_mutants() {
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "-q",
            "--locked",
            "-p",
            "zk-server",
            "--bin",
            "vivarium",
        ])
        .current_dir(top())
        .status()
        .expect("cargo runs");
    assert!(built.success(), "zk-server does not build");
    let holds = |program: &Path| {
        let bytes = fs::read(program).expect("the program");
        let name = b"VIVARIUM_MUTANT";
        bytes.windows(name.len()).any(|window| window == name)
    };
    assert!(!holds(&Path::new(SUITE).with_file_name("vivarium")));
    assert!(holds(program()));
}

/// `mutants.md` was written with these cases and mutants.
#[test]
fn the_page_is_of_these_cases_and_mutants() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants.md");
    let page = fs::read_to_string(path).expect("the page");
    let stamp = stamp(&table());
    assert!(
        page.contains(&stamp),
        "conformance/mutants.md is of other cases or mutants than {stamp}: run `just mutants`"
    );
}

/// Every mutant against every case, which takes half an hour: `just mutants`.
#[test]
#[ignore = "writes mutants.md; takes half an hour"]
fn every_mutant_against_every_case() {
    let mutants = table();
    // Ensembles take longest.
    let mut order = mutants.clone();
    order.sort_by_key(|mutant| !mutant.ensemble && !mutant.ensemble_too);
    let rows = each(&order, AT_A_TIME_FOR_ALL_CASES, |mutant| {
        let id = Some(mutant.id.as_str());
        let mut ids = BTreeSet::new();
        if mutant.ensemble || mutant.ensemble_too {
            let section = mutant
                .killer
                .rsplit_once('/')
                .map_or("", |(section, _)| section);
            ids.append(&mut failed(&ensemble(
                id,
                &[OF_ENSEMBLES, &[section]].concat(),
            )));
        }
        if !mutant.ensemble {
            ids.append(&mut failed(&standalone(id, &["--parallel", "64"])));
        }
        // Among other cases zxids and numbers of watches are not this one's alone.
        if !ids.contains(&mutant.killer) {
            let run = if mutant.ensemble {
                ensemble
            } else {
                standalone
            };
            ids.append(&mut failed(&run(id, &[&mutant.killer])));
        }
        eprintln!("{}: {}", mutant.id, ids.len());
        (mutant.id.clone(), ids)
    });
    let page = page(&mutants, &rows.into_iter().collect());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutants.md");
    fs::write(path, page).expect("the page is written");
}

/// Hex SHA-256 of what the page's numbers depend on: what cases ask and of whom, and which mutants there are. The words
/// that describe them, and comments, are left out.
fn stamp(mutants: &[Mutant]) -> String {
    let mut hash = Sha256::new();
    for case in asked() {
        let range = (case.since, case.until, case.everywhere);
        let (needs, settings) = (&case.needs, &case.settings);
        hash.update(format!(
            "{} {range:?} {needs:?} {settings:?}\n{}\n",
            case.id, case.asks
        ));
    }
    for mutant in mutants {
        let Mutant {
            id,
            ensemble,
            ensemble_too,
            ..
        } = mutant;
        hash.update(format!("{id} {ensemble} {ensemble_too}\n"));
    }
    let digest = hash.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The cases that mutants are asked.
fn asked() -> Vec<case::Case> {
    let profile = "3.9.5".parse().expect("a version");
    let mut cases = case::all().expect("cases parse");
    cases.retain(|case| Version::within(profile, case.since, case.until) && !case.hazardous);
    cases
}

fn failed(result: &RunResult) -> BTreeSet<String> {
    let failed = |outcome| outcome == Outcome::Fail;
    let cases = result.results.iter().filter(|case| failed(case.outcome));
    cases.map(|case| case.id.clone()).collect()
}

/// How many cases fail each mutant, and which cases none of them needs.
fn page(mutants: &[Mutant], rows: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut text = format!(
        "# Every mutant against every case\n\nWritten by `just mutants`. Cases and mutants: {}.\n\n\
         | Mutant | What it does wrong | Cases that fail it |\n|---|---|---:|\n",
        stamp(mutants),
    );
    for mutant in mutants {
        let count = rows.get(&mutant.id).map_or(0, BTreeSet::len);
        text += &format!("| {} | {} | {count} |\n", mutant.id, mutant.what);
    }
    let failing: BTreeSet<&String> = rows.values().flatten().collect();
    let cases = asked();
    let needless: Vec<_> = cases
        .iter()
        .filter(|case| !failing.contains(&case.id))
        .collect();
    let count = |what: fn(&&Mutant) -> bool| mutants.iter().filter(what).count();
    text += &format!(
        "\n## Cases of profile 3.9.5 that no mutant fails: {} of {}\n\n\
         All but the {} mutants that show in an ensemble only were asked what a standalone server can be asked. Those and \
         {} others were asked {} of an ensemble, and the section of the case that is recorded for them.\n\n",
        needless.len(),
        cases.len(),
        count(|mutant| mutant.ensemble),
        count(|mutant| mutant.ensemble_too),
        OF_ENSEMBLES.join(", "),
    );
    for case in needless {
        text += &format!("- {}: {}\n", case.id, case.text);
    }
    text
}
