//! What a server answers, with times, session ids and zxids replaced by names
//! that do not depend on the server.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::Stop;
use crate::engine::run::Run;
use crate::engine::session::Received;
use crate::script::step::{Action, Step};
use crate::wire::codes::{error_name, event_name};
use crate::wire::ops;
use crate::wire::reply::{Event, Item, Message, Named, Reply};
use crate::wire::value::Value;

/// Patience for one answer: a server that says nothing for so long differs from
/// one that answers.
const PATIENCE: Duration = Duration::from_secs(10);

/// How an event shows the zxid of a txn, and none.
const A_TXN: &str = " zxid a txn";
const NO_ZXID: &str = " zxid -1";

/// Names given so far. Sessions are called by the script's names.
pub struct Names {
    root: String,
    zxids: BTreeMap<i64, usize>,
    owners: BTreeMap<i64, String>,
}

impl Names {
    pub fn new(root: &str) -> Names {
        Names {
            root: root.to_owned(),
            zxids: BTreeMap::new(),
            owners: BTreeMap::new(),
        }
    }

    /// The n-th write of the sequence is `#n`; other zxids have no name.
    fn zxid(&self, zxid: i64) -> String {
        match (zxid, self.zxids.get(&zxid)) {
            (i64::MIN..=0, _) => zxid.to_string(),
            (_, Some(number)) => format!("#{number}"),
            (_, None) => "other".into(),
        }
    }

    fn owner(&self, id: i64) -> String {
        match (id, self.owners.get(&id)) {
            (0, _) => "0".into(),
            (_, Some(name)) => name.clone(),
            (_, None) => format!("{id:#x}"),
        }
    }
}

/// Does `step` and says what came of it on every session.
pub fn step(run: &mut Run<'_>, names: &mut Names, step: &Step) -> Result<String, Stop> {
    let name = step.session.as_str();
    let mut text = match &step.action {
        Action::Call(request, _) => {
            let connected = run
                .sessions
                .get(name)
                .is_none_or(|session| session.link.is_some());
            if !connected {
                return Ok("no connection".into());
            }
            connect_first(run, names, name)?;
            run.send(name, request)?;
            answer(run, names, name)?
        }
        Action::Connect { .. } | Action::Drop => {
            let done = run.steps(std::slice::from_ref(step));
            note_owner(run, names, name);
            match done {
                Ok(()) => "ok".into(),
                Err(Stop::Mismatch(_)) => "refused".into(),
                Err(stop) => return Err(stop),
            }
        }
        _ => return Err(Stop::Harness(format!("not a request: {}", step.text))),
    };
    for events in barriers(run, names)? {
        text.push_str(&events);
    }
    Ok(text.replace(&names.root, "~"))
}

fn connect_first(run: &mut Run<'_>, names: &mut Names, name: &str) -> Result<(), Stop> {
    run.session(name)?;
    note_owner(run, names, name);
    Ok(())
}

fn note_owner(run: &Run<'_>, names: &mut Names, name: &str) {
    if let Some(session) = run.sessions.get(name) {
        let label = format!("session {name}");
        names.owners.entry(session.id).or_insert(label);
    }
}

/// Reads until the answer to the request just sent.
fn answer(run: &mut Run<'_>, names: &mut Names, name: &str) -> Result<String, Stop> {
    let session = run.session(name)?;
    let op = session.oldest().map(|(_, op)| op);
    let mut events = Vec::new();
    loop {
        match run.session(name)?.receive(Instant::now() + PATIENCE)? {
            Received::Message {
                message: Message::Event(event),
                ..
            } => {
                events.push(show_event(names, &event));
            }
            Received::Message {
                message: Message::Reply(reply),
                ..
            } => {
                // spec: CP-PRE-03. Whether a malformed write consumes a zxid is the server's own.
                let writes = op.is_some_and(is_write) && reply.err != -5;
                if writes {
                    let next = names.zxids.len();
                    names.zxids.entry(reply.zxid).or_insert(next);
                }
                // spec: CP-EPH-04. A closed session's ephemerals go in an order of the server's own.
                if op.is_some_and(|op| op.name == "closeSession") {
                    events.sort();
                }
                events.push(show_reply(names, &reply, writes));
                return Ok(events.concat());
            }
            Received::Message {
                message: Message::Garbage(why),
                ..
            } => {
                return Ok(format!("{} garbage: {why}", events.concat()));
            }
            Received::Closed { .. } => {
                run.session(name)?.cut();
                return Ok(format!("{} closed", events.concat()));
            }
            Received::Silence => return Ok(format!("{} nothing", events.concat())),
        }
    }
}

