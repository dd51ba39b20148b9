use zab::{Config, Epoch, Event, Message, Misbehaviour, Report, Timer, Write, Zxid};

use crate::host::{Host, L1, L2, L4, ack, directory, id, new_leader, zxid};

fn leader_info(epoch: i64) -> Message<u8> {
    Message::LeaderInfo {
        epoch: Epoch(epoch),
    }
}

fn ack_epoch(current: i64, last: Zxid) -> Message<u8> {
    Message::AckEpoch {
        zxid: last,
        current: Some(Epoch(current)),
    }
}

// spec: QP-ZAB-03, QP-DEF-02.
#[test]
fn the_epoch_is_beyond_all_heard_and_durable_before_it_is_announced() {
    let mut host = Host::ready(3, directory(4, 1, 1));
    host.elect(3);
    let done = host.connect(L1, 1, Epoch(7));
    assert_eq!(done.writes(), [Write::AcceptedEpoch(Epoch(8))]);
    assert!(done.sent(L1).is_empty());
    assert_eq!(host.sync().sent(L1), [leader_info(8)]);
    // spec: QP-ZAB-04. Chosen once: whoever comes later gets the same.
    assert_eq!(host.connect(L2, 2, Epoch(3)).sent(L2), [leader_info(8)]);
}

// spec: QP-ZAB-03. Observers raise the epoch and count for nothing.
#[test]
fn an_observer_does_not_complete_the_quorum() {
    let mut host = Host::ready(3, directory(0, 0, 0));
    host.elect(3);
    assert!(host.observe(L4, 4, Epoch(6)).writes().is_empty());
    // spec: QP-CFG-03. A participant outside the configuration counts as little.
    assert!(
        host.connect(zab::LinkId(5), 5, Epoch::ZERO)
            .writes()
            .is_empty()
    );
    let done = host.connect(L1, 1, Epoch::ZERO);
    assert_eq!(done.writes(), [Write::AcceptedEpoch(Epoch(7))]);
}

// spec: QP-ZAB-03, QP-ZAB-08, QP-ZAB-20. It has given its vote up, although the configuration names it.
#[test]
fn a_voter_that_connects_as_an_observer_completes_no_quorum() {
    let mut host = Host::ready(3, directory(1, 1, 1));
    host.elect(3);
    assert!(host.observe(L1, 1, Epoch::ZERO).writes().is_empty());
    let done = host.connect(L2, 2, Epoch::ZERO);
    assert_eq!(done.writes(), [Write::AcceptedEpoch(Epoch(2))]);
    host.sync();
    let reply = ack_epoch(1, zxid(1, 1));
    assert!(host.receive(L1, reply.clone()).writes().is_empty());
    let done = host.receive(L2, reply);
    assert_eq!(done.writes(), [Write::CurrentEpoch(Epoch(2))]);
    host.sync();
    assert!(host.receive(L1, ack(2, 0)).sent(L1).is_empty());
    let done = host.receive(L2, ack(2, 0));
    assert!(done.reports(Report::Established { epoch: Epoch(2) }));
}

// spec: QP-ZAB-08, QP-CFG-03. What nobody counts needs no better leader.
#[test]
fn a_more_recent_learner_without_a_vote_is_brought_level() {
    let mut host = Host::ready(3, directory(1, 1, 1));
    host.elect(3);
    host.connect(L4, 4, Epoch::ZERO);
    host.connect(L1, 1, Epoch::ZERO);
    host.sync();
    assert!(host.receive(L4, ack_epoch(1, zxid(1, 2))).0.is_empty());
    let done = host.receive(L1, ack_epoch(1, zxid(1, 1)));
    assert_eq!(done.sent(L4)[0], Message::Trunc { zxid: zxid(1, 1) });
}

// spec: QP-ZAB-02.
#[test]
fn a_learner_with_a_later_configuration_is_refused() {
    let mut host = Host::ready(3, directory(0, 0, 0));
    host.elect(3);
    host.feed(Event::Connected {
        link: L1,
        peer: id(1),
    });
    let info = Message::FollowerInfo {
        accepted: Epoch::ZERO,
        id: id(1),
        config: 5,
    };
    assert_eq!(
        host.receive(L1, info).closed(),
        [(L1, Misbehaviour::ConfigAhead)]
    );
}

// spec: QP-ZAB-02.
#[test]
fn the_first_packet_must_say_who_it_is() {
    let mut host = Host::ready(3, directory(0, 0, 0));
    host.elect(3);
    host.feed(Event::Connected {
        link: L1,
        peer: id(1),
    });
    let done = host.receive(L1, ack_epoch(0, Zxid::ZERO));
    assert_eq!(done.closed(), [(L1, Misbehaviour::Unexpected)]);
    host.feed(Event::Connected {
        link: L2,
        peer: id(1),
    });
    let other = Message::FollowerInfo {
        accepted: Epoch::ZERO,
        id: id(2),
        config: 0,
    };
    assert_eq!(
        host.receive(L2, other).closed(),
        [(L2, Misbehaviour::Unexpected)]
    );
}

