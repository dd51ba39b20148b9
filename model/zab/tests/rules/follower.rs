use zab::{Config, Effect, Epoch, Event, Message, Misbehaviour, Phase, Report, Timer, Write, Zxid};

use crate::host::{Host, L1, ack, commit, directory, id, new_leader, proposal, three, txn, zxid};

fn append(epoch: i64, counter: u32) -> Write<u8> {
    Write::Append(txn(epoch, counter))
}

/// Follows 3 in epoch 2 with `1.1` and `1.2` in its log; got this much.
fn syncing(messages: &[Message<u8>]) -> Host {
    let mut host = Host::ready(1, directory(1, 1, 2));
    host.follow();
    for message in messages {
        assert!(
            host.receive(L1, message.clone()).closed().is_empty(),
            "{message:?}"
        );
    }
    host
}

const DIFF: Message<u8> = Message::Diff { zxid: Zxid::ZERO };

// spec: QP-SYN-10, QP-SYN-14, QP-SYN-16, FT-DISK-33.
#[test]
fn history_then_epoch_then_ack() {
    let mut host = syncing(&[DIFF, proposal(1, 3), commit(1, 3), proposal(2, 1)]);
    let done = host.receive(L1, new_leader(2));
    assert_eq!(done.writes(), [append(1, 3), Write::CurrentEpoch(Epoch(2))]);
    assert!(done.sent(L1).is_empty() && done.delivered().is_empty());
    let done = host.sync();
    assert_eq!(done.sent(L1), [ack(2, 0)]);
    assert!(done.delivered().is_empty());
}

// spec: QP-SYN-17, QP-SYN-18.
#[test]
fn up_to_date_delivers_and_logs_the_rest() {
    let mut host = syncing(&[
        DIFF,
        proposal(1, 3),
        commit(1, 3),
        proposal(2, 1),
        new_leader(2),
    ]);
    host.sync();
    // Java leaders commit between NEWLEADER and UPTODATE.
    for message in [proposal(2, 2), commit(2, 1)] {
        let done = host.receive(L1, message);
        assert!(
            done.writes().is_empty() && done.delivered().is_empty() && done.closed().is_empty()
        );
    }
    let done = host.receive(L1, Message::UpToDate);
    assert_eq!(done.sent(L1), [ack(2, 0)]);
    assert_eq!(done.writes(), [append(2, 1), append(2, 2)]);
    assert_eq!(
        done.delivered(),
        [zxid(1, 1), zxid(1, 2), zxid(1, 3), zxid(2, 1)]
    );
    assert!(done.reports(Report::UpToDate { epoch: Epoch(2) }));
    assert_eq!(host.sync().sent(L1), [ack(2, 1), ack(2, 2)]);
    // spec: QP-DEF-18. As a leader it could serve all of that to others.
    let (_, log) = host.peer.log();
    let kept: Vec<_> = log.map(|entry| entry.zxid).collect();
    let first = [zxid(1, 1), zxid(1, 2), zxid(1, 3)];
    assert_eq!(kept, [&first[..], &[zxid(2, 1), zxid(2, 2)]].concat());
}

// spec: QP-SYN-16, QP-SYN-19, QP-INT-04.
#[test]
fn up_to_date_before_its_own_ack_is_an_error() {
    let mut host = syncing(&[DIFF, new_leader(2)]);
    assert_eq!(
        host.receive(L1, Message::UpToDate).closed(),
        [(L1, Misbehaviour::Unexpected)]
    );
}

// spec: QP-SYN-12. Nothing is cut before the leader's history is complete.
#[test]
fn trunc_cuts_at_new_leader() {
    let mut host = syncing(&[
        Message::Trunc { zxid: zxid(1, 1) },
        proposal(2, 1),
        commit(2, 1),
    ]);
    assert_eq!(host.peer.status().last_logged, zxid(1, 2));
    let done = host.receive(L1, new_leader(2));
    let cut = Write::Truncate { after: zxid(1, 1) };
    assert_eq!(
        done.writes(),
        [cut, append(2, 1), Write::CurrentEpoch(Epoch(2))]
    );
    assert_eq!(host.peer.status().last_logged, zxid(2, 1));
}

// spec: QP-SYN-11, QP-SYN-12, QP-ZAB-22. A synchronisation that breaks off changes nothing.
#[test]
fn an_aborted_synchronisation_leaves_memory_as_the_disk() {
    for mode in [
        Message::Trunc { zxid: zxid(1, 1) },
        Message::Snap { zxid: zxid(1, 9) },
        DIFF,
    ] {
        let mut host = syncing(&[mode]);
        let done = host.feed(Event::Disconnected { link: L1 });
        assert!(done.looks() && done.writes().is_empty());
        assert_eq!(host.peer.status().last_logged, zxid(1, 2));
    }
}

