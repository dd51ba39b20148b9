//! Decodes everything that was recorded from Apache ZooKeeper, and encodes it to the same bytes again.
//! `conformance/bytes/README.md` says how the files were made.
#![allow(clippy::unwrap_used, clippy::expect_used)] // helpers outside of #[test] functions

mod kinds;
mod recordings;

use std::collections::{BTreeMap, HashMap, VecDeque};

use kinds::{Place, ops_at, sent};
use recordings::{Conversation, conversations, files};
use zk_proto::connect::{ConnectRequest, ConnectResponse};
use zk_proto::header::{ReplyHeader, RequestHeader, xid};
use zk_proto::jute::Reader;
use zk_proto::*;

/// How often each kind of record was met; a kind that a test wants and never met is a failure.
#[derive(Default)]
struct Seen(BTreeMap<String, usize>);

impl Seen {
    fn note(&mut self, what: impl ToString) {
        *self.0.entry(what.to_string()).or_default() += 1;
    }

    fn expect<T: ToString>(&self, wanted: impl IntoIterator<Item = T>) {
        for what in wanted {
            let what = what.to_string();
            assert!(self.0.contains_key(&what), "no {what} among {:?}", self.0);
        }
    }
}

fn same(bytes: &[u8], encode: impl FnOnce(&mut Vec<u8>), what: &dyn std::fmt::Debug) {
    let mut out = Vec::new();
    encode(&mut out);
    assert_eq!(out, bytes, "{what:?}");
}

/// One client connection: handshake, then requests and replies.
fn client(conversation: &Conversation, seen: &mut Seen) {
    let mut asked: HashMap<i32, VecDeque<OpCode>> = HashMap::new();
    for (at, (from_client, frame)) in conversation.messages.iter().enumerate() {
        let payload = &frame[4..];
        match (at, from_client) {
            (0, true) => {
                let connect = ConnectRequest::decode(payload).unwrap();
                same(payload, |out| connect.encode(out), &connect);
                seen.note(format!("connect, last byte {:?}", connect.read_only));
                seen.note(if connect.session_id == 0 {
                    "new session"
                } else {
                    "resumed session"
                });
            }
            (1, false) => {
                let answer = ConnectResponse::decode(payload).unwrap();
                same(payload, |out| answer.encode(out), &answer);
                seen.note(format!("connected, last byte {:?}", answer.read_only));
                if answer.session_id == 0 {
                    assert_eq!(answer, ConnectResponse::invalid_session(answer.read_only));
                    seen.note("invalid session");
                } else {
                    // spec: CP-CON-14
                    assert_eq!(answer.password, session::password(answer.session_id));
                }
            }
            (_, true) => request(payload, &mut asked, seen),
            (_, false) => reply(payload, &mut asked, seen),
        }
    }
}

fn request(payload: &[u8], asked: &mut HashMap<i32, VecDeque<OpCode>>, seen: &mut Seen) {
    let mut reader = Reader::new(payload);
    let header = RequestHeader::read(&mut reader).unwrap();
    let Some(op) = OpCode::from_code(header.op) else {
        return seen.note(format!("unknown op {}", header.op));
    };
    asked.entry(header.xid).or_default().push_back(op);
    let request = match Request::decode(op, reader.rest()) {
        Ok(request) => request.unwrap(),
        Err(error) => return seen.note(format!("{op:?} undecodable: {error}")),
    };
    assert_eq!(request.op(), op);
    let mut out = Vec::new();
    header.write(&mut out);
    request.encode(&mut out);
    assert_eq!(out, payload, "{request:?}");
    seen.note(format!("{op:?}"));
    if let Request::Multi(ops) | Request::MultiRead(ops) = &request {
        ops.iter()
            .for_each(|part| seen.note(format!("{op:?} of {:?}", part.op())));
        let again = Request::Multi(ops.iter().collect());
        same(reader.rest(), |out| again.encode(out), &again);
    }
}

