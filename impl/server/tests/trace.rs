//! Three processes with a trace of their cores, killed and started again under load; `zab-checker trace` judges what
//! they recorded.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use harness::{PATIENCE, four_letters, free_port, run};
use zk_client::{Acl, Client, CreateMode, Options};

struct Ensemble {
    traces: PathBuf,
    ports: Vec<u16>,
    folders: Vec<PathBuf>,
    children: Vec<Option<Child>>,
}

impl Ensemble {
    /// `more`: lines of each zoo.cfg.
    fn start(folder: &Path, count: usize, more: &str) -> Self {
        let traces = folder.join("traces");
        fs::create_dir_all(&traces).unwrap();
        let members: String = (1..=count)
            .map(|id| format!("server.{id}=127.0.0.1:{}:{}\n", free_port(), free_port()))
            .collect();
        let (mut ports, mut folders) = (Vec::new(), Vec::new());
        for id in 1..=count {
            let (own, port) = (folder.join(id.to_string()), free_port());
            fs::create_dir_all(&own).unwrap();
            fs::write(own.join("myid"), id.to_string()).unwrap();
            fs::write(own.join("initialize"), "").unwrap();
            let text = format!(
                "tickTime=500\ninitLimit=20\nsyncLimit=10\nmaxClientCnxns=0\nclientPortAddress=127.0.0.1\n\
                 4lw.commands.whitelist=*\nadmin.enableServer=false\ndataDir={}\nclientPort={port}\n\
                 vivarium.traceDir={}\n{members}{more}",
                own.display(),
                traces.display()
            );
            fs::write(own.join("zoo.cfg"), text).unwrap();
            ports.push(port);
            folders.push(own);
        }
        let mut ensemble = Self {
            traces,
            ports,
            folders,
            children: (0..count).map(|_| None).collect(),
        };
        for server in 0..count {
            ensemble.launch(server);
        }
        ensemble.wait_until_all_serve();
        ensemble
    }

