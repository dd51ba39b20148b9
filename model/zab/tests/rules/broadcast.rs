use zab::{Broken, Config, Effect, Effects, Epoch, Event, LinkId, Message, Misbehaviour, ReadId};
use zab::{Reader, Report, Timer, Zxid};

use crate::host::{Host, L1, L2, L4, ack, commit, directory, id, three, zxid};

/// Established in epoch 2 with followers 1 and 2 up to date.
fn leader() -> Host {
    let mut host = Host::leader(directory(1, 1, 1));
    host.join(L2, 2, zxid(1, 1));
    host
}

fn ping(host: &Host) -> Message<u8> {
    let zxid = host
        .peer
        .next_zxid()
        .map_or(Zxid::ZERO, |next| Zxid(next.0 - 1));
    Message::Ping {
        zxid,
        sessions: None,
    }
}

const PONG: Message<u8> = Message::Ping {
    zxid: Zxid::ZERO,
    sessions: None,
};

// spec: QP-BC-03, QP-BC-05.
#[test]
fn a_quorum_of_disks_commits_in_order() {
    let mut host = leader();
    host.propose();
    host.propose();
    // An ack covers its predecessors, which nobody acknowledged by name.
    assert!(host.receive(L1, ack(2, 2)).delivered().is_empty());
    let done = host.receive(L2, ack(2, 1));
    assert_eq!(done.delivered(), [zxid(2, 1)]);
    assert_eq!(done.sent(L1), [commit(2, 1)]);
    // The leader's own sync is its own ack.
    let done = host.sync();
    assert_eq!(done.delivered(), [zxid(2, 2)]);
    assert_eq!(done.sent(L2), [commit(2, 2)]);
}

// spec: QP-BC-06, QP-SYN-18, FT-QRM-08. Ordinary traffic of Java peers.
#[test]
fn late_and_old_acks_change_nothing() {
    let mut host = leader();
    host.propose();
    host.receive(L1, ack(2, 1));
    host.sync();
    for message in [ack(2, 0), ack(2, 1), ack(1, 1), ack(1, 9), ack(0, 0)] {
        let done = host.receive(L2, message);
        assert!(
            done.closed().is_empty() && done.delivered().is_empty() && done.sent(L1).is_empty()
        );
    }
}

// spec: QP-BC-06, FT-QRM-08.
#[test]
fn an_ack_of_what_was_never_proposed_ends_the_link() {
    for message in [ack(2, 2), ack(3, 1)] {
        let mut host = leader();
        host.propose();
        let done = host.receive(L2, message);
        assert_eq!(done.closed(), [(L2, Misbehaviour::AckUnsent)]);
        assert!(done.delivered().is_empty());
    }
}

// spec: QP-BC-06, QP-CFG-03, FT-QRM-08.
#[test]
fn acks_without_a_vote_do_not_count() {
    let mut host = Host::leader(directory(1, 1, 1));
    host.join(L4, 4, zxid(1, 1));
    assert_eq!(host.propose().sent(L4).len(), 1);
    host.sync();
    let done = host.receive(L4, ack(2, 1));
    assert!(done.delivered().is_empty() && done.closed().is_empty());
    assert_eq!(host.receive(L1, ack(2, 1)).delivered(), [zxid(2, 1)]);
}

#[test]
fn acks_end_with_their_link() {
    let mut host = leader();
    host.propose();
    host.receive(L1, ack(2, 1));
    let newer = LinkId(9);
    host.connect(newer, 1, Epoch(2));
    // What it acknowledged on the old link may be cut on the new one.
    assert!(host.sync().delivered().is_empty());
    assert!(host.receive(L1, ack(2, 1)).0.is_empty());
}

// A newer link replaces one whose end was not noticed; the quorum lasts meanwhile.
#[test]
fn a_newer_link_replaces_the_older_one() {
    let mut host = Host::leader(directory(1, 1, 1));
    let done = host.connect(LinkId(9), 1, Epoch(2));
    assert_eq!(done.closed(), [(L1, Misbehaviour::Replaced)]);
    assert!(!done.looks());
    assert!(
        host.feed(Event::Disconnected { link: LinkId(9) })
            .reports(Report::QuorumLost)
    );
}

