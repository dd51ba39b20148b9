//! One run of one case.

use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::cluster::{Cluster, locate};
use super::session::{Handshake, PATIENCE, PROMPT, Received, Session, connect_response};
use super::transcript::{Mark, Transcript, hex};
use super::{Stop, expect};
use crate::script::eval::Vars;
use crate::script::parse;
use crate::script::step::{
    Action, ConnectExpect, Cut, EventExpect, Expect, Plain, Request, Step, What, WordsExpect,
};
use crate::script::token::Token;
use crate::wire::codes::event_name;
use crate::wire::jute::Out;
use crate::wire::link::{Incoming, Link};
use crate::wire::ops::{self, Op};
use crate::wire::reply::{Message, Named, Reply};
use crate::wire::value::{Kind, Value};

/// Pause between two tries of a `wait`.
const POLL: Duration = Duration::from_millis(20);

/// What cases run against.
#[derive(Debug)]
pub struct Target {
    pub servers: Vec<SocketAddr>,
    /// Present when a driver file was given.
    pub cluster: Option<Mutex<Cluster>>,
}

/// A request ready to send.
struct Encoded {
    op: Option<&'static Op>,
    code: i32,
    body: Vec<u8>,
    /// For the transcript.
    shown: String,
}

pub struct Run<'a> {
    pub target: &'a Target,
    /// The server of sessions that do not name one.
    pub home: SocketAddr,
    pub vars: Vars,
    pub sessions: BTreeMap<String, Session>,
    pub transcript: Transcript,
    /// Steps that held only in a form other than Apache's.
    pub nonstrict: Vec<String>,
}

