//! Events and the replies around them.

use super::ensure;
use crate::engine::Stop;
use crate::engine::run::Run;
use crate::engine::session::Received;
use crate::wire::reply::Message;

/// spec: CP-WAT-32, CP-WAT-15
pub(super) fn exists_watch_event_comes_first(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script(
        "exists ~/x watch=true -> NoNode\nsend create ~/x\nevent created ~/x\nrecv create -> ok\nquiet",
    )
}

/// spec: CP-JUT-02
pub(super) fn any_byte_is_true(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("create ~/a\ngetData ~/a watch=255\nsend setData ~/a x\nevent changed ~/a\nrecv setData -> ok")
}

/// spec: CP-WAT-32. Another session changes the data while this one keeps
/// reading: once a reply shows the new version, the event must have come.
pub(super) fn event_before_new_data(run: &mut Run<'_>) -> Result<(), Stop> {
    const ROUNDS: i64 = 40;
    run.script("create ~/a\nb: ping")?;
    for round in 0..ROUNDS {
        run.script(
            "getData ~/a watch=true -> ok version=?v\nsend getData ~/a\nb: send setData ~/a x",
        )?;
        read_until(run, round + 1)?;
        run.script("b: recv setData -> ok")?;
    }
    Ok(())
}

/// Reads on until a reply shows `version`; the event must come before it.
fn read_until(run: &mut Run<'_>, version: i64) -> Result<(), Stop> {
    // Each read is a round trip; the write that it looks for is one as well.
    const READS: usize = 10_000;
    let mut told = false;
    for _ in 0..READS {
        match run.next("a")? {
            Received::Message {
                message: Message::Event(_),
                ..
            } => {
                ensure(!told, || "one watch gave two events".into())?;
                told = true;
            }
            Received::Message {
                message: Message::Reply(reply),
                ..
            } => {
                let field = reply.fields.iter().find(|field| field.name == "version");
                let shown = field.and_then(|field| field.value.int());
                if shown == Some(version) {
                    return ensure(told, || "new data came before the event about it".into());
                }
                run.script("send getData ~/a")?;
            }
            other => {
                return Err(Stop::Mismatch(format!(
                    "expected an event or a reply, found {other:?}"
                )));
            }
        }
    }
    Err(Stop::Mismatch(format!(
        "{READS} reads do not show version {version}"
    )))
}

/// spec: CP-WAT-34, CP-WAT-35. After each event a read arms the watch again; the
/// versions so seen must end with the last one written.
pub(super) fn rearmed_watch_misses_nothing(run: &mut Run<'_>) -> Result<(), Stop> {
    const WRITES: usize = 50;
    run.script("create ~/a\ngetData ~/a watch=true\nb: ping")?;
    for _ in 0..WRITES {
        run.script("b: send setData ~/a x")?;
    }
    let mut seen = 0;
    while seen < WRITES {
        run.script("event changed ~/a\nsend getData ~/a watch=true")?;
        let reply = match run.next("a")? {
            Received::Message {
                message: Message::Reply(reply),
                ..
            } => reply,
            other => {
                return Err(Stop::Mismatch(format!(
                    "expected the reply, found {other:?}"
                )));
            }
        };
        let version = reply.fields.iter().find(|field| field.name == "version");
        let version = version.and_then(|field| field.value.int());
        let version = usize::try_from(version.unwrap_or_default()).unwrap_or_default();
        ensure(version > seen, || {
            format!("version {version} after an event past {seen}")
        })?;
        seen = version;
    }
    for _ in 0..WRITES {
        run.script("b: recv setData -> ok")?;
    }
    run.script("quiet")
}
