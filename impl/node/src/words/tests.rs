use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use expect_test::expect;

use super::*;
use crate::stats::{
    ConnSessionView, ConnView, Counters, DigestView, LastOp, Latency, ServerView, SessionBucket,
    Sizes,
};
use crate::time::Now;

/// A server with two sessions and one connection that has none, as Apache's was when its
/// answers were looked at.
struct Sample {
    mode: Mode,
    resets: Cell<(u32, u32)>,
    /// What was looked at, in order.
    asked: RefCell<Vec<&'static str>>,
}

impl Sample {
    fn new(mode: Mode) -> Self {
        Self {
            mode,
            resets: Cell::default(),
            asked: RefCell::default(),
        }
    }

    fn note(&self, what: &'static str) {
        self.asked.borrow_mut().push(what);
    }
}

impl Host for Sample {
    fn environment(&self) -> Vec<(&'static str, String)> {
        self.note("environment");
        vec![("host.name", "localhost".to_owned())]
    }

    fn open_files(&self) -> u64 {
        self.note("open files");
        9
    }

    fn max_open_files(&self) -> u64 {
        self.note("max open files");
        1024
    }

    fn directory_sizes(&self) -> (u64, u64) {
        self.note("directory sizes");
        (429, 67_108_880)
    }
}

fn connection(port: u16, session: Option<ConnSessionView>) -> ConnView {
    ConnView {
        peer: ([127, 0, 0, 1], port).into(),
        secure: false,
        output_pending: session.is_none(),
        reading: session.is_some(),
        queued: 0,
        received: 4,
        sent: 3,
        session,
        expires_at_ms: 31_000,
    }
}

fn session(id: i64, last_op: Option<LastOp>) -> ConnSessionView {
    let mut latency = Latency::default();
    latency.record(1);
    latency.record(4);
    ConnSessionView {
        id,
        timeout_ms: 30_000,
        established_at_ms: 1_795_602_171_092,
        last_op,
        latency,
    }
}

impl Facts for Sample {
    fn mode(&self) -> Mode {
        self.note("mode");
        self.mode
    }

    fn server(&self) -> ServerView {
        self.note("server");
        let mut latency = Latency::default();
        latency.record(1);
        latency.record(2);
        latency.record(2);
        let leads = self.mode == Mode::Leader;
        ServerView {
            zxid: 0x9d724,
            latency,
            packets_received: 12,
            packets_sent: 11,
            connections: 3,
            outstanding: 0,
            znodes: 6,
            data_size_bytes: 44,
            ephemerals: 1,
            watches: 3,
            global_sessions: 2,
            local_sessions: 0,
            uptime_ms: 178_493,
            client_responses: Sizes::default(),
            drop_chance: 0.25,
            proposals: leads.then(Sizes::default),
            synced_followers: 2,
            synced_observers: 0,
            learners: 2,
            quorum_size: 3,
            counters: Counters::default(),
        }
    }

    fn connections(&self) -> Vec<ConnView> {
        let last = LastOp {
            op: 4,
            xid: 3,
            zxid: 0x9d723,
            answered_at_ms: 1_728_119,
            latency_ms: 0,
            fresh: true,
        };
        vec![
            connection(42_054, Some(session(0x100_0017_a99b_00c3, Some(last)))),
            connection(42_060, Some(session(2, None))),
            connection(
                42_061,
                Some(session(
                    3,
                    Some(LastOp {
                        fresh: false,
                        ..last
                    }),
                )),
            ),
            connection(
                42_062,
                Some(session(
                    4,
                    Some(LastOp {
                        xid: -4,
                        op: -10,
                        ..last
                    }),
                )),
            ),
            connection(42_082, None),
        ]
    }

    fn session_buckets(&self) -> Vec<SessionBucket> {
        vec![SessionBucket {
            expires_at_ms: 32_000,
            sessions: vec![0x100_0017_a99b_00c3, 2],
        }]
    }

    fn global_sessions(&self) -> Vec<(i64, u32)> {
        vec![(2, 30_000), (0x100_0017_a99b_00c3, 4000)]
    }

    fn ephemerals(&self) -> Vec<(i64, Vec<String>)> {
        vec![(2, vec!["/e1".to_owned()])]
    }

    fn data_watches(&self) -> Vec<(i64, Vec<String>)> {
        let paths = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        vec![(2, paths(&["/a", "/b"])), (3, paths(&["/b"]))]
    }

    fn digests(&self) -> Vec<DigestView> {
        let view = |zxid, digest| DigestView { zxid, digest };
        vec![view(0x80, 286_541), view(0x100, u64::MAX)]
    }

