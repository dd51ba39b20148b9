//! What a case did and saw, in order.

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

#[derive(Debug, Clone)]
pub struct Transcript {
    started: Instant,
    lines: Vec<String>,
}

impl Default for Transcript {
    fn default() -> Self {
        Transcript {
            started: Instant::now(),
            lines: Vec::new(),
        }
    }
}

impl Transcript {
    pub fn add(&mut self, mark: Mark, text: impl AsRef<str>) {
        let text = text.as_ref();
        let ms = self.started.elapsed().as_millis();
        self.lines.push(match mark {
            Mark::Step => format!("{ms:>6} ms  {text}"),
            Mark::Sent => format!("           > {text}"),
            Mark::Received => format!("           < {text}"),
            Mark::Note => format!("           ! {text}"),
        });
    }

    /// Forgets what was added after `length` lines; a `wait` keeps its last try only.
    pub fn truncate(&mut self, length: usize) {
        self.lines.truncate(length);
    }

    pub fn len(&self) -> usize {
        self.lines.len()
    }

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn into_lines(self) -> Vec<String> {
        self.lines
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
