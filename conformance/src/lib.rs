//! ZooKeeper's client semantics as a suite that tests any server.