impl<'a> Run<'a> {
    pub fn new(target: &'a Target, home: SocketAddr, root: String) -> Run<'a> {
        Run {
            target,
            home,
            vars: Vars {
                root,
                ..Vars::default()
            },
            sessions: BTreeMap::new(),
            transcript: Transcript::default(),
            nonstrict: Vec::new(),
        }
    }

    /// Parses and runs `text`. For cases written in Rust.
    pub fn script(&mut self, text: &str) -> Result<(), Stop> {
        self.steps(&parse::script(text)?)
    }

    pub fn steps(&mut self, steps: &[Step]) -> Result<(), Stop> {
        for step in steps {
            self.transcript.add(Mark::Step, &step.text);
            self.action(&step.session, &step.action)
                .map_err(|stop| match stop {
                    Stop::Mismatch(why) => {
                        Stop::Mismatch(format!("{why} (line {}: {})", step.line, step.text))
                    }
                    Stop::Harness(why) => {
                        Stop::Harness(format!("{why} (line {}: {})", step.line, step.text))
                    }
                    other => other,
                })?;
        }
        Ok(())
    }

    /// Closes every session that still has a connection. Never fails: whether
    /// closing works has its own cases.
    pub fn finish(&mut self) {
        for session in self.sessions.values_mut() {
            if session.link.is_some() {
                let xid = session.take_xid();
                if let Some(close) = ops::by_name("closeSession")
                    && session.send(xid, close, &[]).is_ok()
                {
                    let deadline = Instant::now() + Duration::from_secs(2);
                    while let Ok(Received::Message { .. }) = session.receive(deadline) {}
                }
                session.cut();
            }
        }
    }

    fn action(&mut self, name: &str, action: &Action) -> Result<(), Stop> {
        match action {
            Action::Connect {
                resume,
                args,
                expect,
            } => self.connect(name, *resume, args, expect),
            Action::Call(request, expects) if request.cut == Some(Cut::Each) => {
                self.each_cut(name, request, expects)
            }
            Action::Call(request, expects) => {
                self.send(name, request)?;
                self.receive(name, expects)
            }
            Action::Send(request) => self.send(name, request),
            Action::Receive(expects) => self.receive(name, expects),
            Action::Event(event) => self.event(name, event),
            Action::Quiet => self.quiet(name),
            Action::Closed => self.closed(name),
            Action::Drop => {
                self.session(name)?.cut();
                Ok(())
            }
            Action::Raw { bytes, framed } => self.raw(name, bytes, *framed),
            Action::Wait { bound, action } => self.wait(name, *bound, action),
            Action::Let { name, value } => {
                let value = self.any_value(value)?;
                self.vars.values.insert(name.clone(), value);
                Ok(())
            }
            Action::Verify {
                left,
                compare,
                right,
            } => {
                let found = self.any_value(left)?;
                let kind = if found.int().is_some() {
                    Kind::Long
                } else {
                    Kind::Str
                };
                if self.vars.check(kind, &found, *compare, right)? {
                    return Ok(());
                }
                let wanted = self.vars.show(kind, right);
                Err(Stop::Mismatch(format!(
                    "{found} is not {} {wanted}",
                    compare.sign()
                )))
            }
            Action::Words { word, expect } => self.words(word, expect),
            Action::Server { verb, who } => self.server(verb, who),
            Action::Probe => self.probe(),
        }
    }

    /// Sends the request with each shorter body in turn; each has the same answer.
    fn each_cut(&mut self, name: &str, request: &Request, expects: &[Expect]) -> Result<(), Stop> {
        let mut request = request.clone();
        request.cut = None;
        let length = i64::try_from(self.encode(&request)?.body.len()).unwrap_or(i64::MAX);
        for kept in 0..length {
            request.cut = Some(Cut::At(kept));
            self.send(name, &request)?;
            self.receive(name, expects)?;
        }
        Ok(())
    }

    fn any_value(&self, token: &Token) -> Result<Value, String> {
        match self.vars.number(&token.raw) {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => self.vars.text(token),
        }
    }

    /// The named session, connected on first use.
    pub fn session(&mut self, name: &str) -> Result<&mut Session, Stop> {
        if !self.sessions.contains_key(name) {
            self.connect(name, false, &[], &ConnectExpect::Accepted(Vec::new()))?;
        }
        self.sessions
            .get_mut(name)
            .ok_or_else(|| Stop::Harness(format!("no session {name}")))
    }

    fn connect(
        &mut self,
        name: &str,
        resume: bool,
        args: &[(String, Token)],
        expected: &ConnectExpect,
    ) -> Result<(), Stop> {
        let (address, handshake) = self.handshake(name, resume, args)?;
        let session = self.sessions.entry(name.to_owned()).or_default();
        session.dial(address)?;
        let bytes = handshake.encode();
        session.link()?.send_frame(&bytes);
        self.transcript.add(
            Mark::Sent,
            format!(
                "{name}: connect to {address} zxid={:#x} timeout={} id={:#x} passwd={} readOnly={}",
                handshake.zxid,
                handshake.timeout,
                handshake.id,
                handshake.passwd,
                handshake.read_only
            ),
        );
        let patience = match expected {
            ConnectExpect::Closed => PROMPT,
            ConnectExpect::Accepted(_) | ConnectExpect::Invalid(_) => PATIENCE,
        };
        let incoming = self
            .session(name)?
            .link()?
            .receive(Instant::now() + patience);
        self.connect_answer(name, incoming, expected)
    }

    /// Reads the ConnectResponse on a connection that sent its request by hand.
    pub fn read_connect(&mut self, name: &str) -> Result<(), Stop> {
        let incoming = self
            .session(name)?
            .link()?
            .receive(Instant::now() + PATIENCE);
        self.connect_answer(name, incoming, &ConnectExpect::Accepted(Vec::new()))
    }

    /// Reads the answer to an auth packet sent by hand.
    pub fn expect_auth(&mut self, name: &str) -> Result<(), Stop> {
        match self.next(name)? {
            Received::Message {
                message: Message::Reply(reply),
                ..
            } if reply.xid == -4 && reply.err == 0 => Ok(()),
            other => Err(Stop::Mismatch(format!(
                "expected the answer to an auth packet, found {other:?}"
            ))),
        }
    }

    fn handshake(
        &mut self,
        name: &str,
        resume: bool,
        args: &[(String, Token)],
    ) -> Result<(SocketAddr, Handshake), Stop> {
        let mut handshake = Handshake::default();
        let mut address = self.home;
        if let Some(session) = self.sessions.get(name) {
            address = session.address.unwrap_or(address);
            if resume {
                handshake.id = session.id;
                handshake.passwd = Value::Bytes(session.passwd.clone());
                handshake.zxid = session.zxid;
                handshake.timeout = session.timeout_ms;
            }
        }
        for (field, token) in args {
            match field.as_str() {
                "version" => handshake.version = self.vars.number(&token.raw)?,
                "zxid" => handshake.zxid = self.vars.number(&token.raw)?,
                "timeout" => handshake.timeout = self.vars.number(&token.raw)?,
                "id" => handshake.id = self.vars.number(&token.raw)?,
                "passwd" => handshake.passwd = self.vars.value(Kind::Buf, token)?,
                "ro" => handshake.read_only = self.vars.value(Kind::Bool, token)?,
                "on" => address = self.server_address(token)?,
                _ => return Err(Stop::Harness(format!("connect knows no {field}"))),
            }
        }
        Ok((address, handshake))
    }

    fn connect_answer(
        &mut self,
        name: &str,
        incoming: Incoming,
        expected: &ConnectExpect,
    ) -> Result<(), Stop> {
        let fields = match incoming {
            Incoming::Closed { leftover: 0 } => {
                self.transcript
                    .add(Mark::Received, format!("{name}: closed"));
                self.session(name)?.cut();
                return match expected {
                    ConnectExpect::Closed => Ok(()),
                    _ => Err(Stop::Mismatch(
                        "the server closed without a ConnectResponse".into(),
                    )),
                };
            }
            Incoming::Frame(frame) => {
                let fields = connect_response(&frame).map_err(Stop::Mismatch)?;
                let shown: Vec<String> = fields.iter().map(Named::to_string).collect();
                self.transcript.add(
                    Mark::Received,
                    format!("{name}: connected {}", shown.join(" ")),
                );
                fields
            }
            other => return Err(Stop::Mismatch(format!("no ConnectResponse: {other:?}"))),
        };
        let timeout = fields
            .iter()
            .find(|field| field.name == "timeOut")
            .and_then(|field| field.value.int());
        let accepted = timeout.is_some_and(|timeout| timeout > 0);
        let checks = match (expected, accepted) {
            (ConnectExpect::Accepted(checks), true) => {
                self.session(name)?.adopt(&fields);
                checks
            }
            (ConnectExpect::Invalid(checks), false) => checks,
            (ConnectExpect::Accepted(_), false) => {
                return Err(Stop::Mismatch("the session was refused as invalid".into()));
            }
            (ConnectExpect::Invalid(_), true) => {
                return Err(Stop::Mismatch(
                    "the session was accepted, not refused".into(),
                ));
            }
            (ConnectExpect::Closed, _) => {
                return Err(Stop::Mismatch(
                    "the server answered instead of closing".into(),
                ));
            }
        };
        self.bind_session(name);
        match expect::checks(&mut self.vars, &fields, checks)? {
            Some(problem) => Err(Stop::Mismatch(problem)),
            None if accepted => Ok(()),
            None => self.closed(name),
        }
    }

    /// `$a.id` and so on, for the steps that follow.
    fn bind_session(&mut self, name: &str) {
        let Some(session) = self.sessions.get(name) else {
            return;
        };
        let values = [
            ("id", Value::Int(session.id)),
            ("passwd", Value::Bytes(session.passwd.clone())),
            ("timeout", Value::Int(session.timeout_ms)),
            ("zxid", Value::Int(session.zxid)),
        ];
        for (field, value) in values {
            self.vars.values.insert(format!("{name}.{field}"), value);
        }
    }

    fn encode(&self, request: &Request) -> Result<Encoded, Stop> {
        let mut encoded = match &request.what {
            What::Plain(plain) => self.encode_plain(plain)?,
            What::Multi { op, parts } => {
                let mut out = Out::default();
                let mut shown = op.name.to_owned();
                for part in parts {
                    let part = self.encode_plain(part)?;
                    multi_header(&mut out, part.code, false);
                    out.0.extend_from_slice(&part.body);
                    shown = format!("{shown} {{{}}}", part.shown);
                }
                multi_header(&mut out, -1, true);
                Encoded {
                    op: Some(*op),
                    code: op.code,
                    body: out.0,
                    shown,
                }
            }
            What::Other { code, body } => Encoded {
                op: None,
                code: *code,
                body: body.clone(),
                shown: format!("op {code} {}", hex(body, 40)),
            },
        };
        let body = &mut encoded.body;
        if let Some(Cut::At(cut)) = request.cut {
            let length = i64::try_from(body.len()).unwrap_or(i64::MAX);
            let keep = if cut < 0 { length + cut } else { cut };
            body.truncate(usize::try_from(keep).unwrap_or_default());
            encoded.shown = format!("{} (body cut to {} bytes)", encoded.shown, body.len());
        }
        if !request.extra.is_empty() {
            body.extend_from_slice(&request.extra);
            encoded.shown = format!("{} (then {})", encoded.shown, hex(&request.extra, 40));
        }
        Ok(encoded)
    }

    fn encode_plain(&self, plain: &Plain) -> Result<Encoded, Stop> {
        let op = plain.op;
        let mut values: Vec<Value> = op
            .request
            .iter()
            .map(|field| op.default_of(*field))
            .collect();
        for (index, token) in &plain.args {
            let Some((_, kind)) = op.request.get(*index) else {
                continue;
            };
            if let Some(slot) = values.get_mut(*index) {
                *slot = self.vars.value(*kind, token)?;
            }
        }
        let mut out = Out::default();
        op.encode(&values, &mut out);
        let fields: Vec<String> = op
            .request
            .iter()
            .zip(&values)
            .map(|((name, _), value)| format!(" {name}={value}"))
            .collect();
        Ok(Encoded {
            op: Some(op),
            code: op.code,
            body: out.0,
            shown: format!("{}{}", op.name, fields.concat()),
        })
    }

    pub fn send(&mut self, name: &str, request: &Request) -> Result<(), Stop> {
        self.session(name)?;
        let Encoded {
            op,
            code,
            body,
            shown,
        } = self.encode(request)?;
        let given = match &request.xid {
            Some(token) => Some(self.vars.number(&token.raw)? as i32),
            None => None,
        };
        let session = self.session(name)?;
        let xid = given
            .or_else(|| op.and_then(Op::reserved_xid))
            .unwrap_or_else(|| session.take_xid());
        match op {
            Some(op) => session.send(xid, op, &body)?,
            None => session.send_other(xid, code, &body)?,
        }
        self.transcript
            .add(Mark::Sent, format!("{name}: xid={xid} {shown}"));
        Ok(())
    }

    /// The next message of a session, noted in the transcript.
    pub fn next(&mut self, name: &str) -> Result<Received, Stop> {
        self.next_within(name, PATIENCE)
    }

    fn next_within(&mut self, name: &str, patience: Duration) -> Result<Received, Stop> {
        let received = self.session(name)?.receive(Instant::now() + patience)?;
        let mut note = |line: Arguments<'_>| {
            self.transcript
                .add(Mark::Received, format_args!("{name}: {line}"));
        };
        match &received {
            Received::Message { message, frame } => {
                note(format_args!("{message}   [{}]", hex(frame, 48)));
            }
            Received::Closed { leftover: 0 } => note(format_args!("closed")),
            Received::Closed { leftover } => {
                note(format_args!("closed after {leftover} bytes of a frame"));
            }
            Received::Silence => note(format_args!("nothing for {} s", patience.as_secs())),
        }
        Ok(received)
    }

