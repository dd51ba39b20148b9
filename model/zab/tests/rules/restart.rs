use zab::ServerState::{Following, Leading, Looking};
use zab::{Config, Durable, Epoch, Event, Message, Peer, Report, RestoreError, RoleKind, ServerId};
use zab::{Write, Zxid};

use crate::host::{Host, L1, directory, id, three, txn, zxid};

fn refused(config: Config, durable: Durable<u8>) -> RestoreError {
    Peer::<u8>::restore(config, durable).expect_err("a directory that cannot be")
}

// spec: DF-EPO-03.
#[test]
fn epochs_that_contradict_each_other_are_refused() {
    let epochs = |accepted, current, last| RestoreError::Epochs {
        accepted: Epoch(accepted),
        current: Epoch(current),
        last,
    };
    assert_eq!(
        refused(three(1), directory(1, 2, 0)),
        epochs(1, 2, Zxid::ZERO)
    );
    assert_eq!(
        refused(three(1), directory(0, 0, 2)),
        epochs(0, 0, zxid(1, 2))
    );
}

// spec: DF-EPO-07, QP-DEF-03. A crash between history and epoch file.
#[test]
fn an_epoch_file_behind_its_log_is_repaired_before_the_first_vote() {
    let (mut host, done) = Host::start(three(1), directory(1, 0, 2));
    assert_eq!(done.writes(), [Write::CurrentEpoch(Epoch(1))]);
    assert!(done.notified().is_empty());
    let done = host.sync();
    assert!(
        done.notified()
            .iter()
            .all(|(_, n)| n.vote.epoch == Epoch(1))
    );
    assert_eq!(done.notified().len(), 2);
}

// spec: QP-CFG-01.
#[test]
fn configurations_that_cannot_be_are_refused() {
    let members = [1, 2, 3].map(ServerId);
    assert_eq!(
        refused(Config::new(id(300), members), directory(0, 0, 0)),
        RestoreError::Id(id(300))
    );
    assert_eq!(
        refused(Config::new(id(1), []), directory(0, 0, 0)),
        RestoreError::NoVoters
    );
    let both = Config {
        observer: true,
        ..three(1)
    };
    assert_eq!(
        refused(both, directory(0, 0, 0)),
        RestoreError::Observer(id(1))
    );
    let alone = Config {
        standalone: true,
        ..three(1)
    };
    assert_eq!(refused(alone, directory(0, 0, 0)), RestoreError::NoVoters);
}

#[test]
fn a_log_that_falls_is_refused() {
    let durable = Durable {
        log: vec![txn(1, 2), txn(1, 1)],
        ..directory(1, 1, 0)
    };
    let order = RestoreError::Order {
        before: zxid(1, 2),
        after: zxid(1, 1),
    };
    assert_eq!(refused(three(1), durable), order);
}

// spec: QP-DEF-27.
#[test]
fn what_lies_before_a_gap_is_not_served() {
    let durable = Durable {
        log: vec![txn(1, 1), txn(1, 2), txn(1, 5), txn(1, 6)],
        ..directory(1, 1, 0)
    };
    let host = Host::ready(3, durable);
    let (base, log) = host.peer.log();
    assert_eq!(base, zxid(1, 5));
    assert_eq!(
        log.map(|entry| entry.zxid).collect::<Vec<_>>(),
        [zxid(1, 6)]
    );
}

// spec: DF-EPO-06.
#[test]
fn an_ensemble_of_one_serves_at_once_and_writes_no_epoch() {
    let config = Config {
        standalone: true,
        ..Config::new(id(1), [id(1)])
    };
    let durable = Durable {
        log: vec![txn(3, 1), txn(3, 2)],
        ..Durable::empty()
    };
    let (mut host, done) = Host::start(config, durable);
    assert!(done.writes().is_empty());
    assert_eq!(done.delivered(), [zxid(3, 1), zxid(3, 2)]);
    assert!(done.reports(Report::Established { epoch: Epoch(3) }));
    let done = host.propose();
    assert_eq!(
        done.writes(),
        [Write::Append(zab::Proposal {
            zxid: zxid(3, 3),
            txn: 0
        })]
    );
    assert!(done.delivered().is_empty());
    assert_eq!(host.sync().delivered(), [zxid(3, 3)]);
}

// spec: DF-EPO-06. Nobody else can object: the next epoch begins in place.
#[test]
fn an_ensemble_of_one_goes_on_past_its_last_counter() {
    let alone = Config {
        standalone: true,
        counter_limit: 2,
        ..Config::new(id(1), [id(1)])
    };
    let durable = Durable {
        log: vec![txn(3, 1), txn(3, 2)],
        ..Durable::empty()
    };
    let (mut host, _) = Host::start(alone, durable);
    assert_eq!(host.peer.next_zxid(), Some(zxid(4, 1)));
    host.propose();
    assert_eq!(host.sync().delivered(), [zxid(4, 1)]);
    assert_eq!(host.peer.next_zxid(), Some(zxid(4, 2)));
}

