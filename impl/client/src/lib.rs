//! An async ZooKeeper client.
