//! The transaction log's framing. Checksums are computed by the storage layer.

use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::jute::{Put, Reader};

/// What both logs and snapshots begin with. 16 bytes.
// spec: DF-SNAP-12. Readers check the magic and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// Four letters.
    pub magic: [u8; 4],
    /// 2
    pub version: i32,
    /// 0 in logs, -1 in snapshots.
    pub dbid: i64,
}

impl FileHeader {
    /// Encoded size in bytes.
    pub const LEN: usize = 16;
    /// A log's.
    pub const LOG: Self = Self {
        magic: *b"ZKLG",
        version: 2,
        dbid: 0,
    };
    /// A snapshot's.
    pub const SNAPSHOT: Self = Self {
        magic: *b"ZKSN",
        version: 2,
        dbid: -1,
    };

    /// Reads a header that must have the magic of `expected`.
    pub fn read(reader: &mut Reader<'_>, expected: Self) -> Result<Self, DecodeError> {
        let magic = reader.array::<4>()?;
        if magic != expected.magic {
            return Err(DecodeError::Value {
                field: "magic",
                value: i32::from_be_bytes(magic).into(),
            });
        }
        Ok(Self {
            magic,
            version: reader.int()?,
            dbid: reader.long()?,
        })
    }

    /// Appends the header.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.put_raw(&self.magic);
        out.put_int(self.version);
        out.put_long(self.dbid);
    }
}

/// What stands in front of a log record's payload. 12 bytes; all zero is the zero fill behind the last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// Adler-32 of the payload; the upper half is zero.
    pub checksum: i64,
    /// Payload length in bytes.
    pub len: i32,
}

impl RecordHead {
    /// Encoded size in bytes.
    pub const LEN: usize = 12;
    /// What stands behind the payload.
    pub const END: u8 = b'B';
    /// Bytes of a record besides its payload. spec: DF-LOG-01
    pub const OVERHEAD: usize = Self::LEN + 1;

    /// Reads the head as it is; the storage layer judges it.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            checksum: reader.long()?,
            len: reader.int()?,
        })
    }
}

/// Appends a whole record: head, payload, end byte.
pub fn put_record(out: &mut Vec<u8>, payload: &[u8], adler32: u32) {
    out.put_long(adler32.into());
    out.put_buffer(Some(payload));
    out.put_byte(RecordHead::END);
}
