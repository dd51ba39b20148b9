//! The durable mark: how far the log was certainly synced. It may lag behind the truth, it never leads.
//!
//! Two slots in pages of their own, written in turn, each with a number and a checksum: a torn write leaves
//! the other slot. Updated after every sync without a sync of its own, except where what it says would
//! otherwise lead (a cut) or miss a file (a new log).
// spec: DF-ALG-02

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, parent};
use crate::error::{Context, Result};

const SLOT_BYTES: u64 = 4096;
const RECORD_LEN: usize = 48;
const MAGIC: &[u8; 8] = b"VIVMARK1";

/// Everything before `offset` of log `log` was synced, and so was everything in logs before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Zxid in the log file's name.
    pub log: i64,
    /// Bytes of it that are durable.
    pub offset: u64,
    /// Last durable zxid.
    pub zxid: i64,
}

/// The file that holds the mark.
#[derive(Debug)]
pub(crate) struct MarkFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    sequence: u64,
}

/// What the mark's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No file, or one that was never written: this server never synced a log here.
    Nothing,
    Mark(Mark),
    /// Bytes that are no mark.
    Damaged,
}

/// Reads the mark.
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> Result<Found> {
    if !disk.exists(path).at("look for", path)? {
        return Ok(Found::Nothing);
    }
    let file = disk.open_read(path).at("open", path)?;
    let slots = slots(&*file, path)?;
    Ok(match newest(&slots) {
        Some((_, mark)) => Found::Mark(mark),
        None if slots.iter().all(|slot| slot.iter().all(|byte| *byte == 0)) => Found::Nothing,
        None => Found::Damaged,
    })
}

type Slots = [[u8; RECORD_LEN]; 2];

fn slots(file: &dyn DiskFile, path: &Path) -> Result<Slots> {
    let mut slots = [[0; RECORD_LEN]; 2];
    for (slot, index) in slots.iter_mut().zip(0u64..) {
        file.read_full_at(index.saturating_mul(SLOT_BYTES), slot)
            .at("read", path)?;
    }
    Ok(slots)
}

fn newest(slots: &Slots) -> Option<(u64, Mark)> {
    slots
        .iter()
        .filter_map(decode)
        .max_by_key(|(sequence, _)| *sequence)
}

impl MarkFile {
    /// Opens the file, made if missing, and says `mark` durably.
    pub(crate) fn open(disk: &Arc<dyn Disk>, path: &Path, mark: Mark) -> Result<Self> {
        let (file, sequence) = if disk.exists(path).at("look for", path)? {
            let file = disk.open_write(path).at("open", path)?;
            let sequence = newest(&slots(&*file, path)?).map_or(0, |(sequence, _)| sequence);
            (file, sequence)
        } else {
            let file = disk.create_new(path).at("create", path)?;
            file.write_zeros(0, SLOT_BYTES.saturating_mul(2))
                .at("write", path)?;
            file.sync_data().at("sync", path)?;
            disk.sync_dir(parent(path)).at("sync", parent(path))?;
            (file, 0)
        };
        let mut marks = Self {
            path: path.to_path_buf(),
            file,
            sequence,
        };
        marks.set(mark)?;
        marks.sync()?;
        Ok(marks)
    }

    /// Writes the mark; the system makes it durable when it likes.
    pub(crate) fn set(&mut self, mark: Mark) -> Result<()> {
        self.sequence = self.sequence.saturating_add(1);
        let slot = self.sequence % 2;
        let record = encode(self.sequence, mark);
        self.file
            .write_all_at(slot.saturating_mul(SLOT_BYTES), &record)
            .in_log("write", &self.path)
    }

    /// Makes the mark durable.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.file.sync_data().in_log("sync", &self.path)
    }
}

fn encode(sequence: u64, mark: Mark) -> [u8; RECORD_LEN] {
    let mut record = [0; RECORD_LEN];
    let fields = [
        *MAGIC,
        sequence.to_be_bytes(),
        mark.log.to_be_bytes(),
        mark.offset.to_be_bytes(),
        mark.zxid.to_be_bytes(),
    ];
    let (body, checksum) = record.split_at_mut(RECORD_LEN - 8);
    for (slot, field) in body.chunks_exact_mut(8).zip(fields) {
        slot.copy_from_slice(&field);
    }
    checksum.copy_from_slice(&sum(body).to_be_bytes());
    record
}

fn decode(record: &[u8; RECORD_LEN]) -> Option<(u64, Mark)> {
    let (body, checksum) = record.split_last_chunk::<8>()?;
    let mut fields = body
        .chunks_exact(8)
        .filter_map(|field| field.try_into().ok().map(u64::from_be_bytes));
    let mut next = || fields.next();
    if next()? != u64::from_be_bytes(*MAGIC) || u64::from_be_bytes(*checksum) != sum(body) {
        return None;
    }
    let sequence = next()?;
    let (log, offset, zxid) = (next()?, next()?, next()?);
    Some((
        sequence,
        Mark {
            log: log.cast_signed(),
            offset,
            zxid: zxid.cast_signed(),
        },
    ))
}

/// FNV-1a: an Adler-32 of so few bytes would miss too much.
fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| {
        (sum ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimDisk;

    fn mark(offset: u64) -> Mark {
        Mark {
            log: 0x1_0000_0001,
            offset,
            zxid: 0x1_0000_0009,
        }
    }

    // spec: DF-ALG-02
    #[test]
    fn a_mark_never_leads_and_is_never_lost() {
        let sim = SimDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        disk.create_dirs(Path::new("/d")).unwrap();
        let path = Path::new("/d/vivarium.mark");
        let mut file = MarkFile::open(&disk, path, mark(16)).unwrap();
        let written = [100, 200, 300];
        for offset in written {
            file.set(mark(offset)).unwrap();
        }
        for outcome in sim.outcomes(20) {
            let after = sim.fork();
            after.crash(outcome);
            let Found::Mark(found) = read(&after, path).unwrap() else {
                panic!("{outcome:?}: no mark")
            };
            assert!(
                found == mark(16) || written.contains(&found.offset),
                "{outcome:?}: {found:?}"
            );
        }
        assert_eq!(read(&sim, path).unwrap(), Found::Mark(mark(300)));
    }

    #[test]
    fn a_flipped_byte_is_no_mark() {
        let record = encode(7, mark(4711));
        assert_eq!(decode(&record), Some((7, mark(4711))));
        for at in 0..RECORD_LEN {
            let mut bad = record;
            bad[at] ^= 0x10;
            assert_eq!(decode(&bad), None, "byte {at}");
        }
    }
}
