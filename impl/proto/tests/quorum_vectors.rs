//! The byte vectors of specs/quorum-protocol.md 10, captured from a running ensemble of Apache ZooKeeper 3.8.0.
#![allow(clippy::unwrap_used)] // helpers outside of #[test] functions

use bytes::Bytes;
use zk_proto::jute::{DEFAULT_LIMIT, Put, Reader};
use zk_proto::quorum::*;
use zk_proto::{Id, TxnRecord};

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.split_whitespace().collect();
    (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect()
}

fn config() -> String {
    let servers = (1..=3).map(|n| format!("server.{n}=127.0.0.1:2888{n}:3888{n}:participant\n"));
    servers.collect::<String>() + "version=0"
}

/// Decodes, encodes, compares; and every shorter input must ask for more.
fn packet(bytes: &[u8]) -> Packet {
    for len in 0..bytes.len() {
        assert_eq!(
            packet_len(&bytes[..len], DEFAULT_LIMIT),
            Ok(None),
            "{len} of {}",
            bytes.len()
        );
    }
    let followed = [bytes, b"next"].concat();
    assert_eq!(packet_len(&followed, DEFAULT_LIMIT), Ok(Some(bytes.len())));
    let packet = Packet::decode(&Bytes::copy_from_slice(bytes)).unwrap();
    let mut out = Vec::new();
    packet.encode(&mut out);
    assert_eq!(out, bytes, "{packet:?}");
    let through_core = Packet::from_core(packet.clone().into_core().unwrap(), &config());
    assert_eq!(through_core, packet);
    packet
}

// spec: QP-CNX-01, QP-CNX-02, QP-CNX-03
#[test]
fn hellos() {
    let bytes = hex("ffffffffffff0000 0000000000000003 0000000f 3132372e302e302e313a3338383833");
    let hello = Hello::V1 {
        sid: 3,
        address: "127.0.0.1:38883".into(),
    };
    for len in 0..bytes.len() {
        assert_eq!(Hello::decode(&bytes[..len]), Ok(None));
    }
    assert_eq!(
        Hello::decode(&bytes),
        Ok(Some((hello.clone(), bytes.len())))
    );
    let mut out = Vec::new();
    hello.encode(&mut out);
    assert_eq!(out, bytes);

    let two = Hello::V2 {
        sid: ANONYMOUS_OBSERVER,
        addresses: "a:1|[::1]:2".into(),
    };
    let mut out = Vec::new();
    two.encode(&mut out);
    assert_eq!(out[..8], hex("ffffffffffff0001"));
    assert_eq!(Hello::decode(&out), Ok(Some((two.clone(), out.len()))));
    assert_eq!(two.addresses().collect::<Vec<_>>(), ["a:1", "[::1]:2"]);

    let legacy = 7i64.to_be_bytes();
    assert_eq!(
        Hello::decode(&legacy),
        Ok(Some((Hello::Legacy { sid: 7 }, 8)))
    );
    assert!(Hello::decode(&hex("ffffffffffff0002")).is_err());
    for length in ["00000000", "00000801", "ffffffff"] {
        assert!(
            Hello::decode(&hex(&format!("ffffffffffff0000 0000000000000003 {length}"))).is_err()
        );
    }
}

