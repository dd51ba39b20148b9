//! Servers that the driver has set up otherwise: read-only mode, throttles.

use std::time::{Duration, Instant};

use super::ensure;
use crate::engine::Stop;
use crate::engine::run::Run;
use crate::engine::session::{Handshake, PATIENCE, Session};
use crate::wire::link::Incoming;
use crate::wire::value::Value;

/// Ends two of three servers; the one left is the first.
fn end_the_quorum(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("w: connect on=1\nserver kill 2\nserver kill 3\nw: closed")
}

/// What the server left answers to a client that takes readOnly and asks for a new session.
fn ask_for_session(run: &Run<'_>) -> Result<Incoming, Stop> {
    let mut session = Session::default();
    session.dial(run.home)?;
    let handshake = Handshake {
        read_only: Value::Bool(true),
        ..Handshake::default()
    };
    session.link()?.send_frame(&handshake.encode());
    let answer = session.link()?.receive(Instant::now() + PATIENCE);
    session.cut();
    Ok(answer)
}

/// spec: CP-RO-03
pub(super) fn readonly_without_local_sessions(run: &mut Run<'_>) -> Result<(), Stop> {
    end_the_quorum(run)?;
    run.script("wait 60s 4lw isro -> text \"ro\"")?;
    match ask_for_session(run)? {
        Incoming::Closed { leftover: 0 } => Ok(()),
        // xid 0, the last zxid, NotReadOnly.
        Incoming::Frame(frame)
            if frame.len() == 16
                && frame.starts_with(&[0; 4])
                && frame.ends_with(&[255, 255, 255, 137]) =>
        {
            Ok(())
        }
        other => Err(Stop::Mismatch(format!("a session is answered {other:?}"))),
    }
}

/// spec: CP-RO-01. A read-only server would be there after two seconds; the time itself is what this case is about.
pub(super) fn readonly_not_enabled(run: &mut Run<'_>) -> Result<(), Stop> {
    end_the_quorum(run)?;
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        let answer = ask_for_session(run)?;
        ensure(matches!(answer, Incoming::Closed { leftover: 0 }), || {
            format!("without a quorum a session is answered {answer:?}")
        })?;
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// spec: CP-THR-05. How many wait too long is the server's speed; that each is answered, in order, and is done or not
/// done as its answer says, is the rule.
pub(super) fn throttled_requests(run: &mut Run<'_>) -> Result<(), Stop> {
    const REQUESTS: usize = 400;
    run.script("a: connect on=2\na: wait create ~/p -> ok")?;
    for _ in 0..REQUESTS {
        run.script("a: send create ~/p/n- flags=2")?;
    }
    let (mut done, mut throttled) = (0, 0);
    for _ in 0..REQUESTS {
        let reply = run.next_reply("a")?;
        match reply.err {
            0 => done += 1,
            -127 => throttled += 1,
            err => return Err(Stop::Mismatch(format!("a create is answered {err}"))),
        }
    }
    ensure(throttled > 0, || {
        format!("all {REQUESTS} requests sent together were done within the time that one may wait")
    })?;
    run.script(&format!("wait exists ~/p -> ok numChildren={done}"))
}

/// spec: CP-THR-02, CP-THR-03
pub(super) fn waiting_requests(run: &mut Run<'_>) -> Result<(), Stop> {
    const ROUNDS: usize = 100;
    run.script("a: connect on=2\na: create ~/p -> ok")?;
    for _ in 0..ROUNDS {
        run.script("a: send create ~/p/n- flags=2\na: send exists ~/p")?;
    }
    for at in 0..ROUNDS {
        run.script(&format!(
            "a: recv create -> ok path=~/p/n-{at:010}\na: recv exists -> ok numChildren={}",
            at + 1
        ))?;
    }
    Ok(())
}
