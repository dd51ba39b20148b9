//! Decodes what a server sends after the handshake.

use super::codes::{error_name, event_name};
use super::jute::{In, JuteError};
use super::ops::{self, Op};
use super::value::{Kind, Value};
use std::fmt;

/// A decoded field with its name and wire type.
#[derive(Debug, Clone, PartialEq)]
pub struct Named {
    pub name: &'static str,
    pub kind: Kind,
    pub value: Value,
}

/// One result of a multi or multiRead.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The type in the item's header; −1 for an error.
    pub code: i32,
    /// The error in the item's header.
    pub err: i32,
    /// The record, or the error record as a field `recordErr`.
    pub fields: Vec<Named>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    pub xid: i32,
    pub zxid: i64,
    pub err: i32,
    /// Payload length in bytes, header included.
    pub length: usize,
    pub fields: Vec<Named>,
    pub items: Vec<Item>,
    /// Why the body is not what the operation's record says.
    pub problem: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub zxid: i64,
    pub err: i32,
    pub kind: i32,
    pub state: i32,
    pub path: Value,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    Reply(Reply),
    Event(Event),
    /// Shorter than a reply header, or an event that does not decode.
    Garbage(String),
}

/// Decodes one frame. `pending` finds the operation that a reply's xid answers.
pub fn decode<'a>(frame: &[u8], pending: impl Fn(i32) -> Option<&'a Op>) -> Message {
    let mut from = In::new(frame);
    let header = (|| Ok::<_, JuteError>((from.int()?, from.long()?, from.int()?)))();
    let (xid, zxid, err) = match header {
        Ok(header) => header,
        Err(error) => return Message::Garbage(format!("no reply header: {error}")),
    };
    if xid == -1 && pending(xid).is_none() {
        return event(zxid, err, from);
    }
    let mut reply = Reply {
        xid,
        zxid,
        err,
        length: frame.len(),
        fields: Vec::new(),
        items: Vec::new(),
        problem: None,
    };
    match pending(xid) {
        Some(op) => body(op, &mut reply, from),
        None => reply.problem = Some(format!("no request with xid {xid} is waiting")),
    }
    Message::Reply(reply)
}

fn event(zxid: i64, err: i32, mut from: In<'_>) -> Message {
    let record = (|| {
        let (kind, state) = (from.int()?, from.int()?);
        Ok::<_, JuteError>((kind, state, Value::decode(Kind::Str, &mut from)?))
    })();
    match record {
        Ok((kind, state, path)) => Message::Event(Event {
            zxid,
            err,
            kind,
            state,
            path,
        }),
        Err(error) => Message::Garbage(format!("event does not decode: {error}")),
    }
}

fn body(op: &Op, reply: &mut Reply, mut from: In<'_>) {
    // A failed SASL step carries a null token; every other error has no body.
    if reply.err != 0 && op.name != "sasl" {
        if !from.rest().is_empty() {
            reply.problem = Some(format!("{} bytes after an error header", from.rest().len()));
        }
        return;
    }
    let decoded = if matches!(op.name, "multi" | "multiRead") {
        items(&mut from).map(|items| reply.items = items)
    } else {
        record(op.response, &mut from).map(|fields| reply.fields = fields)
    };
    if let Err(error) = decoded {
        reply.problem = Some(format!("the body of {} does not decode: {error}", op.name));
    } else if !from.rest().is_empty() {
        let extra = from.rest().len();
        reply.problem = Some(format!("{extra} bytes after the body of {}", op.name));
    }
}

fn record(fields: &'static [ops::Field], from: &mut In<'_>) -> Result<Vec<Named>, JuteError> {
    let decode = |(name, kind): &(&'static str, Kind)| {
        Ok(Named {
            name,
            kind: *kind,
            value: Value::decode(*kind, from)?,
        })
    };
    fields.iter().map(decode).collect()
}

fn items(from: &mut In<'_>) -> Result<Vec<Item>, JuteError> {
    let mut items = Vec::new();
    loop {
        let (code, done, err) = (from.int()?, from.bool()?, from.int()?);
        if done {
            return Ok(items);
        }
        let fields = match ops::by_code(code) {
            Some(op) if code != -1 => record(op.response, from)?,
            _ => record(&[("recordErr", Kind::Int)], from)?,
        };
        items.push(Item { code, err, fields });
    }
}

impl Item {
    pub fn op_name(&self) -> String {
        ops::by_code(self.code).map_or_else(|| self.code.to_string(), |op| op.name.to_owned())
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{} err={}", self.op_name(), error_name(self.err))?;
        self.fields
            .iter()
            .try_for_each(|field| write!(f, " {field}"))?;
        f.write_str("}")
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Message::Reply(reply) => {
                let err = error_name(reply.err);
                write!(f, "reply xid={} zxid={:#x} {err}", reply.xid, reply.zxid)?;
                reply
                    .fields
                    .iter()
                    .try_for_each(|field| write!(f, " {field}"))?;
                reply
                    .items
                    .iter()
                    .try_for_each(|item| write!(f, " {item}"))?;
                match &reply.problem {
                    Some(problem) => write!(f, " (malformed: {problem})"),
                    None => Ok(()),
                }
            }
            Message::Event(event) => write!(
                f,
                "event {} {} zxid={} state={}",
                event_name(event.kind),
                event.path,
                event.zxid,
                event.state
            ),
            Message::Garbage(why) => write!(f, "garbage: {why}"),
        }
    }
}
