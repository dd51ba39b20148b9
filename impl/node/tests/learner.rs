//! A follower: what it asks its leader, and what it tells it.

#![allow(clippy::unwrap_used)]

mod common;

use bytes::Bytes;
use common::*;
use std::sync::Arc;
use zab::{Config, LinkId, Message, ServerId, Zxid};
use zk_node::Input;
use zk_node::conn::lane::End;
use zk_proto::quorum::{Touch, Validity};
use zk_proto::session::password;
use zk_proto::{Reader, Request};
use zk_storage::sim::SimDisk;

const SESSION: i64 = 0x0200_0000_0000_0007;

fn follower(link: LinkId) -> Host {
    let three = Config::new(ServerId(1), [1, 2, 3].map(ServerId));
    let mut host = Host::of(three, settings(), Arc::new(SimDisk::new()));
    host.follow(1, link);
    host
}

/// The leader says that the session lives.
fn vouch(host: &mut Host, link: LinkId) {
    let session = Validity {
        session_id: SESSION,
        valid: true,
    };
    host.look(vec![Input::Received {
        link,
        message: Message::Revalidate {
            session: session.encode(),
        },
    }]);
}

/// The sessions asked about over the link, with the timeouts named.
fn asked(host: &mut Host, link: LinkId) -> Vec<(i64, i32)> {
    let sent = std::mem::take(&mut host.sent);
    let questions = sent.into_iter().filter_map(|(to, message)| match message {
        Message::Revalidate { session } if to == link => {
            let touch = Touch::read(&mut Reader::new(&session)).unwrap();
            Some((touch.session_id, touch.timeout))
        }
        _ => None,
    });
    questions.collect()
}

/// The sessions in the answer to a leader's ping.
fn told(host: &mut Host, link: LinkId) -> Vec<(i64, i32)> {
    host.sent.clear();
    let message = Message::Ping {
        zxid: Zxid(0),
        sessions: None,
    };
    host.look(vec![Input::Received { link, message }]);
    let answer = host.sent.drain(..).find_map(|(_, message)| match message {
        Message::Ping { sessions, .. } => sessions,
        _ => None,
    });
    let table: Bytes = answer.unwrap();
    let touches = Touch::decode_table(&table).unwrap().into_iter();
    touches.map(|it| (it.session_id, it.timeout)).collect()
}

fn resumed(host: &mut Host, conn: usize) -> (i32, i64) {
    let (out, end) = host.output(conn);
    assert_eq!(end, End::Open);
    (
        i32::from_be_bytes(out[8..12].try_into().unwrap()),
        i64::from_be_bytes(out[12..20].try_into().unwrap()),
    )
}

// spec: CP-CON-23
#[test]
fn an_answer_goes_to_who_asked_this_leader_and_not_to_who_came_as_the_last_one_went() {
    let (first, second) = (LinkId(1), LinkId(2));
    let mut host = follower(first);
    let resume = hello(SESSION, 10_000, &password(SESSION), 0);
    let dead = host.open();
    let mut inputs = vec![Input::Disconnected { link: first }];
    inputs.extend(host.receive(dead, &resume));
    host.look(inputs);
    assert_eq!(host.output(dead).1, End::Now);
    host.drop_conn(dead);
    host.advance(1000);
    host.follow(2, second);
    let live = host.open();
    host.send(live, &resume);
    assert_eq!(asked(&mut host, second), [(SESSION, 10_000)]);
    vouch(&mut host, second);
    assert_eq!(resumed(&mut host, live), (10_000, SESSION));
}

// spec: CP-SES-04, CP-SES-05, QP-BC-13
#[test]
fn a_leader_is_told_the_timeout_that_the_connection_negotiated() {
    let link = LinkId(1);
    let mut host = follower(link);
    for timeout_ms in [30_000, 20_000] {
        let conn = host.open();
        host.send(conn, &hello(SESSION, timeout_ms, &password(SESSION), 0));
        vouch(&mut host, link);
        assert_eq!(resumed(&mut host, conn), (timeout_ms, SESSION));
        assert_eq!(told(&mut host, link), [(SESSION, timeout_ms)]);
        assert_eq!(told(&mut host, link), []);
        assert_eq!(host.ask(conn, -2, &Request::Ping)[0].err, 0);
        assert_eq!(told(&mut host, link), [(SESSION, timeout_ms)]);
    }
}
