use alloc::vec;
use alloc::vec::Vec;

use zab::{Epoch, ServerId, Zxid};

use crate::{
    Established, Fact, Ghosts, IdSet, Phase, Primary, Removal, Role, ServerView, Txn, View,
    broken_by,
};

/// An ensemble that owns what views borrow: server 1 leads epoch 2, server 2 follows it, server 3 is down.
#[derive(Clone)]
struct Sample {
    issued: [Vec<Txn<u8>>; 3],
    durable: [Vec<Txn<u8>>; 3],
    delivered: [Vec<Txn<u8>>; 3],
    beyond: [Vec<Txn<u8>>; 3],
    roles: [Role; 3],
    epochs: [i64; 3],
    accepted: [i64; 3],
    current: [i64; 3],
    cache_is_whole: bool,
    ghosts: Ghosts<u8>,
}

fn txn(epoch: i64, counter: u32) -> Txn<u8> {
    Txn {
        zxid: Zxid::new(Epoch(epoch), counter),
        value: (epoch * 10) as u8 + counter as u8,
    }
}

impl Sample {
    fn good() -> Self {
        let history = vec![txn(1, 1), txn(2, 1), txn(2, 2)];
        let ghosts = Ghosts {
            primaries: vec![
                Primary {
                    epoch: Epoch(1),
                    server: ServerId(3),
                    txns: vec![txn(1, 1)],
                    delivered_before: 0,
                },
                Primary {
                    epoch: Epoch(2),
                    server: ServerId(1),
                    txns: vec![txn(2, 1), txn(2, 2)],
                    delivered_before: 1,
                },
            ],
            decided: history[..2].to_vec(),
            established: vec![
                Established {
                    epoch: Epoch(1),
                    leader: ServerId(3),
                    initial: vec![],
                },
                Established {
                    epoch: Epoch(2),
                    leader: ServerId(1),
                    initial: vec![txn(1, 1)],
                },
            ],
            acked: vec![txn(1, 1)],
            promised: vec![],
            broken: IdSet::default(),
        };
        Self {
            issued: [
                history.clone(),
                history[..2].to_vec(),
                history[..1].to_vec(),
            ],
            durable: [
                history[..2].to_vec(),
                history[..2].to_vec(),
                history[..1].to_vec(),
            ],
            delivered: [history[..2].to_vec(), history[..1].to_vec(), vec![]],
            roles: [Role::Leading, Role::Following(ServerId(1)), Role::Looking],
            epochs: [2, 2, 0],
            accepted: [2, 2, 1],
            current: [2, 2, 1],
            // Server 1 has it in its log, and to server 3 it is committed.
            beyond: [vec![txn(2, 2)], vec![], vec![txn(2, 1)]],
            cache_is_whole: true,
            ghosts,
        }
    }

    fn with<R>(&self, look: impl FnOnce(&View<'_, u8>) -> R) -> R {
        let servers: Vec<_> = (0..3)
            .map(|index| ServerView {
                id: ServerId(index as i64 + 1),
                up: self.epochs[index] != 0,
                role: self.roles[index],
                phase: Phase::Broadcast,
                epoch: Some(Epoch(self.epochs[index])),
                accepted: Epoch(self.accepted[index]),
                current: Epoch(self.current[index]),
                issued: &self.issued[index],
                durable: &self.durable[index],
                delivered: &self.delivered[index],
                beyond: &self.beyond[index],
                cache_is_whole: self.cache_is_whole,
                wiped: false,
            })
            .collect();
        let quorum = |mask: u32| mask.count_ones() >= 2;
        look(&View {
            servers: &servers,
            ghosts: &self.ghosts,
            quorum: &quorum,
        })
    }

    fn violated(&self) -> Vec<&'static str> {
        let all = super::all::<u8>();
        self.with(|view| {
            all.iter()
                .filter(|it| it.state.is_some_and(|holds| !holds(view)))
                .map(|it| it.id)
                .collect()
        })
    }

