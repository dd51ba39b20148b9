//! One server of three, and a test that plays the two others on the wire.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on fails"
)]

mod harness;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use harness::ensemble::Ensemble;
use harness::peer::{greeting, vote};
use harness::{PATIENCE, four_letters, free_port};
use zk_proto::quorum::{
    ForwardedRequest, Hello, LearnerInfo, Notification, PROTOCOL_VERSION, Packet, Touch, Validity,
    packet_len,
};
use zk_proto::request::Create;
use zk_proto::{Acl, OpCode, Request, Txn, TxnRecord};

/// Server 2 of 1, 2 and 3, all alone.
struct Lonely {
    folder: tempfile::TempDir,
    election_port: u16,
    quorum_port: u16,
    client_port: u16,
    /// Where server 1 is called.
    first: TcpListener,
    child: Child,
}

impl Lonely {
    fn start() -> Self {
        let (election_port, quorum_port) = (free_port(), free_port());
        Self::start_on(election_port, quorum_port, "", "")
    }

    /// `lines`: more of its configuration.
    fn configured(lines: &str) -> Self {
        Self::start_on(free_port(), free_port(), "", lines)
    }

    /// `further`: more addresses of this server, each after a bar.
    fn start_on(election_port: u16, quorum_port: u16, further: &str, lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let first = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let first_port = first.local_addr().unwrap().port();
        let (nobody, no_one, none) = (free_port(), free_port(), free_port());
        let client_port = free_port();
        fs::write(folder.path().join("myid"), "2").unwrap();
        fs::write(folder.path().join("initialize"), "").unwrap();
        let text = format!(
            "tickTime=500\ninitLimit=20\nsyncLimit=20\nclientPortAddress=127.0.0.1\nclientPort={client_port}\n\
             admin.enableServer=false\nmultiAddress.enabled={}\ndataDir={}\nserver.1=127.0.0.1:{none}:{first_port}\n\
             server.2=127.0.0.1:{quorum_port}:{election_port}{further}\nserver.3=127.0.0.1:{nobody}:{no_one}\n{lines}",
            !further.is_empty(),
            folder.path().display()
        );
        fs::write(folder.path().join("zoo.cfg"), text).unwrap();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_vivarium"))
            .arg("server")
            .arg(folder.path().join("zoo.cfg"))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self {
            folder,
            election_port,
            quorum_port,
            client_port,
            first,
            child,
        }
    }

