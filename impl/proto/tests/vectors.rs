//! The byte vectors of specs/client-protocol.md 12.1 and specs/disk-format.md.
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions

use std::borrow::Cow;

use zk_proto::connect::{ConnectRequest, ConnectResponse};
use zk_proto::header::{ReplyHeader, RequestHeader, xid};
use zk_proto::jute::{Reader, frame};
use zk_proto::log::put_record;
use zk_proto::request::{Auth, Create};
use zk_proto::watch::EventKind;
use zk_proto::*;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn framed(body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    frame(&mut out, body);
    out
}

fn reply(xid: i32, zxid: i64, err: i32, body: Response<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    body.encode_frame(ReplyHeader { xid, zxid, err }, &mut out);
    out
}

fn request(xid: i32, body: &Request<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    body.encode_frame(xid, &mut out);
    let mut reader = Reader::new(&out[4..]);
    let header = RequestHeader::read(&mut reader).unwrap();
    assert_eq!((header.xid, header.op), (xid, body.op().code()));
    assert_eq!(
        Request::decode(body.op(), reader.rest()).unwrap().as_ref(),
        Some(body)
    );
    out
}

// spec: CP-VEC-01, CP-VEC-02, CP-VEC-03, CP-CON-01, CP-CON-02, CP-CON-22
#[test]
fn handshake() {
    let bytes = hex(
        "0000002d 00000000 0000000000000000 00007530 0000000000000000 00000010
        00000000000000000000000000000000 00",
    );
    let connect = ConnectRequest::decode(&bytes[4..]).unwrap();
    assert_eq!((connect.timeout, connect.read_only), (30_000, Some(false)));
    assert_eq!(framed(|out| connect.encode(out)), bytes);
    // A client of old sends no last byte.
    assert_eq!(
        ConnectRequest::decode(&bytes[4..48]).unwrap().read_only,
        None
    );

    let session_id = 0x0100_0000_0000_0000;
    let password = session::password(session_id);
    let accepted = ConnectResponse {
        timeout: 30_000,
        session_id,
        password,
        read_only: Some(false),
    };
    let bytes = hex("00000025 00000000 00007530 0100000000000000 00000010
        f22acd4a97e69d6d20a49bb638eadb38 00");
    assert_eq!(framed(|out| accepted.encode(out)), bytes);
    assert_eq!(ConnectResponse::decode(&bytes[4..]).unwrap(), accepted);
    let invalid = ConnectResponse::invalid_session(Some(false));
    let bytes = hex("00000025 00000000 00000000 0000000000000000 00000010
        00000000000000000000000000000000 00");
    assert_eq!(framed(|out| invalid.encode(out)), bytes);
}

// spec: CP-VEC-04, CP-VEC-05, CP-VEC-11
#[test]
fn requests() {
    assert_eq!(
        request(xid::PING, &Request::Ping),
        hex("00000008 fffffffe 0000000b")
    );
    let create = Create {
        path: "/a".into(),
        data: Some(b"x"),
        acl: Some([Acl::open()].iter().collect()),
        flags: 0,
    };
    assert_eq!(
        request(1, &Request::Create(create)),
        hex(
            "00000032 00000001 00000001 00000002 2f61 00000001 78 00000001 0000001f
            00000005 776f726c64 00000006 616e796f6e65 00000000"
        )
    );
    let auth = Auth {
        kind: 0,
        scheme: "digest".into(),
        auth: Some(b"user:password"),
    };
    assert_eq!(
        request(xid::AUTH, &Request::Auth(auth)),
        hex(
            "00000027 fffffffc 00000064 00000000 00000006 646967657374 0000000d
            757365723a70617373776f7264"
        )
    );
}

// spec: CP-VEC-04, CP-VEC-06, CP-VEC-07, CP-VEC-08, CP-VEC-09, CP-VEC-11, CP-VEC-12, CP-ERR-02, CP-FRM-01
#[test]
fn replies() {
    let ping = reply(xid::PING, 5, 0, Response::Empty);
    assert_eq!(ping, hex("00000010 fffffffe 0000000000000005 00000000"));
    let created = reply(1, 2, 0, Response::Path("/a".into()));
    assert_eq!(
        created,
        hex("00000016 00000001 0000000000000002 00000000 00000002 2f61")
    );
    let missing = reply(3, 7, ErrorCode::NoNode.code(), Response::Empty);
    assert_eq!(missing, hex("00000010 00000003 0000000000000007 ffffff9b"));
    let event = framed(|out| {
        ReplyHeader {
            xid: xid::EVENT,
            zxid: -1,
            err: 0,
        }
        .write(out);
        WatcherEvent::new(EventKind::NodeDataChanged, "/a").write(out);
    });
    let expected = "0000001e ffffffff ffffffffffffffff 00000000 00000003 00000003 00000002 2f61";
    assert_eq!(event, hex(expected));
    let watching = reply(4, 7, 0, Response::Err(0));
    assert_eq!(
        watching,
        hex("00000014 00000004 0000000000000007 00000000 00000000")
    );
    let authenticated = reply(xid::AUTH, 0, 0, Response::Empty);
    assert_eq!(
        authenticated,
        hex("00000010 fffffffc 0000000000000000 00000000")
    );
    let unknown = reply(6, -1, ErrorCode::Unimplemented.code(), Response::Empty);
    assert_eq!(unknown, hex("00000010 00000006 ffffffffffffffff fffffffa"));
}

// spec: CP-VEC-10, CP-MUL-02, CP-MUL-04
#[test]
fn failed_multi() {
    let results = [
        MultiResult::Error(0),
        MultiResult::Error(-103),
        MultiResult::Error(-2),
    ];
    let mut out = Vec::new();
    Response::Multi(Cow::Borrowed(&results)).encode(&mut out);
    let expected = hex(
        "ffffffff 00 00000000 00000000  ffffffff 00 ffffff99 ffffff99
        ffffffff 00 fffffffe fffffffe  ffffffff 01 ffffffff",
    );
    assert_eq!(out, expected);
    let decoded = Response::decode(OpCode::Multi, &expected).unwrap();
    assert_eq!(decoded, Response::Multi(Cow::Owned(results.to_vec())));
}

// spec: DF-LOG-01, DF-LOG-02, QP-TXN-01
#[test]
fn log_record() {
    let payload = hex(
        "00000001000000010000000000000001000000010000018bcfe56800fffffff600007530
        0000000200000000 51c6d660",
    );
    let record = TxnRecord::decode(&payload).unwrap();
    assert_eq!(record.txn, Txn::CreateSession { timeout: 30_000 });
    assert_eq!(
        record.digest,
        Some(TxnDigest {
            version: 2,
            tree: 0x51c6_d660
        })
    );
    let mut out = Vec::new();
    put_record(&mut out, &payload, 0x9703_0994);
    assert_eq!(out.len(), 61);
    assert_eq!(out[..12], hex("0000000097030994 00000030"));
    assert_eq!(out[60], b'B');
}

fn check_txn(bytes: &[u8]) -> TxnRecord {
    let record = TxnRecord::decode(bytes).unwrap();
    let mut out = Vec::new();
    record.encode(&mut out);
    assert_eq!(out, bytes, "{record:?}");
    record
}

// spec: DF-LOG-06, DF-LOG-07, QP-TXN-03, QP-TXN-06
#[test]
fn close_session_with_and_without_list() {
    let header = "02000017ef8e0000 00000004 0000000100000005 000001a205cc6139 fffffff5";
    let list = "00000001 00000002 2f65";
    let digest = "00000002 00000001186aca95";
    let both = check_txn(&hex(&format!("{header} {list} {digest}")));
    assert_eq!(
        both.txn,
        Txn::CloseSession {
            paths: Some(vec!["/e".into()])
        }
    );
    assert_eq!(
        both.digest,
        Some(TxnDigest {
            version: 2,
            tree: 0x1_186a_ca95
        })
    );
    let neither = check_txn(&hex(header));
    assert_eq!(
        (neither.txn, neither.digest),
        (Txn::CloseSession { paths: None }, None)
    );
    let digest_alone = check_txn(&hex(&format!("{header} {digest}")));
    assert_eq!(digest_alone.txn, Txn::CloseSession { paths: None });
    assert_eq!(digest_alone.digest, both.digest);
    let list_alone = check_txn(&hex(&format!("{header} {list}")));
    assert_eq!((&list_alone.txn, list_alone.digest), (&both.txn, None));
    let trailing = TxnRecord::decode(&hex(&format!("{header} {list} {digest} 00ff"))).unwrap();
    assert_eq!(trailing, both);
    let error = check_txn(&hex(
        "02000017ef8e0000 00000003 0000000100000004 000001a205cc6135 ffffffff ffffff92",
    ));
    assert_eq!((error.txn, error.digest), (Txn::Error { err: -110 }, None));
}

// spec: QP-TXN-01, DF-LOG-06. A create of the time before 3.4 ends with its ephemeral flag.
#[test]
fn create_without_parent_version() {
    let bytes = hex(
        "0000000000000001 00000001 0000000000000002 0000000000000003 00000001
        00000002 2f61 ffffffff 00000001 0000001f 00000005 776f726c64 00000006 616e796f6e65 01",
    );
    let record = TxnRecord::decode(&bytes).unwrap();
    let Txn::Create(create) = record.txn else {
        panic!("{:?}", record.txn)
    };
    assert_eq!(create.parent_cversion, -1);
    assert_eq!(create.kind, CreateKind::Create { ephemeral: true });
    assert_eq!((create.data, create.acl), (None, vec![Acl::open()]));
}
