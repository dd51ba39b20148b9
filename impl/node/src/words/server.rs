//! The server as a whole: `srvr`, `stat`, `mntr`, `conf`, `envi`, `dirs`, `hash`.

use std::fmt::Display;

use super::connections::brief;
use super::text::{Double, average};
use super::{Asked, Member};
use crate::stats::{Mode, ServerView, Sizes};
use zk_tree::Mutant;

// spec: CP-FLW-11
pub(super) fn srvr(asked: &Asked<'_>) -> String {
    let (mode, view) = (asked.facts.mode(), asked.facts.server());
    head(asked, mode) + &totals(mode, &view)
}

// spec: CP-FLW-12
pub(super) fn stat(asked: &Asked<'_>) -> String {
    let (mode, view) = (asked.facts.mode(), asked.facts.server());
    let mut text = head(asked, mode) + "Clients:\n";
    text.extend(asked.facts.connections().iter().map(brief));
    text + "\n" + &totals(mode, &view)
}

// spec: CP-RO-08
fn head(asked: &Asked<'_>, mode: Mode) -> String {
    let read_only = match mode {
        Mode::ReadOnly => "READ-ONLY mode; serving only read-only clients\n",
        Mode::NotServing | Mode::Standalone | Mode::Leader | Mode::Follower | Mode::Observer => "",
    };
    format!("Zookeeper version: {}\n{read_only}", asked.about.version)
}

fn totals(mode: Mode, view: &ServerView) -> String {
    let latency = &view.latency;
    let mut text = format!(
        "Latency min/avg/max: {}/{}/{}\nReceived: {}\nSent: {}\nConnections: {}\nOutstanding: {}\n\
         Zxid: 0x{:x}\nMode: {}\nNode count: {}\n",
        latency.min_ms.unwrap_or(0),
        average(latency.average_ms()),
        latency.max_ms,
        view.packets_received,
        view.packets_sent,
        view.connections,
        view.outstanding,
        view.zxid,
        mode_name(mode),
        view.znodes,
    );
    if Mutant::SrvrWithoutNodeCount.acts() {
        text = text.replace("Node count", "Nodes");
    }
    if let Some(Sizes { last, min, max }) = view.proposals {
        text.push_str(&format!(
            "Proposal sizes last/min/max: {last}/{min}/{max}\n"
        ));
    }
    text
}

const fn mode_name(mode: Mode) -> &'static str {
    match mode {
        Mode::Standalone => "standalone",
        Mode::Leader => "leader",
        Mode::Follower => "follower",
        Mode::Observer => "observer",
        Mode::ReadOnly => "read-only",
        Mode::NotServing => "not serving",
    }
}

// spec: CP-FLW-15
pub(super) fn conf(asked: &Asked<'_>) -> String {
    let (about, settings) = (asked.about, asked.settings);
    let (data_bytes, log_bytes) = asked.host.directory_sizes();
    let client_port = about.client_port.map_or(-1, i32::from);
    let mut text = format!(
        "clientPort={client_port}\nsecureClientPort=-1\ndataDir={}\ndataDirSize={data_bytes}\n\
         dataLogDir={}\ndataLogSize={log_bytes}\ntickTime={}\nmaxClientCnxns={}\n\
         minSessionTimeout={}\nmaxSessionTimeout={}\nclientPortListenBacklog={}\nserverId={}\n",
        about.data_dir,
        about.data_log_dir,
        settings.tick_time_ms,
        settings.max_client_connections_per_address,
        settings.min_session_timeout_ms,
        settings.max_session_timeout_ms,
        about.client_backlog,
        about.member.as_ref().map_or(0, |member| member.id),
    );
    if let Some(member) = &about.member {
        text.push_str(&member_lines(member));
        // A read-only server knows no membership that anybody should rely on.
        if asked.facts.mode() != Mode::ReadOnly {
            text.push_str(&format!("membership: \n{}", member.membership));
        }
    }
    text
}

fn member_lines(member: &Member) -> String {
    let joined = |ports: &[u16]| {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        ports.join("|")
    };
    format!(
        "initLimit={}\nsyncLimit={}\nelectionAlg=3\nelectionPort={}\nquorumPort={}\npeerType={}\n",
        member.init_limit_ticks,
        member.sync_limit_ticks,
        joined(&member.election_ports),
        joined(&member.quorum_ports),
        u8::from(member.observer),
    )
}

// spec: CP-FLW-16
pub(super) fn envi(asked: &Asked<'_>) -> String {
    let mut text = "Environment:\n".to_owned();
    for (key, value) in asked.host.environment() {
        text.push_str(&format!("{key}={value}\n"));
    }
    text
}

// spec: CP-FLW-24
pub(super) fn dirs(asked: &Asked<'_>) -> String {
    let (data_bytes, log_bytes) = asked.host.directory_sizes();
    format!("datadir_size: {data_bytes}\nlogdir_size: {log_bytes}\n")
}

// spec: CP-FLW-27
pub(super) fn hash(asked: &Asked<'_>) -> String {
    let digests = asked.facts.digests();
    // The digest is 64 bits that Java prints as a signed number.
    digests
        .iter()
        .map(|view| format!("{:x}: {}\n", view.zxid, view.digest.cast_signed()))
        .collect()
}

