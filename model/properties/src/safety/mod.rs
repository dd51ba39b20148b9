//! S1-S28: what holds in every state and of every step of an ensemble (zab-model section 7).

mod s01_leadership;
mod s02_primary_uniqueness;
mod s03_prefix_consistency;
mod s04_integrity;
mod s05_agreement;
mod s06_total_order;
mod s07_local_primary_order;
mod s08_global_primary_order;
mod s09_primary_integrity;
mod s10_initial_history;
mod s11_commit_consistency;
mod s12_history_consistency;
mod s13_process_consistency;
mod s14_leader_completeness;
mod s15_durability;
mod s16_monotone_commits;
mod s17_acked_survives;
mod s18_epochs_monotone;
mod s19_epoch_promise;
mod s20_ack_is_durable;
mod s21_memory_is_disk;
mod s22_commit_needs_quorum;
mod s23_no_gap;
mod s24_no_stale_effect;
mod s25_no_fault;
mod s26_zxid_sanity;
mod s27_opens_on_durable_history;
mod s28_confirmed_read;

use alloc::vec::Vec;

use crate::{Invariant, Value};

/// All safety properties, in the order of their numbers.
pub fn all<T: Value>() -> Vec<Invariant<T>> {
    alloc::vec![
        s01_leadership::invariant(),
        s02_primary_uniqueness::invariant(),
        s03_prefix_consistency::invariant(),
        s04_integrity::invariant(),
        s05_agreement::invariant(),
        s06_total_order::invariant(),
        s07_local_primary_order::invariant(),
        s08_global_primary_order::invariant(),
        s09_primary_integrity::invariant(),
        s10_initial_history::invariant(),
        s11_commit_consistency::invariant(),
        s12_history_consistency::invariant(),
        s13_process_consistency::invariant(),
        s14_leader_completeness::invariant(),
        s15_durability::invariant(),
        s16_monotone_commits::invariant(),
        s17_acked_survives::invariant(),
        s18_epochs_monotone::invariant(),
        s19_epoch_promise::invariant(),
        s20_ack_is_durable::invariant(),
        s21_memory_is_disk::invariant(),
        s22_commit_needs_quorum::invariant(),
        s23_no_gap::invariant(),
        s24_no_stale_effect::invariant(),
        s25_no_fault::invariant(),
        s26_zxid_sanity::invariant(),
        s27_opens_on_durable_history::invariant(),
        s28_confirmed_read::invariant(),
    ]
}

#[cfg(test)]
mod tests;
