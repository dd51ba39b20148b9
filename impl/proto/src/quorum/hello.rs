//! The first bytes on an election connection, written by its opener.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::jute::{Put, Reader};

/// The sid of an observer that has none; the receiver gives it one of its own.
// spec: QP-CNX-03
pub const ANONYMOUS_OBSERVER: i64 = i64::MAX;

const V1: i64 = -65536;
const V2: i64 = -65535;
const MAX_ADDRESS_LEN: usize = 2048;

/// Who dials, and where it can be dialled back.
// spec: QP-CNX-01, QP-CNX-02
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hello {
    /// Nothing but the sid.
    Legacy {
        /// The opener.
        sid: i64,
    },
    /// One election address.
    V1 {
        /// The opener.
        sid: i64,
        /// `host:port`, an IPv6 literal in brackets.
        address: String,
    },
    /// Several election addresses; sent only where several are configured.
    V2 {
        /// The opener.
        sid: i64,
        /// `host:port|host:port...`
        addresses: String,
    },
}

impl Hello {
    /// The opener.
    pub fn sid(&self) -> i64 {
        match self {
            Self::Legacy { sid } | Self::V1 { sid, .. } | Self::V2 { sid, .. } => *sid,
        }
    }

    /// The opener's addresses as written: none, one, or several.
    pub fn addresses(&self) -> impl Iterator<Item = &str> {
        let text = match self {
            Self::Legacy { .. } => "",
            Self::V1 { address, .. } => address,
            Self::V2 { addresses, .. } => addresses,
        };
        text.split('|').filter(|address| !address.is_empty())
    }

    /// The hello at the start of `input` and its length in bytes; `None` if it goes on past the end of `input`.
    pub fn decode(input: &[u8]) -> Result<Option<(Self, usize)>, DecodeError> {
        let reader = &mut Reader::new(input);
        match Self::read(reader) {
            Ok(hello) => Ok(Some((
                hello,
                input.len().saturating_sub(reader.remaining()),
            ))),
            Err(DecodeError::Truncated) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = reader.long()?;
        if version >= 0 {
            return Ok(Self::Legacy { sid: version });
        }
        if version != V1 && version != V2 {
            return Err(DecodeError::Value {
                field: "election protocol version",
                value: version,
            });
        }
        let sid = reader.long()?;
        let announced = reader.int()?;
        let len = usize::try_from(announced)
            .ok()
            .filter(|len| (1..=MAX_ADDRESS_LEN).contains(len));
        let len = len.ok_or(DecodeError::Length {
            len: announced.into(),
            limit: MAX_ADDRESS_LEN,
        })?;
        let text = String::from_utf8_lossy(reader.bytes(len)?).into_owned();
        Ok(if version == V1 {
            Self::V1 { sid, address: text }
        } else {
            Self::V2 {
                sid,
                addresses: text,
            }
        })
    }

    /// Appends the hello. It must leave in one write: Java reads the address once and does not wait for the rest.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let (version, text) = match self {
            Self::Legacy { sid } => return out.put_long(*sid),
            Self::V1 { address, .. } => (V1, address),
            Self::V2 { addresses, .. } => (V2, addresses),
        };
        out.put_long(version);
        out.put_long(self.sid());
        out.put_string(text);
    }
}
