//! Several servers as processes of their own, that can be killed, frozen and started again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{PATIENCE, apache, four_letters, free_port, signal, unsignalled};
use rustix::process::Signal;
use zk_client::{Acl, Client, CreateMode, Error, ErrorCode, Options};

/// Short ticks, but a second and a half of patience: a loaded machine stalls that long only rarely.
pub(crate) const TICK: Duration = Duration::from_millis(300);
pub(crate) const SHORT_TICKS: &str =
    "tickTime=300\ninitLimit=30\nsyncLimit=5\nmaxSessionTimeout=60000\n";

struct Member {
    folder: PathBuf,
    port: u16,
    child: Option<Child>,
    /// Apache's server of that release, not ours.
    apache: Option<&'static str>,
}

/// Servers 1, 2, ..., the observers last.
pub(crate) struct Ensemble {
    members: Vec<Member>,
    voters: usize,
    /// What their processes are given besides.
    pub(crate) environment: Vec<(&'static str, PathBuf)>,
    /// A limit on the length of files does not kill them by a signal.
    pub(crate) unsignalled: bool,
}

impl Ensemble {
    /// `more`: lines of each zoo.cfg. Returns when all serve.
    pub(crate) fn start(folder: &Path, voters: usize, observers: usize, more: &str) -> Self {
        Self::with_ticks(folder, (voters, observers), SHORT_TICKS, more)
    }

    pub(crate) fn with_ticks(
        folder: &Path,
        (voters, observers): (usize, usize),
        ticks: &str,
        more: &str,
    ) -> Self {
        let mut ensemble = Self::written(folder, (voters, observers), ticks, more, |_| {
            "127.0.0.1".into()
        });
        ensemble.launch_all();
        ensemble
    }

    /// What they start from, and none is started. `host`: what the member lines call a server.
    pub(crate) fn written(
        folder: &Path,
        (voters, observers): (usize, usize),
        ticks: &str,
        more: &str,
        host: impl Fn(usize) -> String,
    ) -> Self {
        let count = voters + observers;
        let lines: String = (1..=count)
            .map(|id| {
                let role = if id > voters { ":observer" } else { "" };
                format!(
                    "server.{id}={}:{}:{}{role}\n",
                    host(id),
                    free_port(),
                    free_port()
                )
            })
            .collect();
        let members = (1..=count)
            .map(|id| {
                let (folder, port) = (folder.join(id.to_string()), free_port());
                fs::create_dir_all(&folder).unwrap();
                fs::write(folder.join("myid"), id.to_string()).unwrap();
                fs::write(folder.join("initialize"), "").unwrap();
                let text = format!(
                    "{ticks}maxClientCnxns=0\nclientPortAddress=127.0.0.1\n4lw.commands.whitelist=*\n\
                     extendedTypesEnabled=true\nadmin.enableServer=false\ndataDir={}\nclientPort={port}\n{lines}{more}",
                    folder.display()
                );
                fs::write(folder.join("zoo.cfg"), text).unwrap();
                Member { folder, port, child: None, apache: None }
            })
            .collect();
        Self {
            members,
            voters,
            environment: Vec::new(),
            unsignalled: false,
        }
    }

    /// From its next start on a server is Apache's.
    pub(crate) fn make_apache(&mut self, id: usize, release: &'static str) {
        self.members[id - 1].apache = Some(release);
    }