// spec: QP-FLE-01, QP-CNX-07
#[test]
fn notifications() {
    let votes = "0000000000000002 0000000000000000 0000000000000001";
    let looking = format!("00000000 {votes} 0000000000000000 00000002 0000008a");
    let mut bytes = hex(&format!("000000b6 {looking}"));
    bytes.put_raw(config().as_bytes());
    for len in 0..bytes.len() {
        assert_eq!(next_frame(&bytes[..len]), Ok(None));
    }
    let (payload, used) = next_frame(&bytes).unwrap().unwrap();
    assert_eq!(used, bytes.len());
    let vote = Notification::decode(payload).unwrap();
    assert_eq!(
        (vote.state, vote.leader, vote.round),
        (ServerState::Looking, 2, 1)
    );
    assert_eq!(vote.config.as_deref(), Some(config().as_str()));
    let mut out = Vec::new();
    vote.encode_frame(&mut out);
    assert_eq!(out, bytes);
    assert_eq!(Notification::from_core(&vote.to_core(), &config()), vote);

    // Old forms.
    let short = "00000001 0000000000000002 0000000500000001 0000000000000001";
    let oldest = Notification::decode(&hex(short)).unwrap();
    assert_eq!(
        (oldest.peer_epoch, oldest.version, oldest.config),
        (5, 0, None)
    );
    let old = Notification::decode(&hex(&format!("{short} 0000000000000006 00000001"))).unwrap();
    assert_eq!((old.peer_epoch, old.version), (6, 0));
    // Messages to skip: too short, unknown state, a configuration that is not there.
    assert!(Notification::decode(&hex(short)[..27]).is_err());
    assert!(Notification::decode(&hex(&format!("00000004{}", &short[8..]))).is_err());
    assert!(Notification::decode(&hex(&looking)).is_err());
    // Lengths that end the link.
    for length in ["00000000", "ffffffff", "00080001"] {
        assert!(next_frame(&hex(length)).is_err());
    }
    assert_eq!(next_frame(&hex("00080000")), Ok(None));
}

// spec: QP-GEN-03, QP-ZAB-06, QP-BC-13, QP-TXN-01
#[test]
fn packets() {
    let info = LearnerInfo {
        sid: 3,
        protocol_version: PROTOCOL_VERSION,
        config_version: Some(0),
    };
    let learner = "00000014 0000000000000003 00010000 0000000000000000 ffffffff";
    assert_eq!(
        packet(&hex(&format!("0000000b 0000000000000000 {learner}"))),
        Packet::FollowerInfo {
            zxid: 0,
            info: Some(info)
        }
    );
    assert_eq!(
        packet(&hex(&format!("00000010 0000000000000000 {learner}"))),
        Packet::ObserverInfo {
            zxid: 0,
            info: Some(info)
        }
    );
    assert_eq!(
        packet(&hex("00000011 0000000100000000 00000004 00010000 ffffffff")),
        Packet::LeaderInfo {
            zxid: 0x1_0000_0000,
            protocol_version: PROTOCOL_VERSION
        }
    );
    assert_eq!(
        packet(&hex("00000012 0000000100000003 00000004 ffffffff ffffffff")),
        Packet::AckEpoch {
            zxid: 0x1_0000_0003,
            current_epoch: -1
        }
    );
    let zxid = 0x1_0000_0005;
    let empty = "0000000100000005 ffffffff ffffffff";
    assert_eq!(
        packet(&hex(&format!("0000000d {empty}"))),
        Packet::Diff { zxid }
    );
    assert_eq!(
        packet(&hex(&format!("0000000f {empty}"))),
        Packet::Snap { zxid }
    );
    assert_eq!(
        packet(&hex(&format!("00000004 {empty}"))),
        Packet::Commit { zxid }
    );
    assert_eq!(
        packet(&hex(&format!("00000003 {empty}"))),
        Packet::Ack { zxid }
    );
    assert_eq!(
        packet(&hex(&format!("00000005 {empty}"))),
        Packet::Ping {
            zxid,
            sessions: None
        }
    );
    assert_eq!(
        packet(&hex("00000005 0000000100000005 00000000 ffffffff")),
        Packet::Ping {
            zxid,
            sessions: Some(Bytes::new())
        }
    );
    assert_eq!(
        packet(&hex("0000000c ffffffffffffffff ffffffff ffffffff")),
        Packet::UpToDate
    );
    let config = config();
    let mut bytes = hex("0000000a 0000000100000000 0000008a");
    bytes.put_raw(config.as_bytes());
    bytes.put_int(-1);
    assert_eq!(
        packet(&bytes),
        Packet::NewLeader {
            zxid: 0x1_0000_0000,
            config: Some(config.into())
        }
    );
    let proposal = packet(&hex(
        "00000002 0000000100000004 00000024 02000017ef8e0000 00000003
        0000000100000004 000001a205cc6135 ffffffff ffffff92 ffffffff",
    ));
    let Packet::Proposal { zxid, txn } = proposal else {
        panic!("{proposal:?}")
    };
    assert_eq!(TxnRecord::decode(&txn).unwrap().header.zxid, zxid);
}

