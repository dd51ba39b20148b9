//! Runs scripts against a server: sessions by name, one transcript.

pub mod cluster;
pub mod expect;
pub mod links;
mod probe;
pub mod run;
pub mod session;
pub mod transcript;

use thiserror::Error;

/// Why a case ends before its last step.
#[derive(Debug, Clone, Error)]
pub enum Stop {
    /// The server did something else.
    #[error("{0}")]
    Mismatch(String),
    /// The server said that it does not know the operation.
    #[error("the server does not implement {0}")]
    Unimplemented(String),
    /// The target lacks what the case needs.
    #[error("{0}")]
    Precondition(String),
    /// The case itself, the driver or the network failed.
    #[error("{0}")]
    Harness(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Stop {
        Stop::Harness(why)
    }
}
