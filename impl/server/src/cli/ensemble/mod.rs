//! `vivarium ensemble`: several servers on this machine, to try things on.

mod layout;
mod member;
mod view;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};

use super::exit;
use layout::Layout;
use member::Member;
use view::View;

/// How long the ensemble may take until it serves.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks at the servers.
const LOOK: Duration = Duration::from_millis(500);

/// How long a killed or paused leader stays away.
const AWAY: Duration = Duration::from_secs(5);

#[derive(Args)]
pub(crate) struct EnsembleArgs {
    /// Servers that vote
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    servers: u8,
    /// Servers that only follow
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=9))]
    observers: u8,
    /// Folder of the servers' configurations, data and logs
    #[arg(long, default_value = "vivarium-ensemble")]
    dir: PathBuf,
    /// Client port of the first server; the others follow
    #[arg(long, default_value_t = 2181)]
    client_port: u16,
    /// Quorum port of the first server; the others follow, election ports 1000 above
    #[arg(long, default_value_t = 2888)]
    quorum_port: u16,
    /// Kill the leader (SIGKILL) each so many seconds, and start it again
    #[arg(long, value_name = "SECONDS")]
    kill_leader: Option<u64>,
    /// Freeze the leader (SIGSTOP) each so many seconds, for a while
    #[arg(long, value_name = "SECONDS", conflicts_with = "kill_leader")]
    pause_leader: Option<u64>,
}

pub(crate) fn run(arguments: &EnsembleArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = runtime
        .context("runtime")
        .and_then(|runtime| runtime.block_on(serve(arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("vivarium ensemble: {error:#}");
            exit::FAILED.into()
        }
    }
}

/// Starts the servers, shows them until a signal comes, stops them.
async fn serve(arguments: &EnsembleArgs) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let layout = Layout::write(arguments)?;
    let mut ensemble = Ensemble::start(&layout)?;
    let shown = async {
        ensemble.wait_until_serving(&layout).await?;
        ensemble.show(arguments).await
    };
    let outcome = tokio::select! {
        outcome = shown => outcome,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    println!("\nstopping");
    ensemble.stop();
    outcome
}

struct Ensemble {
    members: Vec<Member>,
    started: Instant,
}

impl Ensemble {
    fn start(layout: &Layout) -> Result<Self> {
        let started = Instant::now();
        let members = layout.servers.iter().map(Member::start);
        let members = members.collect::<Result<_>>()?;
        Ok(Self { members, started })
    }

    async fn wait_until_serving(&mut self, layout: &Layout) -> Result<()> {
        loop {
            let view = View::of(&self.members);
            if view.serves() {
                break;
            }
            for member in &mut self.members {
                if let Some(status) = member.ended()? {
                    bail!(
                        "server {} ended ({status}); its log is {}",
                        member.id,
                        member.log.display()
                    );
                }
            }
            if self.started.elapsed() > PATIENCE {
                bail!(
                    "the ensemble does not serve; the logs are under {}",
                    layout.dir.display()
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.introduce(layout);
        Ok(())
    }

    fn introduce(&self, layout: &Layout) {
        println!(
            "the ensemble serves, {:.2} s after its start\n",
            self.started.elapsed().as_secs_f64()
        );
        println!("  connect string  {}\n", layout.connect_string());
        for (member, seen) in self.members.iter().zip(View::of(&self.members).servers) {
            let role = seen.map_or_else(|| "starting".to_owned(), |seen| seen.mode);
            println!(
                "  server {}  {role:<9} 127.0.0.1:{}  pid {}",
                member.id,
                member.port,
                member.pid()
            );
        }
        if let Some(server) = layout.servers.first() {
            println!(
                "\n  by hand         vivarium server {}",
                server.config.display()
            );
        }
        println!("  to stop         Ctrl-C\n");
    }

    /// Follows the servers, and plays with the leader when asked to, until the caller drops this.
    async fn show(&mut self, arguments: &EnsembleArgs) -> Result<()> {
        let every = arguments
            .kill_leader
            .or(arguments.pause_leader)
            .map(Duration::from_secs);
        let mut next = every.map(|every| Instant::now() + every);
        let mut last = String::new();
        loop {
            let view = View::of(&self.members);
            let line = view.line();
            if line != last {
                println!("{line}");
                last = line;
            }
            if let (Some(at), Some(every), Some(leader)) = (next, every, view.leader())
                && Instant::now() >= at
            {
                self.disturb(leader, arguments.kill_leader.is_some())?;
                next = Some(Instant::now() + every.max(AWAY));
            }
            for member in &mut self.members {
                member.bring_back()?;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn disturb(&mut self, leader: usize, kill: bool) -> Result<()> {
        let Some(member) = self.members.get_mut(leader) else {
            return Ok(());
        };
        let (signal, what) = if kill {
            (Signal::KILL, "killed")
        } else {
            (Signal::STOP, "paused")
        };
        println!(
            "-- server {}, the leader, is {what} for {} s",
            member.id,
            AWAY.as_secs()
        );
        member.disturb(signal, Instant::now() + AWAY)
    }

    fn stop(&mut self) {
        for member in &mut self.members {
            member.ask_to_stop();
        }
        for member in &mut self.members {
            member.wait_for_end();
        }
    }
}
