//! What a power cut leaves of the pending items.

use super::pages::Pages;
use super::state::{State, Write, apply_entry, apply_write};

/// How a crash settles the pending items. Items are numbered: writes of each file in issue order, file by
/// file in order of creation, then changes of directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything written survives.
    KeepAll,
    /// Only what was synced survives.
    DropAll,
    /// Everything but this item.
    Drop(usize),
    /// Nothing but this item.
    Keep(usize),
    /// Everything, but of this write only one part of its blocks of `unit` bytes.
    Tear {
        /// Which write.
        item: usize,
        /// 512 or 4096.
        unit: u64,
        /// What is left of it.
        part: Part,
    },
    /// Each item kept, dropped or torn into any subset of its blocks, as the seed says.
    Mix(u64),
}

/// The part of a torn write that survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Its first block.
    First,
    /// All but its last block.
    AllButLast,
    /// Its last block, the ones before it lost.
    Last,
}

impl State {
    pub(super) fn pending(&self) -> usize {
        self.inodes
            .values()
            .map(|inode| inode.pending.len())
            .sum::<usize>()
            + self.entries.len()
    }

    pub(super) fn outcomes(&self, mixes: u64) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::KeepAll, Outcome::DropAll];
        let items = self.pending();
        outcomes.extend((0..items).flat_map(|item| [Outcome::Drop(item), Outcome::Keep(item)]));
        let writes = self
            .inodes
            .values()
            .flat_map(|inode| &inode.pending)
            .enumerate();
        for (item, write) in writes {
            for unit in [512, 4096] {
                if blocks(write, unit) > 1 {
                    let parts = [Part::First, Part::AllButLast, Part::Last];
                    outcomes.extend(parts.map(|part| Outcome::Tear { item, unit, part }));
                }
            }
        }
        if items > 1 {
            outcomes.extend((0..mixes).map(Outcome::Mix));
        }
        outcomes
    }

    pub(super) fn crash(&mut self, outcome: Outcome) {
        let mut item = 0;
        let mut dice = Dice(if let Outcome::Mix(seed) = outcome {
            seed
        } else {
            0
        });
        for inode in self.inodes.values_mut() {
            for write in std::mem::take(&mut inode.pending) {
                settle(&mut inode.durable, &write, outcome, item, &mut dice);
                item += 1;
            }
            inode.seen = inode.durable.clone();
        }
        for entry in std::mem::take(&mut self.entries) {
            if survives(outcome, item, &mut dice) {
                apply_entry(&mut self.durable, entry);
            }
            item += 1;
        }
        self.seen = self.durable.clone();
        self.kill_process();
    }
}

fn survives(outcome: Outcome, item: usize, dice: &mut Dice) -> bool {
    match outcome {
        Outcome::KeepAll | Outcome::Tear { .. } => true,
        Outcome::DropAll => false,
        Outcome::Drop(dropped) => item != dropped,
        Outcome::Keep(kept) => item == kept,
        Outcome::Mix(_) => dice.roll(2) == 0,
    }
}

fn settle(durable: &mut Pages, write: &Write, outcome: Outcome, item: usize, dice: &mut Dice) {
    match outcome {
        Outcome::Tear {
            item: torn,
            unit,
            part,
        } if torn == item => {
            let last = blocks(write, unit).saturating_sub(1);
            tear(durable, write, unit, |block| match part {
                Part::First => block == 0,
                Part::AllButLast => block != last,
                Part::Last => block == last,
            });
        }
        Outcome::Mix(_) => match dice.roll(4) {
            0 => apply_write(durable, write),
            1 => {}
            2 => tear(durable, write, 512, |_| dice.roll(2) == 0),
            _ => tear(durable, write, 4096, |_| dice.roll(2) == 0),
        },
        Outcome::KeepAll
        | Outcome::DropAll
        | Outcome::Drop(_)
        | Outcome::Keep(_)
        | Outcome::Tear { .. } => {
            if survives(outcome, item, dice) {
                apply_write(durable, write);
            }
        }
    }
}

/// Number of blocks of `unit` bytes that a write touches.
fn blocks(write: &Write, unit: u64) -> u64 {
    match write {
        Write::SetLen(_) => 1,
        Write::Bytes { offset, bytes } => (offset + bytes.len() as u64)
            .div_ceil(unit)
            .saturating_sub(offset / unit),
    }
}

/// Applies the blocks of a write that `keep` names. Block 0 is the first that it touches.
fn tear(durable: &mut Pages, write: &Write, unit: u64, mut keep: impl FnMut(u64) -> bool) {
    let Write::Bytes { offset, bytes } = write else {
        if keep(0) {
            apply_write(durable, write);
        }
        return;
    };
    let end = offset + bytes.len() as u64;
    for block in 0..blocks(write, unit) {
        let from = ((offset / unit + block) * unit).max(*offset);
        let to = ((offset / unit + block + 1) * unit).min(end);
        if keep(block) {
            durable.write(
                from,
                &bytes[(from - offset) as usize..(to - offset) as usize],
            );
        }
    }
}

/// A small seeded generator (splitmix64): equal seeds, equal crashes.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}