// spec: QP-SYN-11.
#[test]
fn snap_replaces_everything() {
    let mut host = syncing(&[Message::Snap { zxid: zxid(1, 9) }]);
    let done = host.receive(L1, new_leader(2));
    let install = Write::Install {
        snapshot: zxid(1, 9),
    };
    assert_eq!(done.writes(), [install, Write::CurrentEpoch(Epoch(2))]);
    assert_eq!(host.peer.status().last_logged, zxid(1, 9));
}

// spec: QP-SYN-15.
#[test]
fn what_the_stream_holds_may_follow_it() {
    let snap = Message::Snap { zxid: zxid(1, 9) };
    let mut host = syncing(&[
        snap,
        proposal(1, 8),
        commit(1, 8),
        proposal(1, 9),
        proposal(2, 1),
    ]);
    let done = host.receive(L1, commit(1, 9));
    assert!(done.closed().is_empty());
    let done = host.receive(L1, new_leader(2));
    let install = Write::Install {
        snapshot: zxid(1, 9),
    };
    assert_eq!(done.writes(), [install, Write::CurrentEpoch(Epoch(2))]);
}

// spec: QP-SYN-15, QP-BC-09.
#[test]
fn a_hole_in_the_history_is_refused() {
    for (before, hole) in [
        (vec![DIFF], proposal(1, 4)),
        (vec![DIFF], proposal(1, 2)),
        (vec![DIFF], proposal(2, 2)),
        (vec![DIFF, proposal(1, 3)], proposal(1, 3)),
        (vec![Message::Trunc { zxid: zxid(1, 1) }], proposal(1, 3)),
        (vec![Message::Snap { zxid: zxid(1, 9) }], proposal(1, 11)),
    ] {
        let done = syncing(&before).receive(L1, hole);
        assert_eq!(done.closed(), [(L1, Misbehaviour::ZxidGap)]);
        assert!(done.looks());
    }
}

// spec: QP-SYN-14, QP-BC-07.
#[test]
fn a_commit_out_of_order_is_refused_while_synchronising() {
    let mut host = syncing(&[DIFF, proposal(1, 3), proposal(1, 4)]);
    let done = host.receive(L1, commit(1, 4));
    assert_eq!(done.closed(), [(L1, Misbehaviour::CommitOrder)]);
}

// spec: QP-SYN-14. Each COMMIT is that of the next proposal.
#[test]
fn commits_in_order_are_remembered_while_synchronising() {
    let history = [proposal(1, 3), commit(1, 3), proposal(1, 4), commit(1, 4)];
    let mut host = syncing(&[&[DIFF][..], &history].concat());
    let done = host.receive(L1, new_leader(2));
    let epoch = Write::CurrentEpoch(Epoch(2));
    assert_eq!(done.writes(), [append(1, 3), append(1, 4), epoch]);
}

// spec: QP-SYN-13, QP-SYN-14.
#[test]
fn messages_out_of_their_phase_are_refused() {
    let leader_info = Message::LeaderInfo { epoch: Epoch(2) };
    for message in [
        leader_info.clone(),
        proposal(1, 3),
        commit(1, 3),
        Message::UpToDate,
        new_leader(2),
        Message::Sync,
        Message::Revalidate { session: 1 },
    ] {
        let done = syncing(&[]).receive(L1, message);
        assert_eq!(done.closed(), [(L1, Misbehaviour::Unexpected)]);
    }
    for message in [
        leader_info.clone(),
        DIFF,
        Message::Trunc { zxid: zxid(1, 2) },
        Message::Snap { zxid: zxid(1, 2) },
        Message::UpToDate,
        Message::Inform(txn(1, 3)),
        ack(1, 1),
    ] {
        let done = syncing(&[DIFF]).receive(L1, message);
        assert_eq!(done.closed(), [(L1, Misbehaviour::Unexpected)]);
    }
    for message in [leader_info, new_leader(2), Message::Inform(txn(2, 1))] {
        let done = Host::follower(directory(1, 1, 2)).receive(L1, message);
        assert_eq!(done.closed(), [(L1, Misbehaviour::Unexpected)]);
    }
}

