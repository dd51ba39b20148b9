//! Sizes and numbers: frames, pipelines, replies, sessions.

use std::fmt::Write as _;

use super::ensure;
use crate::engine::Stop;
use crate::engine::run::{Run, four_letters};
use crate::engine::session::Handshake;
use crate::wire::jute::Out;
use crate::wire::ops;
use crate::wire::value::Value;

/// spec: CP-FRM-05. Apache's default limit; servers set up otherwise differ.
const LARGEST: usize = 0xf_ffff;

pub(super) fn largest_frame(run: &mut Run<'_>) -> Result<(), Stop> {
    // Header, path, data length, default ACL and flags around the data.
    let around = 8 + 4 + run.vars.root.len() + 2 + 4 + 4 + 4 + 4 + 5 + 4 + 6 + 4;
    let fits = LARGEST.saturating_sub(around);
    run.script(&format!("create ~/a fill:{fits} -> ok path=~/a\nping"))?;
    run.script(&format!("send create ~/b fill:{}\nclosed", fits + 1))?;
    run.script("resume\nexists ~/b -> NoNode")
}

pub(super) fn long_pipeline(run: &mut Run<'_>) -> Result<(), Stop> {
    const REQUESTS: usize = 500;
    run.script("create ~/p")?;
    let mut sends = String::new();
    let mut receives = String::new();
    for at in 0..REQUESTS / 2 {
        push(
            &mut sends,
            format_args!("send create ~/p/n- flags=2\nsend exists ~/p\n"),
        )?;
        push(
            &mut receives,
            format_args!(
                "recv create -> ok path=~/p/n-{at:010}\nrecv exists -> ok numChildren={}\n",
                at + 1
            ),
        )?;
    }
    run.script(&sends)?;
    run.script(&receives)
}

pub(super) fn large_reply(run: &mut Run<'_>) -> Result<(), Stop> {
    const CHILDREN: usize = 600;
    run.script("create ~/p")?;
    let long = "n".repeat(2000);
    for at in 0..CHILDREN {
        run.script(&format!("send create ~/p/{long}{at:04}"))?;
    }
    for _ in 0..CHILDREN {
        run.script("recv create -> ok")?;
    }
    run.script(&format!("getChildren ~/p -> ok len>{}", 2000 * CHILDREN))
}

pub(super) fn deep_path(run: &mut Run<'_>) -> Result<(), Stop> {
    let mut path = String::from("~");
    for _ in 0..100 {
        path.push_str("/d");
        run.script(&format!("send create {path}"))?;
    }
    for _ in 0..100 {
        run.script("recv create -> ok")?;
    }
    run.script(&format!(
        "exists {path} -> ok numChildren=0\ngetAllChildrenNumber ~ -> ok totalNumber=100"
    ))
}

pub(super) fn long_multi(run: &mut Run<'_>) -> Result<(), Stop> {
    const OPS: usize = 200;
    let creates: Vec<String> = (0..OPS).map(|at| format!("create ~/n{at}")).collect();
    let results = vec!["create"; OPS];
    run.script(&format!(
        "multi {} -> {}",
        creates.join(" ; "),
        results.join(" ; ")
    ))?;
    run.script(&format!("exists ~ -> ok numChildren={OPS} cversion={OPS}"))
}

pub(super) fn many_sessions(run: &mut Run<'_>) -> Result<(), Stop> {
    const SESSIONS: usize = 50;
    let allowed = connections_allowed(run);
    for at in 0..SESSIONS {
        match run.script(&format!("s{at}: connect")) {
            Err(Stop::Mismatch(_)) if allowed != Some(0) => {
                let limit = allowed.map_or("unknown".to_owned(), |count| count.to_string());
                return Err(Stop::Precondition(format!(
                    "connection {} of this case is closed, and maxClientCnxns is {limit}",
                    at + 1
                )));
            }
            done => done?,
        }
        run.script(&format!("s{at}: create ~/e{at} flags=1"))?;
    }
    run.script(&format!("exists ~ -> ok numChildren={SESSIONS}"))?;
    for at in 0..SESSIONS {
        run.script(&format!(
            "s{at}: exists ~/e{at} -> ok ephemeralOwner=$s{at}.id"
        ))?;
    }
    Ok(())
}

