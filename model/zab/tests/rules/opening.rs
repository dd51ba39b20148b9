//! A leader that serves only once a first txn of its epoch is committed.

use zab::{
    Broken, Config, Effect, Effects, Epoch, Event, LinkId, Message, Misbehaviour, Reader, Report,
    Timer,
};

use crate::host::{Done, Host, L1, L2, ack, directory, id, three, zxid};

fn opening() -> Config {
    Config {
        opening_txn: true,
        ..three(3)
    }
}

/// Server 3 of three has established epoch 2 with server 1, and nothing more.
fn established() -> (Host, Done) {
    let mut host = Host::with(opening(), directory(1, 1, 1));
    let done = host.establish();
    (host, done)
}

const OPENED: Report = Report::Opened { epoch: Epoch(2) };

fn asked_to_open(done: &Done) -> bool {
    let first = zxid(2, 1);
    done.0.contains(&Effect::Open { zxid: first })
}

fn syncs(done: &Done) -> usize {
    let sent = done.sent(L1);
    sent.iter().filter(|it| **it == Message::Sync).count()
}

const PONG: Message<u8> = Message::Ping {
    zxid: zab::Zxid::ZERO,
    sessions: None,
};

// spec: QP-INT-02, QP-ZAB-20. UPTODATE is not held back: a follower may write the history only after it.
#[test]
fn a_leader_asks_for_a_first_txn_before_it_serves() {
    let (mut host, done) = established();
    assert!(done.reports(Report::Established { epoch: Epoch(2) }));
    assert!(done.sent(L1).contains(&Message::UpToDate));
    assert!(asked_to_open(&done) && !done.reports(OPENED));
    let proposed = host.propose();
    assert_eq!(proposed.sent(L1).len(), 1);
    // Its own disk is one of three, and so is an ack of what it led to: neither opens it.
    assert!(!host.sync().reports(OPENED));
    assert!(!host.receive(L1, ack(2, 0)).reports(OPENED));
    let done = host.receive(L1, ack(2, 1));
    assert_eq!(done.delivered(), [zxid(2, 1)]);
    assert!(done.reports(OPENED));
    host.propose();
    host.receive(L1, ack(2, 2));
    assert!(!host.sync().reports(OPENED), "it opens once");
}

// spec: QP-INT-02. What a learner's client asks for meanwhile is committed behind the first txn.
#[test]
fn txns_behind_the_first_are_committed_after_it_opens() {
    let (mut host, _) = established();
    host.propose();
    host.propose();
    host.sync();
    let done = host.receive(L1, ack(2, 2));
    let order: Vec<_> = done
        .0
        .iter()
        .filter_map(|effect| match effect {
            Effect::Deliver { proposal } => Some(Some(proposal.zxid)),
            Effect::Report(report) if *report == OPENED => Some(None),
            _ => None,
        })
        .collect();
    assert_eq!(order, [Some(zxid(2, 1)), None, Some(zxid(2, 2))]);
}

// spec: QP-INT-02, QP-BC-15. Whoever synced may read at once.
#[test]
fn a_sync_waits_until_the_leader_is_open() {
    let (mut host, _) = established();
    let by = Reader::Learner(L1);
    // Even one that comes before the host has proposed.
    host.feed(Event::Asked { by });
    assert_eq!(syncs(&host.receive(L1, PONG)), 0);
    host.propose();
    host.feed(Event::Asked { by });
    assert_eq!(syncs(&host.receive(L1, PONG)), 0);
    host.sync();
    assert_eq!(syncs(&host.receive(L1, ack(2, 1))), 2);
}

// spec: QP-INT-02, QP-BC-14.
#[test]
fn no_session_is_vouched_for_before_the_leader_is_open() {
    let (mut host, _) = established();
    let answer = Event::Answered {
        link: L1,
        session: 7,
    };
    let mut effects = Effects::new();
    let outcome = host.peer.handle(answer.clone(), &mut effects);
    assert_eq!(outcome, Err(Broken::Answered));
    // An answer that comes too late for its learner is no fault.
    let late = Event::Answered {
        link: LinkId(9),
        session: 7,
    };
    assert!(host.feed(late).0.is_empty());
    host.propose();
    host.sync();
    host.receive(L1, ack(2, 1));
    let told = host.feed(answer).sent(L1);
    assert_eq!(told, [Message::Revalidate { session: 7 }]);
}

// spec: QP-INT-02, QP-BC-16, QP-BC-17.
#[test]
fn a_quorum_that_never_acknowledges_ends_the_leadership() {
    let (mut host, _) = established();
    assert!(host.propose().armed(Timer::Acks(L1)));
    host.sync();
    // Answers to pings are no acks.
    assert!(!host.receive(L1, PONG).armed(Timer::Acks(L1)));
    let done = host.expire(Timer::Acks(L1));
    assert_eq!(done.closed(), [(L1, Misbehaviour::Silent)]);
    assert!(done.reports(Report::QuorumLost) && done.looks());
}

// spec: QP-INT-02. Any other member makes the quorum as well.
#[test]
fn a_late_follower_can_open_the_leader() {
    let (mut host, _) = established();
    host.propose();
    host.sync();
    host.join(L2, 2, zxid(1, 1));
    let done = host.receive(L2, ack(2, 1));
    assert!(done.reports(OPENED));
}

// spec: QP-INT-02. The next leader takes the txn for what it is: one more entry of the history.
#[test]
fn a_leader_that_fails_before_it_opens_opens_anew() {
    let (mut host, _) = established();
    host.propose();
    assert!(host.feed(Event::Disconnected { link: L1 }).looks());
    host.sync();
    let done = host.establish();
    assert_eq!(done.delivered(), [zxid(2, 1)]);
    assert!(done.0.contains(&Effect::Open { zxid: zxid(3, 1) }));
    assert!(!done.reports(Report::Opened { epoch: Epoch(3) }));
}

// spec: QP-INT-02. Its own disk is the quorum.
#[test]
fn one_voter_opens_by_its_own_disk_and_a_standalone_server_at_once() {
    let config = |standalone| Config {
        opening_txn: true,
        standalone,
        ..Config::new(id(1), [id(1)])
    };
    let mut host = Host::with(config(false), directory(1, 1, 1));
    host.elect(1);
    assert!(asked_to_open(&host.sync()));
    host.propose();
    assert!(host.sync().reports(OPENED));
    let (_, done) = Host::start(config(true), directory(0, 0, 1));
    assert!(done.reports(Report::Opened { epoch: Epoch(1) }));
}

// spec: QP-ZAB-20. As configured by default.
#[test]
fn without_the_setting_a_leader_serves_as_soon_as_it_is_established() {
    let mut host = Host::with(three(3), directory(1, 1, 1));
    let done = host.establish();
    assert!(done.reports(OPENED) && !asked_to_open(&done));
}
