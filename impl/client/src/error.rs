//! What can go wrong, from a caller's point of view.

use zk_proto::{DecodeError, ErrorCode};

/// Why a request has no answer, or an answer that is no success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The server's verdict.
    #[error("{0}")]
    Server(ErrorCode),
    /// The server's verdict, by a number that we do not know.
    #[error("unknown error code {0}")]
    UnknownCode(i32),
    /// The connection broke before the reply: a write may or may not have happened.
    #[error("the connection broke before the reply came")]
    ConnectionLost,
    /// The session is over; its ephemeral nodes are gone and this client is of no further use.
    #[error("the session has expired")]
    SessionExpired,
    /// A credential was refused; this client is of no further use.
    #[error("authentication failed")]
    AuthFailed,
    /// This client was closed.
    #[error("the client is closed")]
    Closed,
    /// A path, chroot or connect string that cannot be right.
    #[error("{0}")]
    BadArgument(String),
    /// The server sent something that is not the protocol; the connection is given up.
    #[error("unexpected bytes from the server: {0}")]
    Protocol(String),
}

impl From<DecodeError> for Error {
    fn from(error: DecodeError) -> Self {
        Self::Protocol(error.to_string())
    }
}

/// Turns a reply header's code into a verdict.
pub(crate) fn check(code: i32) -> Result<(), Error> {
    match ErrorCode::ALL
        .into_iter()
        .find(|known| known.code() == code)
    {
        Some(ErrorCode::Ok) => Ok(()),
        // spec: CP-CON-22, CP-ERR-01. Both say that nothing more can come of this session.
        Some(ErrorCode::SessionExpired) => Err(Error::SessionExpired),
        Some(error) => Err(Error::Server(error)),
        None => Err(Error::UnknownCode(code)),
    }
}

/// Why a multi did nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultiError {
    /// One op failed, and with it all of them.
    #[error("op {index} of the multi failed: {error}")]
    Op {
        /// Counted from 0.
        index: usize,
        error: Error,
    },
    /// The multi as a whole had no verdict.
    #[error(transparent)]
    Request(#[from] Error),
}
