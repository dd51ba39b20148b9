//! Handshake, frames, order and limits of one connection.

#![allow(clippy::unwrap_used)]

mod common;

use common::*;
use std::collections::BTreeSet;
use zk_node::Settings;
use zk_node::conn::lane::{End, MAX_QUEUED, MAX_QUEUED_BYTES, Queued};
use zk_node::settings::{Throttle, Words};
use zk_node::words::Word;
use zk_proto::session::password;
use zk_proto::{OpCode, Put, Request};
use zk_storage::sim::SimDisk;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_new_session_is_answered_as_apache_does() {
    // spec: CP-CON-01, CP-CON-02, CP-CON-03, CP-CON-07, CP-CON-10, CP-CON-11
    let mut host = Host::new();
    let conn = host.open();
    host.send(conn, &hello(0, 30_000, &[0; 16], 0));
    let (out, end) = host.output(conn);
    let session = i64::from_be_bytes(out[12..20].try_into().unwrap());
    let expected = format!(
        "00000025000000000000753{}{}00000010{}00",
        "0",
        hex(&session.to_be_bytes()),
        hex(&password(session))
    );
    assert_eq!(hex(&out), expected);
    assert_eq!(end, End::Open);
    assert_eq!(session >> 56, 1);
}

#[test]
fn a_client_that_knows_no_read_only_byte_gets_none() {
    // spec: CP-CON-01
    let mut host = Host::new();
    let conn = host.open();
    let with_byte = hello(0, 30_000, &[0; 16], 0);
    host.send(conn, &frame(&with_byte[4..with_byte.len() - 1]));
    assert_eq!(host.output(conn).0.len(), 4 + 36);
}

#[test]
fn the_answer_waits_for_the_disk() {
    // spec: CP-CON-10, FT-DISK-05. Until the session is durable nothing of the connection is answered.
    let mut host = Host::new();
    host.disk_holds = true;
    let conn = host.open();
    let mut bytes = hello(0, 30_000, &[0; 16], 0);
    bytes.extend(encode(1, &create("/a", 0)));
    host.send(conn, &bytes);
    assert!(host.output(conn).0.is_empty());
    assert!(!host.conn(conn).wants_input());
    host.release_disk();
    let (out, _) = host.output(conn);
    assert_eq!(replies(&out[4 + 37..]).len(), 1);
}

#[test]
fn a_client_ahead_of_the_server_is_turned_away() {
    // spec: CP-CON-06, CP-CON-28, INV-04
    let mut host = Host::new();
    let conn = host.open();
    host.send(conn, &hello(0, 30_000, &[0; 16], 99));
    assert_eq!(host.output(conn), (Vec::new(), End::Now));
}

#[test]
fn frames_may_come_in_any_pieces() {
    // spec: CP-FRM-01, CP-FRM-12
    let mut host = Host::new();
    let conn = host.open();
    let mut bytes = hello(0, 30_000, &[0; 16], 0);
    bytes.extend(encode(1, &create("/a", 0)));
    bytes.extend(encode(2, &get_data("/a", false)));
    bytes.extend(encode(-2, &Request::Ping));
    let mut out = Vec::new();
    for byte in bytes {
        host.send(conn, &[byte]);
        out.extend(host.output(conn).0);
    }
    let replies = replies(&out[4 + 37..]);
    assert_eq!(xids(&replies), [1, 2, -2]);
    assert!(replies.iter().all(|reply| reply.err == 0));
}

#[test]
fn first_frames_that_are_too_long_or_garbage_close() {
    // spec: CP-FRM-05, CP-FRM-08, FT-CON-05, FT-CON-06, FT-CON-10, P-CLOSE
    let announce = |length: i32| length.to_be_bytes().to_vec();
    for bytes in [
        announce(-1),
        announce(i32::MAX),
        announce(1025),
        announce(i32::MIN),
        frame(b""),
        frame(b"short"),
        b"GET / HTTP/1.1\r\n\r\n".to_vec(),
        b"\x16\x03\x01\x02\x00".to_vec(),
        b"SSH-2.0-x\r\n".to_vec(),
    ] {
        let mut host = Host::new();
        let conn = host.open();
        host.send(conn, &bytes);
        assert_eq!(host.output(conn), (Vec::new(), End::Now), "{bytes:?}");
    }
}

#[test]
fn frames_of_an_open_session_keep_to_the_limit() {
    // spec: CP-FRM-05, CP-FRM-06, FT-LOAD-08
    let mut host = Host::new();
    let (conn, _) = host.connect();
    host.send(conn, &0x10_0000i32.to_be_bytes());
    assert_eq!(host.output(conn), (Vec::new(), End::Now));
    let (conn, _) = host.connect();
    let zxid = host.shared.applied();
    let full = raw(1, op(OpCode::Ping), &vec![0; 0xf_ffff - 8]);
    host.send(conn, &full);
    assert_eq!(replies(&host.output(conn).0).len(), 1);
    assert_eq!(host.shared.applied(), zxid);
}