/// How many connections of one address the server says that it allows, 0 being any number; `None` if it does not say.
// spec: CP-FLW-15
fn connections_allowed(run: &Run<'_>) -> Option<u64> {
    let conf = four_letters(run.home, b"conf").ok()?;
    let line = conf
        .lines()
        .find_map(|line| line.strip_prefix("maxClientCnxns="));
    line?.parse().ok()
}

pub(super) fn many_ephemerals_go_together(run: &mut Run<'_>) -> Result<(), Stop> {
    const COUNT: usize = 300;
    run.script("create ~/p\nb: ping")?;
    for _ in 0..COUNT {
        run.script("b: send create ~/p/e- flags=3")?;
    }
    for _ in 0..COUNT {
        run.script("b: recv create -> ok")?;
    }
    run.script(&format!(
        "exists ~/p -> ok numChildren={COUNT}\nb: closeSession -> ok zxid=?z\n\
         exists ~/p -> ok numChildren=0 pzxid=$z cversion={}",
        2 * COUNT
    ))
}

pub(super) fn byte_by_byte(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("ping")?;
    let frame = exists_frame(&run.vars.root);
    let link = run.session("a")?.link()?;
    for byte in &frame {
        link.send_raw(&[*byte]);
    }
    // A second request behind it shows that the first one was whole.
    run.script("send ping")?;
    let first = run.next("a")?;
    run.script("recv ping -> ok")?;
    let text = format!("{first:?}");
    ensure(text.contains("xid: 77"), || {
        format!("expected the reply to xid 77, found {text}")
    })
}

pub(super) fn many_in_one_packet(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("ping")?;
    let frame = exists_frame(&run.vars.root);
    let bytes = frame.repeat(20);
    run.session("a")?.link()?.send_raw(&bytes);
    for _ in 0..20 {
        let text = format!("{:?}", run.next("a")?);
        ensure(text.contains("xid: 77"), || {
            format!("expected the reply to xid 77, found {text}")
        })?;
    }
    run.script("quiet")
}

/// A whole exists request with xid 77, length included.
fn exists_frame(path: &str) -> Vec<u8> {
    let mut body = Out::default();
    body.int(77);
    body.int(3);
    body.bytes(Some(path.as_bytes()));
    body.bool(false);
    let mut frame = Out::default();
    frame.bytes(Some(&body.0));
    frame.0
}

/// spec: CP-FRM-12. ConnectRequest, auth and a first request in one packet.
pub(super) fn pipelined_handshake(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("auth digest user:password\ncreate ~/a \"x\" acl=[31@auth:]")?;
    let mut bytes = Out::default();
    bytes.bytes(Some(&Handshake::default().encode()));
    let auth = ops::by_name("auth").ok_or_else(|| Stop::Harness("no auth".into()))?;
    let mut body = Out::default();
    body.int(-4);
    body.int(auth.code);
    let text = |text: &str| Value::Text(text.to_owned());
    auth.encode(
        &[text("digest"), text("user:password"), Value::Int(0)],
        &mut body,
    );
    bytes.bytes(Some(&body.0));
    let mut session = crate::engine::session::Session::default();
    session.dial(run.home)?;
    session.link()?.send_raw(&bytes.0);
    run.sessions.insert("p".into(), session);
    run.read_connect("p")?;
    run.expect_auth("p")?;
    run.script("p: getData ~/a -> ok data=\"x\"")
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) -> Result<(), Stop> {
    text.write_fmt(line)
        .map_err(|error| Stop::Harness(error.to_string()))
}
