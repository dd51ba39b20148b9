//! Apache's tree digest: a wrapping sum over znodes, so that each change costs one subtraction and one addition.

use alloc::collections::VecDeque;

use zk_proto::StatPersisted;

use crate::path;

/// Version of the algorithm, as it stands in txns and snapshots.
// spec: DF-DIG-01
pub const VERSION: i32 = 2;

/// A znode's part of the digest. `path` may spell the root either way.
// spec: DF-DIG-02, DF-DIG-03, CP-FLW-27
pub(crate) fn of_node(path: &str, data: Option<&[u8]>, stat: &StatPersisted) -> u32 {
    if path.starts_with("/zookeeper/") {
        return 0;
    }
    let mut crc = crc32fast::Hasher::new();
    crc.update(path::canonical(path).as_bytes());
    crc.update(data.unwrap_or_default());
    crc.update(&packed(stat));
    crc.finalize()
}

/// The 60 bytes that the digest covers, in another order than on disk.
fn packed(stat: &StatPersisted) -> [u8; 60] {
    let mut out = [0; 60];
    let longs = [stat.czxid, stat.mzxid, stat.pzxid, stat.ctime, stat.mtime];
    let ints = [stat.version, stat.cversion, stat.aversion];
    let (head, tail) = out.split_at_mut(40);
    for (slot, value) in head.chunks_exact_mut(8).zip(longs) {
        slot.copy_from_slice(&value.to_be_bytes());
    }
    for (slot, value) in tail.chunks_exact_mut(4).zip(ints) {
        slot.copy_from_slice(&value.to_be_bytes());
    }
    tail[12..].copy_from_slice(&stat.ephemeral_owner.to_be_bytes());
    out
}

/// `sum` with one znode's part exchanged for another; 0 stands for no znode.
// spec: DF-DIG-04, DF-DIG-06
pub(crate) fn exchange(sum: u64, old: u32, new: u32) -> u64 {
    sum.wrapping_sub(old.into()).wrapping_add(new.into())
}

/// The digests of the newest zxids that 128 divides.
// spec: CP-FLW-27, DF-DIG-08
#[derive(Debug, Default)]
pub(crate) struct History {
    kept: VecDeque<(i64, u64)>,
}

impl History {
    const EVERY: i64 = 128;
    const KEEP: usize = 1024;

    pub(crate) fn record(&mut self, zxid: i64, digest: u64) {
        if zxid % Self::EVERY != 0 {
            return;
        }
        if self.kept.len() == Self::KEEP {
            self.kept.pop_front();
        }
        self.kept.push_back((zxid, digest));
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, u64)> + '_ {
        self.kept.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: DF-DIG-02, DF-DIG-03, DF-DIG-06. The first two were seen in records that Apache wrote.
    #[test]
    fn vectors() {
        let zero = StatPersisted::default();
        assert_eq!(of_node("", Some(b""), &zero), 68_323_592);
        assert_eq!(of_node("/", None, &zero), 68_323_592);
        assert_eq!(of_node("/zookeeper", Some(b""), &zero), 1_303_661_912);
        assert_eq!(of_node("/zookeeper/quota", Some(b""), &zero), 0);
        let (zxid, time) = (0x1_0000_0002, 1_700_000_000_000);
        let a = StatPersisted {
            czxid: zxid,
            mzxid: zxid,
            pzxid: zxid,
            ctime: time,
            mtime: time,
            ..zero
        };
        assert_eq!(of_node("/a", Some(b"x"), &a), 613_545_643);
        let root = StatPersisted {
            pzxid: zxid,
            cversion: 1,
            ..zero
        };
        assert_eq!(of_node("", Some(b""), &root), 3_942_836_307);
    }

    #[test]
    fn history_keeps_the_newest_1024() {
        let mut history = History::default();
        for zxid in 0..128 * 1030 {
            history.record(zxid, zxid.cast_unsigned() + 1);
        }
        assert_eq!(history.iter().count(), 1024);
        assert_eq!(history.iter().next(), Some((128 * 6, 128 * 6 + 1)));
    }
}
