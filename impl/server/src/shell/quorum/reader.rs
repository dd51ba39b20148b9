//! What comes over a link: whole packets to the driver, a snapshot's stream to the disk.

use super::links::Links;
use bytes::{Bytes, BytesMut};
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use tokio::io::AsyncReadExt;
use tokio::net::tcp::OwnedReadHalf;
use zab::{LinkId, Message, Zxid};
use zk_node::Input;
use zk_node::disk::{Command, Incoming};
use zk_proto::DecodeError;
use zk_proto::quorum::{Packet, packet_len};
use zk_storage::Compression;

/// Why a link's reader ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error("the connection: {0}")]
    Connection(#[from] io::Error),
    #[error("what came over it: {0}")]
    Packet(#[from] DecodeError),
    #[error("what came over it: {0}")]
    Stream(zk_storage::Error),
    #[error("a leader's snapshot could not be kept: {0}")]
    Disk(zk_storage::Error),
}

/// Blames who is to blame: the sender of the stream, or the disk here.
impl From<zk_storage::Error> for Ended {
    fn from(error: zk_storage::Error) -> Self {
        if matches!(error, zk_storage::Error::BadSnapshot { .. }) {
            Self::Stream(error)
        } else {
            Self::Disk(error)
        }
    }
}

pub(super) struct LinkReader {
    links: Arc<Links>,
    id: LinkId,
    buffer: BytesMut,
    /// Cut off and not yet told.
    received: Vec<Input>,
}

impl LinkReader {
    /// `bytes` were read from the link already.
    pub(super) fn new(links: Arc<Links>, id: LinkId, bytes: Bytes) -> Self {
        Self {
            links,
            id,
            buffer: BytesMut::from(&bytes[..]),
            received: Vec::new(),
        }
    }

    /// Reads until the link ends.
    ///
    /// # Errors
    /// Why it ended: the socket, a bad packet, or a snapshot that could not be kept.
    pub(super) async fn run(&mut self, mut input: OwnedReadHalf) -> Result<Infallible, Ended> {
        loop {
            let before = self.buffer.len();
            let cut = self.cut();
            // What was whole is told, whatever comes behind it.
            let bytes = before - self.buffer.len();
            self.links.report(self.id, self.received.drain(..), bytes);
            if let Some(zxid) = cut? {
                self.snapshot(&mut input, zxid).await?;
                self.received(Message::Snap { zxid: Zxid(zxid) });
                continue;
            }
            // What the peer sends faster than this server takes and stores it stays with the peer.
            self.links.driver.room().await;
            self.links.log.room().await;
            self.fill(&mut input).await?;
        }
    }

    /// Cuts off the whole packets that were read, up to a SNAP: its zxid, and its stream comes next.
    fn cut(&mut self) -> Result<Option<i64>, DecodeError> {
        while let Some(len) = packet_len(&self.buffer, self.links.limit_bytes)? {
            let packet = Packet::decode(&self.buffer.split_to(len).freeze())?;
            if let Packet::Snap { zxid } = packet {
                return Ok(Some(zxid));
            }
            self.received(packet.into_core()?);
        }
        Ok(None)
    }

    fn received(&mut self, message: Message<Bytes>) {
        let link = self.id;
        self.received.push(Input::Received { link, message });
    }

    async fn fill(&mut self, input: &mut OwnedReadHalf) -> io::Result<()> {
        self.buffer.reserve(16 << 10);
        match input.read_buf(&mut self.buffer).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The stream behind a SNAP, to a file. The core hears of the SNAP once it is whole.
    // spec: QP-SYN-06, QP-SYN-11, FT-QRM-11
    async fn snapshot(&mut self, input: &mut OwnedReadHalf, zxid: i64) -> Result<(), Ended> {
        let mut incoming = Incoming::begin(&self.links.store, zxid, Compression::None)?;
        loop {
            match incoming.receive(&self.buffer)? {
                Some(used) => {
                    drop(self.buffer.split_to(used));
                    break;
                }
                None => self.buffer.clear(),
            }
            self.fill(input).await?;
            self.links.driver.push(Input::Progress { link: self.id });
        }
        let prepared = incoming.finish()?;
        // In the log thread's hands before the core can ask for it.
        self.links.log.push(Command::Received(prepared));
        Ok(())
    }
}
