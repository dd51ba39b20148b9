use zab::{Config, Effect, Epoch, Event, Message, Report, SyncMode, Timer, Write, Zxid};

use crate::host::{
    Host, L1, L2, L4, ack, commit, directory, id, new_leader, proposal, three, zxid,
};

/// The history that server 2, whose log ends at `last`, gets from a leader with
/// `1.1` to `1.3` and, in epoch 2, `2.1` committed.
fn history_for(last: Zxid) -> Vec<Message<u8>> {
    let mut host = Host::leader(directory(1, 1, 3));
    host.propose();
    host.receive(L1, ack(2, 1));
    host.sync();
    host.connect(L2, 2, Epoch::ZERO);
    host.receive(
        L2,
        Message::AckEpoch {
            zxid: last,
            current: None,
        },
    )
    .sent(L2)
}

fn entry(epoch: i64, counter: u32) -> Message<u8> {
    match proposal(epoch, counter) {
        Message::Proposal(entry) if epoch == 2 => {
            Message::Proposal(zab::Proposal { txn: 0, ..entry })
        }
        other => other,
    }
}

// spec: QP-SYN-01, QP-SYN-07.
#[test]
fn a_prefix_gets_what_it_lacks() {
    let diff = Message::Diff { zxid: zxid(2, 1) };
    assert_eq!(history_for(zxid(2, 1)), [diff.clone(), new_leader(2)]);
    let tail = [diff.clone(), entry(2, 1), commit(2, 1), new_leader(2)];
    assert_eq!(history_for(zxid(1, 3)), tail);
    let all = history_for(Zxid::ZERO);
    assert_eq!(all[..3], [diff, entry(1, 1), commit(1, 1)]);
    assert_eq!(all.len(), 10);
}

// spec: QP-SYN-01. What an older leader logged alone is cut away.
#[test]
fn a_foreign_end_is_cut() {
    let cut = history_for(zxid(1, 5));
    assert_eq!(cut[..2], [Message::Trunc { zxid: zxid(1, 3) }, entry(2, 1)]);
    assert_eq!(
        history_for(zxid(2, 4)),
        [Message::Trunc { zxid: zxid(2, 1) }, new_leader(2)]
    );
}

// spec: QP-SYN-01. Of an epoch that this leader has nothing of, nobody knows what came before it.
#[test]
fn an_end_in_an_unknown_epoch_gets_a_snapshot() {
    let mut host = Host::leader(directory(2, 1, 3));
    host.propose();
    host.receive(L1, ack(3, 1));
    host.sync();
    host.connect(L2, 2, Epoch::ZERO);
    let behind = Message::AckEpoch {
        zxid: zxid(2, 5),
        current: None,
    };
    let sent = host.receive(L2, behind).sent(L2);
    assert_eq!(sent[0], Message::Snap { zxid: zxid(3, 1) });
}

// spec: QP-SYN-01. A server that led epoch 2 without a txn reports counter 0.
#[test]
fn an_epoch_start_is_no_foreign_end() {
    let history = history_for(Epoch(2).start());
    assert_eq!(
        history[..2],
        [Message::Diff { zxid: zxid(2, 1) }, entry(2, 1)]
    );
}

// spec: QP-SYN-03, QP-SYN-04, QP-SYN-11.
#[test]
fn who_is_behind_the_window_gets_a_snapshot() {
    let config = Config {
        window: 1,
        ..three(3)
    };
    let mut host = Host::with(config, directory(1, 1, 3));
    host.establish();
    host.propose();
    host.receive(L1, ack(2, 1));
    host.sync();
    host.connect(L2, 2, Epoch::ZERO);
    let done = host.receive(
        L2,
        Message::AckEpoch {
            zxid: zxid(1, 1),
            current: None,
        },
    );
    assert_eq!(
        done.sent(L2),
        [Message::Snap { zxid: zxid(2, 1) }, new_leader(2)]
    );
    let stream = Effect::SendSnapshot {
        link: L2,
        zxid: zxid(2, 1),
    };
    let place = done.0.iter().position(|effect| *effect == stream);
    let snap = Effect::Send {
        link: L2,
        message: Message::Snap { zxid: zxid(2, 1) },
    };
    assert_eq!(
        place,
        done.0
            .iter()
            .position(|effect| *effect == snap)
            .map(|at| at + 1)
    );
    let mode = SyncMode::Snap(zxid(2, 1));
    assert!(done.reports(Report::Synchronising { peer: id(2), mode }));
}

