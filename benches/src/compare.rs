//! Two servers in turn, A B A B, so that a noisy machine is noisy to both.

use std::fmt::Write as _;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result};

use crate::load::{self, Outcome, Plan};
use crate::report;

/// A running server (or ensemble): `name=host:port[,host:port...][@pid[,pid...]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub name: String,
    pub servers: Vec<String>,
    pub pids: Vec<u32>,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, rest) = text.split_once('=').context("name=host:port[@pid]")?;
        let (servers, pids) = rest.split_once('@').unwrap_or((rest, ""));
        let pids = pids.split(',').filter(|pid| !pid.is_empty());
        Ok(Self {
            name: name.to_owned(),
            servers: servers.split(',').map(str::to_owned).collect(),
            pids: pids.map(str::parse).collect::<Result<_, _>>()?,
        })
    }
}

/// A plan's name in tables and CSV: op, clients, depth.
fn shape(plan: &Plan) -> String {
    format!("{:?},{},{}", plan.op, plan.clients, plan.depth).to_lowercase()
}

/// Runs every plan on both targets, `rounds` times in turn, and writes `raw.csv` and `summary.txt` to `out`.
pub async fn run(targets: &[Target; 2], plans: &[Plan], rounds: usize, out: &Path) -> Result<()> {
    std::fs::create_dir_all(out)?;
    let mut csv = format!("{}\n", report::CSV_HEADER);
    let mut rows = Vec::new();
    for plan in plans {
        let mut outcomes: [Vec<Outcome>; 2] = [Vec::new(), Vec::new()];
        for round in 1..=rounds {
            for (target, outcomes) in targets.iter().zip(&mut outcomes) {
                let mut plan = plan.clone();
                plan.servers.clone_from(&target.servers);
                plan.pids.clone_from(&target.pids);
                let outcome = load::run(&plan)
                    .await
                    .with_context(|| target.name.clone())?;
                println!(
                    "{:<10} {:<14} {}",
                    target.name,
                    shape(&plan),
                    report::line(&outcome)
                );
                writeln!(
                    csv,
                    "{}",
                    report::csv_line(&target.name, &shape(&plan), round, &outcome)
                )?;
                std::fs::write(out.join("raw.csv"), &csv)?;
                outcomes.push(outcome);
            }
        }
        rows.extend(compare(targets, &shape(plan), &outcomes));
    }
    let header = [
        "run",
        "server",
        "per second",
        "p50 µs",
        "p99 µs",
        "cpu µs/request",
        "errors",
    ];
    let summary = report::table(&header, rows);
    println!("\n{summary}");
    std::fs::write(out.join("summary.txt"), format!("{summary}\n"))?;
    Ok(())
}

/// A row of medians for each target, and one with the ratio of the second to the first.
fn compare(targets: &[Target; 2], shape: &str, outcomes: &[Vec<Outcome>; 2]) -> Vec<Vec<String>> {
    let figures = outcomes.each_ref().map(|outcomes| {
        let of = |figure: &dyn Fn(&Outcome) -> f64| {
            report::median(outcomes.iter().map(figure).collect())
        };
        [
            of(&Outcome::per_second),
            of(&|outcome| outcome.latency_us.value_at_quantile(0.5) as f64),
            of(&|outcome| outcome.latency_us.value_at_quantile(0.99) as f64),
            of(&|outcome| outcome.cpu_us_per_request().unwrap_or(0.0)),
            outcomes.iter().map(|outcome| outcome.errors as f64).sum(),
        ]
    });
    let mut rows = Vec::new();
    for (target, [rate, p50, p99, cpu, errors]) in targets.iter().zip(&figures) {
        rows.push(vec![
            shape.to_owned(),
            target.name.clone(),
            format!("{rate:.0}"),
            format!("{p50:.0}"),
            format!("{p99:.0}"),
            format!("{cpu:.2}"),
            format!("{errors:.0}"),
        ]);
    }
    let [first, second] = &figures;
    let ratio = |index: usize| match (first.get(index), second.get(index)) {
        (Some(first), Some(second)) if *first > 0.0 => format!("{:.2}", second / first),
        _ => String::new(),
    };
    rows.push(vec![
        shape.to_owned(),
        "ratio".to_owned(),
        ratio(0),
        ratio(1),
        ratio(2),
        ratio(3),
        String::new(),
    ]);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_name_servers_and_pids() {
        let target: Target = "apache=a:1,b:2@3,4".parse().unwrap();
        assert_eq!(target.name, "apache");
        assert_eq!(target.servers, ["a:1", "b:2"]);
        assert_eq!(target.pids, [3, 4]);
        assert_eq!("x=a:1".parse::<Target>().unwrap().pids, Vec::<u32>::new());
        assert!("a:1".parse::<Target>().is_err());
        assert!("x=a:1@y".parse::<Target>().is_err());
    }
}
