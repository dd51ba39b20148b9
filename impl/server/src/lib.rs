//! The production server: ports, threads, timers and zoo.cfg around zk-node.