    /// The answer to the oldest request; anything else is a mismatch.
    pub fn next_reply(&mut self, name: &str) -> Result<Reply, Stop> {
        let (xid, op) = self
            .session(name)?
            .oldest()
            .ok_or_else(|| Stop::Harness("no request waits for an answer".into()))?;
        match self.next(name)? {
            Received::Message {
                message: Message::Reply(reply),
                ..
            } if reply.xid == xid => Ok(reply),
            Received::Message {
                message: Message::Reply(reply),
                ..
            } => Err(Stop::Mismatch(format!(
                "expected the reply to xid {xid}, found xid {}",
                reply.xid
            ))),
            Received::Message { message, .. } => Err(Stop::Mismatch(format!(
                "expected a reply to {}, found {message}",
                op.name
            ))),
            Received::Closed { .. } => Err(Stop::Mismatch(format!(
                "the server closed instead of answering {}",
                op.name
            ))),
            Received::Silence => Err(Stop::Mismatch(format!("no answer to {}", op.name))),
        }
    }

    fn receive(&mut self, name: &str, expects: &[Expect]) -> Result<(), Stop> {
        let op = self.session(name)?.oldest();
        let reply = self.next_reply(name)?;
        self.bind_session(name);
        match expect::reply(&mut self.vars, &reply, expects) {
            Ok(0) => Ok(()),
            Ok(index) => {
                let accepted = expects.get(index).map(|expect| expect.text.clone());
                self.nonstrict.push(accepted.unwrap_or_default());
                Ok(())
            }
            // −6 where nothing expects it: the operation is missing, which is another
            // outcome than doing it wrong.
            Err(Stop::Mismatch(_)) if reply.err == -6 => {
                let op = op.map_or("an operation", |(_, op)| op.name);
                Err(Stop::Unimplemented(op.to_owned()))
            }
            Err(stop) => Err(stop),
        }
    }