    fn broken_by(&self, fact: &Fact<'_, u8>) -> Vec<&'static str> {
        let all = super::all::<u8>();
        let broken = self.with(|view| broken_by(&all, view, fact));
        all.iter()
            .filter(|it| broken.contains(it.number))
            .map(|it| it.id)
            .collect()
    }
}

fn spoiled(spoil: impl FnOnce(&mut Sample)) -> Vec<&'static str> {
    let mut sample = Sample::good();
    spoil(&mut sample);
    sample.violated()
}

#[test]
fn a_good_ensemble_violates_nothing() {
    assert_eq!(Sample::good().violated(), Vec::<&str>::new());
}

#[test]
fn ids_are_numbers_in_order() {
    for (invariant, number) in super::all::<u8>().iter().zip(1..) {
        assert_eq!(invariant.number, number);
        assert_eq!(invariant.id, alloc::format!("S{number}"));
        assert!(invariant.state.is_some() || invariant.step.is_some());
    }
    assert_eq!(super::all::<u8>().len(), 28);
}

/// Asserts that the spoiled sample violates this property, perhaps among others.
macro_rules! bites {
    ($($test:ident: $id:literal, $spoil:expr;)*) => {$(
        #[test]
        fn $test() {
            let violated = spoiled($spoil);
            assert!(violated.contains(&$id), "{} is not in {violated:?}", $id);
        }
    )*};
}

bites! {
    // spec: S1.
    s1_two_leaders_of_one_epoch: "S1", |it| it.roles[1] = Role::Leading;
    // spec: S2.
    s2_two_established: "S2", |it| it.ghosts.established.push(
        Established { epoch: Epoch(2), leader: ServerId(3), initial: vec![txn(1, 1)] });
    // spec: S3.
    s3_diverging_commits: "S3", |it| it.delivered[1] = vec![txn(2, 1)];
    // spec: S4.
    s4_delivered_out_of_nowhere: "S4", |it| it.delivered[1] = vec![Txn { zxid: txn(1, 1).zxid, value: 99 }];
    // spec: S5.
    s5_neither_has_the_others: "S5", |it| {
        it.delivered = [vec![txn(1, 1)], vec![txn(2, 1)], vec![]];
    };
    // spec: S6.
    s6_two_orders: "S6", |it| it.delivered[1] = vec![txn(2, 1), txn(1, 1)];
    // spec: S7.
    s7_skips_its_predecessor: "S7", |it| it.delivered[1] = vec![txn(1, 1), txn(2, 2)];
    // spec: S8.
    s8_epochs_fall: "S8", |it| it.delivered[0] = vec![txn(2, 1), txn(1, 1)];
    // spec: S9.
    s9_an_earlier_txn_is_decided_late: "S9", |it| it.ghosts.primaries[1].delivered_before = 0;
    // spec: S10.
    s10_initial_history_lost: "S10", |it| it.ghosts.established[0].initial = vec![txn(0, 1)];
    // spec: S11.
    s11_initial_history_not_delivered: "S11", |it| it.delivered[0] = vec![txn(2, 1)];
    // spec: S12.
    s12_unrelated_in_one_epoch: "S12", |it| it.issued[1] = vec![txn(1, 1), txn(1, 2)];
    // spec: S13.
    s13_follower_ahead_of_leader: "S13", |it| it.issued[1] = vec![txn(1, 1), txn(2, 1), txn(2, 2), txn(2, 3)];
    // spec: S14.
    s14_leader_lacks_a_commit: "S14", |it| it.issued[0] = vec![txn(1, 1)];
    // spec: S15.
    s15_a_minority_holds_it: "S15", |it| it.durable[1] = vec![txn(1, 1)];
    // spec: S17.
    s17_told_and_not_committed: "S17", |it| it.ghosts.acked.push(txn(2, 2));
    // spec: S18.
    s18_adopted_without_promise: "S18", |it| it.accepted[1] = 1;
    // spec: S21. An uncommitted txn in the tree of a server that never logged it.
    s21_tree_beyond_its_history: "S21", |it| it.beyond[1] = vec![txn(2, 2)];
    // spec: S23.
    s23_hole: "S23", |it| it.issued[1] = vec![txn(1, 1), txn(2, 2)];
    // spec: S23.
    s23_hole_in_the_cache: "S23", |it| it.cache_is_whole = false;
    // spec: S26.
    s26_counter_in_the_epoch: "S26", |it| it.ghosts.primaries[1].txns.push(txn(3, 0));
}

