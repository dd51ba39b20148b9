//! Where a setting stood, and what was wrong with it.

use std::fmt;
use std::path::PathBuf;

/// The place of a setting, for the operator who has to change it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Line {
        file: PathBuf,
        line: usize,
    },
    File {
        file: PathBuf,
    },
    /// A `-D` flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { file, line } => write!(f, "{}:{line}", file.display()),
            Self::File { file } => write!(f, "{}", file.display()),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// Why a server with this configuration does not start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("{}: {source}", file.display())]
    Unreadable {
        file: PathBuf,
        source: std::io::Error,
    },
    #[error("{}: {source}", file.display())]
    BadText {
        file: PathBuf,
        source: super::properties::BadEscape,
    },
    #[error("{origin}: {key}: {found} is not allowed; allowed: {allowed}")]
    BadValue {
        origin: Origin,
        key: String,
        /// As written; `(hidden)` for a secret.
        found: String,
        allowed: String,
    },
    /// A key whose protection does not exist here: starting without it would be worse.
    #[error("{origin}: {key}: refused: {reason}")]
    Refused {
        origin: Origin,
        key: String,
        reason: String,
    },
    #[error("{origin}: {problem}")]
    Inconsistent { origin: Origin, problem: String },
    #[error("{0} (--strict-config)")]
    Strict(Warning),
}

/// Something that does not stop the start but that an operator should read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    pub origin: Origin,
    pub key: String,
    pub text: String,
    /// `--strict-config` refuses it.
    pub strict: bool,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.origin, self.key, self.text)
    }
}