    fn event(&mut self, name: &str, expected: &EventExpect) -> Result<(), Stop> {
        let wanted = format!(
            "{} {}",
            event_name(expected.kind),
            self.vars.show(Kind::Str, &expected.path)
        );
        let event = match self.next(name)? {
            Received::Message {
                message: Message::Event(event),
                ..
            } => event,
            Received::Message { message, .. } => {
                return Err(Stop::Mismatch(format!(
                    "expected event {wanted}, found {message}"
                )));
            }
            other => {
                return Err(Stop::Mismatch(format!(
                    "expected event {wanted}, found {other:?}"
                )));
            }
        };
        let right_path = self.vars.check(
            Kind::Str,
            &event.path,
            crate::script::token::Compare::Equal,
            &expected.path,
        )?;
        if event.kind != expected.kind || !right_path {
            let found = format!("{} {}", event_name(event.kind), event.path);
            return Err(Stop::Mismatch(format!(
                "expected event {wanted}, found {found}"
            )));
        }
        // spec: CP-WAT-30. State 3 and err 0 are the same for every event.
        if event.state != 3 || event.err != 0 {
            let (state, err) = (event.state, event.err);
            return Err(Stop::Mismatch(format!(
                "the event has state {state} and err {err}"
            )));
        }
        let zxid = Named {
            name: "zxid",
            kind: Kind::Long,
            value: Value::Int(event.zxid),
        };
        match expect::checks(&mut self.vars, &[zxid], &expected.checks)? {
            None => Ok(()),
            Some(problem) => Err(Stop::Mismatch(problem)),
        }
    }

