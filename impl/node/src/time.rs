//! Time as the host passes it in.

/// A moment on both of the host's clocks. Nothing in this crate reads a clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Monotonic milliseconds since an arbitrary start; sessions and deadlines use only this one.
    pub mono_ms: u64,
    /// Milliseconds since 1970 on the wall clock; what ctime, mtime and session ids show.
    pub wall_ms: i64,
}
