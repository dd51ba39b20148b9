//! One connection from its handshake to its end.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until};
use zk_proto::request::Auth;
use zk_proto::watch::EventKind;
use zk_proto::{ErrorCode, OpCode, Reader, ReplyHeader, Request, WatcherEvent, xid};

use super::frames::Frames;
use super::{Answer, Command, Outgoing, Session};
use crate::error::{Error, check};
use crate::watch::{Event, NewWatch, Watches};

/// Bytes that may wait to be written before no further request is taken.
const MAX_OUTPUT_BYTES: usize = 256 << 10;

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Broken, silent, or left on purpose: connect again.
    Lost,
    Closed,
    AuthFailed,
    Expired,
}

/// A request that waits for its reply.
struct Pending {
    xid: i32,
    op: OpCode,
    watch: Option<(String, NewWatch)>,
    /// None for what nobody asked for: restoring watches.
    answer: Option<Answer>,
}

pub(super) struct Connection {
    frames: Frames,
    output: Vec<u8>,
    pending: VecDeque<Pending>,
    /// Answers to auth packets, which overtake other replies.
    auths: VecDeque<Option<Answer>>,
    next_xid: i32,
    timeout: Duration,
    last_received: Instant,
    last_sent: Instant,
    closing: bool,
}

impl Connection {
    pub(super) fn new(frames: Frames, timeout: Duration, now: Instant) -> Self {
        Self {
            frames,
            output: Vec::new(),
            pending: VecDeque::new(),
            auths: VecDeque::new(),
            next_xid: 1,
            timeout,
            last_received: now,
            last_sent: now,
            closing: false,
        }
    }

    /// Credentials first, then watches, as servers expect them after a handshake.
    // spec: CP-FRM-12, CP-AUTH-02
    pub(super) fn restore(
        &mut self,
        watches: &mut Watches,
        auth: &[(String, Vec<u8>)],
        last_zxid: i64,
    ) {
        for (scheme, auth) in auth {
            self.send_auth(scheme, auth, None);
        }
        for lists in watches.restore(last_zxid) {
            let with_persistent = !lists.persistent.is_empty() || !lists.recursive.is_empty();
            let request = if with_persistent {
                Request::SetWatches2(lists)
            } else {
                Request::SetWatches(lists)
            };
            request.encode_frame(xid::SET_WATCHES, &mut self.output);
            self.pending.push_back(Pending {
                xid: xid::SET_WATCHES,
                op: request.op(),
                watch: None,
                answer: None,
            });
        }
    }

    /// Moves bytes until the connection ends; requests without a reply are answered then.
    pub(super) async fn run(mut self, session: &mut Session, mut stream: TcpStream) -> End {
        let end = loop {
            if let Some(end) = self.step(session, &mut stream).await {
                break end;
            }
        };
        let error = match end {
            // spec: CP-ORD-06. Whether it was done is for the caller to find out; nothing is sent again.
            End::Lost => Error::ConnectionLost,
            End::Closed => Error::Closed,
            End::AuthFailed => Error::AuthFailed,
            End::Expired => Error::SessionExpired,
        };
        let unanswered = self
            .pending
            .into_iter()
            .filter_map(|pending| pending.answer);
        for answer in unanswered.chain(self.auths.into_iter().flatten()) {
            // A caller that has gone away needs no answer.
            let _gone = answer.send(Err(error.clone()));
        }
        end
    }

    async fn step(&mut self, session: &mut Session, stream: &mut TcpStream) -> Option<End> {
        let in_flight = self.pending.len();
        let may_take = !self.closing
            && in_flight < session.options.max_in_flight
            && self.output.len() < MAX_OUTPUT_BYTES;
        // spec: CP-SES-08. A third of the timeout between signs of life, two thirds of patience.
        let ping_at = self.last_sent + self.timeout / 3;
        let give_up_at = self.last_received + self.timeout * 2 / 3;
        let (mut reading, mut writing) = stream.split();
        tokio::select! {
            received = self.frames.receive(&mut reading) => match received {
                Ok(0) | Err(_) => Some(self.broken()),
                Ok(_) => self.take_frames(session),
            },
            written = writing.write(&self.output), if !self.output.is_empty() => match written {
                Ok(count) => {
                    self.output.drain(..count);
                    None
                }
                Err(_) => Some(self.broken()),
            },
            command = session.commands.recv(), if may_take => self.take_command(session, command),
            () = sleep_until(ping_at) => {
                self.send(&Request::Ping, xid::PING);
                None
            }
            () = sleep_until(give_up_at) => Some(End::Lost),
        }
    }

    /// A server closes the connection after a closeSession; otherwise it is lost.
    fn broken(&self) -> End {
        if self.closing { End::Closed } else { End::Lost }
    }

    fn take_command(&mut self, session: &mut Session, command: Option<Command>) -> Option<End> {
        match command {
            Some(Command::Request(outgoing)) => self.send_request(outgoing),
            Some(Command::Auth {
                scheme,
                auth,
                answer,
            }) => {
                self.send_auth(&scheme, &auth, Some(answer));
                session.auth.push((scheme, auth));
            }
            Some(Command::Reconnect) => return Some(End::Lost),
            // Every handle is gone: give the session back instead of letting it time out.
            None => {
                self.closing = true;
                let xid = self.next_xid();
                self.send(&Request::CloseSession, xid);
                self.expect(xid, OpCode::CloseSession, None, None);
            }
        }
        None
    }

