//! Rules that neither a recording nor a round trip shows.
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions

use zk_proto::jute::{Put, Reader};
use zk_proto::log::FileHeader;
use zk_proto::quorum::{Notification, ServerState};
use zk_proto::request::Versioned;
use zk_proto::snapshot::SnapshotDigest;
use zk_proto::watch::{AddWatchMode, WatcherType};
use zk_proto::*;

fn encoded(encode: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&mut out);
    out
}

// spec: CP-CON-03, CP-CON-04, CP-CON-05, CP-FRM-09
#[test]
fn handshakes_take_any_version_and_password() {
    for password in [None, Some(&b""[..]), Some(&[7; 300][..])] {
        let request = ConnectRequest {
            protocol_version: 77,
            last_zxid_seen: -1,
            timeout: -5,
            session_id: 3,
            password,
            read_only: Some(true),
        };
        let mut bytes = encoded(|out| request.encode(out));
        bytes.extend(b"left over");
        assert_eq!(ConnectRequest::decode(&bytes), Ok(request));
    }
    let answer = ConnectResponse {
        timeout: 1,
        session_id: 2,
        password: [3; 16],
        read_only: None,
    };
    assert_eq!(encoded(|out| answer.encode(out))[..4], [0; 4]);
}

// spec: CP-FRM-09, CP-MUL-10, CP-OP-10
#[test]
fn bodies() {
    let delete = Request::Delete(Versioned {
        path: "/a".into(),
        version: -1,
    });
    let mut bytes = encoded(|out| delete.encode(out));
    bytes.extend(b"left over");
    assert_eq!(Request::decode(OpCode::Delete, &bytes), Ok(Some(delete)));
    // An empty multi is its end mark alone.
    let empty = Request::Multi(std::iter::empty::<MultiOp<'_>>().collect());
    let bytes = encoded(|out| empty.encode(out));
    assert_eq!(bytes, [255, 255, 255, 255, 1, 255, 255, 255, 255]);
    assert_eq!(Request::decode(OpCode::Multi, &bytes), Ok(Some(empty)));
    // Nobody may ask for these, whatever the body.
    assert_eq!(Request::decode(OpCode::Notification, b"any"), Ok(None));
    assert_eq!(Request::decode(OpCode::Error, b"any"), Ok(None));
}

// spec: CP-OP-02, CP-OP-03, CP-OP-10, CP-OP-20, CP-OP-32, CP-WAT-50, CP-ERR-01
#[test]
fn numbers() {
    for op in OpCode::ALL {
        assert_eq!(OpCode::from_code(op.code()), Some(op));
    }
    let known: Vec<i32> = (-300..300)
        .filter(|code| OpCode::from_code(*code).is_some())
        .collect();
    assert_eq!(known.len(), OpCode::ALL.len());
    assert!(
        [10, 23, -2, 108, 99]
            .iter()
            .all(|code| !known.contains(code))
    );
    for error in ErrorCode::ALL {
        assert_eq!(ErrorCode::from_code(error.code()), Some(error));
    }
    assert_eq!(ErrorCode::from_code(-126), None);
    for (flags, mode) in (0..).zip(CreateMode::ALL) {
        assert_eq!(
            (mode.flags(), CreateMode::from_flags(flags)),
            (flags, Some(mode))
        );
    }
    assert_eq!(
        (CreateMode::from_flags(7), CreateMode::from_flags(-1)),
        (None, None)
    );
    let sequential: Vec<i32> = CreateMode::ALL
        .into_iter()
        .filter(|mode| mode.is_sequential())
        .map(CreateMode::flags)
        .collect();
    assert_eq!(sequential, [2, 3, 6]);
    let ephemeral: Vec<i32> = CreateMode::ALL
        .into_iter()
        .filter(|mode| mode.is_ephemeral())
        .map(CreateMode::flags)
        .collect();
    assert_eq!(ephemeral, [1, 3]);
    assert_eq!(
        AddWatchMode::from_code(1),
        Some(AddWatchMode::PersistentRecursive)
    );
    assert_eq!(AddWatchMode::from_code(2), None);
    let types: Vec<i32> = (-9..9)
        .filter(|code| WatcherType::from_code(*code).is_some())
        .collect();
    assert_eq!(types, [1, 2, 3, 4, 5]);
    assert_eq!(
        [xid::EVENT, xid::PING, xid::AUTH, xid::SET_WATCHES],
        [-1, -2, -4, -8]
    );
}

fn header(op: i32) -> Vec<u8> {
    encoded(|out| {
        out.put_long(1);
        out.put_int(2);
        out.put_long(3);
        out.put_long(4);
        out.put_int(op);
    })
}

// spec: QP-TXN-02, QP-TXN-05, QP-DEF-42
#[test]
fn types_of_txns() {
    let mut check = header(OpCode::Check.code());
    check.put_string("/a");
    check.put_int(8);
    let record = TxnRecord::decode(&check).unwrap();
    assert_eq!(
        record.txn,
        Txn::Check {
            path: "/a".into(),
            version: 8
        }
    );

    for op in [3, 4, 6, 8, 9, 10, 11, 12, 17, 22, 100, 107, -12] {
        let mut bytes = header(op);
        bytes.extend([0; 64]);
        let error = DecodeError::Value {
            field: "txn type",
            value: op.into(),
        };
        assert_eq!(TxnRecord::decode(&bytes), Err(error));
    }
    // What stands in a multi is none of these.
    for op in [
        OpCode::Multi,
        OpCode::CreateSession,
        OpCode::CloseSession,
        OpCode::SetAcl,
    ] {
        let mut bytes = header(OpCode::Multi.code());
        bytes.put_int(1);
        bytes.put_int(op.code());
        bytes.put_buffer(Some(&[0; 64]));
        let error = DecodeError::Value {
            field: "txn type",
            value: op.code().into(),
        };
        assert_eq!(TxnRecord::decode(&bytes), Err(error));
    }
}

// spec: QP-GEN-02, QP-FLE-02
#[test]
fn text_between_servers_is_plain() {
    let text = "server.1=\u{1f600}";
    let vote = Notification {
        state: ServerState::Leading,
        leader: 1,
        zxid: 2,
        round: 3,
        peer_epoch: 4,
        version: 2,
        config: Some(text.into()),
    };
    let mut frame = encoded(|out| vote.encode_frame(out));
    assert_eq!(frame[48..], *text.as_bytes());
    assert_eq!(Notification::decode(&frame[4..]), Ok(vote));
    // A peer with another charset.
    frame.truncate(frame.len() - 4);
    frame[47] -= 4;
    frame[48] = 0xff;
    let lenient = Notification::decode(&frame[4..]).unwrap();
    assert_eq!(lenient.config.as_deref(), Some("\u{fffd}erver.1="));
}

// spec: DF-SNAP-06, DF-SNAP-12
#[test]
fn files() {
    let digest = encoded(|out| {
        out.put_long(9);
        out.put_int(1);
        out.put_string("51c6d660");
    });
    let expected = SnapshotDigest {
        zxid: 9,
        version: 1,
        tree: 0x51c6_d660,
    };
    assert_eq!(
        SnapshotDigest::read(&mut Reader::new(&digest)),
        Ok(expected)
    );
    let odd = encoded(|out| {
        FileHeader {
            magic: *b"ZKSN",
            version: 7,
            dbid: 8,
        }
        .write(out)
    });
    assert_eq!(
        FileHeader::read(&mut Reader::new(&odd), FileHeader::SNAPSHOT)
            .unwrap()
            .version,
        7
    );
    assert!(FileHeader::read(&mut Reader::new(&odd), FileHeader::LOG).is_err());
}