/// The SNAP that server 1 gets from server 3, which leads and has established nothing.
fn snapshot_of(mut leader: Host) -> Vec<Message<u8>> {
    leader.elect(3);
    leader.connect(L2, 2, Epoch::ZERO);
    leader.connect(L1, 1, Epoch::ZERO);
    leader.sync();
    let reply = |zxid, current| Message::AckEpoch { zxid, current };
    leader.receive(L2, reply(zxid(1, 1), Some(Epoch(1))));
    let done = leader.receive(L1, reply(Zxid::UNTRUSTED, None));
    let Some(Message::Snap { zxid }) = done.sent(L1).first().cloned() else {
        panic!("no snapshot: {:?}", done.sent(L1));
    };
    assert!(done.0.contains(&Effect::SendSnapshot { link: L1, zxid }));
    done.sent(L1)
}

// spec: QP-SYN-11, QP-DEF-25. After a start the tree shows the log to its end, committed or not: a stream named by
// less could never be cut back to its name.
#[test]
fn a_restarted_leader_names_its_snapshot_by_the_end_of_its_log() {
    let snap = Message::Snap { zxid: zxid(1, 3) };
    let leader = Host::ready(3, directory(1, 1, 3));
    assert_eq!(snapshot_of(leader), [snap, new_leader(2)]);
}

// spec: QP-SYN-11, QP-SYN-12. So it does after TRUNC, which loads it again from the disk.
#[test]
fn who_was_cut_and_then_leads_names_its_snapshot_by_the_end_of_its_log() {
    let base = zab::Durable {
        base: zxid(1, 1),
        ..directory(1, 1, 4)
    };
    let mut host = Host::ready(
        3,
        zab::Durable {
            log: base.log[1..].to_vec(),
            ..base
        },
    );
    host.elect(2);
    let link = zab::LinkId(9);
    host.feed(Event::Connected { link, peer: id(2) });
    host.receive(link, Message::LeaderInfo { epoch: Epoch(2) });
    host.sync();
    let brought = [Message::Trunc { zxid: zxid(1, 3) }, entry(2, 1)];
    for message in brought.into_iter().chain([commit(2, 1), new_leader(2)]) {
        host.receive(link, message);
    }
    host.sync();
    host.feed(Event::Disconnected { link });
    let snap = Message::Snap { zxid: zxid(1, 3) };
    let behind = [entry(2, 1), commit(2, 1), new_leader(3)];
    assert_eq!(snapshot_of(host), [vec![snap], behind.to_vec()].concat());
}

// spec: DF-REC-05. Nobody knows what an empty directory once held.
#[test]
fn an_emptied_learner_gets_a_snapshot() {
    assert_eq!(
        history_for(Zxid::UNTRUSTED)[0],
        Message::Snap { zxid: zxid(2, 1) }
    );
}

// spec: QP-SYN-05. A proposal under way belongs to the history, without its COMMIT.
#[test]
fn outstanding_proposals_are_forwarded_before_new_leader() {
    let mut host = Host::leader(directory(1, 1, 1));
    host.propose();
    host.connect(L2, 2, Epoch::ZERO);
    let done = host.receive(
        L2,
        Message::AckEpoch {
            zxid: zxid(1, 1),
            current: None,
        },
    );
    assert_eq!(
        done.sent(L2),
        [
            Message::Diff { zxid: zxid(1, 1) },
            entry(2, 1),
            new_leader(2)
        ]
    );
    // And so is what is proposed from now on.
    assert_eq!(host.propose().sent(L2), [entry(2, 2)]);
}

// spec: QP-SYN-05. An observer gets what is committed.
#[test]
fn observers_get_no_outstanding_proposals() {
    let mut host = Host::leader(directory(1, 1, 1));
    host.propose();
    host.observe(L4, 4, Epoch::ZERO);
    let done = host.receive(
        L4,
        Message::AckEpoch {
            zxid: zxid(1, 1),
            current: None,
        },
    );
    assert_eq!(
        done.sent(L4),
        [Message::Diff { zxid: zxid(1, 1) }, new_leader(2)]
    );
    assert!(host.propose().sent(L4).is_empty());
}

// spec: QP-INT-03.
#[test]
fn commits_wait_from_new_leader_to_up_to_date() {
    let mut host = Host::leader(directory(1, 1, 1));
    host.propose();
    host.connect(L2, 2, Epoch::ZERO);
    host.receive(
        L2,
        Message::AckEpoch {
            zxid: zxid(1, 1),
            current: None,
        },
    );
    host.sync();
    let done = host.receive(L1, ack(2, 1));
    assert_eq!(done.sent(L1), [commit(2, 1)]);
    assert!(done.sent(L2).is_empty());
    let done = host.receive(L2, ack(2, 0));
    assert_eq!(done.sent(L2), [Message::UpToDate, commit(2, 1)]);
}

