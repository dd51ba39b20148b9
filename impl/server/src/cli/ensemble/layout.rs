//! The folder of an ensemble: a configuration, an id and a data directory for each server.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::EnsembleArgs;

/// Election ports stand this far above quorum ports, as in ZooKeeper's examples.
const ELECTION_OFFSET: u16 = 1000;

/// What every server of the ensemble has in common. A short final wait is for ensembles of
/// Vivarium alone, which this one is.
const COMMON: &str = "\
tickTime=2000
initLimit=10
syncLimit=5
clientPortAddress=127.0.0.1
4lw.commands.whitelist=srvr,stat,mntr,ruok,conf,isro
vivarium.election.finalWaitMs=20
";

pub(super) struct Layout {
    pub(super) servers: Vec<ServerFiles>,
}

pub(super) struct ServerFiles {
    pub(super) id: u8,
    pub(super) client_port: u16,
    pub(super) config: PathBuf,
    pub(super) log: PathBuf,
}

impl Layout {
    /// Writes all files; data of an earlier run stays and is gone on with.
    pub(super) fn write(arguments: &EnsembleArgs) -> Result<Self> {
        fs::create_dir_all(&arguments.dir).with_context(|| arguments.dir.display().to_string())?;
        let dir = arguments.dir.canonicalize()?;
        check_voters(&dir, arguments.servers)?;
        let members = member_lines(arguments)?;
        let ids = 1..=arguments.servers + arguments.observers;
        let servers = ids.map(|id| write_server(&dir, id, arguments, &members));
        let servers = servers.collect::<Result<_>>()?;
        Ok(Self { servers })
    }

    pub(super) fn connect_string(&self) -> String {
        let servers = self.servers.iter();
        let addresses: Vec<_> = servers
            .map(|server| format!("127.0.0.1:{}", server.client_port))
            .collect();
        addresses.join(",")
    }
}

fn member_lines(arguments: &EnsembleArgs) -> Result<String> {
    let mut lines = String::new();
    for id in 1..=arguments.servers + arguments.observers {
        let quorum = port(arguments.quorum_port, id)?;
        let election = quorum
            .checked_add(ELECTION_OFFSET)
            .context("no such election port")?;
        let role = if id > arguments.servers {
            ":observer"
        } else {
            ""
        };
        writeln!(lines, "server.{id}=127.0.0.1:{quorum}:{election}{role}")?;
    }
    Ok(lines)
}

/// The port of server `id`, counted from `first` for server 1.
fn port(first: u16, id: u8) -> Result<u16> {
    let port = first.checked_add(u16::from(id) - 1);
    port.with_context(|| format!("no port for server {id} above {first}"))
}

fn write_server(
    dir: &Path,
    id: u8,
    arguments: &EnsembleArgs,
    members: &str,
) -> Result<ServerFiles> {
    let folder = dir.join(format!("server-{id}"));
    let data = folder.join("data");
    fs::create_dir_all(&data).with_context(|| data.display().to_string())?;
    fs::write(data.join("myid"), format!("{id}\n"))?;
    // spec: DF-REC-05. Only a server that never ran may vote with an empty history: one whose data
    // was lost must ask the others first.
    if !data.join("version-2").exists() && is_first_start(dir) {
        fs::write(data.join("initialize"), "")?;
    }
    let client_port = port(arguments.client_port, id)?;
    let role = if id > arguments.servers {
        "peerType=observer\n"
    } else {
        ""
    };
    // One participant is an ensemble here, and not a standalone server: it may get observers.
    let alone = if arguments.servers == 1 {
        "standaloneEnabled=false\n"
    } else {
        ""
    };
    let text = format!(
        "{COMMON}{alone}dataDir={}\nclientPort={client_port}\n{role}{members}",
        data.display()
    );
    let config = folder.join("zoo.cfg");
    fs::write(&config, text).with_context(|| config.display().to_string())?;
    let log = folder.join("log");
    Ok(ServerFiles {
        id,
        client_port,
        config,
        log,
    })
}