#[test]
fn four_letter_words_are_known_only_at_the_start() {
    // spec: CP-FRM-04, CP-FLW-01
    let mut words = settings();
    words.four_letter_words = Words::Only(BTreeSet::new());
    let mut host = Host::with(words, std::sync::Arc::new(SimDisk::new()));
    let conn = host.open();
    let mut asks = Vec::new();
    let peer = "127.0.0.1:9".parse().unwrap();
    let id = host.shared.enter(peer).unwrap();
    let lane = zk_node::conn::lane::Lane::new(id, peer, false, Box::new(Silent), host.now);
    let mut typed = zk_node::Conn::new(host.shared.clone(), std::sync::Arc::new(lane), host.now);
    typed.receive(host.now, b"ru", &mut asks);
    assert_eq!(typed.take_word(), None);
    typed.receive(host.now, b"ok\r\n", &mut asks);
    assert_eq!(typed.take_word(), Some((Word::Ruok, Vec::new())));
    host.send(conn, &hello(0, 30_000, &[0; 16], 0));
    host.output(conn);
    host.send(conn, b"ruok");
    assert_eq!(host.output(conn).1, End::Now);
}

#[test]
fn a_connection_has_a_deadline_for_its_first_frame_and_then_for_its_silence() {
    // spec: CP-SES-07, FT-CON-02, FT-CON-03
    let mut host = Host::new();
    let conn = host.open();
    let first = host.now.mono_ms + 10_000;
    host.advance(1000);
    host.receive(conn, &[0, 0]);
    assert_eq!(host.conn(conn).deadline_ms(), first);
    // Answered or not, it ends a timeout and at most a tick after the last byte, either way.
    host.disk_holds = true;
    host.send(conn, &hello(0, 30_000, &[0; 16], 0)[2..]);
    let within = |host: &Host| {
        let left_ms = host.conn(conn).deadline_ms() - host.now.mono_ms;
        (30_001..=30_000 + u64::from(TICK)).contains(&left_ms)
    };
    assert!(within(&host));
    host.advance(3000);
    assert!(!within(&host));
    host.release_disk();
    host.output(conn);
    assert!(within(&host), "its answer went out");
    host.advance(3000);
    assert!(!within(&host));
    host.ask(conn, -2, &Request::Ping);
    assert!(within(&host));
}

#[test]
fn unknown_and_internal_ops_are_answered_and_closed() {
    // spec: CP-OP-10, CP-OP-12, CP-OP-30, CP-EPH-26, FT-CON-11, FT-CON-12, CP-GAP-13, CP-VEC-12
    for code in [0, -1, 10, 13, 20, -10, 99, 1_000_000] {
        let mut host = Host::new();
        let (conn, _) = host.connect();
        let zxid = host.shared.applied();
        let mut bytes = raw(6, code, &[0; 40]);
        bytes.extend(encode(7, &create("/late", 0)));
        host.send(conn, &bytes);
        let (out, end) = host.output(conn);
        assert_eq!(
            hex(&out),
            "0000001000000006fffffffffffffffffffffffa",
            "{code}"
        );
        assert_eq!(end, End::AfterOutput);
        assert_eq!(host.shared.applied(), zxid, "nothing may be proposed");
    }
}

#[test]
fn bodies_that_do_not_decode_are_answered_without_a_txn() {
    // spec: CP-FRM-10, CP-PRE-03, CP-OP-04, FT-CON-08
    let mut host = Host::new();
    let (conn, _) = host.connect();
    let zxid = host.shared.applied();
    let mut many = Vec::new();
    many.put_string("/a");
    many.put_buffer(None);
    many.put_int(i32::MAX);
    for (code, body) in [
        (1, vec![0, 0, 0, 9, b'/']),
        (5, vec![0xff, 0xff, 0xff, 0xfe]),
        (1, many),
        (4, vec![]),
        (14, vec![1]),
        (106, vec![0, 0, 0, 1, b'/', 0, 0, 0, 7]),
    ] {
        host.send(conn, &raw(5, code, &body));
        let (out, end) = host.output(conn);
        let replies = replies(&out);
        assert_eq!(
            (replies[0].xid, replies[0].err, end),
            (5, -5, End::Open),
            "{code}"
        );
        assert_eq!(replies[0].zxid, zxid);
        assert!(replies[0].body.is_empty());
    }
    assert_eq!(host.shared.applied(), zxid);
}