    pub(crate) fn launch(&mut self, id: usize) {
        let member = &mut self.members[id - 1];
        let path = member.folder.join("log");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(&path)
            .unwrap();
        let mut command = match member.apache {
            None if self.unsignalled => unsignalled(),
            None => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_vivarium"));
                command.arg("server");
                command
            }
            Some(release) => {
                let mut command = apache(release);
                command.arg("config").env("APACHE_LOG", path);
                command
            }
        };
        let child = command
            .arg(member.folder.join("zoo.cfg"))
            .envs(self.environment.iter().map(|(key, value)| (key, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        member.child = Some(child.unwrap());
    }

    pub(crate) fn kill_9(&mut self, id: usize) {
        let mut child = self.process(id);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// All at once.
    pub(crate) fn kill_all(&mut self) {
        let ids = 1..=self.members.len();
        let mut children: Vec<_> = ids.map(|id| self.process(id)).collect();
        children.iter_mut().for_each(|child| child.kill().unwrap());
        for mut child in children {
            child.wait().unwrap();
        }
    }

    /// Starts all that were killed; returns when all serve.
    pub(crate) fn launch_all(&mut self) {
        for id in 1..=self.members.len() {
            if self.members[id - 1].child.is_none() {
                self.launch(id);
            }
        }
        self.wait_for_all();
    }

    /// Takes a server's process out of this one's care.
    pub(crate) fn process(&mut self, id: usize) -> Child {
        self.members[id - 1].child.take().unwrap()
    }

    pub(crate) fn freeze(&self, id: usize) {
        signal(self.pid(id), Signal::STOP);
    }

    pub(crate) fn thaw(&self, id: usize) {
        signal(self.pid(id), Signal::CONT);
    }

    pub(crate) fn pid(&self, id: usize) -> u32 {
        self.members[id - 1].child.as_ref().unwrap().id()
    }

    /// A server's quorum and election port.
    pub(crate) fn ports(&self, id: usize) -> (u16, u16) {
        let text = fs::read_to_string(self.folder(id).join("zoo.cfg")).unwrap();
        let start = format!("server.{id}=");
        let line = text.lines().find(|line| line.starts_with(&start)).unwrap();
        let mut ports = line.split(':').skip(1).map(|port| port.parse().unwrap());
        (ports.next().unwrap(), ports.next().unwrap())
    }

    /// The folder of a server's zoo.cfg, data and log.
    pub(crate) fn folder(&self, id: usize) -> &Path {
        &self.members[id - 1].folder
    }

    pub(crate) fn wait_for_log(&self, id: usize, part: &str) {
        let limit = Instant::now() + PATIENCE;
        let log = self.folder(id).join("log");
        while !fs::read_to_string(&log).is_ok_and(|log| log.contains(part)) {
            assert!(Instant::now() < limit, "no {part:?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The ends of all logs.
    fn logs(&self) -> String {
        let end = |member: &Member| {
            let log = fs::read_to_string(member.folder.join("log")).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            lines[lines.len().saturating_sub(30)..].join("\n")
        };
        let ends = self.members.iter().map(end);
        ends.collect::<Vec<_>>().join("\n\n")
    }

    pub(crate) fn word(&self, id: usize, word: &str) -> String {
        let member = &self.members[id - 1];
        if member.child.is_none() {
            return String::new();
        }
        four_letters(member.port, word)
    }

    /// Waits until `mntr` says so of a metric.
    pub(crate) fn wait_for_metric(&self, id: usize, name: &str, value: u64) {
        let line = format!("zk_{name}\t{value}\n");
        let limit = Instant::now() + PATIENCE;
        while !self.word(id, "mntr").contains(&line) {
            assert!(
                Instant::now() < limit,
                "not {line}{}",
                self.word(id, "mntr")
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn mode(&self, id: usize) -> String {
        let answer = self.word(id, "srvr");
        let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
        mode.unwrap_or("none").to_owned()
    }

    pub(crate) fn wait(&self, what: &str, condition: impl Fn(&[String]) -> bool) {
        let limit = Instant::now() + PATIENCE;
        loop {
            let modes: Vec<_> = (1..=self.members.len()).map(|id| self.mode(id)).collect();
            if condition(&modes) {
                return;
            }
            assert!(Instant::now() < limit, "{what}: {modes:?}\n{}", self.logs());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn wait_for_all(&self) {
        self.wait("all serve", |modes| modes.iter().all(|mode| mode != "none"));
    }

    /// Waits for one leader.
    pub(crate) fn leader(&self) -> usize {
        let limit = Instant::now() + PATIENCE;
        loop {
            let leads = |id: &usize| self.mode(*id) == "leader";
            if let Some(leader) = (1..=self.voters).find(leads) {
                return leader;
            }
            assert!(Instant::now() < limit, "no leader");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The server that holds a session's connection.
    pub(crate) fn server_of(&self, session: i64) -> usize {
        let sid = format!("sid=0x{session:x},");
        let limit = Instant::now() + PATIENCE;
        loop {
            let holds = |id: &usize| self.word(*id, "cons").contains(&sid);
            if let Some(server) = (1..=self.members.len()).find(holds) {
                return server;
            }
            assert!(Instant::now() < limit, "session {sid} is nowhere");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn addresses(&self) -> String {
        let all = (1..=self.members.len()).map(|id| self.address(id));
        all.collect::<Vec<_>>().join(",")
    }

    pub(crate) fn address(&self, id: usize) -> String {
        format!("127.0.0.1:{}", self.members[id - 1].port)
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        let members = self.members.iter_mut();
        for child in members.filter_map(|member| member.child.as_mut()) {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

pub(crate) async fn connect(addresses: &str) -> Client {
    connect_for(addresses, Duration::from_secs(10)).await
}

pub(crate) async fn connect_for(addresses: &str, session_timeout: Duration) -> Client {
    let options = Options::new(addresses).unwrap();
    let options = options.session_timeout(session_timeout);
    Client::with_options(options).await.unwrap()
}

/// Again and again until it is acknowledged.
pub(crate) async fn put(client: &Client, path: &str, mode: CreateMode) {
    let limit = Instant::now() + PATIENCE;
    loop {
        match client.create(path, b"x", &[Acl::open()], mode).await {
            Ok(_) => return,
            // An attempt whose connection was lost may have been done.
            Err(Error::Server(ErrorCode::NodeExists)) => return,
            Err(error) => assert!(Instant::now() < limit, "{path}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether there is such a znode, as the whole ensemble knows it.
pub(crate) async fn holds(client: &Client, path: &str) -> bool {
    let limit = Instant::now() + PATIENCE;
    loop {
        let found = match client.sync("/").await {
            Ok(()) => client.exists(path).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(found) => return found.is_some(),
            Err(error) => assert!(Instant::now() < limit, "{path}: {error}"),
        }
    }
}
