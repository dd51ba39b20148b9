//! What a leader confirms before a read is answered.

use zab::{Config, Effect, Epoch, Event, LinkId, Message, ReadId, Reader, Timer};

use crate::broadcast::{PONG, leader};
use crate::host::{Host, L1, L2, L4, ack, commit, directory, id, zxid};

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
    ask(&mut host, 1);
    host.feed(Event::Disconnected { link: L1 });
    // This answers the ping of the round before.
    host.receive(L2, PONG);
    for confirms in [vec![], vec![ReadId(1)]] {
        let done = host.receive(L2, PONG);
        assert!(done.sent(L1).is_empty());
        assert_eq!(confirmed(&done.0), confirms);
    }
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
