//! Java properties text: `zoo.cfg`, the dynamic part, and `-D` flags after splitting.
//!
//! Each entry keeps the number of the line its key stands on, so that every
//! later complaint can name it.

/// One `key = value` of a properties text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Line of the key's first character, counted from 1.
    pub line: usize,
    pub key: String,
    pub value: String,
}

/// A `\u` escape that is not four hexadecimal digits; Java refuses such a file too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: \\u must be followed by four hexadecimal digits")]
pub struct BadEscape {
    pub line: usize,
}

/// Splits a properties text into its entries, in file order, duplicates kept.
///
/// The bytes are ISO-8859-1, as `java.util.Properties` reads them; keys and values are trimmed.
// spec: CP-CFG-01. Operators bring files written for Java, continuation lines and all.
pub fn parse(text: &[u8]) -> Result<Vec<Entry>, BadEscape> {
    let text: String = text.iter().copied().map(char::from).collect();
    logical_lines(&text)
        .into_iter()
        .map(|(line, content)| entry(line, &content))
        .collect()
}

/// Joins continued lines and drops blanks and comments; backslash escapes stay.
fn logical_lines(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (index, natural) in natural_lines(text).into_iter().enumerate() {
        let content = natural.trim_start_matches([' ', '\t', '\u{c}']);
        if open.is_none() && (content.is_empty() || content.starts_with(['#', '!'])) {
            continue;
        }
        let (first, mut joined) = open.take().unwrap_or((index + 1, String::new()));
        let continued = trailing_backslashes(content) % 2 == 1;
        joined.push_str(if continued {
            content.strip_suffix('\\').unwrap_or(content)
        } else {
            content
        });
        if continued {
            open = Some((first, joined));
        } else {
            lines.push((first, joined));
        }
    }
    lines.extend(open);
    lines
}

/// Lines end at LF, CR or CR LF.
fn natural_lines(text: &str) -> Vec<&str> {
    text.split('\n')
        .flat_map(|line| line.strip_suffix('\r').unwrap_or(line).split('\r'))
        .collect()
}

fn trailing_backslashes(line: &str) -> usize {
    line.chars().rev().take_while(|c| *c == '\\').count()
}

fn entry(line: usize, content: &str) -> Result<Entry, BadEscape> {
    let key_end = unescaped(content, |c| c == '=' || c == ':' || is_blank(c));
    let (key, rest) = content.split_at(key_end);
    let rest = rest.trim_start_matches(is_blank);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    let value = rest.trim_start_matches(is_blank);
    let unescape = |text: &str| unescape(text).ok_or(BadEscape { line });
    Ok(Entry {
        line,
        key: unescape(key)?.trim().to_owned(),
        value: unescape(value)?.trim().to_owned(),
    })
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Byte offset of the first character that matches and is not escaped, or the length.
fn unescaped(content: &str, matches: impl Fn(char) -> bool) -> usize {
    let mut escaped = false;
    for (at, c) in content.char_indices() {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if matches(c) {
            return at;
        }
    }
    content.len()
}

fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('t') => out.push('\t'),
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('f') => out.push('\u{c}'),
            Some('u') => {
                let mut unit = 0;
                for _ in 0..4 {
                    unit = unit * 16 + chars.next()?.to_digit(16)?;
                }
                // A lone surrogate has no character; no key or value needs one.
                out.push(char::from_u32(unit).unwrap_or('\u{fffd}'));
            }
            Some(other) => out.push(other),
            None => {}
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        parse(text.as_bytes())
            .unwrap()
            .into_iter()
            .map(|e| (e.line, e.key, e.value))
            .collect()
    }

    fn one(text: &str) -> (String, String) {
        let mut all = pairs(text);
        assert_eq!(all.len(), 1, "{text:?}");
        let (_, key, value) = all.remove(0);
        (key, value)
    }

    // spec: CP-CFG-01
    #[test]
    fn separators_are_equals_colon_or_blank() {
        for text in ["k=v", "k:v", "k v", "k\tv", "  k  =  v  ", "k = v\r"] {
            assert_eq!(one(text), ("k".into(), "v".into()), "{text:?}");
        }
        assert_eq!(one("server.1=a:1:2"), ("server.1".into(), "a:1:2".into()));
        assert_eq!(one("k = = v"), ("k".into(), "= v".into()));
        assert_eq!(one("k"), ("k".into(), String::new()));
    }

    // spec: CP-CFG-01
    #[test]
    fn escapes_and_latin_1() {
        assert_eq!(one("a\\=b=c"), ("a=b".into(), "c".into()));
        assert_eq!(one("k=\\u00e9\\t\\x"), ("k".into(), "é\tx".into()));
        let latin = parse(b"k=\xe9").unwrap();
        assert_eq!(latin[0].value, "é");
        assert_eq!(parse(b"\nk=\\u12"), Err(BadEscape { line: 2 }));
    }

    // spec: CP-CFG-01
    #[test]
    fn comments_continuations_and_line_numbers() {
        let text = "# c\n! c\n\n a = 1\\\n   ,2\nb=x\\\\\n#b=2\rc=3\r\nc=4\nd=\\";
        assert_eq!(
            pairs(text),
            [
                (4, "a".into(), "1,2".into()),
                (6, "b".into(), "x\\".into()),
                (8, "c".into(), "3".into()),
                (9, "c".into(), "4".into()),
                (10, "d".into(), String::new()),
            ]
        );
    }
}
