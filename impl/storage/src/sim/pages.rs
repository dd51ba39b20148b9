//! A file's bytes in copy-on-write pages, so that forking a disk costs pointers.

use std::collections::BTreeMap;
use std::sync::Arc;

const PAGE: u64 = 4096;
type Page = [u8; PAGE as usize];

/// Bytes of one file. A page that is not there reads as zeros.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    len: u64,
    pages: BTreeMap<u64, Arc<Page>>,
}

impl Pages {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Copies bytes out; returns how many lie before the end.
    pub(super) fn read(&self, offset: u64, buf: &mut [u8]) -> usize {
        let wanted = (buf.len() as u64).min(self.len.saturating_sub(offset)) as usize;
        let mut done = 0;
        while done < wanted {
            let at = offset + done as u64;
            let within = (at % PAGE) as usize;
            let step = (PAGE as usize - within).min(wanted - done);
            let target = &mut buf[done..done + step];
            match self.pages.get(&(at / PAGE)) {
                Some(page) => target.copy_from_slice(&page[within..within + step]),
                None => target.fill(0),
            }
            done += step;
        }
        wanted
    }

    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut done = 0;
        while done < bytes.len() {
            let at = offset + done as u64;
            let within = (at % PAGE) as usize;
            let step = (PAGE as usize - within).min(bytes.len() - done);
            let source = &bytes[done..done + step];
            let page = at / PAGE;
            let zeros = source.iter().all(|byte| *byte == 0);
            if !zeros || self.pages.contains_key(&page) {
                let slot = self
                    .pages
                    .entry(page)
                    .or_insert_with(|| Arc::new([0; PAGE as usize]));
                Arc::make_mut(slot)[within..within + step].copy_from_slice(source);
            }
            done += step;
        }
        self.len = self.len.max(offset + bytes.len() as u64);
    }

    pub(super) fn set_len(&mut self, len: u64) {
        if len < self.len {
            self.pages.split_off(&len.div_ceil(PAGE));
            if let Some(page) = self.pages.get_mut(&(len / PAGE)) {
                Arc::make_mut(page)[(len % PAGE) as usize..].fill(0);
            }
        }
        self.len = len;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_behave_as_one_vector() {
        quickcheck::quickcheck(same_as_vector as fn(Vec<(u16, u16, u8)>) -> bool);
    }

    fn same_as_vector(steps: Vec<(u16, u16, u8)>) -> bool {
        let (mut pages, mut plain) = (Pages::default(), Vec::new());
        for (offset, len, value) in steps {
            let (offset, len) = (usize::from(offset), usize::from(len) % 9000);
            if value == 1 {
                pages.set_len(offset as u64);
                plain.resize(offset, 0);
            } else {
                pages.write(offset as u64, &vec![value; len]);
                plain.resize(plain.len().max(offset + len), 0);
                plain[offset..offset + len].fill(value);
            }
        }
        let mut read = vec![7; plain.len() + 10];
        let count = pages.read(0, &mut read);
        count == plain.len() && read[..count] == plain && pages.len() == plain.len() as u64
    }
}