fn reply(payload: &[u8], asked: &mut HashMap<i32, VecDeque<OpCode>>, seen: &mut Seen) {
    let mut reader = Reader::new(payload);
    let header = ReplyHeader::read(&mut reader).unwrap();
    if header.xid == xid::EVENT {
        let event = WatcherEvent::read(&mut reader).unwrap();
        let kind = watch::EventKind::from_code(event.kind).unwrap();
        let again = WatcherEvent::new(kind, &event.path);
        seen.note(format!("event {kind:?}"));
        return same(&payload[ReplyHeader::LEN..], |out| again.write(out), &event);
    }
    if header.err != 0 {
        let error = ErrorCode::from_code(header.err).unwrap();
        // spec: CP-ERR-02
        assert_eq!(payload.len(), ReplyHeader::LEN, "{error:?}");
        asked.get_mut(&header.xid).and_then(VecDeque::pop_front);
        return seen.note(format!("error {error:?}"));
    }
    let op = asked
        .get_mut(&header.xid)
        .and_then(VecDeque::pop_front)
        .expect("an answer to a request");
    let response = Response::decode(op, reader.rest()).unwrap();
    let mut out = Vec::new();
    header.write(&mut out);
    response.encode(&mut out);
    assert_eq!(out, payload, "{op:?}: {response:?}");
    seen.note(format!("{op:?} answered"));
    if let Response::Multi(results) = &response {
        for result in results.iter() {
            seen.note(format!("{op:?} result {:?}", kind_of(result)));
        }
    }
}

fn kind_of(result: &MultiResult<'_>) -> OpCode {
    match result {
        MultiResult::Create { .. } => OpCode::Create,
        MultiResult::Create2 { .. } => OpCode::Create2,
        MultiResult::Delete => OpCode::Delete,
        MultiResult::SetData(_) => OpCode::SetData,
        MultiResult::Check => OpCode::Check,
        MultiResult::Children(_) => OpCode::GetChildren,
        MultiResult::Data { .. } => OpCode::GetData,
        MultiResult::Error(_) => OpCode::Error,
    }
}

// spec: CP-FRM-02, CP-FRM-03, CP-JUT-05, CP-JUT-07, CP-JUT-08, CP-CON-01, CP-CON-22, CP-MUL-01, CP-MUL-02, CP-MUL-04,
// spec: CP-MUL-05, CP-MUL-12, CP-WAT-30, CP-OP-37
#[test]
fn client_records() {
    for release in ["3.8.0", "3.9.5"] {
        let mut seen = Seen::default();
        for file in ["client", "members"] {
            let all = conversations(&format!("{file}-{release}.txt"));
            all.iter()
                .for_each(|conversation| client(conversation, &mut seen));
        }
        println!("{release}: {:?}", seen.0);
        use Place::{MultiOp, MultiRead, MultiResult, Reply, Request};
        for (op, place) in ops_at(&[Request, Reply, MultiOp, MultiResult, MultiRead]) {
            seen.expect(match place {
                Reply => vec![format!("{op:?} answered")],
                MultiOp => vec![format!("Multi of {op:?}")],
                MultiResult => vec![format!("Multi result {op:?}")],
                MultiRead => vec![
                    format!("MultiRead of {op:?}"),
                    format!("MultiRead result {op:?}"),
                ],
                _ => vec![format!("{op:?}")],
            });
        }
        seen.expect(["MultiRead result Error"]);
        let events = watch::EventKind::ALL.into_iter().filter(|kind| sent(*kind));
        seen.expect(events.map(|kind| format!("event {kind:?}")));
        use ErrorCode::*;
        seen.expect(
            [
                NoNode,
                NoAuth,
                BadVersion,
                NoChildrenForEphemerals,
                NodeExists,
                NotEmpty,
                InvalidAcl,
                AuthFailed,
                NotReadOnly,
            ]
            .map(|code| format!("error {code:?}")),
        );
        seen.expect([
            "error Unimplemented",
            "error MarshallingError",
            "unknown op 999",
        ]);
        seen.expect(["new session", "resumed session", "invalid session"]);
        for byte in ["None", "Some(false)", "Some(true)"] {
            seen.expect([
                format!("connect, last byte {byte}"),
                format!("connected, last byte {byte}"),
            ]);
        }
    }
}

