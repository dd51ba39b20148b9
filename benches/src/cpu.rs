//! Processor time of other processes, from `/proc`.

use anyhow::{Context, Result};
use std::time::Duration;

/// Linux counts `/proc/PID/stat` times in hundredths of a second on every machine we run on.
const TICKS_PER_SECOND: u64 = 100;

/// User and system time that the processes have used so far, all threads together.
pub fn used(pids: &[u32]) -> Result<Duration> {
    let mut ticks = 0;
    for pid in pids {
        let path = format!("/proc/{pid}/stat");
        let stat = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        ticks += ticks_of(&stat).with_context(|| path)?;
    }
    Ok(Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND))
}

/// Resident memory in bytes, all processes together.
pub fn resident_bytes(pids: &[u32]) -> Result<u64> {
    let mut kib = 0;
    for pid in pids {
        let path = format!("/proc/{pid}/status");
        let status = std::fs::read_to_string(&path).with_context(|| path.clone())?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        kib += number.context("no VmRSS")?.parse::<u64>()?;
    }
    Ok(kib << 10)
}

/// utime and stime: fields 14 and 15, counted after the name, which may hold anything.
fn ticks_of(stat: &str) -> Option<u64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_fields_14_and_15() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 9 0 0 0 123 45 0 0 20 0 1 0 5 6 7";
        assert_eq!(ticks_of(stat), Some(168));
        assert_eq!(ticks_of("7 (a"), None);
    }

    #[test]
    fn our_own_process_uses_memory() {
        assert!(resident_bytes(&[std::process::id()]).unwrap() > 1 << 20);
        used(&[std::process::id()]).unwrap();
    }
}
