use alloc::vec::Vec;

use zab::{Epoch, ServerId, Zxid};

use super::{Ballot, Heard, Poll, Turn, Voter, Won, all, violated};
use crate::Role;

fn ballot(leader: i64) -> Ballot {
    Ballot {
        epoch: Epoch(1),
        zxid: Zxid::ZERO,
        leader: ServerId(leader),
    }
}

fn voter(id: i64, role: Role) -> Voter {
    Voter {
        id: ServerId(id),
        up: true,
        role,
        round: 1,
        ballot: ballot(3),
        epoch: None,
    }
}

fn heard(from: i64, role: Role, round: u64, leader: i64) -> Heard {
    Heard {
        from: ServerId(from),
        role,
        round,
        ballot: ballot(leader),
    }
}

fn voters() -> [Voter; 3] {
    [1, 2, 3].map(|id| voter(id, Role::Looking))
}

fn judge(voters: &[Voter], won: &[Won], turn: &Turn<'_>) -> Vec<u8> {
    let poll = Poll {
        voters,
        won,
        quorum: &|mask| mask.count_ones() >= 2,
    };
    let broken = all()
        .into_iter()
        .filter(|it| it.state.is_some_and(|holds| !holds(&poll)))
        .map(|it| it.number);
    broken.chain(violated(&all(), &poll, turn).iter()).collect()
}

fn settle<'a>(heard: &'a [Heard], first: &'a [Ballot], faultless: bool) -> Turn<'a> {
    let role = Role::Following(ServerId(3));
    Turn::Settled {
        server: ServerId(1),
        role,
        round: 1,
        ballot: ballot(3),
        own: true,
        heard,
        first,
        faultless,
    }
}

const FIRST: [i64; 3] = [1, 2, 3];

// spec: F1.
#[test]
fn f1_needs_a_quorum_of_one_round_or_a_settled_ensemble() {
    let first = FIRST.map(ballot);
    let own = heard(1, Role::Looking, 1, 3);
    let enough = [own, heard(3, Role::Looking, 1, 3)];
    let old_round = [own, heard(3, Role::Looking, 0, 3)];
    let joined = [
        own,
        heard(2, Role::Following(ServerId(3)), 7, 3),
        heard(3, Role::Leading, 7, 3),
    ];
    let leader_silent = [own, heard(2, Role::Following(ServerId(3)), 7, 3)];
    assert_eq!(judge(&voters(), &[], &settle(&enough, &first, true)), []);
    assert_eq!(judge(&voters(), &[], &settle(&joined, &first, true)), []);
    assert_eq!(
        judge(&voters(), &[], &settle(&old_round, &first, true)),
        [1]
    );
    assert_eq!(
        judge(&voters(), &[], &settle(&leader_silent, &first, true)),
        [1]
    );
    // It wanted something else before: then the leader's own word is needed, in the same round too.
    let of_this_round = [own, heard(2, Role::Following(ServerId(3)), 1, 3)];
    let Turn::Settled {
        server,
        role,
        round,
        ballot,
        heard,
        first,
        faultless,
        ..
    } = settle(&of_this_round, &first, true)
    else {
        return;
    };
    let taken_over = Turn::Settled {
        own: false,
        server,
        role,
        round,
        ballot,
        heard,
        first,
        faultless,
    };
    assert_eq!(judge(&voters(), &[], &taken_over), [1]);
}

// spec: F2.
#[test]
fn f2_votes_and_rounds_do_not_fall() {
    let before = voter(1, Role::Looking);
    let worse = Voter {
        ballot: ballot(2),
        ..before
    };
    let next_round = Voter { round: 2, ..worse };
    let older = Voter { round: 0, ..before };
    let turn = |after, counted| Turn::Voted {
        before,
        after,
        counted,
    };
    assert_eq!(judge(&voters(), &[], &turn(next_round, &[2])), []);
    assert_eq!(judge(&voters(), &[], &turn(worse, &[1])), [2]);
    assert_eq!(judge(&voters(), &[], &turn(older, &[0])), [2]);
    assert_eq!(judge(&voters(), &[], &turn(next_round, &[2, 1])), [2]);
}

// spec: F3.
#[test]
fn f3_the_elected_is_the_maximum_of_a_quorum() {
    let enough = [heard(1, Role::Looking, 1, 3), heard(2, Role::Looking, 1, 3)];
    let outvoted = [1, 4, 5].map(ballot);
    assert_eq!(
        judge(&voters(), &[], &settle(&enough, &FIRST.map(ballot), true)),
        []
    );
    assert_eq!(
        judge(&voters(), &[], &settle(&enough, &outvoted, true)),
        [3]
    );
    assert_eq!(
        judge(&voters(), &[], &settle(&enough, &outvoted, false)),
        []
    );
}

// spec: F4.
#[test]
fn f4_leaders_of_one_round_share_evidence() {
    let won = |leader, evidence| Won {
        round: 1,
        leader: ServerId(leader),
        evidence,
    };
    let turn = ended(3, Role::Leading);
    assert_eq!(judge(&voters(), &[won(1, 0b011), won(3, 0b110)], &turn), []);
    assert_eq!(
        judge(&voters(), &[won(1, 0b001), won(3, 0b110)], &turn),
        [4]
    );
}

// spec: F5.
#[test]
fn f5_a_settled_vote_names_leader_and_epoch() {
    let turn = ended(3, Role::Leading);
    let mut voters = voters();
    voters[0] = Voter {
        epoch: Some(Epoch(1)),
        ..voter(1, Role::Following(ServerId(3)))
    };
    assert_eq!(judge(&voters, &[], &turn), []);
    voters[0].epoch = Some(Epoch(2));
    assert_eq!(judge(&voters, &[], &turn), [5]);
}

fn ended(server: i64, role: Role) -> Turn<'static> {
    Turn::Ended {
        server: ServerId(server),
        role,
        leader: ServerId(3),
    }
}

// spec: F6.
#[test]
fn f6_a_joiner_ends_as_follower() {
    let judged = |server, role| judge(&voters(), &[], &ended(server, role));
    assert_eq!(judged(1, Role::Following(ServerId(3))), []);
    assert_eq!(judged(1, Role::Looking), [6]);
    assert_eq!(judged(1, Role::Following(ServerId(2))), [6]);
}

// spec: F6. One of them leads, and it is the one that led; nobody leads if the ensemble is lost.
#[test]
fn f6_the_leader_alone_ends_leading() {
    let judged = |server, role| judge(&voters(), &[], &ended(server, role));
    assert_eq!(judged(3, Role::Leading), []);
    assert_eq!(judged(2, Role::Leading), [6]);
    assert_eq!(judged(3, Role::Looking), [6]);
    assert_eq!(judged(3, Role::Following(ServerId(2))), [6]);
}
