//! One server against a scripted rest of the world, rule by rule: what it does
//! on each message, and what a hostile or confused peer cannot make it do.

#![expect(clippy::expect_used, reason = "a test that cannot go on fails")]

mod broadcast;
mod discovery;
mod election;
mod follower;
mod host;
mod opening;
mod reads;
mod restart;
mod sync;