    /// spec: CP-OP-34. Pings travel behind earlier requests and events, so what
    /// is not there when the ping's answer comes was not sent.
    fn quiet(&mut self, name: &str) -> Result<(), Stop> {
        let session = self.session(name)?;
        if let Some((xid, op)) = session.oldest() {
            return Err(Stop::Harness(format!(
                "{} (xid {xid}) is not answered yet",
                op.name
            )));
        }
        let ping = ops::by_name("ping").ok_or_else(|| Stop::Harness("no ping".into()))?;
        session.send(-2, ping, &[])?;
        self.transcript.add(Mark::Sent, format!("{name}: ping"));
        match self.next(name)? {
            Received::Message {
                message: Message::Reply(reply),
                ..
            } if reply.xid == -2 => Ok(()),
            Received::Message { message, .. } => {
                Err(Stop::Mismatch(format!("expected nothing, found {message}")))
            }
            other => Err(Stop::Mismatch(format!(
                "expected the answer to a ping, found {other:?}"
            ))),
        }
    }

    fn closed(&mut self, name: &str) -> Result<(), Stop> {
        let patience = match self.session(name)?.id {
            0 => PROMPT,
            _ => PATIENCE,
        };
        match self.next_within(name, patience)? {
            Received::Closed { leftover: 0 } => {
                self.session(name)?.cut();
                Ok(())
            }
            Received::Closed { leftover } => {
                Err(Stop::Mismatch(format!("{leftover} bytes before the close")))
            }
            Received::Silence => Err(Stop::Mismatch("the server did not close".into())),
            Received::Message { message, .. } => Err(Stop::Mismatch(format!(
                "expected the connection to close, found {message}"
            ))),
        }
    }

    fn raw(&mut self, name: &str, bytes: &[u8], framed: bool) -> Result<(), Stop> {
        if !self.sessions.contains_key(name) {
            // Bytes before any handshake are the point of these steps.
            let mut session = Session::default();
            session.dial(self.home)?;
            self.sessions.insert(name.to_owned(), session);
        }
        let link = self.session(name)?.link()?;
        if framed {
            link.send_frame(bytes);
        } else {
            link.send_raw(bytes);
        }
        self.transcript
            .add(Mark::Sent, format!("{name}: bytes {}", hex(bytes, 64)));
        Ok(())
    }

    fn wait(&mut self, name: &str, bound: Duration, action: &Action) -> Result<(), Stop> {
        let deadline = Instant::now() + bound;
        let mark = self.transcript.len();
        loop {
            let stop = match self.action(name, action) {
                Ok(()) => return Ok(()),
                Err(stop) => stop,
            };
            let retry = matches!(&stop, Stop::Mismatch(_))
                || matches!((&stop, action), (Stop::Harness(_), Action::Connect { .. }));
            if !retry || Instant::now() >= deadline {
                return Err(stop);
            }
            self.transcript.truncate(mark);
            std::thread::sleep(POLL);
        }
    }