// spec: QP-BC-02, QP-BC-14. Layouts as the reference states them; Apache's own bytes are in conformance/bytes.
#[test]
fn requests_and_revalidation() {
    let request = ForwardedRequest {
        session_id: 9,
        cxid: 4,
        op: 2,
        body: Bytes::from_static(b"body"),
        auth: Some(vec![Id::new("ip", "127.0.0.1")]),
    };
    let mut out = Vec::new();
    Packet::Request {
        request: request.encode(),
    }
    .encode(&mut out);
    assert_eq!(out[..16], hex("00000001 ffffffffffffffff 00000014"));
    let Packet::Request { request: bytes } = packet(&out) else {
        panic!()
    };
    assert_eq!(ForwardedRequest::decode(&bytes).unwrap(), request);
    let question = hex("00000006 ffffffffffffffff 0000000c 0000000000000009 00007530 ffffffff");
    let touch = Touch {
        session_id: 9,
        timeout: 30_000,
    };
    assert_eq!(
        packet(&question),
        Packet::Revalidate {
            session: touch.encode()
        }
    );
    assert_eq!(Touch::decode_table(&touch.encode()).unwrap(), [touch]);
    assert!(Touch::decode_table(&touch.encode()[..11]).is_err());
    let answer = hex("00000006 ffffffffffffffff 00000009 0000000000000009 01 ffffffff");
    let validity = Validity {
        session_id: 9,
        valid: true,
    };
    assert_eq!(
        packet(&answer),
        Packet::Revalidate {
            session: validity.encode()
        }
    );
    assert_eq!(
        Validity::read(&mut Reader::new(&answer[16..])).unwrap(),
        validity
    );
}

// spec: QP-GEN-01
#[test]
fn what_no_further_byte_can_mend_is_an_error() {
    let kind = "00000002 0000000100000004";
    for data in ["fffffffe", "001fffff", "7fffffff"] {
        assert!(
            packet_len(&hex(&format!("{kind} {data}")), DEFAULT_LIMIT).is_err(),
            "{data}"
        );
    }
    assert_eq!(
        packet_len(&hex(&format!("{kind} 001ffffe")), DEFAULT_LIMIT),
        Ok(None)
    );
    assert!(packet_len(&hex("00000014"), DEFAULT_LIMIT).is_err());
    assert!(packet_len(&hex(&format!("{kind} ffffffff 7fffffff")), DEFAULT_LIMIT).is_err());
}

// spec: QP-SYN-06, QP-SYN-11
#[test]
fn snapshot_streams_end_with_a_name() {
    let mut out = Vec::new();
    put_snap_end(&mut out);
    assert_eq!(out, hex("0000000a 42656e57617348657265"));
    for len in 0..out.len() {
        assert_eq!(read_snap_end(&out[..len]), Ok(None));
    }
    assert_eq!(read_snap_end(&out), Ok(Some(14)));
    assert!(read_snap_end(&hex("0000000a 42656e57617348657266")).is_err());
    assert!(read_snap_end(&hex("0000000b")).is_err());
}

// spec: QP-CFG-08, QP-ZAB-06
#[test]
fn the_core_sees_versions_and_epochs() {
    assert_eq!(
        config_version("server.1=a:1:2:participant;b:3\nversion=100000000"),
        1 << 32
    );
    assert_eq!(config_version("server.1=a:1:2"), 0);
    let mine = zab::Message::AckEpoch {
        zxid: zab::Zxid(7),
        current: None,
    };
    let packet = Packet::from_core(mine.clone(), "");
    assert_eq!(
        packet,
        Packet::AckEpoch {
            zxid: 7,
            current_epoch: -1
        }
    );
    assert_eq!(packet.into_core().unwrap(), mine);
    let nameless = Packet::FollowerInfo {
        zxid: 0,
        info: None,
    };
    assert!(nameless.into_core().is_err());
}
