//! The znode tree: request to txn to apply, ACLs, quotas, watches, digests.
