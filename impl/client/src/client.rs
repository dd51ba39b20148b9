//! The handle that callers hold.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use zk_proto::request::{Create, ReadPath, Reconfig, SetData, Versioned, WatchOp};
use zk_proto::session::Password;
use zk_proto::watch::{AddWatchMode, WatcherType};
use zk_proto::{Acl, Acls, CreateMode, ErrorCode, OpCode, Request, Response, Stat};

use crate::error::{Error, MultiError};
use crate::multi::{self, Op, OpResult, Read, ReadResult};
use crate::options::Options;
use crate::session::{self, Command, Handle, Outgoing, State};
use crate::watch::{NewWatch, Once, Watcher, once, watcher};

/// A session with an ensemble. Clones share it; it is closed when the last one goes.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    handle: Handle,
    options: Options,
}

/// An identity that the server holds a connection for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    pub scheme: String,
    pub user: String,
}

impl Client {
    /// Opens a session by a connect string, `host:port,host:port[/chroot]`.
    ///
    /// Waits for a server for as long as it takes; wrap it in a timeout to give up.
    pub async fn connect(connect: &str) -> Result<Self, Error> {
        Self::with_options(Options::new(connect)?).await
    }

    pub async fn with_options(options: Options) -> Result<Self, Error> {
        let handle = session::start(options.clone());
        let client = Self {
            shared: Arc::new(Shared { handle, options }),
        };
        let mut state = client.state_changes();
        let first = state.wait_for(|state| *state != State::Connecting).await;
        match first.map(|state| *state) {
            Ok(State::AuthFailed) => Err(Error::AuthFailed),
            Ok(State::Expired) => Err(Error::SessionExpired),
            Ok(State::Closed) | Err(_) => Err(Error::Closed),
            Ok(State::Connecting | State::Connected | State::ConnectedReadOnly) => Ok(client),
        }
    }

    #[must_use]
    pub fn state(&self) -> State {
        *self.shared.handle.state.borrow()
    }

    /// Follows the state; each receiver sees the newest.
    #[must_use]
    pub fn state_changes(&self) -> tokio::sync::watch::Receiver<State> {
        self.shared.handle.state.clone()
    }

    #[must_use]
    pub fn session_id(&self) -> i64 {
        self.shared.handle.identity.borrow().id
    }

    /// With the id, enough to resume the session from anywhere.
    #[must_use]
    pub fn session_password(&self) -> Password {
        self.shared.handle.identity.borrow().password
    }

    /// As negotiated.
    #[must_use]
    pub fn session_timeout(&self) -> Duration {
        self.shared.handle.identity.borrow().timeout
    }

    /// Leaves the present server for the next one; the session and its watches come along.
    pub async fn reconnect(&self) -> Result<(), Error> {
        self.send(Command::Reconnect).await
    }

