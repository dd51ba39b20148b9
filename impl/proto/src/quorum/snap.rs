//! The end of a snapshot stream. The stream itself is [`crate::snapshot`]'s.

use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::jute::{Put, Reader};

/// Stands behind the stream; packets follow it.
// spec: QP-SYN-06
pub const SNAP_END: &str = "BenWasHere";

/// Appends the end mark.
pub fn put_snap_end(out: &mut Vec<u8>) {
    out.put_string(SNAP_END);
}

/// The length of the end mark at the start of `input`, or `None` if `input` ends within it.
// spec: QP-SYN-11
pub fn read_snap_end(input: &[u8]) -> Result<Option<usize>, DecodeError> {
    let reader = &mut Reader::with_limit(input, SNAP_END.len());
    match reader.string("end of snapshot") {
        Ok(text) if text == SNAP_END => Ok(Some(input.len().saturating_sub(reader.remaining()))),
        Ok(_) => Err(DecodeError::Value {
            field: "end of snapshot",
            value: 0,
        }),
        Err(DecodeError::Truncated) => Ok(None),
        Err(error) => Err(error),
    }
}
