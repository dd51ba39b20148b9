//! Runs cases: in parallel where they do not disturb each other, each under a
//! znode of its own.

use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::case::{Body, Case, Need};
use crate::control::{Control, Facts};
use crate::engine::Stop;
use crate::engine::cluster::mode;
use crate::engine::run::{Run, Target};
use crate::engine::transcript::{Mark, cut};
use crate::outcome::{CaseResult, Outcome};
use crate::script::eval::Vars;

pub struct Plan<'a> {
    pub target: &'a Target,
    pub facts: &'a Facts,
    pub cases: Vec<Case>,
    pub workers: usize,
    /// A failed case runs again so often, to tell FAIL from FLAKY.
    pub retries: usize,
    /// Told of each result as it comes.
    pub progress: &'a (dyn Fn(usize, usize, &CaseResult) + Sync),
    /// Makes the names of this run's znodes unlike those of any other run.
    pub tag: String,
}

/// Longest reason of an outcome: it may quote what a server sent.
const WHY_BYTES: usize = 4 << 10;

/// Results in the order of `plan.cases`.
pub fn run(plan: &Plan<'_>) -> Vec<CaseResult> {
    let total = plan.cases.len();
    let slots: Mutex<Vec<Option<CaseResult>>> = Mutex::new(vec![None; total]);
    let (mut alone, shared): (Vec<usize>, Vec<usize>) =
        (0..total).partition(|index| plan.cases.get(*index).is_some_and(Case::is_exclusive));
    // Cases with the same settings share a restart.
    alone.sort_by_key(|index| plan.cases.get(*index).map(|case| &case.settings));
    let done = AtomicUsize::new(0);
    let record = |index: usize, result: CaseResult| {
        let count = done.fetch_add(1, Ordering::Relaxed) + 1;
        (plan.progress)(count, total, &result);
        if let Ok(mut slots) = slots.lock()
            && let Some(slot) = slots.get_mut(index)
        {
            *slot = Some(result);
        }
    };
    work(plan, &shared, plan.workers, &record);
    work(plan, &alone, 1, &record);
    let slots = slots.into_inner().unwrap_or_default();
    slots.into_iter().flatten().collect()
}

fn work(
    plan: &Plan<'_>,
    indexes: &[usize],
    workers: usize,
    record: &(dyn Fn(usize, CaseResult) + Sync),
) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for worker in 0..workers.min(indexes.len()) {
            let next = &next;
            scope.spawn(move || {
                let servers = &plan.target.servers;
                let Some(home) = servers.get(worker % servers.len().max(1)) else {
                    return;
                };
                let mut control = None;
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    let Some(index) = indexes.get(turn) else {
                        break;
                    };
                    if let Some(case) = plan.cases.get(*index) {
                        record(*index, one(plan, case, *home, &mut control));
                    }
                }
                if let Some(control) = control {
                    control.close();
                }
            });
        }
    });
}

fn one(
    plan: &Plan<'_>,
    case: &Case,
    home: SocketAddr,
    control: &mut Option<Control>,
) -> CaseResult {
    if let Some(missing) = case.needs.iter().find(|need| !has(plan, **need)) {
        return CaseResult::new(
            case,
            Outcome::Precondition,
            format!("needs {}", need_text(*missing)),
        );
    }
    let mut first = attempt(plan, case, home, control, 0);
    if first.outcome == Outcome::Fail {
        for retry in 1..=plan.retries {
            let again = attempt(plan, case, home, control, retry);
            if matches!(again.outcome, Outcome::Pass | Outcome::NonStrict) {
                first.outcome = Outcome::Flaky;
                break;
            }
        }
    }
    first
}

fn attempt(
    plan: &Plan<'_>,
    case: &Case,
    home: SocketAddr,
    control: &mut Option<Control>,
    number: usize,
) -> CaseResult {
    let started = Instant::now();
    let root = format!("/zkc-{}-{}-{number}", plan.tag, case.slug());
    let mut run = Run::new(plan.target, home, root.clone());
    let done = prepare(plan, case, home, control, &root).and_then(|()| match case.everywhere {
        true => everywhere(case, &mut run, control),
        false => body(case, &mut run),
    });
    run.finish();
    let cleaned = clean(plan, case, home, control, &root);
    let (mut outcome, mut why) = judge(&done, &run.nonstrict);
    if outcome == Outcome::Pass
        && let Err(stop) = cleaned
    {
        (outcome, why) = (Outcome::Error, format!("cannot clean up: {stop}"));
    }
    let mut result = CaseResult::new(case, outcome, cut(why, WHY_BYTES));
    result.ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    if outcome != Outcome::Pass {
        result.transcript = run.transcript.into_lines();
    }
    result
}

fn body(case: &Case, run: &mut Run<'_>) -> Result<(), Stop> {
    match &case.body {
        Body::Script(steps) => run.steps(steps),
        Body::Code(body) => body(run),
    }
}