    fn launch(&mut self, server: usize) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folders[server].join("log"))
            .unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_vivarium"))
            .arg("server")
            .arg(self.folders[server].join("zoo.cfg"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        self.children[server] = Some(child.unwrap());
    }

    fn kill_9(&mut self, server: usize) {
        let mut child = self.children[server].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn mode(&self, server: usize) -> String {
        let answer = four_letters(self.ports[server], "srvr");
        let mode = answer.lines().find_map(|line| line.strip_prefix("Mode: "));
        mode.unwrap_or("none").to_owned()
    }

    fn wait_until_all_serve(&self) {
        let limit = Instant::now() + PATIENCE;
        while (0..self.ports.len()).any(|server| self.mode(server) == "none") {
            assert!(Instant::now() < limit, "not all serve");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn leader(&self) -> usize {
        let limit = Instant::now() + PATIENCE;
        loop {
            let found = (0..self.ports.len()).find(|server| self.mode(*server) == "leader");
            if let Some(leader) = found {
                return leader;
            }
            assert!(Instant::now() < limit, "no leader");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn addresses(&self) -> String {
        let all = self.ports.iter().map(|port| format!("127.0.0.1:{port}"));
        all.collect::<Vec<_>>().join(",")
    }

    fn trace_files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.traces).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn stop(&mut self) {
        for child in self.children.iter_mut().filter_map(Option::take) {
            harness::signal(child.id(), rustix::process::Signal::TERM);
            harness::wait(child, PATIENCE);
        }
    }
}

impl Drop for Ensemble {
    fn drop(&mut self) {
        for child in self.children.iter_mut().filter_map(Option::as_mut) {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}

/// `zab-checker`, which `cargo build --bins` puts beside the server.
fn checker() -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_vivarium")).with_file_name("zab-checker");
    assert!(
        path.exists(),
        "{} is missing: cargo build --bins",
        path.display()
    );
    path
}

/// Clients that write until they are told to end.
struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    fn start(addresses: &str, clients: usize, pause: Duration) -> Self {
        let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let tasks = (0..clients).map(|client| {
            let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
            let addresses = addresses.to_owned();
            tokio::spawn(async move {
                let options = Options::new(&addresses)
                    .unwrap()
                    .session_timeout(Duration::from_secs(10));
                let Ok(connected) = Client::with_options(options).await else {
                    return;
                };
                let path = format!("/client{client}");
                while !stop.load(Ordering::Relaxed) {
                    // What a kill interrupts is asked again.
                    let set = connected.set_data(&path, b"some bytes", -1).await;
                    if set.is_ok() {
                        acknowledged.fetch_add(1, Ordering::Relaxed);
                    } else {
                        let _created = connected
                            .create(&path, b"", &[Acl::open()], CreateMode::Persistent)
                            .await;
                    }
                    tokio::time::sleep(pause).await;
                }
                let _closed = connected.close().await;
            })
        });
        Self {
            tasks: tasks.collect(),
            stop,
            acknowledged,
        }
    }

    fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    async fn wait_for(&self, more: usize) {
        let (limit, goal) = (Instant::now() + PATIENCE, self.acknowledged() + more);
        while self.acknowledged() < goal {
            assert!(
                Instant::now() < limit,
                "{} of {goal} writes",
                self.acknowledged()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        self.acknowledged.load(Ordering::Relaxed)
    }
}

/// Kills the leader, then a follower, and so on, `writes` writes apart at least `pause` apart.
async fn kill_under_load(
    ensemble: &mut Ensemble,
    load: &Load,
    kills: usize,
    writes: usize,
    pause: Duration,
) {
    for kill in 0..kills {
        let began = Instant::now();
        load.wait_for(writes).await;
        let leader = ensemble.leader();
        let victim = if kill % 2 == 0 {
            leader
        } else {
            (leader + 1) % ensemble.ports.len()
        };
        ensemble.kill_9(victim);
        load.wait_for(writes).await;
        ensemble.launch(victim);
        ensemble.wait_until_all_serve();
        tokio::time::sleep(pause.saturating_sub(began.elapsed())).await;
    }
    load.wait_for(writes).await;
}

fn verdict(ensemble: &Ensemble) -> String {
    let files = ensemble.trace_files();
    let output = run(Command::new(checker()).arg("trace").args(&files));
    let bytes: u64 = files
        .iter()
        .map(|file| fs::metadata(file).unwrap().len())
        .sum();
    let said = String::from_utf8(output.stdout).unwrap();
    format!("{said}{} files, {bytes} bytes", files.len())
}

// spec: S1, S3, S10, S12, S14, S15, S17, S20, S22, S25
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_are_killed_under_load_leave_a_clean_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(folder.path(), 3, "");
    let load = Load::start(&ensemble.addresses(), 4, Duration::ZERO);
    kill_under_load(&mut ensemble, &load, 4, 50, Duration::ZERO).await;
    let acknowledged = load.end().await;
    ensemble.stop();
    let said = verdict(&ensemble);
    println!("{acknowledged} writes acknowledged\n{said}");
    assert!(acknowledged >= 450);
    assert!(said.contains("7 starts (4 restarts"), "{said}");
}

// spec: QP-INT-02, S27
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_that_open_with_a_first_txn_leave_a_clean_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(folder.path(), 3, "vivarium.openingTxn=true\n");
    let load = Load::start(&ensemble.addresses(), 2, Duration::ZERO);
    kill_under_load(&mut ensemble, &load, 2, 50, Duration::ZERO).await;
    load.end().await;
    ensemble.stop();
    let said = verdict(&ensemble);
    println!("{said}");
    assert!(said.contains("5 starts (2 restarts"), "{said}");
    let files = ensemble.trace_files();
    let asked = |file: &PathBuf| fs::read_to_string(file).unwrap().contains("{\"Open\":");
    assert!(files.iter().any(asked), "no leader asked for a first txn");
}

/// Ten minutes and twenty kills.
#[ignore = "takes ten minutes: just trace"]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_run_leaves_a_clean_trace() {
    let folder = tempfile::tempdir().unwrap();
    let mut ensemble = Ensemble::start(folder.path(), 3, "");
    let load = Load::start(&ensemble.addresses(), 3, Duration::from_millis(50));
    kill_under_load(&mut ensemble, &load, 20, 50, Duration::from_secs(30)).await;
    let acknowledged = load.end().await;
    ensemble.stop();
    let began = Instant::now();
    let said = verdict(&ensemble);
    println!(
        "{acknowledged} writes acknowledged\n{said}, judged in {:?}",
        began.elapsed()
    );
}