    /// Ends the session; its ephemeral nodes are gone when this returns.
    pub async fn close(self) -> Result<(), Error> {
        match self.call(&Request::CloseSession, None).await {
            Ok(_) | Err(Error::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Adds a credential, for this connection and all later ones.
    pub async fn add_auth(&self, scheme: &str, auth: &[u8]) -> Result<(), Error> {
        let (answer, reply) = oneshot::channel();
        let (scheme, auth) = (scheme.to_owned(), auth.to_vec());
        self.send(Command::Auth {
            scheme,
            auth,
            answer,
        })
        .await?;
        reply.await.unwrap_or(Err(Error::Closed)).map(drop)
    }

    /// Creates a node; answers its path, which a sequential mode makes longer.
    pub async fn create(
        &self,
        path: &str,
        data: &[u8],
        acl: &[Acl],
        mode: CreateMode,
    ) -> Result<String, Error> {
        if mode.is_container() {
            return Ok(self.create_with_stat(path, data, acl, mode).await?.0);
        }
        let request = Request::Create(self.create_body(path, data, acl, mode)?);
        let reply = self.call(&request, None).await?;
        match Response::decode(OpCode::Create, &reply)? {
            Response::Path(path) => Ok(self.shared.options.chroot.back(&path)),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn create_with_stat(
        &self,
        path: &str,
        data: &[u8],
        acl: &[Acl],
        mode: CreateMode,
    ) -> Result<(String, Stat), Error> {
        let create = self.create_body(path, data, acl, mode)?;
        let request = if mode.is_container() {
            Request::CreateContainer(create)
        } else {
            Request::Create2(create)
        };
        self.created(&request).await
    }

    /// Creates a node that goes when it is not written to for `ttl`; the mode is one of the two with a time to live.
    pub async fn create_with_ttl(
        &self,
        path: &str,
        data: &[u8],
        acl: &[Acl],
        mode: CreateMode,
        ttl: Duration,
    ) -> Result<(String, Stat), Error> {
        let ttl_ms = i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX);
        let create = self.create_body(path, data, acl, mode)?;
        self.created(&Request::CreateTtl(create, ttl_ms)).await
    }

    fn create_body<'a>(
        &self,
        path: &'a str,
        data: &'a [u8],
        acl: &[Acl],
        mode: CreateMode,
    ) -> Result<Create<'a>, Error> {
        Ok(Create {
            path: self.shared.options.chroot.out(path)?,
            data: Some(data),
            acl: Some(acl.iter().collect::<Acls<'static>>()),
            flags: mode.flags(),
        })
    }

    async fn created(&self, request: &Request<'_>) -> Result<(String, Stat), Error> {
        let reply = self.call(request, None).await?;
        match Response::decode(request.op(), &reply)? {
            Response::PathStat(path, stat) => Ok((self.shared.options.chroot.back(&path), stat)),
            other => Err(unexpected(&other)),
        }
    }

    /// Deletes a node; version -1 is any.
    pub async fn delete(&self, path: &str, version: i32) -> Result<(), Error> {
        let path = self.shared.options.chroot.out(path)?;
        let request = Request::Delete(Versioned { path, version });
        self.call(&request, None).await.map(drop)
    }

    /// The node's stat, or none when there is no such node.
    pub async fn exists(&self, path: &str) -> Result<Option<Stat>, Error> {
        self.exists_with(path, None).await
    }

    /// As `exists`, with a watch for the node's creation, change or deletion.
    pub async fn exists_and_watch(&self, path: &str) -> Result<(Option<Stat>, Once), Error> {
        let (sender, watch) = once();
        let stat = self
            .exists_with(path, Some(NewWatch::Exists(sender)))
            .await?;
        Ok((stat, watch))
    }

    async fn exists_with(
        &self,
        path: &str,
        watch: Option<NewWatch>,
    ) -> Result<Option<Stat>, Error> {
        match self.read(OpCode::Exists, path, watch).await {
            Ok(reply) => match Response::decode(OpCode::Exists, &reply)? {
                Response::Stat(stat) => Ok(Some(stat)),
                other => Err(unexpected(&other)),
            },
            Err(Error::Server(ErrorCode::NoNode)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The node's data (null reads as empty) and stat.
    pub async fn get_data(&self, path: &str) -> Result<(Vec<u8>, Stat), Error> {
        self.data(
            OpCode::GetData,
            self.read(OpCode::GetData, path, None).await?,
        )
    }

    /// As `get_data`, with a watch for the node's change or deletion.
    pub async fn get_data_and_watch(&self, path: &str) -> Result<(Vec<u8>, Stat, Once), Error> {
        let (sender, watch) = once();
        let reply = self
            .read(OpCode::GetData, path, Some(NewWatch::Data(sender)))
            .await?;
        let (data, stat) = self.data(OpCode::GetData, reply)?;
        Ok((data, stat, watch))
    }

    fn data(&self, op: OpCode, reply: Vec<u8>) -> Result<(Vec<u8>, Stat), Error> {
        match Response::decode(op, &reply)? {
            Response::Data(data, stat) => Ok((data.unwrap_or_default().to_vec(), stat)),
            other => Err(unexpected(&other)),
        }
    }

    /// Sets a node's data; version -1 is any.
    pub async fn set_data(&self, path: &str, data: &[u8], version: i32) -> Result<Stat, Error> {
        let request = Request::SetData(SetData {
            path: self.shared.options.chroot.out(path)?,
            data: Some(data),
            version,
        });
        self.stat(&request).await
    }

    async fn stat(&self, request: &Request<'_>) -> Result<Stat, Error> {
        let reply = self.call(request, None).await?;
        match Response::decode(request.op(), &reply)? {
            Response::Stat(stat) => Ok(stat),
            other => Err(unexpected(&other)),
        }
    }

    pub async fn get_acl(&self, path: &str) -> Result<(Vec<Acl>, Stat), Error> {
        let path = self.shared.options.chroot.out(path)?;
        let reply = self.call(&Request::GetAcl { path }, None).await?;
        match Response::decode(OpCode::GetAcl, &reply)? {
            Response::Acl(acl, stat) => Ok((acl.into_owned(), stat)),
            other => Err(unexpected(&other)),
        }
    }

    /// Replaces a node's ACL; the version is that of the ACL, -1 is any.
    pub async fn set_acl(&self, path: &str, acl: &[Acl], version: i32) -> Result<Stat, Error> {
        let request = Request::SetAcl {
            path: self.shared.options.chroot.out(path)?,
            acl: Some(acl.iter().collect::<Acls<'static>>()),
            version,
        };
        self.stat(&request).await
    }

    /// Names of the node's children, sorted.
    // spec: CP-OP-25. Servers send them in no order.
    pub async fn get_children(&self, path: &str) -> Result<Vec<String>, Error> {
        Ok(self.get_children_with_stat(path).await?.0)
    }

    pub async fn get_children_with_stat(&self, path: &str) -> Result<(Vec<String>, Stat), Error> {
        self.children(self.read(OpCode::GetChildren2, path, None).await?)
    }

    /// As `get_children`, with a watch for the list's change or the node's deletion.
    pub async fn get_children_and_watch(&self, path: &str) -> Result<(Vec<String>, Once), Error> {
        let (sender, watch) = once();
        let watched = Some(NewWatch::Children(sender));
        let reply = self.read(OpCode::GetChildren2, path, watched).await?;
        Ok((self.children(reply)?.0, watch))
    }

    fn children(&self, reply: Vec<u8>) -> Result<(Vec<String>, Stat), Error> {
        match Response::decode(OpCode::GetChildren2, &reply)? {
            Response::ChildrenStat(names, stat) => {
                let mut names: Vec<String> = names.iter().map(|name| name.into_owned()).collect();
                names.sort_unstable();
                Ok((names, stat))
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Number of nodes below `path`.
    pub async fn count_descendants(&self, path: &str) -> Result<i32, Error> {
        let path = self.shared.options.chroot.out(path)?;
        let reply = self
            .call(&Request::GetAllChildrenNumber { path }, None)
            .await?;
        match Response::decode(OpCode::GetAllChildrenNumber, &reply)? {
            Response::Count(count) => Ok(count),
            other => Err(unexpected(&other)),
        }
    }

    /// This session's ephemeral nodes whose path begins with `prefix`, sorted.
    pub async fn ephemerals(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let prefix = Some(self.shared.options.chroot.out(prefix)?);
        let reply = self.call(&Request::GetEphemerals { prefix }, None).await?;
        match Response::decode(OpCode::GetEphemerals, &reply)? {
            Response::Children(paths) => {
                let back = |path: std::borrow::Cow<'_, str>| self.shared.options.chroot.back(&path);
                let mut paths: Vec<String> = paths.iter().map(back).collect();
                paths.sort_unstable();
                Ok(paths)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Returns once this session's server has applied all that was committed before the call.
    pub async fn sync(&self, path: &str) -> Result<(), Error> {
        let path = self.shared.options.chroot.out(path)?;
        self.call(&Request::Sync { path }, None).await.map(drop)
    }

    /// All ops, or none of them.
    pub async fn multi(&self, ops: &[Op]) -> Result<Vec<OpResult>, MultiError> {
        let chroot = &self.shared.options.chroot;
        let encoded = ops
            .iter()
            .map(|op| op.encode(chroot))
            .collect::<Result<Vec<_>, _>>()?;
        let request = Request::Multi(encoded.into_iter().collect());
        let reply = self.call(&request, None).await?;
        match Response::decode(OpCode::Multi, &reply).map_err(Error::from)? {
            Response::Multi(found) => match multi::results(&found, chroot)? {
                Ok(results) => Ok(results),
                Err((index, error)) => Err(MultiError::Op { index, error }),
            },
            other => Err(unexpected(&other).into()),
        }
    }

    /// Several reads in one request, each with its own outcome.
    pub async fn multi_read(&self, reads: &[Read]) -> Result<Vec<ReadResult>, Error> {
        let chroot = &self.shared.options.chroot;
        let encoded = reads
            .iter()
            .map(|read| read.encode(chroot))
            .collect::<Result<Vec<_>, _>>()?;
        let request = Request::MultiRead(encoded.into_iter().collect());
        let reply = self.call(&request, None).await?;
        match Response::decode(OpCode::MultiRead, &reply)? {
            Response::Multi(found) => found.iter().map(multi::read_result).collect(),
            other => Err(unexpected(&other)),
        }
    }

    /// Watches a path, and with the recursive mode all below it, until removed.
    pub async fn add_watch(&self, path: &str, mode: AddWatchMode) -> Result<Watcher, Error> {
        let (sender, watcher) = watcher();
        let full = self.shared.options.chroot.out(path)?;
        let kept = (full.clone().into_owned(), NewWatch::Added(mode, sender));
        let kind = mode.code();
        let request = Request::AddWatch(WatchOp { path: full, kind });
        self.call(&request, Some(kept)).await?;
        Ok(watcher)
    }

    /// Whether the server knows a watch of this connection on a path.
    ///
    /// # Errors
    /// [`ErrorCode::NoWatcher`](crate::ErrorCode) if it knows none.
    // spec: CP-OP-31
    pub async fn check_watches(&self, path: &str, which: WatcherType) -> Result<(), Error> {
        let path = self.shared.options.chroot.out(path)?;
        let kind = which.code();
        let request = Request::CheckWatches(WatchOp { path, kind });
        self.call(&request, None).await.map(drop)
    }

    /// Removes watches of a path, here and on the server.
    pub async fn remove_watches(&self, path: &str, which: WatcherType) -> Result<(), Error> {
        let full = self.shared.options.chroot.out(path)?;
        let kept = (full.clone().into_owned(), NewWatch::Removed(which));
        let kind = which.code();
        let request = Request::RemoveWatches(WatchOp { path: full, kind });
        self.call(&request, Some(kept)).await.map(drop)
    }

    /// The identities that the server knows this connection by.
    pub async fn who_am_i(&self) -> Result<Vec<ClientInfo>, Error> {
        let reply = self.call(&Request::WhoAmI, None).await?;
        match Response::decode(OpCode::WhoAmI, &reply)? {
            Response::ClientInfo(infos) => {
                let infos = infos.iter().map(|info| ClientInfo {
                    scheme: info.scheme.clone().into_owned(),
                    user: info.user.clone().into_owned(),
                });
                Ok(infos.collect())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Changes the ensemble's membership; answers the new configuration's text and stat.
    ///
    /// Either `joining` and `leaving`, or a whole new list of `members`; version -1 is any.
    pub async fn reconfig(
        &self,
        joining: Option<&str>,
        leaving: Option<&str>,
        members: Option<&str>,
        config_version: i64,
    ) -> Result<(Vec<u8>, Stat), Error> {
        let request = Request::Reconfig(Reconfig {
            joining: joining.map(Into::into),
            leaving: leaving.map(Into::into),
            members: members.map(Into::into),
            config_version,
        });
        let reply = self.call(&request, None).await?;
        self.data(OpCode::Reconfig, reply)
    }

    async fn read(
        &self,
        op: OpCode,
        path: &str,
        watch: Option<NewWatch>,
    ) -> Result<Vec<u8>, Error> {
        let full = self.shared.options.chroot.out(path)?;
        let kept = watch.map(|watch| (full.clone().into_owned(), watch));
        let body = ReadPath {
            path: full,
            watch: kept.is_some(),
        };
        let request = match op {
            OpCode::Exists => Request::Exists(body),
            OpCode::GetData => Request::GetData(body),
            _ => Request::GetChildren2(body),
        };
        self.call(&request, kept).await
    }

    /// Sends a request and waits for its verdict. The request is on its way, in order, at the first poll.
    async fn call(
        &self,
        request: &Request<'_>,
        watch: Option<(String, NewWatch)>,
    ) -> Result<Vec<u8>, Error> {
        let mut frame = Vec::new();
        request.encode_frame(0, &mut frame);
        let (answer, reply) = oneshot::channel();
        let op = request.op();
        self.send(Command::Request(Outgoing {
            op,
            frame,
            watch,
            answer,
        }))
        .await?;
        reply.await.unwrap_or(Err(Error::Closed))
    }

    async fn send(&self, command: Command) -> Result<(), Error> {
        let sent = self.shared.handle.commands.send(command).await;
        sent.map_err(|_| match self.state() {
            State::Expired => Error::SessionExpired,
            State::AuthFailed => Error::AuthFailed,
            State::Closed | State::Connecting | State::Connected | State::ConnectedReadOnly => {
                Error::Closed
            }
        })
    }
}

fn unexpected(response: &Response<'_>) -> Error {
    Error::Protocol(format!("a reply of another kind: {response:?}"))
}