#[test]
fn good_facts_break_nothing() {
    let sample = Sample::good();
    let server = ServerId(2);
    let (one, three) = (txn(1, 1), txn(2, 2));
    let good = [
        Fact::Promised {
            server,
            leader: ServerId(1),
            epoch: Epoch(2),
            on_disk: Epoch(2),
        },
        Fact::Adopted {
            server,
            epoch: Epoch(2),
        },
        Fact::LogAcked {
            server,
            zxid: txn(2, 1).zxid,
        },
        Fact::NewLeaderAcked {
            server,
            epoch: Epoch(2),
        },
        Fact::Reported {
            server,
            last: txn(2, 1).zxid,
        },
        Fact::Removed {
            server,
            txns: core::slice::from_ref(&three),
            why: Removal::Truncated,
        },
        Fact::SyncStarts {
            server,
            after: txn(1, 1).zxid,
        },
        Fact::Delivered {
            server,
            txn: &one,
            index: 0,
        },
        Fact::Opened {
            server: ServerId(1),
            delivered: core::slice::from_ref(&one),
        },
    ];
    for fact in good {
        assert_eq!(sample.broken_by(&fact), Vec::<&str>::new(), "{fact:?}");
    }
}

#[test]
fn bad_facts_break_what_they_should() {
    let sample = Sample::good();
    let server = ServerId(2);
    let three = txn(2, 2);
    // The last of them is on no disk.
    let undurable = [txn(1, 1), txn(2, 1), txn(2, 2)];
    let epochs = |accepted, current| Fact::EpochsWritten {
        server,
        accepted_before: Epoch(2),
        current_before: Epoch(2),
        accepted: Epoch(accepted),
        current: Epoch(current),
    };
    let bad = [
        (
            "S16",
            Fact::Delivered {
                server,
                txn: &three,
                index: 1,
            },
        ),
        ("S18", epochs(1, 2)),
        ("S18", epochs(2, 1)),
        (
            "S19",
            Fact::Promised {
                server,
                leader: ServerId(1),
                epoch: Epoch(1),
                on_disk: Epoch(2),
            },
        ),
        (
            "S19",
            Fact::Adopted {
                server,
                epoch: Epoch(1),
            },
        ),
        (
            "S20",
            Fact::LogAcked {
                server,
                zxid: three.zxid,
            },
        ),
        (
            "S20",
            Fact::NewLeaderAcked {
                server,
                epoch: Epoch(3),
            },
        ),
        (
            "S21",
            Fact::Reported {
                server,
                last: three.zxid,
            },
        ),
        (
            "S22",
            Fact::Delivered {
                server,
                txn: &three,
                index: 2,
            },
        ),
        (
            "S23",
            Fact::SyncStarts {
                server,
                after: three.zxid,
            },
        ),
        (
            "S28",
            Fact::Confirmed {
                server,
                established: Epoch(9),
                acked: &[],
            },
        ),
        (
            "S28",
            Fact::Confirmed {
                server,
                established: Epoch(1),
                acked: &[txn(9, 1)],
            },
        ),
        ("S24", Fact::StaleInput { server }),
        ("S25", Fact::Fault),
        (
            "S27",
            Fact::Opened {
                server: ServerId(1),
                delivered: &undurable,
            },
        ),
    ];
    for (id, fact) in bad {
        assert!(sample.broken_by(&fact).contains(&id), "{id}: {fact:?}");
    }
}

// spec: S19. A promise that never reached the disk binds all the same.
#[test]
fn a_promise_binds_before_it_is_durable() {
    let mut sample = Sample::good();
    let promise = |leader, epoch| Fact::Promised {
        server: ServerId(2),
        leader: ServerId(leader),
        epoch: Epoch(epoch),
        on_disk: Epoch(2),
    };
    sample.ghosts.record(&promise(1, 4), IdSet::default());
    assert!(sample.broken_by(&promise(1, 4)).is_empty());
    assert!(sample.broken_by(&promise(1, 3)).contains(&"S19"));
    assert!(sample.broken_by(&promise(3, 4)).contains(&"S19"));
}
