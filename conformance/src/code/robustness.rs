//! Hazardous cases that a script cannot say. Each runs once through every server.

use std::time::Instant;

use super::ensure;
use crate::engine::Stop;
use crate::engine::run::Run;
use crate::engine::session::{Handshake, PATIENCE, Received};
use crate::script::parse::from_hex;
use crate::wire::jute::Out;
use crate::wire::link::{Incoming, Link};
use crate::wire::ops::OPS;

/// Bodies a case sends of each operation.
const BODIES: usize = 12;
/// First frames a case sends.
const FIRST_FRAMES: usize = 100;
/// Operation codes that are none, next to those that are.
const STRANGE: &[i32] = &[0, -1, 10, 20, 23, 99, 108, -12, i32::MIN, i32::MAX];

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// At most 63 bytes. Half of them are zero, all ones or small, as lengths and counts of a record are.
    fn bytes(&mut self) -> Vec<u8> {
        let length = self.next() % 64;
        (0..length)
            .map(|_| match self.next() % 4 {
                0 => 0,
                1 => 0xff,
                2 => self.next().to_le_bytes()[0] % 8,
                _ => self.next().to_le_bytes()[0],
            })
            .collect()
    }
}

fn dial(run: &Run<'_>) -> Result<Link, Stop> {
    Link::open(run.home, PATIENCE)
        .map_err(|error| Stop::Mismatch(format!("{} does not accept: {error}", run.home)))
}

/// spec: CP-FRM-10. A body that cannot be decoded has an answer or ends the connection; silence is neither.
pub(super) fn random_bodies(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("probe")?;
    let mut dice = Dice(0x5eed);
    let codes: Vec<i32> = OPS
        .iter()
        .map(|op| op.code)
        .chain(STRANGE.iter().copied())
        .collect();
    for code in codes {
        for _ in 0..BODIES {
            let body = dice.bytes();
            let session = run.session("a")?;
            let xid = session.take_xid();
            session.send_other(xid, code, &body)?;
            match session.receive(Instant::now() + PATIENCE)? {
                Received::Message { .. } if code != -11 => {}
                Received::Message { .. } | Received::Closed { .. } => {
                    session.cut();
                    run.sessions.remove("a");
                }
                Received::Silence => {
                    return Err(Stop::Mismatch(format!(
                        "operation {code} with body {} has no answer",
                        crate::engine::transcript::hex(&body, 64)
                    )));
                }
            }
        }
    }
    run.script("probe")
}

/// spec: CP-FRM-03, CP-FRM-05
pub(super) fn random_first_frames(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("probe")?;
    let mut dice = Dice(0xf1a5);
    for _ in 0..FIRST_FRAMES {
        let mut link = dial(run)?;
        let mut bytes = dice.bytes();
        // Not a session of somebody else: the id is behind version, zxid and timeout.
        if let Some(id) = bytes.get_mut(16..24) {
            id.fill(0);
        }
        link.send_frame(&bytes);
        let found = link.receive(Instant::now() + PATIENCE);
        ensure(found != Incoming::Silence, || {
            format!("a first frame of {} bytes has no answer", bytes.len())
        })?;
    }
    run.script("probe")
}

/// spec: CP-FRM-08. Without `readOnly` the request is whole, and old; so that length is left out.
pub(super) fn shortened_handshakes(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("probe")?;
    let whole = Handshake::default().encode();
    for kept in 0..whole.len().saturating_sub(1) {
        let mut link = dial(run)?;
        link.send_frame(whole.get(..kept).unwrap_or_default());
        let found = link.receive(Instant::now() + PATIENCE);
        ensure(found == Incoming::Closed { leftover: 0 }, || {
            format!("a handshake of {kept} bytes is answered {found:?}")
        })?;
    }
    run.script("probe")
}

/// spec: CP-FRM-05, CP-FRM-06. Connections that promise bytes and send none, or promise too many.
pub(super) fn unfinished_frames(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("probe")?;
    let mut open = Vec::new();
    for at in 0..100_u32 {
        let mut link = dial(run)?;
        match at % 4 {
            0 => link.send_raw(&[0, 0]),
            1 => link.send_raw(&[0, 0, 0, 45, 0, 0]),
            2 => link.send_raw(&0x000f_ffff_u32.to_be_bytes()),
            _ => link.send_raw(&0x7fff_ffff_u32.to_be_bytes()),
        }
        open.push(link);
    }
    for at in 0..20 {
        // A session that leaves in the middle of a request.
        run.script(&format!(
            "h{at}: ping\nh{at}: raw 00000400 00000001 00000001 00\nh{at}: drop"
        ))?;
    }
    run.script("probe")?;
    drop(open);
    run.script("probe")
}

/// spec: CP-MUL-12, CP-ERR-02. The create's parent is missing, should a server do it all the same.
pub(super) fn write_in_multi_read(run: &mut Run<'_>) -> Result<(), Stop> {
    const BODY: &str =
        "0000000100ffffffff000000092f7a6b632d6e6f2f78000000000000000000000000ffffffff01ffffffff";
    run.script("probe")?;
    let body = from_hex(BODY).ok_or_else(|| Stop::Harness("not hex".into()))?;
    let session = run.session("a")?;
    let xid = session.take_xid();
    session.send_other(xid, 22, &body)?;
    let reply = run.next_reply("a")?;
    ensure(reply.err == -5, || format!("error {}", reply.err))?;
    run.script("ping\nprobe")
}

/// spec: CP-MUL-07. Its last check fails, so nothing of it is done.
pub(super) fn huge_multi(run: &mut Run<'_>) -> Result<(), Stop> {
    const SUB_OPERATIONS: usize = 30_000;
    run.script("probe")?;
    let mut body = Out::default();
    for _ in 0..SUB_OPERATIONS {
        body.int(13);
        body.bool(false);
        body.int(-1);
        body.0
            .extend_from_slice(&[0, 0, 0, 1, b'/', 0xff, 0xff, 0xff, 0xff]);
    }
    body.int(13);
    body.bool(false);
    body.int(-1);
    body.0
        .extend_from_slice(&[0, 0, 0, 1, b'/', 0x7f, 0xff, 0xff, 0xff]);
    body.int(-1);
    body.bool(true);
    body.int(-1);
    let multi =
        crate::wire::ops::by_name("multi").ok_or_else(|| Stop::Harness("no multi".into()))?;
    let session = run.session("a")?;
    let xid = session.take_xid();
    session.send(xid, multi, &body.0)?;
    let reply = run.next_reply("a")?;
    let errors: Vec<i32> = reply.items.iter().map(|item| item.err).collect();
    ensure(
        reply.err == 0 && errors.len() == SUB_OPERATIONS + 1 && errors.last() == Some(&-103),
        || {
            let last = errors.last();
            format!(
                "error {}, {} results, the last {last:?}",
                reply.err,
                errors.len()
            )
        },
    )?;
    run.script("probe")
}