    fn reset_connections(&self) {
        let (connections, server) = self.resets.get();
        self.resets.set((connections + 1, server));
    }

    fn reset_server(&self) {
        let (connections, server) = self.resets.get();
        self.resets.set((connections, server + 1));
    }

    fn now(&self) -> Now {
        Now {
            mono_ms: 1000,
            wall_ms: 1_795_602_172_000,
        }
    }
}

fn about(member: Option<Member>) -> About {
    About {
        version: "3.9.5-vivarium, built on 2026-11-25 00:00 UTC".to_owned(),
        client_port: Some(2181),
        data_dir: "/data/version-2".to_owned(),
        data_log_dir: "/log/version-2".to_owned(),
        client_backlog: -1,
        member,
        trace_mask: AtomicI64::new(DEFAULT_TRACE_MASK),
    }
}

fn ask_with(word: &str, argument: &[u8], mode: Mode, words: Words, about: &About) -> String {
    answer_of(&Sample::new(mode), word, argument, words, about)
}

fn answer_of(sample: &Sample, word: &str, argument: &[u8], words: Words, about: &About) -> String {
    let settings = Settings {
        four_letter_words: words,
        ..Settings::default()
    };
    let asked = Asked {
        facts: sample,
        settings: &settings,
        about,
        host: sample,
    };
    let word = Word::parse(word.as_bytes().try_into().unwrap()).unwrap();
    answer(word, argument, &asked)
}

fn ask(word: &str, mode: Mode) -> String {
    ask_with(word, &[], mode, Words::All, &about(None))
}

