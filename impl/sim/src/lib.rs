//! Seeded simulation of whole servers.
