//! Opening and resuming sessions.

use super::write::{Submission, Waiter};
use super::{Node, NodeError, Output};
use crate::conn::guesses::WAIT_MS;
use crate::conn::lane::{Attached, ConnId, End, Lane};
use crate::conn::{Hello, Resume};
use crate::session::Session;
use crate::stats::Mode;
use crate::sync::lock;
use crate::time::Now;
use bytes::Bytes;
use std::sync::Arc;
use zab::{Event, LinkId, Message, RoleKind};
use zk_proto::jute::frame;
use zk_proto::quorum::{Touch, Validity};
use zk_proto::session::password;
use zk_proto::{ConnectResponse, OpCode, Put, Reader};
use zk_tree::Mutant;

impl Node {
    pub(super) fn connect(
        &mut self,
        now: Now,
        lane: Arc<Lane>,
        hello: Hello,
        batch: &mut Vec<Submission>,
    ) {
        let Some(resume) = hello.resume else {
            return self.open_session(now, lane, hello, batch);
        };
        if Mutant::NewSessionOnReattach.acts()
            && lock(&self.shared.sessions).get(resume.session).is_none()
        {
            return self.open_session(now, lane, hello, batch);
        }
        // spec: FT-CON-14
        if self.guesses.slows(now.mono_ms, lane.peer.ip()) {
            let due_ms = now.mono_ms + WAIT_MS;
            // Whoever has the right password was heard when it came: its session must not end over the wait.
            if resume.password_matches {
                let lives_ms = hello.timeout_ms.saturating_add(WAIT_MS as u32);
                lock(&self.shared.sessions).touch(now.mono_ms, resume.session, lives_ms);
            }
            return self.slowed.push_back((due_ms, lane, hello, resume));
        }
        self.resume(now, lane, hello, resume);
    }

    /// Those that waited because of their address's wrong passwords.
    pub(super) fn resume_slowed(&mut self, now: Now) {
        while let Some((due_ms, ..)) = self.slowed.front()
            && *due_ms <= now.mono_ms
            && let Some((_, lane, hello, resume)) = self.slowed.pop_front()
        {
            if lane.lock().end == End::Open {
                self.resume(now, lane, hello, resume);
            }
        }
    }

    fn resume(&mut self, now: Now, lane: Arc<Lane>, hello: Hello, resume: Resume) {
        // spec: CP-CON-20. Even before the password is looked at.
        let before = lock(&self.shared.lanes)
            .by_session
            .get(&resume.session)
            .cloned();
        if let Some(before) = before.filter(|before| before.id != lane.id)
            && !Mutant::OldConnectionStays.acts()
        {
            before.kick();
        }
        let local = {
            let sessions = lock(&self.shared.sessions);
            let session = sessions.get(resume.session);
            if let Some(session) = session {
                session.claim(lane.id);
            }
            session.is_some_and(|session| session.is_local())
        };
        // spec: CP-RO-04. Whether a global session lives is for an ensemble with a quorum to say.
        if self.shared.mode() == Mode::ReadOnly && !local {
            lane.lock().end = End::Now;
            return self.rings.push(lane);
        }
        // spec: CP-CON-21, CP-GAP-19
        if !resume.password_matches {
            self.guesses.fail(now.mono_ms, lane.peer.ip());
            self.shared.totals.wrong_passwords.add(1);
            return self.refuse_session(&lane, hello);
        }
        if self.times_sessions() || local {
            // spec: CP-CON-23
            let session = lock(&self.shared.sessions)
                .touch(now.mono_ms, resume.session, hello.timeout_ms)
                .map(Arc::clone);
            match session {
                Some(session) => {
                    session.set_elsewhere(false);
                    if local {
                        self.owners.remove(&resume.session);
                    } else {
                        self.owners.insert(resume.session, None);
                    }
                    self.establish(now, &lane, session, hello);
                }
                None => self.refuse_session(&lane, hello),
            }
        } else if matches!(self.shared.mode(), Mode::Follower | Mode::Observer) {
            self.ask_leader(lane, hello, resume.session);
        } else {
            // The leader is gone since the handshake. Nobody would answer, and the next leader's answer to another
            // connection would be taken for this one's.
            lane.lock().end = End::Now;
            self.rings.push(lane);
        }
    }