// One bad number must not use the epochs up (FT-QRM-07).
#[test]
fn an_epoch_beyond_reason_is_refused() {
    for accepted in [Epoch(1 << 21), Epoch::MAX, Epoch(i64::MAX)] {
        let mut host = Host::ready(3, directory(0, 0, 0));
        host.elect(3);
        let done = host.connect(L1, 1, accepted);
        assert_eq!(done.closed(), [(L1, Misbehaviour::Epoch)]);
    }
}

// FT-QRM-07. By so much it may, and by one more it may not.
#[test]
fn the_highest_epoch_within_reason_is_taken_over() {
    for (accepted, taken) in [(1 + (1 << 20), true), (2 + (1 << 20), false)] {
        let mut host = Host::ready(3, directory(1, 1, 1));
        host.elect(3);
        let writes = host.connect(L1, 1, Epoch(accepted)).writes();
        assert_eq!(writes == [Write::AcceptedEpoch(Epoch(accepted + 1))], taken);
    }
}

// spec: QP-ZAB-05.
#[test]
fn a_promise_is_durable_before_it_is_given() {
    let mut host = Host::ready(1, directory(1, 1, 2));
    host.elect(3);
    let info = Message::FollowerInfo {
        accepted: Epoch(1),
        id: id(1),
        config: 0,
    };
    // spec: QP-ZAB-01.
    assert_eq!(
        host.feed(Event::Connected {
            link: L1,
            peer: id(3)
        })
        .sent(L1),
        [info]
    );
    let done = host.receive(L1, leader_info(2));
    assert_eq!(done.writes(), [Write::AcceptedEpoch(Epoch(2))]);
    assert!(done.sent(L1).is_empty());
    assert_eq!(host.sync().sent(L1), [ack_epoch(1, zxid(1, 2))]);
}

// spec: QP-ZAB-05.
#[test]
fn an_epoch_promised_before_is_not_counted_again() {
    let mut host = Host::ready(1, directory(2, 1, 2));
    host.elect(3);
    host.feed(Event::Connected {
        link: L1,
        peer: id(3),
    });
    let done = host.receive(L1, leader_info(2));
    assert!(done.writes().is_empty());
    assert_eq!(
        done.sent(L1),
        [Message::AckEpoch {
            zxid: zxid(1, 2),
            current: None
        }]
    );
}

// spec: QP-ZAB-05, QP-ZAB-23.
#[test]
fn a_lower_epoch_than_promised_is_refused() {
    let mut host = Host::ready(1, directory(5, 1, 2));
    host.elect(3);
    host.feed(Event::Connected {
        link: L1,
        peer: id(3),
    });
    let done = host.receive(L1, leader_info(4));
    assert_eq!(done.closed(), [(L1, Misbehaviour::Epoch)]);
    assert!(done.looks());
}

// spec: QP-ZAB-05. What no zxid can hold would come back as another epoch.
#[test]
fn an_epoch_beyond_the_last_is_refused() {
    for (epoch, taken) in [(Epoch::MAX, true), (Epoch::MAX.next(), false)] {
        let mut host = Host::ready(1, directory(1, 1, 2));
        host.elect(3);
        host.feed(Event::Connected {
            link: L1,
            peer: id(3),
        });
        let done = host.receive(L1, Message::LeaderInfo { epoch });
        assert_eq!(done.writes() == [Write::AcceptedEpoch(epoch)], taken);
        assert_eq!(done.closed() == [(L1, Misbehaviour::Epoch)], !taken);
    }
}

// spec: QP-ZAB-07.
#[test]
fn new_leader_instead_of_leader_info_is_an_error() {
    let mut host = Host::ready(1, directory(1, 1, 2));
    host.elect(3);
    host.feed(Event::Connected {
        link: L1,
        peer: id(3),
    });
    let done = host.receive(L1, new_leader(2));
    assert_eq!(done.closed(), [(L1, Misbehaviour::Unexpected)]);
}

// spec: QP-ZAB-08, QP-DEF-40.
#[test]
fn a_leader_yields_to_a_more_recent_follower() {
    for (current, last) in [(2, zxid(1, 1)), (1, zxid(1, 3))] {
        let mut host = Host::ready(3, directory(2, 1, 2));
        host.elect(3);
        host.connect(L1, 1, Epoch::ZERO);
        host.sync();
        let done = host.receive(L1, ack_epoch(current, last));
        assert!(done.reports(Report::MoreRecent { peer: id(1) }));
        assert!(done.looks());
    }
}

