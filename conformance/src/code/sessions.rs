//! Sessions: passwords and time.

use std::time::{Duration, Instant};

use super::{ensure, until_conclusive};
use crate::engine::Stop;
use crate::engine::run::Run;
use crate::engine::transcript::hex;

/// spec: CP-CON-14. Clients move between servers, so every server must compute
/// the same password.
pub(super) fn password_is_a_function_of_the_id(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("ping")?;
    let session = run.session("a")?;
    let (id, found) = (session.id, session.passwd.clone());
    let wanted = password(id);
    ensure(found == wanted, || {
        format!(
            "session {id:#x}: expected password {}, found {}",
            hex(&wanted, 16),
            hex(&found, 16)
        )
    })
}

fn password(id: i64) -> Vec<u8> {
    const SECRET: u64 = 0xB3415C00;
    const MULTIPLIER: u64 = 0x5_DEEC_E66D;
    const MASK: u64 = (1 << 48) - 1;
    let mut state = ((id as u64 ^ SECRET) ^ MULTIPLIER) & MASK;
    let mut bytes = Vec::new();
    for _ in 0..4 {
        state = state.wrapping_mul(MULTIPLIER).wrapping_add(0xB) & MASK;
        bytes.extend_from_slice(&((state >> 16) as u32).to_le_bytes());
    }
    bytes
}

/// spec: CP-SES-04
pub(super) fn pings_keep_a_session(run: &mut Run<'_>) -> Result<(), Stop> {
    pings_keep(run, "")
}

/// Pings at a quarter of the timeout for four timeouts. `on` is what else the session's `connect` takes.
pub(super) fn pings_keep(run: &mut Run<'_>, on: &str) -> Result<(), Stop> {
    until_conclusive(|attempt| {
        let mut heard = Instant::now();
        run.script(&format!("b: connect {on} timeout=1"))?;
        let timeout = u64::try_from(run.session("b")?.timeout_ms).unwrap_or_default();
        let timeout = Duration::from_millis(timeout);
        let create = format!("b: create ~/e{attempt} flags=1");
        let alive = format!("b: exists ~/e{attempt} -> ok ephemeralOwner=$b.id");
        let pings = std::iter::repeat_n("b: ping", 16);
        for step in [create.as_str()]
            .into_iter()
            .chain(pings)
            .chain([alive.as_str()])
        {
            // Time itself is what this case is about.
            std::thread::sleep(timeout / 4);
            let sent = Instant::now();
            let done = run.script(step);
            // Between the two moments at which the server heard of the session no more than this has passed.
            if heard.elapsed() >= timeout {
                return Ok(false);
            }
            done?;
            heard = sent;
        }
        Ok(true)
    })
}

/// From the last that the server hears to the end of the ephemeral passes at least the timeout.
pub(super) fn expiry_takes_the_timeout(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("b: connect timeout=2000\nb: create ~/e flags=1\nexists ~/e watch=true")?;
    let timeout = run.session("b")?.timeout_ms;
    let sent = Instant::now();
    run.script("b: ping\nb: drop\nevent deleted ~/e")?;
    let lived = i64::try_from(sent.elapsed().as_millis()).unwrap_or(i64::MAX);
    ensure(lived >= timeout, || {
        format!("a session of {timeout} ms was expired after {lived} ms of silence")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// spec: CP-CON-14. Passwords that Apache 3.8 gave out.
    #[test]
    fn passwords_match_the_documented_ones() {
        assert_eq!(hex(&password(1), 16), "054cc74a37327db215e702e20c73f005");
        assert_eq!(
            hex(&password(0x0100_0000_0000_0000), 16),
            "f22acd4a97e69d6d20a49bb638eadb38"
        );
    }
}