#[test]
fn refusals_keep_their_place_behind_pending_writes() {
    // spec: CP-OP-04, CP-ORD-01, INV-03
    let mut host = Host::new();
    let (conn, _) = host.connect();
    host.disk_holds = true;
    let mut bytes = encode(1, &create("/a", 0));
    bytes.extend(raw(2, op(OpCode::GetData), &[]));
    bytes.extend(encode(3, &get_data("/a", false)));
    bytes.extend(encode(-2, &Request::Ping));
    bytes.extend(encode(4, &set_data("/a", b"y")));
    bytes.extend(encode(5, &get_data("/a", false)));
    bytes.extend(encode(6, &Request::Sync { path: "/s".into() }));
    bytes.extend(encode(7, &get_data("/none", false)));
    host.send(conn, &bytes);
    assert!(host.output(conn).0.is_empty());
    host.release_disk();
    let replies = replies(&host.output(conn).0);
    assert_eq!(xids(&replies), [1, 2, 3, -2, 4, 5, 6, 7]);
    assert_eq!(
        replies[2].body[..5],
        [0, 0, 0, 1, b'x'],
        "the read between the writes saw the first"
    );
    assert_eq!(replies[5].body[..5], [0, 0, 0, 1, b'y']);
    assert_eq!(replies[2].zxid, replies[0].zxid);
    assert_eq!(replies[7].err, -101);
    let zxids: Vec<_> = replies.iter().map(|reply| reply.zxid).collect();
    assert!(zxids.is_sorted(), "{zxids:?}");
}

#[test]
fn a_write_behind_a_sync_is_answered_behind_it() {
    // spec: CP-ORD-01, CP-OP-04, CP-ORD-20. Also where one write of the disk commits what stands on both sides of it.
    let mut host = Host::new();
    let (conn, _) = host.connect();
    host.disk_holds = true;
    let mut bytes = encode(1, &create("/a", 0));
    bytes.extend(encode(2, &Request::Sync { path: "/s".into() }));
    bytes.extend(encode(3, &get_data("/a", false)));
    bytes.extend(encode(4, &set_data("/a", b"y")));
    bytes.extend(encode(5, &get_data("/a", false)));
    host.send(conn, &bytes);
    host.release_disk();
    let replies = replies(&host.output(conn).0);
    assert_eq!(xids(&replies), [1, 2, 3, 4, 5]);
    assert_eq!(replies[2].body[..5], [0, 0, 0, 1, b'x']);
    assert_eq!(replies[4].body[..5], [0, 0, 0, 1, b'y']);
    let zxids: Vec<_> = replies.iter().map(|reply| reply.zxid).collect();
    assert!(zxids.is_sorted(), "{zxids:?}");
}

#[test]
fn reads_of_others_do_not_wait_for_writes() {
    // spec: CP-ORD-03
    let mut host = Host::new();
    let (writer, _) = host.connect();
    let (reader, _) = host.connect();
    host.disk_holds = true;
    host.send(writer, &encode(1, &create("/a", 0)));
    assert_eq!(host.ask(reader, 1, &exists("/a", false))[0].err, -101);
    host.release_disk();
    assert_eq!(host.ask(reader, 2, &exists("/a", false))[0].err, 0);
}

#[test]
fn events_come_before_whatever_shows_the_change() {
    // spec: CP-WAT-30, CP-WAT-31, CP-WAT-32, INV-08, CP-GAP-15
    let mut host = Host::new();
    let (conn, _) = host.connect();
    host.ask(conn, 1, &create("/a", 0));
    host.disk_holds = true;
    let mut bytes = encode(2, &get_data("/a", true));
    bytes.extend(encode(3, &set_data("/a", b"y")));
    bytes.extend(encode(4, &get_data("/a", false)));
    host.send(conn, &bytes);
    host.release_disk();
    let replies = replies(&host.output(conn).0);
    assert_eq!(xids(&replies), [2, -1, 3, 4]);
    assert_eq!(replies[1].zxid, replies[2].zxid);
    assert_eq!(hex(&replies[1].body), "0000000300000003000000022f61");
}

