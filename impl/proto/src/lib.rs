//! ZooKeeper's bytes: jute records, client frames, quorum packets, log and snapshot records.