    // spec: CP-CON-10, CP-CON-12
    fn open_session(
        &mut self,
        now: Now,
        lane: Arc<Lane>,
        hello: Hello,
        batch: &mut Vec<Submission>,
    ) {
        let id = self.ids.take();
        if self.shared.settings.local_sessions && !Mutant::LocalSessionsAreGlobal.acts() {
            // spec: CP-CON-30, CP-CON-32, CP-CON-35
            let session =
                lock(&self.shared.sessions).start(now.mono_ms, id, hello.timeout_ms, true);
            return self.establish(now, &lane, session, hello);
        }
        if self.shared.mode() == Mode::ReadOnly {
            // spec: CP-RO-03
            lane.lock().end = End::Now;
            return self.rings.push(lane);
        }
        let mut body = Vec::new();
        body.put_int(i32::try_from(hello.timeout_ms).unwrap_or(i32::MAX));
        batch.push(Submission::internal(
            id,
            OpCode::CreateSession,
            body.into(),
            Waiter::Connect(lane, hello),
        ));
    }

    // spec: CP-CON-08, CP-CON-11, CP-CON-25. The timeout is the connection's; the session keeps the one in the log.
    pub(super) fn establish(
        &mut self,
        now: Now,
        lane: &Arc<Lane>,
        session: Arc<Session>,
        hello: Hello,
    ) {
        let id = session.id;
        {
            let mut state = lane.lock();
            if state.end != End::Open {
                return;
            }
            let timeout_ms = if Mutant::ResumeKeepsTimeout.acts() {
                session.timeout_ms
            } else {
                hello.timeout_ms
            };
            let response = ConnectResponse {
                timeout: i32::try_from(timeout_ms).unwrap_or(i32::MAX),
                session_id: id,
                password: if Mutant::PasswordOfZeros.acts() {
                    Default::default()
                } else {
                    password(if Mutant::PasswordsOfServer.acts() {
                        id ^ i64::from(self.shared.settings.server_id)
                    } else {
                        id
                    })
                },
                read_only: if Mutant::ReadOnlyByteForAll.acts() {
                    Some(self.shared.is_read_only())
                } else if Mutant::ReadOnlyByteForNobody.acts() {
                    None
                } else {
                    let read_only = self.shared.is_read_only() && !Mutant::ReadOnlyHidden.acts();
                    hello.read_only.map(|_| read_only)
                },
            };
            frame(&mut state.out, |out| response.encode(out));
            session.claim(lane.id);
            state.attached = Some(Attached {
                session,
                timeout_ms: hello.timeout_ms,
                since_ms: now.wall_ms,
            });
        }
        lock(&self.shared.lanes)
            .by_session
            .insert(id, Arc::clone(lane));
        self.rings.push(Arc::clone(lane));
    }

    // spec: CP-CON-22
    pub(super) fn refuse_session(&mut self, lane: &Arc<Lane>, hello: Hello) {
        {
            let mut state = lane.lock();
            let read_only = hello.read_only.map(|_| self.shared.is_read_only());
            frame(&mut state.out, |out| {
                ConnectResponse::invalid_session(read_only).encode(out)
            });
            state.close_after_output();
        }
        self.rings.push(Arc::clone(lane));
    }

    /// A learner does not know whether a session lives.
    // spec: CP-CON-23, QP-BC-14
    fn ask_leader(&mut self, lane: Arc<Lane>, hello: Hello, session: i64) {
        let timeout = i32::try_from(hello.timeout_ms).unwrap_or(i32::MAX);
        self.shared.totals.revalidations.add(1);
        self.revalidating
            .entry(session)
            .or_default()
            .push_back((lane, hello));
        self.answers.push(Event::Queried {
            session: Touch {
                session_id: session,
                timeout,
            }
            .encode(),
        });
    }

    /// The leader's answer to a learner's question.
    pub(super) fn revalidated(&mut self, now: Now, answer: &Bytes) {
        let Ok(Validity {
            session_id: id,
            valid,
        }) = Validity::read(&mut Reader::new(answer))
        else {
            return;
        };
        let Some(waiting) = self.revalidating.get_mut(&id) else {
            return;
        };
        let Some((lane, hello)) = waiting.pop_front() else {
            return;
        };
        if waiting.is_empty() {
            self.revalidating.remove(&id);
        }
        if !valid && !Mutant::LearnerTrustsEveryResume.acts() {
            return self.refuse_session(&lane, hello);
        }
        let stored_ms = self.stored_timeout(id).unwrap_or(hello.timeout_ms);
        let session = {
            let mut sessions = lock(&self.shared.sessions);
            let session = sessions.start(now.mono_ms, id, stored_ms, false);
            sessions.touch(now.mono_ms, id, hello.timeout_ms);
            session
        };
        self.establish(now, &lane, session, hello);
    }

