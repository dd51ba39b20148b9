//! Rules that need several keys at once.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use super::draft::Draft;
use super::members::Membership;
use super::problem::{ConfigError, Origin};
use crate::run::{QuorumConfig, ServerConfig};

/// Turns a filled draft into a configuration, or says what does not fit together.
// spec: CP-CFG-05
pub(super) fn finish(
    mut draft: Draft,
    membership: Membership,
    origin: &Origin,
) -> Result<ServerConfig, ConfigError> {
    let refuse = |problem: &str| {
        Err(ConfigError::Inconsistent {
            origin: origin.clone(),
            problem: problem.to_owned(),
        })
    };
    let Some(data_dir) = draft.data_dir.clone() else {
        return refuse("dataDir is not set");
    };
    if draft.client_host.is_some() && draft.client_port.is_none() {
        return refuse("clientPortAddress is set without clientPort");
    }
    draft.resolve_limits();
    let settings = &draft.server.settings;
    if settings.min_session_timeout_ms > settings.max_session_timeout_ms {
        return refuse("minSessionTimeout is above maxSessionTimeout");
    }
    let quorum = &mut draft.quorum;
    // spec: QP-FLE-15. The pause never shrinks, so a first one above the longest stays as it is.
    // spec: QP-FLE-14. A server that waits for better votes starts anew at each one that it hears: were all to repeat
    // theirs within that wait, none would ever end it.
    quorum.max_notification_ms = quorum
        .max_notification_ms
        .max(quorum.min_notification_ms)
        .max(quorum.finalize_wait_ms.saturating_mul(10));
    if let Err(problem) = auth(&mut draft) {
        return refuse(&problem);
    }
    draft.server.data_log_dir = draft
        .data_log_dir
        .clone()
        .unwrap_or_else(|| data_dir.clone());
    let id = read_id(&data_dir)?;
    draft.server.data_dir = data_dir;
    match listener(&draft, id, &membership).and_then(|address| {
        draft.server.client_address = address;
        ensemble(&mut draft, id, membership)
    }) {
        Ok(()) => Ok(draft.server),
        Err(problem) => refuse(&problem),
    }
}

// spec: CP-AUTH-14. Enforcing nothing, or a scheme that nobody can satisfy, is a mistake, not a policy.
fn auth(draft: &mut Draft) -> Result<(), String> {
    if draft.ensemble_provider {
        let names = std::mem::take(&mut draft.ensemble_names);
        draft.server.settings.ensemble_auth_names = Some(names.into_iter().collect());
    }
    if !draft.enforce_auth {
        return Ok(());
    }
    if draft.enforce_schemes.is_empty() {
        return Err("enforce.auth.enabled is set without enforce.auth.schemes".to_owned());
    }
    let known = |scheme: &str| match scheme {
        "ip" => true,
        "digest" => draft.server.settings.digest_auth,
        _ => false,
    };
    if let Some(unknown) = draft.enforce_schemes.iter().find(|scheme| !known(scheme)) {
        return Err(format!(
            "enforce.auth.schemes: no provider for {unknown}; allowed: ip, digest"
        ));
    }
    let schemes = std::mem::take(&mut draft.enforce_schemes);
    draft.server.settings.enforced_auth_schemes = Some(schemes.into_iter().collect());
    Ok(())
}

/// The first line of `<dataDir>/myid`; none when there is no such file.
// spec: CP-CFG-06, QP-CFG-01. Not trimmed, since Apache refuses blanks there too.
fn read_id(data_dir: &Path) -> Result<Option<u8>, ConfigError> {
    let file = data_dir.join("myid");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(ConfigError::Unreadable { file, source }),
    };
    let line = text.lines().next().unwrap_or_default();
    match line.parse() {
        Ok(id) => Ok(Some(id)),
        Err(_) => Err(ConfigError::BadValue {
            origin: Origin::Line { file, line: 1 },
            key: "myid".to_owned(),
            found: format!("{:?}", line.chars().take(64).collect::<String>()),
            allowed: "a whole number from 0 to 255 without blanks".to_owned(),
        }),
    }
}

