//! Bytes in and out of a file, compressed or not.

use std::io::{self, Read, Write};

use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

use crate::disk::DiskFile;
use crate::names::Compression;

/// A file read or written from its start on.
#[derive(Debug)]
pub(crate) struct Cursor {
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) offset: u64,
}

impl Cursor {
    pub(crate) fn new(file: Box<dyn DiskFile>) -> Self {
        Self { file, offset: 0 }
    }
}

impl Read for Cursor {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.offset, buf)?;
        self.offset = self.offset.saturating_add(read as u64);
        Ok(read)
    }
}

impl Write for Cursor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write_at(self.offset, bytes)?;
        self.offset = self.offset.saturating_add(written as u64);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Compresses into a file.
#[derive(Debug)]
pub(crate) enum Encoder {
    Plain(Cursor),
    Gzip(GzEncoder<Cursor>),
    Snappy(SnappyWriter),
}

impl Encoder {
    pub(crate) fn new(cursor: Cursor, compression: Compression) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(cursor),
            Compression::Gzip => Self::Gzip(GzEncoder::new(cursor, flate2::Compression::fast())),
            Compression::Snappy => Self::Snappy(SnappyWriter::new(cursor)?),
        })
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(cursor) => cursor.write_all(bytes),
            Self::Gzip(encoder) => encoder.write_all(bytes),
            Self::Snappy(writer) => writer.write_all(bytes),
        }
    }

    pub(crate) fn cursor(&self) -> &Cursor {
        match self {
            Self::Plain(cursor) => cursor,
            Self::Gzip(encoder) => encoder.get_ref(),
            Self::Snappy(writer) => &writer.cursor,
        }
    }

    pub(crate) fn finish(self) -> io::Result<Cursor> {
        match self {
            Self::Plain(cursor) => Ok(cursor),
            Self::Gzip(encoder) => encoder.finish(),
            Self::Snappy(writer) => writer.finish(),
        }
    }
}

/// Decompresses a file.
pub(crate) fn decoder(cursor: Cursor, compression: Compression) -> Box<dyn Read> {
    match compression {
        Compression::None => Box::new(cursor),
        Compression::Gzip => Box::new(GzDecoder::new(io::BufReader::with_capacity(
            64 * 1024,
            cursor,
        ))),
        Compression::Snappy => Box::new(SnappyReader::new(cursor)),
    }
}

// spec: DF-SNAP-08. The stream container of the Java snappy library: magic, two versions, then blocks with their length.
const SNAPPY_MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const SNAPPY_BLOCK: usize = 32 * 1024;
/// A reader's bound for one block, compressed or not: sixteen times what writers use.
const SNAPPY_LIMIT: usize = 16 * SNAPPY_BLOCK;

#[derive(Debug)]
pub(crate) struct SnappyWriter {
    cursor: Cursor,
    block: Vec<u8>,
}

impl SnappyWriter {
    fn new(mut cursor: Cursor) -> io::Result<Self> {
        cursor.write_all(&SNAPPY_MAGIC)?;
        cursor.write_all(&[0, 0, 0, 1, 0, 0, 0, 1])?;
        Ok(Self {
            cursor,
            block: Vec::with_capacity(SNAPPY_BLOCK),
        })
    }

    fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let room = SNAPPY_BLOCK
                .saturating_sub(self.block.len())
                .min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.block.extend_from_slice(now);
            bytes = later;
            if self.block.len() == SNAPPY_BLOCK {
                self.write_block()?;
            }
        }
        Ok(())
    }

    fn write_block(&mut self) -> io::Result<()> {
        if self.block.is_empty() {
            return Ok(());
        }
        let packed = snap::raw::Encoder::new()
            .compress_vec(&self.block)
            .map_err(io::Error::other)?;
        let len = u32::try_from(packed.len()).map_err(io::Error::other)?;
        self.cursor.write_all(&len.to_be_bytes())?;
        self.cursor.write_all(&packed)?;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Cursor> {
        self.write_block()?;
        Ok(self.cursor)
    }
}

struct SnappyReader {
    source: io::BufReader<Cursor>,
    began: bool,
    block: Vec<u8>,
    used: usize,
}

impl SnappyReader {
    fn new(cursor: Cursor) -> Self {
        Self {
            source: io::BufReader::with_capacity(64 * 1024, cursor),
            began: false,
            block: Vec::new(),
            used: 0,
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        let mut head = [0; 16];
        self.source.read_exact(&mut head)?;
        if !head.starts_with(&SNAPPY_MAGIC) {
            return Err(invalid("not a snappy stream"));
        }
        self.began = true;
        Ok(())
    }

    /// Unpacks the next block; false at the end of the file.
    fn next_block(&mut self) -> io::Result<bool> {
        let mut len = [0; 4];
        if io::BufRead::fill_buf(&mut self.source)?.is_empty() {
            return Ok(false);
        }
        self.source.read_exact(&mut len)?;
        let len = u32::from_be_bytes(len) as usize;
        if len > SNAPPY_LIMIT {
            return Err(invalid("a snappy block is too long"));
        }
        let mut packed = vec![0; len];
        self.source.read_exact(&mut packed)?;
        if snap::raw::decompress_len(&packed).map_err(io::Error::other)? > SNAPPY_LIMIT {
            return Err(invalid("a snappy block unpacks to too much"));
        }
        self.block = snap::raw::Decoder::new()
            .decompress_vec(&packed)
            .map_err(io::Error::other)?;
        self.used = 0;
        Ok(true)
    }
}

impl Read for SnappyReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.began {
            self.begin()?;
        }
        while self.used >= self.block.len() {
            if !self.next_block()? {
                return Ok(0);
            }
        }
        let rest = self.block.get(self.used..).unwrap_or_default();
        let len = rest.len().min(buf.len());
        let (Some(target), Some(source)) = (buf.get_mut(..len), rest.get(..len)) else {
            return Ok(0);
        };
        target.copy_from_slice(source);
        self.used = self.used.saturating_add(len);
        Ok(len)
    }
}

fn invalid(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
