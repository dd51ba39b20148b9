//! From files and flags to a [`ServerConfig`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::check;
use super::draft::Draft;
use super::members::Membership;
use super::nearest::nearest_key;
use super::problem::{ConfigError, Origin, Warning};
use super::properties::{self, Entry};
use super::table::{self, Effect, Key, Kind};
use crate::run::{PeerRole, ServerConfig};

/// What to do with a key that nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// As Apache: keep going, with a warning.
    Warn,
    /// `--strict-config`: refuse.
    Refuse,
}

/// A `-D key=value` of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    pub key: String,
    pub value: String,
}

/// A configuration, and what its operator should know about it.
#[derive(Debug)]
pub struct Loaded {
    pub config: ServerConfig,
    pub warnings: Vec<Warning>,
}

/// Reads `zoo.cfg`, what it refers to, and `myid`. The file wins over flags, as in Java.
pub fn from_file(file: &Path, flags: &[Flag], strict: Strictness) -> Result<Loaded, ConfigError> {
    let mut reader = Reader::new();
    reader.flags(flags)?;
    reader.file(file, Part::Static)?;
    reader.dynamic_file(file)?;
    let origin = Origin::File {
        file: file.to_owned(),
    };
    reader.finish(&origin, strict)
}

/// Apache's form without a file: client port, data directory, tick time, connections.
// spec: CP-CFG-08
pub fn from_arguments(
    arguments: &[String],
    flags: &[Flag],
    strict: Strictness,
) -> Result<Loaded, ConfigError> {
    let mut reader = Reader::new();
    reader.flags(flags)?;
    let keys = ["clientPort", "dataDir", "tickTime", "maxClientCnxns"];
    for (key, value) in keys.into_iter().zip(arguments) {
        reader.setting(key, value, Origin::Flag)?;
    }
    reader.finish(&Origin::Flag, strict)
}

/// No file and no arguments: standalone on 127.0.0.1:2181, its data in `data_dir`; flags may say otherwise.
pub fn without_file(
    data_dir: &Path,
    flags: &[Flag],
    strict: Strictness,
) -> Result<Loaded, ConfigError> {
    let mut reader = Reader::new();
    reader.draft.data_dir = Some(data_dir.to_owned());
    reader.draft.client_port = Some(2181);
    reader.draft.client_host = Some("127.0.0.1".to_owned());
    reader.flags(flags)?;
    reader.finish(&Origin::Flag, strict)
}

/// Which keys a file may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Static,
    /// Member lines alone.
    Dynamic,
}

struct Reader {
    draft: Draft,
    membership: Membership,
    /// Member lines wait for `multiAddress.enabled`, which may stand below them.
    member_lines: Vec<(Origin, String, String)>,
    seen: BTreeMap<String, Origin>,
    warnings: Vec<Warning>,
}

