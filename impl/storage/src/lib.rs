//! Apache ZooKeeper's transaction logs, snapshots and epoch files over a small Disk trait.
