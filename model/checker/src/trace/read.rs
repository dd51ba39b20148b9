//! Files, one start of one server each, a line at a time.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use zab::ServerId;
use zab::trace::{Digest, Line, VERSION};

use super::problem::{Kind, Place, Problem};

/// A file, and its next line.
#[derive(Debug)]
pub(super) struct Reader {
    file: BufReader<File>,
    /// Of `head`.
    pub(super) place: Place,
    pub(super) head: Option<Line<Digest>>,
    node: ServerId,
    inc: u64,
    next_seq: u64,
    /// The process was killed while it wrote the last line; nothing of that step was done.
    pub(super) torn: bool,
}

impl Reader {
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let place = Place {
            file: path.display().to_string(),
            line: 0,
        };
        let file = File::open(path)
            .map_err(|error| Problem::new(Kind::Format, &place, error.to_string()))?;
        let mut reader = Self {
            file: BufReader::new(file),
            place,
            head: None,
            node: ServerId(0),
            inc: 0,
            next_seq: 0,
            torn: false,
        };
        if let Some(first) = reader.read()? {
            (reader.node, reader.inc) = (first.node, first.inc);
            reader.begins(&first)?;
            reader.head = Some(first);
            reader.next_seq = 1;
        }
        Ok(reader)
    }

    /// Takes the head and reads the line after it.
    pub(super) fn take(&mut self) -> Result<Option<(Place, Line<Digest>)>, Problem> {
        let place = self.place.clone();
        let Some(taken) = self.head.take() else {
            return Ok(None);
        };
        if let Some(next) = self.read()? {
            self.follows(&next)?;
            self.next_seq += 1;
            self.head = Some(next);
        }
        Ok(Some((place, taken)))
    }

    fn read(&mut self) -> Result<Option<Line<Digest>>, Problem> {
        let mut bytes = Vec::new();
        self.place.line += 1;
        let read = self.file.read_until(b'\n', &mut bytes);
        read.map_err(|error| self.problem(Kind::Format, error.to_string()))?;
        if bytes.last() != Some(&b'\n') {
            self.torn |= !bytes.is_empty();
            return Ok(None);
        }
        let line = serde_json::from_slice(&bytes);
        line.map(Some)
            .map_err(|error| self.problem(Kind::Format, error.to_string()))
    }

    fn begins(&self, first: &Line<Digest>) -> Result<(), Problem> {
        let Some(start) = &first.start else {
            let what = "the first line does not say what the server started from".to_owned();
            return Err(self.problem(Kind::Gap, what));
        };
        if start.version != VERSION {
            let what = format!("recorded by core {}, this is {VERSION}", start.version);
            return Err(self.problem(Kind::Format, what));
        }
        if start.config.id != first.node || first.seq != 0 {
            let what = "the first line contradicts itself".to_owned();
            return Err(self.problem(Kind::Format, what));
        }
        Ok(())
    }

    fn follows(&self, line: &Line<Digest>) -> Result<(), Problem> {
        if line.seq != self.next_seq {
            let what = format!("line {} follows line {}", line.seq, self.next_seq - 1);
            return Err(self.problem(Kind::Gap, what));
        }
        if (line.node, line.inc) != (self.node, self.inc) || line.start.is_some() {
            let what = "a line of another server or start".to_owned();
            return Err(self.problem(Kind::Format, what));
        }
        Ok(())
    }

    fn problem(&self, kind: Kind, what: String) -> Problem {
        Problem::new(kind, &self.place, what)
    }
}

/// The files of each server, in the order of its starts.
pub(super) fn by_server(
    paths: &[PathBuf],
) -> Result<BTreeMap<ServerId, VecDeque<Reader>>, Problem> {
    let mut servers: BTreeMap<ServerId, Vec<Reader>> = BTreeMap::new();
    for path in paths {
        let reader = Reader::open(path)?;
        // A process that was killed before its first line was whole has done nothing.
        if reader.head.is_some() {
            servers.entry(reader.node).or_default().push(reader);
        }
    }
    for readers in servers.values_mut() {
        readers.sort_by_key(|reader| reader.inc);
        for (expected, reader) in (1..).zip(&*readers) {
            if reader.inc != expected {
                let what = format!(
                    "start {} of server {}, where start {expected} should be",
                    reader.inc, reader.node
                );
                return Err(Problem::new(Kind::Gap, &reader.place, what));
            }
        }
    }
    Ok(servers
        .into_iter()
        .map(|(node, readers)| (node, readers.into()))
        .collect())
}
