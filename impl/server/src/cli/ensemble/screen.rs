//! Where the servers' state is shown: rows that are drawn anew on a terminal, lines of text elsewhere.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use super::view::View;

/// Lines of text that differ only in numbers come no faster.
const PAUSE: Duration = Duration::from_secs(10);

pub(super) struct Screen {
    terminal: bool,
    /// Rows that stand below the last message.
    rows: usize,
    /// The last line's roles, and when and how it was said.
    last: Option<(String, Instant, String)>,
}

impl Screen {
    pub(super) fn new() -> Self {
        Self {
            terminal: std::io::stdout().is_terminal(),
            rows: 0,
            last: None,
        }
    }

    /// A message that stays.
    pub(super) fn say(&mut self, message: &str) {
        let text = format!("{}{message}\n", self.erase());
        put(&text);
    }

    /// The servers now.
    pub(super) fn show(&mut self, view: &View) {
        if self.terminal {
            let mut text = self.erase();
            for row in view.table() {
                text += &row;
                text.push('\n');
                self.rows += 1;
            }
            put(&text);
        } else if let Some(line) = self.next_line(view.roles(), view.line()) {
            put(&(line + "\n"));
        }
    }

    /// Moves up over the rows and clears them.
    fn erase(&mut self) -> String {
        match std::mem::take(&mut self.rows) {
            0 => String::new(),
            rows => format!("\x1b[{rows}A\x1b[J"),
        }
    }

    /// What to say where nothing can be taken back: changed roles at once, changed numbers now and then.
    fn next_line(&mut self, roles: String, line: String) -> Option<String> {
        if let Some((old_roles, at, old_line)) = &self.last
            && (*old_line == line || *old_roles == roles && at.elapsed() < PAUSE)
        {
            return None;
        }
        self.last = Some((roles, Instant::now(), line.clone()));
        Some(line)
    }
}

/// Whoever reads this may be gone; the servers go on.
fn put(text: &str) {
    let mut output = std::io::stdout();
    let written = output.write_all(text.as_bytes());
    drop(written.and_then(|()| output.flush()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_said_when_roles_change_and_else_rarely() {
        let mut screen = Screen {
            terminal: false,
            rows: 0,
            last: None,
        };
        let mut says = |roles: &str, line: &str| {
            let line = screen.next_line(roles.to_owned(), line.to_owned());
            line.is_some()
        };
        assert!(says("1:leader", "1:leader zxid 1"));
        assert!(!says("1:leader", "1:leader zxid 2"));
        assert!(says("1:-", "1:- zxid 2"));
        assert!(says("1:leader", "1:leader zxid 2"));
    }

    #[test]
    fn rows_are_taken_back_before_a_message() {
        let mut screen = Screen {
            terminal: true,
            rows: 3,
            last: None,
        };
        assert_eq!(screen.erase(), "\x1b[3A\x1b[J");
        assert_eq!(screen.erase(), "");
    }
}