// spec: CP-FLW-14, CP-MET-01
pub(super) fn mntr(asked: &Asked<'_>) -> String {
    let (mode, view) = (asked.facts.mode(), asked.facts.server());
    let mut metrics = Metrics::default();
    metrics.put("version", &asked.about.version);
    metrics.put("server_state", mode_name(mode));
    if let Some(state) = peer_state(mode) {
        metrics.put("peer_state", state);
    }
    gauges(&mut metrics, &view);
    metrics.put("open_file_descriptor_count", asked.host.open_files());
    metrics.put("max_file_descriptor_count", asked.host.max_open_files());
    ensemble(&mut metrics, mode, &view);
    counters(&mut metrics, &view);
    metrics.0
}

#[derive(Default)]
struct Metrics(String);

impl Metrics {
    fn put(&mut self, name: &str, value: impl Display) {
        if Mutant::MntrWithSpaces.acts() {
            return self.0.push_str(&format!("zk_{name} {value}\n"));
        }
        self.0.push_str(&format!("zk_{name}\t{value}\n"));
    }
}

/// A member's state and phase, as Apache names them; none when there is no ensemble.
const fn peer_state(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::Leader => Some("leading - broadcast"),
        Mode::Follower => Some("following - broadcast"),
        Mode::Observer => Some("observing - broadcast"),
        Mode::ReadOnly => Some("looking"),
        Mode::Standalone | Mode::NotServing => None,
    }
}

fn gauges(metrics: &mut Metrics, view: &ServerView) {
    metrics.put("avg_latency", average(view.latency.average_ms()));
    metrics.put("min_latency", view.latency.min_ms.unwrap_or(0));
    metrics.put("max_latency", view.latency.max_ms);
    metrics.put("packets_received", view.packets_received);
    metrics.put("packets_sent", view.packets_sent);
    metrics.put("num_alive_connections", view.connections);
    metrics.put("outstanding_requests", view.outstanding);
    metrics.put("uptime", view.uptime_ms);
    metrics.put("znode_count", view.znodes);
    metrics.put("watch_count", view.watches);
    metrics.put("ephemerals_count", view.ephemerals);
    metrics.put("approximate_data_size", view.data_size_bytes);
    metrics.put("global_sessions", view.global_sessions);
    metrics.put("local_sessions", view.local_sessions);
    metrics.put("last_client_response_size", view.client_responses.last);
    metrics.put("min_client_response_size", view.client_responses.min);
    metrics.put("max_client_response_size", view.client_responses.max);
    metrics.put("auth_failed_count", view.counters.auth_failed_count);
    metrics.put("connection_drop_probability", Double(view.drop_chance));
}

fn ensemble(metrics: &mut Metrics, mode: Mode, view: &ServerView) {
    if mode == Mode::Standalone {
        return;
    }
    metrics.put("quorum_size", view.quorum_size);
    if matches!(mode, Mode::Leader | Mode::Follower) {
        metrics.put("synced_observers", view.synced_observers);
    }
    metrics.put("peers_refused", view.counters.peers_refused);
    metrics.put("peer_errors", view.counters.peer_errors);
    let Some(proposals) = view.proposals else {
        return;
    };
    metrics.put("learners", view.learners);
    metrics.put("synced_followers", view.synced_followers);
    metrics.put("last_proposal_size", proposals.last);
    metrics.put("min_proposal_size", proposals.min);
    metrics.put("max_proposal_size", proposals.max);
}

fn counters(metrics: &mut Metrics, view: &ServerView) {
    let counters = &view.counters;
    for (name, value) in [
        (
            "connection_request_count",
            counters.connection_request_count,
        ),
        ("connection_rejected", counters.connection_rejected),
        ("connection_drop_count", counters.connection_drop_count),
        (
            "connection_revalidate_count",
            counters.connection_revalidate_count,
        ),
        (
            "sessionless_connections_expired",
            counters.sessionless_connections_expired,
        ),
        ("stale_sessions_expired", counters.stale_sessions_expired),
        ("stale_requests", counters.stale_requests),
        ("stale_requests_dropped", counters.stale_requests_dropped),
        ("large_requests_rejected", counters.large_requests_rejected),
        ("throttled_ops", counters.throttled_ops),
        ("bytes_received_count", counters.bytes_received_count),
        ("response_bytes", counters.response_bytes),
        ("watch_bytes", counters.watch_bytes),
        ("commit_count", counters.commit_count),
        ("proposal_count", counters.proposal_count),
        ("snap_count", counters.snap_count),
        ("snapshot_error_count", counters.snapshot_error_count),
        ("diff_count", counters.diff_count),
        ("looking_count", counters.looking_count),
        ("protocol_errors", counters.protocol_errors),
        ("wrong_session_passwords", counters.wrong_session_passwords),
        ("digest_mismatches_count", counters.digest_mismatches_count),
        ("cnt_fsynctime", counters.fsync_count),
        ("sum_fsynctime", counters.fsync_ms),
        (
            "fsync_threshold_exceed_count",
            counters.fsync_threshold_exceed_count,
        ),
    ] {
        metrics.put(name, value);
    }
}
