use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use zk_node::settings::Words;

use super::draft::Draft;
use super::table::{self, Effect};
use super::*;
use crate::run::{PeerRole, ServerConfig};

/// A folder with a data directory and a zoo.cfg that names it.
struct Site {
    folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("data")).unwrap();
        Self { folder }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn id(self, id: &str) -> Self {
        self.write("data/myid", id);
        self
    }

    /// dataDir is line 1, so `lines` begin at line 2.
    fn load(&self, lines: &str, strict: Strictness) -> Result<Loaded, ConfigError> {
        let data = self.folder.path().join("data");
        let text = format!("dataDir={}\n{lines}", data.display());
        from_file(&self.write("zoo.cfg", &text), &[], strict)
    }

    fn config(&self, lines: &str) -> ServerConfig {
        self.load(lines, Strictness::Warn).unwrap().config
    }

    /// What the error or the warnings say, with the folder's name cut out.
    fn says(&self, lines: &str, strict: Strictness) -> String {
        let text = match self.load(lines, strict) {
            Err(error) => format!("refused: {error}"),
            Ok(loaded) => {
                let warnings = loaded.warnings.iter().map(Warning::to_string);
                warnings.collect::<Vec<_>>().join("; ")
            }
        };
        text.replace(&format!("{}/", self.folder.path().display()), "")
    }
}

const THREE: &str = "initLimit=10\nsyncLimit=5\n\
    server.1=a:1:2\nserver.2=b:1:2;2181\nserver.3=c:1:2:observer;[::1]:2182\n";

/// Alone unless the text says more.
fn says(lines: &str) -> String {
    Site::new().says(lines, Strictness::Warn)
}

#[test]
fn the_table_is_sound() {
    let mut names = std::collections::BTreeSet::new();
    for key in table::all() {
        assert!(names.insert(key.name), "{} stands twice", key.name);
        if let Some(default) = key.default {
            let mut draft = Draft::with_defaults();
            let applied = key.kind.apply(&mut draft, default);
            assert_eq!(applied, Ok(()), "default of {}", key.name);
        }
        if let Effect::Warns { when, .. } | Effect::Refused { when, .. } = key.effect {
            let quiet = key.default.is_none_or(|default| !when(default));
            assert!(quiet, "the default of {} warns", key.name);
        }
        assert!(table::find(&format!("zookeeper.{}", key.name)).is_some());
    }
}

// spec: CP-CON-07, CP-CFG-03
#[test]
fn defaults_are_those_of_the_node_too() {
    let mut ours = Draft::with_defaults();
    ours.resolve_limits();
    let node = zk_node::settings::Settings::default();
    assert_eq!(format!("{:?}", ours.server.settings), format!("{node:?}"));
}

#[test]
fn configuration_page() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    expect_file![page].assert_eq(&docs::page());
}

// spec: FT-ADM-07, CP-CFG-02, CP-CFG-01
#[test]
fn complaints_name_file_line_key_and_what_is_allowed() {
    for (lines, expected) in [
        (
            "\ntickTme=1",
            "zoo.cfg:3: tickTme: unknown key; did you mean tickTime?",
        ),
        ("colour=red", "zoo.cfg:2: colour: unknown key"),
        (
            "tickTime=2\ntickTime=3",
            "zoo.cfg:3: tickTime: repeated: replaces the value of zoo.cfg:2",
        ),
        (
            "skipACL=no\nzookeeper.skipACL=no",
            "zoo.cfg:3: skipACL: repeated: replaces the value of zoo.cfg:2",
        ),
        (
            "tickTime=0",
            "refused: zoo.cfg:2: tickTime: \"0\" is not allowed; allowed: a whole number from 1 to 2147483647",
        ),
        (
            "tickTime=2s",
            "refused: zoo.cfg:2: tickTime: \"2s\" is not allowed; allowed: a whole number from 1 to 2147483647",
        ),
        (
            "clientPort=65536",
            "refused: zoo.cfg:2: clientPort: \"65536\" is not allowed; allowed: a port from 0 to 65535",
        ),
        (
            "standaloneEnabled=yes",
            "refused: zoo.cfg:2: standaloneEnabled: \"yes\" is not allowed; allowed: true or false",
        ),
        (
            "enforceQuota=yes",
            "zoo.cfg:2: enforceQuota: \"yes\" is neither true nor false; taken as false",
        ),
        // spec: CP-AUTH-15
        (
            "skipACL=Yes",
            "refused: zoo.cfg:2: skipACL: \"Yes\" is not allowed; allowed: yes or no",
        ),
        (
            "electionAlg=1",
            "refused: zoo.cfg:2: electionAlg: \"1\" is not allowed; allowed: a whole number from 3 to 3",
        ),
        (
            "a=\\u1",
            "refused: zoo.cfg: line 2: \\u must be followed by four hexadecimal digits",
        ),
        (
            "server.x=a:1:2",
            "refused: zoo.cfg:2: server.x: \"a:1:2\" is not allowed; allowed: an id from 0 to 255 after server.",
        ),
        (
            "server.1=a:1:1",
            "refused: zoo.cfg:2: server.1: \"a:1:1\" is not allowed; allowed: two different ports for quorum and election",
        ),
        (
            "server.1=a:1:2|b:1:2",
            "refused: zoo.cfg:2: server.1: \"a:1:2|b:1:2\" is not allowed; allowed: one address, since multiAddress.enabled is not set",
        ),
        (
            "server.1=a:1:2\nserver.2=a:1:3",
            "refused: zoo.cfg: server.1 and server.2 share a:1",
        ),
    ] {
        assert_eq!(says(lines), expected, "{lines}");
    }
}