#[test]
fn nobody_learns_of_what_they_may_not_read() {
    // spec: CP-WAT-20, FT-CON-20, INV-08, P-AUTH
    let mut host = Host::new();
    let (owner, _) = host.connect();
    let (stranger, _) = host.connect();
    let mut auth = Vec::new();
    auth.put_int(0);
    auth.put_string("digest");
    auth.put_buffer(Some(b"user:password"));
    host.send(owner, &raw(-4, op(OpCode::Auth), &auth));
    assert_eq!(
        hex(&host.output(owner).0),
        "00000010fffffffc000000000000000000000000"
    );
    host.ask(stranger, 1, &exists("/secret", true));
    let acl = [zk_proto::Acl::new(zk_proto::Perms::ALL, "auth", "")]
        .iter()
        .collect();
    let secret = Request::Create(zk_proto::request::Create {
        path: "/secret".into(),
        data: None,
        acl: Some(acl),
        flags: 0,
    });
    assert_eq!(host.ask(owner, 1, &secret)[0].err, 0);
    assert!(host.output(stranger).0.is_empty());
    assert_eq!(
        host.ask(stranger, 2, &get_data("/secret", false))[0].err,
        -102
    );
    assert_eq!(host.ask(owner, 2, &get_data("/secret", false))[0].err, 0);
}

#[test]
fn failed_auth_is_answered_and_closed() {
    // spec: CP-OP-36, CP-AUTH-07, FT-CON-17
    let mut host = Host::new();
    let (conn, _) = host.connect();
    let mut auth = Vec::new();
    auth.put_int(0);
    auth.put_string("nonsense");
    auth.put_buffer(None);
    host.send(conn, &raw(-4, op(OpCode::Auth), &auth));
    let (out, end) = host.output(conn);
    assert_eq!(hex(&out), "00000010fffffffc0000000000000000ffffff8d");
    assert_eq!(end, End::AfterOutput);
}

#[test]
fn sasl_without_configuration_answers_a_null_token() {
    // spec: CP-OP-37
    let mut host = Host::new();
    let (conn, _) = host.connect();
    let mut token = Vec::new();
    token.put_buffer(Some(b"token"));
    host.send(conn, &raw(3, op(OpCode::Sasl), &token));
    assert_eq!(
        hex(&host.output(conn).0),
        "00000014000000030000000000000000 00000000ffffffff".replace(' ', "")
    );
}

#[test]
fn a_closed_session_takes_its_ephemerals_along() {
    // spec: CP-OP-35, CP-SES-10, CP-SES-11, CP-EPH-04
    let mut host = Host::new();
    let (conn, _) = host.connect();
    let (other, _) = host.connect();
    host.disk_holds = true;
    let mut bytes = encode(1, &create("/e", 1));
    bytes.extend(encode(2, &Request::CloseSession));
    bytes.extend(encode(3, &create("/late", 0)));
    host.send(conn, &bytes);
    host.release_disk();
    let (out, end) = host.output(conn);
    assert_eq!(xids(&replies(&out)), [1, 2]);
    assert_eq!(end, End::AfterOutput);
    assert_eq!(host.ask(other, 1, &exists("/e", false))[0].err, -101);
    assert_eq!(host.ask(other, 2, &exists("/late", false))[0].err, -101);
}

#[test]
fn a_connection_with_a_thousand_requests_in_flight_is_read_no_further() {
    // spec: FT-LOAD-10, CP-THR-02, P-BOUND
    let mut host = Host::with(
        Settings {
            global_outstanding_limit: 1_000_000,
            ..settings()
        },
        std::sync::Arc::new(SimDisk::new()),
    );
    let (conn, _) = host.connect();
    host.disk_holds = true;
    let mut bytes = Vec::new();
    for xid in 1..=1500 {
        bytes.extend(encode(xid, &create(&format!("/n{xid}"), 0)));
    }
    host.send(conn, &bytes);
    assert_eq!(host.conn(conn).lane().lock().queue.len(), MAX_QUEUED);
    assert!(!host.conn(conn).wants_input());
    host.release_disk();
    let mut out = Vec::new();
    for _ in 0..10 {
        out.extend(host.output(conn).0);
    }
    assert_eq!(xids(&replies(&out)), (1..=1500).collect::<Vec<_>>());
    assert!(host.conn(conn).wants_input());
    assert_eq!(host.shared.totals.outstanding.get(), 0);
}

#[test]
fn a_connection_is_read_no_further_once_its_requests_have_many_bytes() {
    // spec: P-BOUND, FT-LOAD-10
    const BODY_BYTES: usize = 300_000;
    let mut host = Host::new();
    let (conn, _) = host.connect();
    host.ask(conn, 1, &create("/a", 0));
    host.disk_holds = true;
    let data = vec![7; BODY_BYTES];
    let bytes: Vec<u8> = (1..=50)
        .flat_map(|xid| encode(xid, &set_data("/a", &data)))
        .collect();
    host.send(conn, &bytes);
    {
        let lane = host.conn(conn).lane().clone();
        let state = lane.lock();
        let held: usize = state.queue.iter().map(Queued::bytes).sum();
        assert_eq!(state.queued_bytes, held);
        assert!(
            (MAX_QUEUED_BYTES..MAX_QUEUED_BYTES + BODY_BYTES + 100).contains(&held),
            "{held}"
        );
    }
    assert!(!host.conn(conn).wants_input());
    host.release_disk();
    let mut out = Vec::new();
    for _ in 0..10 {
        out.extend(host.output(conn).0);
    }
    assert_eq!(xids(&replies(&out)), (1..=50).collect::<Vec<_>>());
    assert_eq!(host.conn(conn).lane().lock().queued_bytes, 0);
}