// spec: QP-ZAB-08. As recent is not more recent.
#[test]
fn an_equal_follower_is_counted() {
    let mut host = Host::ready(3, directory(1, 1, 2));
    host.elect(3);
    host.connect(L1, 1, Epoch::ZERO);
    host.sync();
    let done = host.receive(L1, ack_epoch(1, zxid(1, 2)));
    // spec: QP-ZAB-09.
    assert_eq!(done.writes(), [Write::CurrentEpoch(Epoch(2))]);
}

// spec: QP-ZAB-08.
#[test]
fn who_promised_before_or_abstains_is_not_counted() {
    for reply in [
        Message::AckEpoch {
            zxid: zxid(1, 1),
            current: None,
        },
        ack_epoch(0, Zxid::UNTRUSTED),
    ] {
        let mut host = Host::ready(3, directory(1, 1, 2));
        host.elect(3);
        host.connect(L1, 1, Epoch::ZERO);
        host.sync();
        let done = host.receive(L1, reply);
        assert!(done.writes().is_empty() && done.sent(L1).is_empty());
        assert!(
            !host
                .receive(L1, ack_epoch(0, Zxid::ZERO))
                .closed()
                .is_empty()
        );
    }
}

// spec: QP-ZAB-08, QP-DEF-25. Whose log cannot be cut is less recent than a leader of a later epoch, whatever it holds:
// the two must be able to go on without the third.
#[test]
fn who_asks_for_a_snapshot_is_counted_if_its_epoch_is_older() {
    for (current, counts) in [(0, false), (1, true), (2, false)] {
        let mut host = Host::ready(3, directory(2, 2, 2));
        host.elect(3);
        host.connect(L1, 1, Epoch::ZERO);
        host.sync();
        let done = host.receive(L1, ack_epoch(current, Zxid::UNTRUSTED));
        let adopts = done.writes() == [Write::CurrentEpoch(Epoch(3))];
        assert_eq!(adopts, counts, "{current}");
        let snap = Message::Snap { zxid: zxid(1, 2) };
        assert_eq!(done.sent(L1).contains(&snap), counts, "{current}");
    }
}

// spec: QP-ZAB-05. It would refuse this epoch for ever.
#[test]
fn a_learner_that_promised_a_later_epoch_ends_the_leadership() {
    let mut host = Host::leader(directory(1, 1, 1));
    let done = host.connect(L2, 2, Epoch(3));
    assert!(done.reports(Report::LaterPromise { peer: id(2) }));
    assert!(done.looks());
    host.elect(3);
    // And the next epoch is beyond it.
    let done = host.connect(zab::LinkId(9), 2, Epoch(3));
    assert_eq!(done.writes(), [Write::AcceptedEpoch(Epoch(4))]);
}

// spec: QP-ZAB-22, FT-NET-15.
#[test]
fn who_waits_too_long_looks_again() {
    let mut leader = Host::ready(3, directory(1, 1, 1));
    leader.elect(3);
    assert!(leader.expire(Timer::Init).looks());
    let mut follower = Host::ready(1, directory(1, 1, 1));
    follower.elect(3);
    assert!(follower.expire(Timer::Init).looks());
    let mut refused = Host::ready(1, directory(1, 1, 1));
    refused.elect(3);
    assert!(
        refused
            .feed(Event::Unreachable { leader: id(2) })
            .0
            .is_empty()
    );
    assert!(refused.feed(Event::Unreachable { leader: id(3) }).looks());
}

#[test]
fn whoever_leads_nobody_refuses_learners() {
    let mut host = Host::ready(1, directory(1, 1, 1));
    let done = host.feed(Event::Connected {
        link: L2,
        peer: id(2),
    });
    assert_eq!(done.closed(), [(L2, Misbehaviour::NotLeading)]);
    host.elect(3);
    let done = host.feed(Event::Connected {
        link: L4,
        peer: id(2),
    });
    assert_eq!(done.closed(), [(L4, Misbehaviour::NotLeading)]);
}

// spec: QP-CFG-04.
#[test]
fn a_quorum_of_five_is_three() {
    let config = Config {
        oracle: true,
        ..Config::new(id(3), (1..=5).map(zab::ServerId))
    };
    let mut host = Host::with(
        Config {
            observer: false,
            ..config
        },
        directory(0, 0, 0),
    );
    host.elect(3);
    assert!(host.connect(L1, 1, Epoch::ZERO).writes().is_empty());
    assert_eq!(host.connect(L2, 2, Epoch::ZERO).writes().len(), 1);
}
