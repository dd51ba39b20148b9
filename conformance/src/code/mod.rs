//! Cases that need Rust: time, arithmetic, many frames. Their metadata is in
//! the TOML files like everyone's; `code = "name"` points here.

use crate::engine::Stop;
use crate::engine::run::Run;

mod admin;
mod cluster;
mod identities;
mod limits;
mod quotas;
mod removal;
mod robustness;
mod sessions;
mod settings;
mod watches;
mod wire;

type Body = fn(&mut Run<'_>) -> Result<(), Stop>;

const BODIES: &[(&str, Body)] = &[
    (
        "password_is_a_function_of_the_id",
        sessions::password_is_a_function_of_the_id,
    ),
    ("pings_keep_a_session", sessions::pings_keep_a_session),
    (
        "expiry_takes_the_timeout",
        sessions::expiry_takes_the_timeout,
    ),
    (
        "own_address_matches_ip_acl",
        identities::own_address_matches_ip_acl,
    ),
    ("super_user_in_who_am_i", identities::super_user_in_who_am_i),
    (
        "who_am_i_lists_identities",
        identities::who_am_i_lists_identities,
    ),
    (
        "failed_multi_consumes_a_zxid",
        wire::failed_multi_consumes_a_zxid,
    ),
    ("failed_multi_bytes", wire::failed_multi_bytes),
    (
        "exists_watch_event_comes_first",
        watches::exists_watch_event_comes_first,
    ),
    ("any_byte_is_true", watches::any_byte_is_true),
    ("event_before_new_data", watches::event_before_new_data),
    (
        "rearmed_watch_misses_nothing",
        watches::rearmed_watch_misses_nothing,
    ),
    (
        "quota_counts_what_is_there",
        quotas::quota_counts_what_is_there,
    ),
    ("quota_follows_changes", quotas::quota_follows_changes),
    (
        "quota_stats_change_in_silence",
        quotas::quota_stats_change_in_silence,
    ),
    (
        "quota_ends_with_its_limits",
        quotas::quota_ends_with_its_limits,
    ),
    ("quota_is_by_component", quotas::quota_is_by_component),
    (
        "soft_quota_refuses_nothing",
        quotas::soft_quota_refuses_nothing,
    ),
    (
        "hard_count_refuses_creates",
        quotas::hard_count_refuses_creates,
    ),
    ("hard_bytes_refuse_growth", quotas::hard_bytes_refuse_growth),
    (
        "quota_is_checked_before_the_version",
        quotas::quota_is_checked_before_the_version,
    ),
    ("delete_makes_room", quotas::delete_makes_room),
    ("quota_fails_a_multi", quotas::quota_fails_a_multi),
    ("largest_frame", limits::largest_frame),
    ("long_pipeline", limits::long_pipeline),
    ("large_reply", limits::large_reply),
    ("deep_path", limits::deep_path),
    ("long_multi", limits::long_multi),
    ("many_sessions", limits::many_sessions),
    (
        "many_ephemerals_go_together",
        limits::many_ephemerals_go_together,
    ),
    ("byte_by_byte", limits::byte_by_byte),
    ("many_in_one_packet", limits::many_in_one_packet),
    ("pipelined_handshake", limits::pipelined_handshake),
    ("srvr_zxid", admin::srvr_zxid),
    ("wchs_counts", admin::wchs_counts),
    ("stmk_sets_the_mask", admin::stmk_sets_the_mask),
    ("config_text", admin::config_text),
    ("reconfig_standalone", admin::reconfig_standalone),
    ("children_of_zookeeper", admin::children_of_zookeeper),
    ("containers_in_use_stay", removal::containers_in_use_stay),
    ("ttl_with_child_stays", removal::ttl_with_child_stays),
    ("cluster_increments", cluster::cluster_increments),
    ("cluster_sequence", cluster::cluster_sequence),
    ("cluster_monotonic_reads", cluster::cluster_monotonic_reads),
    ("cluster_sync_reads", cluster::cluster_sync_reads),
    ("cluster_pings", cluster::cluster_pings),
    (
        "cluster_follower_catches_up",
        cluster::cluster_follower_catches_up,
    ),
    ("cluster_without_quorum", cluster::cluster_without_quorum),
    ("cluster_rolling_restart", cluster::cluster_rolling_restart),
    ("cluster_frozen_leader", cluster::cluster_frozen_leader),
    ("cluster_isolated_leader", cluster::cluster_isolated_leader),
    (
        "cluster_isolated_follower",
        cluster::cluster_isolated_follower,
    ),
    ("cluster_trees_are_equal", cluster::cluster_trees_are_equal),
    (
        "cluster_trees_are_equal_after_losses",
        cluster::cluster_trees_are_equal_after_losses,
    ),
    ("cluster_one_leader", cluster::cluster_one_leader),
    (
        "readonly_without_local_sessions",
        settings::readonly_without_local_sessions,
    ),
    ("readonly_not_enabled", settings::readonly_not_enabled),
    ("throttled_requests", settings::throttled_requests),
    ("waiting_requests", settings::waiting_requests),
    ("random_bodies", robustness::random_bodies),
    ("random_first_frames", robustness::random_first_frames),
    ("shortened_handshakes", robustness::shortened_handshakes),
    ("unfinished_frames", robustness::unfinished_frames),
    ("huge_multi", robustness::huge_multi),
    ("write_in_multi_read", robustness::write_in_multi_read),
];

/// The function of that name.
pub fn find(name: &str) -> Option<Body> {
    BODIES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, body)| *body)
}

/// Fails with `why` unless `holds`.
fn ensure(holds: bool, why: impl FnOnce() -> String) -> Result<(), Stop> {
    if holds {
        return Ok(());
    }
    Err(Stop::Mismatch(why()))
}

/// Runs `attempt`, which is told its number, until it shows something: `false` is that this machine was too slow for its
/// times.
fn until_conclusive(mut attempt: impl FnMut(usize) -> Result<bool, Stop>) -> Result<(), Stop> {
    const ATTEMPTS: usize = 20;
    for number in 0..ATTEMPTS {
        if attempt(number)? {
            return Ok(());
        }
    }
    Err(Stop::Harness(format!(
        "{ATTEMPTS} times this machine was too slow to tell"
    )))
}