fn ensemble(draft: &mut Draft, id: Option<u8>, membership: Membership) -> Result<(), String> {
    if id == Some(255) && draft.server.settings.extended_types {
        // spec: CP-EPH-12. Session ids of server 255 would look like TTL markers.
        return Err("extendedTypesEnabled allows ids up to 254, and myid is 255".to_owned());
    }
    if !distributed(draft.quorum.standalone_enabled, &membership)? {
        // spec: CP-ACL-31. Apache's members alone check before they forward; a standalone server
        // has the real checks right behind, and a refusal there takes a zxid.
        draft.server.settings.eager_acl_check = false;
        return Ok(());
    }
    if draft.quorum.init_limit_ticks == 0 {
        return Err("initLimit is not set, and an ensemble needs it".to_owned());
    }
    if draft.quorum.sync_limit_ticks == 0 {
        return Err("syncLimit is not set, and an ensemble needs it".to_owned());
    }
    let Some(id) = id else {
        return Err("the file myid is missing from dataDir, and an ensemble needs it".to_owned());
    };
    if !membership.members.contains_key(&u64::from(id)) {
        return Err(format!("myid is {id}, and no server.{id} is listed"));
    }
    let mut quorum = draft.quorum.clone();
    quorum.id = u64::from(id);
    let several = draft.multi_address && draft.reachability_check;
    quorum.reachability_timeout_ms = several.then_some(draft.reachability_timeout_ms);
    membership.fill(&mut quorum);
    draft.server.settings.keeps_log = keeps_log(draft, &quorum)?;
    draft.server.settings.server_id = id;
    draft.server.quorum = Some(quorum);
    Ok(())
}

/// Only an observer may do without.
// spec: DF-WHO-03
fn keeps_log(draft: &Draft, quorum: &QuorumConfig) -> Result<bool, String> {
    let own = quorum.peers.iter().find(|peer| peer.id == quorum.id);
    let observes = own.is_some_and(|own| !own.votes());
    let keeps = !observes || draft.observer_sync.unwrap_or(draft.sync_enabled);
    if !keeps && draft.server.trace_dir.is_some() {
        // What such a server forgets at its end would be told as a broken disk.
        return Err("vivarium.traceDir needs syncEnabled=true".to_owned());
    }
    Ok(keeps)
}

// spec: CP-CFG-07
fn distributed(standalone_enabled: bool, membership: &Membership) -> Result<bool, String> {
    let voters = membership.participants().count();
    let observers = membership.members.len() - voters;
    match voters {
        0 if !standalone_enabled => Err("standaloneEnabled=false needs a participant".to_owned()),
        0 | 1 if observers > 0 && (voters == 0 || standalone_enabled) => {
            Err("observers need at least two participants".to_owned())
        }
        0 => Ok(false),
        1 => Ok(!standalone_enabled),
        _ => Ok(true),
    }
}

/// Where clients connect; none: nowhere.
// spec: CP-CFG-09, CP-CFG-22. Two client ports for one server: neither may silently win.
fn listener(
    draft: &Draft,
    id: Option<u8>,
    membership: &Membership,
) -> Result<Option<SocketAddr>, String> {
    let fixed = draft.client_port.map(|port| {
        let host = draft.client_host.clone();
        (host.unwrap_or_else(|| "0.0.0.0".to_owned()), port)
    });
    let member = id.and_then(|id| membership.members.get(&u64::from(id)));
    let own = member.and_then(|member| member.client.clone());
    let chosen = match (fixed, own) {
        (None, None) => return Ok(None),
        (None, Some(only)) | (Some(only), None) => only,
        (Some(fixed), Some(own)) => {
            if fixed.1 != own.1 || (fixed.0 != own.0 && !is_wildcard(&fixed.0)) {
                let ((host, port), (own_host, own_port)) = (fixed, own);
                return Err(format!(
                    "clientPort says {host}:{port} and this server's member line says {own_host}:{own_port}"
                ));
            }
            fixed
        }
    };
    let (host, port) = chosen;
    let mut found = (host.as_str(), port)
        .to_socket_addrs()
        .map_err(|error| format!("client address {host}: {error}"))?;
    Ok(found.next())
}

fn is_wildcard(host: &str) -> bool {
    matches!(host, "0.0.0.0" | "::" | "0:0:0:0:0:0:0:0")
}