// What a learner said over a link that it has given up must not end the one that it uses, and so the leadership.
#[test]
fn an_older_link_does_not_replace_a_newer_one() {
    let mut host = Host::ready(3, directory(1, 1, 1));
    host.elect(3);
    for link in [L1, LinkId(9)] {
        let peer = id(1);
        host.feed(Event::Connected { link, peer });
    }
    let info = |accepted| Message::FollowerInfo {
        accepted,
        id: id(1),
        config: 0,
    };
    host.receive(LinkId(9), info(Epoch(1)));
    host.sync();
    let done = host.receive(L1, info(Epoch::ZERO));
    assert_eq!(done.closed(), [(L1, Misbehaviour::Replaced)]);
    assert!(!done.looks() && done.sent(L1).is_empty());
    // The newer one goes on, and its end is the learner's.
    let reply = Message::AckEpoch {
        zxid: zxid(1, 1),
        current: Some(Epoch(1)),
    };
    host.receive(LinkId(9), reply);
    host.sync();
    let done = host.receive(LinkId(9), ack(2, 0));
    assert!(done.reports(Report::Established { epoch: Epoch(2) }));
}

// A link that has said nothing yet may never say anything: until it does, the one before it is the learner's.
#[test]
fn a_silent_link_replaces_nothing() {
    let mut host = Host::ready(3, directory(1, 1, 1));
    host.elect(3);
    for link in [L1, LinkId(9)] {
        let peer = id(1);
        host.feed(Event::Connected { link, peer });
    }
    let info = Message::FollowerInfo {
        accepted: Epoch(1),
        id: id(1),
        config: 0,
    };
    let done = host.receive(L1, info.clone());
    assert!(done.closed().is_empty() && !done.writes().is_empty());
    let done = host.receive(LinkId(9), info);
    assert_eq!(done.closed(), [(L1, Misbehaviour::Replaced)]);
}

// spec: QP-BC-17.
#[test]
fn a_leader_without_a_quorum_steps_down() {
    let mut host = leader();
    assert!(!host.feed(Event::Disconnected { link: L2 }).looks());
    let done = host.feed(Event::Disconnected { link: L1 });
    assert!(done.reports(Report::QuorumLost) && done.looks());
    assert_eq!(host.peer.next_zxid(), None);
}

// spec: QP-BC-17, FT-NET-14. Any packet of a learner shows that it lives.
#[test]
fn silent_learners_are_let_go() {
    let mut host = leader();
    assert!(host.receive(L1, PONG).armed(Timer::Learner(L1)));
    let done = host.expire(Timer::Learner(L1));
    assert_eq!(done.closed(), [(L1, Misbehaviour::Silent)]);
    assert!(host.expire(Timer::Learner(L2)).looks());
}

// spec: QP-ZAB-22. Once the epoch is established initLimit is over, and what a learner or an election waits for is not
// the leader's.
#[test]
fn timers_of_other_roles_and_phases_change_nothing() {
    let mut host = leader();
    let gone = Timer::Learner(LinkId(77));
    for timer in [
        Timer::Init,
        Timer::Notify,
        Timer::Finalize,
        Timer::Leader,
        gone,
    ] {
        assert!(host.expire(timer).0.is_empty(), "{timer:?}");
    }
}

// spec: QP-BC-16. Answers to pings do not excuse missing acks.
#[test]
fn a_learner_that_acknowledges_nothing_is_let_go() {
    let mut host = leader();
    assert!(host.propose().armed(Timer::Acks(L1)));
    assert!(!host.propose().armed(Timer::Acks(L1)));
    assert!(host.receive(L1, ack(2, 1)).armed(Timer::Acks(L1)));
    let done = host.receive(L1, ack(2, 2));
    assert!(done.0.contains(&Effect::Disarm {
        timer: Timer::Acks(L1)
    }));
    assert_eq!(
        host.expire(Timer::Acks(L2)).closed(),
        [(L2, Misbehaviour::Silent)]
    );
}

// spec: QP-BC-04, QP-DEF-32, FT-LOAD-12.
#[test]
fn a_used_up_counter_ends_the_epoch_after_its_last_commit() {
    let mut host = Host::with(
        Config {
            counter_limit: 1,
            ..three(3)
        },
        directory(1, 1, 1),
    );
    host.establish();
    host.propose();
    assert_eq!(host.peer.next_zxid(), None);
    host.sync();
    let done = host.receive(L1, ack(2, 1));
    assert_eq!(done.sent(L1), [commit(2, 1)]);
    assert!(done.reports(Report::CounterExhausted) && done.looks());
}

// spec: QP-BC-04.
#[test]
fn a_txn_of_an_earlier_leadership_is_dropped_and_a_skipped_zxid_is_broken() {
    let mut host = leader();
    let late = Event::Proposed {
        zxid: zxid(1, 2),
        txn: 0,
    };
    assert!(host.feed(late).0.is_empty());
    let skipped = Event::Proposed {
        zxid: zxid(2, 2),
        txn: 0,
    };
    let broken = Broken::Proposed {
        zxid: zxid(2, 2),
        next: Some(zxid(2, 1)),
    };
    assert_eq!(host.peer.handle(skipped, &mut Effects::new()), Err(broken));
    let mut follower = Host::follower(directory(1, 1, 1));
    assert!(
        follower
            .feed(Event::Proposed {
                zxid: zxid(2, 1),
                txn: 0
            })
            .0
            .is_empty()
    );
}