// spec: QP-ZAB-09, QP-ZAB-20, QP-ZAB-21.
#[test]
fn the_epoch_is_established_by_a_quorum_that_includes_the_leaders_disk() {
    let mut host = Host::ready(3, directory(1, 1, 2));
    host.elect(3);
    host.connect(L1, 1, Epoch::ZERO);
    host.sync();
    host.receive(
        L1,
        Message::AckEpoch {
            zxid: zxid(1, 1),
            current: Some(Epoch(1)),
        },
    );
    let done = host.receive(L1, ack(2, 0));
    assert!(done.delivered().is_empty() && done.sent(L1).is_empty());
    assert_eq!(host.peer.next_zxid(), None);
    let done = host.sync();
    assert_eq!(done.delivered(), [zxid(1, 1), zxid(1, 2)]);
    assert!(done.reports(Report::Established { epoch: Epoch(2) }));
    assert_eq!(done.sent(L1), [Message::UpToDate]);
    assert_eq!(host.peer.next_zxid(), Some(zxid(2, 1)));
}

// spec: QP-SYN-19, QP-DEF-15. Some Java followers acknowledge a proposal first.
#[test]
fn an_early_ack_of_a_proposal_is_not_that_of_new_leader() {
    let mut host = Host::leader(directory(1, 1, 1));
    host.propose();
    host.connect(L2, 2, Epoch::ZERO);
    host.receive(
        L2,
        Message::AckEpoch {
            zxid: zxid(1, 1),
            current: None,
        },
    );
    host.sync();
    let done = host.receive(L2, ack(2, 1));
    assert!(done.closed().is_empty() && done.delivered().is_empty() && done.sent(L2).is_empty());
    // With NEWLEADER adopted it counts.
    assert_eq!(host.receive(L2, ack(2, 0)).delivered(), [zxid(2, 1)]);
}

// spec: QP-DEF-41.
#[test]
fn pings_begin_with_the_ack_of_new_leader() {
    let mut host = Host::ready(3, directory(1, 1, 1));
    host.elect(3);
    host.connect(L1, 1, Epoch::ZERO);
    host.sync();
    host.receive(
        L1,
        Message::AckEpoch {
            zxid: zxid(1, 1),
            current: Some(Epoch(1)),
        },
    );
    assert!(host.expire(Timer::Ping).sent(L1).is_empty());
    host.receive(L1, ack(2, 0));
    let ping = Message::Ping {
        zxid: zxid(1, 1),
        sessions: None,
    };
    assert_eq!(host.expire(Timer::Ping).sent(L1), [ping]);
}

// A learner's own reports are no acks: what they name may be cut away.
#[test]
fn what_a_learner_reports_is_not_counted_as_acknowledged() {
    let mut host = Host::leader(directory(1, 1, 1));
    host.propose();
    host.sync();
    let done = host.join(L2, 2, zxid(2, 1));
    assert!(done.sent(L2).contains(&Message::Trunc { zxid: zxid(1, 1) }));
    assert!(done.delivered().is_empty());
    assert_eq!(host.receive(L2, ack(2, 1)).delivered(), [zxid(2, 1)]);
}

// spec: QP-BC-19, QP-DEF-24. Votes speak of what is durable.
#[test]
fn no_election_before_the_writes_of_the_role_are_done() {
    let (mut host, _) = Host::start(three(3), directory(1, 1, 1));
    host.hear(1, zab::ServerState::Looking, 1, (3, 1, zxid(1, 1)));
    host.expire(Timer::Finalize);
    let done = host.connect(L1, 1, Epoch::ZERO);
    assert_eq!(done.writes(), [Write::AcceptedEpoch(Epoch(2))]);
    let done = host.expire(Timer::Init);
    assert!(done.looks() && done.notified().is_empty());
    assert!(host.expire(Timer::Notify).0.is_empty());
    let vote = (2, 1, zxid(1, 1));
    let heard = host.hear(2, zab::ServerState::Looking, 1, vote);
    assert!(heard.0.is_empty());
    let done = host.sync();
    assert_eq!(done.notified().len(), 2);
    assert!(done.sent(L1).is_empty());
}
