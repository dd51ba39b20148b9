use zab::{Broken, Config, Effect, Effects, Epoch, Event, LinkId, Message, Misbehaviour};
use zab::{Report, Timer, Zxid};

use crate::host::{Done, Host, L1, L2, L4, ack, commit, directory, id, three, zxid};

/// Established in epoch 2 with followers 1 and 2 up to date.
pub(crate) fn leader() -> Host {
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

pub(crate) const PONG: Message<u8> = Message::Ping {
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

// spec: QP-ZAB-22, QP-BC-17. Whoever still follows must look for another leader, and nobody is pinged any more.
#[test]
fn a_leader_that_steps_down_closes_its_links() {
    let mut host = leader();
    host.join(L4, 4, zxid(1, 1));
    host.feed(Event::Disconnected { link: L2 });
    let done = host.feed(Event::Disconnected { link: L1 });
    assert_eq!(done.closed(), [(L4, Misbehaviour::RoleEnded)]);
    for timer in [Timer::Learner(L4), Timer::Init, Timer::Ping] {
        assert!(disarmed(&done).contains(&timer), "{timer:?}");
    }
}

#[test]
fn a_leader_tells_in_order_of_id_who_is_up_to_date() {
    let mut host = leader();
    host.connect(L4, 0, Epoch::ZERO);
    let told = host.peer.learners().map(|it| (it.id.0, it.up_to_date));
    let wanted = [(0, false), (1, true), (2, true)];
    assert_eq!(told.collect::<Vec<_>>(), wanted);
    assert_eq!(host.peer.status().learners, 2);
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

// spec: QP-BC-06, QP-BC-16. Neither does what an ack says of an earlier epoch, or of the history.
#[test]
fn an_old_ack_renews_no_patience() {
    let mut host = leader();
    host.propose();
    for old in [ack(2, 0), ack(1, 1), ack(1, 9)] {
        assert!(!host.receive(L1, old).armed(Timer::Acks(L1)));
    }
}

fn disarmed(done: &Done) -> Vec<Timer> {
    let timers = done.0.iter().filter_map(|effect| match effect {
        Effect::Disarm { timer } => Some(*timer),
        _ => None,
    });
    timers.collect()
}

// spec: QP-BC-16, QP-BC-17. What was waited for over a link ends with it, and only that.
#[test]
fn a_learner_that_is_gone_takes_its_timers_along() {
    let mut host = leader();
    host.connect(L4, 4, Epoch::ZERO);
    let gone = host.feed(Event::Disconnected { link: L4 });
    assert_eq!(disarmed(&gone), [Timer::Learner(L4)]);
    host.join(L4, 4, zxid(1, 1));
    let gone = host.feed(Event::Disconnected { link: L4 });
    assert_eq!(disarmed(&gone), [Timer::Learner(L4)]);
    host.propose();
    host.connect(L4, 4, Epoch::ZERO);
    let gone = host.feed(Event::Disconnected { link: L4 });
    assert_eq!(disarmed(&gone), [Timer::Learner(L4)]);
    let gone = host.feed(Event::Disconnected { link: L2 });
    assert_eq!(disarmed(&gone), [Timer::Learner(L2), Timer::Acks(L2)]);
}

// spec: QP-BC-17. Nobody waits for a learner that adopted the epoch and waits itself for a quorum.
#[test]
fn a_learner_that_waits_for_the_quorum_is_not_timed() {
    let mut host = Host::ready(3, directory(1, 1, 1));
    host.elect(3);
    host.connect(L1, 1, Epoch::ZERO);
    host.sync();
    let reply = Message::AckEpoch {
        zxid: zxid(1, 1),
        current: Some(Epoch(1)),
    };
    host.receive(L1, reply);
    let done = host.receive(L1, ack(2, 0));
    assert_eq!(disarmed(&done), [Timer::Learner(L1)]);
    assert!(disarmed(&host.feed(Event::Disconnected { link: L1 })).is_empty());
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

// spec: QP-SYN-03, QP-INT-03. A learner between NEWLEADER and UPTODATE is told of all commits afterwards, from memory; one
// that has no history yet holds nothing back.
#[test]
fn a_leader_keeps_what_a_learner_was_not_told() {
    let config = Config {
        window: 1,
        ..three(3)
    };
    let mut host = Host::with(config, directory(1, 1, 0));
    host.establish();
    host.connect(L2, 2, Epoch::ZERO);
    let commits = |host: &mut Host, counter| {
        host.propose();
        host.sync();
        host.receive(L1, ack(2, counter));
        host.peer.log().1.len()
    };
    assert_eq!([commits(&mut host, 1), commits(&mut host, 2)], [1, 1]);
    let level = Message::AckEpoch {
        zxid: zxid(2, 2),
        current: None,
    };
    host.receive(L2, level);
    assert_eq!([commits(&mut host, 3), commits(&mut host, 4)], [1, 2]);
    let told = [Message::UpToDate, commit(2, 3), commit(2, 4)];
    assert_eq!(host.receive(L2, ack(2, 0)).sent(L2), told);
    assert_eq!(host.peer.log().1.len(), 1);
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

// spec: QP-ZAB-02, QP-SYN-19. In each phase a learner has one thing to say, and may ask nothing before UPTODATE.
#[test]
fn a_learners_messages_out_of_their_phase_end_its_link() {
    let info = |observer| {
        let (accepted, id, config) = (Epoch::ZERO, id(4), 0);
        if observer {
            Message::ObserverInfo {
                accepted,
                id,
                config,
            }
        } else {
            Message::FollowerInfo {
                accepted,
                id,
                config,
            }
        }
    };
    let level = Message::AckEpoch {
        zxid: zxid(1, 1),
        current: None,
    };
    let asked = [
        PONG,
        Message::Request { request: 7 },
        Message::Revalidate { session: 8 },
    ];
    let acks = [ack(2, 0), ack(2, 1)];
    let informed = [info(true), info(false), acks[0].clone(), acks[1].clone()];
    let synchronised = [info(true), info(false), level.clone()];
    let path = [info(false), level];
    for (steps, refused) in [(1, &informed[..]), (2, &synchronised[..])] {
        for message in refused.iter().chain(&asked) {
            let mut host = leader();
            host.feed(Event::Connected {
                link: L4,
                peer: id(4),
            });
            for step in &path[..steps] {
                host.receive(L4, step.clone());
            }
            let done = host.receive(L4, message.clone());
            let closed = [(L4, Misbehaviour::Unexpected)];
            assert_eq!(done.closed(), closed, "{message:?}");
            assert!(!done.looks());
        }
    }
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
