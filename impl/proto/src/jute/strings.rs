//! Vectors that stay encoded until they are walked, so that an announced count costs nothing.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use crate::error::DecodeError;
use crate::jute::{Put, Reader};

/// A vector's elements as bytes, known to decode. `count` elements, without the count itself.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Encoded<'a> {
    pub(crate) count: u32,
    pub(crate) bytes: Cow<'a, [u8]>,
}

impl<'a> Encoded<'a> {
    /// Reads count and elements, each checked by `element`; `None` is the null vector.
    pub(crate) fn read<T>(
        reader: &mut Reader<'a>,
        mut element: impl FnMut(&mut Reader<'a>) -> Result<T, DecodeError>,
    ) -> Result<Option<Self>, DecodeError> {
        let Some(count) = reader.count()? else {
            return Ok(None);
        };
        let (bytes, ()) = reader.measured(|reader| {
            for _ in 0..count {
                element(reader)?;
            }
            Ok(())
        })?;
        Ok(Some(Self {
            count,
            bytes: Cow::Borrowed(bytes),
        }))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.put_count(self.count as usize);
        out.put_raw(&self.bytes);
    }

    pub(crate) fn reader(&self) -> Reader<'_> {
        Reader::with_limit(&self.bytes, usize::MAX)
    }
}

/// A vector of strings, walked without building it. Null elements are refused when read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Strings<'a>(Encoded<'a>);

impl<'a> Strings<'a> {
    /// Reads a vector; null counts as empty.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(Self::read_or_null(reader)?.unwrap_or_default())
    }

    /// Reads a vector; `None` is null.
    pub fn read_or_null(reader: &mut Reader<'a>) -> Result<Option<Self>, DecodeError> {
        let element = |reader: &mut Reader<'a>| reader.string("vector element").map(drop);
        Ok(Encoded::read(reader, element)?.map(Self))
    }

    /// Appends count and elements.
    pub fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.0.count as usize
    }

    /// True without strings.
    pub fn is_empty(&self) -> bool {
        self.0.count == 0
    }

    /// The strings in order.
    pub fn iter(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let mut reader = self.0.reader();
        (0..self.0.count).map_while(move |_| reader.string("vector element").ok())
    }
}

impl<S: AsRef<str>> FromIterator<S> for Strings<'static> {
    fn from_iter<I: IntoIterator<Item = S>>(items: I) -> Self {
        let (mut bytes, mut count) = (Vec::new(), 0u32);
        for item in items {
            bytes.put_string(item.as_ref());
            count = count.saturating_add(1);
        }
        Self(Encoded {
            count,
            bytes: Cow::Owned(bytes),
        })
    }
}
