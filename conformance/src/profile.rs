//! ZooKeeper versions as cases and profiles name them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A release, `3.8.0`. A missing last number means the line's newest release
/// that this suite knows when it names a profile or an `until`, its first one
/// in a `since`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    pub major: u32,
    pub minor: u32,
    /// `None` where only the line was named.
    pub patch: Option<u32>,
}

/// The newest release of each line that the rules were read from.
const NEWEST: &[(u32, u32, u32)] = &[
    (3, 4, 14),
    (3, 5, 10),
    (3, 6, 4),
    (3, 7, 2),
    (3, 8, 4),
    (3, 9, 5),
];

impl Version {
    fn first(self) -> (u32, u32, u32) {
        (self.major, self.minor, self.patch.unwrap_or(0))
    }

    fn last(self) -> (u32, u32, u32) {
        (self.major, self.minor, self.patch.unwrap_or(u32::MAX))
    }

    /// The release that a profile of this name stands for.
    fn profile(self) -> (u32, u32, u32) {
        let newest = NEWEST
            .iter()
            .find(|(major, minor, _)| (*major, *minor) == (self.major, self.minor));
        let patch = self.patch.or(newest.map(|(_, _, patch)| *patch));
        (self.major, self.minor, patch.unwrap_or(0))
    }

    /// Does a profile of this version include a case with these bounds?
    pub fn within(self, since: Option<Version>, until: Option<Version>) -> bool {
        let release = self.profile();
        since.is_none_or(|since| since.first() <= release)
            && until.is_none_or(|until| release <= until.last())
    }
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Version, String> {
        let numbers: Option<Vec<u32>> = text.split('.').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some([major, minor]) => Ok(Version {
                major: *major,
                minor: *minor,
                patch: None,
            }),
            Some([major, minor, patch]) => Ok(Version {
                major: *major,
                minor: *minor,
                patch: Some(*patch),
            }),
            _ => Err(format!("not a version: {text} (3.8, 3.8.0, 3.9, 3.9.5)")),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)?;
        self.patch.map_or(Ok(()), |patch| write!(f, ".{patch}"))
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Version, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Version {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().expect("a version")
    }

    #[test]
    fn a_line_stands_for_its_newest_release() {
        let since = Some(version("3.8.4"));
        assert!(version("3.8").within(since, None));
        assert!(!version("3.8.0").within(since, None));
    }

    #[test]
    fn bounds_take_in_whole_lines() {
        let (since, until) = (Some(version("3.9")), Some(version("3.8")));
        assert!(version("3.9.0").within(since, None));
        assert!(!version("3.8.4").within(since, None));
        assert!(version("3.8.4").within(None, until));
        assert!(!version("3.9.5").within(None, until));
        assert!("three".parse::<Version>().is_err());
    }
}