#[test]
fn over_the_servers_limit_only_those_with_requests_in_flight_wait() {
    // spec: CP-THR-02
    let mut host = Host::with(
        Settings {
            global_outstanding_limit: 3,
            ..settings()
        },
        std::sync::Arc::new(SimDisk::new()),
    );
    let (greedy, _) = host.connect();
    let (modest, _) = host.connect();
    host.disk_holds = true;
    let bytes: Vec<u8> = (1..=10)
        .flat_map(|xid| encode(xid, &create(&format!("/n{xid}"), 0)))
        .collect();
    host.send(greedy, &bytes);
    assert!(host.shared.totals.outstanding.get() <= 5);
    assert!(!host.conn(greedy).wants_input());
    host.send(modest, &encode(1, &create("/m", 0)));
    assert_eq!(host.conn(modest).lane().lock().queue.len(), 1);
    host.release_disk();
    assert_eq!(
        xids(&replies(&host.output(greedy).0)),
        (1..=10).collect::<Vec<_>>()
    );
}

#[test]
fn a_client_that_does_not_read_is_served_no_further() {
    // spec: FT-LOAD-11, P-BOUND
    let mut host = Host::new();
    let (conn, _) = host.connect();
    let big = vec![7; 100_000];
    host.ask(conn, 1, &create("/a", 0));
    host.ask(conn, 2, &set_data("/a", &big));
    for xid in 0..100 {
        host.send(conn, &encode(10 + xid, &get_data("/a", false)));
    }
    assert!(host.conn(conn).lane().lock().out.len() < 600_000);
    assert!(!host.conn(conn).wants_input());
    let mut seen = 0;
    for _ in 0..100 {
        seen += replies(&host.output(conn).0).len();
    }
    assert_eq!(seen, 100);
}

#[test]
fn output_that_is_taken_lets_the_requests_behind_it_go_on() {
    // spec: FT-LOAD-11. Nobody rings for it, and the client may have nothing more to say.
    let mut host = Host::new();
    let (conn, _) = host.connect();
    host.ask(conn, 1, &create("/a", 0));
    host.ask(conn, 2, &set_data("/a", &[7; 300_000]));
    let frame = encode(3, &get_data("/a", false));
    host.send(conn, &[&frame[..], &frame, &frame[..9]].concat());
    assert!(!host.conn(conn).may_go_on(), "too much output waits");
    let (first, _) = host.conn(conn).take_output(Vec::new());
    assert_eq!(replies(&first).len(), 1);
    assert!(host.conn(conn).may_go_on());
    assert_eq!(replies(&host.output(conn).0).len(), 0);
    assert_eq!(replies(&host.output(conn).0).len(), 1);
    assert!(!host.conn(conn).may_go_on(), "a part of a frame is left");
    assert!(host.conn(conn).wants_input());
}

#[test]
fn events_beyond_the_cap_close_the_connection() {
    // spec: FT-LOAD-11
    let mut host = Host::new();
    let (watcher, _) = host.connect();
    let (writer, _) = host.connect();
    let path = format!("/{}", "n".repeat(60_000));
    host.ask(writer, 1, &create(&path, 0));
    let mut body = Vec::new();
    body.put_string(&path);
    body.put_int(0);
    host.send(watcher, &raw(1, op(OpCode::AddWatch), &body));
    assert_eq!(hex(&host.output(watcher).0)[32..48], *"0000000000000000");
    for xid in 2..100 {
        host.ask(writer, xid, &set_data(&path, b"z"));
    }
    assert_eq!(host.conn(watcher).lane().lock().end, End::Now);
}

#[test]
fn one_reply_may_be_as_long_as_it_likes() {
    // spec: CP-FRM-07, FT-LOAD-11
    let mut host = Host::new();
    let (conn, _) = host.connect();
    host.ask(conn, 1, &create("/a", 0));
    for n in 0..100 {
        let path = format!("/a/{n:060000}");
        assert_eq!(host.ask(conn, 2, &create(&path, 0))[0].err, 0);
    }
    // Behind a write the driver appends it, and nobody takes the output meanwhile.
    host.disk_holds = true;
    let mut bytes = encode(3, &set_data("/a", b"z"));
    let children = Request::GetChildren(zk_proto::request::ReadPath {
        path: "/a".into(),
        watch: false,
    });
    bytes.extend(encode(4, &children));
    host.send(conn, &bytes);
    host.release_disk();
    let (out, end) = host.output(conn);
    assert_eq!(xids(&replies(&out)), [3, 4]);
    assert!(out.len() > 5 << 20);
    assert_eq!(end, End::Open);
}

