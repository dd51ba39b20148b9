//! Starts, stops and disturbs the servers of an ensemble by shell commands
//! from a driver file.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::Stop;

/// How long an ensemble may take to elect a leader and serve.
const SETTLE: Duration = Duration::from_secs(120);

/// A driver file. `{id}` in a command stands for the server's number; the
/// environment's `ZK_CONFORMANCE` is this program.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Driver {
    pub name: String,
    /// Run once before the first case and after the last.
    pub setup: Option<String>,
    pub teardown: Option<String>,
    pub start: String,
    /// Ends a server in an orderly way.
    pub stop: String,
    /// Ends a server at once.
    pub kill: String,
    pub pause: Option<String>,
    pub resume: Option<String>,
    /// Cuts a server from the others, not from clients.
    pub isolate: Option<String>,
    pub heal: Option<String>,
    /// Restarts all servers with the lines that `{settings}` stands for, `key=value` in shell quotes, added to
    /// what `setup` set up; without any, as `setup` left them.
    pub configure: Option<String>,
    pub server: Vec<DriverServer>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriverServer {
    pub id: u32,
    pub client: SocketAddr,
}

#[derive(Debug)]
pub struct Cluster {
    driver: Driver,
    /// What the servers were last restarted with.
    settings: Vec<String>,
}

impl Cluster {
    pub fn load(path: &Path) -> Result<Cluster, Stop> {
        let text = fs::read_to_string(path)
            .map_err(|error| Stop::Harness(format!("{}: {error}", path.display())))?;
        let driver = toml::from_str(&text)
            .map_err(|error| Stop::Harness(format!("{}: {error}", path.display())))?;
        let settings = Vec::new();
        Ok(Cluster { driver, settings })
    }

    pub fn servers(&self) -> Vec<SocketAddr> {
        self.driver
            .server
            .iter()
            .map(|server| server.client)
            .collect()
    }

    pub fn setup(&self) -> Result<(), Stop> {
        self.driver
            .setup
            .as_ref()
            .map_or(Ok(()), |command| shell(command))
    }

    pub fn teardown(&self) -> Result<(), Stop> {
        self.driver
            .teardown
            .as_ref()
            .map_or(Ok(()), |command| shell(command))
    }

    /// Restarts the servers with these settings on top of the driver's own, if they run with others now.
    pub fn configure(&mut self, settings: &[String]) -> Result<(), Stop> {
        if self.settings == settings {
            return Ok(());
        }
        let Some(command) = &self.driver.configure else {
            return Err(Stop::Precondition(format!(
                "the driver cannot set {}",
                settings.join(", ")
            )));
        };
        let quoted: Vec<String> = settings.iter().map(|line| quote(line)).collect();
        shell(&command.replace("{settings}", &quoted.join(" ")))?;
        self.settings = settings.to_vec();
        Ok(())
    }

