//! A hash table of small numbers that stand for something stored elsewhere.
//!
//! Each cell keeps half of the hash beside the number. So a look-up touches one cache line and then, as good as always,
//! only what it looks for; and neither growing nor removing has to visit what the numbers stand for.

use alloc::vec::Vec;

/// No number: the table holds at most this many.
const EMPTY: u32 = u32::MAX;
const FIRST_CELLS: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Cell {
    tag: u32,
    id: u32,
}

const VACANT: Cell = Cell { tag: 0, id: EMPTY };

/// Linear probing; cells are in order of their tags, but for those that had to move up.
#[derive(Debug, Default)]
pub(crate) struct Table {
    cells: Vec<Cell>,
    used: usize,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.used
    }

    /// The number with this hash that `is` accepts.
    pub(crate) fn find(&self, hash: u64, is: impl FnMut(u32) -> bool) -> Option<u32> {
        self.position(hash as u32, is)
            .map(|index| self.cells[index].id)
    }

    /// Adds a number that is not in the table.
    pub(crate) fn insert(&mut self, hash: u64, id: u32) {
        if self.used >= self.cells.len() / 8 * 7 {
            self.grow();
        }
        self.used += 1;
        self.place(Cell {
            tag: hash as u32,
            id,
        });
    }

    /// Removes `id`, which stands under this hash.
    pub(crate) fn remove(&mut self, hash: u64, id: u32) {
        let Some(mut gap) = self.position(hash as u32, |other| other == id) else {
            return;
        };
        self.used -= 1;
        // Whoever could not be placed before the gap moves down into it, until one is at home or the run ends.
        let mut index = gap;
        loop {
            index = self.next(index);
            let cell = self.cells[index];
            if cell.id == EMPTY {
                break;
            }
            if self.distance(self.home(cell.tag), index) >= self.distance(gap, index) {
                self.cells[gap] = cell;
                gap = index;
            }
        }
        self.cells[gap] = VACANT;
        self.shrink();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.cells
            .iter()
            .map(|cell| cell.id)
            .filter(|id| *id != EMPTY)
    }

    fn position(&self, tag: u32, mut is: impl FnMut(u32) -> bool) -> Option<usize> {
        if self.used == 0 {
            return None;
        }
        let mut index = self.home(tag);
        loop {
            let cell = self.cells[index];
            if cell.id == EMPTY {
                return None;
            }
            if cell.tag == tag && is(cell.id) {
                return Some(index);
            }
            index = self.next(index);
        }
    }

    fn place(&mut self, cell: Cell) {
        let mut index = self.home(cell.tag);
        while self.cells[index].id != EMPTY {
            index = self.next(index);
        }
        self.cells[index] = cell;
    }

    /// Half as many again: a table is never emptier than seven twelfths after it grew.
    fn grow(&mut self) {
        let cells = (self.cells.len() + self.cells.len() / 2)
            .next_multiple_of(8)
            .max(FIRST_CELLS * 2);
        self.resize(cells);
    }

    /// Gives memory back once five sixths are vacant.
    fn shrink(&mut self) {
        if self.cells.len() > FIRST_CELLS * 4 && self.used < self.cells.len() / 6 {
            self.resize((self.cells.len() / 3).next_multiple_of(8));
        }
    }

    fn resize(&mut self, cells: usize) {
        let mut fresh = Vec::with_capacity(cells);
        fresh.resize(cells, VACANT);
        let old = core::mem::replace(&mut self.cells, fresh);
        for cell in old {
            if cell.id != EMPTY {
                self.place(cell);
            }
        }
    }

    /// Where a tag would stand if nothing were in its way.
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.cells.len() as u64) >> 32) as usize
    }

    fn next(&self, index: usize) -> usize {
        if index + 1 == self.cells.len() {
            0
        } else {
            index + 1
        }
    }

    /// Cells from one to another, upwards and round the end.
    fn distance(&self, from: usize, to: usize) -> usize {
        if to >= from {
            to - from
        } else {
            to + self.cells.len() - from
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;
    use alloc::vec::Vec;

    use super::*;

    /// Few distinct hashes at both ends of the range, so that runs collide and go round the end.
    fn hash_of(id: u32) -> u64 {
        match id % 4 {
            0 => u64::from(u32::MAX),
            1 => u64::from(u32::MAX - id % 7),
            2 => u64::from(id % 5),
            _ => u64::from(id.wrapping_mul(0x9e37_79b9)),
        }
    }

    quickcheck::quickcheck! {
        fn as_a_map(ops: Vec<(bool, u8)>) -> bool {
            let (mut table, mut map) = (Table::default(), BTreeMap::new());
            ops.iter().all(|(insert, id)| {
                let id = u32::from(*id);
                if *insert && map.insert(id, ()).is_none() {
                    table.insert(hash_of(id), id);
                } else if !*insert {
                    map.remove(&id);
                    table.remove(hash_of(id), id);
                }
                let mut all: Vec<u32> = table.iter().collect();
                all.sort_unstable();
                table.len() == map.len()
                    && all.iter().eq(map.keys())
                    && (0..256).all(|id| table.find(hash_of(id), |other| other == id).is_some() == map.contains_key(&id))
            })
        }
    }

    #[test]
    fn memory_follows_the_content() {
        let mut table = Table::default();
        for id in 0..100_000 {
            table.insert(hash_of(id * 4 + 3), id);
        }
        assert!(table.cells.len() <= 100_000 * 8 / 7 * 3 / 2 + 16);
        for id in 0..100_000 {
            table.remove(hash_of(id * 4 + 3), id);
        }
        assert!(table.cells.len() <= 16 && table.len() == 0);
    }
}