// spec: QP-ZAB-22. A dial that is under way ends with the role, and a link that was made is closed instead.
#[test]
fn who_gives_up_while_dialling_hangs_up() {
    let mut host = Host::ready(1, directory(1, 1, 2));
    host.elect(3);
    let done = host.expire(Timer::Init);
    assert!(done.looks() && done.0.contains(&Effect::HangUp));
    let mut host = syncing(&[DIFF]);
    let done = host.expire(Timer::Init);
    assert!(done.looks() && !done.0.contains(&Effect::HangUp));
    assert_eq!(done.closed(), [(L1, Misbehaviour::RoleEnded)]);
    let done = syncing(&[DIFF]).receive(L1, ack(1, 1));
    assert!(done.looks() && !done.0.contains(&Effect::HangUp));
}

// spec: QP-SYN-16.
#[test]
fn new_leader_of_another_epoch_is_refused() {
    let done = syncing(&[DIFF]).receive(L1, new_leader(3));
    assert_eq!(done.closed(), [(L1, Misbehaviour::Epoch)]);
}

// spec: QP-DEF-25. A snapshot cannot be cut.
#[test]
fn trunc_below_the_oldest_snapshot_asks_for_a_snapshot_instead() {
    let durable = zab::Durable {
        floor: zxid(1, 5),
        base: zxid(1, 5),
        ..directory(1, 1, 0)
    };
    let mut host = Host::ready(1, durable);
    host.follow();
    let done = host.receive(L1, Message::Trunc { zxid: zxid(1, 4) });
    assert_eq!(done.closed(), [(L1, Misbehaviour::TruncTooLow)]);
    host.elect(3);
    host.feed(Event::Connected {
        link: zab::LinkId(9),
        peer: id(3),
    });
    let done = host.receive(zab::LinkId(9), Message::LeaderInfo { epoch: Epoch(2) });
    let reply = Message::AckEpoch {
        zxid: Zxid::UNTRUSTED,
        current: None,
    };
    assert_eq!(done.sent(zab::LinkId(9)), [reply]);
    // Nothing less than that will do.
    let done = host.receive(zab::LinkId(9), DIFF);
    assert_eq!(done.closed(), [(zab::LinkId(9), Misbehaviour::Unexpected)]);
}

// spec: QP-DEF-25.
#[test]
fn trunc_to_the_oldest_snapshot_is_possible() {
    let durable = zab::Durable {
        floor: zxid(1, 5),
        base: zxid(1, 5),
        log: vec![txn(1, 6)],
        ..directory(1, 1, 0)
    };
    let mut host = Host::ready(1, durable);
    host.follow();
    host.receive(L1, Message::Trunc { zxid: zxid(1, 5) });
    let cut = Write::Truncate { after: zxid(1, 5) };
    assert_eq!(host.receive(L1, new_leader(2)).writes()[0], cut);
}

// spec: DF-REC-05, QP-SYN-10. There is nothing that a DIFF could be added to.
#[test]
fn an_emptied_learner_takes_no_diff() {
    let mut host = Host::ready(1, zab::Durable::wiped());
    host.follow();
    let done = host.receive(L1, DIFF);
    assert_eq!(done.closed(), [(L1, Misbehaviour::Unexpected)]);
}

// spec: QP-DEF-25. The stream of a leader that then failed shows what only that leader had logged. Whoever lacks
// it sends another stream: nothing less takes it out of the tree.
#[test]
fn a_snapshot_of_what_was_never_committed_is_replaced_by_another() {
    let mut host = Host::ready(1, directory(1, 1, 1));
    host.follow();
    host.receive(L1, Message::Snap { zxid: zxid(1, 4) });
    assert_eq!(
        host.receive(L1, new_leader(2)).writes(),
        [
            Write::Install {
                snapshot: zxid(1, 4)
            },
            Write::CurrentEpoch(Epoch(2))
        ]
    );
    host.sync();
    host.feed(Event::Disconnected { link: L1 });
    let join = |host: &mut Host, link, epoch| {
        host.elect(3);
        host.feed(Event::Connected { link, peer: id(3) });
        host.receive(link, Message::LeaderInfo { epoch });
        host.sync().sent(link)
    };
    let told = |zxid, current| [Message::AckEpoch { zxid, current }];
    let link = zab::LinkId(8);
    let reply = join(&mut host, link, Epoch(4));
    assert_eq!(reply, told(zxid(1, 4), Some(Epoch(2))));
    let done = host.receive(link, Message::Trunc { zxid: zxid(1, 2) });
    assert_eq!(done.closed(), [(link, Misbehaviour::TruncTooLow)]);
    let link = zab::LinkId(9);
    let reply = join(&mut host, link, Epoch(5));
    assert_eq!(reply, told(Zxid::UNTRUSTED, Some(Epoch(2))));
    host.receive(link, Message::Snap { zxid: zxid(1, 2) });
    let done = host.receive(link, new_leader(5));
    assert_eq!(
        done.writes()[0],
        Write::Install {
            snapshot: zxid(1, 2)
        }
    );
}

