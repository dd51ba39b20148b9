//! The task behind a client: one session over as many connections as it takes.
//!
//! ```text
//! Connecting ──handshake──▶ Connected ──break──▶ Connecting ...
//!     │                         └── close, refused credential ──▶ Closed, AuthFailed
//!     └── the server does not know the session ──▶ Expired
//! ```

mod connection;
mod frames;

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout};
use zk_proto::jute::frame;
use zk_proto::session::Password;
use zk_proto::{ConnectRequest, ConnectResponse, OpCode};

use crate::error::Error;
use crate::options::Options;
use crate::watch::{NewWatch, Watches};
use connection::{Connection, End};
use frames::Frames;

/// Waiting requests that the channel holds besides those in flight.
const QUEUE: usize = 1024;

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Connecting,
    Connected,
    /// To a server that has no quorum: reads alone.
    ConnectedReadOnly,
    Expired,
    AuthFailed,
    Closed,
}

impl State {
    /// Whether nothing more can come of this session.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Expired | Self::AuthFailed | Self::Closed)
    }
}

/// Takes the body of a successful reply, or why there is none.
pub(crate) type Answer = oneshot::Sender<Result<Vec<u8>, Error>>;

/// A request on its way.
pub(crate) struct Outgoing {
    pub(crate) op: OpCode,
    /// The whole frame; the xid is filled in when it is sent.
    pub(crate) frame: Vec<u8>,
    /// The watch to keep when it succeeds, with the server's path.
    pub(crate) watch: Option<(String, NewWatch)>,
    pub(crate) answer: Answer,
}

pub(crate) enum Command {
    Request(Outgoing),
    Auth {
        scheme: String,
        auth: Vec<u8>,
        answer: Answer,
    },
    /// Leave this server for the next.
    Reconnect,
}

/// What a client holds of its session.
pub(crate) struct Handle {
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) state: watch::Receiver<State>,
    pub(crate) identity: watch::Receiver<Identity>,
}

/// What a server needs to know a session again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: i64,
    pub(crate) password: Password,
    pub(crate) timeout: Duration,
}

/// Starts the session's task on the current runtime.
pub(crate) fn start(options: Options) -> Handle {
    let (commands, received) = mpsc::channel(QUEUE);
    let (state_sender, state) = watch::channel(State::Connecting);
    let (identity_sender, identity) = watch::channel(Identity::default());
    let session = Session {
        next_server: first_server(options.servers.len()),
        auth: options.auth.clone(),
        options,
        commands: received,
        state: state_sender,
        identity: identity_sender,
        watches: Watches::default(),
        last_zxid: 0,
        saw_writable: false,
    };
    tokio::spawn(session.run());
    Handle {
        commands,
        state,
        identity,
    }
}

/// A random one, so that clients spread over an ensemble.
fn first_server(servers: usize) -> usize {
    let random = RandomState::new().hash_one(0u8);
    usize::try_from(random % (servers.max(1) as u64)).unwrap_or_default()
}

struct Session {
    options: Options,
    next_server: usize,
    commands: mpsc::Receiver<Command>,
    state: watch::Sender<State>,
    identity: watch::Sender<Identity>,
    watches: Watches,
    auth: Vec<(String, Vec<u8>)>,
    /// Newest zxid of an ordinary reply.
    // spec: CP-OP-07
    last_zxid: i64,
    /// A session that only ever saw read-only servers is unknown to the others.
    // spec: CP-RO-07
    saw_writable: bool,
}

/// How an attempt to connect went wrong.
enum Refused {
    /// This server, this time.
    Unreachable,
    /// No server knows the session.
    Expired,
}