// spec: QP-CFG-03
#[test]
fn the_member_line_says_what_a_server_is() {
    let site = Site::new().id("3");
    let role = |lines: &str| {
        let quorum = site.config(lines).quorum.unwrap();
        quorum.peers.last().unwrap().role
    };
    for (written, warning) in [
        (
            "peerType=participant\n",
            "zoo.cfg:2: peerType: server.3 says otherwise, and wins",
        ),
        ("peerType=observer\n", ""),
        ("", ""),
    ] {
        let lines = format!("{written}{THREE}");
        assert_eq!(role(&lines), PeerRole::Observer);
        assert_eq!(site.says(&lines, Strictness::Warn), warning, "{written}");
    }
}

// spec: CP-CFG-05
#[test]
fn keys_that_do_not_fit_together_refuse_the_start() {
    for (lines, expected) in [
        (
            "clientPortAddress=127.0.0.1",
            "clientPortAddress is set without clientPort",
        ),
        (
            "minSessionTimeout=5\nmaxSessionTimeout=4",
            "minSessionTimeout is above maxSessionTimeout",
        ),
        (
            "enforce.auth.enabled=true",
            "enforce.auth.enabled is set without enforce.auth.schemes",
        ),
        (
            "enforce.auth.enabled=true\nenforce.auth.schemes=sasl",
            "enforce.auth.schemes: no provider for sasl; allowed: ip, digest",
        ),
        (
            "server.1=a:1:2\nserver.2=b:1:2",
            "initLimit is not set, and an ensemble needs it",
        ),
        (
            "initLimit=1\nserver.1=a:1:2\nserver.2=b:1:2",
            "syncLimit is not set, and an ensemble needs it",
        ),
        (
            THREE.replace(":observer", "").as_str(),
            "the file myid is missing from dataDir, and an ensemble needs it",
        ),
        (
            "standaloneEnabled=false",
            "standaloneEnabled=false needs a participant",
        ),
        (
            "server.1=a:1:2\nserver.2=b:1:2:observer",
            "observers need at least two participants",
        ),
        (
            "server.1=a:1:2:observer",
            "observers need at least two participants",
        ),
        (
            "group.1=1\nserver.1=a:1:2\nserver.2=b:1:2",
            "server.2 votes and is in no group",
        ),
        (
            "group.1=1\ngroup.2=1\nserver.1=a:1:2",
            "server 1 is in two groups",
        ),
    ] {
        assert_eq!(
            says(lines),
            format!("refused: zoo.cfg: {expected}"),
            "{lines}"
        );
    }
    let nowhere = from_file(
        &Site::new().write("zoo.cfg", "clientPort=1"),
        &[],
        Strictness::Warn,
    );
    assert!(
        nowhere
            .unwrap_err()
            .to_string()
            .ends_with("dataDir is not set")
    );
}