#[test]
fn large_requests_have_a_room_of_their_own() {
    // spec: CP-THR-07
    let large = Settings {
        large_request_threshold_bytes: Some(100),
        large_request_max_bytes: 500,
        ..settings()
    };
    let mut host = Host::with(large, std::sync::Arc::new(SimDisk::new()));
    let (first, _) = host.connect();
    let (second, _) = host.connect();
    host.ask(first, 1, &create("/a", 0));
    host.disk_holds = true;
    host.send(first, &encode(2, &set_data("/a", &[1; 300])));
    host.send(second, &encode(1, &set_data("/a", &[1; 300])));
    assert_eq!(host.output(second).1, End::Now);
    host.release_disk();
    assert_eq!(replies(&host.output(first).0)[0].err, 0);
    assert_eq!(host.shared.totals.large_bytes.get(), 0);
}

#[test]
fn enforced_authentication_comes_before_anything_else() {
    // spec: CP-AUTH-14
    let enforced = Settings {
        enforced_auth_schemes: Some(vec!["digest".into()]),
        ..settings()
    };
    let mut host = Host::with(enforced, std::sync::Arc::new(SimDisk::new()));
    let (conn, _) = host.connect();
    assert_eq!(host.ask(conn, 1, &Request::Ping)[0].err, -124);
    assert_eq!(host.output(conn).1, End::AfterOutput);
    let (conn, _) = host.connect();
    let mut auth = Vec::new();
    auth.put_int(0);
    auth.put_string("digest");
    auth.put_buffer(Some(b"u:p"));
    host.send(conn, &raw(-4, op(OpCode::Auth), &auth));
    host.output(conn);
    assert_eq!(host.ask(conn, 1, &create("/a", 0))[0].err, 0);
}

