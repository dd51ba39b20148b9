//! One connection's bytes: the handshake, requests in bulk, replies counted.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zk_proto::jute::frame;
use zk_proto::{
    Acl, ConnectRequest, ConnectResponse, Reader, ReplyHeader, Request, RequestHeader, xid,
};

/// Replies are small here; a longer frame means that we lost the thread.
const MAX_REPLY_BYTES: usize = 16 << 20;

/// Opens a connection and a session on it.
pub async fn connect(address: &str, timeout_ms: i32) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("connect to {address}"))?;
    stream.set_nodelay(true)?;
    let mut stream = stream;
    let mut out = Vec::new();
    frame(&mut out, |out| {
        ConnectRequest {
            protocol_version: 0,
            last_zxid_seen: 0,
            timeout: timeout_ms,
            session_id: 0,
            password: Some(&[0; 16]),
            read_only: Some(false),
        }
        .encode(out);
    });
    stream.write_all(&out).await?;
    let answer = read_frame(&mut stream).await.context("handshake")?;
    if ConnectResponse::decode(&answer)?.session_id == 0 {
        bail!("{address} refused the session");
    }
    Ok(stream)
}

/// Sends one request and waits for its reply: header and body.
pub async fn call(stream: &mut TcpStream, request: &Request<'_>) -> Result<(ReplyHeader, Vec<u8>)> {
    let mut out = Vec::new();
    request.encode_frame(1, &mut out);
    stream.write_all(&out).await?;
    loop {
        let reply = read_frame(stream).await?;
        let mut reader = Reader::new(&reply);
        let header = ReplyHeader::read(&mut reader)?;
        if header.xid != xid::EVENT && header.xid != xid::PING {
            return Ok((header, reader.rest().to_vec()));
        }
    }
}

async fn read_frame(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let len = usize::try_from(stream.read_i32().await?)?;
    if len > MAX_REPLY_BYTES {
        bail!("a reply of {len} bytes");
    }
    let mut frame = vec![0; len];
    stream.read_exact(&mut frame).await?;
    Ok(frame)
}

/// The grant that every node of a run gets.
pub fn open_acl() -> zk_proto::Acls<'static> {
    std::iter::once(&Acl::open()).collect()
}

/// An encoded request whose xid is filled in at each use.
#[derive(Clone)]
pub struct Template {
    frame: Vec<u8>,
}

impl Template {
    pub fn new(request: &Request<'_>) -> Self {
        let mut frame = Vec::new();
        request.encode_frame(0, &mut frame);
        Self { frame }
    }

    /// Appends the frame with `xid`.
    pub fn put(&self, xid: i32, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.frame);
        let at = start + size_of::<i32>();
        if let Some(slot) = out.get_mut(at..at + size_of::<i32>()) {
            slot.copy_from_slice(&xid.to_be_bytes());
        }
    }
}

/// A ping, for connections that have nothing to say.
pub fn ping() -> Vec<u8> {
    let mut out = Vec::new();
    frame(&mut out, |out| {
        RequestHeader {
            xid: xid::PING,
            op: zk_proto::OpCode::Ping.code(),
        }
        .write(out);
    });
    out
}

/// Splits what a socket delivers into reply headers.
#[derive(Default)]
pub struct Replies {
    bytes: Vec<u8>,
    /// Bytes in front that have been handed out.
    done: usize,
}

impl Replies {
    /// Where the next read goes. There is always room for all that may be there: a buffer that holds one
    /// reply would make it one read, and one write of one new request, for each.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        const READ_BYTES: usize = 64 << 10;
        self.bytes.drain(..self.done);
        self.done = 0;
        self.bytes.reserve(READ_BYTES);
        &mut self.bytes
    }

    /// The next whole reply's header, if one has arrived.
    pub fn next_header(&mut self) -> Result<Option<ReplyHeader>> {
        let rest = self.bytes.get(self.done..).unwrap_or_default();
        let Some((len, body)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let len = usize::try_from(i32::from_be_bytes(*len))?;
        if len > MAX_REPLY_BYTES {
            bail!("a reply of {len} bytes");
        }
        let Some(reply) = body.get(..len) else {
            return Ok(None);
        };
        let header = ReplyHeader::read(&mut Reader::new(reply))?;
        self.done += len + size_of::<i32>();
        Ok(Some(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zk_proto::Response;

    #[test]
    fn replies_are_found_however_they_are_cut() {
        let mut stream = Vec::new();
        for xid in 1..=3 {
            let header = ReplyHeader {
                xid,
                zxid: 7,
                err: -xid,
            };
            Response::Path("/x".into()).encode_frame(header, &mut stream);
        }
        for cut in 1..stream.len() {
            let mut replies = Replies::default();
            let mut seen = Vec::new();
            for part in stream.chunks(cut) {
                replies.buffer().extend_from_slice(part);
                while let Some(header) = replies.next_header().unwrap() {
                    seen.push((header.xid, header.err));
                }
            }
            assert_eq!(seen, [(1, -1), (2, -2), (3, -3)], "parts of {cut}");
        }
    }

    #[test]
    fn a_template_gets_its_number() {
        let template = Template::new(&Request::Ping);
        let mut out = Vec::new();
        template.put(5, &mut out);
        template.put(-2, &mut out);
        assert_eq!(
            out,
            [
                0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 11, 0, 0, 0, 8, 255, 255, 255, 254, 0, 0, 0, 11
            ]
        );
    }
}