// spec: QP-BC-10.
#[test]
fn observers_are_informed_of_what_is_committed() {
    let mut host = leader();
    host.observe(L4, 4, Epoch::ZERO);
    host.receive(
        L4,
        Message::AckEpoch {
            zxid: zxid(1, 1),
            current: None,
        },
    );
    assert_eq!(host.receive(L4, ack(2, 0)).sent(L4), [Message::UpToDate]);
    assert!(host.propose().sent(L4).is_empty());
    host.sync();
    let informed = Message::Inform(zab::Proposal {
        zxid: zxid(2, 1),
        txn: 0,
    });
    assert_eq!(host.receive(L1, ack(2, 1)).sent(L4), [informed]);
    // Its loss costs no quorum.
    assert!(!host.feed(Event::Disconnected { link: L4 }).looks());
}

// spec: QP-BC-13.
#[test]
fn the_touch_table_of_a_ping_reaches_the_host() {
    let mut host = leader();
    let sent = host.expire(Timer::Ping);
    assert_eq!(
        (sent.sent(L1), sent.sent(L2)),
        (vec![ping(&host)], vec![ping(&host)])
    );
    assert!(sent.armed(Timer::Ping));
    let done = host.receive(
        L1,
        Message::Ping {
            zxid: Zxid::ZERO,
            sessions: Some(5),
        },
    );
    assert!(done.0.contains(&Effect::Touch {
        peer: id(1),
        sessions: 5
    }));
    // A learner that has not answered is not asked again; the one that has, is.
    let sent = host.expire(Timer::Ping);
    assert_eq!((sent.sent(L1).len(), sent.sent(L2).len()), (1, 0));
}

// spec: QP-BC-14.
#[test]
fn requests_and_sessions_reach_the_host_and_answers_the_learner() {
    let mut host = leader();
    let done = host.receive(L1, Message::Request { request: 7 });
    assert!(done.0.contains(&Effect::Request {
        link: L1,
        peer: id(1),
        request: 7
    }));
    let done = host.receive(L1, Message::Revalidate { session: 8 });
    assert!(done.0.contains(&Effect::Revalidate {
        link: L1,
        peer: id(1),
        session: 8
    }));
    let reply = Event::Answered {
        link: L1,
        session: 9,
    };
    assert_eq!(
        host.feed(reply).sent(L1),
        [Message::Revalidate { session: 9 }]
    );
    let gone = Event::Answered {
        link: LinkId(77),
        session: 9,
    };
    assert!(host.feed(gone).0.is_empty());
}

#[test]
fn leaders_messages_from_a_learner_end_its_link() {
    for message in [
        commit(2, 1),
        Message::UpToDate,
        Message::Sync,
        Message::Diff { zxid: Zxid::ZERO },
    ] {
        let mut host = leader();
        assert_eq!(
            host.receive(L2, message).closed(),
            [(L2, Misbehaviour::Unexpected)]
        );
    }
}

fn ask(host: &mut Host, read: u64) -> Vec<ReadId> {
    confirmed(
        &host
            .feed(Event::Asked {
                by: Reader::Host(ReadId(read)),
            })
            .0,
    )
}

fn confirmed(effects: &[Effect<u8>]) -> Vec<ReadId> {
    let reads = effects.iter().filter_map(|effect| match effect {
        Effect::Confirmed { read } => Some(*read),
        _ => None,
    });
    reads.collect()
}

// spec: QP-BC-15.
#[test]
fn a_read_is_confirmed_by_an_answer_to_what_was_sent_after_it() {
    let mut host = leader();
    host.expire(Timer::Ping);
    assert!(ask(&mut host, 1).is_empty());
    // This answers the ping that was sent before the read.
    assert!(confirmed(&host.receive(L1, PONG).0).is_empty());
    assert_eq!(confirmed(&host.receive(L1, PONG).0), [ReadId(1)]);
}

// spec: QP-BC-15.
#[test]
fn reads_that_come_during_a_round_share_the_next() {
    let mut host = leader();
    ask(&mut host, 1);
    ask(&mut host, 2);
    ask(&mut host, 3);
    let done = host.receive(L1, PONG);
    assert_eq!(confirmed(&done.0), [ReadId(1)]);
    assert_eq!(done.sent(L1).len(), 1);
    // Server 2 answers the first round's ping: too old for the second.
    assert!(confirmed(&host.receive(L2, PONG).0).is_empty());
    assert_eq!(confirmed(&host.receive(L2, PONG).0), [ReadId(2), ReadId(3)]);
}