    fn words(&mut self, word: &str, expected: &WordsExpect) -> Result<(), Stop> {
        let patience = match expected {
            WordsExpect::Nothing => PROMPT,
            WordsExpect::Exact(_) | WordsExpect::Lines(_) => PATIENCE,
        };
        let text = four_letters_within(self.home, word.as_bytes(), patience)?;
        self.transcript.add(Mark::Sent, format!("4lw {word:?}"));
        self.transcript
            .add(Mark::Received, format_args!("{text:?}"));
        if text.ends_with("is not executed because it is not in the whitelist.\n")
            && !matches!(expected, WordsExpect::Exact(exact) if exact.contains("whitelist"))
        {
            return Err(Stop::Precondition(format!(
                "{word} is not in the server's whitelist"
            )));
        }
        let problem = match expected {
            WordsExpect::Nothing if text.is_empty() => None,
            WordsExpect::Nothing => Some(format!("expected no answer, found {text:?}")),
            WordsExpect::Exact(exact) if *exact == text => None,
            WordsExpect::Exact(exact) => Some(format!("expected {exact:?}, found {text:?}")),
            WordsExpect::Lines(patterns) => patterns.iter().find_map(|pattern| {
                let pattern = self.fill_in(pattern);
                let found = text.split('\n').any(|line| glob(&pattern, line));
                (!found).then(|| format!("no line like {pattern:?} in {text:?}"))
            }),
        };
        problem.map_or(Ok(()), |problem| Err(Stop::Mismatch(problem)))
    }

    /// Replaces `{R}` by the root and `{name}` by variables, numbers in hex.
    fn fill_in(&self, pattern: &str) -> String {
        let mut text = pattern.replace("{R}", &self.vars.root);
        for (name, value) in &self.vars.values {
            let value = match value {
                Value::Int(number) => format!("{number:x}"),
                Value::Text(text) => text.clone(),
                other => other.to_string(),
            };
            text = text.replace(&format!("{{{name}}}"), &value);
        }
        text
    }

    fn server_address(&self, who: &Token) -> Result<SocketAddr, Stop> {
        let servers = &self.target.servers;
        let index = locate(servers, &who.raw)?;
        let address = servers.get(index);
        address
            .copied()
            .ok_or_else(|| Stop::Precondition(format!("no server {}", who.raw)))
    }

    fn server(&mut self, verb: &str, who: &Token) -> Result<(), Stop> {
        let Some(cluster) = &self.target.cluster else {
            return Err(Stop::Precondition("needs a driver".into()));
        };
        let mut cluster = cluster
            .lock()
            .map_err(|_| Stop::Harness("driver lock".into()))?;
        let note = cluster.command(verb, &who.raw)?;
        self.transcript.add(Mark::Note, note);
        Ok(())
    }
}

fn multi_header(out: &mut Out, code: i32, done: bool) {
    out.int(code);
    out.bool(done);
    out.int(-1);
}

/// Sends four letters on a fresh connection; the answer until the close.
pub fn four_letters(address: SocketAddr, word: &[u8]) -> Result<String, Stop> {
    four_letters_within(address, word, PATIENCE)
}

fn four_letters_within(
    address: SocketAddr,
    word: &[u8],
    patience: Duration,
) -> Result<String, Stop> {
    let mut link = Link::open(address, PATIENCE)
        .map_err(|error| Stop::Harness(format!("cannot connect to {address}: {error}")))?;
    link.send_raw(word);
    match link.receive_all(Instant::now() + patience) {
        (bytes, true) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        (_, false) => Err(Stop::Mismatch(
            "the server did not close after a four-letter word".into(),
        )),
    }
}

/// `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            tail.char_indices()
                .map(|(at, _)| at)
                .chain([tail.len()])
                .any(|at| tail.get(at..).is_some_and(|tail| glob(rest, tail)))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::glob;

    #[test]
    fn a_star_stands_for_any_text() {
        assert!(glob("Zxid: 0x*", "Zxid: 0x1f"));
        assert!(glob("*b*", "abc"));
        assert!(!glob("Mode: *x", "Mode: standalone"));
        assert!(!glob("imok", "imok "));
    }
}