impl Session {
    async fn run(mut self) {
        let mut pause = FIRST_PAUSE;
        let last = loop {
            match self.attach().await {
                Ok((stream, frames)) => {
                    pause = FIRST_PAUSE;
                    match self.serve(stream, frames).await {
                        End::Lost => {}
                        End::Closed => break State::Closed,
                        End::AuthFailed => break State::AuthFailed,
                        End::Expired => break State::Expired,
                    }
                }
                Err(Refused::Expired) => break State::Expired,
                Err(Refused::Unreachable) => {
                    if self.commands.is_closed() && self.commands.is_empty() {
                        break State::Closed;
                    }
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
            self.state.send_replace(State::Connecting);
        };
        self.finish(last);
    }

    /// Answers what still waits; watchers end when their senders go.
    fn finish(mut self, last: State) {
        self.state.send_replace(last);
        self.commands.close();
        let error = match last {
            State::Expired => Error::SessionExpired,
            State::AuthFailed => Error::AuthFailed,
            State::Closed | State::Connecting | State::Connected | State::ConnectedReadOnly => {
                Error::Closed
            }
        };
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Request(Outgoing { answer, .. }) | Command::Auth { answer, .. } =
                command
            {
                // A caller that has gone away needs no answer.
                let _gone = answer.send(Err(error.clone()));
            }
        }
    }

    /// Connects to the next server and opens or resumes the session there.
    async fn attach(&mut self) -> Result<(TcpStream, Frames), Refused> {
        let servers = self.options.servers.len().max(1);
        let server = self
            .options
            .servers
            .get(self.next_server % servers)
            .cloned();
        let server = server.ok_or(Refused::Unreachable)?;
        self.next_server = (self.next_server + 1) % servers;
        // Every server gets its turn within one session timeout.
        let share = u32::try_from(servers).unwrap_or(u32::MAX);
        let patience = (self.options.session_timeout / share).max(Duration::from_millis(100));
        match timeout(patience, self.handshake(&server)).await {
            Ok(outcome) => outcome,
            Err(_elapsed) => Err(Refused::Unreachable),
        }
    }

    async fn handshake(&mut self, server: &str) -> Result<(TcpStream, Frames), Refused> {
        let stream = TcpStream::connect(server).await;
        let mut stream = stream.map_err(|error| {
            tracing::debug!(server, %error, "cannot connect");
            Refused::Unreachable
        })?;
        let unreachable = |_| Refused::Unreachable;
        stream.set_nodelay(true).map_err(unreachable)?;
        let known = *self.identity.borrow();
        let resumed = if self.saw_writable {
            known
        } else {
            Identity::default()
        };
        let mut hello = Vec::new();
        frame(&mut hello, |out| {
            ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: self.last_zxid,
                timeout: self.options.session_timeout_ms(),
                session_id: resumed.id,
                password: Some(&resumed.password),
                read_only: Some(self.options.read_only),
            }
            .encode(out);
        });
        tokio::io::AsyncWriteExt::write_all(&mut stream, &hello)
            .await
            .map_err(unreachable)?;
        let mut frames = Frames::new(self.options.max_reply_bytes);
        let answer = frames.read_one(&mut stream).await.map_err(unreachable)?;
        let answer = ConnectResponse::decode(&answer).map_err(|_| Refused::Unreachable)?;
        self.attached(server, resumed, &answer)?;
        Ok((stream, frames))
    }

    fn attached(
        &mut self,
        server: &str,
        resumed: Identity,
        answer: &ConnectResponse,
    ) -> Result<(), Refused> {
        // spec: CP-CON-22. A timeout of 0 or less says that the session is unknown.
        let Some(timeout_ms) = u64::try_from(answer.timeout).ok().filter(|ms| *ms > 0) else {
            return Err(if resumed.id == 0 {
                Refused::Unreachable
            } else {
                Refused::Expired
            });
        };
        let read_only = answer.read_only == Some(true);
        self.saw_writable |= !read_only;
        self.identity.send_replace(Identity {
            id: answer.session_id,
            password: answer.password,
            timeout: Duration::from_millis(timeout_ms),
        });
        tracing::debug!(
            server,
            session = format_args!("{:#x}", answer.session_id),
            "connected"
        );
        let state = if read_only {
            State::ConnectedReadOnly
        } else {
            State::Connected
        };
        self.state.send_replace(state);
        Ok(())
    }

    async fn serve(&mut self, stream: TcpStream, frames: Frames) -> End {
        let timeout = self.identity.borrow().timeout;
        let mut connection = Connection::new(frames, timeout, Instant::now());
        connection.restore(&mut self.watches, &self.auth, self.last_zxid);
        connection.run(self, stream).await
    }
}
