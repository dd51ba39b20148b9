//! Decodes what servers of an Apache ensemble said to each other, and encodes it to the same bytes again.
//! `conformance/bytes/README.md` says how the files were made.
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions

mod kinds;
mod recordings;

use std::collections::BTreeMap;

use bytes::Bytes;
use kinds::{Place, STATES, greeting, in_every_ensemble, ops_at, packet_types, state};
use recordings::{Conversation, conversations};
use zk_proto::jute::{DEFAULT_LIMIT, Reader};
use zk_proto::quorum::*;
use zk_proto::snapshot::Decoder;
use zk_proto::{OpCode, Request, TxnRecord};

type Seen = BTreeMap<String, usize>;

fn note(seen: &mut Seen, what: impl ToString) {
    *seen.entry(what.to_string()).or_default() += 1;
}

/// Decodes and encodes a direction of a quorum connection. A process was killed in mid-packet if bytes are left over.
fn packets(stream: &[u8], seen: &mut Seen) {
    let mut at = 0;
    let mut config = String::new();
    while let Some(len) = packet_len(&stream[at..], DEFAULT_LIMIT).unwrap() {
        let bytes = &stream[at..at + len];
        let packet = Packet::decode(&Bytes::copy_from_slice(bytes)).unwrap();
        let mut out = Vec::new();
        packet.encode(&mut out);
        assert_eq!(out, bytes, "{packet:?}");
        if let Packet::NewLeader {
            config: Some(text), ..
        } = &packet
        {
            config = String::from_utf8(text.to_vec()).unwrap();
        }
        assert_eq!(
            Packet::from_core(packet.clone().into_core().unwrap(), &config),
            packet
        );
        note(seen, format!("{:?}", packet.kind()));
        look_inside(&packet, seen);
        at += len;
        if matches!(packet, Packet::Snap { .. }) {
            at += snapshot(&stream[at..], seen);
        }
    }
}

/// The transactions, requests and sessions that the core passes on unread.
fn look_inside(packet: &Packet, seen: &mut Seen) {
    match packet {
        Packet::Proposal { txn, zxid }
        | Packet::Inform { txn, zxid }
        | Packet::InformAndActivate { txn, zxid, .. } => {
            let record = TxnRecord::decode(txn).unwrap();
            assert_eq!(record.header.zxid, *zxid);
            let mut out = Vec::new();
            record.encode(&mut out);
            assert_eq!(out, *txn, "{record:?}");
            note(
                seen,
                format!("{:?} of {:?}", packet.kind(), record.txn.op()),
            );
        }
        Packet::Request { request } => {
            let forwarded = ForwardedRequest::decode(request).unwrap();
            assert_eq!(forwarded.encode(), request);
            let op = OpCode::from_code(forwarded.op).unwrap();
            let body = Request::decode(op, &forwarded.body).unwrap().unwrap();
            let mut out = Vec::new();
            body.encode(&mut out);
            assert_eq!(out, forwarded.body, "{body:?}");
            note(
                seen,
                format!("Request of {op:?}, caller {}", forwarded.auth.is_some()),
            );
        }
        Packet::Ping {
            sessions: Some(sessions),
            ..
        } => {
            let table = Touch::decode_table(sessions).unwrap();
            assert_eq!(Touch::encode_table(table.iter().copied()), sessions);
            note(
                seen,
                if table.is_empty() {
                    "empty Ping"
                } else {
                    "Ping with sessions"
                },
            );
        }
        Packet::Revalidate { session } if session.len() == 12 => {
            let touch = Touch::read(&mut Reader::new(session)).unwrap();
            assert_eq!(touch.encode(), session);
            note(seen, "Revalidate question");
        }
        Packet::Revalidate { session } => {
            let validity = Validity::read(&mut Reader::new(session)).unwrap();
            assert_eq!(validity.encode(), session);
            note(seen, format!("Revalidate answer {}", validity.valid));
        }
        _ => {}
    }
}

/// Passes over a snapshot stream and its end mark; returns their length.
// spec: QP-SYN-06, DF-BODY-01, DF-BODY-02, DF-BODY-03
fn snapshot(stream: &[u8], seen: &mut Seen) -> usize {
    let (mut decoder, mut at) = (Decoder::new(DEFAULT_LIMIT), 0);
    let mut again = Vec::new();
    while !decoder.is_done() {
        let (piece, used) = decoder.next(&stream[at..]).unwrap().unwrap();
        piece.write(&mut again);
        at += used;
    }
    put_snap_end(&mut again);
    let end = read_snap_end(&stream[at..]).unwrap().unwrap();
    assert_eq!(again, stream[..at + end]);
    note(seen, "snapshot stream");
    at + end
}

