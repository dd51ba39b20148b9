//! Names of files and of their zxids.

/// Kinds of compression that a snapshot's name tells.
// spec: DF-SNAP-01
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Compression {
    /// As it is.
    #[default]
    None,
    /// `.gz`
    Gzip,
    /// `.snappy`
    Snappy,
}

impl Compression {
    fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Snappy => ".snappy",
        }
    }
}

/// Ends the names of files that are still being written.
pub(crate) const TEMPORARY: &str = ".tmp";
/// Before the number of an unfinished snapshot beside others of its zxid.
const NUMBER: char = '~';
/// Holds the synced end of the log. Begins with neither `log.` nor `snapshot.`, so that Apache passes it by.
// spec: DF-ALG-02
pub(crate) const MARK: &str = "vivarium.mark";
/// Holds the highest session id that this server may have handed out. Apache passes it by, too.
// spec: CP-CON-12, INV-14
pub(crate) const SESSIONS: &str = "vivarium.sessions";
/// Holds the zxid of the newest snapshot that came from a leader. Apache passes it by, too.
// spec: QP-DEF-25
pub(crate) const FLOOR: &str = "vivarium.floor";
/// A log file of zeros that waits for its name.
pub(crate) const SPARE: &str = "vivarium.spare";

/// `log.<zxid of its first record>`
// spec: DF-LOG-03, DF-DIR-05
pub fn log_name(zxid: i64) -> String {
    format!("log.{zxid:x}")
}

/// `snapshot.<last zxid when it began>[.gz|.snappy]`
pub fn snapshot_name(zxid: i64, compression: Compression) -> String {
    format!("snapshot.{zxid:x}{}", compression.suffix())
}

/// The name of a snapshot that is being written, the `number`th of its zxid.
pub(crate) fn unfinished_name(zxid: i64, compression: Compression, number: u32) -> String {
    let name = snapshot_name(zxid, compression);
    match number {
        0 => format!("{name}{TEMPORARY}"),
        _ => format!("{name}{NUMBER}{number}{TEMPORARY}"),
    }
}

/// The zxid in a log's name, if it is exactly as [`log_name`] writes it.
// spec: DF-DIR-04. A lenient reader takes `log.5.bak` or a leftover `.tmp` for the real thing.
pub fn parse_log(name: &str) -> Option<i64> {
    let zxid = parse_zxid(name.strip_prefix("log.")?)?;
    (log_name(zxid) == name).then_some(zxid)
}

/// The zxid and compression in a snapshot's name, if it is exactly as [`snapshot_name`] writes it.
// spec: DF-DIR-04
pub fn parse_snapshot(name: &str) -> Option<(i64, Compression)> {
    let rest = name.strip_prefix("snapshot.")?;
    let compression = match rest.split_once('.') {
        None => Compression::None,
        Some((_, "gz")) => Compression::Gzip,
        Some((_, "snappy")) => Compression::Snappy,
        Some(_) => return None,
    };
    let zxid = parse_zxid(rest.strip_suffix(compression.suffix())?)?;
    (snapshot_name(zxid, compression) == name).then_some((zxid, compression))
}

/// A file that a crash left unfinished and that nothing will ever read.
pub(crate) fn is_leftover(name: &str) -> bool {
    let unfinished = name.strip_suffix(TEMPORARY);
    unfinished.is_some_and(|name| {
        let numbered = name.rsplit_once(NUMBER).map(|(snapshot, _)| snapshot);
        parse_snapshot(numbered.unwrap_or(name)).is_some()
            || ["acceptedEpoch", "currentEpoch", SESSIONS, FLOOR].contains(&name)
    }) || name == SPARE
}

// spec: DF-DIR-05. Parsing is signed: what does not fit a positive i64 is no zxid.
fn parse_zxid(hex: &str) -> Option<i64> {
    i64::from_str_radix(hex, 16).ok().filter(|zxid| *zxid >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: DF-DIR-04, DF-DIR-05
    #[test]
    fn only_exact_names_are_taken() {
        assert_eq!(parse_log("log.10000c351"), Some(0x1_0000_c351));
        assert_eq!(parse_log("log.7fffffffffffffff"), Some(i64::MAX));
        for name in [
            "log.",
            "log.5.bak",
            "log.5.tmp",
            "log.5.gz",
            "log.05",
            "log.1A",
            "log.+5",
            "log.-5",
            "log.x",
            "log.8000000000000000",
            "log.ffffffffffffffff",
            "log.10000000000000000",
            "xlog.5",
            "log",
        ] {
            assert_eq!(parse_log(name), None, "{name}");
        }
        assert_eq!(parse_snapshot("snapshot.0"), Some((0, Compression::None)));
        assert_eq!(
            parse_snapshot("snapshot.1a.gz"),
            Some((0x1a, Compression::Gzip))
        );
        assert_eq!(
            parse_snapshot("snapshot.1a.snappy"),
            Some((0x1a, Compression::Snappy))
        );
        for name in [
            "snapshot.1a.tmp",
            "snapshot.1a.gz.tmp",
            "snapshot.1a.zst",
            "snapshot.1A",
            "snapshot.01",
            "snapshot.",
            "snapshot..gz",
            "snapshot.8000000000000000",
        ] {
            assert_eq!(parse_snapshot(name), None, "{name}");
        }
    }

    #[test]
    fn leftovers_are_ours_or_apaches_and_nothing_else() {
        for name in [
            "snapshot.1a.tmp",
            "snapshot.1a.gz.tmp",
            "currentEpoch.tmp",
            "acceptedEpoch.tmp",
            "vivarium.sessions.tmp",
            "vivarium.floor.tmp",
            SPARE,
        ] {
            assert!(is_leftover(name), "{name}");
        }
        for name in [
            "snapshot.1a",
            "notes.tmp",
            "log.5.tmp",
            "snapshot.x.tmp",
            MARK,
            SESSIONS,
            FLOOR,
        ] {
            assert!(!is_leftover(name), "{name}");
        }
    }
}
