//! Clean traces pass, and each way of damaging one is refused for its own reason.
// spec: zab-model section 12.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod world;

use world::World;
use zab::trace::{Digest, Line};
use zab::{
    Effect, Event, Message, Notification, Round, ServerId, ServerState, Timer, Vote, WriteId,
};
use zab_checker::trace::{Kind, Problem, Summary, validate};

/// Two epochs, a killed leader that comes back, txns in both.
fn world() -> World {
    let mut world = World::elected();
    for text in ["a", "b", "c"] {
        world.propose(text);
    }
    world.settle();
    let leader = world.leader().unwrap();
    world.kill(leader);
    world.settle();
    world.propose("d");
    world.settle();
    world.start(leader);
    world.settle();
    world.propose("e");
    world.settle();
    world
}

fn judged(world: &World) -> Result<Summary, Problem> {
    let folder = tempfile::tempdir().unwrap();
    validate(&world.files(folder.path()), true)
}

fn refused(world: &World, kind: Kind, says: &str) -> Problem {
    let problem = judged(world).unwrap_err();
    assert_eq!(problem.kind, kind, "{problem}");
    assert!(problem.what.contains(says), "{problem}");
    assert!(problem.place.line > 0, "{problem}");
    problem
}

fn renumber(lines: &mut [Line<Digest>]) {
    for (seq, line) in (0..).zip(lines) {
        line.seq = seq;
    }
}

#[test]
fn a_clean_trace_passes() {
    let summary = judged(&world()).unwrap();
    assert_eq!((summary.starts, summary.restarts), (4, 1));
    assert_eq!((summary.proposed, summary.decided), (5, 5));
    assert_eq!(summary.established, 2);
    assert!(summary.messages > 50 && summary.judged);
}

#[test]
fn a_torn_last_line_never_happened() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::elected();
    world.kill(0);
    let files = world.files(folder.path());
    let text = std::fs::read_to_string(&files[0]).unwrap();
    std::fs::write(&files[0], text + "{\"seq\":99,\"no").unwrap();
    assert_eq!(validate(&files, true).unwrap().torn, 1);
}

#[test]
fn a_changed_output_is_refused() {
    let mut world = world();
    let leader = world.leader().unwrap();
    let lines = &mut world.runs[leader].lines;
    let line = lines.iter_mut().rfind(|line| {
        let effects = line.effects.as_deref().unwrap_or_default();
        effects
            .iter()
            .any(|it| matches!(it, Effect::Deliver { .. }))
    });
    line.unwrap().effects.as_mut().unwrap().pop();
    refused(&world, Kind::Output, "recorded is nothing more");
}

#[test]
fn a_changed_state_is_refused() {
    let mut world = world();
    let other = world.runs[1].lines[0].h;
    world.runs[1].lines[3].h = other;
    refused(&world, Kind::State, "recorded is");
}

#[test]
fn a_reordered_message_is_refused() {
    let mut world = World::elected();
    let leader = world.leader().unwrap();
    world.propose("a");
    world.propose("b");
    world.settle();
    let follower = (leader + 1) % 3;
    let received = world.received(follower);
    let proposals: Vec<usize> = received
        .iter()
        .filter(|(_, message)| matches!(message, Message::Proposal(_)))
        .map(|(place, _)| *place)
        .collect();
    let lines = &mut world.runs[follower].lines;
    let (first, second) = (
        lines[proposals[0]].event.clone(),
        lines[proposals[1]].event.clone(),
    );
    (lines[proposals[0]].event, lines[proposals[1]].event) = (second, first);
    refused(&world, Kind::Link, "it overtook 1 others");
}

#[test]
fn a_dropped_line_is_refused_even_if_the_rest_is_renumbered() {
    let mut world = world();
    let follower = 0;
    let place = (world.received(follower).iter())
        .find(|(_, message)| matches!(message, Message::Proposal(_)))
        .unwrap()
        .0;
    world.runs[follower].lines.remove(place);
    refused(&world, Kind::Gap, "follows line");
    renumber(&mut world.runs[follower].lines);
    let problem = judged(&world).unwrap_err();
    assert!(
        matches!(problem.kind, Kind::Link | Kind::Output | Kind::Disk),
        "{problem}"
    );
}

