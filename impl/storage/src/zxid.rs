//! Order of zxids as logs keep it.

/// The high 32 bits.
pub(crate) fn epoch(zxid: i64) -> i64 {
    zxid >> 32
}

/// The low 32 bits.
pub(crate) fn counter(zxid: i64) -> i64 {
    zxid & 0xffff_ffff
}

/// True if `zxid` may follow `previous` in a log without anything missing between them: the next counter of
/// the same epoch, or the first of a later one.
// spec: DF-RD-05
pub(crate) fn follows(previous: i64, zxid: i64) -> bool {
    if epoch(previous) == epoch(zxid) {
        previous.checked_add(1) == Some(zxid)
    } else {
        epoch(previous) < epoch(zxid) && counter(zxid) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: DF-RD-05
    #[test]
    fn successors() {
        assert!(follows(0, 1));
        assert!(follows(0x1_0000_0004, 0x1_0000_0005));
        assert!(follows(0x1_0000_0004, 0x2_0000_0001));
        assert!(follows(0x1_0000_0004, 0x5_0000_0001));
        assert!(follows(0x2_0000_0000, 0x2_0000_0001));
        assert!(!follows(0x1_0000_0004, 0x1_0000_0006));
        assert!(!follows(0x1_0000_0004, 0x1_0000_0004));
        assert!(!follows(0x1_0000_0004, 0x2_0000_0002));
        assert!(!follows(0x2_0000_0004, 0x1_0000_0001));
        assert!(!follows(i64::MAX, i64::MIN));
    }
}
