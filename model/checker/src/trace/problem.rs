//! The first thing that is wrong with a trace.

use std::fmt;

use serde::Serialize;

/// In which check a trace failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Not a trace, of another version, or not all that belongs together.
    Format,
    /// Lines are missing.
    Gap,
    /// The core answers otherwise than recorded.
    Output,
    /// The core's state is another than recorded.
    State,
    /// A link delivered what was not sent on it next.
    Link,
    /// A notification that nobody sent, or an old one after a newer one.
    Notification,
    /// The disk completed what was not asked for.
    Disk,
    /// A start with other than what was durable.
    Restart,
    /// A timer fired that was not armed.
    Timer,
    /// Any other event that the environment may not cause now.
    Input,
    /// An election that the oracle of G0 and G1 would not hold.
    Coarsening,
    /// A property of zab-properties does not hold.
    Property,
}

/// Where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    pub file: String,
    /// From 1.
    pub line: u64,
}

/// What and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    pub kind: Kind,
    #[serde(flatten)]
    pub place: Place,
    pub what: String,
}

impl Problem {
    pub fn new(kind: Kind, place: &Place, what: impl Into<String>) -> Self {
        Self {
            kind,
            place: place.clone(),
            what: what.into(),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format => "format",
            Self::Gap => "gap",
            Self::Output => "output",
            Self::State => "state",
            Self::Link => "link",
            Self::Notification => "notification",
            Self::Disk => "disk",
            Self::Restart => "restart",
            Self::Timer => "timer",
            Self::Input => "input",
            Self::Coarsening => "coarsening",
            Self::Property => "property",
        })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, place, what } = self;
        write!(f, "{}:{}: {kind}: {what}", place.file, place.line)
    }
}

impl std::error::Error for Problem {}