// spec: QP-BC-15.
#[test]
fn a_read_waits_for_what_was_proposed_before_it() {
    let mut host = leader();
    host.propose();
    ask(&mut host, 1);
    assert!(confirmed(&host.receive(L1, PONG).0).is_empty());
    host.propose();
    host.sync();
    let done = host.receive(L1, ack(2, 1));
    assert_eq!(confirmed(&done.0), [ReadId(1)]);
    let delivery = done
        .0
        .iter()
        .position(|effect| matches!(effect, Effect::Deliver { .. }));
    let confirmation = done
        .0
        .iter()
        .position(|effect| matches!(effect, Effect::Confirmed { .. }));
    assert!(delivery < confirmation);
}

// spec: QP-BC-15, CP-ORD-01. The acks of a later proposal answer something sent after the reads came, and a host that
// answers in order must hear of the reads first.
#[test]
fn a_read_is_confirmed_before_what_was_proposed_after_it_is_delivered() {
    let mut host = leader();
    ask(&mut host, 1);
    ask(&mut host, 2);
    host.propose();
    host.sync();
    ask(&mut host, 3);
    // The round of read 1 is over, and the next asks for reads 2 and 3.
    assert_eq!(confirmed(&host.receive(L1, PONG).0), [ReadId(1)]);
    let done = host.receive(L1, ack(2, 1));
    assert_eq!(confirmed(&done.0), [ReadId(2)]);
    let place = |wanted: fn(&Effect<u8>) -> bool| done.0.iter().position(wanted);
    let read = place(|it| matches!(it, Effect::Confirmed { .. }));
    let delivery = place(|it| matches!(it, Effect::Deliver { .. }));
    assert!(read.is_some() && read < delivery);
    assert_eq!(confirmed(&host.receive(L1, PONG).0), [ReadId(3)]);
}

// spec: QP-BC-15, CP-ORD-01, CP-ORD-20. A learner answers its clients in the order of what comes over the link.
#[test]
fn a_learners_sync_is_answered_between_what_was_proposed_before_it_and_after_it() {
    let mut host = leader();
    host.propose();
    let by = Reader::Learner(L1);
    assert!(
        !host
            .feed(Event::Asked { by })
            .sent(L1)
            .contains(&Message::Sync)
    );
    host.propose();
    host.sync();
    // Both are committed by one ack, before any answer to the round's ping.
    let done = host.receive(L1, ack(2, 2));
    let wanted = [commit(2, 1), Message::Sync, commit(2, 2)];
    assert_eq!(done.sent(L1), wanted);
    // Nobody is answered over a link that is gone.
    host.feed(Event::Asked { by });
    host.feed(Event::Disconnected { link: L1 });
    assert!(!host.receive(L2, PONG).0.iter().any(|effect| matches!(
        effect,
        Effect::Send {
            message: Message::Sync,
            ..
        }
    )));
}

// spec: QP-BC-15. A learner that joins during the round can still confirm it.
#[test]
fn a_learner_that_joins_is_asked_too() {
    let mut host = leader();
    ask(&mut host, 1);
    host.feed(Event::Disconnected { link: L1 });
    let newer = LinkId(9);
    host.join(newer, 1, zxid(1, 1));
    assert_eq!(confirmed(&host.receive(newer, PONG).0), [ReadId(1)]);
}

// spec: QP-BC-15. Observers confirm nothing.
#[test]
fn observers_confirm_no_read() {
    let mut host = Host::leader(directory(1, 1, 1));
    host.observe(L4, 4, Epoch::ZERO);
    host.receive(
        L4,
        Message::AckEpoch {
            zxid: zxid(1, 1),
            current: None,
        },
    );
    host.receive(L4, ack(2, 0));
    ask(&mut host, 1);
    assert!(confirmed(&host.receive(L4, PONG).0).is_empty());
    assert_eq!(confirmed(&host.receive(L1, PONG).0), [ReadId(1)]);
}

// spec: QP-BC-15.
#[test]
fn an_ensemble_of_one_confirms_at_once() {
    let config = Config {
        standalone: true,
        ..Config::new(id(1), [id(1)])
    };
    let (mut host, _) = Host::start(config, directory(0, 0, 0));
    assert_eq!(ask(&mut host, 1), [ReadId(1)]);
    host.propose();
    assert!(ask(&mut host, 2).is_empty());
    assert_eq!(confirmed(&host.sync().0), [ReadId(2)]);
}