#[test]
fn keys_that_protect_fail_closed() {
    for key in [
        "sslQuorum=true",
        "quorum.auth.learnerRequireSasl=true",
        "quorum.auth.serverRequireSasl=TRUE",
        "sessionRequireClientSASLAuth=true",
        "zookeeper.sessionRequireClientSASLAuth=true",
        "oraclePath=/oracle",
    ] {
        let said = says(key);
        assert!(said.starts_with("refused: zoo.cfg:2: "), "{key}: {said}");
    }
    assert_eq!(
        says("sslQuorum=false\nsessionRequireClientSASLAuth=false"),
        ""
    );
    assert_eq!(
        says("secureClientPort=2281"),
        "zoo.cfg:2: secureClientPort: stays shut: TLS is not built yet"
    );
    assert_eq!(
        says("forceSync=no"),
        "zoo.cfg:2: forceSync: not honoured: every write is synced before it is acknowledged"
    );
    assert_eq!(
        Site::new().config("secureClientPort=2281").client_address,
        None
    );
}

#[test]
fn strict_refuses_what_it_cannot_vouch_for() {
    let strict = |lines: &str| Site::new().says(lines, Strictness::Refuse);
    for lines in ["tickTme=1", "tickTime=1\ntickTime=2", "enforceQuota=1"] {
        let said = strict(lines);
        assert!(
            said.starts_with("refused: ") && said.ends_with("(--strict-config)"),
            "{said}"
        );
    }
    // A known key without effect yet is no reason to refuse.
    assert_eq!(
        strict("audit.enable=true"),
        "zoo.cfg:2: audit.enable: accepted, and has no effect yet"
    );
}

// spec: FT-ADM-06
#[test]
fn secrets_are_not_shown() {
    let site = Site::new();
    let config = site.config("DigestAuthenticationProvider.superDigest=super:canary");
    assert_eq!(
        config.settings.super_digest.as_ref().unwrap().reveal(),
        "super:canary"
    );
    assert!(!format!("{config:?}").contains("canary"));
}

// spec: CP-CFG-04, CP-FLW-03, CP-AUTH-15
#[test]
fn values_reach_their_place() {
    let config = Site::new().config(
        "tickTime=2000\nclientPort=0\nclientPortAddress=127.0.0.1\njute.maxbuffer=4096\n\
         zookeeper.snapSizeLimitInKb=1\ntxnLogSizeLimitInKb=0\nflushDelay=9\nautopurge.snapRetainCount=1\n\
         autopurge.purgeInterval=0\nskipACL=yes\nextendedTypesEnabled=TRUE\n4lw.commands.whitelist= stat , ruok,\n\
         snapshot.compression.method=gz\nmaxSessionTimeout=5000\n",
    );
    assert_eq!(config.client_address, Some("127.0.0.1:0".parse().unwrap()));
    let settings = &config.settings;
    assert_eq!(
        (
            settings.min_session_timeout_ms,
            settings.max_session_timeout_ms
        ),
        (4000, 5000)
    );
    assert_eq!(
        (settings.max_frame_bytes, settings.max_frame_extra_bytes),
        (4096, 4096)
    );
    assert_eq!(settings.snap_size_limit_bytes, Some(1024));
    assert_eq!(config.log_size_limit_bytes, None);
    assert_eq!(
        (config.batching.flush_delay_ms, config.batching.max_poll_ms),
        (9, 3)
    );
    assert_eq!((config.purge_retain, config.purges), (3, false));
    assert!(settings.skip_acl && settings.extended_types);
    let listed = ["stat", "ruok"].map(str::to_owned).into();
    assert_eq!(settings.four_letter_words, Words::Only(listed));
    assert_eq!(config.snapshot_compression, zk_storage::Compression::Gzip);
    assert_eq!(config.data_log_dir, config.data_dir);
    assert!(config.quorum.is_none());
    assert_eq!(
        Site::new()
            .config("4lw.commands.whitelist=*")
            .settings
            .four_letter_words,
        Words::All
    );
}

