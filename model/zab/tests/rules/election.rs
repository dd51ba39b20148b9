use zab::ServerState::{Following, Leading, Looking, Observing};
use zab::{Config, Effect, Epoch, Group, Quorums, Report, RoleKind, Round, Ticks, Timer, Verifier};
use zab::{ServerId, Vote, Zxid};

use crate::host::{Host, directory, id, three, zxid};

fn start(own: i64, count: u32) -> Host {
    Host::start(three(own), directory(1, 1, count)).0
}

fn role(host: &Host) -> RoleKind {
    host.peer.status().role
}

// spec: QP-FLE-04, QP-FLE-05, QP-FLE-06, QP-FLE-11, QP-FLE-21.
#[test]
fn the_first_vote_is_for_itself_with_current_epoch_and_logged_zxid() {
    let (_, done) = Host::start(three(2), directory(7, 1, 3));
    let sent = done.notified();
    assert_eq!(sent.iter().map(|(to, _)| *to).collect::<Vec<_>>(), [1, 3]);
    let vote = Vote {
        epoch: Epoch(1),
        zxid: zxid(1, 3),
        leader: id(2),
    };
    assert!(
        sent.iter()
            .all(|(_, n)| n.vote == vote && n.round == Round(1) && n.state == Looking)
    );
    assert!(done.armed(Timer::Notify));
}

// spec: QP-FLE-10, QP-FLE-13.
#[test]
fn a_better_vote_is_taken_over_and_passed_on() {
    let mut host = start(2, 3);
    assert!(host.hear(1, Looking, 1, (1, 1, zxid(1, 2))).votes() == [(1, 2)]);
    assert_eq!(
        host.hear(3, Looking, 1, (3, 1, zxid(1, 3))).votes(),
        [(1, 3), (3, 3)]
    );
    // The current epoch outweighs any zxid.
    assert_eq!(
        host.hear(1, Looking, 1, (1, 2, zxid(1, 1))).votes(),
        [(1, 1), (3, 1)]
    );
}

// spec: QP-FLE-13.
#[test]
fn a_later_round_clears_the_votes_and_restarts_from_the_own_one() {
    let config = Config::new(id(2), (1..=5).map(ServerId));
    let (mut host, _) = Host::start(config, directory(1, 1, 3));
    host.hear(3, Looking, 1, (3, 1, zxid(1, 9)));
    assert_eq!(host.peer.status().vote.leader, id(3));
    let done = host.hear(1, Looking, 5, (1, 1, zxid(1, 1)));
    assert!(done.votes().contains(&(4, 2)));
    assert_eq!(host.peer.status().round, Round(5));
    // The same votes again: with that of round 1 they would be a quorum of three.
    assert!(
        !host
            .hear(4, Looking, 5, (3, 1, zxid(1, 9)))
            .armed(Timer::Finalize)
    );
    assert!(
        host.hear(5, Looking, 5, (3, 1, zxid(1, 9)))
            .armed(Timer::Finalize)
    );
}

// spec: QP-FLE-13, QP-FLE-19. Within a round settled votes are compared by leader alone, so those of an earlier round must
// be gone: here two from before the leader's epoch.
#[test]
fn settled_votes_of_an_earlier_round_prove_no_leader() {
    let config = Config::new(id(1), (1..=5).map(ServerId));
    let (mut host, _) = Host::start(config, directory(1, 1, 1));
    for from in [2, 4] {
        host.hear(from, Following, 1, (3, 4, zxid(3, 1)));
    }
    host.hear(5, Looking, 5, (5, 1, zxid(1, 1)));
    host.hear(3, Leading, 5, (3, 5, zxid(4, 1)));
    assert_eq!(role(&host), RoleKind::Looking);
}

// spec: QP-FLE-08, QP-FLE-13.
#[test]
fn an_earlier_round_is_answered_and_otherwise_ignored() {
    let mut host = start(2, 3);
    host.hear(1, Looking, 5, (1, 1, zxid(1, 1)));
    let done = host.hear(3, Looking, 4, (3, 9, zxid(1, 9)));
    assert_eq!(done.votes(), [(3, 2)]);
    assert_eq!(host.peer.status().vote.leader, id(2));
}