/// The case once through each server, each time with a znode and sessions of its own.
fn everywhere(case: &Case, run: &mut Run<'_>, control: &mut Option<Control>) -> Result<(), Stop> {
    let root = run.vars.root.clone();
    for (index, server) in run.target.servers.clone().into_iter().enumerate() {
        let mode = mode(server);
        run.transcript
            .add(Mark::Note, format!("through {server}, {mode}"));
        run.vars = Vars {
            root: format!("{root}/s{}", index + 1),
            ..Vars::default()
        };
        run.home = server;
        with_control(server, control, |control| control.create(&run.vars.root))?;
        let done = body(case, run);
        run.finish();
        run.sessions.clear();
        done.map_err(|stop| match stop {
            Stop::Mismatch(why) => Stop::Mismatch(format!("through the {mode}: {why}")),
            other => other,
        })?;
    }
    Ok(())
}

fn judge(done: &Result<(), Stop>, nonstrict: &[String]) -> (Outcome, String) {
    match done {
        Ok(()) if nonstrict.is_empty() => (Outcome::Pass, String::new()),
        Ok(()) => (
            Outcome::NonStrict,
            format!("answered {}", nonstrict.join(", ")),
        ),
        Err(Stop::Mismatch(why)) => (Outcome::Fail, why.clone()),
        Err(stop @ Stop::Unimplemented(_)) => (Outcome::Unimplemented, stop.to_string()),
        Err(Stop::Precondition(why)) => (Outcome::Precondition, why.clone()),
        Err(Stop::Harness(why)) => (Outcome::Error, why.clone()),
    }
}

/// Creates the case's znode. A case that disturbs the ensemble begins with all
/// servers up, and so do the steps of the suite around it.
fn prepare(
    plan: &Plan<'_>,
    case: &Case,
    home: SocketAddr,
    control: &mut Option<Control>,
    root: &str,
) -> Result<(), Stop> {
    if case.is_exclusive() {
        settle(plan, case)?;
        *control = None;
    }
    with_control(home, control, |control| control.create(root))
}

fn clean(
    plan: &Plan<'_>,
    case: &Case,
    home: SocketAddr,
    control: &mut Option<Control>,
    root: &str,
) -> Result<(), Stop> {
    if case.is_exclusive() {
        settle(plan, case)?;
        *control = None;
    }
    with_control(home, control, |control| {
        control.remove(&format!("/zookeeper/quota{root}"))?;
        match control.remove(root)? {
            true => Ok(()),
            false => Err(Stop::Harness(format!("{root} cannot be removed"))),
        }
    })
}

fn settle(plan: &Plan<'_>, case: &Case) -> Result<(), Stop> {
    let Some(cluster) = &plan.target.cluster else {
        return Ok(());
    };
    let mut cluster = cluster
        .lock()
        .map_err(|_| Stop::Harness("driver lock".into()))?;
    cluster.configure(&case.settings)?;
    // A case without driver commands has cut off and frozen nobody, so what servers say of themselves is enough.
    if !case.needs.contains(&Need::Driver) && cluster.is_settled() {
        return Ok(());
    }
    cluster.settle()
}

/// Runs `body` on the worker's control session; a broken session is replaced once.
fn with_control(
    home: SocketAddr,
    control: &mut Option<Control>,
    body: impl Fn(&mut Control) -> Result<(), Stop>,
) -> Result<(), Stop> {
    if let Some(open) = control
        && body(open).is_ok()
    {
        return Ok(());
    }
    let mut fresh = Control::open(home)?;
    let done = body(&mut fresh);
    *control = Some(fresh);
    done
}

fn has(plan: &Plan<'_>, need: Need) -> bool {
    let facts = plan.facts;
    match need {
        Need::Super => facts.super_user,
        Need::Ttl => facts.ttl,
        Need::NoTtl => !facts.ttl,
        Need::Quota => facts.quota,
        Need::Container => facts.container,
        Need::ShortSessions => facts.short_sessions,
        Need::Standalone => facts.mode == "standalone",
        Need::Ensemble => facts.mode != "standalone",
        Need::Driver => plan.target.cluster.is_some(),
    }
}

fn need_text(need: Need) -> &'static str {
    match need {
        Need::Super => "super:test as the super user",
        Need::Ttl => "extendedTypesEnabled=true",
        Need::NoTtl => "extendedTypesEnabled=false",
        Need::Quota => "enforceQuota=true",
        Need::Container => "znode.container.checkIntervalMs of at most a second",
        Need::ShortSessions => "sessions of two seconds or less (minSessionTimeout or tickTime)",
        Need::Standalone => "a standalone server",
        Need::Ensemble => "an ensemble",
        Need::Driver => "a driver file (--driver)",
    }
}