// spec: DF-REC-05, FT-DISK-25, FT-DISK-26.
#[test]
fn an_emptied_directory_abstains_while_others_hold_anything() {
    let (mut host, done) = Host::start(three(1), Durable::wiped());
    assert!(
        done.notified()
            .iter()
            .all(|(_, n)| n.vote.zxid == Zxid::UNTRUSTED)
    );
    for from in [2, 3] {
        let done = host.hear(from, Looking, 1, (from, 1, Zxid::ZERO));
        assert!(done.writes().is_empty());
    }
    // Emptiness heard before does not outlive the news that somebody holds something.
    host.hear(2, Looking, 1, (2, 0, Zxid::ZERO));
    host.hear(3, Leading, 1, (3, 1, zxid(1, 1)));
    assert!(
        host.hear(3, Looking, 1, (3, 0, Zxid::ZERO))
            .writes()
            .is_empty()
    );
    assert!(host.peer.status().abstains);
}

// spec: DF-REC-05, FT-DISK-26.
#[test]
fn a_first_start_needs_the_emptiness_of_all_others() {
    let (mut host, _) = Host::start(three(1), Durable::wiped());
    assert!(
        host.hear(2, Looking, 1, (2, 0, Zxid::UNTRUSTED))
            .writes()
            .is_empty()
    );
    let done = host.hear(3, Looking, 1, (3, 0, Zxid::ZERO));
    assert_eq!(
        done.writes(),
        [Write::Install {
            snapshot: Zxid::ZERO
        }]
    );
    // Not before that is durable does it vote.
    assert!(done.notified().is_empty());
    assert!(
        host.sync()
            .notified()
            .iter()
            .all(|(_, n)| n.vote.zxid == Zxid::ZERO)
    );
    assert!(!host.peer.status().abstains);
}

// spec: DF-REC-05, QP-FLE-13.
#[test]
fn a_vote_of_one_that_abstains_is_not_counted() {
    let (mut host, _) = Host::start(three(3), directory(0, 0, 0));
    assert!(
        !host
            .hear(1, Looking, 1, (3, 0, Zxid::UNTRUSTED))
            .armed(zab::Timer::Finalize)
    );
}

// spec: DF-REC-05. It is brought level by a snapshot, and is nobody's quorum until then.
#[test]
fn one_that_abstains_joins_uncounted() {
    let (mut host, _) = Host::start(three(1), Durable::wiped());
    host.hear(2, Following, 7, (3, 4, zxid(3, 1)));
    host.hear(3, Leading, 7, (3, 4, zxid(3, 1)));
    assert_eq!(host.peer.status().role, RoleKind::Following);
    host.feed(Event::Connected {
        link: L1,
        peer: id(3),
    });
    host.receive(L1, Message::LeaderInfo { epoch: Epoch(4) });
    let reply = Message::AckEpoch {
        zxid: Zxid::UNTRUSTED,
        current: None,
    };
    assert_eq!(host.sync().sent(L1), [reply]);
    let done = host.receive(L1, Message::Snap { zxid: zxid(3, 1) });
    assert!(done.writes().is_empty());
    host.receive(
        L1,
        Message::NewLeader {
            epoch: Epoch(4),
            config: 0,
        },
    );
    host.sync();
    assert!(!host.peer.status().abstains);
}

// spec: FT-NET-12. A frame of an old link, or before anything began, changes nothing.
#[test]
fn frames_of_unknown_links_change_nothing() {
    let link = zab::LinkId(77);
    for mut host in [Host::leader, Host::follower].map(|role| role(directory(1, 1, 1))) {
        let before = host.peer.clone();
        for message in [Message::UpToDate, Message::Ack { zxid: zxid(2, 9) }] {
            assert!(host.receive(link, message).0.is_empty());
        }
        assert!(host.feed(Event::Disconnected { link }).0.is_empty());
        assert!(host.peer == before);
    }
}

#[test]
fn events_before_the_start_and_unasked_writes_are_broken() {
    let mut effects = zab::Effects::new();
    let mut peer = Peer::<u8>::restore(three(1), directory(0, 0, 0)).expect("a first start");
    let asked = Event::Persisted {
        through: zab::WriteId(0),
    };
    assert_eq!(
        peer.handle(asked.clone(), &mut effects),
        Err(zab::Broken::Start)
    );
    peer.handle(Event::Started, &mut effects)
        .expect("the first event");
    assert_eq!(
        peer.handle(Event::Started, &mut effects),
        Err(zab::Broken::Start)
    );
    assert_eq!(
        peer.handle(asked, &mut effects),
        Err(zab::Broken::Persisted)
    );
}