    fn stored_timeout(&self, id: i64) -> Option<u32> {
        let timeout = crate::sync::read(&self.shared.tree).session_timeout(id)?;
        u32::try_from(timeout).ok()
    }

    /// A learner's question, at the leader.
    // spec: CP-CON-24, QP-BC-14. Valid makes the learner the session's owner.
    pub(super) fn revalidate(&mut self, now: Now, link: LinkId, question: Bytes) {
        // spec: QP-INT-02. Valid lets the learner serve its client, who must wait as this server's own do.
        if self.shared.mode() == Mode::NotServing {
            return self.questions.push((link, question));
        }
        let Ok(Touch {
            session_id,
            timeout,
        }) = Touch::read(&mut Reader::new(&question))
        else {
            return;
        };
        let timeout_ms = u32::try_from(timeout).unwrap_or(0);
        let valid = lock(&self.shared.sessions)
            .touch(now.mono_ms, session_id, timeout_ms)
            .map(|session| session.set_elsewhere(true))
            .is_some();
        if valid {
            self.owners.insert(session_id, Some(link));
        }
        let session = Validity { session_id, valid }.encode();
        self.answers.push(Event::Answered { link, session });
    }

    /// A learner's table of sessions that it has heard from.
    // spec: CP-SES-05, QP-BC-13
    pub(super) fn touched(&mut self, now: Now, table: &Bytes) {
        let Ok(table) = Touch::decode_table(table) else {
            return;
        };
        let mut sessions = lock(&self.shared.sessions);
        for Touch {
            session_id,
            timeout,
        } in table
        {
            sessions.touch(now.mono_ms, session_id, u32::try_from(timeout).unwrap_or(0));
        }
    }

    /// A learner's answer to a ping tells which sessions it has heard from.
    // spec: CP-SES-05, QP-BC-13
    pub(super) fn with_sessions(&self, message: Message<Bytes>) -> Message<Bytes> {
        let Message::Ping {
            zxid,
            sessions: None,
        } = message
        else {
            return message;
        };
        if self.peer.status().role == RoleKind::Leading {
            return message;
        }
        let mut touched = lock(&self.shared.sessions).take_touched();
        if Mutant::FollowerSessionsExpire.acts() {
            touched.clear();
        }
        let touches = touched.into_iter().map(|(session_id, timeout_ms)| Touch {
            session_id,
            timeout: i32::try_from(timeout_ms).unwrap_or(i32::MAX),
        });
        Message::Ping {
            zxid,
            sessions: Some(Touch::encode_table(touches)),
        }
    }

    /// Closes the sessions whose time is over, each by a txn.
    // spec: CP-SES-01, CP-SES-03, QP-BC-22
    pub(super) fn expire_sessions(&mut self, now: Now, batch: &mut Vec<Submission>) {
        let expired = lock(&self.shared.sessions).expire(now.mono_ms, self.times_sessions());
        for session in expired {
            self.shared.totals.sessions_expired.add(1);
            if session.is_local() {
                self.close_local(session.id, None);
            } else {
                batch.push(Submission::internal(
                    session.id,
                    OpCode::CloseSession,
                    Bytes::new(),
                    Waiter::Nobody,
                ));
            }
        }
    }

    /// A local session ends without a txn. `answered`: the connection that asked for it and has its reply.
    // spec: CP-CON-31
    pub(super) fn close_local(&mut self, id: i64, answered: Option<ConnId>) {
        lock(&self.shared.sessions).remove(id);
        self.owners.remove(&id);
        let lane = lock(&self.shared.lanes).by_session.remove(&id);
        if let Some(lane) = lane.filter(|lane| Some(lane.id) != answered) {
            lane.lock().end = End::Now;
            self.rings.push(lane);
        }
    }

    /// Answers learners and puts questions to the leader that this step brought up.
    pub(super) fn flush_answers(
        &mut self,
        now: Now,
        out: &mut Vec<Output>,
    ) -> Result<(), NodeError> {
        for answer in std::mem::take(&mut self.answers) {
            self.handle(now, answer, out)?;
        }
        Ok(())
    }
}