/// Refuses another number of voters than the data's: a majority of the new ones may hold none of what a
/// majority of the old ones acknowledged.
fn check_voters(dir: &Path, servers: u8) -> Result<()> {
    let config = dir.join("server-1/zoo.cfg");
    if is_first_start(dir) || !config.exists() {
        return Ok(());
    }
    let text = fs::read_to_string(&config).with_context(|| config.display().to_string())?;
    let members = text.lines().filter(|line| line.starts_with("server."));
    let voters = members.filter(|line| !line.ends_with(":observer")).count();
    if voters != usize::from(servers) {
        bail!(
            "{} holds an ensemble of --servers {voters}; choose that or another --dir",
            dir.display()
        );
    }
    Ok(())
}

/// Whether no server under `dir` has ever had data.
fn is_first_start(dir: &Path) -> bool {
    // As many as the command starts: nine voters and nine observers.
    !(1..=18).any(|id| dir.join(format!("server-{id}/data/version-2")).exists())
}

#[cfg(test)]
mod tests {
    use super::*;
    use zk_server::config::{Strictness, from_file};

    fn arguments(dir: &Path, servers: u8, observers: u8) -> EnsembleArgs {
        EnsembleArgs {
            servers,
            observers,
            dir: dir.to_owned(),
            client_port: 2181,
            quorum_port: 2888,
            kill_leader: None,
            pause_leader: None,
        }
    }

    #[test]
    fn what_it_writes_is_a_configuration_without_complaint() {
        for (servers, observers) in [(1, 0), (3, 0), (2, 1), (5, 2)] {
            let folder = tempfile::tempdir().unwrap();
            let layout = Layout::write(&arguments(folder.path(), servers, observers)).unwrap();
            assert_eq!(layout.servers.len(), usize::from(servers + observers));
            for server in &layout.servers {
                let loaded = from_file(&server.config, &[], Strictness::Refuse).unwrap();
                assert_eq!(loaded.warnings, []);
                let quorum = loaded.config.quorum.unwrap();
                assert_eq!(quorum.id, u64::from(server.id));
                assert_eq!(quorum.finalize_wait_ms, 20);
                let voters = quorum.peers.iter().filter(|peer| peer.votes());
                assert_eq!(voters.count(), usize::from(servers));
            }
        }
    }

    // spec: DF-REC-05
    #[test]
    fn only_a_first_start_may_begin_with_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let initialize = |id: u8| folder.path().join(format!("server-{id}/data/initialize"));
        Layout::write(&arguments(folder.path(), 3, 0)).unwrap();
        for id in 1..=3 {
            assert!(initialize(id).exists());
            fs::remove_file(initialize(id)).unwrap();
        }
        // Server 1 has run; 2 lost its data; neither may start afresh.
        fs::create_dir_all(folder.path().join("server-1/data/version-2")).unwrap();
        Layout::write(&arguments(folder.path(), 3, 0)).unwrap();
        assert!((1..=3).all(|id| !initialize(id).exists()));
    }

    #[test]
    fn with_data_the_number_of_voters_stays() {
        let folder = tempfile::tempdir().unwrap();
        Layout::write(&arguments(folder.path(), 3, 0)).unwrap();
        Layout::write(&arguments(folder.path(), 5, 0)).unwrap();
        fs::create_dir_all(folder.path().join("server-2/data/version-2")).unwrap();
        Layout::write(&arguments(folder.path(), 5, 2)).unwrap();
        let Err(error) = Layout::write(&arguments(folder.path(), 3, 0)) else {
            panic!("three of five may hold nothing");
        };
        assert!(error.to_string().contains("--servers 5"), "{error}");
    }

    #[test]
    fn ports_end_at_65535() {
        let folder = tempfile::tempdir().unwrap();
        let mut arguments = arguments(folder.path(), 3, 0);
        arguments.client_port = 65534;
        assert!(Layout::write(&arguments).is_err());
    }
}
