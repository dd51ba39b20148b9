//! Benches and load generator.