// spec: CP-CFG-20, CP-CFG-22, CP-CFG-40, QP-CFG-08
#[test]
fn member_lines_make_an_ensemble() {
    let site = Site::new().id("2\n");
    let config = site.config(&THREE.replace(":observer", ""));
    let quorum = config.quorum.unwrap();
    assert_eq!(
        (quorum.id, quorum.init_limit_ticks, quorum.sync_limit_ticks),
        (2, 10, 5)
    );
    assert_eq!(config.settings.server_id, 2);
    // The client address of the member line serves when zoo.cfg has none.
    assert_eq!(config.client_address, Some("0.0.0.0:2181".parse().unwrap()));
    assert_eq!(
        quorum.text(),
        "server.1=a:1:2:participant\nserver.2=b:1:2:participant;0.0.0.0:2181\n\
         server.3=c:1:2:participant;[::1]:2182\nversion=0"
    );
    assert_eq!(
        site.says(&format!("clientPort=2182\n{THREE}"), Strictness::Warn),
        "refused: zoo.cfg: clientPort says 0.0.0.0:2182 and this server's member line says 0.0.0.0:2181"
    );
    assert_eq!(
        site.says(
            "initLimit=1\nsyncLimit=1\nserver.1=a:1:2\nserver.3=b:1:2",
            Strictness::Warn
        ),
        "refused: zoo.cfg: myid is 2, and no server.2 is listed"
    );
}

// spec: DF-WHO-03
#[test]
fn an_observer_may_do_without_a_log() {
    let keeps = |id: &str, lines: &str| {
        let config = Site::new().id(id).config(&format!("{lines}\n{THREE}"));
        config.settings.keeps_log
    };
    assert!(keeps("1", "syncEnabled=false") && keeps("3", ""));
    assert!(!keeps("3", "syncEnabled=false"));
    assert!(!keeps("3", "observer.syncEnabled=false"));
    assert!(keeps("3", "observer.syncEnabled=true\nsyncEnabled=false"));
    assert_eq!(
        Site::new().id("3").says(
            &format!("syncEnabled=false\nvivarium.traceDir=/tmp\n{THREE}"),
            Strictness::Warn
        ),
        "refused: zoo.cfg: vivarium.traceDir needs syncEnabled=true"
    );
}

// spec: QP-FLE-14, QP-FLE-15
#[test]
fn votes_are_not_repeated_within_the_final_wait() {
    let site = Site::new().id("2\n");
    let longest = |lines: &str| {
        let config = site.config(&format!("{lines}\n{THREE}"));
        config.quorum.unwrap().max_notification_ms
    };
    assert_eq!(longest(""), 2000);
    assert_eq!(longest("fastleader.maxNotificationInterval=50"), 2000);
    assert_eq!(longest("fastleader.maxNotificationInterval=9000"), 9000);
    assert_eq!(longest("fastleader.minNotificationInterval=9000"), 9000);
    let short = "vivarium.election.finalWaitMs=20\nfastleader.maxNotificationInterval=50";
    assert_eq!(longest(short), 200);
}

// spec: CP-CFG-07
#[test]
fn one_member_is_standalone_unless_told_otherwise() {
    let site = Site::new().id("1");
    assert!(site.config("server.1=a:1:2").quorum.is_none());
    let lines = "standaloneEnabled=false\ninitLimit=1\nsyncLimit=1\nserver.1=a:1:2";
    assert!(site.config(lines).quorum.is_some());
}

// spec: CP-CFG-21, CP-CFG-24, QP-CFG-02
#[test]
fn addresses_roles_groups_and_weights() {
    let site = Site::new().id("1");
    let config = site.config(
        "multiAddress.enabled=true\ninitLimit=1\nsyncLimit=1\n\
         server.1=b:3:4|a:1:2\nserver.2=[2001:db8::1]:1:2:PARTICIPANT\nserver.3=c:1:2:Observer\n\
         group.1=1:2\nweight.2=0",
    );
    let quorum = config.quorum.unwrap();
    assert_eq!(quorum.reachability_timeout_ms, Some(1000));
    let roles: Vec<_> = quorum.peers.iter().map(|peer| peer.role).collect();
    assert_eq!(
        roles,
        [
            PeerRole::Participant,
            PeerRole::Participant,
            PeerRole::Observer
        ]
    );
    assert_eq!(
        quorum.text(),
        "server.1=a:1:2:participant|b:3:4:participant\nserver.2=[2001:db8::1]:1:2:participant\n\
         server.3=c:1:2:observer\ngroup.1=1:2\nweight.1=1\nweight.2=0\nversion=0"
    );
}