    fn send_request(&mut self, outgoing: Outgoing) {
        let Outgoing {
            op,
            mut frame,
            watch,
            answer,
        } = outgoing;
        let xid = self.next_xid();
        let at = size_of::<i32>();
        if let Some(slot) = frame.get_mut(at..at + size_of::<i32>()) {
            slot.copy_from_slice(&xid.to_be_bytes());
        }
        self.closing |= op == OpCode::CloseSession;
        self.output.append(&mut frame);
        self.last_sent = Instant::now();
        self.expect(xid, op, watch, Some(answer));
    }

    fn send_auth(&mut self, scheme: &str, auth: &[u8], answer: Option<Answer>) {
        let request = Request::Auth(Auth {
            kind: 0,
            scheme: scheme.into(),
            auth: Some(auth),
        });
        self.send(&request, xid::AUTH);
        self.auths.push_back(answer);
    }

    fn send(&mut self, request: &Request<'_>, xid: i32) {
        request.encode_frame(xid, &mut self.output);
        self.last_sent = Instant::now();
    }

    fn expect(
        &mut self,
        xid: i32,
        op: OpCode,
        watch: Option<(String, NewWatch)>,
        answer: Option<Answer>,
    ) {
        self.pending.push_back(Pending {
            xid,
            op,
            watch,
            answer,
        });
    }

    // spec: CP-OP-02. Numbers wrap to 1; the others are taken.
    fn next_xid(&mut self) -> i32 {
        let xid = self.next_xid;
        self.next_xid = xid.checked_add(1).unwrap_or(1);
        xid
    }

    fn take_frames(&mut self, session: &mut Session) -> Option<End> {
        self.last_received = Instant::now();
        loop {
            let frame = match self.frames.next() {
                Ok(Some(frame)) => frame.to_vec(),
                Ok(None) => return None,
                Err(_) => return Some(End::Lost),
            };
            match self.take_frame(session, &frame) {
                Ok(None) => {}
                Ok(Some(end)) => return Some(end),
                Err(error) => {
                    tracing::warn!(%error, "giving up a connection");
                    return Some(End::Lost);
                }
            }
        }
    }

    fn take_frame(&mut self, session: &mut Session, frame: &[u8]) -> Result<Option<End>, Error> {
        let mut reader = Reader::new(frame);
        let header = ReplyHeader::read(&mut reader)?;
        match header.xid {
            xid::EVENT => {
                deliver(session, &WatcherEvent::read(&mut reader)?);
                Ok(None)
            }
            xid::PING => Ok(None),
            xid::AUTH => Ok(self.take_auth(header.err)),
            _ => self.take_reply(session, header, reader.rest()),
        }
    }

    // spec: CP-OP-36
    fn take_auth(&mut self, code: i32) -> Option<End> {
        let answer = self.auths.pop_front().flatten();
        let refused = code != 0;
        if let Some(answer) = answer {
            let verdict = if refused {
                Err(Error::AuthFailed)
            } else {
                Ok(Vec::new())
            };
            // A caller that has gone away needs no answer.
            let _gone = answer.send(verdict);
        }
        refused.then_some(End::AuthFailed)
    }

    // spec: CP-OP-04. A reply that is not the oldest request's would be given to the wrong caller.
    fn take_reply(
        &mut self,
        session: &mut Session,
        header: ReplyHeader,
        body: &[u8],
    ) -> Result<Option<End>, Error> {
        let Some(pending) = self.pending.pop_front() else {
            return Err(Error::Protocol(format!("a reply with xid {}", header.xid)));
        };
        if pending.xid != header.xid {
            let expected = pending.xid;
            self.pending.push_front(pending);
            return Err(Error::Protocol(format!(
                "xid {} where {expected} was due",
                header.xid
            )));
        }
        if header.zxid > 0 {
            session.last_zxid = header.zxid;
        }
        let missing = header.err == ErrorCode::NoNode.code();
        if let Some((path, watch)) = pending.watch
            && (header.err == 0 || (missing && pending.op == OpCode::Exists))
        {
            session.watches.add(path, watch, missing);
        }
        let verdict = check(header.err);
        let expired = verdict == Err(Error::SessionExpired);
        if let Some(answer) = pending.answer {
            // A caller that has gone away needs no answer.
            let _gone = answer.send(verdict.map(|()| body.to_vec()));
        }
        Ok(match pending.op {
            OpCode::CloseSession => Some(End::Closed),
            _ if expired => Some(End::Expired),
            _ => None,
        })
    }
}

fn deliver(session: &mut Session, event: &WatcherEvent<'_>) {
    let Some(kind) = EventKind::from_code(event.kind) else {
        return tracing::warn!(kind = event.kind, "an event of an unknown kind");
    };
    let seen = Event {
        kind,
        path: session.options.chroot.back(&event.path),
    };
    session.watches.fire(&event.path, &seen);
}