// spec: QP-FLE-14.
#[test]
fn a_quorum_waits_for_silence_and_a_better_vote_breaks_it() {
    let mut host = start(2, 3);
    assert!(
        host.hear(1, Looking, 1, (2, 1, zxid(1, 3)))
            .armed(Timer::Finalize)
    );
    let done = host.hear(3, Looking, 1, (3, 1, zxid(1, 4)));
    assert!(done.0.contains(&Effect::Disarm {
        timer: Timer::Finalize
    }));
    // Server 3 and this one are a quorum for 3.
    assert!(done.armed(Timer::Finalize));
    assert!(
        host.expire(Timer::Finalize)
            .reports(Report::Following { leader: id(3) })
    );
}

// spec: QP-FLE-14.
#[test]
fn a_worse_vote_prolongs_the_silence() {
    let mut host = start(3, 3);
    host.hear(1, Looking, 1, (3, 1, zxid(1, 3)));
    assert!(
        host.hear(2, Looking, 1, (2, 1, zxid(1, 1)))
            .armed(Timer::Finalize)
    );
    assert!(host.expire(Timer::Finalize).reports(Report::Leading));
}

// spec: QP-FLE-09, QP-FLE-14.
#[test]
fn its_own_vote_counts_once() {
    let mut host = start(2, 3);
    assert!(!host.expire(Timer::Finalize).reports(Report::Leading));
    assert!(
        !host
            .hear(2, Looking, 1, (2, 1, zxid(1, 3)))
            .armed(Timer::Finalize)
    );
}

// spec: QP-FLE-15.
#[test]
fn notifications_are_repeated_ever_more_slowly() {
    let mut host = start(2, 3);
    let mut waits = Vec::new();
    for _ in 0..10 {
        let done = host.expire(Timer::Notify);
        assert_eq!(done.votes(), [(1, 2), (3, 2)]);
        waits.extend(done.0.iter().filter_map(|effect| match effect {
            Effect::Arm {
                timer: Timer::Notify,
                after,
            } => Some(*after),
            _ => None,
        }));
    }
    assert_eq!(waits[..3], [Ticks(40), Ticks(80), Ticks(160)]);
    assert_eq!(waits[9], Ticks(6000));
}

// spec: QP-FLE-15. Who has a leader repeats nothing and waits for no better vote.
#[test]
fn an_election_takes_its_timers_along() {
    let mut host = start(1, 1);
    host.hear(3, Looking, 1, (3, 1, zxid(1, 1)));
    host.hear(2, Following, 7, (3, 4, zxid(3, 1)));
    let done = host.hear(3, Leading, 7, (3, 4, zxid(3, 1)));
    assert!(done.reports(Report::Following { leader: id(3) }));
    for timer in [Timer::Notify, Timer::Finalize] {
        assert!(done.0.contains(&Effect::Disarm { timer }));
    }
}

// spec: QP-FLE-12.
#[test]
fn votes_of_strangers_and_for_strangers_do_not_count() {
    let mut host = start(2, 3);
    assert!(
        !host
            .hear(9, Looking, 1, (2, 1, zxid(1, 3)))
            .armed(Timer::Finalize)
    );
    for (from, leader) in [(1, 9), (9, 3)] {
        let done = host.hear(from, Looking, 1, (leader, 5, zxid(5, 3)));
        assert!(done.votes().iter().all(|(_, vote)| *vote == 2));
    }
    assert_eq!(host.peer.status().vote.leader, id(2));
}

// spec: QP-FLE-16.
#[test]
fn observers_do_not_elect() {
    let mut host = start(2, 3);
    let done = host.hear(1, Observing, 1, (2, 1, zxid(1, 3)));
    assert!(!done.armed(Timer::Finalize) && done.votes().is_empty());
}

