//! `zk-bench`: load on one server, or two servers compared.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use zk_bench::compare::{self, Target};
use zk_bench::load::{self, Op, Plan};
use zk_bench::report;

#[derive(Parser)]
#[command(about = "Load for ZooKeeper servers, by raw pipelined frames")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Load one server or ensemble and print what it did
    Load {
        /// host:port of each server
        #[arg(long, value_delimiter = ',', default_value = "127.0.0.1:2181")]
        servers: Vec<String>,
        #[arg(long, value_enum, default_value = "get")]
        op: Op,
        /// Processes whose processor time counts as the server's
        #[arg(long, value_delimiter = ',')]
        pid: Vec<u32>,
        #[command(flatten)]
        shape: Shape,
    },
    /// Load two servers in turn, A B A B, and write raw.csv and summary.txt
    Compare {
        /// name=host:port[,host:port][@pid[,pid]]
        #[arg(long)]
        a: Target,
        /// name=host:port[,host:port][@pid[,pid]]
        #[arg(long)]
        b: Target,
        #[arg(long, value_enum, value_delimiter = ',', default_value = "get,set")]
        op: Vec<Op>,
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Folder for the figures
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        shape: Shape,
    },
}

#[derive(Args)]
struct Shape {
    /// Sessions
    #[arg(long, default_value_t = 64)]
    clients: usize,
    /// Requests in flight on each
    #[arg(long, default_value_t = 16)]
    depth: usize,
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Seconds before counting begins
    #[arg(long, default_value_t = 2.0)]
    warm_up: f64,
    /// Nodes that get and set work on
    #[arg(long, default_value_t = 1000)]
    nodes: usize,
    /// Bytes of data of each
    #[arg(long, default_value_t = 100)]
    data: usize,
}

impl Shape {
    fn plan(&self, servers: Vec<String>, op: Op, pids: Vec<u32>) -> Result<Plan> {
        if self.clients == 0 || self.depth == 0 {
            bail!("clients and depth must be at least 1");
        }
        Ok(Plan {
            servers,
            op,
            clients: self.clients,
            depth: self.depth,
            warm_up: Duration::try_from_secs_f64(self.warm_up)?,
            duration: Duration::try_from_secs_f64(self.seconds)?,
            nodes: self.nodes,
            data_bytes: self.data,
            pids,
        })
    }
}

// One thread: the load must not take both cores from the server it measures.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match Cli::parse().command {
        Command::Load {
            servers,
            op,
            pid,
            shape,
        } => {
            let outcome = load::run(&shape.plan(servers, op, pid)?).await?;
            println!("{}", report::line(&outcome));
        }
        Command::Compare {
            a,
            b,
            op,
            rounds,
            out,
            shape,
        } => {
            let plans = op
                .into_iter()
                .map(|op| shape.plan(Vec::new(), op, Vec::new()));
            let plans = plans.collect::<Result<Vec<_>>>()?;
            compare::run(&[a, b], &plans, rounds, &out).await?;
        }
    }
    Ok(())
}
