//! Targets for fuzzing: plain functions over bytes that panic if a decoder does, or if what it decodes does not
//! survive another round. `tests/corpora.rs` runs them over recorded and mutated bytes; any fuzzer can call them.

pub mod replica;

use bytes::Bytes;
use zk_proto::connect::{ConnectRequest, ConnectResponse};
use zk_proto::header::{ReplyHeader, RequestHeader};
use zk_proto::jute::{DEFAULT_LIMIT, Reader};
use zk_proto::log::{FileHeader, RecordHead};
use zk_proto::quorum::{
    ForwardedRequest, Hello, Notification, Packet, Touch, Validity, next_frame, packet_len,
    read_snap_end,
};
use zk_proto::snapshot::{Decoder, Seal, SnapshotDigest};
use zk_proto::{OpCode, Request, Response, TxnRecord, WatcherEvent};

/// A named target.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. The name is its corpus' folder.
pub const TARGETS: [Target; 9] = [
    ("connect", connect),
    ("request", request),
    ("response", response),
    ("txn", txn),
    ("log", log),
    ("snapshot", snapshot),
    ("election", election),
    ("packets", packets),
    ("forwarded", forwarded),
];

/// The payload of a handshake frame, either way.
pub fn connect(input: &[u8]) {
    if let Ok(request) = ConnectRequest::decode(input) {
        let mut out = Vec::new();
        request.encode(&mut out);
        assert_eq!(ConnectRequest::decode(&out), Ok(request));
    }
    if let Ok(response) = ConnectResponse::decode(input) {
        let mut out = Vec::new();
        response.encode(&mut out);
        assert_eq!(ConnectResponse::decode(&out), Ok(response));
    }
}

/// The payload of a client's frame: header and body.
pub fn request(input: &[u8]) {
    let mut reader = Reader::new(input);
    let Ok(header) = RequestHeader::read(&mut reader) else {
        return;
    };
    let Some(op) = OpCode::from_code(header.op) else {
        return;
    };
    let Ok(Some(request)) = Request::decode(op, reader.rest()) else {
        return;
    };
    assert_eq!(request.op(), op);
    if let Request::Multi(ops) | Request::MultiRead(ops) = &request {
        assert_eq!(ops.iter().count(), ops.len());
    }
    let mut out = Vec::new();
    request.encode(&mut out);
    assert_eq!(Request::decode(op, &out), Ok(Some(request)));
}

/// An op code in four bytes, then a reply's body.
pub fn response(input: &[u8]) {
    let mut reader = Reader::new(input);
    if let Ok(event) = WatcherEvent::read(&mut reader.clone()) {
        let mut out = Vec::new();
        event.write(&mut out);
    }
    ReplyHeader::read(&mut reader.clone()).ok();
    let Some(op) = reader.int().ok().and_then(OpCode::from_code) else {
        return;
    };
    let Ok(response) = Response::decode(op, reader.rest()) else {
        return;
    };
    let mut out = Vec::new();
    response.encode(&mut out);
    assert!(Response::decode(op, &out).is_ok());
}

/// A transaction as log and proposals have it.
pub fn txn(input: &[u8]) {
    let Ok(record) = TxnRecord::decode(input) else {
        return;
    };
    let mut out = Vec::new();
    record.encode(&mut out);
    assert_eq!(TxnRecord::decode(&out), Ok(record));
}

/// A log file, read as a storage layer would without checksums.
pub fn log(input: &[u8]) {
    let mut reader = Reader::new(input);
    if FileHeader::read(&mut reader, FileHeader::LOG).is_err() {
        return;
    }
    while let Ok(head) = RecordHead::read(&mut reader) {
        let Ok(len) = usize::try_from(head.len) else {
            return;
        };
        let Ok(payload) = reader.bytes(len) else {
            return;
        };
        if len == 0 || reader.byte() != Ok(RecordHead::END) {
            return;
        }
        txn(payload);
    }
}

/// A snapshot file, or the stream of a SNAP if the file's header is not there.
pub fn snapshot(input: &[u8]) {
    let mut reader = Reader::new(input);
    let in_file = FileHeader::read(&mut reader, FileHeader::SNAPSHOT).is_ok();
    let mut rest = if in_file { reader.rest() } else { input };
    let mut decoder = Decoder::new(DEFAULT_LIMIT);
    while let Ok(Some((piece, used))) = decoder.next(rest) {
        let mut out = Vec::new();
        piece.write(&mut out);
        rest = rest.get(used..).unwrap_or_default();
    }
    if !decoder.is_done() {
        return;
    }
    read_snap_end(rest).ok();
    let mut reader = Reader::new(rest);
    if Seal::read(&mut reader).is_ok() && SnapshotDigest::read(&mut reader).is_ok() {
        Seal::read(&mut reader).ok();
    }
}

/// An election connection: hello, then frames.
pub fn election(input: &[u8]) {
    let Ok(Some((hello, mut used))) = Hello::decode(input) else {
        return;
    };
    assert!(hello.addresses().count() <= 2048);
    while let Ok(Some((payload, len))) = next_frame(input.get(used..).unwrap_or_default()) {
        used += len;
        let Ok(vote) = Notification::decode(payload) else {
            continue;
        };
        let config = vote.config.clone().unwrap_or_default();
        assert_eq!(
            Notification::from_core(&vote.to_core(), &config).leader,
            vote.leader
        );
        let mut out = Vec::new();
        vote.encode_frame(&mut out);
    }
}

/// A quorum connection: packets back to back, a snapshot stream behind each SNAP.
pub fn packets(input: &[u8]) {
    let mut rest = input;
    while let Ok(Some(len)) = packet_len(rest, DEFAULT_LIMIT) {
        let bytes = Bytes::copy_from_slice(rest.get(..len).unwrap_or_default());
        rest = rest.get(len..).unwrap_or_default();
        let Ok(packet) = Packet::decode(&bytes) else {
            return;
        };
        let mut out = Vec::new();
        packet.encode(&mut out);
        assert_eq!(packet_len(&out, DEFAULT_LIMIT), Ok(Some(out.len())));
        assert_eq!(Packet::decode(&Bytes::from(out)).as_ref(), Ok(&packet));
        match &packet {
            Packet::Request { request } => forwarded(request),
            Packet::Ping {
                sessions: Some(sessions),
                ..
            } => drop(Touch::decode_table(sessions)),
            Packet::Revalidate { session } => {
                Validity::read(&mut Reader::new(session)).ok();
            }
            Packet::Proposal { txn: bytes, .. } | Packet::Inform { txn: bytes, .. } => txn(bytes),
            _ => {}
        }
        let snap = matches!(packet, Packet::Snap { .. });
        drop(packet.into_core());
        if snap {
            return snapshot(rest);
        }
    }
}

/// A request's data and identities.
pub fn forwarded(input: &[u8]) {
    let Ok(forwarded) = ForwardedRequest::decode(&Bytes::copy_from_slice(input)) else {
        return;
    };
    let encoded = forwarded.encode();
    assert!(ForwardedRequest::decode(&encoded).is_ok_and(|again| again == forwarded));
    if let Some(op) = OpCode::from_code(forwarded.op) {
        drop(Request::decode(op, &forwarded.body));
    }
}