fn election(conversation: &Conversation, seen: &mut Seen) {
    let stream = conversation.stream(true);
    let (hello, len) = Hello::decode(&stream).unwrap().unwrap();
    let mut out = Vec::new();
    hello.encode(&mut out);
    assert_eq!(out, stream[..len]);
    // spec: QP-CNX-02. Java's receiver does not wait for the rest of a hello, so its sender must not split it.
    assert_eq!(
        conversation.messages[0].1[..len.min(conversation.messages[0].1.len())],
        stream[..len]
    );
    note(seen, greeting(&hello));
    notifications(&stream[len..], seen);
    notifications(&conversation.stream(false), seen);
}

fn notifications(mut stream: &[u8], seen: &mut Seen) {
    while let Some((payload, used)) = next_frame(stream).unwrap() {
        let vote = Notification::decode(payload).unwrap();
        let mut out = Vec::new();
        vote.encode_frame(&mut out);
        assert_eq!(out, stream[..used], "{vote:?}");
        let config = vote.config.clone().unwrap();
        assert_eq!(Notification::from_core(&vote.to_core(), &config), vote);
        note(seen, state(vote.state));
        stream = &stream[used..];
    }
}

fn seen_in(name: &str) -> Seen {
    let mut seen = Seen::new();
    for conversation in conversations(name) {
        if conversation.about.contains("election") {
            election(&conversation, &mut seen);
        } else {
            packets(&conversation.stream(true), &mut seen);
            packets(&conversation.stream(false), &mut seen);
        }
    }
    println!("{name}: {seen:?}");
    seen
}

fn expect(seen: &Seen, wanted: &[impl AsRef<str>]) {
    for what in wanted.iter().map(AsRef::as_ref) {
        assert!(seen.contains_key(what), "no {what} among {seen:?}");
    }
}

// spec: QP-CNX-01, QP-CNX-07, QP-FLE-01, QP-GEN-03, QP-ZAB-06, QP-SYN-06, QP-BC-01, QP-BC-02, QP-BC-13, QP-BC-14,
// spec: QP-BC-15, QP-TXN-01
#[test]
fn an_ensemble() {
    let mut seen = seen_in("quorum-3.8.0.txt");
    let reconfigured = seen_in("reconfig-3.8.0.txt");
    for (what, count) in reconfigured {
        if what.contains("Reconfig") {
            seen.insert(what, count);
        }
    }
    expect(&seen, &["hello V1"]);
    expect(&seen, &STATES);
    let types = packet_types().filter(|packet| in_every_ensemble(*packet));
    expect(
        &seen,
        &types
            .map(|packet| format!("{packet:?}"))
            .collect::<Vec<_>>(),
    );
    expect(
        &seen,
        &["snapshot stream", "empty Ping", "Ping with sessions"],
    );
    expect(&seen, &["Revalidate question", "Revalidate answer true"]);
    expect(&seen, &["Revalidate answer false"]);
    // A new session has no caller yet.
    for (op, place) in ops_at(&[Place::Forwarded, Place::Proposal]) {
        expect(
            &seen,
            &[match place {
                Place::Forwarded => {
                    format!("Request of {op:?}, caller {}", op != OpCode::CreateSession)
                }
                _ => format!("Proposal of {op:?}"),
            }],
        );
    }
}

// spec: QP-CFG-08, QP-CFG-11
#[test]
fn a_reconfiguration() {
    let seen = seen_in("reconfig-3.8.0.txt");
    let types = packet_types().filter(|packet| !in_every_ensemble(*packet));
    expect(
        &seen,
        &types
            .map(|packet| format!("{packet:?}"))
            .collect::<Vec<_>>(),
    );
    expect(&seen, &["InformAndActivate of Reconfig"]);
}

// spec: QP-CNX-01
#[test]
fn servers_with_several_addresses() {
    for release in ["3.8.0", "3.9.5"] {
        let seen = seen_in(&format!("addresses-{release}.txt"));
        expect(&seen, &["hello V2"]);
    }
}