// spec: QP-FLE-17, QP-FLE-18, QP-FLE-22.
#[test]
fn it_joins_a_quorum_whose_leader_speaks_for_itself() {
    let mut host = start(1, 1);
    // Stale rounds do not matter: these servers settled long ago.
    let done = host.hear(2, Following, 7, (3, 4, zxid(3, 1)));
    assert_eq!(role(&host), RoleKind::Looking);
    assert!(done.votes().is_empty());
    let done = host.hear(3, Leading, 7, (3, 4, zxid(3, 1)));
    assert!(done.reports(Report::Following { leader: id(3) }));
    assert_eq!(host.peer.status().round, Round(7));
}

// spec: QP-FLE-18.
#[test]
fn followers_alone_do_not_prove_a_leader() {
    let config = Config::new(id(1), (1..=5).map(ServerId));
    let (mut host, _) = Host::start(config, directory(1, 1, 1));
    for from in [2, 3, 4] {
        host.hear(from, Following, 7, (5, 4, zxid(3, 1)));
    }
    assert_eq!(role(&host), RoleKind::Looking);
    host.hear(5, Leading, 7, (5, 4, zxid(3, 1)));
    assert_eq!(role(&host), RoleKind::Following);
}

// spec: QP-FLE-18. A quorum names it, and it is heard, but it does not say that it leads.
#[test]
fn nobody_joins_a_leader_that_does_not_say_so() {
    let mut host = start(1, 1);
    for from in [2, 3] {
        host.hear(from, Following, 7, (3, 4, zxid(3, 1)));
    }
    assert_eq!(role(&host), RoleKind::Looking);
}

// spec: QP-FLE-18. Others still follow what this server was before it restarted.
#[test]
fn it_does_not_lead_by_votes_of_another_round() {
    let mut host = start(3, 1);
    host.hear(1, Following, 7, (3, 1, zxid(1, 1)));
    host.hear(2, Following, 7, (3, 1, zxid(1, 1)));
    assert_eq!(role(&host), RoleKind::Looking);
}

// spec: QP-FLE-17, QP-FLE-19. In the same round votes of looking servers count too.
#[test]
fn a_leader_of_this_round_is_joined_with_the_votes_of_looking_servers() {
    let mut host = start(1, 3);
    host.hear(3, Looking, 1, (3, 1, zxid(1, 3)));
    assert_eq!(host.peer.status().vote.leader, id(3));
    let done = host.hear(3, Leading, 1, (3, 1, zxid(1, 3)));
    assert!(done.reports(Report::Following { leader: id(3) }));
}

// spec: QP-FLE-19. Leader and epoch must agree.
#[test]
fn settled_votes_of_two_epochs_make_no_quorum() {
    let mut host = start(1, 1);
    host.hear(2, Following, 7, (3, 4, zxid(3, 1)));
    host.hear(3, Leading, 8, (3, 5, zxid(4, 1)));
    assert_eq!(role(&host), RoleKind::Looking);
}

// spec: QP-FLE-17, QP-FLE-19. In the same round the leader alone must agree: one vote is from before its epoch, one after.
#[test]
fn settled_votes_of_this_round_need_one_leader_alone() {
    let mut host = start(1, 1);
    host.hear(2, Following, 1, (3, 4, zxid(3, 1)));
    let done = host.hear(3, Leading, 1, (3, 5, zxid(3, 1)));
    assert!(done.reports(Report::Following { leader: id(3) }));
}

// spec: QP-FLE-08.
#[test]
fn a_settled_server_answers_whoever_looks() {
    let mut host = start(1, 1);
    host.hear(2, Following, 7, (3, 4, zxid(3, 1)));
    host.hear(3, Leading, 7, (3, 4, zxid(3, 1)));
    let done = host.hear(2, Looking, 9, (2, 1, zxid(1, 1)));
    let (to, n) = done.notified()[0];
    assert_eq!((to, n.state, n.round), (2, Following, Round(7)));
    assert_eq!(
        n.vote,
        Vote {
            epoch: Epoch(4),
            zxid: zxid(3, 1),
            leader: id(3)
        }
    );
    assert!(
        host.hear(2, Following, 9, (3, 1, zxid(1, 1)))
            .notified()
            .is_empty()
    );
}

