//! Sessions, ephemerals and watches: `dump`, `wchs`, `wchc`, `wchp`.

use std::collections::BTreeMap;

use super::Asked;
use super::text::{Date, Peer};
use crate::stats::Mode;
use crate::time::Now;
use zk_tree::Mutant;

// spec: CP-FLW-17
pub(super) fn dump(asked: &Asked<'_>) -> String {
    let mut text = "SessionTracker dump:\n".to_owned();
    match asked.facts.mode() {
        Mode::Follower | Mode::Observer => text.push_str(&known_sessions(asked)),
        Mode::NotServing | Mode::Standalone | Mode::Leader | Mode::ReadOnly => {
            text.push_str(&session_sets(asked));
        }
    }
    text.push_str("ephemeral nodes dump:\n");
    let mut owners = asked.facts.ephemerals();
    if Mutant::DumpWithoutEphemerals.acts() {
        owners.clear();
    }
    text.push_str(&format!("Sessions with Ephemerals ({}):\n", owners.len()));
    for (session, paths) in owners {
        text.push_str(&format!("0x{session:x}:\n"));
        for path in paths {
            text.push_str(&format!("\t{path}\n"));
        }
    }
    text + &connection_sets(asked)
}

/// A leader's or standalone server's sessions by the moment of their expiry.
fn session_sets(asked: &Asked<'_>) -> String {
    let buckets = asked.facts.session_buckets();
    let sessions: usize = buckets.iter().map(|bucket| bucket.sessions.len()).sum();
    let mut text = format!("Session Sets ({})/({sessions}):\n", buckets.len());
    let now = asked.facts.now();
    for bucket in buckets {
        let date = wall(now, bucket.expires_at_ms);
        text.push_str(&format!("{} expire at {date}:\n", bucket.sessions.len()));
        for session in bucket.sessions {
            text.push_str(&format!("\t0x{session:x}\n"));
        }
    }
    text
}

/// What a learner knows: sessions and their timeouts.
fn known_sessions(asked: &Asked<'_>) -> String {
    let sessions = asked.facts.global_sessions();
    let mut text = format!("Global Sessions({}):\n", sessions.len());
    for (session, timeout_ms) in sessions {
        text.push_str(&format!("0x{session:x}\t{timeout_ms}ms\n"));
    }
    text
}

/// Connections by the moment at which they close if nothing arrives.
fn connection_sets(asked: &Asked<'_>) -> String {
    let mut buckets: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for connection in asked.facts.connections() {
        let session = connection.session.as_ref().map_or(0, |session| session.id);
        let line = format!("\tip: {} sessionId: 0x{session:x}\n", Peer(connection.peer));
        buckets
            .entry(connection.expires_at_ms)
            .or_default()
            .push(line);
        count += 1;
    }
    let sets = buckets.len();
    let mut text = format!("Connections dump:\nConnections Sets ({sets})/({count}):\n");
    let now = asked.facts.now();
    for (expires_at_ms, lines) in buckets {
        let date = wall(now, expires_at_ms);
        text.push_str(&format!("{} expire at {date}:\n", lines.len()));
        text.extend(lines);
    }
    text
}

/// A moment of the monotonic clock as a date.
fn wall(now: Now, mono_ms: u64) -> Date {
    let ahead = mono_ms
        .cast_signed()
        .wrapping_sub(now.mono_ms.cast_signed());
    Date(now.wall_ms.saturating_add(ahead))
}

// spec: CP-FLW-20
pub(super) fn wchs(asked: &Asked<'_>) -> String {
    let by_session = asked.facts.data_watches();
    let total: usize = by_session.iter().map(|(_, paths)| paths.len()).sum();
    let paths = by_path(&by_session).len();
    let sessions = by_session.len();
    format!("{sessions} connections watching {paths} paths\nTotal watches:{total}\n")
}

// spec: CP-FLW-21
pub(super) fn wchc(asked: &Asked<'_>) -> String {
    let mut text = String::new();
    for (session, paths) in asked.facts.data_watches() {
        text.push_str(&format!("0x{session:x}\n"));
        for path in paths {
            text.push_str(&format!("\t{path}\n"));
        }
    }
    text + "\n"
}

// spec: CP-FLW-22
pub(super) fn wchp(asked: &Asked<'_>) -> String {
    let mut text = String::new();
    for (path, sessions) in by_path(&asked.facts.data_watches()) {
        text.push_str(&format!("{path}\n"));
        for session in sessions {
            text.push_str(&format!("\t0x{session:x}\n"));
        }
    }
    text + "\n"
}

fn by_path(by_session: &[(i64, Vec<String>)]) -> BTreeMap<&str, Vec<i64>> {
    let mut by_path: BTreeMap<&str, Vec<i64>> = BTreeMap::new();
    for (session, paths) in by_session {
        for path in paths {
            by_path.entry(path).or_default().push(*session);
        }
    }
    by_path
}
