//! One server's process.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::layout::ServerFiles;

/// How long a server may take to stop in order.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Member {
    pub(super) id: u8,
    pub(super) port: u16,
    pub(super) log: PathBuf,
    config: PathBuf,
    child: Child,
    /// When a killed or paused server goes on.
    away_until: Option<(Signal, Instant)>,
    /// Its end, which nobody asked for, has been told.
    mourned: bool,
}

impl Member {
    pub(super) fn start(files: &ServerFiles) -> Result<Self> {
        Ok(Self {
            id: files.id,
            port: files.client_port,
            log: files.log.clone(),
            config: files.config.clone(),
            child: spawn(&files.config, &files.log)?,
            away_until: None,
            mourned: false,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether asking it makes sense.
    pub(super) fn is_here(&self) -> bool {
        self.away_until.is_none()
    }

    /// Its exit status, once it has ended.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// An end that nobody asked for, once.
    pub(super) fn news_of_death(&mut self) -> Result<Option<ExitStatus>> {
        if self.mourned || !self.is_here() {
            return Ok(None);
        }
        let ended = self.ended()?;
        self.mourned = ended.is_some();
        Ok(ended)
    }

    /// How it ended, with the last line of its log.
    pub(super) fn epitaph(&self, status: ExitStatus) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let said = log.lines().last().unwrap_or_default();
        let (id, log) = (self.id, self.log.display());
        format!("server {id} ended ({status}): {said}\n  its log is {log}")
    }

    /// Kills or freezes it until `until`.
    pub(super) fn disturb(&mut self, signal: Signal, until: Instant) -> Result<()> {
        self.signal(signal)?;
        self.away_until = Some((signal, until));
        Ok(())
    }

    /// Starts or wakes it when its time away is over, and says whether it was.
    pub(super) fn bring_back(&mut self) -> Result<bool> {
        let Some((signal, until)) = self.away_until else {
            return Ok(false);
        };
        if Instant::now() < until {
            return Ok(false);
        }
        self.away_until = None;
        if signal == Signal::STOP {
            self.signal(Signal::CONT)?;
        } else {
            self.child.wait()?;
            self.child = spawn(&self.config, &self.log)?;
        }
        Ok(true)
    }

    pub(super) fn ask_to_stop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        // A frozen process hears nothing until it wakes.
        for signal in [Signal::TERM, Signal::CONT] {
            if let Err(error) = self.signal(signal) {
                eprintln!("server {}: {error:#}", self.id);
            }
        }
    }

    /// Waits for the end that was asked for, and makes it one if it does not come.
    pub(super) fn wait_for_end(&mut self) {
        let limit = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() >= limit {
                eprintln!("server {} did not stop in order", self.id);
                drop(self.child.kill());
                drop(self.child.wait());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.context("no process id")?, signal).context("signal")
    }
}

/// In a process group of its own: Ctrl-C is for the ensemble, which then stops its servers in order.
fn spawn(config: &Path, log: &Path) -> Result<Child> {
    let output = File::options().create(true).append(true).open(log);
    let output = output.with_context(|| log.display().to_string())?;
    let program = std::env::current_exe().context("own program")?;
    Command::new(program)
        .args([
            "server",
            "--end-with-parent",
            &std::process::id().to_string(),
        ])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()
        .context("start a server")
}