fn adler32(bytes: &[u8]) -> i64 {
    let (mut a, mut b) = (1u32, 0u32);
    for byte in bytes {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    i64::from(b << 16 | a)
}

fn name_of(txn: &Txn) -> String {
    format!(
        "{:?}{}",
        txn.op(),
        if let Txn::CloseSession { paths: None } = txn {
            " without list"
        } else {
            ""
        }
    )
}

fn log(bytes: &[u8], seen: &mut Seen) {
    let mut reader = Reader::new(bytes);
    let header =
        zk_proto::log::FileHeader::read(&mut reader, zk_proto::log::FileHeader::LOG).unwrap();
    assert_eq!(header, zk_proto::log::FileHeader::LOG);
    let mut again = Vec::new();
    header.write(&mut again);
    loop {
        let head = zk_proto::log::RecordHead::read(&mut reader).unwrap();
        if head.len == 0 {
            break;
        }
        let payload = reader.bytes(head.len.try_into().unwrap()).unwrap();
        assert_eq!(head.checksum, adler32(payload));
        assert_eq!(reader.byte().unwrap(), zk_proto::log::RecordHead::END);
        let record = TxnRecord::decode(payload).unwrap();
        same(payload, |out| record.encode(out), &record);
        zk_proto::log::put_record(&mut again, payload, head.checksum.try_into().unwrap());
        seen.note(name_of(&record.txn));
        seen.note(if record.digest.is_some() {
            "digest"
        } else {
            "no digest"
        });
        if let Txn::Multi(parts) = &record.txn {
            parts
                .iter()
                .for_each(|part| seen.note(format!("multi of {}", name_of(part))));
        }
    }
    assert_eq!(again, bytes[..again.len()]);
    assert!(bytes[again.len()..].iter().all(|byte| *byte == 0));
}

// spec: DF-LOG-01, DF-LOG-06, QP-TXN-01, QP-TXN-03, QP-TXN-04
#[test]
fn logs() {
    let mut seen = Seen::default();
    let logs = files(|name| name.starts_with("log."));
    logs.iter().for_each(|(_, bytes)| log(bytes, &mut seen));
    println!("{:?}", seen.0);
    for (op, place) in ops_at(&[Place::Txn, Place::TxnPart]) {
        seen.expect([match place {
            Place::TxnPart => format!("multi of {op:?}"),
            _ => format!("{op:?}"),
        }]);
    }
    seen.expect(["CloseSession without list", "digest", "no digest"]);
}

fn snapshot(bytes: &[u8], seen: &mut Seen) {
    use zk_proto::snapshot::{Decoder, Piece, Seal, SnapshotDigest};
    let mut reader = Reader::new(bytes);
    let header =
        zk_proto::log::FileHeader::read(&mut reader, zk_proto::log::FileHeader::SNAPSHOT).unwrap();
    let mut again = Vec::new();
    header.write(&mut again);
    let mut decoder = Decoder::new(zk_proto::jute::DEFAULT_LIMIT);
    while !decoder.is_done() {
        let (piece, used) = decoder.next(reader.rest()).unwrap().expect("whole");
        piece.write(&mut again);
        reader.bytes(used).unwrap();
        seen.note(match piece {
            Piece::Sessions(_) | Piece::Acls(_) | Piece::End => "count or end",
            Piece::Session { .. } => "session",
            Piece::Acl { .. } => "acl",
            Piece::Node(node) if node.data.is_none() => "node without data",
            Piece::Node(_) => "node",
        });
    }
    // spec: DF-SNAP-02, DF-SNAP-03, DF-SNAP-04
    let seal = |again: &mut Vec<u8>, reader: &mut Reader<'_>| {
        let seal = Seal::read(reader).unwrap();
        assert_eq!(seal.checksum, adler32(again));
        seal.write(again);
    };
    seal(&mut again, &mut reader);
    let tail = reader.remaining();
    seen.note(format!("tail of {tail}"));
    if matches!(tail, 33 | 54) {
        SnapshotDigest::read(&mut reader).unwrap().write(&mut again);
        seal(&mut again, &mut reader);
    }
    if matches!(tail, 21 | 54) {
        again.put_long(reader.long().unwrap());
        seal(&mut again, &mut reader);
    }
    assert!(reader.is_empty());
    assert_eq!(again, bytes);
}

// spec: DF-SNAP-02, DF-SNAP-03, DF-SNAP-04, DF-BODY-01, DF-BODY-02, DF-BODY-03, DF-BODY-04, DF-BODY-06
#[test]
fn snapshots() {
    let mut seen = Seen::default();
    let plain = |name: &str| name.starts_with("snapshot.") && name.matches('.').count() == 1;
    files(plain)
        .iter()
        .for_each(|(_, bytes)| snapshot(bytes, &mut seen));
    println!("{:?}", seen.0);
    seen.expect(["session", "acl", "node", "node without data"]);
    seen.expect(["tail of 0", "tail of 33", "tail of 21", "tail of 54"]);
}