// spec: CP-CFG-25
#[test]
fn the_dynamic_part_is_a_file_of_its_own() {
    let site = Site::new().id("1");
    site.write(
        "zoo.dynamic.1a0000000b",
        "server.1=a:1:2;2181\nserver.2=b:1:2;2181\n",
    );
    let base = "initLimit=1\nsyncLimit=1\ndynamicConfigFile=zoo.dynamic.1a0000000b\n";
    let config = site.config(base);
    assert_eq!(config.quorum.unwrap().version, 0x1a_0000_000b);
    assert_eq!(
        site.says(&format!("{base}server.3=c:1:2"), Strictness::Warn),
        "refused: zoo.cfg:5: member lines together with dynamicConfigFile"
    );
    site.write("zoo.dynamic.1a0000000b", "server.1=a:1:2\ntickTime=9\n");
    assert_eq!(
        site.says(base, Strictness::Warn),
        "refused: zoo.dynamic.1a0000000b:2: tickTime: only server, group and weight lines belong here"
    );
}

// spec: CP-CFG-06, QP-CFG-01
#[test]
fn a_damaged_id_is_refused() {
    for id in ["", " 1", "1 ", "one", "256", "-1"] {
        let said = Site::new().id(id).says("", Strictness::Warn);
        assert!(
            said.starts_with("refused: data/myid:1: myid: "),
            "{id:?}: {said}"
        );
    }
}

// spec: CP-CFG-08
#[test]
fn arguments_and_flags() {
    let arguments = ["2181", "/data", "500", "7"].map(str::to_owned);
    let config = from_arguments(&arguments, &[], Strictness::Warn)
        .unwrap()
        .config;
    assert_eq!(config.client_address, Some("0.0.0.0:2181".parse().unwrap()));
    assert_eq!(config.data_dir, Path::new("/data"));
    assert_eq!(config.settings.tick_time_ms, 500);
    assert_eq!(config.settings.max_client_connections_per_address, 7);

    let flag = |key: &str, value: &str| Flag {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let flags = [flag("zookeeper.snapCount", "9"), flag("tickTime", "100")];
    let site = Site::new();
    let data = site.folder.path().join("data");
    let alone = without_file(&data, &flags, Strictness::Warn)
        .unwrap()
        .config;
    assert_eq!(
        alone.client_address,
        Some("127.0.0.1:2181".parse().unwrap())
    );
    assert_eq!(
        (alone.settings.snap_count, alone.settings.tick_time_ms),
        (9, 100)
    );

    // The file wins, as in Java, where it sets the same system properties later.
    let file = site.write(
        "zoo.cfg",
        &format!("dataDir={}\nsnapCount=5", data.display()),
    );
    let both = from_file(&file, &flags, Strictness::Warn).unwrap();
    assert_eq!(both.config.settings.snap_count, 5);
    assert_eq!(both.warnings.len(), 1, "{:?}", both.warnings);
    let refused = from_arguments(&["x".to_owned()], &[], Strictness::Warn).unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("command line: clientPort: \"x\"")
    );
}

// spec: CP-EPH-12
#[test]
fn server_255_and_ttl_nodes_do_not_go_together() {
    let said = Site::new()
        .id("255")
        .says("extendedTypesEnabled=true", Strictness::Warn);
    assert_eq!(
        said,
        "refused: zoo.cfg: extendedTypesEnabled allows ids up to 254, and myid is 255"
    );
    assert_eq!(Site::new().id("255").says("", Strictness::Warn), "");
    assert_eq!(
        Site::new()
            .id("254")
            .says("extendedTypesEnabled=true", Strictness::Warn),
        ""
    );
}

// spec: QP-FLE-15, P-LIVE. After a partition nobody waits for longer than this to be heard again.
#[test]
fn votes_are_sent_again_within_two_seconds() {
    let pauses = |lines: &str| {
        let config = Site::new().id("2").config(&format!("{THREE}{lines}"));
        let quorum = config.quorum.unwrap();
        (quorum.min_notification_ms, quorum.max_notification_ms)
    };
    assert_eq!(pauses(""), (200, 2000));
    assert_eq!(
        pauses("fastleader.maxNotificationInterval=60000\n"),
        (200, 60_000)
    );
    assert_eq!(
        pauses("fastleader.minNotificationInterval=5000\n"),
        (5000, 5000)
    );
}

// spec: CP-CFG-09
#[test]
fn without_a_client_port_no_client_is_served() {
    assert_eq!(Site::new().config("").client_address, None);
    let any = Site::new().config("clientPort=0").client_address;
    assert_eq!(any, Some("0.0.0.0:0".parse().unwrap()));
}