// Whoever leads now lacks what was committed here: guessing would lose one history.
#[test]
fn what_was_delivered_is_never_cut() {
    for mode in [
        Message::Trunc { zxid: zxid(1, 1) },
        Message::Snap { zxid: zxid(1, 1) },
    ] {
        let mut host = Host::follower(directory(1, 1, 2));
        host.feed(Event::Disconnected { link: L1 });
        host.elect(3);
        let link = zab::LinkId(9);
        host.feed(Event::Connected { link, peer: id(3) });
        host.receive(link, Message::LeaderInfo { epoch: Epoch(2) });
        assert_eq!(
            host.receive(link, mode).closed(),
            [(link, Misbehaviour::BelowCommitted)]
        );
    }
}

// spec: QP-BC-07, QP-BC-09.
#[test]
fn proposals_are_acknowledged_once_durable_and_delivered_on_commit() {
    let mut host = Host::follower(directory(1, 1, 2));
    let done = host.receive(L1, proposal(2, 1));
    assert_eq!(done.writes(), [append(2, 1)]);
    assert!(done.sent(L1).is_empty());
    host.receive(L1, proposal(2, 2));
    assert_eq!(host.peer.status().writes, 2);
    assert_eq!(host.sync().sent(L1), [ack(2, 1), ack(2, 2)]);
    assert_eq!(host.peer.status().writes, 0);
    assert_eq!(host.receive(L1, commit(2, 1)).delivered(), [zxid(2, 1)]);
    assert_eq!(host.receive(L1, commit(2, 2)).delivered(), [zxid(2, 2)]);
}

// spec: QP-BC-07, QP-BC-09, QP-INT-01, FT-QRM-09.
#[test]
fn gaps_repeats_and_strange_commits_end_the_link() {
    for (message, why) in [
        (proposal(2, 2), Misbehaviour::ZxidGap),
        (proposal(1, 3), Misbehaviour::CommitOrder),
        (proposal(3, 2), Misbehaviour::ZxidGap),
        (commit(2, 1), Misbehaviour::CommitOrder),
    ] {
        let mut host = Host::follower(directory(1, 1, 2));
        let mut done = host.receive(L1, message);
        if done.closed().is_empty() {
            // The next one in order, but its COMMIT names another.
            done = host.receive(L1, commit(1, 4));
        }
        assert_eq!(done.closed(), [(L1, why)]);
        assert!(done.looks() && done.delivered().is_empty());
    }
}

// spec: QP-BC-10.
#[test]
fn an_observer_applies_informs_and_acknowledges_nothing() {
    let mut host = Host::with(three(9), directory(1, 1, 2));
    host.follow();
    for message in [DIFF, new_leader(2)] {
        host.receive(L1, message);
    }
    assert_eq!(host.sync().sent(L1), [ack(2, 0)]);
    // INFORM before UPTODATE is remembered.
    assert!(
        host.receive(L1, Message::Inform(txn(1, 3)))
            .delivered()
            .is_empty()
    );
    let done = host.receive(L1, Message::UpToDate);
    assert_eq!(done.delivered(), [zxid(1, 1), zxid(1, 2), zxid(1, 3)]);
    let done = host.receive(L1, Message::Inform(txn(2, 1)));
    assert_eq!(
        (done.writes(), done.delivered()),
        (vec![append(2, 1)], vec![zxid(2, 1)])
    );
    assert!(host.sync().sent(L1).is_empty());
    for message in [proposal(2, 2), commit(2, 2)] {
        let done = host.receive(L1, message);
        assert!(done.reports(Report::Ignored {
            why: Misbehaviour::Unexpected
        }));
        assert!(done.closed().is_empty() && done.writes().is_empty());
    }
    let done = host.receive(L1, Message::Inform(txn(2, 3)));
    assert_eq!(done.closed(), [(L1, Misbehaviour::ZxidGap)]);
}

// spec: QP-BC-13, QP-SYN-20. Answers are matched by their order, so none comes early.
#[test]
fn pings_are_answered_once_up_to_date() {
    let ping = Message::Ping {
        zxid: zxid(2, 0),
        sessions: None,
    };
    let mut host = syncing(&[
        ping.clone(),
        DIFF,
        ping.clone(),
        new_leader(2),
        ping.clone(),
    ]);
    host.sync();
    assert!(host.receive(L1, ping.clone()).sent(L1).is_empty());
    host.receive(L1, Message::UpToDate);
    assert_eq!(host.receive(L1, ping.clone()).sent(L1), [ping]);
}