impl Reader {
    fn new() -> Self {
        Self {
            draft: Draft::with_defaults(),
            membership: Membership::default(),
            member_lines: Vec::new(),
            seen: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    fn flags(&mut self, flags: &[Flag]) -> Result<(), ConfigError> {
        flags
            .iter()
            .try_for_each(|flag| self.setting(&flag.key, &flag.value, Origin::Flag))
    }

    fn file(&mut self, file: &Path, part: Part) -> Result<(), ConfigError> {
        let text = std::fs::read(file).map_err(|source| ConfigError::Unreadable {
            file: file.to_owned(),
            source,
        })?;
        let entries = properties::parse(&text).map_err(|source| ConfigError::BadText {
            file: file.to_owned(),
            source,
        })?;
        for Entry { line, key, value } in entries {
            let origin = Origin::Line {
                file: file.to_owned(),
                line,
            };
            if part == Part::Dynamic && !is_member_key(&key) {
                let problem = format!("{key}: only server, group and weight lines belong here");
                return Err(ConfigError::Inconsistent { origin, problem });
            }
            self.setting(&key, &value, origin)?;
        }
        Ok(())
    }

    /// The dynamic part, when `file` names one.
    // spec: CP-CFG-25
    fn dynamic_file(&mut self, file: &Path) -> Result<(), ConfigError> {
        let Some(named) = self.draft.dynamic_file.clone() else {
            return Ok(());
        };
        // spec: CP-CFG-05. Two sources of members could disagree, and each would look right.
        if let Some((origin, ..)) = self.member_lines.first() {
            let problem = "member lines together with dynamicConfigFile".to_owned();
            let origin = origin.clone();
            return Err(ConfigError::Inconsistent { origin, problem });
        }
        let beside = file.parent().unwrap_or(Path::new("")).join(&named);
        let path = if named.is_absolute() || named.exists() {
            named
        } else {
            beside
        };
        self.membership.version = version_of(&path);
        self.file(&path, Part::Dynamic)
    }

    fn setting(&mut self, written: &str, value: &str, origin: Origin) -> Result<(), ConfigError> {
        let name = written.strip_prefix("zookeeper.").unwrap_or(written);
        self.note_repeat(name, &origin);
        if is_member_key(name) {
            let line = (origin, name.to_owned(), value.to_owned());
            self.member_lines.push(line);
            return Ok(());
        }
        let Some(key) = table::find(name) else {
            self.warn_unknown(written, origin);
            return Ok(());
        };
        self.apply_effect(key, written, value, &origin)?;
        key.kind.apply(&mut self.draft, value).map_err(|allowed| {
            let secret = matches!(key.kind, Kind::Secret { .. });
            bad_value(
                origin,
                written,
                if secret { None } else { Some(value) },
                allowed,
            )
        })
    }

    // spec: CP-CFG-01, FT-ADM-07. Java takes the last one silently.
    fn note_repeat(&mut self, name: &str, origin: &Origin) {
        if let Some(earlier) = self.seen.insert(name.to_owned(), origin.clone()) {
            let text = format!("repeated: replaces the value of {earlier}");
            self.warn(origin.clone(), name, text, true);
        }
    }

    // spec: CP-CFG-02. Apache makes any other key a system property.
    fn warn_unknown(&mut self, written: &str, origin: Origin) {
        let text = match nearest_key(written) {
            Some(near) => format!("unknown key; did you mean {near}?"),
            None => "unknown key".to_owned(),
        };
        self.warn(origin, written, text, true);
    }

    fn apply_effect(
        &mut self,
        key: &Key,
        written: &str,
        value: &str,
        origin: &Origin,
    ) -> Result<(), ConfigError> {
        match key.effect {
            Effect::Works | Effect::Differs(_) | Effect::Internal => {}
            Effect::NotYet => {
                let text = "accepted, and has no effect yet".to_owned();
                self.warn(origin.clone(), written, text, false);
            }
            Effect::Warns { when, text } => {
                if when(value) {
                    self.warn(origin.clone(), written, text.to_owned(), false);
                }
            }
            Effect::Refused { when, reason } => {
                if when(value) {
                    return Err(ConfigError::Refused {
                        origin: origin.clone(),
                        key: written.to_owned(),
                        reason: reason.to_owned(),
                    });
                }
            }
        }
        let boolean = value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false");
        if matches!(key.kind, Kind::Loose { .. }) && !boolean {
            let text = format!("{value:?} is neither true nor false; taken as false");
            self.warn(origin.clone(), written, text, true);
        }
        Ok(())
    }

    fn warn(&mut self, origin: Origin, key: &str, text: String, strict: bool) {
        let key = key.to_owned();
        self.warnings.push(Warning {
            origin,
            key,
            text,
            strict,
        });
    }

    fn finish(mut self, origin: &Origin, strict: Strictness) -> Result<Loaded, ConfigError> {
        self.members(origin)?;
        let mut warnings = self.warnings;
        if strict == Strictness::Refuse
            && let Some(at) = warnings.iter().position(|warning| warning.strict)
        {
            return Err(ConfigError::Strict(warnings.swap_remove(at)));
        }
        let written = self.draft.role;
        let config = check::finish(self.draft, self.membership, origin)?;
        warnings.extend(another_role(&config, written, self.seen.get("peerType")));
        Ok(Loaded { config, warnings })
    }

    fn members(&mut self, origin: &Origin) -> Result<(), ConfigError> {
        let multi_address = self.draft.multi_address;
        for (origin, key, value) in std::mem::take(&mut self.member_lines) {
            if let Err(allowed) = self.membership.take(&key, &value, multi_address) {
                return Err(bad_value(origin, &key, Some(&value), allowed));
            }
        }
        self.membership.check().map_err(|problem| {
            let origin = origin.clone();
            ConfigError::Inconsistent { origin, problem }
        })
    }
}

/// The member line decides what this server is, whatever `peerType` says.
// spec: QP-CFG-02, QP-CFG-03
fn another_role(
    config: &ServerConfig,
    written: Option<PeerRole>,
    origin: Option<&Origin>,
) -> Option<Warning> {
    let quorum = config.quorum.as_ref()?;
    let own = quorum.peers.iter().find(|peer| peer.id == quorum.id)?;
    (written? != own.role).then(|| Warning {
        origin: origin.cloned().unwrap_or(Origin::Flag),
        key: "peerType".to_owned(),
        text: format!("server.{} says otherwise, and wins", own.id),
        strict: false,
    })
}

fn is_member_key(name: &str) -> bool {
    ["server.", "group.", "weight."]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

fn bad_value(origin: Origin, key: &str, found: Option<&str>, allowed: String) -> ConfigError {
    // Long or odd text is escaped and cut: it goes to a log.
    let shown = |text: &str| format!("{:?}", text.chars().take(128).collect::<String>());
    ConfigError::BadValue {
        origin,
        key: key.to_owned(),
        found: found.map_or_else(|| "(hidden)".to_owned(), shown),
        allowed,
    }
}

/// The version of a dynamic file: the hexadecimal end of its name.
fn version_of(path: &Path) -> i64 {
    let name = path.file_name().map(PathBuf::from).unwrap_or_default();
    let suffix = name.extension().and_then(|suffix| suffix.to_str());
    suffix
        .and_then(|suffix| i64::from_str_radix(suffix, 16).ok())
        .unwrap_or(0)
}
