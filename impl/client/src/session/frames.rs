//! Cuts what arrives into frames.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Received bytes that are not yet a whole frame, or not yet taken.
pub(super) struct Frames {
    bytes: Vec<u8>,
    done: usize,
    max_bytes: usize,
}

impl Frames {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self {
            bytes: Vec::new(),
            done: 0,
            max_bytes,
        }
    }

    /// Reads once; `Ok(0)` is the end of the stream. Nothing is lost when the call is dropped.
    pub(super) async fn receive(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<usize> {
        self.bytes.drain(..self.done);
        self.done = 0;
        stream.read_buf(&mut self.bytes).await
    }

    /// The next whole frame, without its length.
    // spec: CP-FRM-01. The buffer grows with what arrives, never by what is announced.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        let rest = self.bytes.get(self.done..).unwrap_or_default();
        let Some((len, body)) = rest.split_first_chunk() else {
            return Ok(None);
        };
        let len = usize::try_from(i32::from_be_bytes(*len))
            .ok()
            .filter(|len| *len <= self.max_bytes)
            .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        let Some(frame) = body.get(..len) else {
            return Ok(None);
        };
        self.done += len + size_of::<i32>();
        Ok(Some(frame))
    }

    /// Reads until there is a frame, and takes it.
    pub(super) async fn read_one(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> io::Result<Vec<u8>> {
        loop {
            if let Some(frame) = self.next()? {
                return Ok(frame.to_vec());
            }
            if self.receive(stream).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio_test::io::Builder;

    #[tokio::test]
    async fn frames_come_in_pieces_and_in_bulk() {
        let mut stream = Builder::new()
            .read(&[0, 0])
            .read(&[0, 2, 7])
            .read(&[8, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0])
            .build();
        let mut frames = Frames::new(2);
        for expected in [&[7, 8][..], &[], &[9]] {
            assert_eq!(frames.read_one(&mut stream).await.unwrap(), expected);
        }
        let end = frames.read_one(&mut stream).await.unwrap_err();
        assert_eq!(end.kind(), io::ErrorKind::UnexpectedEof);
    }

    // spec: CP-FRM-05
    #[tokio::test]
    async fn a_length_out_of_bounds_is_an_error_at_once() {
        for length in [3i32, i32::MAX, -1] {
            let mut stream = Builder::new().read(&length.to_be_bytes()).build();
            let error = Frames::new(2).read_one(&mut stream).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
    }
}