// spec: QP-BC-18, FT-NET-14.
#[test]
fn a_silent_leader_is_left() {
    let mut host = Host::follower(directory(1, 1, 2));
    assert!(
        host.receive(
            L1,
            Message::Ping {
                zxid: zxid(2, 0),
                sessions: None
            }
        )
        .armed(Timer::Leader)
    );
    let done = host.expire(Timer::Leader);
    assert_eq!(done.closed(), [(L1, Misbehaviour::Silent)]);
    assert!(done.looks());
}

// spec: QP-DEF-41, QP-BC-18. Until UPTODATE a leader has initLimit, then syncLimit: of the two timers one runs, and it
// ends with the role.
#[test]
fn a_learner_has_one_patience_at_a_time() {
    for (mut host, running, other) in [
        (syncing(&[DIFF]), Timer::Init, Timer::Leader),
        (
            Host::follower(directory(1, 1, 2)),
            Timer::Leader,
            Timer::Init,
        ),
    ] {
        for timer in [other, Timer::Notify, Timer::Finalize, Timer::Ping] {
            assert!(host.expire(timer).0.is_empty(), "{timer:?}");
        }
        let done = host.feed(Event::Disconnected { link: L1 });
        let disarmed = |timer| done.0.contains(&Effect::Disarm { timer });
        assert!(disarmed(running) && !disarmed(other));
    }
}

// spec: QP-ZAB-05, QP-SYN-18.
#[test]
fn a_learner_tells_its_epoch_once_it_knows_it() {
    let mut host = Host::ready(1, directory(1, 1, 2));
    host.elect(3);
    host.feed(Event::Connected {
        link: L1,
        peer: id(3),
    });
    let status = host.peer.status();
    assert_eq!((status.phase, status.epoch), (Phase::Discovery, None));
    let mut told = Vec::new();
    for message in [Message::LeaderInfo { epoch: Epoch(2) }, DIFF, new_leader(2)] {
        host.receive(L1, message);
        let status = host.peer.status();
        assert_eq!(status.epoch, Some(Epoch(2)));
        told.push(status.phase);
        host.sync();
    }
    host.receive(L1, Message::UpToDate);
    told.push(host.peer.status().phase);
    let between = Phase::Synchronisation;
    assert_eq!(told, [Phase::Discovery, between, between, Phase::Broadcast]);
}

// spec: QP-BC-14, QP-BC-15.
#[test]
fn requests_and_sessions_travel_to_the_leader_once_up_to_date() {
    let mut early = syncing(&[DIFF]);
    assert!(early.feed(Event::Forwarded { request: 7 }).0.is_empty());
    assert!(early.feed(Event::Queried { session: 8 }).0.is_empty());
    let mut host = Host::follower(directory(1, 1, 2));
    let sent = host.feed(Event::Forwarded { request: 7 }).sent(L1);
    assert_eq!(sent, [Message::Request { request: 7 }]);
    let sent = host.feed(Event::Queried { session: 8 }).sent(L1);
    assert_eq!(sent, [Message::Revalidate { session: 8 }]);
    let done = host.receive(L1, Message::Revalidate { session: 9 });
    assert_eq!(done.0.last(), Some(&Effect::Revalidated { session: 9 }));
    assert_eq!(
        host.receive(L1, Message::Sync).0.last(),
        Some(&Effect::Synced)
    );
}

#[test]
fn reconfigurations_are_refused() {
    let mut host = Host::follower(directory(1, 1, 2));
    let activate = Message::CommitAndActivate {
        zxid: zxid(2, 1),
        designated: id(2),
    };
    assert_eq!(
        host.receive(L1, activate).closed(),
        [(L1, Misbehaviour::Reconfiguration)]
    );
}

// spec: QP-SYN-03. The window is kept in full, and does not shrink below what is not committed.
#[test]
fn a_learner_keeps_its_window_and_what_is_not_committed() {
    let mut host = Host::with(
        Config {
            window: 2,
            ..three(1)
        },
        directory(1, 1, 0),
    );
    host.follow();
    for message in [DIFF, new_leader(2)] {
        host.receive(L1, message);
    }
    host.sync();
    host.receive(L1, Message::UpToDate);
    for counter in 1..=4 {
        host.receive(L1, proposal(2, counter));
    }
    assert_eq!(host.peer.log().1.len(), 4);
    for (committed, kept) in [(1, 3), (2, 2), (3, 2), (4, 2)] {
        host.receive(L1, commit(2, committed));
        assert_eq!(host.peer.log().1.len(), kept);
    }
}