/// spec: CP-OP-34, CP-WAT-32. A ping on every session: what comes before its
/// answer belongs to the step.
fn barriers(run: &mut Run<'_>, names: &Names) -> Result<Vec<String>, Stop> {
    let ping = ops::by_name("ping").ok_or_else(|| Stop::Harness("no ping".into()))?;
    let mut texts = Vec::new();
    let sessions: Vec<String> = run.sessions.keys().cloned().collect();
    for name in sessions {
        let Some(session) = run.sessions.get_mut(&name) else {
            continue;
        };
        if session.link.is_none() {
            continue;
        }
        session.send(-2, ping, &[])?;
        let mut events = Vec::new();
        loop {
            match session.receive(Instant::now() + PATIENCE)? {
                Received::Message {
                    message: Message::Event(event),
                    ..
                } => {
                    events.push(show_event(names, &event));
                }
                Received::Message {
                    message: Message::Reply(reply),
                    ..
                } if reply.xid == -2 => break,
                Received::Message { message, .. } => events.push(format!(" unexpected {message}")),
                Received::Closed { .. } => {
                    session.cut();
                    events.push(" closed".into());
                    break;
                }
                Received::Silence => {
                    events.push(" nothing".into());
                    break;
                }
            }
        }
        // spec: CP-EPH-04. As above.
        events.sort();
        if !events.is_empty() {
            texts.push(format!("; {name}:{}", events.concat()));
        }
    }
    Ok(texts)
}

fn is_write(op: &ops::Op) -> bool {
    matches!(
        op.name,
        "create"
            | "create2"
            | "createContainer"
            | "createTTL"
            | "delete"
            | "setData"
            | "setACL"
            | "multi"
            | "closeSession"
    )
}

fn show_event(names: &Names, event: &Event) -> String {
    let zxid = names.zxid(event.zxid);
    // A write's own event comes before its reply gives the zxid a name.
    let zxid = if zxid.starts_with('#') || zxid == "other" {
        A_TXN.to_owned()
    } else {
        format!(" zxid {zxid}")
    };
    format!(" [{} {}{zxid}]", event_name(event.kind), event.path)
}

/// What `text` would be if its events carried no zxid.
pub fn events_without_zxid(text: &str) -> String {
    text.replace(A_TXN, NO_ZXID)
}

fn show_reply(names: &Names, reply: &Reply, write: bool) -> String {
    let mut text = error_name(reply.err);
    if write {
        text = format!("{text} zxid={}", names.zxid(reply.zxid));
    }
    for field in &reply.fields {
        text = format!("{text} {}", show_field(names, field));
    }
    for item in &reply.items {
        text = format!("{text} {}", show_item(names, item));
    }
    match &reply.problem {
        Some(problem) => format!("{text} malformed: {problem}"),
        None => text,
    }
}

fn show_item(names: &Names, item: &Item) -> String {
    let fields: Vec<String> = item
        .fields
        .iter()
        .map(|field| show_field(names, field))
        .collect();
    format!(
        "{{{} {} {}}}",
        item.op_name(),
        error_name(item.err),
        fields.join(" ")
    )
}

fn show_field(names: &Names, field: &Named) -> String {
    let number = field.value.int().unwrap_or_default();
    let value = match (field.name, &field.value) {
        ("czxid" | "mzxid" | "pzxid", _) => names.zxid(number),
        ("ctime" | "mtime", _) => {
            if number > 0 {
                "time".into()
            } else {
                number.to_string()
            }
        }
        ("ephemeralOwner", _) => names.owner(number),
        (_, Value::List(items)) => {
            let mut texts: Vec<String> = items.iter().map(Value::to_string).collect();
            texts.sort();
            format!("[{}]", texts.join(","))
        }
        (_, value) => value.to_string(),
    };
    format!("{}={value}", field.name)
}
