use alloc::vec;
use alloc::vec::Vec;

use super::{Answer, Call, Entry, History, Node, Replica, Request, Told, Verdict, all};

fn node(value: u8, version: u32, changed: u32) -> Node {
    Node {
        value,
        version,
        changed,
        owner: None,
    }
}

/// Two sessions on two replicas: session 0 sets X once, session 1 syncs and reads it with a watch, 0 sets it again.
fn good() -> History {
    let initial = [(0, node(0, 0, 0)), (1, node(0, 0, 0))]
        .into_iter()
        .collect();
    let set = |version| Request::Set {
        key: 0,
        value: 5,
        version: Some(version),
    };
    let call = |session, xid, request, after, answer| Call {
        session,
        xid,
        request,
        after,
        answer: Some(answer),
    };
    let entry = |xid, version, via| Entry {
        session: 0,
        xid: Some(xid),
        request: set(version),
        verdict: Verdict::Done,
        via,
        owner: via,
        touched: true,
    };
    let tree: super::Tree = [(0, node(5, 2, 2)), (1, node(0, 0, 0))]
        .into_iter()
        .collect();
    let replica = Replica { applied: 2, tree };
    History {
        initial,
        calls: vec![
            call(
                0,
                1,
                set(0),
                0b000,
                Answer::Wrote {
                    at: 1,
                    verdict: Verdict::Done,
                },
            ),
            call(1, 1, Request::Sync, 0b001, Answer::Synced { at: 1 }),
            call(
                1,
                2,
                Request::Read {
                    key: 0,
                    watch: true,
                },
                0b011,
                Answer::Saw {
                    at: 1,
                    node: Some(node(5, 1, 1)),
                },
            ),
            call(
                0,
                2,
                set(1),
                0b111,
                Answer::Wrote {
                    at: 2,
                    verdict: Verdict::Done,
                },
            ),
            call(
                0,
                3,
                Request::Read {
                    key: 0,
                    watch: false,
                },
                0b1111,
                Answer::Saw {
                    at: 2,
                    node: Some(node(5, 2, 2)),
                },
            ),
            call(
                1,
                3,
                Request::Read {
                    key: 0,
                    watch: false,
                },
                0b11111,
                Answer::Saw {
                    at: 2,
                    node: Some(node(5, 2, 2)),
                },
            ),
        ],
        log: vec![entry(1, 0, 0), entry(2, 1, 0)],
        told: [
            (
                0,
                vec![
                    Told::Reply { call: 0 },
                    Told::Reply { call: 3 },
                    Told::Reply { call: 4 },
                ],
            ),
            (
                1,
                vec![
                    Told::Reply { call: 1 },
                    Told::Reply { call: 2 },
                    Told::Changed { key: 0, at: 2 },
                    Told::Reply { call: 5 },
                ],
            ),
        ]
        .into_iter()
        .collect(),
        replicas: vec![replica.clone(), replica],
    }
}

fn spoiled(spoil: impl FnOnce(&mut History)) -> Vec<&'static str> {
    let mut history = good();
    spoil(&mut history);
    all()
        .into_iter()
        .filter(|it| !(it.holds)(&history))
        .map(|it| it.id)
        .collect()
}

#[test]
fn a_good_history_violates_nothing() {
    assert_eq!(spoiled(|_| ()), Vec::<&str>::new());
}

macro_rules! bites {
    ($($test:ident: $id:literal, $spoil:expr;)*) => {$(
        #[test]
        fn $test() {
            let violated = spoiled($spoil);
            assert!(violated.contains(&$id), "{} is not in {violated:?}", $id);
        }
    )*};
}

fn saw(at: u32) -> Option<Answer> {
    Some(Answer::Saw { at, node: None })
}

bites! {
    // spec: K1.
    k1_a_wrong_verdict: "K1", |it| it.log[1].verdict = Verdict::BadVersion;
    // spec: K1.
    k1_before_what_was_answered: "K1", |it| {
        it.log.swap(0, 1);
        it.calls[0].answer = Some(Answer::Wrote { at: 2, verdict: Verdict::Done });
        it.calls[3].answer = Some(Answer::Wrote { at: 1, verdict: Verdict::Done });
    };
    // spec: K2.
    k2_answers_out_of_order: "K2", |it| { it.told.entry(1).or_default().swap(0, 1); };
    // spec: K3.
    k3_back_in_time: "K3", |it| it.calls[5].answer = saw(0);
    // spec: K4.
    k4_misses_own_write: "K4", |it| it.calls[4].answer = saw(1);
    // spec: K5.
    k5_stale_after_sync: "K5", |it| it.calls[2].answer = saw(0);
    // spec: K6.
    k6_through_the_old_server: "K6", |it| it.log[1].via = 1;
    // spec: K7.
    k7_lives_on: "K7", |it| it.log[0].request = Request::Close;
    // spec: K8.
    k8_outlives: "K8", |it| {
        it.log[1].request = Request::Close;
        it.replicas[0].tree.insert(2, Node { owner: Some(0), ..node(1, 0, 1) });
    };
    // spec: K9.
    k9_read_before_event: "K9", |it| { it.told.entry(1).or_default().swap(2, 3); };
    // spec: K9.
    k9_fires_twice: "K9", |it| { it.told.entry(1).or_default().push(Told::Changed { key: 0, at: 2 }); };
    // spec: K10.
    k10_half_a_multi: "K10", |it| it.log[1].request = Request::Multi(vec![(0, 5), (1, 5)]);
}