    /// Starts what is down and waits until one server leads and the rest follow.
    pub fn settle(&self) -> Result<(), Stop> {
        let command = &self.driver;
        for server in &command.server {
            let start = Some(&command.start);
            let repairs = [command.heal.as_ref(), command.resume.as_ref(), start];
            for repair in repairs.into_iter().flatten() {
                shell(&fill(repair, server.id))?;
            }
        }
        let deadline = Instant::now() + SETTLE;
        while !self.is_settled() {
            if Instant::now() > deadline {
                let modes: Vec<String> = command
                    .server
                    .iter()
                    .map(|server| mode(server.client))
                    .collect();
                return Err(Stop::Harness(format!(
                    "the ensemble does not settle: {modes:?}"
                )));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// One server leads and the rest follow or observe.
    pub fn is_settled(&self) -> bool {
        let modes: Vec<String> = self
            .driver
            .server
            .iter()
            .map(|server| mode(server.client))
            .collect();
        let count = |wanted: &str| modes.iter().filter(|mode| *mode == wanted).count();
        count("leader") == 1
            && count("leader") + count("follower") + count("observer") == modes.len()
    }

    /// Runs a driver command; returns a line for the transcript.
    pub fn command(&mut self, verb: &str, who: &str) -> Result<String, Stop> {
        if verb == "settle" {
            self.settle()?;
            return Ok("all servers are up".into());
        }
        let servers = match who {
            "all" => self.driver.server.clone(),
            "followers" => vec![self.find("follower")?.clone(), self.find("other")?.clone()],
            _ => vec![self.find(who)?.clone()],
        };
        let driver = &self.driver;
        let command = match verb {
            "start" => Some(&driver.start),
            "stop" => Some(&driver.stop),
            "kill" => Some(&driver.kill),
            "pause" => driver.pause.as_ref(),
            "resume" => driver.resume.as_ref(),
            "isolate" => driver.isolate.as_ref(),
            "heal" => driver.heal.as_ref(),
            _ => return Err(Stop::Harness(format!("drivers know no {verb}"))),
        };
        let Some(command) = command else {
            return Err(Stop::Precondition(format!("the driver cannot {verb}")));
        };
        for server in &servers {
            shell(&fill(command, server.id))?;
        }
        let ids: Vec<String> = servers.iter().map(|server| server.id.to_string()).collect();
        Ok(format!("{verb} server {}", ids.join(", ")))
    }

    fn find(&self, who: &str) -> Result<&DriverServer, Stop> {
        let index = locate(&self.servers(), who)?;
        let found = self.driver.server.get(index);
        found.ok_or_else(|| Stop::Precondition(format!("no server {who}")))
    }
}

/// Index of a server by its number, counted from 1, or by its role now: `leader`,
/// `follower`, `other` (the follower that `follower` is not), `observer`.
pub fn locate(servers: &[SocketAddr], who: &str) -> Result<usize, Stop> {
    if let Ok(number) = who.parse::<usize>() {
        return match number.checked_sub(1) {
            Some(index) if index < servers.len() => Ok(index),
            _ => Err(Stop::Precondition(format!("needs {number} servers"))),
        };
    }
    let (role, nth) = match who {
        "leader" => ("leader", 0),
        "follower" => ("follower", 0),
        "other" => ("follower", 1),
        "observer" => ("observer", 0),
        _ => return Err(Stop::Harness(format!("no role {who}"))),
    };
    let deadline = Instant::now() + SETTLE;
    loop {
        let modes: Vec<String> = servers.iter().map(|address| mode(*address)).collect();
        let mut matching =
            (0..modes.len()).filter(|index| modes.get(*index).is_some_and(|mode| mode == role));
        if let Some(found) = matching.nth(nth) {
            return Ok(found);
        }
        if servers.len() < 3 || role == "observer" {
            return Err(Stop::Precondition(format!("no {who} in the ensemble")));
        }
        // Not a PRECONDITION: an ensemble that elects no leader must not look like one that was not tested.
        if Instant::now() > deadline {
            let seconds = SETTLE.as_secs();
            return Err(Stop::Harness(format!(
                "no {who} within {seconds} s: {modes:?}"
            )));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// spec: CP-FLW-11. `srvr` needs no whitelist, so roles can always be read.
pub fn mode(address: SocketAddr) -> String {
    let answer = quick_srvr(address).unwrap_or_default();
    let line = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
    line.unwrap_or("not serving").to_owned()
}

fn quick_srvr(address: SocketAddr) -> Option<String> {
    // A paused server accepts and never answers: do not wait for it for long.
    let mut link = crate::wire::link::Link::open(address, Duration::from_millis(500)).ok()?;
    link.send_raw(b"srvr");
    let (bytes, closed) = link.receive_all(Instant::now() + Duration::from_secs(1));
    closed.then(|| String::from_utf8_lossy(&bytes).into_owned())
}

fn fill(command: &str, id: u32) -> String {
    command.replace("{id}", &id.to_string())
}

/// One word of a shell command.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

fn shell(command: &str) -> Result<(), Stop> {
    let me = std::env::current_exe().unwrap_or_default();
    let output = Command::new("sh")
        .arg("-c")
        .arg(command)
        .env("ZK_CONFORMANCE", me)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|error| Stop::Harness(format!("{command}: {error}")))?;
    if output.success() {
        return Ok(());
    }
    Err(Stop::Harness(format!("{command}: {output}")))
}