#[test]
fn a_multi_answers_each_create_as_it_was_asked() {
    // spec: CP-MUL-05, CP-MUL-06. The log tells creates and create2s apart no more than that of 3.8.
    use zk_proto::{CreateMode, MultiOp, MultiResult, Response};
    let mut host = Host::new();
    let (conn, _) = host.connect();
    let acl = [zk_proto::Acl::open()];
    let body = |path: &'static str, mode: CreateMode| zk_proto::request::Create {
        path: path.into(),
        data: None,
        acl: Some(acl.iter().collect()),
        flags: mode.flags(),
    };
    let ops = [
        MultiOp::Create(body("/1", CreateMode::Persistent)),
        MultiOp::Create2(body("/2", CreateMode::Persistent)),
        MultiOp::CreateTtl(body("/3", CreateMode::Persistent), 1000),
        MultiOp::Create(body("/4", CreateMode::Container)),
        MultiOp::Create2(body("/5", CreateMode::Ephemeral)),
        MultiOp::CreateContainer(body("/6", CreateMode::Container)),
        MultiOp::Create(body("/7", CreateMode::Persistent)),
    ];
    host.send(conn, &encode(1, &Request::Multi(ops.into_iter().collect())));
    let reply = replies(&host.output(conn).0).remove(0);
    assert_eq!(reply.err, 0);
    let Response::Multi(results) = Response::decode(OpCode::Multi, &reply.body).unwrap() else {
        unreachable!()
    };
    let shown: Vec<_> = results
        .iter()
        .map(|result| match result {
            MultiResult::Create { path } => (1, path.to_string()),
            MultiResult::Create2 { path, stat } => {
                assert_eq!(stat.czxid, reply.zxid);
                (15, path.to_string())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let expected = [1, 15, 1, 15, 15, 15, 1].into_iter().zip(1..);
    let expected: Vec<_> = expected.map(|(kind, n)| (kind, format!("/{n}"))).collect();
    assert_eq!(shown, expected);
}

fn throttled(throttle: Throttle) -> Host {
    let settings = Settings {
        throttle,
        ..settings()
    };
    Host::with(settings, std::sync::Arc::new(SimDisk::new()))
}

#[test]
fn the_throttle_lets_connections_on_in_the_order_in_which_they_came() {
    // spec: CP-THR-03
    let mut host = throttled(Throttle {
        max_requests: 1,
        stale_connection_check: false,
        ..Throttle::default()
    });
    let conns: Vec<_> = (0..4).map(|_| host.connect().0).collect();
    host.disk_holds = true;
    // The last to connect comes first, so that the order is that of the requests.
    for (n, conn) in conns.iter().enumerate().rev() {
        let mut bytes = encode(1, &create("/s-", 2));
        bytes.extend(encode(2, &create(&format!("/{n}"), 0)));
        host.send(*conn, &bytes);
        assert_eq!(host.shared.totals.outstanding.get(), 1);
    }
    assert!(conns.iter().all(|conn| !host.conn(*conn).wants_input()));
    // One that leaves gives its place up.
    host.drop_conn(conns[2]);
    host.release_disk();
    let mut order = Vec::new();
    for conn in [conns[3], conns[1], conns[0]] {
        let replies = replies(&host.output(conn).0);
        assert_eq!(xids(&replies), [1, 2]);
        order.push(replies.iter().map(|reply| reply.zxid).collect::<Vec<_>>());
        assert!(host.conn(conn).wants_input());
    }
    // The first connection's second request came before the others' first ones, and theirs behind both of them.
    let all = [
        order[0][0],
        order[0][1],
        order[1][0],
        order[2][0],
        order[1][1],
        order[2][1],
    ];
    assert!(all.is_sorted(), "{all:?}");
    assert_eq!(host.shared.totals.outstanding.get(), 0);
}

#[test]
fn a_request_that_the_throttle_held_back_too_long_is_refused() {
    // spec: CP-THR-05
    let mut host = throttled(Throttle {
        max_requests: 1,
        throttled_op_wait_ms: 500,
        ..Throttle::default()
    });
    let ((busy, _), (late, _)) = (host.connect(), host.connect());
    host.disk_holds = true;
    host.send(busy, &encode(1, &create("/a", 0)));
    host.send(late, &encode(1, &create("/late", 0)));
    host.advance(600);
    host.release_disk();
    assert_eq!(replies(&host.output(busy).0)[0].err, 0);
    let refused = replies(&host.output(late).0);
    assert_eq!((refused.len(), refused[0].err), (1, -127));
    assert_eq!(host.shared.totals.throttled_ops.get(), 1);
    assert_eq!(host.ask(late, 2, &exists("/late", false))[0].err, -101);
}

#[test]
fn a_request_older_than_its_session_may_be_silent_ends_its_connection() {
    // spec: CP-THR-04
    let mut host = throttled(Throttle {
        max_requests: 1,
        drop_stale: true,
        stale_latency_check: true,
        ..Throttle::default()
    });
    let ((busy, _), (late, _), (leaving, _)) = (host.connect(), host.connect(), host.connect());
    host.disk_holds = true;
    host.send(busy, &encode(1, &create("/a", 0)));
    host.send(late, &encode(1, &create("/late", 0)));
    host.send(leaving, &encode(1, &Request::CloseSession));
    host.now.mono_ms += 10_001;
    host.release_disk();
    assert_eq!(host.output(late), (Vec::new(), End::Now));
    assert_eq!(host.shared.totals.stale_requests.get(), 1);
    host.drop_conn(late);
    assert_eq!(
        xids(&replies(&host.output(leaving).0)),
        [1],
        "closeSession is never stale"
    );
}

/// Its end is seen though its request waits; what it asked is not done, but for its session's end.
#[test]
fn requests_of_a_closed_connection_are_dropped_while_they_wait() {
    // spec: CP-THR-04
    for (check, drops) in [(true, true), (false, false)] {
        let mut host = throttled(Throttle {
            max_requests: 1,
            stale_connection_check: check,
            ..Throttle::default()
        });
        let ((busy, _), (gone, _), (leaving, _)) = (host.connect(), host.connect(), host.connect());
        host.disk_holds = true;
        host.send(busy, &encode(1, &create("/a", 0)));
        host.send(gone, &encode(1, &create("/gone", 0)));
        let mut bytes = encode(1, &create("/leaving", 0));
        bytes.extend(encode(2, &Request::CloseSession));
        host.send(leaving, &bytes);
        // Unless closed connections matter, nothing is read behind what waits.
        for conn in [gone, leaving] {
            assert_eq!(host.conn(conn).wants_input(), drops);
        }
        if drops {
            assert!(!host.conn_mut(gone).input_ended());
            host.drop_conn(gone);
            assert!(host.conn_mut(leaving).input_ended());
            assert!(host.conn(leaving).has_more());
        }
        // Nor is a client read without end.
        host.send(busy, &encode(9, &Request::Ping).repeat(6000));
        assert!(!host.conn(busy).wants_input());
        host.release_disk();
        assert_eq!(
            host.shared.totals.stale_requests.get(),
            if drops { 2 } else { 0 }
        );
        let replies = replies(&host.output(leaving).0);
        assert_eq!(xids(&replies), if drops { vec![2] } else { vec![1, 2] });
        assert!(!host.conn(leaving).has_more());
        for (xid, path) in [(2, "/gone"), (3, "/leaving")] {
            let found = host.ask(busy, xid, &exists(path, false)).pop().unwrap();
            assert_eq!(found.err, if drops { -101 } else { 0 }, "{path}");
        }
    }
}

#[test]
fn events_are_no_requests_and_wait_for_no_limit() {
    // spec: CP-WAT-36
    let mut host = throttled(Throttle {
        max_requests: 1,
        ..Throttle::default()
    });
    let ((watcher, _), (writer, _)) = (host.connect(), host.connect());
    host.ask(writer, 1, &create("/a", 0));
    let mut body = Vec::new();
    body.put_string("/a");
    body.put_int(0);
    host.send(watcher, &raw(1, op(OpCode::AddWatch), &body));
    host.output(watcher);
    for xid in 2..7 {
        host.ask(writer, xid, &set_data("/a", b"z"));
    }
    assert_eq!(host.shared.totals.outstanding.get(), 0);
    let replies = host.ask(watcher, 2, &exists("/a", false));
    assert_eq!(xids(&replies), [-1, -1, -1, -1, -1, 2]);
}

#[test]
fn what_a_closing_session_sends_is_dropped() {
    // spec: CP-OP-11, CP-SES-04
    let mut host = Host::new();
    let (conn, _) = host.connect();
    host.disk_holds = true;
    host.advance(12_100);
    // Its end is on the way to the disk; until it is there nothing is answered, and nothing is done.
    let zxid = host.shared.applied();
    host.send(conn, &encode(-2, &Request::Ping));
    host.send(conn, &encode(1, &create("/late", 0)));
    host.send(conn, &encode(2, &exists("/", false)));
    assert_eq!(host.output(conn), (Vec::new(), End::Open));
    host.release_disk();
    assert_eq!(host.output(conn), (Vec::new(), End::Now));
    assert_eq!(host.shared.applied(), zxid + 1);
}

/// Asks for the number of znodes below `/t`.
fn count(xid: i32) -> Vec<u8> {
    encode(xid, &Request::GetAllChildrenNumber { path: "/t".into() })
}

fn counted(reply: &Reply) -> i32 {
    i32::from_be_bytes(reply.body[..4].try_into().unwrap())
}

// spec: CP-ORD-01, INV-03, P-BOUND
#[test]
fn reads_that_walk_take_turns_with_everything_else_and_keep_their_place() {
    let mut host = Host::new();
    let (conn, _) = host.connect();
    let (other, _) = host.connect();
    host.ask(conn, 1, &create("/t", 0));
    let mut first = encode(2, &create("/t/a", 0));
    (3..=6).for_each(|xid| first.extend(count(xid)));
    let second = [
        encode(7, &create("/t/b", 0)),
        count(8),
        encode(9, &exists("/t/b", false)),
    ];
    let write = encode(1, &create("/o", 0));
    host.disk_holds = true;
    host.send_at_once(&[(conn, &first), (other, &write), (conn, &second.concat())]);
    host.release_disk();
    let read = |host: &Host, conn| replies(&host.conn(conn).take_output(Vec::new()).0);
    let mut all = read(&host, conn);
    let answered = all.len();
    assert!(answered < 4, "one call of the driver answers {answered}");
    let others = read(&host, other);
    assert_eq!(xids(&others), [1], "only what must come after them waits");
    let mut turns = 0;
    while host.node.next_ms().unwrap() <= host.now.mono_ms {
        host.look(Vec::new());
        turns += 1;
        all.extend(read(&host, conn));
    }
    assert_eq!(turns, 4, "one for each walk");
    assert_eq!(xids(&all), (2..=9).collect::<Vec<_>>());
    assert!(all[1..5].iter().all(|reply| counted(reply) == 1), "{all:?}");
    assert_eq!((counted(&all[6]), all[7].err), (2, 0));
    assert_eq!(host.shared.totals.outstanding.get(), 0);
}

// spec: P-BOUND
#[test]
fn reads_that_walk_take_turns_with_other_connections() {
    let mut host = Host::new();
    let (conn, _) = host.connect();
    host.ask(conn, 1, &create("/t", 0));
    let bytes: Vec<_> = (2..=5).flat_map(count).collect();
    assert!(host.receive(conn, &bytes).is_empty());
    for xid in 2..=5 {
        let (out, _) = host.conn(conn).take_output(Vec::new());
        assert_eq!(xids(&replies(&out)), [xid]);
        assert_eq!(host.conn(conn).wants_input(), xid == 5);
        assert!(!host.conn(conn).may_go_on(), "the bell says when");
        let now = host.now;
        host.conn_mut(conn).resume(now, &mut Vec::new());
    }
}
