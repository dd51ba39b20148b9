//! `vivarium ensemble`: several servers on this machine, to try things on.

mod layout;
mod member;
mod screen;
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
use screen::Screen;
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
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    kill_leader: Option<u64>,
    /// Freeze the leader (SIGSTOP) each so many seconds, for a while
    #[arg(long, value_name = "SECONDS", conflicts_with = "kill_leader", value_parser = clap::value_parser!(u64).range(1..))]
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
        ensemble.wait_until_serving().await?;
        ensemble.introduce(&layout);
        ensemble.show(Disturbance::of(arguments)).await
    };
    let outcome = tokio::select! {
        outcome = shown => outcome,
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    };
    ensemble.screen.say("stopping");
    ensemble.stop();
    outcome
}

/// What happens to the leader now and then.
struct Disturbance {
    signal: Signal,
    every: Duration,
}

impl Disturbance {
    fn of(arguments: &EnsembleArgs) -> Option<Self> {
        let kill = arguments.kill_leader.map(|every| (Signal::KILL, every));
        let pause = arguments.pause_leader.map(|every| (Signal::STOP, every));
        kill.or(pause).map(|(signal, seconds)| Self {
            signal,
            every: Duration::from_secs(seconds),
        })
    }

    fn word(&self) -> &'static str {
        if self.signal == Signal::KILL {
            "killed"
        } else {
            "paused"
        }
    }
}

struct Ensemble {
    members: Vec<Member>,
    started: Instant,
    screen: Screen,
}

impl Ensemble {
    fn start(layout: &Layout) -> Result<Self> {
        let started = Instant::now();
        let mut ensemble = Self {
            members: Vec::new(),
            started,
            screen: Screen::new(),
        };
        for files in &layout.servers {
            match Member::start(files) {
                Ok(member) => ensemble.members.push(member),
                Err(error) => {
                    ensemble.stop();
                    return Err(error);
                }
            }
        }
        Ok(ensemble)
    }

    async fn wait_until_serving(&mut self) -> Result<()> {
        while !View::of(&self.members).serves() {
            for member in &mut self.members {
                if let Some(status) = member.ended()? {
                    bail!("{}", member.epitaph(status));
                }
            }
            if self.started.elapsed() > PATIENCE {
                let logs = self.members.first().map(|member| member.log.display());
                bail!(
                    "the ensemble does not serve; see {} and the others",
                    logs.context("no server")?
                );
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    fn introduce(&mut self, layout: &Layout) {
        let mut text = format!(
            "the ensemble serves, {:.2} s after its start\n\n  connect string  {}\n\n",
            self.started.elapsed().as_secs_f64(),
            layout.connect_string()
        );
        for (member, mode) in self.members.iter().zip(View::of(&self.members).modes()) {
            text += &format!(
                "  server {:<2}  {mode:<9} 127.0.0.1:{}  pid {}\n",
                member.id,
                member.port,
                member.pid()
            );
        }
        if let Some(server) = layout.servers.first() {
            text += &format!(
                "\n  by hand         vivarium server {}\n",
                server.config.display()
            );
        }
        text += "  to stop         Ctrl-C\n";
        self.screen.say(&text);
    }

    /// Follows the servers, and plays with the leader when asked to, until the caller drops this.
    async fn show(&mut self, disturbance: Option<Disturbance>) -> Result<()> {
        let mut last = Instant::now();
        loop {
            let view = View::of(&self.members);
            self.screen.show(&view);
            if let (Some(disturbance), Some(leader)) = (&disturbance, view.leader())
                && last.elapsed() >= disturbance.every
                && self.members.iter().all(Member::is_here)
            {
                self.disturb(leader, disturbance)?;
                last = Instant::now();
            }
            for member in &mut self.members {
                if member.bring_back()? {
                    self.screen.say(&format!("server {} is back", member.id));
                } else if let Some(status) = member.news_of_death()? {
                    self.screen.say(&member.epitaph(status));
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn disturb(&mut self, leader: usize, disturbance: &Disturbance) -> Result<()> {
        let Some(member) = self.members.get_mut(leader) else {
            return Ok(());
        };
        self.screen.say(&format!(
            "server {}, the leader, is {} for {} s",
            member.id,
            disturbance.word(),
            AWAY.as_secs()
        ));
        member.disturb(disturbance.signal, Instant::now() + AWAY)
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