// spec: CP-FLW-10, CP-FLW-11, CP-RO-08, CP-GAP-22
#[test]
fn srvr() {
    assert_eq!(ask("ruok", Mode::Standalone), "imok");
    expect![[r#"
        Zookeeper version: 3.9.5-vivarium, built on 2026-11-25 00:00 UTC
        Latency min/avg/max: 1/1.6667/2
        Received: 12
        Sent: 11
        Connections: 3
        Outstanding: 0
        Zxid: 0x9d724
        Mode: leader
        Node count: 6
        Proposal sizes last/min/max: -1/-1/-1
    "#]]
    .assert_eq(&ask("srvr", Mode::Leader));
    let read_only = ask("srvr", Mode::ReadOnly);
    assert!(read_only.contains("UTC\nREAD-ONLY mode; serving only read-only clients\nLatency"));
    assert!(read_only.contains("\nMode: read-only\n"));
}

// spec: CP-FLW-12
#[test]
fn stat() {
    expect![[r#"
        Zookeeper version: 3.9.5-vivarium, built on 2026-11-25 00:00 UTC
        Clients:
         /127.0.0.1:42054[1](queued=0,recved=4,sent=3)
         /127.0.0.1:42060[1](queued=0,recved=4,sent=3)
         /127.0.0.1:42061[1](queued=0,recved=4,sent=3)
         /127.0.0.1:42062[1](queued=0,recved=4,sent=3)
         /127.0.0.1:42082[4](queued=0,recved=4,sent=3)

        Latency min/avg/max: 1/1.6667/2
        Received: 12
        Sent: 11
        Connections: 3
        Outstanding: 0
        Zxid: 0x9d724
        Mode: standalone
        Node count: 6
    "#]]
    .assert_eq(&ask("stat", Mode::Standalone));
}

// spec: CP-FLW-13
#[test]
fn cons() {
    expect![[r#"
        |/127.0.0.1:42054[1](queued=0,recved=4,sent=3,sid=0x1000017a99b00c3,lop=GETD,est=1795602171092,to=30000,lcxid=0x3,lzxid=0x9d723,lresp=1728119,llat=0,minlat=1,avglat=2,maxlat=4)
        |/127.0.0.1:42060[1](queued=0,recved=4,sent=3,sid=0x2,lop=null,est=1795602171092,to=30000,lcxid=0x0,lzxid=0x0,lresp=0,llat=0,minlat=1,avglat=2,maxlat=4)
        |/127.0.0.1:42061[1](queued=0,recved=4,sent=3,sid=0x3,lop=NA,est=1795602171092,to=30000,lzxid=0xffffffffffffffff,lresp=0,llat=0,minlat=1,avglat=2,maxlat=4)
        |/127.0.0.1:42062[1](queued=0,recved=4,sent=3,sid=0x4,lop=SESS,est=1795602171092,to=30000,lzxid=0x9d723,lresp=1728119,llat=0,minlat=1,avglat=2,maxlat=4)
        |/127.0.0.1:42082[4](queued=0,recved=4,sent=3)

    "#]]
    .assert_eq(&ask("cons", Mode::Standalone).replace(" /", "|/")); // a leading blank would be cut
}

// spec: CP-FLW-17
#[test]
fn dump() {
    expect![[r#"
        SessionTracker dump:
        Session Sets (1)/(2):
        2 expire at Wed Nov 25 10:23:23 UTC 2026:
        	0x1000017a99b00c3
        	0x2
        ephemeral nodes dump:
        Sessions with Ephemerals (1):
        0x2:
        	/e1
        Connections dump:
        Connections Sets (1)/(5):
        5 expire at Wed Nov 25 10:23:22 UTC 2026:
        	ip: /127.0.0.1:42054 sessionId: 0x1000017a99b00c3
        	ip: /127.0.0.1:42060 sessionId: 0x2
        	ip: /127.0.0.1:42061 sessionId: 0x3
        	ip: /127.0.0.1:42062 sessionId: 0x4
        	ip: /127.0.0.1:42082 sessionId: 0x0
    "#]]
    .assert_eq(&ask("dump", Mode::Standalone));
    let learner = ask("dump", Mode::Follower);
    let head = "SessionTracker dump:\nGlobal Sessions(2):\n0x2\t30000ms\n0x1000017a99b00c3\t4000ms\nephemeral";
    assert!(learner.starts_with(head), "{learner}");
}

// spec: CP-FLW-20, CP-FLW-21, CP-FLW-22
#[test]
fn watches() {
    assert_eq!(
        ask("wchs", Mode::Standalone),
        "2 connections watching 2 paths\nTotal watches:3\n"
    );
    assert_eq!(
        ask("wchc", Mode::Standalone),
        "0x2\n\t/a\n\t/b\n0x3\n\t/b\n\n"
    );
    assert_eq!(
        ask("wchp", Mode::Standalone),
        "/a\n\t0x2\n/b\n\t0x2\n\t0x3\n\n"
    );
}

// spec: CP-FLW-15
#[test]
fn conf() {
    let alone = "clientPort=2181\nsecureClientPort=-1\ndataDir=/data/version-2\ndataDirSize=429\n\
                 dataLogDir=/log/version-2\ndataLogSize=67108880\ntickTime=3000\nmaxClientCnxns=60\n\
                 minSessionTimeout=6000\nmaxSessionTimeout=60000\nclientPortListenBacklog=-1\n";
    assert_eq!(
        ask("conf", Mode::Standalone),
        format!("{alone}serverId=0\n")
    );
    let member = Member {
        id: 2,
        init_limit_ticks: 10,
        sync_limit_ticks: 5,
        election_ports: vec![3888, 3889],
        quorum_ports: vec![2888, 2889],
        observer: false,
        membership: "server.1=a:2:3:participant\nversion=0".to_owned(),
    };
    let about = about(Some(member));
    let limits = "serverId=2\ninitLimit=10\nsyncLimit=5\nelectionAlg=3\nelectionPort=3888|3889\n\
                  quorumPort=2888|2889\npeerType=0\n";
    assert_eq!(
        ask_with("conf", &[], Mode::Leader, Words::All, &about),
        format!("{alone}{limits}membership: \nserver.1=a:2:3:participant\nversion=0")
    );
    assert_eq!(
        ask_with("conf", &[], Mode::ReadOnly, Words::All, &about),
        format!("{alone}{limits}")
    );
}

// spec: CP-FLW-16, CP-FLW-24, CP-FLW-27
#[test]
fn envi_dirs_hash() {
    assert_eq!(
        ask("envi", Mode::NotServing),
        "Environment:\nhost.name=localhost\n"
    );
    assert_eq!(
        ask("dirs", Mode::Standalone),
        "datadir_size: 429\nlogdir_size: 67108880\n"
    );
    assert_eq!(ask("hash", Mode::Standalone), "80: 286541\n100: -1\n");
}

// spec: CP-FLW-14, CP-MET-01
#[test]
fn mntr() {
    let leader = ask("mntr", Mode::Leader);
    let start = "zk_version\t3.9.5-vivarium, built on 2026-11-25 00:00 UTC\nzk_server_state\tleader\nzk_peer_state\tleading - broadcast\n";
    assert!(leader.starts_with(start), "{leader}");
    for line in [
        "zk_avg_latency\t1.6667",
        "zk_znode_count\t6",
        "zk_quorum_size\t3",
        "zk_synced_followers\t2",
        "zk_last_proposal_size\t-1",
        "zk_open_file_descriptor_count\t9",
        "zk_max_file_descriptor_count\t1024",
        "zk_connection_drop_probability\t0.25",
    ] {
        assert!(
            leader.lines().any(|found| found == line),
            "{line} in {leader}"
        );
    }
    let alone = ask("mntr", Mode::Standalone);
    assert!(!alone.contains("peer_state") && !alone.contains("quorum_size"));
    let names: Vec<&str> = leader
        .lines()
        .filter_map(|line| line.split('\t').next())
        .collect();
    let unique: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(unique.len(), names.len());
}

// spec: CP-FLW-18, CP-FLW-19
#[test]
fn resets_reach_the_server() {
    let (facts, about) = (Sample::new(Mode::Standalone), about(None));
    let ask = |word| answer_of(&facts, word, &[], Words::All, &about);
    assert_eq!(ask("crst"), "Connection stats reset.\n");
    assert_eq!(facts.resets.get(), (1, 0));
    assert_eq!(ask("srst"), "Server stats reset.\n");
    assert_eq!(facts.resets.get(), (1, 1));
}

// spec: FT-CON-22. Whoever reaches the port may type them, as often as he likes.
#[test]
fn a_word_looks_only_at_what_it_shows() {
    let about = about(None);
    for (word, looks) in [
        ("ruok", &[][..]),
        ("gtmk", &[]),
        ("envi", &["environment"]),
        ("isro", &["mode"]),
        ("cons", &["mode"]),
        ("dirs", &["mode", "directory sizes"]),
        ("conf", &["mode", "directory sizes"]),
        ("srvr", &["mode", "mode", "server"]),
        (
            "mntr",
            &["mode", "mode", "server", "open files", "max open files"],
        ),
    ] {
        let sample = Sample::new(Mode::Standalone);
        answer_of(&sample, word, &[], Words::All, &about);
        assert_eq!(*sample.asked.borrow(), looks, "{word}");
        // Refused, it costs nothing at all.
        let sample = Sample::new(Mode::Standalone);
        answer_of(&sample, word, &[], Words::Only(Default::default()), &about);
        let refused = word != "srvr";
        assert_eq!(sample.asked.borrow().is_empty(), refused, "{word}");
    }
}

// spec: CP-FLW-23, CP-FLW-25, CP-FLW-26
#[test]
fn small_answers() {
    for (mode, expected) in [
        (Mode::Standalone, "rw"),
        (Mode::Follower, "rw"),
        (Mode::ReadOnly, "ro"),
        (Mode::NotServing, "null"),
    ] {
        assert_eq!(ask("isro", mode), expected);
    }
    let about = about(None);
    let ask =
        |word, argument: &[u8]| ask_with(word, argument, Mode::Standalone, Words::All, &about);
    assert_eq!(ask("gtmk", &[]), "306");
    assert_eq!(ask("stmk", &7i64.to_be_bytes()), "7");
    assert_eq!(ask("stmk", &[1, 2]), "");
    assert_eq!(ask("gtmk", &[]), "7");
    assert_eq!(Word::Stmk.argument_bytes(), 8);
}

// spec: CP-FLW-03, CP-FLW-04, CP-FLW-05
#[test]
fn the_whitelist_decides() {
    let only = |words: &[&str]| Words::Only(words.iter().map(|word| (*word).to_owned()).collect());
    let about = about(None);
    let ask = |word: &str, words| ask_with(word, &[], Mode::Standalone, words, &about);
    assert_eq!(
        ask("stat", only(&["ruok"])),
        "stat is not executed because it is not in the whitelist.\n"
    );
    assert_eq!(ask("ruok", only(&["ruok"])), "imok");
    assert!(ask("srvr", only(&[])).starts_with("Zookeeper version"));
    assert!(ask("isro", only(&[])).starts_with("isro is not executed"));
    assert_eq!(Word::parse(*b"abcd"), None);
    assert_eq!(Word::parse(*b"RUOK"), None);
    let telnet = Word::parse([0xff, 0xf4, 0xff, 0xfd]).unwrap();
    assert_eq!((telnet, telnet.name()), (Word::TelnetClose, "telnet close"));
    let read_only = Settings {
        read_only_mode: true,
        ..Settings::default()
    };
    assert!(Word::Isro.is_allowed(&read_only));
}

// spec: CP-FLW-06
#[test]
fn a_server_that_does_not_serve_says_so() {
    for word in [
        "srvr", "stat", "cons", "mntr", "conf", "dump", "crst", "wchs", "dirs",
    ] {
        assert_eq!(
            ask(word, Mode::NotServing),
            format!("{NOT_SERVING}\n"),
            "{word}"
        );
    }
    assert_eq!(ask("hash", Mode::NotServing), NOT_SERVING);
    assert_eq!(ask("ruok", Mode::NotServing), "imok");
    assert_eq!(ask("gtmk", Mode::NotServing), "306");
}
