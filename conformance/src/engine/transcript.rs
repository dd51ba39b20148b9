//! What a case did and saw, in order.

use std::collections::VecDeque;
use std::fmt::{self, Display, Write};
use std::time::Instant;

/// Who a line of the transcript comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A step of the script.
    Step,
    /// Sent by the suite.
    Sent,
    /// Received from the server.
    Received,
    /// Something else worth knowing.
    Note,
}

/// Longest line, in bytes: what a server sends must not fill the suite's memory.
const LINE_BYTES: usize = 2 << 10;
/// How much is kept of a transcript's begin, and as much again of its end.
const HALF_LINES: usize = 300;
const HALF_BYTES: usize = 48 << 10;

/// The first lines and the last ones; what lies between them in a long transcript is counted only.
#[derive(Debug, Clone)]
pub struct Transcript {
    started: Instant,
    head: Lines,
    /// Lines left out behind `head`.
    left_out: usize,
    tail: Lines,
}

#[derive(Debug, Clone, Default)]
struct Lines {
    lines: VecDeque<String>,
    bytes: usize,
}

impl Default for Transcript {
    fn default() -> Self {
        Transcript {
            started: Instant::now(),
            head: Lines::default(),
            left_out: 0,
            tail: Lines::default(),
        }
    }
}

impl Transcript {
    pub fn add(&mut self, mark: Mark, text: impl Display) {
        let ms = self.started.elapsed().as_millis();
        let line = match mark {
            Mark::Step => cut(format_args!("{ms:>6} ms  {text}"), LINE_BYTES),
            Mark::Sent => cut(format_args!("           > {text}"), LINE_BYTES),
            Mark::Received => cut(format_args!("           < {text}"), LINE_BYTES),
            Mark::Note => cut(format_args!("           ! {text}"), LINE_BYTES),
        };
        let begins = self.left_out == 0 && self.tail.lines.is_empty();
        if begins && self.head.has_room(line.len()) {
            return self.head.push(line);
        }
        while !self.tail.has_room(line.len()) && self.tail.pop() {
            self.left_out += 1;
        }
        self.tail.push(line);
    }

    /// Forgets what was added after `length` lines; a `wait` keeps its last try only.
    pub fn truncate(&mut self, length: usize) {
        let head = self.head.lines.len();
        self.tail
            .truncate(length.saturating_sub(head + self.left_out));
        self.left_out = self.left_out.min(length.saturating_sub(head));
        self.head.truncate(length);
    }

    /// Lines added, those left out too.
    pub fn len(&self) -> usize {
        self.head.lines.len() + self.left_out + self.tail.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn into_lines(self) -> Vec<String> {
        let note = format!("           ! {} lines left out", self.left_out);
        let between = (self.left_out > 0).then_some(note);
        let head = self.head.lines.into_iter();
        head.chain(between).chain(self.tail.lines).collect()
    }
}

impl Lines {
    fn has_room(&self, bytes: usize) -> bool {
        self.lines.len() < HALF_LINES && self.bytes + bytes <= HALF_BYTES
    }

    fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
    }

    /// Drops the first line; `false` if there is none.
    fn pop(&mut self) -> bool {
        let Some(line) = self.lines.pop_front() else {
            return false;
        };
        self.bytes -= line.len();
        true
    }

    fn truncate(&mut self, length: usize) {
        self.lines.truncate(length);
        self.bytes = self.lines.iter().map(String::len).sum();
    }
}

/// `text` as far as `limit` bytes go; then how much is missing is not known, because it is not even written.
pub fn cut(text: impl Display, limit: usize) -> String {
    let mut buffer = Cut {
        text: String::new(),
        limit,
    };
    if write!(buffer, "{text}").is_err() {
        buffer.text.push_str("...");
    }
    buffer.text
}

/// Takes text up to its limit, then fails.
struct Cut {
    text: String,
    limit: usize,
}

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.limit.saturating_sub(self.text.len());
        let end = text.floor_char_boundary(room);
        let (fits, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        self.text.push_str(fits);
        if rest.is_empty() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}

/// Bytes as hex; only the first `limit`.
pub fn hex(bytes: &[u8], limit: usize) -> String {
    let head = bytes.get(..limit).unwrap_or(bytes);
    let mut text: String = head.iter().map(|byte| format!("{byte:02x}")).collect();
    if bytes.len() > limit {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(lines: usize) -> Transcript {
        let mut transcript = Transcript::default();
        for at in 0..lines {
            transcript.add(Mark::Note, format_args!("line {at}"));
        }
        transcript
    }

    #[test]
    fn a_long_transcript_keeps_its_begin_and_its_end() {
        let lines = filled(10_000).into_lines();
        assert_eq!(lines.len(), 2 * HALF_LINES + 1);
        assert_eq!(lines.first().map(|line| line.trim()), Some("! line 0"));
        assert_eq!(lines.last().map(|line| line.trim()), Some("! line 9999"));
        let note = lines.get(HALF_LINES).map(|line| line.trim());
        assert_eq!(note, Some("! 9400 lines left out"));
    }

    #[test]
    fn long_lines_are_cut_and_their_bytes_bounded() {
        let mut transcript = Transcript::default();
        for _ in 0..1000 {
            transcript.add(Mark::Received, "\u{e9}".repeat(100_000));
        }
        assert_eq!(transcript.len(), 1000);
        let lines = transcript.into_lines();
        assert!(lines.iter().all(|line| line.len() <= LINE_BYTES + 3));
        let bytes: usize = lines.iter().map(String::len).sum();
        assert!(bytes <= 2 * HALF_BYTES + 100, "{bytes}");
    }

    #[test]
    fn a_mark_holds_over_what_is_left_out() {
        for (lines, mark) in [(5, 3), (HALF_LINES + 5, HALF_LINES + 2), (5000, 4990)] {
            let mut transcript = filled(lines);
            transcript.truncate(mark);
            assert_eq!(transcript.len(), mark);
            transcript.add(Mark::Note, "next");
            assert_eq!(transcript.len(), mark + 1);
            let lines = transcript.into_lines();
            assert_eq!(lines.last().map(|line| line.trim()), Some("! next"));
        }
        // Before what is left: the mark's lines are gone, those behind it too.
        let mut transcript = filled(5000);
        transcript.truncate(1000);
        assert_eq!(transcript.len(), 1000);
        transcript.truncate(10);
        assert_eq!(transcript.into_lines().len(), 10);
    }
}