/// What is missing and not missed was a notification that a newer one may replace, or had no effect that a later event
/// does not have as well: a completed write before another.
#[test]
fn no_line_of_consequence_can_be_missing() {
    let (whole, mut missed) = (world(), 0);
    for run in 0..whole.runs.len() {
        for place in 1..whole.runs[run].lines.len() - 1 {
            let mut world = world();
            let lines = &mut world.runs[run].lines;
            let line = lines.remove(place);
            let replaced = matches!(line.event, Some(Event::Notified { .. }));
            let idle = replaced || line.effects == Some(Vec::new());
            renumber(lines);
            let judged = judged(&world);
            assert!(judged.is_err() || idle, "run {run}: {line:?}");
            missed += usize::from(judged.is_err());
        }
    }
    assert!(missed > 100, "{missed}");
}

#[test]
fn a_lost_start_is_refused() {
    let mut world = world();
    let last = world.runs.len() - 1;
    let node = world.runs[last].node;
    world.runs.retain(|run| run.node != node || run.inc > 1);
    refused(&world, Kind::Gap, "start 2 of server");
}

#[test]
fn a_forged_ack_is_refused() {
    let mut world = World::elected();
    let leader = world.leader().unwrap();
    world.propose("a");
    // The core takes it, as it must: it looks like any other.
    let ack = Event::Received {
        link: world.link(leader, (leader + 1) % 3),
        message: Message::Ack {
            zxid: world.last(leader),
        },
    };
    world.forge(leader, ack);
    world.kill((leader + 1) % 3);
    world.settle();
    refused(&world, Kind::Link, "never sent it");
}

#[test]
fn a_forged_notification_is_refused() {
    let mut world = World::elected();
    let notification = Notification {
        state: ServerState::Looking,
        vote: Vote::NONE,
        round: Round(77),
        version: 2,
        config: 0,
    };
    let from = ServerId(2);
    world.forge(0, Event::Notified { from, notification });
    refused(&world, Kind::Notification, "never sent");
}

#[test]
fn a_disk_that_completes_what_was_not_asked_for_is_refused() {
    let mut world = world();
    let place = world.runs[0]
        .lines
        .iter()
        .position(|line| matches!(line.event, Some(Event::Persisted { .. })));
    world.runs[0].lines[place.unwrap()].event = Some(Event::Persisted {
        through: WriteId(99),
    });
    refused(&world, Kind::Disk, "no such write");
}

#[test]
fn a_disk_that_forgets_is_refused() {
    let mut world = World::elected();
    world.propose("a");
    world.settle();
    world.kill(0);
    world.lose_last_txn(0);
    world.start(0);
    world.settle();
    refused(&world, Kind::Restart, "durable were 0x100000001");
}

#[test]
fn a_timer_that_is_not_armed_is_refused() {
    let mut world = World::elected();
    world.forge(
        0,
        Event::Expired {
            timer: Timer::Finalize,
        },
    );
    refused(&world, Kind::Timer, "not armed");
}

#[test]
fn a_message_after_the_end_of_its_link_is_refused() {
    let mut world = World::elected();
    let leader = world.leader().unwrap();
    let follower = (leader + 1) % 3;
    let link = world.link(leader, follower);
    world.kill(follower);
    world.settle();
    let message = Message::Ack {
        zxid: world.last(leader),
    };
    world.forge(leader, Event::Received { link, message });
    refused(&world, Kind::Link, "after the link's end");
}

#[test]
fn a_member_without_a_trace_is_missed() {
    let mut world = world();
    world.runs.retain(|run| run.node != ServerId(2));
    let problem = judged(&world).unwrap_err();
    assert_eq!(problem.kind, Kind::Format);
    assert!(problem.what.contains("server 2 is a member"), "{problem}");
}

#[test]
fn another_core_is_refused() {
    let mut world = world();
    let start = world.runs[0].lines[0].start.as_mut().unwrap();
    start.version = "0.0.0".to_owned();
    refused(&world, Kind::Format, "recorded by core 0.0.0");
}
