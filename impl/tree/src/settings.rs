//! What an operator may choose about the tree.

/// Switches of the tree and of the checks before a txn. `Default` is ZooKeeper's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Znodes with a time to live. The same on every server, or owners are read differently.
    // spec: CP-EPH-10, QP-TXN-08
    pub extended_types: bool,
    /// Reads owners that ZooKeeper 3.5.3 wrote.
    // spec: CP-EPH-13
    pub emulate_353_ttl_nodes: bool,
    /// Hard quotas refuse writes.
    // spec: CP-QUO-06
    pub enforce_quota: bool,
    /// Every ACL check passes.
    // spec: CP-ACL-15
    pub skip_acl: bool,
    /// The txn that closes a session names the znodes that go with it.
    // spec: CP-EPH-05
    pub close_session_txn: bool,
    /// Txns carry the tree's digest.
    // spec: DF-DIG-01
    pub digest: bool,
    /// No txn's record is longer, bytes; what would be is refused before it gets that far.
    // spec: QP-DEF-21. A record above the readers' limit could never be replayed.
    pub max_txn_bytes: usize,
}

impl Settings {
    /// `max_txn_bytes` where readers take records of `limit_bytes`: header and digest of the txn count too.
    #[must_use]
    pub fn longest_txn(limit_bytes: usize) -> usize {
        limit_bytes.saturating_sub(64)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            extended_types: false,
            emulate_353_ttl_nodes: false,
            enforce_quota: false,
            skip_acl: false,
            close_session_txn: true,
            digest: true,
            // What Java's readers take at their defaults: `jute.maxbuffer` and its extra size.
            max_txn_bytes: Self::longest_txn(2 * 0xf_ffff),
        }
    }
}