    /// A connection, once the port is open.
    fn connect(&self, port: u16) -> TcpStream {
        let limit = Instant::now() + PATIENCE;
        loop {
            match TcpStream::connect(("127.0.0.1", port)) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    return stream;
                }
                Err(error) => assert!(
                    Instant::now() < limit && !self.log().contains("ERROR"),
                    "{error}\n{}",
                    self.log()
                ),
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A call at the election port by a server of that id.
    fn call_as(&self, sid: i64) -> TcpStream {
        let mut stream = self.connect(self.election_port);
        stream.write_all(&greeting(sid)).unwrap();
        stream
    }

    /// A call by the server to server 1, and the id it greets with.
    fn called(&self) -> (TcpStream, i64) {
        let (mut stream, _) = self.first.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = Vec::new();
        loop {
            if let Some((hello, used)) = Hello::decode(&bytes).unwrap() {
                assert_eq!(used, bytes.len());
                return (stream, hello.sid());
            }
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            bytes.push(byte[0]);
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn wait_for_log(&self, part: &str) {
        let limit = Instant::now() + PATIENCE;
        while !self.log().contains(part) {
            assert!(Instant::now() < limit, "no {part:?} in\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Lonely {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Reads to the end that the server makes.
fn ended(mut stream: TcpStream) {
    let mut rest = Vec::new();
    match stream.read_to_end(&mut rest) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("the connection was left open: {error}"),
    }
}

// spec: QP-CNX-05, QP-CNX-06
#[test]
fn the_larger_id_opens_the_connection() {
    let server = Lonely::start();
    // Its own call to server 1 comes first or answers ours; ours ends in either case.
    ended(server.call_as(1));
    let (mut kept, sid) = server.called();
    assert_eq!(sid, 2);
    assert_eq!(vote(&mut kept).leader, 2);
    // The larger id's own connection is kept.
    let mut third = server.call_as(3);
    assert_eq!(vote(&mut third).leader, 2);
    // A newer one takes its place.
    let mut newer = server.call_as(3);
    assert_eq!(vote(&mut newer).leader, 2);
    ended(third);
}

// spec: QP-CNX-08, QP-CNX-09, QP-CNX-11
#[test]
fn the_newest_vote_alone_waits_and_is_sent_again_on_a_new_connection() {
    let server = Lonely::start();
    let mut third = server.call_as(3);
    let first = vote(&mut third);
    drop(third);
    // It notifies again and again while nobody is there: what waits is one message.
    let mut again = server.call_as(3);
    assert_eq!(vote(&mut again), first);
    // A round of ours that is ahead is answered at once, by a vote in that round and not an older one.
    let ahead = Notification {
        round: first.round + 5,
        ..first.clone()
    };
    let mut frame = Vec::new();
    ahead.encode_frame(&mut frame);
    again.write_all(&frame).unwrap();
    let mut heard = (0..100).map(|_| vote(&mut again));
    assert!(heard.any(|vote| vote.round == first.round + 5));
    drop(again);
    let mut last = server.call_as(3);
    assert_eq!(vote(&mut last).round, first.round + 5);
}

// spec: QP-CNX-13, FT-QRM-02, FT-QRM-03, FT-QRM-10
#[test]
fn strangers_and_silent_callers_keep_nobody_out() {
    let server = Lonely::start();
    ended(server.call_as(7));
    server.wait_for_log("server 7 is not a member");
    // An announced greeting of 2 GiB: refused before anything is stored.
    let mut giant = server.connect(server.election_port);
    giant.write_all(&(-65536_i64).to_be_bytes()).unwrap();
    giant.write_all(&3_i64.to_be_bytes()).unwrap();
    giant.write_all(&i32::MAX.to_be_bytes()).unwrap();
    ended(giant);
    let mut silent: Vec<_> = (0..400)
        .map(|_| server.connect(server.election_port))
        .collect();
    let mut member = server.call_as(3);
    assert_eq!(vote(&mut member).leader, 2);
    // The oldest made room.
    ended(silent.remove(0));
    // The other port: what is no learner's first packet, and a packet without end.
    let mut garbage = server.connect(server.quorum_port);
    garbage.write_all(&[0x55; 2048]).unwrap();
    ended(garbage);
}

/// The one member of an ensemble, which says that it believes its callers, leads through all of this, and counts.
// spec: FT-QRM-03, P-LOUD
#[test]
fn callers_that_are_refused_are_counted_at_either_port() {
    let folder = tempfile::tempdir().unwrap();
    let server = Ensemble::start(folder.path(), 1, 0, "standaloneEnabled=false\n");
    server.wait_for_log(1, "servers do not authenticate one another");
    let (quorum_port, election_port) = server.ports(1);
    let call = |port, greeting: &[u8]| {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(greeting).unwrap();
        ended(stream);
    };
    // The caller may learn of it a moment before it is counted.
    let refused = |count| server.wait_for_metric(1, "peers_refused", count);
    refused(0);
    call(election_port, &greeting(7));
    refused(1);
    let info = Some(LearnerInfo {
        sid: 7,
        protocol_version: PROTOCOL_VERSION,
        config_version: Some(0),
    });
    let (mut follower, mut observer) = (Vec::new(), Vec::new());
    Packet::FollowerInfo { zxid: 0, info }.encode(&mut follower);
    Packet::ObserverInfo { zxid: 0, info }.encode(&mut observer);
    call(quorum_port, &follower);
    refused(2);
    call(quorum_port, &observer);
    refused(3);
    assert_eq!(server.mode(1), "leader");
}

/// A member that answers no pings is not given up for that while the test runs.
const PATIENT: &str = "tickTime=300\ninitLimit=200\nsyncLimit=200\n";

/// What members do wrong, at either port: the link ends, or the message is passed over; it is counted and logged, and the
/// leader leads on. The member is an observer that the test plays.
// spec: FT-QRM-01, FT-QRM-02, FT-QRM-11, FT-QRM-12, QP-FLE-01, P-LOUD
#[test]
fn what_members_do_wrong_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let alone = "standaloneEnabled=false\n";
    let mut server = Ensemble::written(folder.path(), (1, 1), PATIENT, alone, |_| {
        "127.0.0.1".into()
    });
    server.launch(1);
    server.wait("it leads", |modes| modes[0] == "leader");
    let (quorum_port, election_port) = server.ports(1);
    let connect = |port| {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    };
    let errors = |count| server.wait_for_metric(1, "peer_errors", count);
    let join = || {
        let mut stream = connect(quorum_port);
        let info = Some(LearnerInfo {
            sid: 2,
            protocol_version: PROTOCOL_VERSION,
            config_version: Some(0),
        });
        say(&mut stream, &Packet::ObserverInfo { zxid: 0, info });
        assert!(matches!(packet(&mut stream), Packet::LeaderInfo { .. }));
        stream
    };
    errors(0);
    // No packet begins like this.
    let mut garbage = join();
    garbage.write_all(&[0x55; 64]).unwrap();
    ended(garbage);
    errors(1);
    server.wait_for_log(1, "link closed for what came over it");
    // A packet that comes at no such time.
    let mut early = join();
    say(&mut early, &Packet::Ack { zxid: 7 });
    ended(early);
    errors(2);
    server.wait_for_log(1, "why=Unexpected");
    // A learner that is up to date forwards a request without sense, which is passed over, and one of a session that
    // nobody has, which is refused: the link stays.
    let mut learner = join();
    let promise = Packet::AckEpoch {
        zxid: 0,
        current_epoch: 0,
    };
    say(&mut learner, &promise);
    let mut packets = std::iter::repeat_with(|| packet(&mut learner));
    let new_leader = packets.find_map(|packet| match packet {
        Packet::NewLeader { zxid, .. } => Some(zxid),
        _ => None,
    });
    let zxid = new_leader.unwrap();
    say(&mut learner, &Packet::Ack { zxid });
    let mut packets = std::iter::repeat_with(|| packet(&mut learner));
    assert!(packets.any(|packet| matches!(packet, Packet::UpToDate)));
    let senseless = Packet::Request {
        request: vec![0, 0, 0, 2, 1, 1, 0xff, 0xff, 0xff, 0xff].into(),
    };
    say(&mut learner, &senseless);
    let mut body = Vec::new();
    Request::Create(Create {
        path: "/forged".into(),
        data: None,
        acl: Some(std::iter::once(&Acl::open()).collect()),
        flags: 1,
    })
    .encode(&mut body);
    let forged = ForwardedRequest {
        session_id: 0x77,
        cxid: 1,
        op: OpCode::Create as i32,
        body: body.into(),
        auth: None,
    };
    let request = forged.encode();
    say(&mut learner, &Packet::Request { request });
    let mut packets = std::iter::repeat_with(|| packet(&mut learner));
    let inform = packets.find_map(|packet| match packet {
        Packet::Inform { txn, .. } => Some(TxnRecord::decode(&txn).unwrap()),
        _ => None,
    });
    assert!(matches!(inform.unwrap().txn, Txn::Error { .. }));
    // Counted before it was answered: what came in between is no one's silence.
    let metrics = server.word(1, "mntr");
    assert!(metrics.contains("zk_peer_errors\t3\n"), "{metrics}");
    drop(learner);
    // A whole frame without sense, and behind it one of a length that cannot be.
    let mut votes = connect(election_port);
    votes.write_all(&greeting(2)).unwrap();
    votes.write_all(&[0, 0, 0, 2, 1, 1]).unwrap();
    errors(4);
    votes.write_all(&i32::MAX.to_be_bytes()).unwrap();
    ended(votes);
    errors(5);
    server.wait_for_log(1, "a message at the election port");
    assert_eq!(server.mode(1), "leader");
}

// spec: QP-CNX-12
#[test]
fn a_taken_election_port_is_tried_again() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let server = Lonely::start_on(taken.local_addr().unwrap().port(), free_port(), "", "");
    server.wait_for_log("not bound");
    drop(taken);
    let mut third = server.call_as(3);
    assert_eq!(vote(&mut third).leader, 2);
}

/// A network that is down keeps no server from starting: 192.0.2.1 is nobody's address.
// spec: QP-CFG-02
#[test]
fn a_server_listens_at_each_of_its_addresses() {
    let (election_port, quorum_port) = (free_port(), free_port());
    let further =
        format!("|127.0.0.2:{quorum_port}:{election_port}|192.0.2.1:{quorum_port}:{election_port}");
    let server = Lonely::start_on(election_port, quorum_port, &further, "");
    let _first = server.connect(election_port);
    for port in [election_port, quorum_port] {
        drop(server.connect(port));
        TcpStream::connect(("127.0.0.2", port)).unwrap();
    }
}

/// The next packet that comes over a learner's link.
fn packet(stream: &mut TcpStream) -> Packet {
    let mut bytes = Vec::new();
    loop {
        if let Some(len) = packet_len(&bytes, 1 << 20).unwrap() {
            assert_eq!(len, bytes.len(), "bytes were read one by one");
            return Packet::decode(&bytes.into()).unwrap();
        }
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        bytes.push(byte[0]);
    }
}

fn say(stream: &mut TcpStream, packet: &Packet) {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes);
    stream.write_all(&bytes).unwrap();
}

/// Server 1 votes for it, on the connection that is returned, and it leads.
fn elect(server: &Lonely) -> TcpStream {
    let (mut votes, _) = server.called();
    let mut frame = Vec::new();
    vote(&mut votes).encode_frame(&mut frame);
    votes.write_all(&frame).unwrap();
    server.wait_for_log("report=Leading");
    votes
}

/// The first packet of server 1.
fn follower_info() -> Packet {
    Packet::FollowerInfo {
        zxid: 0,
        info: Some(LearnerInfo {
            sid: 1,
            protocol_version: PROTOCOL_VERSION,
            config_version: Some(0),
        }),
    }
}

// spec: QP-ZAB-02
#[test]
fn a_greeting_that_comes_late_does_not_end_the_newer_link() {
    let server = Lonely::start();
    let _votes = elect(&server);
    let hello = follower_info();
    let mut old = server.connect(server.quorum_port);
    let mut new = server.connect(server.quorum_port);
    say(&mut new, &hello);
    let Packet::LeaderInfo { zxid, .. } = packet(&mut new) else {
        panic!("no LEADERINFO")
    };
    say(&mut old, &hello);
    assert_eq!(
        old.read(&mut [0; 64]).unwrap(),
        0,
        "an answer to the old link"
    );
    server.wait_for_log("why=Replaced");
    say(
        &mut new,
        &Packet::AckEpoch {
            zxid: 0,
            current_epoch: 0,
        },
    );
    let mut rest = std::iter::repeat_with(|| packet(&mut new));
    assert!(
        rest.any(|packet| matches!(packet, Packet::NewLeader { zxid: new, .. } if new == zxid))
    );
}

/// The next packet that is no ping.
fn no_ping(stream: &mut TcpStream) -> Packet {
    loop {
        match packet(stream) {
            Packet::Ping { .. } => {}
            other => return other,
        }
    }
}

// spec: QP-INT-02, QP-TXN-03, QP-BC-14
#[test]
fn a_leader_that_is_told_so_serves_once_its_first_txn_is_acknowledged() {
    let server = Lonely::configured("vivarium.openingTxn=true\n4lw.commands.whitelist=srvr\n");
    let _votes = elect(&server);
    let mut follower = server.connect(server.quorum_port);
    say(&mut follower, &follower_info());
    let Packet::LeaderInfo { zxid: start, .. } = packet(&mut follower) else {
        panic!("no LEADERINFO")
    };
    say(
        &mut follower,
        &Packet::AckEpoch {
            zxid: 0,
            current_epoch: 0,
        },
    );
    let mut rest = std::iter::repeat_with(|| packet(&mut follower));
    assert!(rest.any(|packet| matches!(packet, Packet::NewLeader { .. })));
    say(&mut follower, &Packet::Ack { zxid: start });
    assert_eq!(no_ping(&mut follower), Packet::UpToDate);
    // One entry that changes nothing, as a failed request leaves it.
    let Packet::Proposal { zxid, txn } = no_ping(&mut follower) else {
        panic!("no PROPOSAL")
    };
    assert_eq!(zxid, start + 1);
    let record = TxnRecord::decode(&txn).unwrap();
    assert_eq!((record.header.session_id, record.header.zxid), (0, zxid));
    assert_eq!((record.txn, record.digest), (Txn::Error { err: 0 }, None));
    // A client of the follower would be served as soon as its session is found valid; one of the leader is not served.
    let touch = Touch {
        session_id: 7,
        timeout: 4000,
    };
    let session = touch.encode();
    say(&mut follower, &Packet::Revalidate { session });
    assert!(four_letters(server.client_port, "srvr").contains("not currently serving"));
    // What acknowledges the history alone changes nothing.
    say(&mut follower, &Packet::Ack { zxid: start });
    say(&mut follower, &Packet::Ack { zxid });
    assert_eq!(no_ping(&mut follower), Packet::Commit { zxid });
    let Packet::Revalidate { session } = no_ping(&mut follower) else {
        panic!("no answer about the session")
    };
    let validity = Validity {
        session_id: 7,
        valid: false,
    };
    assert_eq!(session, validity.encode());
    let limit = Instant::now() + PATIENCE;
    while !four_letters(server.client_port, "srvr").contains("Mode: leader") {
        assert!(Instant::now() < limit, "it does not serve");
        std::thread::sleep(Duration::from_millis(20));
    }
}