// spec: QP-FLE-08, QP-FLE-20. How an observer learns who leads, and nobody counts it.
#[test]
fn an_observer_is_answered_and_settles_by_the_voters_word() {
    let mut voter = start(1, 1);
    let done = voter.hear(9, Looking, 1, (i64::MIN, i64::MIN, Zxid::NONE));
    assert_eq!(done.votes(), [(9, 1)]);

    let (mut observer, done) = Host::start(three(9), directory(0, 0, 0));
    assert!(done.notified().iter().all(|(_, n)| n.vote == Vote::NONE));
    assert_eq!(done.notified().len(), 3);
    observer.hear(2, Following, 7, (3, 4, zxid(3, 1)));
    let done = observer.hear(3, Leading, 7, (3, 4, zxid(3, 1)));
    assert!(done.reports(Report::Observing { leader: id(3) }));
}

// Two that answer each other's answers would never stop.
#[test]
fn nobody_answers_an_observer_of_a_later_round_and_observers_answer_nobody() {
    let mut voter = start(1, 1);
    let vote = (i64::MIN, i64::MIN, Zxid::NONE);
    assert!(voter.hear(9, Looking, 5, vote).notified().is_empty());
    let (mut observer, _) = Host::start(three(9), directory(0, 0, 0));
    observer.hear(1, Looking, 5, (1, 1, zxid(1, 1)));
    assert!(
        observer
            .hear(2, Looking, 1, (2, 1, zxid(1, 1)))
            .votes()
            .is_empty()
    );
}

// spec: QP-FLE-10. A server that weighs nothing is never elected.
#[test]
fn a_vote_for_a_weightless_server_beats_nothing() {
    let group = |members: &[(i64, u64)]| Group {
        members: members
            .iter()
            .map(|(member, weight)| (id(*member), *weight))
            .collect(),
    };
    let groups = vec![group(&[(1, 1), (2, 1), (3, 0)])];
    let config = Config {
        quorums: Quorums::of(Verifier::Groups(groups)),
        ..three(1)
    };
    let (mut host, _) = Host::start(config, directory(1, 1, 1));
    host.hear(3, Looking, 1, (3, 9, zxid(9, 9)));
    assert_eq!(host.peer.status().vote.leader, id(1));
    host.hear(2, Looking, 1, (2, 1, zxid(1, 1)));
    assert_eq!(host.peer.status().vote.leader, id(2));
}

// spec: QP-DEF-24, DF-REC-05. An oracle has no more to say than votes had: nothing before the disk is at rest, and no
// leader that abstains.
#[test]
fn an_oracle_elects_nobody_that_votes_could_not() {
    let oracle = |own| Config {
        oracle: true,
        ..three(own)
    };
    let (mut host, done) = Host::start(oracle(1), directory(1, 0, 2));
    assert_eq!(done.writes().len(), 1);
    assert!(host.elect(3).0.is_empty());
    host.sync();
    assert!(host.elect(3).reports(Report::Following { leader: id(3) }));
    assert!(host.elect(1).0.is_empty());

    let (mut host, _) = Host::start(oracle(3), zab::Durable::wiped());
    assert!(host.elect(3).0.is_empty());
    assert!(host.elect(1).reports(Report::Following { leader: id(1) }));
}

// spec: QP-FLE-07. A late joiner counts voters by leader and epoch.
#[test]
fn the_final_vote_takes_the_new_epoch() {
    let follower = Host::follower(directory(1, 1, 1));
    assert_eq!(follower.peer.status().vote.epoch, Epoch(2));
    let leader = Host::leader(directory(1, 1, 1));
    assert_eq!(leader.peer.status().vote.epoch, Epoch(2));
}
