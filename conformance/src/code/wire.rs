//! Exact bytes and zxids.

use super::ensure;
use crate::engine::Stop;
use crate::engine::run::Run;
use crate::engine::session::Received;
use crate::engine::transcript::hex;

/// spec: CP-PRE-02. Only one session writes, but other cases do at the same
/// time, so the zxid is at least one further, and is the one that a later
/// session must be allowed to have seen.
pub(super) fn failed_multi_consumes_a_zxid(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("create ~/a -> ok zxid=?z\nsend multi check ~/no")?;
    let reply = run.next_reply("a")?;
    let before = run.vars.number("$z")?;
    ensure(reply.zxid > before, || {
        format!(
            "a failed multi's zxid {:#x} is not after {before:#x}",
            reply.zxid
        )
    })?;
    run.script(&format!("b: connect zxid={} -> ok", reply.zxid))
}

/// spec: CP-VEC-10
pub(super) fn failed_multi_bytes(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("create ~/a\nsend multi check ~/a version=0 ; check ~/a version=9 ; delete ~/a")?;
    let Received::Message { frame, .. } = run.next("a")? else {
        return Err(Stop::Mismatch("no reply to a multi".into()));
    };
    let wanted = "ffffffff000000000000000000\
                  ffffffff00ffffff99ffffff99\
                  ffffffff00fffffffefffffffe\
                  ffffffff01ffffffff";
    let found = hex(frame.get(16..).unwrap_or_default(), 1000);
    ensure(found == wanted, || {
        format!("expected {wanted}, found {found}")
    })
}
